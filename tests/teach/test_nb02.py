"""Each check of notebook 02 on right answers, the untouched stub, and wrong answers a reader may well give."""

import numpy as np

from rppg_lib import signal
from rppg_lib.teach import nb02

from .answers import judged_by

ALL = [nb02.alpha, nb02.coverage, nb02.starts, nb02.grid_step_bpm, nb02.chrom]


def loop_coverage(frames, length):
    count = np.zeros(frames, int)
    for start in range(frames - length + 1):
        count[start:start + length] += 1
    return count


def bit_size(frames):
    return 1 << (frames - 1).bit_length()


def chrom(rgb, fs):
    normal = rgb / rgb.mean(0)
    r, g, b = normal.T
    x, y = 3 * r - 2 * g, 1.5 * r + g - 1.5 * b
    x, y = signal.bandpass(np.stack([x, y]), fs=fs, band_hz=(0.7, 4.0))
    return x - np.std(x) / np.std(y) * y


def chrom_without_division(rgb, fs):
    x, y = rgb @ [3, -2, 0], rgb @ [1.5, 1, -1.5]
    x, y = signal.bandpass(np.stack([x, y]), fs=fs, band_hz=(0.65, 4.0))
    return x - np.std(x) / np.std(y) * y


def chrom_with_plus(rgb, fs):
    normal = rgb / rgb.mean(0)
    x, y = normal @ [3, -2, 0], normal @ [1.5, 1, -1.5]
    x, y = signal.bandpass(np.stack([x, y]), fs=fs, band_hz=(0.65, 4.0))
    return x + np.std(x) / np.std(y) * y


def chrom_weighed_before_the_filter(rgb, fs):
    normal = rgb / rgb.mean(0)
    x, y = normal @ [3, -2, 0], normal @ [1.5, 1, -1.5]
    weight = x.std() / y.std()
    x, y = signal.bandpass(np.stack([x, y]), fs=fs, band_hz=(0.65, 4.0))
    return x - weight * y


def mean_distance(x):
    return np.abs(x - x.mean()).mean()


RIGHT = [(nb02.alpha, lambda x, y: np.std(x) / np.std(y)),
         (nb02.alpha, lambda x, y: float(np.sqrt(np.var(x) / np.var(y)))),
         (nb02.coverage, loop_coverage), (nb02.coverage, lambda n, k: np.convolve(np.ones(n - k + 1), np.ones(k))),
         (nb02.starts, lambda n, k: np.arange(n - k + 1)), (nb02.starts, lambda n, k: list(range(n - k + 1))),
         (nb02.grid_step_bpm, lambda n, fs: 60 * fs / bit_size(n)), (nb02.chrom, chrom)]

WRONG = [(nb02.alpha, lambda x, y: np.std(y) / np.std(x), "y over x"),
         (nb02.alpha, lambda x, y: np.ptp(x), "should be 1"),
         (nb02.alpha, lambda x, y: np.sqrt(np.mean(x**2) / np.mean(y**2)), "Levels must not count"),
         (nb02.alpha, lambda x, y: (x @ y) / (y @ y), "should be"),
         (nb02.alpha, lambda x, y: np.ptp(x) / np.ptp(y), "standard deviation"),
         (nb02.alpha, lambda x, y: mean_distance(x) / mean_distance(y), "another shape"),
         (nb02.chrom, chrom_weighed_before_the_filter, "slow drift of red"),
         (nb02.coverage, lambda n, k: np.convolve(np.ones(n - k), np.ones(k + 1)), "differs"),
         (nb02.coverage, lambda n, k: np.append(np.convolve(np.ones(n - k), np.ones(k)), 0),
          "last frame is missing|differs"),
         (nb02.coverage, lambda n, k: np.full(n, k), "first frame is in one window"),
         (nb02.starts, lambda n, k: np.arange(n - k), "shape"), (nb02.starts, lambda n, k: np.arange(n), "shape"),
         (nb02.grid_step_bpm, lambda n, fs: 60 * fs / n, "without padding"),
         (nb02.grid_step_bpm, lambda n, fs: fs / bit_size(n), "Hz"),
         (nb02.grid_step_bpm, lambda n, fs: 60 * fs / 2 ** n.bit_length(), "should be"),
         (nb02.chrom, chrom_without_division, "correlation"), (nb02.chrom, chrom_with_plus, "correlation"),
         (nb02.chrom, lambda rgb, fs: -chrom(rgb, fs), "upside down"),
         (nb02.chrom, lambda rgb, fs: rgb[:, 1], "correlation"),
         (nb02.chrom, lambda rgb, fs: chrom(rgb, fs)[:-1], "shape"), (nb02.chrom, lambda rgb, fs: None, "return")]


test_right, test_wrong, test_stub = judged_by(RIGHT, WRONG, ALL)


def test_the_solution_of_the_hardest_exercise_finds_the_pulse():
    t = np.arange(300) / 30
    rgb = nb02._skin(84, 0.05, 0.0, 0.0)
    assert np.corrcoef(chrom(rgb, 30.0), np.sin(2 * np.pi * 1.4 * t))[0, 1] > 0.95
