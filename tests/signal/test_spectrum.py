import numpy as np
import pytest
from scipy.signal import periodogram

from rppg_lib import signal
from rppg_lib.signal.filters import widened


def test_a_clean_ten_second_sine_is_read_within_a_tenth_of_a_beat_anywhere_from_40_to_180():
    t = np.arange(300) / 30
    bpm = np.arange(40, 180.01, 0.37)
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, (4, len(bpm), 1))
    read = signal.hr_from_spectrum(np.sin(2 * np.pi * bpm[:, None] / 60 * t + phase), fs=30)
    assert abs(read - bpm).max() < 0.1


def test_both_edges_of_the_band_are_read_too():
    t = np.arange(300) / 30
    for bpm in (40.0, 180.0):
        assert signal.hr_from_spectrum(np.sin(2 * np.pi * bpm / 60 * t + 0.4), fs=30) == pytest.approx(bpm, abs=0.1)


@pytest.mark.parametrize("fs", [6.1, 6.5, 7.3])
def test_the_upper_edge_of_the_band_is_read_where_it_lies_near_half_the_frame_rate(fs):
    wave = np.sin(2 * np.pi * 178 / 60 * np.arange(200) / fs)
    filtered = signal.bandpass(wave, fs=fs, band_hz=widened(signal.HR_BAND_HZ, fs=fs))
    assert signal.hr_from_spectrum(filtered, fs=fs) == pytest.approx(178, abs=0.5)
    assert np.ptp(filtered[50:150]) > 0.5 * np.ptp(wave[50:150])     # the filter lets it pass
    assert signal.quality(wave, fs=fs) > signal.TRUST


def test_a_strong_drift_below_the_band_is_not_taken_for_a_heart_rate():
    t = np.arange(600) / 30
    wave = np.sin(2 * np.pi * 1.5 * t) + 20 * np.sin(2 * np.pi * 0.1 * t)
    assert signal.hr_from_spectrum(wave, fs=30) == pytest.approx(90, abs=0.5)


def test_a_slope_that_leaks_in_over_the_lower_edge_is_no_peak():
    t = np.arange(300) / 30
    wave = np.sin(2 * np.pi * 1.5 * t) + 3 * np.sin(2 * np.pi * 0.55 * t)                # 33 bpm, just below the band
    spectrum = signal.power_spectrum(wave, fs=30)
    edge, pulse = (spectrum.power[np.argmin(abs(spectrum.freq_hz - hz))] for hz in (2 / 3, 1.5))
    assert edge > pulse                                              # the slope is higher than the pulse's peak
    assert signal.hr_from_spectrum(wave, fs=30) == pytest.approx(90, abs=0.1)


def test_the_power_spectrum_has_the_shape_of_scipys():
    x = np.random.default_rng(0).normal(size=256)
    ours = signal.power_spectrum(x, fs=30, step_hz=30 / 2048)
    taper = np.hanning(258)[1:-1]
    freq, power = periodogram((x - np.average(x, weights=taper)) * taper, fs=30, nfft=2048, detrend=False)
    np.testing.assert_allclose(ours.freq_hz, freq, atol=1e-12)
    np.testing.assert_allclose(ours.power[1:-1] / ours.power[1:-1].sum(), power[1:-1] / power[1:-1].sum(), atol=1e-12)


def test_snr_is_the_ratio_of_the_powers_that_were_mixed():
    t = np.arange(1800) / 30
    rng = np.random.default_rng(0)
    for wanted in (0.0, 10.0):
        sine = np.sin(2 * np.pi * 1.3 * t)
        noise = signal.bandpass(rng.normal(size=(40, 1800)), fs=30, band_hz=(0.3, 8), order=5)
        in_band = np.mean(signal.bandpass(noise, fs=30, band_hz=(0.6, 4), order=8) ** 2)
        noise *= np.sqrt(0.5 / 10 ** (wanted / 10) / in_band)
        # a tenth of the band's noise lies under the two peaks and counts as signal
        assert signal.snr_db(sine + noise, fs=30, hr_bpm=78).mean() == pytest.approx(wanted, abs=1.0)


def test_snr_counts_the_first_harmonic_as_pulse():
    t = np.arange(900) / 30
    wave = np.sin(2 * np.pi * 1.2 * t) + np.sin(2 * np.pi * 2.4 * t)
    assert signal.snr_db(wave, fs=30, hr_bpm=72) > 25
    assert signal.snr_db(wave, fs=30, hr_bpm=144) < 3


@pytest.mark.parametrize("read", [signal.hr_from_spectrum, signal.hr_from_peaks, signal.hr_from_autocorrelation])
@pytest.mark.parametrize("bpm", [48, 60, 72.4, 95, 140, 175])
def test_three_ways_to_read_a_rate_agree_on_a_clean_pulse(read, bpm):
    t = np.arange(900) / 30
    wave = np.sin(2 * np.pi * bpm / 60 * t) + 0.4 * np.sin(4 * np.pi * bpm / 60 * t + 1)
    assert read(wave, fs=30) == pytest.approx(bpm, abs=0.5)


def test_a_periodic_wave_is_wholly_like_itself_after_each_beat():
    shift, similarity = signal.autocorrelation(np.sin(2 * np.pi * 1.25 * np.arange(600) / 30), fs=30)
    beats = np.arange(0, 301, 24)                                    # 0.8 s
    np.testing.assert_allclose(shift[beats], beats / 30)
    np.testing.assert_allclose(similarity[beats], 1, atol=0.01)
    np.testing.assert_allclose(similarity[beats[:-1] + 12], -1, atol=0.01)


def test_autocorrelation_takes_one_beat_and_not_two():
    t = np.arange(600) / 30
    wave = np.sin(2 * np.pi * 2.5 * t) + 0.1 * np.sin(2 * np.pi * 1.25 * t)      # every second beat a little higher
    assert signal.hr_from_autocorrelation(wave, fs=30) == pytest.approx(150, abs=1)


def test_macc_equals_the_loop_over_all_shifts():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40)).cumsum(1)
    loop = max(abs(np.corrcoef(a, np.roll(b, lag))[0, 1]) for lag in range(39))
    assert signal.macc(a, b) == pytest.approx(loop, abs=1e-12)


def test_macc_tries_every_shift_but_the_last():
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    for lag in (0, 1, 150, 298):
        assert signal.macc(x, np.roll(x, -lag)) == pytest.approx(1)  # x is the label rolled on by lag
    assert signal.macc(x, np.roll(x, -299)) < 0.5


def test_macc_finds_a_delayed_copy():
    x = np.random.default_rng(0).normal(size=300)
    assert signal.macc(x, np.roll(x, 17)) == pytest.approx(1)
    assert signal.macc(-x, np.roll(x, 17)) == pytest.approx(1)
