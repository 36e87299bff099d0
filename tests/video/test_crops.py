"""Face crops: exact content, where the square lies, what is missing, and time stamps that are not even."""

import cv2
import numpy as np
import pytest

from rppg_lib.video import face_crops
from rppg_lib.video.crops import cut, lean_deg, square_about
from rppg_lib.video.faces import FaceSeen
from rppg_lib.video.regions import LEFT_EYE, RIGHT_EYE

from .pretend import FS, Pretend, even_film

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (120, 200, 3), dtype=np.uint8)


def moving(frames=30, times=None):
    """Yield a picture that moves to the right by two pixels a frame."""
    for k in range(frames):
        yield np.roll(PICTURE, 2 * k, 1), k / FS if times is None else times[k]


def test_a_crop_is_the_area_mean_of_the_square_about_the_box():
    crops = face_crops(moving(3), size_px=16, scale=1.5, finder=Pretend(lambda t: [(80, 40, 30, 32)]))
    (first, start), *_ = list(crops)
    expected = PICTURE[32:80, 71:119].reshape(16, 3, 16, 3, 3).mean((1, 3))       # side 48 about (95, 56)
    assert start == 0 and first.shape == (16, 16, 3) and crops.finder == "pretend"
    np.testing.assert_allclose(first, expected, atol=0.51)


def test_one_square_stays_and_the_other_follows_the_face():
    finder = Pretend(lambda t: [(30 + 2 * round(t * FS), 40, 24, 32)])
    stays = list(face_crops(moving(), size_px=48, box="first", finder=finder))
    np.testing.assert_array_equal(stays[20][0], np.roll(PICTURE, 40, 1)[32:80, 18:66])
    follows = list(face_crops(moving(), size_px=48, box="follow", finder=finder))
    for picture, _ in follows:
        np.testing.assert_array_equal(picture, follows[0][0])


def test_what_lies_outside_of_the_picture_repeats_its_rim():
    out = cut(PICTURE, (-10.0, -5.0, 40.0), size_px=40)
    np.testing.assert_array_equal(out[5:, 10:], PICTURE[:35, :30])
    np.testing.assert_array_equal(out[:5, 10:], np.broadcast_to(PICTURE[0, :30], (5, 30, 3)))
    np.testing.assert_array_equal(out[5:, 0], PICTURE[:35, 0])
    assert not cut(PICTURE, (500.0, 500.0, 40.0), size_px=8).any()


def test_a_leaning_face_stands_upright_when_asked():
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.zeros((478, 2))
    points[list(LEFT_EYE)], points[list(RIGHT_EYE)] = (15, -10), (-15, -10)
    points[10], points[152] = (0, -30), (0, 30)
    points = points @ turn.T + (100, 60)
    assert lean_deg(points) == pytest.approx(20)
    assert lean_deg(points[:2]) == 0
    upright = np.full((120, 200, 3), 40, np.uint8)
    upright[46:52, 70:130] = 200                                      # a bar across the eyes
    leaning = cv2.warpAffine(upright, cv2.getRotationMatrix2D((100, 60), -20, 1.0), (200, 120),
                             borderMode=cv2.BORDER_REPLICATE)
    square = (70.5, 30.5, 60.0)
    again = cut(leaning, square, size_px=60, lean_deg=20).astype(int)
    assert abs(again - upright[30:90, 70:130]).mean() < 8
    assert abs(cut(leaning, square, size_px=60).astype(int) - upright[30:90, 70:130]).mean() > 20


def test_an_upright_crop_follows_the_eyes_of_the_face_that_is_found():
    points = np.full((478, 2), 60.0)
    points[list(LEFT_EYE)], points[list(RIGHT_EYE)] = (80, 70), (40, 50)
    points[10], points[152] = (70, 20), (50, 100)

    class Leaning(Pretend):
        def find(self, image, time_s):
            low = points.min(0)
            return [FaceSeen((*low, *np.ptp(points, axis=0)), points)]
    (picture, _), *_ = list(face_crops(moving(3), size_px=40, upright=True, finder=Leaning(None)))
    square = square_about(np.array([40.0, 20, 40, 80]), scale=1.5)
    np.testing.assert_array_equal(picture, cut(PICTURE, square, size_px=40, lean_deg=float(np.degrees(
        np.arctan2(20, 40)))))


def test_frames_without_a_face_are_counted_and_refused_in_a_clip():
    crops = face_crops(even_film(90), finder=Pretend(lambda t: [] if 1 <= t < 2 else [(40, 20, 60, 60)]))
    assert len(list(crops)) == 60 and (crops.missing, crops.frames) == (30, 90)
    again = face_crops(even_film(90), finder=Pretend(lambda t: [] if 1 <= t < 2 else [(40, 20, 60, 60)]))
    with pytest.raises(ValueError, match="found none in 30 of 90"):
        again.clip()


def test_a_clip_of_an_even_film_holds_its_pictures():
    finder = Pretend(lambda t: [(80, 40, 24, 32)])
    clip = face_crops(moving(30), size_px=48, finder=finder).clip()
    assert clip.fs == pytest.approx(30) and clip.frames.shape == (30, 48, 48, 3)
    np.testing.assert_array_equal(clip.frames[7], np.roll(PICTURE, 14, 1)[32:80, 68:116])


def test_uneven_time_stamps_are_evened_out_by_mixing_neighbours():
    times = np.cumsum(np.r_[0, np.where(np.arange(59) % 7 == 3, 2.0, 1.0)]) / FS  # every seventh step is twice as long
    grey = ((np.full((120, 200, 3), round(20 + 60 * t), np.uint8), t) for t in times)
    clip = face_crops(grey, finder=Pretend(lambda t: [(40, 20, 60, 60)])).clip()
    at = np.arange(len(clip)) / clip.fs
    assert clip.fs == pytest.approx(30) and at[-1] == pytest.approx(times[-1], abs=0.04)
    np.testing.assert_allclose(clip.frames[:, 0, 0, 0], 20 + 60 * at, atol=1.1)


def test_a_hole_in_the_time_stamps_is_refused():
    times = np.arange(40) / FS + np.where(np.arange(40) >= 20, 0.9, 0)
    with pytest.raises(ValueError, match=r"got none between 0\.63 and 1\.57 s"):
        face_crops(moving(40, times), finder=Pretend(lambda t: [(40, 20, 60, 60)])).clip()


@pytest.mark.parametrize("wrong, text", [
    ({"size_px": 7}, "size_px must be"), ({"size_px": 72.0}, "size_px must be"), ({"every": 0}, "every must be"),
    ({"box": "tracked"}, "box must be one of first, follow"), ({"scale": 0.1}, "scale must lie")])
def test_settings_that_make_no_sense_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        face_crops(moving(), **wrong)


def test_a_clip_needs_two_frames():
    for frames in (0, 1):
        with pytest.raises(ValueError, match="face_crops: needs"):
            face_crops(moving(frames), finder=Pretend(lambda t: [(40, 20, 60, 60)])).clip()
