import tracemalloc
import warnings

import numpy as np
import pytest

from rppg_lib import signal


def train(intervals, fs=100):
    """Return a pulse wave whose beats start at the running sum of the intervals, and those times."""
    starts = 0.5 + np.cumsum(np.r_[0, intervals])
    t = np.arange(round((starts[-1] + 1) * fs)) / fs
    phase = np.interp(t, starts, np.arange(len(starts)), left=-0.5, right=len(starts) - 0.5) % 1
    bump = np.exp(-0.5 * ((phase - 0.25) / 0.09) ** 2) + 0.35 * np.exp(-0.5 * ((phase - 0.6) / 0.12) ** 2)
    return bump, starts


@pytest.mark.parametrize("fs", [30, 60, 125])
def test_intervals_between_beats_are_found_finer_than_a_frame(fs):
    rng = np.random.default_rng(1)
    true = 0.85 + 0.06 * np.sin(np.arange(60) / 3) + 0.01 * rng.normal(size=60)
    wave, _ = train(true, fs)
    beats = signal.beat_times(wave, fs=fs)
    assert len(beats) == 61
    assert abs(np.diff(beats)[2:58] - true[2:58]).mean() < 0.25 / 30        # a quarter of a frame at 30 fps


def test_a_dicrotic_wave_is_not_a_beat():
    wave, starts = train(np.full(40, 1.0))
    phase = (np.arange(len(wave)) / 100 - 0.5) % 1                   # one half as high and as steep as the beat
    wave = wave + 0.5 * np.exp(-0.5 * ((phase - 0.6) / 0.05) ** 2)
    assert len(signal.beat_times(wave, fs=100)) == len(starts)


def test_a_weak_stretch_loses_no_beats():
    wave, starts = train(np.full(60, 0.8))
    wave = wave - wave.mean()
    wave[2000:3000] *= 0.15
    assert len(signal.beat_times(wave, fs=100)) == pytest.approx(len(starts), abs=1)


def test_a_sensor_that_falls_silent_has_its_beats_before_and_none_after():
    wave, starts = train(np.full(60, 0.8))
    beats = signal.beat_times(np.r_[wave, np.zeros(4 * len(wave))], fs=100)
    assert np.sum(beats < starts[-1]) == pytest.approx(len(starts), abs=1)
    assert np.sum(beats > starts[-1] + 4) == 0                       # the filter rings for a moment


@pytest.mark.parametrize("beats", [[0, 1, 2, 2, 3], [0, 2, 1, 3], [0, 1, np.nan]])
def test_beat_times_that_do_not_rise_are_an_error_that_says_so(beats):
    with pytest.raises(ValueError, match="values that do not all increase"):
        signal.intervals(beats)


def test_missed_and_doubled_beats_are_dropped_and_counted():
    beats = np.cumsum(np.full(50, 0.8))
    beats = np.sort(np.append(np.delete(beats, 20), beats[35] + 0.4))
    kept = signal.intervals(beats)
    np.testing.assert_allclose(kept.seconds, 0.8, atol=1e-9)
    assert kept.dropped == 3                                         # one long interval, two halves of a split one
    assert len(kept) + kept.dropped == len(beats) - 1


def test_hrv_equals_neurokit():
    nk = pytest.importorskip("neurokit2")
    rng = np.random.default_rng(0)
    t, beats = 0.0, []
    while t < 300:
        beats.append(t)
        t += 0.85 + 0.03 * np.sin(2 * np.pi * 0.25 * t) + 0.02 * np.sin(2 * np.pi * 0.1 * t) + 0.01 * rng.normal()
    beats = np.round(beats, 3)                                       # NeuroKit takes whole samples: 1 ms
    ours = signal.hrv(beats)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = nk.hrv_time(np.round(beats * 1000).astype(int), sampling_rate=1000).iloc[0]
    assert ours.sdnn_ms == pytest.approx(theirs.HRV_SDNN, rel=0.01)
    assert ours.rmssd_ms == pytest.approx(theirs.HRV_RMSSD, rel=0.01)
    assert 100 * ours.pnn50 == pytest.approx(theirs.HRV_pNN50, abs=0.5)


def test_a_change_across_a_missed_beat_is_no_change_from_one_interval_to_the_next():
    beats = np.cumsum(np.r_[np.full(30, 0.8), 1.7, np.full(30, 0.9)])        # steady, a gap, steady again
    found = signal.hrv(beats)
    assert found.dropped == 1 and found.rmssd_ms == pytest.approx(0, abs=1e-6) and found.pnn50 == 0
    assert found.sdnn_ms == pytest.approx(50, rel=0.02)              # half of them 50 ms below, half above the mean


@pytest.mark.parametrize("hz, lf, hf", [(0.02, 0, 0), (0.1, 1, 0), (0.25, 0, 1), (0.45, 0, 0)])
def test_an_oscillation_counts_in_its_own_band_alone(hz, lf, hf):
    t, beats = 0.0, []
    while t < 400:
        beats.append(t)
        t += 0.8 + 0.03 * np.sin(2 * np.pi * hz * t)
    found, power = signal.hrv(beats), 30**2 / 2
    assert found.lf_ms2 == pytest.approx(lf * power, abs=0.15 * power)
    assert found.hf_ms2 == pytest.approx(hf * power, abs=0.15 * power)


def test_band_power_is_the_variance_of_the_oscillation_that_was_put_in():
    t, beats = 0.0, []
    while t < 300:
        beats.append(t)
        t += 0.8 + 0.03 * np.sin(2 * np.pi * 0.25 * t) + 0.05 * np.sin(2 * np.pi * 0.1 * t)
    found = signal.hrv(beats)
    assert found.hf_ms2 == pytest.approx(30**2 / 2, rel=0.15)
    assert found.lf_ms2 == pytest.approx(50**2 / 2, rel=0.15)


@pytest.mark.parametrize("count, lf, hf", [(60, False, False), (100, False, True), (170, True, True)])
def test_short_recordings_have_no_slow_power(count, lf, hf):
    """48, 80 and 136 s: breathing needs a minute, the slower waves two."""
    found = signal.hrv(np.cumsum(0.8 + 0.05 * np.random.default_rng(0).normal(size=count)))
    assert (np.isfinite(found.lf_ms2), np.isfinite(found.hf_ms2), np.isfinite(found.lf_hf)) == (lf, hf, lf and hf)
    assert found.sdnn_ms > 0


def test_twenty_minutes_of_beats_need_little_memory():
    beats = np.cumsum(0.8 + 0.05 * np.random.default_rng(0).normal(size=1500))
    tracemalloc.start()
    signal.hrv(beats)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 60e6                                               # the table of times by frequencies alone: 14e6


def test_too_few_beats_are_an_error():
    with pytest.raises(ValueError, match="at least three increasing beat times"):
        signal.hrv([0.0, 0.8])
