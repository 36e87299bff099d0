"""The audit on real recordings: sensors in hospital and laboratory pass, faces are no labels, damage is found."""

import numpy as np
import pandas as pd
import pytest

from rppg_lib import signal
from rppg_lib.evaluation import Labelled, audit

from .readers import MONKEY_BAND_HZ, fingertip, monkey, phone


def hospital(root):
    table = pd.read_csv(root / "bidmc01/data/bidmc_01_Signals.csv").rename(columns=str.strip)
    return table.PLETH.to_numpy(), 125


def laboratory(root):
    return pd.read_csv(root / "neurokit-data/bio_resting_5min_100hz.csv").PPG.to_numpy(), 100


SENSORS = [pytest.param(hospital, marks=pytest.mark.realdata("bidmc01")),
           pytest.param(laboratory, marks=pytest.mark.realdata("neurokit-data"))]


def only(label, fs, **more):
    return audit(Labelled(name="one", fs=fs, label=label, **more)).recordings[0]


@pytest.mark.parametrize("sensor", SENSORS)
def test_a_sensor_on_a_finger_at_rest_passes_and_is_the_right_way_up(realdata, sensor):
    label, fs = sensor(realdata)
    found = only(label, fs)
    assert found.count("broken") == 0 and found.count("good") >= 0.9 * len(found.segments)
    assert not found.upside_down and only(-label, fs).upside_down
    assert min(found.codes_in_use[bits] / 2**bits for bits in (1, 2, 3)) > 0.85


@pytest.mark.parametrize("sensor", SENSORS)
def test_damage_done_to_a_real_label_is_found_where_it_was_done(realdata, sensor):
    label, fs = sensor(realdata)
    label = np.array(label[:100 * fs], dtype=float)
    height = np.ptp(np.quantile(label, [0.05, 0.95]))
    label[13 * fs:16 * fs] = label[13 * fs]
    label[33 * fs:33 * fs + fs // 4] += 4 * height
    label[52 * fs:55 * fs] = np.nan
    label[73 * fs:77 * fs] = np.random.default_rng(0).normal(
        np.nanmean(label), height / 4, 4 * fs)
    verdicts = [segment.verdict for segment in only(label, fs).segments]
    reasons = [set(segment.reasons) for segment in only(label, fs).segments]
    assert verdicts[1] == "broken" and "flat" in reasons[1]
    assert "spikes" in reasons[3]
    assert verdicts[5] == "broken" and "missing" in reasons[5]
    assert verdicts[7] != "good"
    assert [verdicts[k] for k in (0, 2, 4, 6, 8, 9)].count("good") >= 5


@pytest.mark.realdata("oximetry-phone-cam-data")
@pytest.mark.parametrize("person", [1, 2, 3, 4])
def test_segments_called_good_have_the_rate_of_the_oximeters(realdata, person):
    rgb, meter = fingertip(realdata, "Left", person)
    found = only(-rgb[:, 0], 30)
    assert found.count("good") > 0.5 * len(found.segments)
    apart = []
    for segment in found.segments:
        truth = meter[int(segment.start_s):int(segment.start_s + segment.seconds)]
        if segment.verdict == "good" and np.isfinite(truth).any():
            apart.append(abs(segment.hr_bpm - np.nanmean(truth)))
    assert np.mean(apart) < 2.5


@pytest.mark.realdata("unakafov-monkey-ippg")
@pytest.mark.parametrize("session", [1, 2, 3, 4])
def test_the_raw_green_of_a_face_is_not_called_a_good_label(realdata, session):
    rgb, fps, *_ = monkey(realdata, session)
    report = audit(Labelled(name="monkey", fs=fps, label=-rgb[:, 1], rgb=rgb), band_hz=MONKEY_BAND_HZ)
    assert not report.unread and report.recordings[0].count("good") < 0.1 * len(report.recordings[0].segments)
    assert "\n" in report.to_text()


@pytest.mark.realdata("unakafov-monkey-ippg")
@pytest.mark.parametrize("lag_s", [-0.2, 0.3])
def test_a_lag_put_into_what_a_real_face_shows_is_found(realdata, lag_s):
    rgb, fps, *_ = monkey(realdata, 4)
    wave = signal.chrom(rgb, fs=fps)                                 # beats of the same face, by another method
    late = np.interp(np.arange(len(wave)) / fps - lag_s, np.arange(len(wave)) / fps, wave)
    lag = audit(Labelled(name="monkey", fs=fps, label=late, rgb=rgb), band_hz=MONKEY_BAND_HZ).recordings[0].lag
    assert min(abs(each - lag_s) for each in (lag.seconds, *lag.rivals_s)) < 0.5 / 30


@pytest.mark.realdata("welltory-ppg")
def test_phone_videos_of_fingers_are_the_right_way_up_and_mostly_usable(realdata):
    report = audit([Labelled(name=f"{record}", fs=30, label=phone(realdata, record)[0]) for record in range(1, 15)])
    assert not any(each.upside_down for each in report.recordings)
    broken = sum(each.count("broken") for each in report.recordings)
    assert broken < 0.2 * sum(len(each.segments) for each in report.recordings)
