"""What is marked in a label: wild values, dropouts and gaps, at every rate, each where it is and nowhere else."""

import numpy as np
import pytest

from rppg_lib import simulate
from rppg_lib.evaluation import Labelled, audit


def contact(person, *, fs=30, faults=()):
    truth = simulate.pulse(simulate.person(person), seconds=60, fs=fs, seed=0)
    return simulate.contact_label(truth, faults=faults, seed=0).wave.copy()


def words(person=3, *, fs=30):
    """Return a label in whole numbers about 500."""
    wave = contact(person, fs=fs)
    return np.round(50 * (wave - wave.mean()) / wave.std() + 500)


def found_in(wave, *, fs=30):
    """Return the segments of a label."""
    report = audit(Labelled(name="one", fs=fs, label=wave))
    assert not report.unread
    return report.recordings[0].segments


def reasons(wave, *, fs=30):
    return [segment.reasons for segment in found_in(wave, fs=fs)]


@pytest.mark.parametrize("value", [900, 20000, 65535, 2**31 - 1, -2**31, -9999, 1e12])
@pytest.mark.parametrize("at", [500, 0, 1799])
def test_one_wild_value_is_a_spike_where_it_is_and_changes_no_other_verdict(value, at):
    wave = words()
    wave[at] = value
    found = found_in(wave)
    assert [segment.reasons for segment in found] == [("spikes",) if k == at // 300 else () for k in range(6)]
    assert found[at // 300].verdict == "doubtful" and found[at // 300].spikes_s < 0.7


@pytest.mark.parametrize("seconds", [0.1, 0.33, 0.6])
@pytest.mark.parametrize("value", [0, 65535, 1e12])
def test_a_short_dropout_is_a_spike_where_it_is(value, seconds):
    wave = words(fs=60)
    wave[1500:1500 + int(60 * seconds)] = value
    assert reasons(wave, fs=60) == [(), (), ("spikes",), (), (), ()]


@pytest.mark.parametrize("fs", [30, 60, 125, 250])
@pytest.mark.parametrize("heights", [2, 3, 6, -3])
def test_a_spike_of_one_sample_is_found_at_every_rate(fs, heights):
    wave = contact(21, fs=fs)
    low, high = np.quantile(wave, [0.01, 0.99])
    wave[5 * fs + 10 * fs * np.arange(6)] = (low + high) / 2 + heights * (high - low)
    assert reasons(wave, fs=fs) == [("spikes",)] * 6


@pytest.mark.parametrize("fs", [30, 60, 125, 250])
@pytest.mark.parametrize("faults", [[simulate.Hiss(size=0.3)], [simulate.Hiss()], [simulate.Hiss(size=1.0)],
                                    [simulate.Wander()], [simulate.Wander(), simulate.Hiss(size=0.1)]])
def test_noise_and_wander_are_no_spikes(fs, faults):
    for person in range(3):
        assert not any("spikes" in found for found in reasons(contact(person, fs=fs, faults=faults), fs=fs))


def test_one_value_in_between_hides_no_lost_contact():
    wave = words()
    wave[1050:1110] = wave[1050]
    for at in (1070, 1080):                                          # two thirds of a second before it, and a whole one
        torn = wave.copy()
        torn[at] = 1e12
        found = found_in(torn)
        assert ["flat" in segment.reasons for segment in found] == [k == 3 for k in range(6)]
        assert [segment.verdict for segment in found] == ["good"] * 3 + ["broken"] + ["good"] * 2
        assert found[3].flat_s == pytest.approx(2, abs=0.1)


def test_one_value_beyond_the_range_hides_no_clipping():
    wave = np.clip(words(), 420, 580)
    wave[300] = 600
    assert reasons(wave) == [("clipped",)] * 6


@pytest.mark.parametrize("steps", [16, 32, 64])
def test_a_spike_in_coarse_steps_makes_nothing_clipped(steps):
    wave = contact(3, fs=125)
    coarse = np.round((wave - wave.min()) / np.ptp(wave) * steps)
    coarse[[1500, 4400]] = steps / 2 + 0.001, 1000
    assert reasons(coarse, fs=125) == [(), (), (), ("spikes",), (), ()]


@pytest.mark.parametrize("lost, said", [(1, "missing 1 value at 10 s"), (3, "missing 3 values at 10 s")])
def test_one_value_that_is_no_number_is_enough_for_a_doubt(lost, said):
    wave = contact(5)
    wave[400:400 + lost] = np.nan
    found = found_in(wave)
    assert [segment.reasons for segment in found] == [(), ("missing",), (), (), (), ()]
    assert found[1].verdict == "doubtful" and said in audit(Labelled(name="one", fs=30, label=wave)).to_text()


def test_a_gap_between_equal_values_is_missing_and_not_flat():
    wave = words(5)
    wave[400:440] = np.nan
    wave[440] = wave[399]
    found = found_in(wave)[1]
    assert found.flat_s == 0 and "flat" not in found.reasons


def test_where_nothing_is_left_there_are_no_figures():
    wave = contact(5)
    wave[300:600] = wave[300]
    wave[900:1190] = np.nan                                          # 0.3 s are left
    for label, dead in ((wave, (1, 3)), (np.full(1800, 5.0), range(6))):
        recording = audit(Labelled(name="one", fs=30, label=label)).recordings[0]
        for k, segment in enumerate(recording.segments):
            figures = (segment.hr_bpm, segment.snr_db, segment.quality, segment.alike, segment.wander)
            assert np.isnan(figures).all() if k in dead else np.isfinite(figures).all()
            assert segment.verdict == ("broken" if k in dead else "good") and "no pulse" not in segment.reasons
    assert recording.codes_in_use == {} and len(recording.beats) == 0
