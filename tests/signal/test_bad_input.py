"""One clear error for each way a trace can be wrong, for each method."""

import numpy as np
import pytest

from rppg_lib import signal

METHODS = [signal.green, signal.ica, signal.chrom, signal.pbv, signal.lgi, signal.pos, signal.omit]


def good():
    return 100 + np.random.default_rng(0).normal(size=(300, 3))


def changed(index, value):
    rgb = good()
    rgb[index] = value
    return rgb


CASES = {
    "masked": (np.ma.masked_greater(good(), 102.9), 30, r"NaN or infinite"),
    "far too large": (good() * 1e200, 30, r"too far from 1"),
    "far too small": (good() * 1e-200, 30, r"too far from 1"),
    "fs yes or no": (good(), True, r"fs must be one number"),
    "fs complex": (good(), 30 + 2j, r"fs must be one number"),
    "words of digits": (np.full((300, 3), "7"), 30, r"needs real numbers"),
    "nan": (changed((17, 1), np.nan), 30, r"1 of 900 values are NaN or infinite, first at frame 17"),
    "infinite": (changed((5, 0), np.inf), 30, r"first at frame 5"),
    "constant channel": (changed((slice(None), 2), 255.0), 30, r"channel B never changes \(first value 255\)"),
    "zero": (changed((40, 0), 0.0), 30, r"colours above 0, got 0 \(first in channel R at frame 40\)"),
    "negative": (changed((3, 2), -4.0), 30, r"colours above 0, got -4"),
    "two frames": (good()[:2], 30, r"at least 48 frames \(1\.6 s at 30 fps\), got 2"),
    "no frames": (good()[:0], 30, r"at least 48 frames .* got 0"),
    "wrong axis order": (good().T, 30, r"\(\.\.\., T, 3\), got shape \(3, 300\).*swapaxes"),
    "one channel": (good()[:, 1], 30, r"\(\.\.\., T, 3\), got shape \(300,\)"),
    "rgba": (np.ones((300, 4)), 30, r"got shape \(300, 4\)"),
    "fs of 0": (good(), 0, r"fs must be a positive number of frames per second, got 0"),
    "fs negative": (good(), -30, r"fs must be a positive number"),
    "fs nan": (good(), float("nan"), r"fs must be a positive number"),
    "fs missing": (good(), None, r"fs must be one number"),
    "text": ([["a", "b", "c"]] * 300, 30, r"needs real numbers"),
    "ragged": ([[1, 2, 3], [1, 2]], 30, r"needs real numbers"),
    "complex": (good() + 1j, 30, r"needs real numbers"),
}


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("case", CASES)
def test_a_wrong_trace_is_one_clear_error(method, case):
    rgb, fs, message = CASES[case]
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        method(rgb, fs=fs)
    assert str(caught.value).startswith(f"{method.__name__}: ")


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
def test_in_a_batch_the_trace_at_fault_is_the_one_described(method):
    batch = np.stack([good(), changed((slice(None), 2), 255.0), good()])
    with pytest.raises(ValueError, match=r"channel B never changes \(first value 255\)"):
        method(batch, fs=30)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
def test_an_empty_batch_is_one_clear_error(method):
    with pytest.raises(ValueError, match=r"at least one signal, got an empty batch of shape \(0, 300, 3\)"):
        method(good()[None][:0], fs=30)


@pytest.mark.parametrize("read", [signal.hr_from_spectrum, signal.hr_from_peaks, signal.hr_from_autocorrelation,
                                  signal.quality, signal.beat_times], ids=lambda f: f.__name__)
@pytest.mark.parametrize("wave, message", [
    (np.r_[np.zeros(200), np.nan, np.zeros(99)], "NaN or infinite, first at frame 200"),
    (np.zeros(5), "frames"),
    (7.0, "single number"),
])
def test_a_wrong_wave_is_one_clear_error(read, wave, message):
    with pytest.raises(ValueError, match=message):
        read(wave, fs=30)


@pytest.mark.parametrize("read", [signal.hr_from_spectrum, signal.hr_from_peaks, signal.hr_from_autocorrelation],
                         ids=lambda f: f.__name__)
def test_a_constant_wave_has_no_rate_and_says_so(read):
    with pytest.raises(ValueError, match="constant"):
        read(np.full(300, 3.0), fs=30)


@pytest.mark.parametrize("band, message", [
    ((3, 1), "0 < low < high"), ((0.5, 20), "< 15 Hz"), ((0, 3), "0 < low"),
    ((1,), "two frequencies"), ("ab", "two frequencies"),
])
def test_a_wrong_band_is_one_clear_error(band, message):
    wave = np.sin(np.arange(300) / 4)
    with pytest.raises((ValueError, TypeError), match=message):
        signal.hr_from_spectrum(wave, fs=30, band_hz=band)
    with pytest.raises((ValueError, TypeError), match=message):
        signal.bandpass(wave, fs=30, band_hz=band)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
def test_a_window_in_a_trace_that_is_too_short_for_it_is_an_error(method):
    with pytest.raises(ValueError, match="at least 48 frames"):
        method(good()[:47], fs=30)
    assert method(good()[:48], fs=30).shape == (48,)


@pytest.mark.parametrize("signature", [(0, 0, 0), (1, 2), "rgb"])
def test_a_signature_that_is_none_is_an_error(signature):
    with pytest.raises(ValueError, match="three numbers"):
        signal.pbv(good(), fs=30, signature=signature)


@pytest.mark.parametrize("bpm", [np.nan, np.inf, 0, 300, [72, np.nan]])
def test_snr_at_a_rate_outside_of_the_band_is_an_error(bpm):
    with pytest.raises(ValueError, match="inside the band, 36 to 240 bpm"):
        signal.snr_db(np.sin(np.arange(300) / 4), fs=30, hr_bpm=bpm)


def test_a_grey_video_gives_pos_and_chrom_nothing_to_read():
    grey = np.repeat(100 + np.random.default_rng(0).normal(size=(300, 1)), 3, axis=1)
    for method in (signal.pos, signal.chrom):
        assert np.ptp(method(grey, fs=30)) < 1e-9


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
def test_a_slow_camera_is_read_with_the_defaults(method):
    t = np.arange(7 * 30) / 7
    rgb = [120, 90, 70] * (1 - 0.01 * np.outer(np.sin(2 * np.pi * 1.2 * t), [0.33, 0.77, 0.53]))
    rgb += 0.01 * np.random.default_rng(0).normal(size=rgb.shape)
    assert signal.hr_from_spectrum(method(rgb, fs=7), fs=7) == pytest.approx(72, abs=0.5)


def test_integer_traces_are_welcome():
    rgb = np.round(good() * 10).astype(np.uint16)
    assert signal.pos(rgb, fs=30).dtype == np.float64
