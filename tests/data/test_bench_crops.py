"""What the bench of preparing data sets compares is what it says."""

import bench_crops
import cv2
import numpy as np
import pytest

from rppg_lib.data.readers import read_dataset


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    bench_crops.make_films(folder / "films", films=2, seconds=2.5, kinds=1)
    return folder


def test_films_are_laid_out_as_a_reader_expects_and_those_beyond_the_kinds_are_copies(films):
    listing = read_dataset("ubfc2", films / "films")
    assert [recording.id for recording in listing.recordings] == ["ubfc2 1", "ubfc2 2"] and not listing.left_out
    one, other = ((films / "films" / name / "vid.avi").read_bytes() for name in ("subject1", "subject2"))
    assert one == other


def test_both_ways_prepare_every_picture_and_find_the_same_face(films, tmp_path):
    ours = bench_crops.ours(films / "films", tmp_path / "ours", every=30, jobs=1)
    others = bench_crops.others(films / "films", tmp_path / "others", every=30, jobs=1)
    assert others["frames"] == 2 * 75 and ours["faces"] == others["faces"] == 1
    assert 0 <= others["frames"] - ours["frames"] <= 2 * 2           # ours ends where the label does
    theirs = np.load(tmp_path / "others" / "subject1.npy")
    frames, = (path for path in sorted(tmp_path.glob("ours/*/recordings/*/frames.npy"))[:1])
    mine = np.load(frames)
    assert theirs.dtype == np.float64 and theirs.shape[1:] == mine.shape[1:] == (72, 72, 3)
    middle = np.s_[24:48, 24:48]                                  # of the face: cut with another box, the same skin
    assert abs(theirs[0][middle].mean((0, 1)) - mine[0][middle].mean((0, 1))).max() < 20


def test_the_box_is_enlarged_about_itself_until_the_rim_and_no_face_is_the_whole_picture():
    picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    small = cv2.resize(picture[75:225, 175:325], (72, 72), interpolation=cv2.INTER_AREA)
    assert (bench_crops.enlarged_crop(picture, (200, 100, 100, 100)) == small).all()
    rim = cv2.resize(picture[0:150, 0:150], (72, 72), interpolation=cv2.INTER_AREA)
    assert (bench_crops.enlarged_crop(picture, (10, 5, 100, 100)) == rim).all()       # no longer about the face
    whole = cv2.resize(picture, (72, 72), interpolation=cv2.INTER_AREA)
    assert (bench_crops.enlarged_crop(picture, None) == whole).all()
    assert bench_crops.widest_face(np.zeros((120, 160, 3), np.uint8)) is None


def test_ratios_are_those_of_pictures_per_second_and_of_cpu_time_per_picture():
    rows = [{"way": way, "every": every, "cores": 1, "fps": fps * every, "cpu_ms_per_frame": 1000 / fps / every}
            for way, fps in (("rppg_lib", 60.0), ("toolbox", 10.0)) for every in bench_crops.EVERY]
    found = {(row["ours_every"], row["toolbox_every"]): row for row in bench_crops.ratios(rows)}
    for every in bench_crops.EVERY:
        assert found[every, every]["times_fps"] == found[every, every]["times_cpu"] == pytest.approx(6)
    assert found[1, 30]["times_fps"] == pytest.approx(6 / 30) and found[3, 1]["times_cpu"] == pytest.approx(18)


def test_work_in_children_counts():
    import subprocess
    import sys

    before = bench_crops.cpu_s()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.4: pass"], check=True)
    assert 0.38 <= bench_crops.cpu_s() - before < 1.5                # the clock of children counts hundredths
