"""Samples without pictures: waves of simulated people, and labels of recordings."""

import time

import numpy as np
import pytest
import torch

from rppg_lib import signal, simulate
from rppg_lib.data import Windows, build_store, check_exclusive
from rppg_lib.data.pulses import LabelWindows, SimulatedPulses
from rppg_lib.models.heartbeats import Heartbeats
from rppg_lib.training import FitConfig, TrainingData, fit
from rppg_lib.training.codequery import HeartbeatObjective
from rppg_lib.types import Clip

from .pieces import clip, clip_sources


def test_a_wave_depends_on_seed_and_number_alone():
    one, other = (SimulatedPulses(count, seed=3) for count in (8, 50))
    backwards = torch.cat([other.batch([number]).label for number in (6, 2)])
    assert torch.equal(one.batch([6, 2]).label, backwards)
    assert torch.equal(one.batch([-2]).label[0], backwards[0])
    assert not torch.equal(SimulatedPulses(8, seed=4).batch([6]).label[0], backwards[0])


def test_what_was_handed_out_may_be_changed():
    pulses = SimulatedPulses(3, seed=0)
    before = pulses.batch([1]).label.clone()
    pulses.batch([1]).label.zero_()
    assert torch.equal(pulses.batch([1]).label, before)


def test_rates_are_spread_over_the_range_and_the_waves_have_them():
    pulses = SimulatedPulses(60, frames=900, seed=0, rates_bpm=(50, 140))
    rates = np.array([signal.hr_from_spectrum(wave, fs=30) for wave in pulses.batch(range(60)).label.double().numpy()])
    assert 47 < rates.min() < 60 and 130 < rates.max() < 143
    low, middle = np.mean(rates < 80), np.mean(rates < 110)          # an even draw: a third and two thirds
    assert abs(low - 1 / 3) < 0.2 and abs(middle - 2 / 3) < 0.2
    only = SimulatedPulses(3, frames=900, seed=0, rates_bpm=(72, 72)).batch([0, 1, 2]).label.double().numpy()
    assert [round(signal.hr_from_spectrum(wave, fs=30)) for wave in only] == [72, 72, 72]


def test_the_waves_are_of_different_people_at_rest_and_of_nobody_in_a_film(monkeypatch):
    met = []
    real = simulate.person
    monkeypatch.setattr(simulate, "person", lambda seed, **changes: met.append(seed) or real(seed, **changes))
    SimulatedPulses(20, seed=0).batch(range(20))
    SimulatedPulses(20, seed=1).batch(range(20))
    assert len(set(met)) == 40 and min(met) >= 2**32


def test_faults_lie_on_the_same_pulses():
    clean, late = (SimulatedPulses(4, frames=320, seed=0, label_faults=faults).batch([2]).label[0].numpy()
                   for faults in ("clean", [simulate.Lag(seconds=0.2)]))
    np.testing.assert_allclose(late[6:], clean[:-6], atol=2e-2)      # breathing moves on by 0.2 s, too
    assert np.corrcoef(late[6:], clean[:-6])[0, 1] > 0.999 > np.corrcoef(late, clean)[0, 1]


def test_the_content_is_known_before_a_wave_is_made():
    base = {"count": 10, "frames": 160, "fs": 30.0, "seed": 0, "rates_bpm": (45, 150), "label_faults": "clean"}
    changes = [{}, {"count": 11}, {"frames": 164}, {"fs": 25}, {"seed": 1}, {"rates_bpm": (45, 120)},
               {"label_faults": "poor"}]
    found = [SimulatedPulses(**base | change).content_hash for change in changes]
    assert len(set(found)) == len(changes) and SimulatedPulses(**base).content_hash == found[0]
    made = SimulatedPulses(**base)
    made.batch([0])
    assert made.content_hash == found[0]


def test_each_wave_is_somebody_so_that_leaks_are_found():
    train, other, same = (SimulatedPulses(5, seed=seed).subjects for seed in (0, 1, 0))
    assert len(set(train)) == 5
    check_exclusive(train=train, validation=other)
    with pytest.raises(ValueError, match=r"pulse 0\.0"):
        check_exclusive(train=train, validation=same)
    assert SimulatedPulses(5, seed=1).batch([4]).subject == (other[4],)


@pytest.mark.slow
def test_two_thousand_waves_take_seconds():
    pulses = SimulatedPulses(2000, seed=0)
    start = time.process_time()
    pulses.batch(range(2000))
    made = time.process_time() - start
    assert made < 20                                                 # 3.3 s of one core of a small machine
    pulses.batch(range(2000))
    assert time.process_time() - start - made < made / 10            # they are kept


@pytest.mark.parametrize("wrong, text", [
    ({"count": 0}, "count must be a whole number, at least 1, got 0"), ({"frames": 2.5}, "frames must be a whole"),
    ({"frames": 30}, "needs at least 48 frames"), ({"seed": -1}, "seed must be a whole number"),
    ({"rates_bpm": (90, 60)}, "the lowest and the highest"), ({"rates_bpm": (5, 60)}, "rates_bpm must be between"),
    ({"label_faults": "broken"}, "Named sets: clean, late"), ({"fs": 0}, "fs must be a positive number"),
])
def test_waves_that_cannot_be_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        SimulatedPulses(**{"count": 3, "seed": 0} | wrong)


def test_numbers_of_no_wave_are_refused():
    for indices in ([3], [-4], []):
        with pytest.raises(IndexError, match="needs numbers from 0 to 2"):
            SimulatedPulses(3, seed=0).batch(indices)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build_store(clip_sources("ann", "bob", frames=100), tmp_path_factory.mktemp("stores"), name="a", jobs=1,
                       progress=False)


def test_labels_are_those_of_the_windows_wherever_they_are_kept(store):
    windows = Windows(store, frames=40, step=7)
    for clips in (store, [clip(name, frames=100) for name in ("ann", "bob")]):
        labels = LabelWindows(clips, frames=40, step=7)
        assert labels.starts == windows.starts and labels.subjects == windows.subjects and labels.fs == windows.fs
        mine, its = (each.batch([0, 12, -1]) for each in (labels, windows))
        assert torch.equal(mine.label, its.label) and mine.subject == its.subject
        assert mine.frames.shape == (3, 40, 0, 0, 3) and mine.frames.dtype == torch.uint8


def test_labels_of_some_people_can_be_taken(store):
    assert LabelWindows(store, frames=40, subjects=["bob"]).subjects == ("bob",)
    with pytest.raises(ValueError, match="nobody here is called 'eve'"):
        LabelWindows(store, frames=40, subjects=["eve"])


def test_no_picture_is_read_or_need_be_there(monkeypatch, store):
    monkeypatch.setattr(type(store), "read_frames", lambda *given, **more: pytest.fail("a picture was read"))
    LabelWindows(store, frames=40).batch([0])
    wave = np.sin(np.arange(120) / 4)
    alone = [Clip(id=f"{n}", subject=f"{n}", fs=30, rgb=np.ones((120, 3)), label=wave) for n in range(2)]
    assert LabelWindows(alone, frames=100).batch([1]).label.shape == (1, 100)
    with pytest.raises(ValueError, match="'9' has no label"):
        LabelWindows([*alone, Clip(id="9", fs=30, rgb=np.ones((120, 3)))], frames=100)


def test_pictures_may_have_any_size_where_only_labels_count():
    clips = [clip("ann", size=(12, 10)), clip("bob", size=(8, 8))]
    assert len(LabelWindows(clips, frames=90)) == 2


def test_the_content_of_labels_is_labels_and_places():
    one, other = (clip("ann", seed=seed) for seed in (0, 1))
    assert len({LabelWindows(c, frames=60, step=s).content_hash for c in (one, other) for s in (10, 15)}) == 4
    assert LabelWindows(one, frames=60).content_hash == LabelWindows(clip("ann"), frames=60).content_hash


def test_a_batch_without_pixels_goes_through_a_training(store):
    config = Heartbeats.Config(dim=8, codes=8, embedding="plain", layers=1, warmup_steps=2, revive_after=5)
    data = TrainingData(SimulatedPulses(12, frames=80, seed=0), LabelWindows(store, frames=80, step=20))
    fitted = fit(Heartbeats(config), HeartbeatObjective(), data,
                 FitConfig(epochs=2, batch=4, lr=1e-3, device="cpu", augment=None), progress=False)
    assert fitted.history[-1]["step"] == 6 and fitted.history[-1]["validation_mse"] > 0
    batch = data.train.batch([0, 1])
    assert batch.to("cpu").trimmed().frames.shape == (2, 80, 0, 0, 3) and len(batch) == 2
