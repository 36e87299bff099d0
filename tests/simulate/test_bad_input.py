"""One clear error for each thing that cannot be simulated."""

import numpy as np
import pytest

from rppg_lib import simulate
from rppg_lib.simulate import Camera, Lag, LightDrift, contact_label, person, pulse, trace


@pytest.mark.parametrize("call, message", [
    (lambda: trace(0, seconds=-1), "trace|pulse: seconds must be"),
    (lambda: trace(0, seconds=1), "at least 1.6"),
    (lambda: trace(0, seconds=np.nan), "seconds must be a finite number"),
    (lambda: trace(0, fs=0), "fs must be a positive number"),
    (lambda: pulse(person(0), seconds=10, fs=-30, seed=0), "pulse: fs must be a positive number"),
    (lambda: trace(0, scene="turnin"), "no scene 'turnin'. Did you mean 'turning'"),
    (lambda: trace(0, scene="xyz"), "Scenes: still, talking"),
    (lambda: trace(0, difficulty=-1), "difficulty must be"),
    (lambda: trace(0, seed=-1), "seed must be a whole number"),
    (lambda: trace(-1), "trace: seed must be a whole number"),
    (lambda: person(1.5), "person: seed must be a whole number"),
    (lambda: person(0, hr_bpm=20), "hr_bpm must be between 30 and 250, got 20"),
    (lambda: person(0, hr_bpm=300), "hr_bpm must be between 30 and 250, got 300"),
    (lambda: person(0, hr_bpm=np.nan), "hr_bpm must be between 30 and 250, got nan"),
    (lambda: LightDrift(strength=-1), "LightDrift: strength must be"),
    (lambda: Camera(region_px=0), "Camera: region_px must be"),
    (lambda: Camera(bits=1), "Camera: bits must be between 2 and 16"),
    (lambda: contact_label(pulse(person(0), seconds=5, fs=30, seed=0), faults=[Lag(seconds=9)], seed=0),
     "the lag must lie within 4 s, got 9 s"),
    (lambda: pulse(person(0), seconds=5, fs=30, seed=0).at(np.array([20.0])), "times must lie within -4 to 9 s"),
])
def test_an_impossible_value_gives_one_error_that_names_it(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("call, message", [
    (lambda: trace("still"), "trace: needs a Person or the seed of one, got 'still'"),
    (lambda: trace(0, seconds="long"), "seconds must be one number"),
    (lambda: person(0, hr=70), "has no field 'hr'. Did you mean 'hr_bpm'"),
    (lambda: trace(0, scene=[LightDrift]), "a scene is a name or disturbances"),
    (lambda: trace(0, scene=["turning"]), "a scene is a name or disturbances"),
    (lambda: contact_label(pulse(person(0), seconds=5, fs=30, seed=0), faults=["lag"], seed=0),
     "faults are objects such as Lag"),
])
def test_a_thing_of_the_wrong_kind_gives_one_error_that_names_it(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_hearts_at_the_limits_and_short_clips_still_work():
    for bpm in (30, 250):
        assert len(trace(person(0, hr_bpm=bpm), seconds=1.6, fs=30)) == 48


@pytest.mark.parametrize("scene", simulate.TRACE_SCENES)
def test_every_scene_survives_great_difficulty(scene):
    clip = trace(0, scene=scene, seconds=10, difficulty=5)
    assert np.isfinite(clip.rgb).all() and clip.rgb.min() > 0 and clip.rgb.max() <= 255
