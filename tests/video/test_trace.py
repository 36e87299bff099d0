"""A face that a stand-in finder reports: its colours, its states, and what is said about them."""

import numpy as np
import pytest

from rppg_lib.video.faces import FaceSeen
from rppg_lib.video.trace import face_trace, face_traces

FS = 30.0


class Pretend:
    """Finds what it is told: a function from time to boxes."""

    name = "pretend"

    def __init__(self, boxes):
        self.boxes = boxes

    def find(self, image, time_s):
        return [FaceSeen(tuple(box)) for box in self.boxes(time_s)]

    def close(self):
        pass


def film(frames=150, colour=(120, 90, 70), size=(120, 200)):
    for k in range(frames):
        image = np.full((*size, 3), colour, np.uint8)
        yield image, k / FS


def test_the_mean_of_an_even_face_is_its_colour():
    trace = face_trace(film(), finder=Pretend(lambda t: [(40, 20, 60, 60)]), regions=("skin", "cheeks"))
    assert trace.share_found == 1 and trace.notes == () and trace.finder == "pretend"
    for rgb in trace.rgb.values():
        np.testing.assert_allclose(rgb, np.broadcast_to([120.0, 90, 70], (150, 3)), rtol=1e-12)


def test_a_short_loss_is_held_and_a_long_one_is_lost_without_colours():
    def boxes(t):
        return [] if 1 <= t < 1.3 or 2 <= t < 3.5 else [(40, 20, 60, 60)]
    trace = face_trace(film(), finder=Pretend(boxes))
    np.testing.assert_array_equal(trace.state[30:39], 1)
    np.testing.assert_array_equal(trace.state[60:105], 2)
    assert np.isnan(trace.rgb["skin"][60:105]).all() and np.isfinite(trace.rgb["skin"][:60]).all()
    assert trace.notes[0] == "no face in 45 of 150 frames: 2.0 to 3.5 s"
    assert len(trace.clips()) == 2
    with pytest.raises(ValueError, match="without gaps"):
        trace.clip()


def test_a_film_without_a_face_says_so():
    trace = face_trace(film(30), finder=Pretend(lambda t: []))
    assert trace.share_found == 0 and trace.notes == ("no face in any of 30 frames",) and trace.stretches() == []


def test_two_faces_that_grow_and_shrink_stay_themselves():
    def boxes(t):
        a, b = 30 + 6 * t, 60 - 6 * t
        return [(10, 10, a, a), (110, 10, b, b)][::1 if int(t * FS) % 2 else -1]
    left, right = sorted(face_traces(film(), finder=Pretend(boxes)), key=lambda trace: trace.box[0, 0])
    np.testing.assert_allclose(left.box[:, 0], 10, atol=0.5)
    np.testing.assert_allclose(right.box[:, 0], 110, atol=0.5)
    alone = face_trace(film(), finder=Pretend(boxes))
    np.testing.assert_allclose(alone.box[:, 0], 110, atol=0.5)          # the larger one at first


def test_looking_at_every_third_frame_finds_nearly_the_same_place():
    def boxes(t):
        return [(60 + 20 * np.sin(2 * np.pi * 0.3 * t), 20, 60, 60)]
    each, third = (face_trace(film(), finder=Pretend(boxes), every=n) for n in (1, 3))
    assert third.share_found == 1
    assert abs(each.box - third.box).max() < 1.0


def test_smoothing_takes_most_of_the_tremble_and_none_of_the_way():
    rng = np.random.default_rng(0)
    way = 60 + 20 * np.sin(2 * np.pi * 0.5 * np.arange(150) / FS)
    seen = way + rng.normal(0, 1.0, 150)
    moving = face_trace(film(), finder=Pretend(lambda t: [(seen[round(t * FS)], 20, 60, 60)]))
    still = face_trace(film(), finder=Pretend(lambda t: [(60 + seen[round(t * FS)] - way[round(t * FS)], 20, 60, 60)]))
    assert (moving.box[8:-8, 0] - way[8:-8]).std() < 0.6
    assert (still.box[8:-8, 0] - 60).std() < 0.4


def test_a_jump_of_place_is_followed_at_once_and_noted():
    trace = face_trace(film(), finder=Pretend(lambda t: [(10 if t < 2 else 130, 20, 60, 60)]))
    assert trace.share_found == 1 and "changed its place at once at 2.0 s" in " ".join(trace.notes)
    np.testing.assert_allclose(trace.box[:, 0], np.where(trace.times_s < 2, 10, 130))
