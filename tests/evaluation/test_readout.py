"""The field's read-out against a plain transcription of its equations; ours against physics."""

import math

import numpy as np
import pytest
from scipy.signal import find_peaks, periodogram

from rppg_lib import signal
from rppg_lib.evaluation import FIELD, FIELD_2023, FINE, ReadOut

from ..signal.field_equations import butterworth, dense_detrend


def noisy(bpm, seconds=20, seed=0, noise=1.0, fs=30):
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * fs)) / fs
    clean = np.sin(2 * np.pi * bpm / 60 * t) + 0.3 * np.sin(4 * np.pi * bpm / 60 * t)
    return clean + noise * rng.normal(size=len(t)) + 0.05 * t, clean + 0.1 * rng.normal(size=len(t))


def published(pred, label, fs, low, high, peaks=False):
    """Return rate of both, SNR and MACC as the public toolbox computes them."""
    pred, label = (butterworth(dense_detrend(x), fs, low, high, 1) for x in (pred, label))

    def rate(x):
        if peaks:
            return 60 / (np.mean(np.diff(find_peaks(x)[0])) / fs)
        f, p = periodogram(x, fs=fs, nfft=2 ** math.ceil(math.log2(len(x))), detrend=False)
        inside = (f >= low) & (f <= high)
        return 60 * f[inside][np.argmax(p[inside])]

    f, p = periodogram(pred, fs=fs, nfft=2 ** math.ceil(math.log2(len(pred))), detrend=False)
    hz = rate(label) / 60
    first, second = (f >= hz - 0.1) & (f <= hz + 0.1), (f >= 2 * hz - 0.1) & (f <= 2 * hz + 0.1)
    rest = (f >= low) & (f <= high) & ~first & ~second
    snr = 10 * np.log10((p[first].sum() + p[second].sum()) / p[rest].sum())
    macc = max(abs(np.corrcoef(pred, np.roll(label, lag))[0, 1]) for lag in range(len(pred) - 1))
    return rate(label), rate(pred), snr, macc


@pytest.mark.parametrize("readout", [FIELD, FIELD_2023], ids=["0.6-3.3", "0.75-2.5"])
@pytest.mark.parametrize("read", ["fft", "peaks"])
@pytest.mark.parametrize("seconds", [5, 10, 256 / 30, 20])
def test_the_compatible_readout_equals_the_published_equations(readout, read, seconds):
    pred, label = noisy(83, seconds, seed=int(seconds))
    ours = ReadOut(band_hz=readout.band_hz, read=read, compatible=True)(pred, label, fs=30)
    expected = published(pred, label, 30, *readout.band_hz, peaks=read == "peaks")
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_the_coarse_grid_of_the_field_reads_70_where_72_went_in_and_ours_does_not():
    t = np.arange(300) / 30
    wave = np.sin(2 * np.pi * 1.2 * t)
    assert FIELD(wave, wave, fs=30).hr_pred == pytest.approx(60 * 30 / 512 * 20)      # 20th bin of 512: 70.3
    assert FINE(wave, wave, fs=30).hr_pred == pytest.approx(72, abs=0.1)


def test_a_batch_of_windows_reads_as_each_alone():
    waves, labels = (np.stack(x) for x in zip(*(noisy(b, 10, seed=b) for b in (60, 80, 100)), strict=True))
    for readout in (FINE, FIELD, ReadOut(read="peaks")):
        together = readout(waves, labels, fs=30)
        for i in range(3):
            np.testing.assert_allclose([x[i] for x in together], readout(waves[i], labels[i], fs=30), rtol=1e-9)


def test_wave_and_label_of_different_length_are_an_error():
    with pytest.raises(ValueError, match=r"shapes \(300,\) and \(299,\)"):
        FINE(np.ones(300), np.ones(299), fs=30)


def test_an_unknown_way_to_read_is_an_error():
    with pytest.raises(ValueError, match="fine, fft, peaks"):
        ReadOut(read="welch")


@pytest.mark.parametrize("band_hz, message", [
    ((3, 1), "0 < low < high, got 3 and 1"), ((0.0, 3), "0 < low"), ((1, np.nan), "0 < low"),
    ((1,), "two frequencies"), ("ab", "two frequencies"),
])
def test_a_band_that_makes_no_sense_is_an_error_at_once(band_hz, message):
    with pytest.raises((ValueError, TypeError), match=f"ReadOut: .*{message}"):
        ReadOut(band_hz=band_hz)


@pytest.mark.parametrize("fs", [20, 29.97, 30.05])
def test_our_own_readouts_refuse_less_than_three_seconds_and_the_fields_do_not(fs):
    wave = np.sin(2 * np.pi * 1.2 * np.arange(int(3 * fs)) / fs)
    for read in ("fine", "fft"):
        assert np.isfinite(ReadOut(read=read)(wave, wave, fs=fs)).all()
        with pytest.raises(ValueError, match="ReadOut: needs at least"):
            ReadOut(read=read)(wave[1:], wave[1:], fs=fs)
    assert FIELD(wave[1:], wave[1:], fs=fs).hr_pred > 0


def test_a_band_without_room_for_noise_is_refused_instead_of_an_infinite_ratio():
    wave = np.sin(2 * np.pi * 1.2 * np.arange(90) / 30)
    with pytest.raises(ValueError, match="no noise to compare with"):
        ReadOut(band_hz=(1.1, 1.3))(wave, wave, fs=30)


def test_the_label_of_a_readout_says_band_and_rule():
    assert FIELD.label == "compatible, fft, 0.6-3.3 Hz"
    assert FIELD_2023.label == "compatible, fft, 0.75-2.5 Hz"
    assert FINE.label == "ours, fine, 0.667-3 Hz"


def test_snr_is_taken_at_the_rate_of_the_label_and_not_of_the_estimate():
    t = np.arange(600) / 30
    wave, label = np.sin(2 * np.pi * 1.9 * t), np.sin(2 * np.pi * 1.2 * t)
    assert FINE(label, label, fs=30).snr_db > 20 and FINE(wave, label, fs=30).snr_db < -20


def test_noise_above_the_band_counts_as_noise_as_far_as_the_harmonic_of_a_fast_heart_would_count():
    t = np.arange(600) / 30
    label = np.sin(2 * np.pi * 1.2 * t)
    assert FINE(label + np.sin(2 * np.pi * 3.5 * t), label, fs=30).snr_db == pytest.approx(0, abs=0.5)
    fast = np.sin(2 * np.pi * 1.75 * t)
    assert FINE(fast + np.sin(2 * np.pi * 3.5 * t), fast, fs=30).snr_db > 20


def test_the_prepared_wave_keeps_both_edges_of_the_band():
    t = np.arange(600) / 30
    for bpm in (40, 180):
        wave = FINE.prepare(np.sin(2 * np.pi * bpm / 60 * t), fs=30)
        assert signal.hr_from_spectrum(wave, fs=30) == pytest.approx(bpm, abs=1)
