import weakref

import av
import numpy as np
import pytest

from rppg_lib.video.read import open_video
from rppg_lib.video.write import write_video
from tests.video.films import COLOURS, chart, chart_values, moving


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "lossless"), ("mkv", "lossless"), ("avi", "lossless"),
                                               ("mkv", "ffv1"), ("avi", "huffyuv"), ("avi", "raw")])
def test_lossless_returns_every_value_as_it_was(tmp_path, suffix, codec):
    noise = np.random.default_rng(3).integers(0, 256, (7, 47, 63, 3), dtype=np.uint8)
    written = write_video(tmp_path / f"a.{suffix}", iter(noise), fs=29.97, codec=codec)
    video = open_video(written.path)
    back = list(video)
    np.testing.assert_array_equal(np.stack([frame.image for frame in back]), noise)
    np.testing.assert_allclose([frame.time_s for frame in back], np.arange(7) / 29.97, atol=6e-4)
    assert video.info.fs == pytest.approx(29.97, rel=1e-3) and video.report.repaired_stamps == 0


@pytest.mark.parametrize(("suffix", "codec", "size"), [("mp4", "h264", (160, 96)), ("mp4", "h264", (1280, 720)),
                                                       ("avi", "h264", (160, 96)), ("mkv", "hevc", (160, 96)),
                                                       ("avi", "mjpeg", (160, 96)), ("mp4", "mjpeg", (160, 96))])
def test_a_known_colour_survives_within_two_levels(tmp_path, suffix, codec, size):
    if codec == "hevc" and "libx265" not in av.codecs_available:
        pytest.skip("this build has no libx265")
    quality = {"crf": 1} if codec == "mjpeg" else {"crf": 4, "preset": "veryfast"}
    written = write_video(tmp_path / f"a.{suffix}", [chart(size)] * 4, fs=30, codec=codec, **quality)
    frames = list(open_video(written.path))
    assert len(frames) == 4 and np.abs(chart_values(frames[2].image) - COLOURS).max() <= 2


@pytest.mark.parametrize(("suffix", "within_s"), [("mp4", 1.2e-5), ("mov", 1.2e-5), ("mkv", 1.1e-3)])
def test_uneven_times_are_kept(tmp_path, suffix, within_s):
    times_s = 7 + np.cumsum(np.random.default_rng(0).uniform(0.01, 0.08, 20))
    written = write_video(tmp_path / f"a.{suffix}", moving(20), times_s=times_s)
    video = open_video(written.path)
    np.testing.assert_allclose([frame.time_s for frame in video], times_s - times_s[0], atol=within_s)
    assert video.info.fs == pytest.approx(19 / (times_s[-1] - times_s[0]), rel=0.1)
    assert written.seconds == pytest.approx((times_s[-1] - times_s[0]) * 20 / 19)


def test_the_kilobits_are_those_of_the_file_and_follow_the_settings(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (60, 96, 160, 3), dtype=np.uint8)
    fine, coarse = (write_video(tmp_path / f"{crf}.mp4", pictures, fs=30, crf=crf, preset="veryfast", tune="film")
                    for crf in (10, 40))
    assert fine.kbps == pytest.approx((tmp_path / "10.mp4").stat().st_size * 8 / 1000 / 2) and fine.seconds == 2
    assert fine.kbps > 3 * coarse.kbps and fine.frames == 60
    aimed = write_video(tmp_path / "aimed.mp4", pictures, fs=30, kbps=2000)
    assert 1000 < aimed.kbps < 4000


def test_a_failure_leaves_nothing_and_keeps_what_was_there(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, moving(3), fs=30)
    before = path.read_bytes()

    def breaks(error):
        yield from moving(5)
        raise error

    for error in (KeyboardInterrupt(), RuntimeError("out of pictures")):
        with pytest.raises(type(error)):
            write_video(path, breaks(error), fs=30)
        assert path.read_bytes() == before and [item.name for item in tmp_path.iterdir()] == ["a.mp4"]


def test_only_a_few_pictures_are_held_at_a_time(tmp_path):
    alive, most = [], []

    def pictures():
        for picture in moving(60):
            picture = picture.copy()
            alive.append(weakref.ref(picture))
            most.append(sum(reference() is not None for reference in alive))
            yield picture

    write_video(tmp_path / "a.avi", pictures(), fs=30, codec="raw")
    assert max(most) <= 6


@pytest.mark.parametrize(("frames", "how", "error", "words"), [
    ([], {"fs": 30}, ValueError, "at least one picture"),
    ([np.zeros((4, 4, 3))], {"fs": 30}, ValueError, "uint8, got float64"),
    ([np.zeros((4, 4, 4), np.uint8)], {"fs": 30}, ValueError, "fourth channel"),
    ([np.zeros((4, 4), np.uint8)], {"fs": 30}, ValueError, "stack grey"),
    ([np.zeros((48, 64, 3), np.uint8), np.zeros((48, 60, 3), np.uint8)], {"fs": 30}, ValueError, "one size; number 1"),
    ([np.zeros((47, 64, 3), np.uint8)], {"fs": 30}, ValueError, "even width and height"),
    (["a"], {"fs": 30}, TypeError, "got str"), (3, {"fs": 30}, TypeError, "got int"),
    (moving(2), {}, ValueError, "neither"), (moving(2), {"fs": 30, "times_s": [0, 1]}, ValueError, "both"),
    (moving(2), {"fs": 0}, ValueError, "positive"), (moving(2), {"times_s": [0]}, ValueError, "1 times and more"),
    (moving(2), {"times_s": [0, 1, 2]}, ValueError, "more times"),
    (moving(2), {"times_s": [1, 1]}, ValueError, "increase"),
    (moving(2), {"times_s": [0, 1e-6]}, ValueError, "further apart"),
    (moving(2), {"fs": 30, "codec": "mpeg9"}, ValueError, "codec must be one of"),
    (moving(2), {"fs": 30, "codec": "huffyuv"}, ValueError, "does not fit into mp4"),
    (moving(2), {"fs": 30, "crf": 99}, ValueError, "between 0 and 51"),
    (moving(2), {"fs": 30, "crf": 20, "kbps": 300}, ValueError, "both"),
    (moving(2), {"fs": 30, "preset": "quickest"}, OSError, "Check preset"),
    (moving(2), {"fs": 30, "quality": 3}, TypeError, "quality"),
    (moving(2), {"fs": 30, "codec": "lossless", "crf": 3}, ValueError, "has no crf")])
def test_what_cannot_be_written_is_one_clear_error_and_no_file(tmp_path, frames, how, error, words):
    with pytest.raises(error, match=words) as caught:
        write_video(tmp_path / "a.mp4", frames, **how)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_the_name_says_the_container(tmp_path):
    with pytest.raises(ValueError, match="must end in"):
        write_video(tmp_path / "a.gif", moving(2), fs=30)
    with pytest.raises(ValueError, match="AVI keeps no times"):
        write_video(tmp_path / "a.avi", moving(2), times_s=[0, 1])
