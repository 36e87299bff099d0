"""Contact labels: each fault does what its name says, where it says so, and nothing else."""

import numpy as np
import pytest
from scipy.signal import correlate

from rppg_lib import simulate
from rppg_lib.simulate import Hiss, Lag, LostContact, Saturation, Spikes, Wander, contact_label, damaged

KINDS = [Lag, Wander, Spikes, Hiss, Saturation, LostContact]


@pytest.fixture(scope="module")
def truth():
    return simulate.pulse(simulate.person(1), seconds=60, fs=60, seed=0)


def test_a_sensor_without_faults_gives_the_pulse(truth):
    label = contact_label(truth, seed=0)
    assert np.array_equal(label.wave, truth.wave)
    assert not label.damaged().any() and label.spans == () and label.lag_s == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_of_strength_zero_changes_no_bit_and_one_of_strength_one_does(truth, kind):
    assert np.array_equal(contact_label(truth, faults=[kind(strength=0)], seed=0).wave, truth.wave)
    assert not np.array_equal(contact_label(truth, faults=[kind()], seed=0).wave, truth.wave)


@pytest.mark.parametrize("seconds", [-0.3, 0.1, 0.25, 0.8])
def test_cross_correlation_finds_the_lag_and_its_sign(truth, seconds):
    label = contact_label(truth, faults=[Lag(seconds=seconds)], seed=0)
    shift = correlate(label.wave, truth.wave).argmax() - (len(truth.wave) - 1)   # > 0: the label comes later
    assert shift / 60 == pytest.approx(seconds, abs=0.6 / 60)
    assert label.lag_s == seconds


def test_lost_contact_is_flat_within_its_spans_and_faultless_outside(truth):
    label = contact_label(truth, faults=[LostContact()], seed=0)
    assert label.spans
    for span in label.spans:
        inside = (truth.times_s >= span.start_s - 1e-9) & (truth.times_s < span.end_s - 1e-9)
        assert inside.sum() > 30 and np.ptp(label.wave[inside]) == 0
    assert np.array_equal(label.wave[~label.damaged()], truth.wave[~label.damaged()])


def test_saturation_has_flat_tops_and_bottoms_and_leaves_what_lies_between(truth):
    label = contact_label(truth, faults=[Saturation()], seed=0)
    high, low = label.wave.max(), label.wave.min()
    assert np.mean(label.wave == high) > 0.05 and np.mean(label.wave == low) > 0.05
    assert np.array_equal(label.damaged(), (truth.wave > high) | (truth.wave < low))
    assert np.array_equal(label.wave[~label.damaged()], truth.wave[~label.damaged()])


def test_spikes_are_larger_than_the_pulse_and_stay_within_their_spans(truth):
    label = contact_label(truth, faults=[Spikes()], seed=0)
    assert np.abs(label.wave - truth.wave).max() > 1.5 * np.ptp(truth.wave)
    assert np.array_equal(label.wave[~label.damaged()], truth.wave[~label.damaged()])
    assert 0.02 < label.damaged().mean() < 0.6


def test_wander_is_slower_than_the_pulse_and_as_large_as_asked_for():
    truth = simulate.pulse(simulate.person(1), seconds=600, fs=30, seed=0)
    added = contact_label(truth, faults=[Wander(size=2)], seed=0).wave - truth.wave
    power = np.abs(np.fft.rfft(added * np.hanning(len(added)))) ** 2
    hz = np.fft.rfftfreq(len(added), 1 / 30)
    assert power[hz < 0.4].sum() > 0.999 * power.sum()
    assert added.std() == pytest.approx(2, rel=0.1)


def test_one_fault_draws_nothing_from_another(truth):
    spikes, wander, both = (contact_label(truth, faults=faults, seed=3).wave
                            for faults in ([Spikes()], [Wander()], [Wander(), Spikes()]))
    assert np.allclose(both - wander, spikes - truth.wave, atol=1e-12)
    twice = contact_label(truth, faults=[Spikes(), Spikes()], seed=3).wave - truth.wave
    assert not np.allclose(twice, 2 * (spikes - truth.wave))         # two of a kind are two, not one twice as large


def test_the_order_in_which_faults_are_named_does_not_matter(truth):
    faults = simulate.FAULTS["poor"]
    forward, backward = (contact_label(truth, faults=order, seed=0).wave for order in (faults, faults[::-1]))
    assert np.array_equal(forward, backward)


@pytest.mark.parametrize("name", simulate.FAULTS)
def test_presets_give_the_same_bits_for_the_same_seed(truth, name):
    first, again, other = (contact_label(truth, faults=simulate.FAULTS[name], seed=seed).wave for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    random = {type(fault) for fault in simulate.FAULTS[name]} & {Spikes, LostContact, Wander}
    assert np.array_equal(first, other) != bool(random)


def test_a_trace_can_carry_a_damaged_label_and_still_tells_the_pulse():
    clip = simulate.trace(0, seconds=20, label_faults=simulate.FAULTS["poor"])
    assert np.array_equal(clip.label, clip.truth.contact.wave)
    assert np.array_equal(clip.truth.contact.clean, clip.truth.pulse.wave)
    assert not np.array_equal(clip.label, clip.truth.pulse.wave)
    assert np.array_equal(clip.rgb, simulate.trace(0, seconds=20).rgb)


def test_hiss_is_white_and_as_large_as_it_says(truth):
    error = contact_label(truth, faults=[Hiss(size=0.3)], seed=0).wave - truth.wave
    assert error.std() == pytest.approx(0.3, rel=0.05)
    assert abs(np.corrcoef(error[1:], error[:-1])[0, 1]) < 0.06          # 3,600 samples: 0.017 by chance


@pytest.mark.parametrize("faults", [[Hiss()], [Spikes()], [Wander(), Spikes(), Hiss()], [LostContact()]])
@pytest.mark.parametrize("snr_db", [-5, 0, 10])
def test_damage_to_a_wave_at_hand_has_the_power_that_was_asked_for(truth, faults, snr_db):
    wave = 40 + 7 * truth.wave
    error = damaged(wave, fs=60, faults=faults, seed=3, snr_db=snr_db).wave - wave
    assert 10 * np.log10(wave.var() / error.var()) == pytest.approx(snr_db, abs=1e-6)


def test_damage_grows_with_the_wave_and_says_where_it_is(truth):
    small, large = (damaged(scale * truth.wave, fs=60, faults=[LostContact()], seed=3) for scale in (1, 1000))
    assert np.allclose(1000 * small.wave, large.wave)
    assert small.spans and (small.wave != truth.wave).sum() <= small.damaged().sum() + 1
    assert np.array_equal(small.clean, truth.wave)


def test_a_wave_at_hand_comes_late_by_the_lag_asked_for(truth):
    label = damaged(truth.wave, fs=60, faults=[Lag(seconds=0.5)], seed=0)
    assert np.allclose(label.wave[30:], truth.wave[:-30]) and (label.wave[:30] == truth.wave[0]).all()


@pytest.mark.parametrize("given, text", [
    ({"faults": [Lag()], "snr_db": 0}, "snr_db must be a number of dB, of faults without a lag"),
    ({"faults": [Hiss()], "snr_db": float("nan")}, "snr_db must be a number of dB"),
    ({"faults": [Hiss(strength=0)], "snr_db": 0}, "these faults change nothing"),
    ({"faults": [Lag(seconds=99)]}, "damaged: the lag must lie within"),
    ({"faults": ["spikes"]}, "damaged: faults are objects such as"),
])
def test_damage_that_cannot_be_done_is_refused(truth, given, text):
    with pytest.raises((ValueError, TypeError), match=text):
        damaged(truth.wave, fs=60, seed=0, **given)


def test_a_wave_at_hand_must_be_one_that_changes():
    with pytest.raises(ValueError, match="damaged: needs one wave"):
        damaged(np.ones(100), fs=30, faults=[Hiss()], seed=0)
