import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest

from rppg_lib.data.readers import read_dataset
from rppg_lib.evaluation.copy_check import check_copy
from rppg_lib.evaluation.copy_text import copy_text
from rppg_lib.plots.copies import copy_figure
from rppg_lib.video.faces import Choice

from ..data.readers.miniature import video
from ..data.readers.test_ubfc2 import truth
from ..video.pretend import Pretend

RATES = {1: 60.0, 3: 72.0, 4: 84.0, 5: 96.0}


@pytest.fixture
def copy(tmp_path):
    """Four people of UBFC-rPPG, sound."""
    for number, bpm in RATES.items():
        folder = tmp_path / f"subject{number}"
        truth(folder / "ground_truth.txt", video(folder / "vid.avi", seconds=12.0, bpm=bpm), bpm=bpm)
    return tmp_path


@pytest.fixture
def face_everywhere(monkeypatch):
    """Every picture is a face from rim to rim."""
    monkeypatch.setattr("rppg_lib.video.trace.choice", lambda name: Choice(
        name="pretend", make=lambda: Pretend(lambda time_s: [(2, 2, 28, 20)]), ours=False))


def checked(copy, **options):
    return check_copy(read_dataset("ubfc2", copy), **{"watched": 0} | options)


def test_a_sound_copy_has_nothing_to_look_at(copy):
    found = checked(copy)
    assert found.sound and len(found.rows) == 4 and not found.twice
    assert [row.video_s for row in found.rows] == pytest.approx([12] * 4, abs=0.1)
    assert [row.label_hz for row in found.rows] == pytest.approx([30] * 4, abs=0.1)
    assert (found.rows[0].width, found.rows[0].height) == (32, 24)
    assert len(found.labels.recordings) == 4 and not any(row.watched for row in found.rows)


def test_one_persons_truth_that_is_there_twice_is_found(copy):
    shutil.copy(copy / "subject1" / "ground_truth.txt", copy / "subject4" / "ground_truth.txt")
    found = checked(copy)
    assert found.twice == (("ubfc2 1", "ubfc2 4"),) and not found.sound
    assert "the same label or video twice: ubfc2 1, ubfc2 4" in copy_text(found)


def test_one_video_that_is_there_twice_is_found(copy):
    shutil.copy(copy / "subject3" / "vid.avi", copy / "subject5" / "vid.avi")
    assert checked(copy).twice == (("ubfc2 3", "ubfc2 5"),)


def test_a_label_that_ends_long_before_its_video_is_named(copy):
    truth(copy / "subject3" / "ground_truth.txt", np.arange(200) / 30)
    problems = {row.id: row.problems for row in checked(copy).rows}
    assert problems == {"ubfc2 1": (), "ubfc2 3": ("the label ends 5.4 s before the video",), "ubfc2 4": (),
                        "ubfc2 5": ()}


@pytest.mark.parametrize("name, content, message", [
    ("ground_truth.txt", b"1 2 3", "needs three lines"), ("vid.avi", b"RIFF no video at all", "vid.avi")])
def test_a_damaged_file_is_named_and_the_others_are_checked(copy, name, content, message):
    (copy / "subject4" / name).write_bytes(content)
    found = checked(copy)
    problems = {row.id: " ".join(row.problems) for row in found.rows}
    assert message in problems.pop("ubfc2 4") and set(problems.values()) == {""}
    assert "to look at: 1" in copy_text(found)


@pytest.mark.parametrize("late_s", [0.0, 0.25])
def test_the_lag_behind_the_face_is_found_and_the_wrong_persons_label_too(copy, face_everywhere, late_s):
    rng = np.random.default_rng(0)
    wrong = copy / "subject5"
    for number in RATES:                                             # beats of different length: no other lag fits
        steps = 2 * np.pi * (RATES[number] + np.cumsum(rng.normal(0, 0.6, 900))) / 60 / 30
        phase = np.cumsum(steps)
        folder = copy / f"subject{number}"
        written(folder, phase, late_s)
    steady = 2 * np.pi * 50 / 60 * np.arange(900) / 30
    truth(wrong / "ground_truth.txt", np.arange(900) / 30, wave=np.sin(steady))
    found = checked(copy, watched=None, seconds=30)
    lags = {each.name: each.lag for each in found.labels.recordings}
    assert "different rates" in lags.pop("ubfc2 5").why
    assert [lag.seconds for lag in lags.values()] == pytest.approx([late_s] * 3, abs=0.02)
    assert all(row.watched for row in found.rows)


def written(folder, phase, late_s):
    """Write thirty seconds whose pulse has a given phase, and a label that comes late."""
    from rppg_lib.video import write_video

    beat = np.sin(phase) + 0.3 * np.sin(2 * phase - 1)
    noise = np.random.default_rng(1).uniform(-3, 3, (len(phase), 24, 32, 1))
    colours = [150, 110, 90] * (1 - 0.02 * beat[:, None] * [0.33, 0.77, 0.53])
    write_video(folder / "vid.avi", np.clip(colours[:, None, None] + noise, 0, 255).astype(np.uint8), fs=30.0,
                codec="ffv1")
    truth(folder / "ground_truth.txt", np.arange(len(phase)) / 30 + late_s, wave=beat)


def test_recordings_to_be_watched_are_spread_over_the_data_set(copy, face_everywhere):
    found = checked(copy, watched=2, seconds=10)
    assert [row.watched for row in found.rows] == [True, False, False, True]
    with pytest.raises(ValueError, match="watched must be a number of recordings from 0 on"):
        checked(copy, watched=-1)


def test_a_missing_face_is_named(copy, monkeypatch):
    monkeypatch.setattr("rppg_lib.video.trace.choice", lambda name: Choice(
        name="pretend", make=lambda: Pretend(lambda time_s: []), ours=False))
    found = checked(copy, watched=1, seconds=10)
    assert found.rows[0].problems == ("ubfc2 1: no face in 100% of the pictures looked at.",)
    assert len(found.labels.recordings) == 4                         # the label itself is still judged


def test_the_page_of_figures_draws_what_was_found(copy):
    truth(copy / "subject3" / "ground_truth.txt", np.arange(200) / 30)
    figure = copy_figure(checked(copy))
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes]
    assert "4 recordings of 4 people, 38 missing" in figure._suptitle.get_text() and "lengths" in titles
    assert any("ubfc2 3" in text.get_text() for text in figure.axes[0].texts)
    plt.close(figure)


def test_a_time_far_off_is_named_and_the_others_are_checked(copy):
    times = np.arange(90) / 30
    times[-1] = 1e9
    truth(copy / "subject3" / "ground_truth.txt", times)
    problems = {row.id: " ".join(row.problems) for row in checked(copy).rows}
    assert "some of its times are far off" in problems["ubfc2 3"] and not problems["ubfc2 1"]


def test_cameras_before_one_person_may_share_a_label(copy):
    from dataclasses import replace
    listing = read_dataset("ubfc2", copy)
    one = listing.recordings[0]
    cameras = [replace(one, id=f"ubfc2 1 {camera}", condition=f"rest, {camera}", files=one.files[1:])
               for camera in ("webcam", "telephone")]
    assert not check_copy(replace(listing, recordings=tuple(cameras)), watched=0).twice
    other = [replace(one, files=one.files[1:]), replace(one, id="ubfc2 2", subject="ubfc2 2", files=one.files[1:])]
    assert check_copy(replace(listing, recordings=tuple(other)), watched=0).twice == (("ubfc2 1", "ubfc2 2"),)


def test_a_label_that_never_changes_is_named(copy):
    times = np.arange(360) / 30
    truth(copy / "subject3" / "ground_truth.txt", times, wave=np.ones(360))
    found = checked(copy)
    assert {row.id: row.problems for row in found.rows}["ubfc2 3"] == ("the label never changes",)
    assert not found.sound
