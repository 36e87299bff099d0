"""Faces followed from frame to frame: identities, states, gaps, and smoothing against known ways."""

import numpy as np
import pytest

from rppg_lib import signal, simulate
from rppg_lib.video import finder
from rppg_lib.video.trace import face_trace, face_traces
from rppg_lib.video.track import FOUND, HELD, LOST, Sight, Tracker, closeness, fit_weights, smoothed

from .pretend import FS, Pretend, even_film

BOX = (40.0, 20.0, 60.0, 60.0)


def states(boxes, frames=150, **options):
    return face_trace(even_film(frames), finder=Pretend(boxes), **options)


def test_a_short_loss_is_held_and_a_long_one_is_lost_without_colours():
    trace = states(lambda t: [] if 1 <= t < 1.3 or 2 <= t < 3.5 else [BOX])
    np.testing.assert_array_equal(trace.state[30:39], HELD)
    np.testing.assert_array_equal(trace.state[60:105], LOST)
    assert (np.delete(trace.state, np.r_[30:39, 60:105]) == FOUND).all()
    assert np.isnan(trace.rgb["skin"][60:105]).all() and np.isfinite(trace.rgb["skin"][:60]).all()
    assert np.isfinite(trace.rgb["skin"][30:39]).all()
    assert trace.notes == ("no face in 45 of 150 frames: 2.0 to 3.5 s",
                           "the face was not found in 9 of 150 frames but on both sides of them: bridged")


@pytest.mark.parametrize("missing, state", [(1, HELD), (14, HELD), (15, LOST), (20, LOST)])
def test_half_a_second_between_two_sights_is_bridged_and_more_is_not(missing, state):
    trace = states(lambda t: [] if 60 <= round(t * FS) < 60 + missing else [BOX])
    np.testing.assert_array_equal(trace.state[60:60 + missing], state)
    assert (trace.state[:60] == FOUND).all() and (trace.state[60 + missing:] == FOUND).all()


@pytest.mark.parametrize("fs", [12, 120])
def test_a_loss_is_bridged_whatever_the_frame_rate(fs):
    film = [(np.full((60, 80, 3), 90, np.uint8), k / fs) for k in range(2 * fs)]
    trace = face_trace(film, finder=Pretend(lambda t: [] if 0.99 < t < 1.4 else [(20, 10, 40, 40)]))
    assert (trace.state == HELD).sum() == np.sum([0.99 < t < 1.4 for _, t in film]) and not (trace.state == LOST).any()


def test_a_held_face_is_on_the_straight_way_between_its_sights():
    trace = states(lambda t: [] if 2 <= t < 2.3 else [(20 + 20 * t, 20, 60, 60)])
    np.testing.assert_allclose(trace.box[60:69, 0], 20 + 20 * trace.times_s[60:69], atol=1e-6)


def test_a_face_that_comes_late_and_one_that_goes_are_found_while_they_are_there():
    trace = states(lambda t: [BOX] if 1.5 <= t < 4 else [])
    np.testing.assert_array_equal(np.flatnonzero(trace.state == FOUND), np.arange(45, 120))
    assert trace.notes == ("no face in 75 of 150 frames: 0.0 to 1.5 s, 4.0 to 5.0 s",)
    assert trace.stretches() == [(1.5, pytest.approx(119 / FS))]


def test_a_film_without_a_face_says_so():
    trace = states(lambda t: [], frames=30)
    assert trace.share_found == 0 and trace.notes == ("no face in any of 30 frames",) and trace.stretches() == []


def test_a_face_that_is_gone_for_long_and_another_one_are_told_apart_in_words():
    trace = states(lambda t: [BOX] if t < 1 else [(120, 40, 50, 50)] if t > 3.5 else [], frames=200)
    assert any(note.startswith("from 3.5 s on another face") for note in trace.notes)


def test_a_jump_of_place_is_followed_at_once_and_noted():
    trace = states(lambda t: [(10 if t < 2 else 130, 20, 60, 60)])
    assert trace.share_found == 1 and "changed its place at once at 2.0 s" in " ".join(trace.notes)
    np.testing.assert_allclose(trace.box[:, 0], np.where(trace.times_s < 2, 10, 130))
    assert np.nanmax(trace.quality.motion_px) < 1e-6                  # a cut is no motion


def test_two_faces_that_grow_and_shrink_stay_themselves():
    def boxes(t):
        a, b = 30 + 6 * t, 60 - 6 * t
        return [(10, 10, a, a), (110, 10, b, b)][::1 if int(t * FS) % 2 else -1]
    left, right = sorted(face_traces(even_film(), finder=Pretend(boxes)), key=lambda trace: trace.box[0, 0])
    np.testing.assert_allclose(left.box[:, 0], 10, atol=0.5)
    np.testing.assert_allclose(right.box[:, 0], 110, atol=0.5)
    alone = face_trace(even_film(), finder=Pretend(boxes))
    np.testing.assert_allclose(alone.box[:, 0], 110, atol=0.5)        # the larger one at first


def test_all_faces_come_largest_first_and_one_that_passes_by_is_counted_and_left_out():
    def boxes(t):
        return [(10, 10, 40, 40), (110, 10, 70, 70)] + ([(70, 90, 20, 20)] if 2 < t < 2.4 else [])
    traces = face_traces(even_film(), finder=Pretend(boxes))
    assert [round(trace.box[0, 2]) for trace in traces] == [70, 40]
    assert traces[0].notes == ("1 face seen for less than 1 s left out",)


def test_looking_at_every_third_frame_gives_nearly_the_same_trace():
    def boxes(t):
        return [(60 + 20 * np.sin(2 * np.pi * 0.3 * t), 20, 60, 60)]

    def slope():
        for k in range(150):
            image = np.empty((120, 200, 3), np.uint8)
            image[:] = np.linspace(50, 200, 200)[None, :, None]
            yield image, k / FS
    each, third = (face_trace(slope(), finder=Pretend(boxes), every=n) for n in (1, 3))
    assert (third.state == FOUND).all() and third.every == 3
    assert abs(each.box - third.box)[:-2].max() < 1.0                 # after the last look it stays where it was
    assert abs(each.rgb["skin"] - third.rgb["skin"])[:-2].max() < 0.5


def test_smoothing_takes_most_of_the_tremble_and_none_of_the_way():
    rng = np.random.default_rng(0)
    way = 60 + 20 * np.sin(2 * np.pi * 0.5 * np.arange(150) / FS)
    jitter = rng.normal(0, 1.0, 150)
    moving = states(lambda t: [((way + jitter)[round(t * FS)], 20, 60, 60)])
    still = states(lambda t: [(60 + jitter[round(t * FS)], 20, 60, 60)])
    assert (moving.box[8:-8, 0] - way[8:-8]).std() < 0.6
    assert (still.box[8:-8, 0] - 60).std() < 0.45
    raw = states(lambda t: [(60 + jitter[round(t * FS)], 20, 60, 60)], smooth_s=0)
    np.testing.assert_allclose(raw.box[:, 0], 60 + jitter, atol=1e-9)


def test_smoothing_has_no_lag():
    way = 60 + 8 * np.sin(2 * np.pi * 0.4 * np.arange(150) / FS)
    found = states(lambda t: [(way[round(t * FS)], 20, 60, 60)]).box[:, 0]
    late = [np.abs(found[20:-20] - np.roll(way, shift)[20:-20]).mean() for shift in (-2, -1, 0, 1, 2)]
    assert int(np.argmin(late)) == 2


@pytest.mark.parametrize("degree", [1, 2])
def test_weights_keep_what_a_polynomial_of_their_degree_keeps(degree):
    offsets = np.sort(np.random.default_rng(degree).uniform(-0.4, 0.4, 12))
    weights = fit_weights(offsets, reach_s=0.45, degree=degree)
    for power in range(degree + 1):
        assert weights @ offsets**power == pytest.approx(float(power == 0), abs=1e-9)


def test_a_smoothed_straight_way_is_that_way_under_uneven_stamps():
    times = np.cumsum(np.random.default_rng(3).uniform(0.02, 0.05, 30))
    sights = [Sight(k, t, np.array([[5 + 30 * t, 7 - 10 * t], [9.0, 30 * t]]), 0) for k, t in enumerate(times)]
    for k in (0, 1, 14, 29):
        np.testing.assert_allclose(smoothed(sights, times[k], smooth_s=0.5), sights[k].points, atol=1e-6)


def test_closeness_is_the_overlap_and_nothing_where_there_is_hardly_any():
    assert closeness((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert closeness((0, 0, 10, 10), (9, 9, 10, 10)) == 0


def test_a_tracker_forgets_what_it_cannot_need():
    tracker = Tracker()
    seen = Pretend(lambda t: [BOX])
    for k in range(600):
        tracker.add(k, k / FS, seen.find(None, 0.0))
        tracker.forget(k, k / FS)
    assert len(tracker.tracks) == 1 and len(tracker.tracks[0].sights) < 40 and len(tracker._looked) < 15
    for k in range(600, 700):
        tracker.add(k, k / FS, [])
        tracker.forget(k, k / FS)
    assert not tracker.tracks


def film_with_faces(scene, seed):
    """Return pictures with times, a finder that remembers the faces seen in them, and the true pulse."""
    film = simulate.film(simulate.person(seed, melanin=0.18, perfusion=0.012), scene=scene, seconds=8, seed=seed)
    pictures = list(zip(film.frames(), film.times_s, strict=True))
    looker = finder("landmarks")
    seen = {float(time_s): looker.find(image, time_s) for image, time_s in pictures}
    looker.close()
    remembering = Pretend(None)
    remembering.find = lambda image, time_s: seen[time_s]
    return pictures, remembering, film.reference


def likeness(trace, method, pulse):
    """Return the correlation of a method's wave with the true pulse, in the pulse band."""
    clip = trace.clip()
    found, true = (signal.bandpass(x, fs=FS, band_hz=(0.65, 4.0))[15:-15] for x in (method(clip.rgb, fs=FS), pulse))
    return np.corrcoef(found, true)[0, 1]


@pytest.mark.slow
def test_smoothing_helps_green_in_a_still_face_and_costs_pos_nothing_in_a_turning_one(face_model):
    pictures, faces, pulse = film_with_faces("still", 500)
    raw, smooth = (face_trace(pictures, finder=faces, smooth_s=s) for s in (0.0, 0.5))
    assert likeness(smooth, signal.green, pulse) > likeness(raw, signal.green, pulse) + 0.15
    pictures, faces, pulse = film_with_faces("turning", 500)
    raw, smooth = (face_trace(pictures, finder=faces, smooth_s=s) for s in (0.0, 0.5))
    assert likeness(smooth, signal.pos, pulse) > max(likeness(raw, signal.pos, pulse) - 0.02, 0.9)
