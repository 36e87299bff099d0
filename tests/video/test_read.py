import os

import av
import cv2
import numpy as np
import pytest

from rppg_lib.video import child as child_module
from rppg_lib.video.read import open_video
from tests.video.films import COLOURS, chart, chart_values, corner, film, moving, picture_file


def read(source, **how):
    video = open_video(source, **how)
    frames = list(video)
    return video, frames


def test_pictures_come_in_order_upright_and_with_their_times(tmp_path):
    pictures = moving(20)
    video, frames = read(film(tmp_path / "a.avi", pictures, codec="ffv1", look="bgr0", fs=25))
    assert (video.info.width, video.info.height, video.info.fs, video.info.frames) == (64, 48, 25, 20)
    assert video.info.kind == "file" and video.info.codec == "ffv1" and video.info.kbps > 0
    for number, frame in enumerate(frames):
        assert frame.index == number and frame.time_s == pytest.approx(number / 25)
        assert frame.image.dtype == np.uint8 and frame.image.flags.c_contiguous
        np.testing.assert_array_equal(frame.image, pictures[number])
    assert video.report.frames == 20 and video.report.complete
    assert video.report.damaged == video.report.repaired_stamps == video.report.duplicates == 0


def test_a_video_can_be_read_again_and_two_at_a_time(tmp_path):
    video = open_video(film(tmp_path / "a.mp4", moving(6)))
    first = [frame.image for frame in video]
    pairs = list(zip(video, video))
    assert len(first) == len(pairs) == 6
    for image, (a, b) in zip(first, pairs):
        np.testing.assert_array_equal(image, a.image)
        np.testing.assert_array_equal(image, b.image)


def test_uneven_times_are_the_true_ones(tmp_path):
    stamps = 5000 + np.cumsum([0, 3000, 3100, 2900, 9000, 3000, 1500, 4500])
    video, frames = read(film(tmp_path / "a.mp4", moving(8), stamps=stamps))
    np.testing.assert_allclose([frame.time_s for frame in frames], (stamps - stamps[0]) / 90000, atol=2e-5)
    assert video.report.repaired_stamps == 0
    assert video.info.fs == pytest.approx(7 * 90000 / (stamps[-1] - stamps[0]), rel=0.2)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turned_and_mirrored_recordings_come_upright(tmp_path, turn, mirrored):
    path = film(tmp_path / "a.mp4", [corner()] * 2, turn_deg=turn, mirrored=mirrored)
    video, frames = read(path)
    upright = corner()[:, ::-1] if mirrored else corner()            # the file's matrix mirrors, then turns
    expected = np.rot90(upright, turn // 90)
    if mirrored and turn in (90, 270):
        expected = expected[::-1, ::-1]
    assert frames[0].image.shape == expected.shape == (video.info.height, video.info.width, 3)
    assert np.abs(frames[0].image.astype(int) - expected)[4::8, 4::8].max() < 40
    if not mirrored:
        assert video.info.rotation_deg == -turn % 360
        by_another = cv2.VideoCapture(str(path)).read()[1][:, :, ::-1]
        assert np.abs(frames[0].image.astype(int) - by_another)[4::8, 4::8].mean() < 5


@pytest.mark.parametrize(("suffix", "codec", "look", "matrix", "full"), [
    ("mp4", "libx264", "yuv420p", 5, False), ("mp4", "libx264", "yuv420p", 1, False),
    ("mp4", "libx264", "yuv420p", 5, True), ("mp4", "libx264", "yuv420p", 1, True),
    ("mkv", "libx264", "yuv444p", 1, False), ("mkv", "libx264", "yuv420p10le", 5, False),
    ("avi", "mjpeg", "yuvj420p", 5, True), ("avi", "rawvideo", "bgr24", None, None),
    ("avi", "rawvideo", "yuyv422", 5, False),
    ("avi", "huffyuv", "rgb24", None, None), ("mkv", "ffv1", "bgra", None, None),
    ("mkv", "libx265", "yuv420p", 5, False)])
def test_colours_survive_within_two_levels(tmp_path, suffix, codec, look, matrix, full):
    if codec not in av.codecs_available:
        pytest.skip(f"this build has no {codec}")
    options = {"libx264": {"crf": "4"}, "libx265": {"x265-params": "crf=4:log-level=none"},
               "mjpeg": {"qmin": "1", "qmax": "1"}}.get(codec)
    path = film(tmp_path / f"a.{suffix}", [chart()] * 3, codec=codec, look=look, matrix=matrix, full=full,
                options=options)
    _, frames = read(path)
    assert len(frames) == 3
    assert np.abs(chart_values(frames[1].image) - COLOURS).max() <= 2


def test_grey_odd_and_scaled_pictures(tmp_path):
    pictures = moving(3, size=(63, 47))
    _, frames = read(film(tmp_path / "grey.mkv", pictures, codec="ffv1", look="gray"))
    assert frames[0].image.shape == (47, 63, 3) and np.ptp(frames[0].image, axis=-1).max() == 0
    grey = pictures[0] @ [0.299, 0.587, 0.114]
    assert np.abs(frames[0].image[..., 0] - grey).max() <= 2
    big = chart((640, 384))
    video, frames = read(film(tmp_path / "big.avi", [big] * 2, codec="ffv1", look="bgr0"), largest_px=160)
    assert frames[0].image.shape == (96, 160, 3) == (video.info.height, video.info.width, 3)
    assert np.abs(chart_values(frames[0].image) - COLOURS).max() <= 1


def test_scaling_down_averages_and_does_not_skip(tmp_path):
    fine = np.zeros((96, 128, 3), np.uint8)
    fine[:, ::2] = 200
    _, frames = read(film(tmp_path / "a.avi", [fine], codec="ffv1", look="bgr0"), largest_px=32)
    assert np.abs(frames[0].image[2:-2, 2:-2].astype(int) - 100).max() <= 3


def test_repeated_pictures_are_counted(tmp_path):
    pictures = moving(6)[[0, 1, 1, 2, 3, 3]]
    video, _ = read(film(tmp_path / "a.avi", pictures, codec="ffv1", look="bgr0"))
    assert video.report.duplicates == 2


def test_only_so_many_seconds_are_read_when_asked(tmp_path):
    video, frames = read(film(tmp_path / "a.mp4", moving(30)), seconds=0.5)
    assert len(frames) == 15 and video.report.complete


def test_a_given_rate_replaces_the_times_and_is_noted(tmp_path):
    video, frames = read(film(tmp_path / "a.mp4", moving(6)), fs=10)
    assert frames[-1].time_s == pytest.approx(0.5) and "fs=10" in video.report.notes[0]


def test_pure_folders_take_their_times_from_the_names(tmp_path):
    stamps = 1392643993642815000 + np.cumsum([0, 33_000_000, 34_000_000, 66_000_000])
    pictures = moving(4)
    for stamp, picture in zip(stamps, pictures):
        picture_file(tmp_path / f"Image{stamp}.png", picture, "png")
    (tmp_path / "01-01.json").write_text("{}")
    video, frames = read(tmp_path)
    np.testing.assert_allclose([frame.time_s for frame in frames], [0, 0.033, 0.067, 0.133], atol=1e-9)
    for frame, picture in zip(frames, pictures):
        np.testing.assert_array_equal(frame.image, picture)
    assert video.info.kind == "images" and video.info.frames == 4 and "1 files" in video.report.notes[0]


@pytest.mark.parametrize("codec", ["png", "bmp", "mjpeg"])
def test_folders_of_numbered_pictures_need_fs_and_count_as_people_do(tmp_path, codec):
    pictures = [np.full((48, 64, 3), 20 * number, np.uint8) for number in range(12)]
    for number, picture in enumerate(pictures):
        picture_file(tmp_path / f"{number}.{'jpg' if codec == 'mjpeg' else codec}", picture, codec)
    _, frames = read(tmp_path, fs=20)
    assert [round(frame.image.mean() / 20) for frame in frames] == list(range(12))
    assert frames[-1].time_s == pytest.approx(11 / 20)
    with pytest.raises(ValueError, match="Pass fs="):
        open_video(tmp_path)


def test_a_picture_of_another_size_is_named_and_a_broken_one_is_counted(tmp_path):
    for number in range(4):
        picture_file(tmp_path / f"{number}.png", moving(1)[0], "png")
    (tmp_path / "1.png").write_bytes(b"\x89PNG and nothing")
    video, frames = read(tmp_path, fs=10)
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.2, 0.3]) and video.report.damaged == 1
    assert "1.png" in video.report.notes[0]
    picture_file(tmp_path / "3.png", moving(1, size=(32, 48))[0], "png")
    with pytest.raises(ValueError, match="3.png has 32 x 48"):
        list(open_video(tmp_path, fs=10))


def test_a_cut_off_file_gives_what_it_has_and_says_so(tmp_path):
    whole = film(tmp_path / "a.avi", moving(40), codec="mjpeg", look="yuvj420p").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    video, frames = read(tmp_path / "cut.avi")
    assert 5 < len(frames) < 35 and video.report.complete
    assert any("ends early" in note for note in video.report.notes)


def test_the_content_decides_not_the_name(tmp_path):
    os.rename(film(tmp_path / "a.mp4", moving(4)), tmp_path / "a.avi")
    assert len(read(tmp_path / "a.avi")[1]) == 4


@pytest.mark.parametrize(("source", "error", "words"), [
    ("gone.mp4", FileNotFoundError, "does not exist"), ("empty.mp4", OSError, "0 bytes"),
    ("text.mp4", OSError, "no video"), ("text.txt", (OSError, ValueError), "no(t a)? video|text"),
    ("sound.wav", OSError, "no video, only audio"), ("folder", OSError, "no pictures"),
    ("one.png", ValueError, "one picture"),
    (True, TypeError, "bool"), (None, TypeError, "NoneType"), (2.5, TypeError, "float"), (-1, ValueError, "from 0"),
    ("", ValueError, "path"), ("http://a.b/c.mp4", ValueError, "Download")])
def test_what_is_no_video_is_one_clear_error(tmp_path, monkeypatch, source, error, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder").mkdir()
    for name in ("text.mp4", "text.txt"):
        (tmp_path / name).write_text("This is a letter, not a video.\n" * 50)
    picture_file(tmp_path / "one.png", corner(), "png")
    with av.open(str(tmp_path / "sound.wav"), "w") as output:
        line = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        sound.rate = 8000
        for packet in line.encode(sound):
            output.mux(packet)
    with pytest.raises(error, match=words) as caught:
        open_video(source)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("open_video: ")


@pytest.mark.parametrize("wrong", [{"fs": 0}, {"fs": -3}, {"fs": float("nan")}, {"largest_px": 0}, {"seconds": -1}])
def test_wrong_numbers_are_refused_before_anything_starts(tmp_path, wrong):
    with pytest.raises(ValueError, match="open_video"):
        open_video(tmp_path, **wrong)


@pytest.mark.skipif(os.path.exists("/dev/video7"), reason="there is such a camera")
@pytest.mark.parametrize("source", [7, "7"])
def test_a_camera_that_is_not_there_is_said_to_be_missing(source):
    with pytest.raises(OSError, match="webcam 7"):
        open_video(source)


def test_times_that_jump_or_stand_still_are_repaired_and_counted():
    from rppg_lib.video.container import Stamps
    from rppg_lib.video.decoder import Counts
    counts = Counts()
    times = Stamps(counts, step_s=0.1)
    got = [times(stamp) for stamp in (5.0, 5.1, 5.1, None, 5.3, 1.0, 1.1, 1e9, None)]
    assert got == pytest.approx([0, 0.1, 0.1001, 0.2001, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert counts.repaired == 5 and (np.diff(got) > 0).all()


def test_the_child_imports_little():
    import subprocess
    import sys
    done = subprocess.run([sys.executable, "-c", "import sys, rppg_lib.video.decoder, rppg_lib.video.container, "
                           "rppg_lib.video.images; print(*sys.modules)"], capture_output=True, text=True, check=True)
    heavy = {"cv2", "scipy", "pandas", "mediapipe", "matplotlib", "rppg_lib.types", "rppg_lib.signal"}
    assert not heavy & set(done.stdout.split())
    assert child_module.SILENCE_S <= 10
