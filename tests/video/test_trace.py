"""The whole way from a film to colours: what is read, kept, refused and said."""

import gc
import weakref

import numpy as np
import pytest

from rppg_lib.video import FaceTrace, Frame, FrameQuality, face_trace, face_traces, frame_trace, write_video
from rppg_lib.video.facetrace import spans
from rppg_lib.video.track import FOUND, LOST

from .pretend import FS, Pretend, even_film

THERE = Pretend(lambda t: [(40, 20, 60, 60)])


def test_the_mean_of_an_even_face_is_its_colour():
    trace = face_trace(even_film(), finder=THERE, regions=("skin", "cheeks", "patches 2x2"))
    assert trace.share_found == 1 and trace.notes == () and trace.finder == "pretend"
    assert list(trace.rgb) == ["skin", "cheeks", *(f"patch {r},{c} of 2x2" for r in (1, 2) for c in (1, 2))]
    for rgb in trace.rgb.values():
        np.testing.assert_allclose(rgb, np.broadcast_to([120.0, 90, 70], (150, 3)), rtol=1e-12)
    assert repr(trace).startswith("FaceTrace(150 frames, face in 100 %, by pretend, skin")


def test_a_pulse_put_into_the_pixels_comes_out():
    wave = np.sin(2 * np.pi * 1.2 * np.arange(300) / FS)

    def beating():
        dither = np.random.default_rng(0).uniform(0, 1, (120, 200, 3))
        for k in range(300):
            yield np.floor(np.array([120, 90, 70]) * (1 + 0.004 * wave[k]) + dither).astype(np.uint8), k / FS
    clip = face_trace(beating(), finder=THERE).clip()
    green = clip.rgb[:, 1]
    assert np.corrcoef(green, wave)[0, 1] > 0.99
    assert np.ptp(green) / green.mean() == pytest.approx(0.008, rel=0.1)


def test_the_quality_of_each_frame_is_that_of_the_picture():
    def picture(k):
        image = np.full((120, 200, 3), (100, 80, 60), np.uint8)
        if k >= 75:
            image[:, 70:] = 255
        return image
    moving = Pretend(lambda t: [(40 + 30 * max(t - 3, 0), 20, 60, 60)])
    quality = face_trace(((picture(k), k / FS) for k in range(150)), finder=moving, smooth_s=0).quality
    assert isinstance(quality, FrameQuality)
    assert (quality.clipped[:75] == 0).all() and (quality.clipped[75:90] > 0.3).all()
    np.testing.assert_allclose(quality.brightness[:75], 80)
    np.testing.assert_allclose(quality.width_px, 60)
    np.testing.assert_allclose(quality.motion_px[1:90], 0, atol=1e-9)
    np.testing.assert_allclose(quality.motion_px[91:], 1.0, atol=1e-9)
    assert np.isnan(quality.motion_px[0])


def test_clipped_pixels_are_left_out_on_request():
    def glossy():
        for image, time_s in even_film(40):
            image[40:60, 60:80] = 255
            yield image, time_s
    plain, without = (face_trace(glossy(), finder=THERE, regions="face", leave_clipped=leave)
                      for leave in (False, True))
    np.testing.assert_allclose(without.rgb["face"], np.broadcast_to([120.0, 90, 70], (40, 3)), rtol=1e-12)
    assert (plain.rgb["face"][:, 0] > 125).all()
    np.testing.assert_array_equal(plain.quality.clipped, without.quality.clipped)
    np.testing.assert_array_equal(plain.pixels["face"] - without.pixels["face"], 400)


def test_frames_of_a_long_film_are_not_kept():
    alive, most = weakref.WeakSet(), [0]

    class Picture(np.ndarray):
        pass

    def long_film():
        for k in range(900):
            image = np.full((60, 80, 3), 90, np.uint8).view(Picture)
            alive.add(image)
            most[0] = max(most[0], len(alive))
            yield image, k / FS
            del image
    Picture.__hash__ = object.__hash__
    trace = face_trace(long_film(), finder=Pretend(lambda t: [(20, 10, 40, 40)]))
    gc.collect()
    assert len(trace) == 900 and most[0] < 45 and not alive


def test_large_pictures_wait_in_smaller_numbers():
    alive, most = [0], [0]

    class Frame4k:
        def __init__(self, time_s):
            self.image, self.time_s = np.zeros((2160, 3840, 3), np.uint8), time_s
            alive[0] += 1
            most[0] = max(most[0], alive[0])
            weakref.finalize(self.image, self.gone)

        @staticmethod
        def gone():
            alive[0] -= 1
    face_trace((Frame4k(k / FS) for k in range(40)), finder=Pretend(lambda t: [(300, 300, 400, 400)]))
    assert most[0] < 16


@pytest.mark.parametrize("source, error, text", [
    (3.5, TypeError, "video: needs a path"), (None, TypeError, "video: needs a path"),
    (True, TypeError, "video: needs a path"),
    ([(np.zeros((9, 9), np.uint8), 0.0)], ValueError, r"got \(9, 9\) at frame 0"),
    ([(np.zeros((9, 9, 3)), 0.0)], ValueError, "uint8"),
    ([(np.zeros((9, 9, 3), np.uint8), 0.0)] * 2, ValueError, "frame 1 at 0 s follows 0 s"),
    ([(np.zeros((9, 9, 3), np.uint8), np.nan)], ValueError, "times must increase"),
    ([("picture", 0.0)], ValueError, "got str at frame 0")])
def test_what_is_no_film_is_refused_in_one_line(source, error, text):
    with pytest.raises(error, match=text) as caught:
        face_trace(source, finder=THERE)
    assert "\n" not in str(caught.value)


def test_an_empty_film_and_a_single_frame_are_said_to_be_so():
    empty = face_trace([], finder=THERE)
    assert len(empty) == 0 and empty.notes == ("no pictures",) and empty.stretches() == [] and empty.share_found == 0
    with pytest.raises(ValueError, match="found none with region 'skin' in 0 frames"):
        empty.clip()
    single = face_trace(even_film(1), finder=THERE)
    assert len(single) == 1 and single.state.tolist() == [FOUND] and single.clips() == []


@pytest.mark.parametrize("wrong, text", [
    ({"every": 0}, "every must be a whole number"), ({"every": 1.5}, "every must be"), ({"smooth_s": -1}, "smooth_s"),
    ({"smooth_s": float("nan")}, "smooth_s"), ({"regions": "nose"}, "region: needs one of"),
    ({"regions": "frame"}, "Use frame_trace"), ({"regions": ()}, "at least one region")])
@pytest.mark.parametrize("trace", [face_trace, face_traces])
def test_settings_that_make_no_sense_are_refused_before_the_film_is_opened(trace, wrong, text, tmp_path):
    with pytest.raises(ValueError, match=text):
        trace(tmp_path / "absent.mp4", finder=THERE, **wrong)


def test_a_film_may_be_cut_short_and_tells_how_far_it_is():
    told = []
    trace = face_trace(even_film(60), finder=THERE, progress=lambda done, total: told.append((done, total)))
    assert len(trace) == 60 and told[-1] == (60, None) and len(told) == 60


def test_frames_of_a_video_and_bare_pairs_give_the_same():
    frames = [Frame(image=image, time_s=time_s, index=k) for k, (image, time_s) in enumerate(even_film(40))]
    one, other = face_trace(frames, finder=THERE), face_trace(even_film(40), finder=THERE)
    np.testing.assert_array_equal(one.rgb["skin"], other.rgb["skin"])


def test_a_file_is_read_with_its_stamps_and_its_report(tmp_path):
    path = tmp_path / "film.mp4"
    times = np.arange(60) / FS + np.where(np.arange(60) >= 30, 0.2, 0)
    write_video(path, (image for image, _ in even_film(60)), times_s=times, codec="lossless")
    trace = face_trace(path, finder=THERE)
    np.testing.assert_allclose(trace.times_s, times, atol=1e-3)
    assert trace.info.width == 200 and trace.report.frames == 60
    np.testing.assert_allclose(trace.rgb["skin"], np.broadcast_to([120.0, 90, 70], (60, 3)), atol=2)


def test_whole_pictures_are_read_where_they_are_all_skin():
    trace = frame_trace(even_film(40))
    assert trace.finder == "none" and trace.notes == () and trace.share_found == 1
    np.testing.assert_allclose(trace.rgb["frame"], np.broadcast_to([120.0, 90, 70], (40, 3)))
    assert (trace.pixels["frame"] == 120 * 200).all()


def made(times, lost=(), rgb=None):
    """Return a trace that says so, with a ramp for colours."""
    times = np.asarray(times, float)
    rgb = 100 + 5 * np.stack([times, 2 * times, -times], 1) if rgb is None else rgb
    state = np.full(len(times), FOUND, np.int8)
    for start, end in lost:
        state[(times >= start) & (times < end)] = LOST
    rgb = np.where((state == LOST)[:, None], np.nan, rgb)
    nothing = np.full(len(times), np.nan)
    quality = FrameQuality(brightness=nothing, clipped=nothing, sharpness=nothing, motion_px=nothing, width_px=nothing)
    return FaceTrace(times_s=times, rgb={"skin": rgb}, pixels={"skin": np.ones(len(times), int)},
                     box=np.zeros((len(times), 4)), state=state, quality=quality, finder="pretend")


def test_a_clip_is_even_in_time_whatever_the_stamps():
    times = np.cumsum(np.random.default_rng(0).choice([1, 1, 1, 2], 120)) / FS
    clip = made(times).clip()
    at = clip.start_s + np.arange(len(clip)) / clip.fs
    assert clip.fs == pytest.approx(30) and clip.condition == "skin"
    np.testing.assert_allclose(clip.rgb, 100 + 5 * np.stack([at, 2 * at, -at], 1), atol=1e-9)
    slower = made(times).clip(fs=20)
    assert slower.fs == 20 and len(slower) == pytest.approx(20 * np.ptp(times), abs=1)


def test_a_short_gap_is_bridged_and_a_long_one_splits_the_trace():
    times = np.arange(150) / FS
    bridged = made(times, lost=[(1.0, 1.4)])
    np.testing.assert_allclose(bridged.clip().rgb, made(times).clip().rgb, atol=1e-9)
    split = made(times, lost=[(0, 0.5), (2.0, 3.0)])
    with pytest.raises(ValueError, match="no face from 2.0 to 3.0 s. Use FaceTrace.clips"):
        split.clip()
    first, second = split.clips()
    assert (first.start_s, second.start_s) == (0.5, 3.0)
    assert (len(first), len(second)) == (45, 60)
    assert [len(clip) for clip in split.clips(min_s=1.8)] == [60]
    with pytest.raises(ValueError, match="has regions skin, asked for 'cheeks'"):
        split.clip("cheeks")


def test_slow_films_have_no_gaps_between_their_frames():
    clip = made(np.arange(20) * 0.8).clip()
    assert clip.fs == pytest.approx(1.25) and len(clip) == 20


def test_spans_are_runs():
    assert spans(np.arange(4.0), np.array([True, False, True, True])) == [(0.0, 0.0), (2.0, 3.0)]
