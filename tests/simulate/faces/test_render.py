"""Rendered faces against physics: where points are, what pulses and how much, and what light does."""

import dataclasses
from functools import lru_cache

import cv2
import numpy as np
import pytest

from rppg_lib.simulate import person
from rppg_lib.simulate.faces import look, render, resting
from rppg_lib.simulate.faces.points import landmark_spots
from rppg_lib.simulate.faces.project import grid_over
from rppg_lib.simulate.faces.render import LANDMARKS, Renderer
from rppg_lib.simulate.faces.shade import ita_deg
from rppg_lib.simulate.people import TONE_MELANIN

STILL = resting(np.zeros(1))
PLAIN = {"hair_style": "short", "beard": 0.0, "glasses": 0.0}


@lru_cache(maxsize=8)
def face(*, tone=2, perfusion=0.012, gloss=0.018, size=(240, 260), face_px=150.0, background=True):
    who = dataclasses.replace(person(1), melanin=TONE_MELANIN[tone], perfusion=perfusion, gloss=gloss)
    return Renderer(who, look(1, **PLAIN), size_px=size, face_px=face_px, background=background)


def swing(renderer, *, level=0.5, **setting):
    """Mean light over true skin at the top and at the bottom of the blood wave."""
    course = resting(np.zeros(2), pulse=np.array([[level], [-level]]), **setting)
    high, low = (renderer.linear(course, k) for k in (0, 1))
    return high, low, renderer.skin(course, 0) > 0.98


def test_a_picture_has_the_agreed_shape_kind_and_brightness():
    picture = face().linear(STILL, 0)
    assert picture.shape == (260, 240, 3) and picture.dtype == np.float32
    skin = face().skin(STILL, 0) > 0.9
    assert 255 * np.sqrt(picture[skin][:, 1].mean()) == pytest.approx(165, abs=4)
    assert picture.min() >= 0


@lru_cache(maxsize=1)
def marked_face():
    return Renderer(person(1), look(1, **PLAIN), size_px=(360, 400), face_px=240.0, background=False)


@pytest.mark.parametrize("setting", [{}, {"yaw_deg": 18.0, "x": 0.1}, {"roll_deg": 12.0, "scale": 0.9},
                                     {"jaw": 0.7, "pitch_deg": -8.0}])
@pytest.mark.parametrize("name", ["forehead", "left cheek", "chin"])
def test_a_mark_painted_on_the_surface_appears_where_the_landmark_says(setting, name):
    renderer = marked_face()
    albedo, covers = renderer._albedo.copy(), [patch.cover.copy() for patch in renderer._patches]
    course = resting(np.zeros(1), **setting)
    before = renderer.linear(course, 0)
    number = LANDMARKS.index(name)
    theta, y = landmark_spots(renderer.head, 0.0, 0.0, np.zeros(2))[number]
    head = renderer.head
    spot = np.exp(-0.5 * (((np.arange(768) - head.column(theta)) / 2) ** 2
                          + ((np.arange(640)[:, None] - head.row(y)) / 2) ** 2))
    small = cv2.resize(spot.astype(np.float32), albedo.shape[1::-1], interpolation=cv2.INTER_AREA)
    renderer._albedo += small[..., None]
    for patch in renderer._patches:
        patch.cover[:] += spot[patch.rows, patch.columns, None].astype(np.float32)
    renderer._painted = renderer._sampled = None
    extra = (renderer.linear(course, 0) - before).mean(-1)
    renderer._albedo[:] = albedo
    for patch, cover in zip(renderer._patches, covers):
        patch.cover[:] = cover
    renderer._painted = renderer._sampled = None
    rows, columns = np.indices(extra.shape)
    at = np.array([(extra * columns).sum(), (extra * rows).sum()]) / extra.sum()
    assert np.linalg.norm(at - renderer.landmarks(course, 0)[number]) < 0.5


def test_lids_and_jaw_take_their_landmarks_along():
    def at(name, **setting):
        return face().landmarks(resting(np.zeros(1), **setting), 0)[LANDMARKS.index(name)]

    assert at("left upper lid", blink=1.0)[1] > at("left upper lid")[1] + 5
    assert at("lower lip", jaw=0.8)[1] > at("lower lip")[1] + 12
    assert at("chin", jaw=0.8)[1] > at("chin")[1] + 8
    np.testing.assert_allclose(at("nose tip", jaw=0.8), at("nose tip"))
    assert at("left iris", gaze=[1.0, 0.0])[0] > at("left iris")[0] + 2


def test_left_is_the_persons_left_in_landmarks_and_regions():
    points = dict(zip(LANDMARKS, face().landmarks(STILL, 0)))
    pairs = [name[5:] for name in LANDMARKS if name.startswith("left ")]
    assert len(pairs) == 11
    for name in pairs:
        assert points[f"left {name}"][0] > points["nose tip"][0] > points[f"right {name}"][0], name
    assert points["left eye outer"][0] > points["left eye inner"][0]
    left, right = (face().regions(STILL, 0)[f"{side} cheek"] for side in ("left", "right"))
    middle = int(points["nose tip"][0])
    assert left[:, :middle].sum() == right[:, middle:].sum() == 0


def test_a_head_that_turns_to_the_right_of_the_picture_shows_more_of_its_right_cheek():
    course = resting(np.zeros(2), yaw_deg=np.array([-30.0, 30.0]))
    shares = []
    for index in (0, 1):
        regions = face().regions(course, index)
        left, right = regions["left cheek"], regions["right cheek"]
        x, y = np.round(face().landmarks(course, index)[LANDMARKS.index("right cheek" if index else "left cheek")]
                        ).astype(int)
        assert (right if index else left)[y, x] > 0.9
        shares.append(right.sum() / (left.sum() + right.sum()))
    assert shares[0] < 0.35 and shares[1] > 0.65


def test_the_nose_goes_right_with_yaw_and_down_with_pitch_and_the_brow_right_with_roll():
    def nose(name="nose tip", **setting):
        return face().landmarks(resting(np.zeros(1), **setting), 0)[LANDMARKS.index(name)]

    assert nose(yaw_deg=15.0)[0] > nose()[0] + 5
    assert nose(pitch_deg=10.0)[1] > nose()[1] + 5
    assert nose("forehead", roll_deg=10.0)[0] > nose("forehead")[0] + 5


def test_the_pulse_over_the_skin_is_the_persons_perfusion_where_nothing_shines():
    renderer = face(gloss=0.0)
    high, low, skin = swing(renderer)
    colour = np.asarray(renderer.who.pulse_colour) / renderer.who.pulse_colour[1]
    found = (low - high)[skin].mean(0) / (0.5 * (low + high))[skin].mean(0)
    np.testing.assert_allclose(found, 0.012 * colour, rtol=0.06)


def test_gloss_thins_the_pulse_and_carries_none():
    dull, shiny = face(gloss=0.0), face(gloss=0.04)
    gain = shiny._gain / dull._gain
    changes = []
    for renderer in (dull, shiny):
        high, low, skin = swing(renderer)
        changes.append((low - high)[skin].mean(0) / renderer._gain)
        assert gain < 1
    np.testing.assert_allclose(changes[0], changes[1], rtol=2e-3)


def test_more_blood_is_darker_skin_and_nothing_else_of_the_head():
    high, low, skin = swing(face(background=False), level=1.0)
    assert (high[skin] < low[skin]).all()
    rows, columns = np.round(face(background=False).landmarks(STILL, 0)[[4, 5]]).astype(int).T[::-1]
    np.testing.assert_array_equal(high[rows, columns], low[rows, columns])        # irises


def test_without_perfusion_nothing_pulses_at_all():
    high, low, _ = swing(face(perfusion=0.0), level=3.0)
    np.testing.assert_array_equal(high, low)


def test_the_map_of_perfusion_tells_the_pulse_of_each_pixel():
    renderer = face(gloss=0.0)
    high, low, skin = swing(renderer)
    relative = ((low - high) / (0.5 * (low + high)))[..., 1] / 0.012
    told = renderer.perfusion(STILL, 0)
    assert np.corrcoef(relative[skin], told[skin])[0, 1] > 0.98
    assert told[skin].mean() == pytest.approx(1, abs=0.06)


def test_the_pulse_arrives_later_where_the_map_of_delays_says():
    renderer = face(gloss=0.0)
    course = resting(np.zeros(2), pulse=np.array([[0.0, 1.0], [0.0, 0.0]]), delays_s=np.array([0.0, 0.04]))
    on, off = (renderer.linear(course, k) for k in (0, 1))
    skin = renderer.skin(course, 0) > 0.98
    told = (renderer.delay(course, 0) / 0.04 * renderer.perfusion(course, 0))[skin]
    seen = ((off - on)[..., 1] / off[..., 1])[skin]
    assert np.corrcoef(told, seen)[0, 1] > 0.97


def test_the_side_of_the_lamp_is_the_bright_one():
    for side in (-1, 1):                                             # of the picture: the person's left is its right
        course = resting(np.zeros(1), lamp=[1.5 * side, -0.3, 0.8])
        picture, regions = face().linear(course, 0)[..., 1], face().regions(course, 0)
        left, right = ((picture * regions[f"{name} cheek"]).sum() / regions[f"{name} cheek"].sum()
                       for name in ("left", "right"))
        assert side * (left - right) > 0.05 * (left + right)


def test_the_light_of_the_course_scales_the_picture():
    course = resting(np.zeros(1), light=[0.5, 0.7, 0.9])
    whole = face().linear(STILL, 0)
    np.testing.assert_allclose(face().linear(course, 0), whole * [0.5, 0.7, 0.9], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("setting", "message"), [
    ({"size_px": (640, 4.5)}, "Renderer: size_px must be width and height"), ({"size_px": 640.0}, "size_px"),
    ({"face_px": 0}, "Renderer: face_px must be between"), ({"face_px": float("nan")}, "face_px"),
    ({"centre": (1, 2, 3)}, "Renderer: centre must be two numbers"), ({"centre": 5.0}, "two numbers"),
    ({"centre": (1, float("inf"))}, "Renderer: centre")])
def test_a_wrong_size_or_place_is_refused_with_its_name(setting, message):
    with pytest.raises(ValueError, match=message):
        Renderer(person(1), look(1), **setting)


def test_a_person_and_a_look_in_the_wrong_order_are_refused():
    with pytest.raises(TypeError, match="Renderer: needs a Person and a Look, got Look and Person"):
        Renderer(look(1), person(1))


def test_a_frame_does_not_depend_on_the_frames_before():
    there_and_back = np.array([0, 1, 0.0])
    course = resting(np.zeros(3), yaw_deg=20 * there_and_back, blink=there_and_back, jaw=there_and_back)
    alone = face().linear(course, 0)
    face().linear(course, 1)
    np.testing.assert_array_equal(face().linear(course, 2), alone)


def test_skin_has_no_eyes_and_no_mouth():
    skin, points = face().skin(STILL, 0), np.round(face().landmarks(STILL, 0)).astype(int)
    for name in ("left iris", "right iris", "left brow"):
        x, y = points[LANDMARKS.index(name)]
        assert skin[y, x] < 0.25, name
    assert all(skin[points[LANDMARKS.index(name)][1], points[LANDMARKS.index(name)][0]] > 0.95
               for name in ("left cheek", "right cheek", "forehead"))


def test_a_head_out_of_the_picture_leaves_the_room():
    course = resting(np.zeros(1), x=9.0)
    assert np.isfinite(face().linear(course, 0)).all()
    assert face().skin(course, 0).sum() == 0


def test_the_edge_of_the_picture_cuts_a_face_and_changes_nothing_of_the_rest():
    setting = {"face_px": 150.0, "background": False}
    whole = Renderer(person(1), look(1, **PLAIN), size_px=(240, 260), centre=(119.5, 129.5), **setting)
    cut = Renderer(person(1), look(1, **PLAIN), size_px=(120, 150), centre=(119.5 - 97, 129.5 - 83), **setting)
    course = resting(np.zeros(1), yaw_deg=10.0, x=0.013)
    part = whole.linear(course, 0)[83:233, 97:217] / whole._gain
    inner = (slice(2, -2), slice(2, -2))
    np.testing.assert_allclose((cut.linear(course, 0) / cut._gain)[inner], part[inner], atol=0.01)


def test_typology_angle_of_known_colours():
    white, black = ita_deg(np.array([0.9, 0.9, 0.8])), ita_deg(np.array([0.02, 0.02, 0.015]))
    assert white > 50 and black < -60


def test_typology_angle_falls_from_tone_one_to_six():
    angles = []
    for tone in (0, 1, 3, 5):
        renderer = face(tone=tone, size=(120, 130), face_px=75.0, background=False)
        skin = renderer.skin(STILL, 0) > 0.95
        picture = renderer.linear(STILL, 0)[skin].mean(0) / renderer._gain
        angles.append(float(ita_deg(picture)))
    assert (np.diff(angles) < 0).all(), angles


def flicker(size_px, share, *, naive=False):
    """Wander of the mean over the skin, in percent, of a small picture beside one of five times its size."""
    who, appearance = dataclasses.replace(person(1), perfusion=0.0), look(1, **PLAIN)
    large = Renderer(who, appearance, size_px=(5 * size_px, 5 * size_px), face_px=5 * share * size_px)
    with pytest.MonkeyPatch.context() as patch:
        if naive:                                # no smooth maps, no finer pictures, rays that stay with the picture
            patch.setattr(render, "MIP_PX", 0.02)
            patch.setattr(render, "SMALL_CROP", (0.0, 160))
            patch.setattr(render, "grid_over", lambda box, size, step, anchor: grid_over(box, size, step))
        small = Renderer(who, appearance, size_px=(size_px, size_px), face_px=share * size_px)
        times = np.arange(24) / 24
        course = resting(times, x=0.04 * np.sin(6.3 * times), y=0.03 * np.sin(12.6 * times))
        ratio = []
        for index in range(len(times)):
            weight = small.skin(course, index)
            blurred = cv2.GaussianBlur(large.linear(course, index), (0, 0), 5 * render.BLUR_PX)   # by the same lens
            shrunk = cv2.resize(blurred, (size_px, size_px), interpolation=cv2.INTER_AREA)
            seen, true = ((picture[..., 1] * weight).sum() for picture in (small.linear(course, index), shrunk))
            ratio.append(seen / true)
    return 100 * np.std(ratio)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.58, 0.8])
@pytest.mark.parametrize(("size_px", "bound"), [(36, 0.06), (72, 0.03), (128, 0.015)])
def test_the_mean_of_a_moving_face_flickers_far_less_than_a_pulse(size_px, bound, share):
    found, naive = flicker(size_px, share), flicker(size_px, share, naive=True)
    assert found < bound, (found, naive)
    assert found < 0.6 * naive, (found, naive)


@pytest.mark.slow
def test_face_finders_find_the_faces_and_their_corners(face_model):
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).parents[3]))
    from tools.judge_faces import judge, summary

    rows = judge(6, conditions=["frontal", "yaw +25", "pitch -15", "crop 72"])
    everything = summary(rows, "condition")[-1]
    assert everything["landmarker"] == everything["blazeface"] == 1
    assert everything["haar"] >= 0.9
    assert everything["within 5 %"] >= 0.95
