"""MediaPipe's points are read where its library leaves them, and are those that it hands out."""

import numpy as np
import pytest

from rppg_lib import simulate
from rppg_lib.video import landmarker
from rppg_lib.video.landmarker import Landmarker, as_numbers, as_objects


@pytest.fixture(scope="module")
def pictures():
    """One face, two faces, none."""
    stage = simulate.Stage(size_px=(320, 240), face_px=120)
    one, other = (next(simulate.film(simulate.person(number), seconds=2, stage=stage).frames()) for number in (5, 8))
    return one, np.hstack([one, other]), np.zeros((240, 320, 3), np.uint8)


def seen(pictures, look):
    finder = Landmarker()
    assert finder._look is as_numbers                                # this release can be read so
    finder._look = look
    try:
        return [[face.landmarks for face in finder.find(picture, k / 30)] for k, picture in enumerate(pictures)]
    finally:
        finder.close()


def test_both_ways_to_read_the_points_give_the_same_bits(pictures, face_model):
    numbers, objects = seen(pictures, as_numbers), seen(pictures, as_objects)
    assert [len(faces) for faces in numbers] == [len(faces) for faces in objects] == [1, 2, 0]
    for mine, theirs in zip(sum(numbers, []), sum(objects, [])):
        assert mine.shape == (478, 2) and mine.dtype == theirs.dtype == np.float64
        np.testing.assert_array_equal(mine, theirs)
    (face,) = numbers[0]
    assert 100 < np.ptp(face[:, 1]) < 200 and abs(face.mean(0) - (160, 120)).max() < 40


def test_numbers_outlive_the_look_that_they_come_from(pictures, face_model):
    finder = Landmarker()
    (first,) = finder.find(pictures[0], 0.0)
    before = first.landmarks.copy()
    for k in range(1, 6):
        finder.find(pictures[1], k / 30)
    finder.close()
    np.testing.assert_array_equal(first.landmarks, before)


def test_another_release_is_read_as_it_hands_points_out(pictures, face_model, monkeypatch):
    def changed(*_):
        raise AttributeError("module 'mediapipe' has no attribute '_lib'")

    monkeypatch.setattr(landmarker, "as_numbers", changed)
    finder = Landmarker()
    assert finder._look is as_objects and len(finder.find(pictures[0], 0.0)) == 1
    finder.close()
