"""Real recordings: rates and beats against contact references. Skipped where the recordings are absent."""

import json

import numpy as np
import pandas as pd
import pytest

from rppg_lib import signal
from rppg_lib.evaluation import ReadOut

from .readers import MONKEY_BAND_HZ, fingertip, monkey, phone

MONKEYS = pytest.mark.realdata("unakafov-monkey-ippg")
READ = ReadOut(band_hz=MONKEY_BAND_HZ)


def monkey_errors(root, session, method):
    rgb, fps, starts, length, rates = monkey(root, session)
    wave = READ.prepare(method(rgb, fs=fps), fs=fps)
    windows = np.stack([wave[s:s + length] for s in starts])
    found = signal.hr_from_spectrum(windows, fs=fps, band_hz=MONKEY_BAND_HZ)
    return abs(found - rates), signal.quality(windows, fs=fps, band_hz=MONKEY_BAND_HZ)


@MONKEYS
@pytest.mark.parametrize("session, known_mae", [(1, 3.6), (3, 7.7), (4, 5.0)])
def test_pos_reads_monkeys_at_a_distance_as_well_as_was_reported(realdata, session, known_mae):
    error, _ = monkey_errors(realdata, session, signal.pos)
    assert error.mean() <= known_mae + 1


@MONKEYS
def test_quality_flags_the_bad_session_and_not_the_good_ones(realdata):
    figures = {session: np.median(monkey_errors(realdata, session, signal.pos)[1]) for session in (1, 2, 3, 4)}
    assert figures[2] < 0.1
    assert min(figures[s] for s in (1, 3, 4)) > 2 * figures[2]


@MONKEYS
def test_windows_of_high_quality_have_small_errors(realdata):
    sessions = [monkey_errors(realdata, session, signal.pos) for session in (1, 2, 3, 4)]
    error, figure = (np.concatenate(x) for x in zip(*sessions, strict=True))
    assert error[figure >= signal.TRUST].mean() < 0.5 * error[figure < signal.TRUST].mean()


@pytest.mark.realdata("oximetry-phone-cam-data")
@pytest.mark.parametrize("hand", ["Left", "Right"])
@pytest.mark.parametrize("person", [1, 2, 3, 4])
def test_a_fingertip_is_read_within_two_and_a_half_beats_of_the_oximeters(realdata, hand, person):
    rgb, meter = fingertip(realdata, hand, person)
    count = min(len(rgb) // 600, len(meter) // 20)
    truth = np.nanmean(meter[:count * 20].reshape(count, 20), axis=1)
    per_channel = []
    for channel in rgb[:count * 600].T:
        windows = channel.reshape(count, 600)
        alive = np.ptp(windows, axis=1) > 0
        if alive.mean() < 0.95:
            continue
        rates = signal.hr_from_spectrum(ReadOut().prepare(windows[alive], fs=30), fs=30)
        per_channel.append(np.nanmean(abs(rates - truth[alive])))
    assert min(per_channel) < 2.5


@pytest.mark.realdata("welltory-ppg")
@pytest.mark.parametrize("record", range(1, 15))
def test_beats_in_a_phone_video_agree_with_a_chest_strap(realdata, record):
    wave, strap_s = phone(realdata, record)
    truth = 60 / strap_s.mean()
    assert signal.hr_from_peaks(wave, fs=30) == pytest.approx(truth, abs=2.5)
    kept = signal.intervals(signal.beat_times(wave, fs=30))
    assert kept.dropped < 0.15 * (len(kept) + kept.dropped)
    assert kept.seconds.mean() == pytest.approx(strap_s.mean(), rel=0.03)


@pytest.mark.realdata("welltory-ppg")
def test_variability_in_phone_videos_follows_the_chest_strap(realdata):
    pairs = []
    for record in range(1, 15):
        wave, strap_s = phone(realdata, record)
        pairs.append((signal.hrv(signal.beat_times(wave, fs=30)).sdnn_ms, signal.hrv(np.cumsum(strap_s)).sdnn_ms))
    ours, strap = np.array(pairs).T
    assert np.corrcoef(ours, strap)[0, 1] > 0.7
    assert np.median(abs(ours / strap - 1)) < 0.25


def ecg_peaks(ecg, fs):
    """Return when the heart beats, in seconds, by another library."""
    nk = pytest.importorskip("neurokit2")
    _, found = nk.ecg_peaks(nk.ecg_clean(ecg, sampling_rate=fs), sampling_rate=fs)
    return found["ECG_R_Peaks"] / fs


@pytest.mark.realdata("bidmc01")
def test_contact_beats_follow_the_ecg_in_intensive_care(realdata):
    table = pd.read_csv(realdata / "bidmc01/data/bidmc_01_Signals.csv").rename(columns=str.strip)
    peaks = ecg_peaks(table.II.to_numpy(), 125)
    beats = signal.beat_times(table.PLETH.to_numpy(), fs=125)
    follow(beats, peaks, share=0.95, jitter_s=0.03)


@pytest.mark.realdata("neurokit-data")
def test_contact_beats_follow_the_ecg_at_rest(realdata):
    table = pd.read_csv(realdata / "neurokit-data/bio_resting_5min_100hz.csv")
    peaks = ecg_peaks(table.ECG.to_numpy(), 100)
    beats = signal.beat_times(table.PPG.to_numpy(), fs=100)
    follow(beats, peaks, share=0.98, jitter_s=0.03)


def follow(beats, peaks, *, share, jitter_s):
    """Check that a pulse wave arrives after nearly every heart beat, always about as late."""
    delay = np.array([(beats[beats > peak][:1] - peak)[0] if (beats > peak).any() else np.nan for peak in peaks])
    typical = np.nanmedian(delay)
    assert 0.1 < typical < 0.7
    near = abs(delay - typical) < 0.15
    assert near.mean() > share
    assert delay[near].std() < jitter_s


@pytest.mark.realdata("vitallens-core-fixtures", "vitallens-sample-vitals")
def test_a_facial_estimate_agrees_with_the_contact_sensor_on_the_same_frames(realdata):
    estimate = json.loads((realdata / "vitallens-core-fixtures/sample_video_1.json").read_text())
    contact = pd.read_csv(realdata / "vitallens-sample-vitals/sample_vitals_1.csv").ppg.to_numpy()
    wave = np.array(estimate["waveforms"]["ppg_waveform"]["data"])
    n = min(len(wave), len(contact))
    a, b = (ReadOut().prepare(x[:n], fs=30.098) for x in (wave, contact))
    assert signal.hr_from_spectrum(a, fs=30.098) == pytest.approx(signal.hr_from_spectrum(b, fs=30.098), abs=0.5)
    assert signal.macc(a, b) > 0.9
    assert signal.quality(a, fs=30.098) > signal.TRUST
