"""Each check of notebooks 00 and 01 on right answers, the untouched stub, and wrong answers a reader may well give."""

import numpy as np
import pytest

from rppg_lib.teach import nb00, nb01

from .answers import judged_by

ALL = [nb00.heart_rate, nb01.mean_colour, nb01.noise_of_mean, nb01.coded_change, nb01.alias_hz, nb01.apart_bpm]


def folded(flicker_hz, fs):
    rest = flicker_hz % fs
    return min(rest, fs - rest)


def pixel_loop(image, mask):
    total, count = np.zeros(3), 0
    for row, col in zip(*np.nonzero(mask), strict=True):
        total += image[row, col]
        count += 1
    return total / count


RIGHT = [(nb00.heart_rate, lambda beats: 60 / np.mean(np.diff(beats))),
         (nb00.heart_rate, lambda beats: 60 * (len(beats) - 1) / (beats[-1] - beats[0])),
         (nb01.mean_colour, lambda image, mask: image[mask].mean(axis=0)), (nb01.mean_colour, pixel_loop),
         (nb01.noise_of_mean, lambda sigma, n: sigma / n**0.5),
         (nb01.coded_change, lambda change, gamma: (1 + change) ** (1 / gamma) - 1),
         (nb01.alias_hz, folded), (nb01.alias_hz, lambda f, fs: abs(f - fs * np.round(f / fs))),
         (nb01.apart_bpm, lambda window_s: 2 * 60 / window_s)]

WRONG = [(nb00.heart_rate, lambda beats: 60 * len(beats) / (beats[-1] - beats[0]), "n - 1 intervals"),
         (nb00.heart_rate, lambda beats: 1 / np.mean(np.diff(beats)), "per second"),
         (nb00.heart_rate, lambda beats: np.mean(60 / np.diff(beats)), "not their inverses"),
         (nb01.mean_colour, lambda image, mask: (image * mask[..., None]).mean(axis=(0, 1)), "count as black"),
         (nb01.mean_colour, lambda image, mask: image[mask].mean(axis=0).astype(int), "fractions"),
         (nb01.mean_colour, lambda image, mask: image[mask].mean(), "shape"),
         (nb01.noise_of_mean, lambda sigma, n: sigma / n, "root of n"),
         (nb01.coded_change, lambda change, gamma: (1 + change) ** gamma - 1, "the way back"),
         (nb01.coded_change, lambda change, gamma: change / gamma, "small changes only"),
         (nb01.coded_change, lambda change, gamma: (1 + change) ** (1 / gamma), "take away 1"),
         (nb01.coded_change, lambda change, gamma: 100 * ((1 + change) ** (1 / gamma) - 1), "per cent"),
         (nb01.alias_hz, lambda f, fs: f % fs, "folds back"),
         (nb01.apart_bpm, lambda window_s: 60 / window_s, "twice as wide"),
         (nb01.apart_bpm, lambda window_s: 2 / window_s, "in Hz")]


test_right, test_wrong, test_stub = judged_by(RIGHT, WRONG, ALL)


def test_the_flicker_of_exercise_1_4_shows_where_the_answer_says():
    for flicker, fs in ((100.0, 30.0), (120.0, 29.0)):
        t = np.arange(int(20 * fs)) / fs
        power = np.abs(np.fft.rfft(np.cos(2 * np.pi * flicker * t))) ** 2
        seen = np.argmax(power) / len(t) * fs
        assert seen == pytest.approx(folded(flicker, fs), abs=0.06)


def test_two_rates_as_far_apart_as_exercise_1_5_says_have_two_peaks_and_nearer_ones_have_one():
    t = np.arange(300) / 30 - 5                                        # 10 s: 12 bpm; in step in the middle

    def peaks(gap_bpm):
        wave = sum(np.cos(2 * np.pi * (75 + side * gap_bpm / 2) / 60 * t) for side in (-1, 1))
        power = np.abs(np.fft.rfft(wave * np.hanning(300), 16384)) ** 2
        inside = power[1:-1]
        return np.sum((inside > power[:-2]) & (inside > power[2:]) & (inside > 0.2 * power.max()))
    assert peaks(12.5) == 2 and peaks(5) == 1
