"""What disturbances do to a head on film: each its own part, at the moments at which it disturbs a trace."""

import dataclasses

import numpy as np
import pytest

from rppg_lib import simulate
from rppg_lib.simulate.faces.film_course import DELAYS_S, drawn_lamp, script

SWAY = {"x", "y", "scale", "yaw_deg", "pitch_deg", "roll_deg", "gaze"}
CHANGES = {
    simulate.Sway: SWAY, simulate.Blinks: {"blink"}, simulate.HeartMotion: {"y", "pitch_deg"},
    simulate.Turning: {"x", "yaw_deg", "pitch_deg", "roll_deg"}, simulate.Nodding: {"x", "y", "pitch_deg", "roll_deg"},
    simulate.Talking: {"y", "yaw_deg", "pitch_deg", "jaw"}, simulate.FarFace: set(),
    simulate.Jumps: {"x", "y", "yaw_deg", "pitch_deg", "roll_deg"}, simulate.WalkingLight: {"lamp"},
    simulate.LightDrift: {"light"}, simulate.LightSteps: {"light"}, simulate.Flicker: {"light"},
    simulate.Glimmer: {"light"}, simulate.ScreenLight: {"light"}, simulate.Darkness: set(), simulate.NoPulse: {"pulse"},
    simulate.Compression: set(), simulate.DroppedFrames: set(),
}
MOVING = [kind for kind in CHANGES if hasattr(kind, "moves")]


def course(*parts, who=2, seconds=20, seed=0, fs=30):
    beat = simulate.pulse(simulate.person(who), seconds=seconds, fs=fs, seed=seed)
    return script(beat, parts, seed, lamp=None).course


def different(one, other):
    return {each.name for each in dataclasses.fields(one)
            if not np.array_equal(getattr(one, each.name), getattr(other, each.name))}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_disturbance_changes_its_own_part_of_the_course_and_nothing_else(kind):
    other = simulate.Talking() if kind is not simulate.Talking else simulate.Turning()
    assert different(course(other), course(kind(), other)) == CHANGES[kind]
    assert different(course(other), course(other, kind())) == CHANGES[kind]


@pytest.mark.parametrize("kind", CHANGES)
def test_at_strength_zero_it_leaves_every_bit_as_it_was(kind):
    assert different(course(), course(kind(strength=0))) == set()


@pytest.mark.parametrize("kind", MOVING)
def test_strength_scales_a_move_and_keeps_its_course(kind):
    beat = simulate.pulse(simulate.person(2), seconds=20, fs=30, seed=0)
    half, whole = (script(beat, (kind(strength=s),), 0, lamp=None).moves[0] for s in (0.5, 1))
    for each in dataclasses.fields(whole):
        if each.name != "name":
            assert np.allclose(2 * np.asarray(getattr(half, each.name)), getattr(whole, each.name)), each.name


def test_a_head_turns_in_a_film_when_it_turns_in_the_trace_of_the_same_seed():
    for seed in range(3):
        turning = simulate.Turning(slip=0, jerk_deg=0)
        yaw = course(turning, seed=seed).yaw_deg
        shade = simulate.trace(2, scene=(turning,), seconds=20, seed=seed).truth.effects[0].log_shade
        terms = np.stack([np.ones_like(yaw), yaw, yaw**2], axis=1)   # Lambert's cosine, to second order
        left = shade - terms @ np.linalg.lstsq(terms, shade, rcond=None)[0]
        assert left.std() < 1e-6 * shade.std()


def test_a_head_nods_in_a_film_when_it_nods_in_the_trace():
    nodding = simulate.Nodding(slip=0)
    shade = simulate.trace(2, scene=(nodding,), seconds=20).truth.effects[0].log_shade
    assert np.corrcoef(course(nodding).pitch_deg, shade)[0, 1] == pytest.approx(1)


def test_film_and_trace_have_the_same_light():
    parts = (simulate.LightDrift(), simulate.Flicker(), simulate.ScreenLight())
    light = simulate.trace(2, scene=parts, seconds=20).truth.light
    ratio = course(*parts).light / light
    assert np.allclose(ratio, ratio[0, 0], rtol=1e-12)


def test_the_pulse_comes_in_copies_each_later_than_the_last():
    beat = simulate.pulse(simulate.person(2), seconds=20, fs=30, seed=0)
    waves = script(beat, (), 0, lamp=None).course.pulse
    assert waves.shape == (600, len(DELAYS_S))
    assert np.array_equal(waves[:, 0], beat.wave)
    assert np.array_equal(waves[:, 2], beat.at(beat.times_s - DELAYS_S[2]))


def test_a_mannequin_neither_pulses_nor_bobs_with_a_heart():
    still = course(simulate.NoPulse(), simulate.HeartMotion())
    assert not still.pulse.any() and not still.y.any()
    assert 0.0005 < np.ptp(course(simulate.HeartMotion()).y) < 0.005


def test_eyes_blink_a_dozen_times_a_minute_and_shut_each_time():
    counts = []
    for seed in range(8):
        blink = course(simulate.Blinks(), seconds=60, seed=seed).blink
        shut = blink > 0.5
        counts.append(np.count_nonzero(np.diff(shut.astype(int)) == 1))
        assert blink.min() == 0 and blink.max() == 1 and shut.mean() < 0.1
    assert 8 < np.mean(counts) < 22


@pytest.mark.parametrize("scene", simulate.SCENES)
def test_no_difficulty_breaks_a_neck_or_a_jaw(scene):
    beat = simulate.pulse(simulate.person(1), seconds=20, fs=30, seed=0)
    hard = script(beat, [part.scaled(20) for part in simulate.SCENES[scene]], 0, lamp=None).course
    assert max(abs(hard.yaw_deg)) <= 60 and max(abs(hard.pitch_deg)) <= 35 and max(abs(hard.roll_deg)) <= 40
    assert 0 <= hard.jaw.min() and hard.jaw.max() <= 1 and 0 <= hard.blink.min() and hard.blink.max() <= 1
    assert hard.lamp[:, 2].min() > 0 and hard.scale.min() > 0.1
    assert all(np.isfinite(getattr(hard, each.name)).all() for each in dataclasses.fields(hard))


def test_small_angles_are_what_was_asked_for():
    moved = course(simulate.Turning(angle_deg=15))
    assert 12 < np.abs(moved.yaw_deg).max() < 30
    still = course(*simulate.SCENES["still"])
    assert 0.1 < still.yaw_deg.std() < 0.6 and 0.002 < still.x.std() < 0.015


def test_the_walking_light_swings_from_side_to_side_and_keeps_its_height():
    lamp = course(simulate.WalkingLight(), seconds=60).lamp
    angle = np.rad2deg(np.arctan2(lamp[:, 0], lamp[:, 2]))
    assert 60 < np.ptp(angle) < 110 and np.abs(angle).max() <= 80
    assert np.ptp(lamp[:, 1]) == 0


def test_people_have_their_lamps_in_different_places():
    sides = np.array([drawn_lamp((0, who))[0] for who in range(40)])
    assert np.ptp(sides) > 1.5 and (sides > 0).any() and (sides < 0).any()


@pytest.mark.parametrize("scene", ["compressed", "low bitrate", "dropped frames"])
def test_a_trace_says_that_it_has_no_pictures(scene):
    with pytest.raises(ValueError, match="does something to pictures .* Make a film of it"):
        simulate.trace(0, scene=scene, seconds=5)
    assert scene not in simulate.TRACE_SCENES and scene in simulate.SCENES
    assert np.array_equal(simulate.trace(0, scene=scene, seconds=5, difficulty=0).rgb,
                          simulate.trace(0, scene=(), seconds=5).rgb)


def test_a_far_face_has_fewer_pixels_and_more_noise_in_a_trace():
    near, far = (simulate.trace(0, scene=scene, seconds=10).truth for scene in ("still", "far face"))
    assert far.camera.region_px == pytest.approx(near.camera.region_px / 2.2**2, rel=0.01)
    assert far.exposed.noise.std() == pytest.approx(2.2 * near.exposed.noise.std(), rel=0.02)


def test_dropped_frames_are_missing_and_repeated_ones_show_an_earlier_picture():
    beat = simulate.pulse(simulate.person(0), seconds=60, fs=30, seed=0)
    part = simulate.DroppedFrames(dropped=0.1, repeated=0.05)
    arrived, shown = part.arrivals(simulate.Setting(beat.times_s, 30.0, 1.0), np.random.default_rng(0))
    assert arrived[0] == 0 and arrived[-1] == 1799 and (np.diff(arrived) > 0).all()
    assert len(arrived) == pytest.approx(1620, abs=40)
    assert np.mean(shown != arrived) == pytest.approx(0.05, abs=0.02)
    assert (shown <= arrived).all() and (np.diff(shown) >= 0).all() and np.isin(shown, arrived).all()


def test_compression_grows_with_strength_and_refuses_what_no_encoder_knows():
    assert simulate.Compression(crf=20, strength=2).settings()["crf"] == 26
    assert simulate.Compression(kbps=500, strength=2).settings() == {
        "crf": None, "kbps": 250, "preset": "medium", "tune": "grain"}
    for wrong in ({"crf": 60}, {"kbps": 0}, {"preset": "quick"}, {"tune": "face"}, {"strength": -1}):
        with pytest.raises(ValueError, match="Compression: .* must be"):
            simulate.Compression(**wrong)
