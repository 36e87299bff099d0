"""Recordings that can be made: simulated ones hold what the simulator gives, evenly in time, with the truth."""

import json
import pickle
import shutil

import numpy as np
import pytest

from rppg_lib import simulate
from rppg_lib.data import ClipSource, SimulatedSource, Source, simulated_sources, sources
from rppg_lib.data.manifest import digest_of
from rppg_lib.simulate import Lag, Spikes, Stage

from .pieces import clip


def played(source):
    playing = source.play()
    pairs = list(playing.pictures)
    return playing, np.array([picture for picture, _ in pairs]), [colour for _, colour in pairs], playing.ending()


def test_a_simulated_recording_is_the_film_its_trace_and_its_label():
    source = SimulatedSource(person=3, scene="turning", seconds=2, size_px=24, seed=5)
    film = simulate.crops(3, scene="turning", seconds=2, size_px=24, seed=5)
    playing, frames, colours, ending = played(source)
    assert (frames == film.clip().frames).all() and (np.array(colours) == film.trace().rgb).all()
    assert (ending.label == film.label).all() and ending.clean is None
    assert (source.id, source.subject) == (film.id, "sim0003")
    assert (playing.fs, playing.size_px, playing.dataset, playing.condition) == (30, (24, 24), "simulated", "turning")
    assert ending.facts["hr_bpm"] == film.truth.pulse.mean_hr_bpm


def test_pictures_that_never_came_are_filled_with_those_before_so_that_all_is_even_in_time():
    source = SimulatedSource(person=1, scene="dropped frames", seconds=6, size_px=16, difficulty=3)
    film = simulate.crops(1, scene="dropped frames", seconds=6, size_px=16, difficulty=3)
    arrived = list(film.frames())
    _, frames, colours, ending = played(source)
    assert len(arrived) < 180 and ending.facts["filled"] == 180 - len(arrived) > 0
    assert len(frames) == len(colours) == len(ending.label) == 180
    for k in range(180):
        last = np.flatnonzero(film.times_s <= k / 30 + 1e-9)[-1]
        assert (frames[k] == arrived[last]).all()
    assert (ending.label == film.truth.pulse.at(np.arange(180) / 30)).all()


def test_stamps_of_no_grid_give_at_each_even_time_the_last_picture_before_it():
    rng = np.random.default_rng(0)
    times = np.concatenate([[0], np.cumsum(rng.uniform(0.2, 2.5, 80))]) / 30
    given = [pair[0] for pair in sources.evened(((n, None) for n in range(81)), times, fs=30, frames=70)]
    assert given == [int(np.flatnonzero(times <= k / 30)[-1]) for k in range(70)]


def test_the_label_lags_by_what_the_facts_say_and_the_true_pulse_is_kept_beside_it():
    source = SimulatedSource(person=2, seconds=4, size_px=16, label_faults=(Lag(seconds=0.2),))
    _, _, _, ending = played(source)
    film = simulate.crops(2, seconds=4, size_px=16)
    assert ending.facts["label_lag_s"] == 0.2 and ending.facts["label_damaged"] == 0
    assert (ending.clean == film.label).all()
    assert np.allclose(ending.label[6:], ending.clean[:-6], atol=0.05)               # 0.2 s are 6 frames
    spikes = played(SimulatedSource(person=2, seconds=4, size_px=16, label_faults=(Spikes(),)))[3]
    assert 0 < spikes.facts["label_damaged"] < 1 and np.abs(spikes.label - spikes.clean).max() > 1


CHANGES = [{"person": 1}, {"scene": "dark"}, {"seconds": 3}, {"fs": 25.0}, {"seed": 1}, {"size_px": 18},
           {"difficulty": 0.5}, {"hr_bpm": 90.0}, {"label_faults": (Lag(),)}, {"stage": Stage(family="B")}]


def test_every_parameter_changes_the_settings_and_nothing_else_does():
    base = {"person": 0, "seconds": 2, "size_px": 16}
    told = [SimulatedSource(**{**base, **change}).settings() for change in [{}, *CHANGES]]
    assert len({digest_of(each, who="test") for each in told}) == 1 + len(CHANGES)
    again = pickle.loads(pickle.dumps(SimulatedSource(**base))).settings()
    assert json.loads(json.dumps(again)) == told[0]
    lags = [SimulatedSource(**base, label_faults=(Lag(seconds=s),)).settings() for s in (0.1, 0.2)]
    assert lags[0] != lags[1]


def test_another_simulator_is_another_recording(tmp_path):
    shutil.copytree(sources.LIBRARY, tmp_path / "same", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(tmp_path / "same", tmp_path / "other")
    changed = tmp_path / "other" / "simulate" / "people.py"
    changed.write_text(changed.read_text("utf-8").replace("0.0045", "0.0046"), "utf-8")
    here, same, other = (sources.simulator_digest(each) for each in (sources.LIBRARY, tmp_path / "same",
                                                                     tmp_path / "other"))
    assert here == same != other
    assert SimulatedSource(person=0).settings()["made by"] == here


def test_another_version_of_a_package_is_another_recording(monkeypatch):
    before = sources.simulator_digest.__wrapped__()
    monkeypatch.setattr(sources, "_version", lambda package: "0.0.1" if package == "numpy" else "")
    assert sources.simulator_digest.__wrapped__() != before


def test_people_scenes_and_recordings_are_multiplied_out():
    found = simulated_sources([4, 7], scenes=["still", "dark"], recordings=3, seed=10, seconds=5, size_px=20)
    assert [(s.person, s.scene, s.seed) for s in found] == [
        (person, scene, seed) for person in (4, 7) for scene in ("still", "dark") for seed in (10, 11, 12)]
    assert len({s.id for s in found}) == 12 and {s.size_px for s in found} == {20}
    assert all(isinstance(s, Source) for s in found)


def test_rates_are_drawn_within_their_range_and_do_not_depend_on_who_else_is_there():
    many = simulated_sources(200, rates_bpm=(45, 150))
    rates = np.array([s.hr_bpm for s in many])
    assert rates.min() >= 45 and rates.max() <= 150 and np.ptp(rates) > 95
    assert abs(rates.mean() - 97.5) < 4 * 105 / np.sqrt(12 * 200)                    # an even draw, four errors
    assert simulated_sources([150], rates_bpm=(45, 150))[0] == many[150]
    _, _, _, ending = played(SimulatedSource(person=9, seconds=3, size_px=16, hr_bpm=66.0))
    assert ending.facts["hr_bpm"] == pytest.approx(66, abs=0.7)


def test_a_named_set_of_faults_is_that_set():
    assert simulated_sources(1, label_faults="poor")[0].label_faults == simulate.FAULTS["poor"]


@pytest.mark.parametrize(("call", "says"), [
    (lambda: simulated_sources(0), "simulated_sources: needs people, got 0"),
    (lambda: simulated_sources(1, scenes="sunny"), "SimulatedSource: there is no scene 'sunny'. Scenes: still"),
    (lambda: simulated_sources(1, label_faults="bad"), "there are no faults 'bad'. Named sets: clean, late"),
    (lambda: SimulatedSource(person=-1), "seed must be a whole number from 0 on, got -1"),
    (lambda: ClipSource(clip="me.mp4"), "ClipSource: needs a Clip with frames"),
])
def test_wrong_use_is_said(call, says):
    with pytest.raises(ValueError) as error:
        call()
    assert says in str(error.value)


def test_a_clip_at_hand_plays_itself_and_its_settings_are_those_of_its_content():
    one = clip("ann")
    playing, frames, colours, ending = played(ClipSource(clip=one))
    assert (frames == one.frames).all() and (np.array(colours) == one.rgb).all() and (ending.label == one.label).all()
    assert (playing.fs, playing.size_px, playing.dataset, playing.condition) == (30, (10, 12), "noise", "none")
    assert ClipSource(clip=one).settings() == ClipSource(clip=clip("ann")).settings()
    assert ClipSource(clip=one).settings() != ClipSource(clip=clip("ann", seed=1)).settings()
