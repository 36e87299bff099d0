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


def test_an_aim_is_how_far_off_and_how_unsteady_the_squares_are_and_the_mean_distance_is_no_fault(films, monkeypatch):
    true = bench_crops.true_places(bench_crops.film_of(1, 2.5))
    assert true.shape == (75, 3) and 100 < np.median(true[:, 2]) < 250
    shaken = true[:, :2] + 7 + 0.02 * true[:, 2:] * np.array([[1], [-1]])[np.arange(75) % 2]
    monkeypatch.setattr(bench_crops, "EVERY", (1,))
    monkeypatch.setattr(bench_crops, "our_squares", lambda path, every: true[:, :2] + 7)
    monkeypatch.setattr(bench_crops, "their_squares", lambda path, every: shaken)
    monkeypatch.setattr(bench_crops, "pulse_in", lambda crops, label: 75.0 if len(crops) >= 73 else 0.0)
    ours, theirs = bench_crops.aims(films / "films", films=1, seconds=2.5)
    assert ours["off_percent"] == pytest.approx(0, abs=0.05) and ours["tremble_percent"] == pytest.approx(0, abs=0.05)
    assert theirs["off_percent"] == pytest.approx(2 * 2**0.5, rel=0.02)           # x and y alike
    assert theirs["tremble_percent"] == pytest.approx(4 * 2**0.5, rel=0.02)
    assert ours["pos_macc"] == theirs["pos_macc"] == 75                           # both have every picture


def test_the_pulse_is_sought_in_the_middle_of_the_crops_and_at_its_own_lag():
    t = np.arange(360) / 30
    crops = np.random.default_rng(0).normal(100, 30, (360, 72, 72, 3))                # a background that is not skin
    crops[:, 18:54, 18:54] = 120 * (1 - 0.01 * np.sin(2 * np.pi * 1.2 * t)[:, None, None, None] * [0.3, 0.8, 0.5])
    late = np.sin(2 * np.pi * 1.2 * (t - 0.2))
    assert bench_crops.pulse_in(crops, late) > 0.95
    assert bench_crops.pulse_in(crops, np.sin(2 * np.pi * 2.0 * t)) < 0.4


def test_a_square_that_follows_is_nearer_than_a_box_held_for_a_second(films):
    """A face that turns: both ways look as seldom, ours moves in between."""
    true = bench_crops.true_places(bench_crops.film_of(1, 2.5))[:, :2]
    ours, theirs = (way(films / "films" / "subject1" / "vid.avi", 30) for way in (bench_crops.our_squares,
                                                                                bench_crops.their_squares))
    assert len(np.unique(theirs, axis=0)) == 3 and ours.shape == theirs.shape == true.shape
    assert len(np.unique(ours.round(6), axis=0)) > 30


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
