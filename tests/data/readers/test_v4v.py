import pickle

import numpy as np
import pytest

from rppg_lib.data.readers import v4v
from rppg_lib.data.readers.v4v import reference
from rppg_lib.signal import hr_from_spectrum, resample

from .miniature import colours, pulse, video
from .mutants import survives

RELEASED = "Phase 1_ Training_Validation sets"


def pressure(path, *, bpm=72.0, seconds=4.0):
    """Write blood pressure between about 75 and 125 mmHg."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 100 + 20 * pulse(np.arange(round(1000 * seconds)) / 1000, bpm)
    path.write_text("".join(f"{value:.4f}\n" for value in wave))


def record(videos, labels, name, *, bpm=72.0):
    video(videos / f"{name}.mkv", seconds=4.0, fs=25.0, bpm=bpm)
    pressure(labels / f"{name.replace('_', '-')}-BP.txt", bpm=bpm)


@pytest.mark.parametrize("videos, labels", [
    ("train/video", "train/signal"),
    (f"{RELEASED}/Videos/train-001_of_002", f"{RELEASED}/Ground truth/BP_raw_1KHz"),
])
def test_pictures_and_pressure_beat_together_in_either_layout(tmp_path, videos, labels):
    record(tmp_path / videos, tmp_path / labels, "F001_T1", bpm=84.0)
    recording, = v4v.listed(tmp_path).recordings
    recording = pickle.loads(pickle.dumps(recording))
    assert (recording.id, recording.subject, recording.condition) == ("v4v F001_T1", "v4v F001", "task 1")
    assert recording.facts == {"task": "T1", "part": "train"}
    label = recording.reference()
    assert hr_from_spectrum(label.wave[::20], fs=50) == pytest.approx(84, abs=1)
    rgb, times = colours(recording)
    assert np.corrcoef(-rgb[:, 1], resample(label.wave, label.times_s, at_s=times))[0, 1] > 0.99
    assert "blood pressure, not a contact PPG" in label.notes[0]


def test_recordings_are_listed_in_order_and_their_part_is_told_without_opening_a_video(tmp_path, monkeypatch):
    for place, name in (("train/video", "M010_T10"), ("train/video", "M010_T2"), ("val/video", "F002_T1"),
                        ("more", "F003_T1"), ("tests/train/video", "F004_T1"),
                        ("Phase 2_ Testing set/Videos/Test/test", "F001_T3")):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / f"{name}.mkv").touch()
        (tmp_path / f"{name.replace('_', '-')}.txt").touch()                 # as released for validation and test
    monkeypatch.setattr("rppg_lib.video.open_video", None)
    listing = v4v.listed(tmp_path)
    assert [(each.id, each.facts["part"]) for each in listing.recordings] == [
        ("v4v F001_T3", "test"), ("v4v F002_T1", "validation"), ("v4v F003_T1", "not told"), ("v4v F004_T1", "train"),
        ("v4v M010_T2", "train"), ("v4v M010_T10", "train")]
    assert not listing.left_out and not any(each.terms.may_show_faces for each in listing.recordings)


def test_what_is_not_read_is_named_with_the_reason(tmp_path):
    for name in ("train/video/F001_T1.mkv", "train/signal/F001-T1-BP.txt", "val/video/F002_T1.mkv",
                 "train/signal/F003-T1-BP.txt", "copy/F001_T1.mkv", "train/video/demo.mkv",
                 "train/Physiology/F001_T1.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for link in ("loop", "train/loop", "train/video/loop"):
        (tmp_path / link).symlink_to(tmp_path)
    listing = v4v.listed(tmp_path)
    left = {each.what: each.why for each in listing.left_out}
    assert [each.id for each in listing.recordings] == ["v4v F001_T1"]
    assert set(left) == {"val/video/F002_T1.mkv", "train/signal/F003-T1-BP.txt", "train/video/F001_T1.mkv",
                         "train/video/demo.mkv"}
    assert "has no F002-T1-BP.txt anywhere" in left["val/video/F002_T1.mkv"]
    assert left["train/signal/F003-T1-BP.txt"] == "has no video"
    assert left["train/video/F001_T1.mkv"] == "is there twice, and copy/F001_T1.mkv is read"


def test_impossible_pressure_becomes_nan_and_is_counted(tmp_path):
    path = tmp_path / "F001-T1-BP.txt"
    path.write_text("".join(f"{value}\n" for value in [80.0] * 6 + [-3.0, 0.0, 90.0, 100.0]))
    label = reference(path)
    assert np.isnan(label.wave).tolist() == 6 * [False] + 2 * [True] + 2 * [False]
    assert label.times_s == pytest.approx(np.arange(10) / 1000)
    assert "2 of 10 values left out: no blood pressure is 0 mmHg or less" in label.notes


@pytest.mark.parametrize("content, message", [
    ("", "is empty"),
    ("\n\n", "got 0 of 0 values that are not"),
    ("80.0\n", "got 1 times and 1 values"),
    ("80.0\n81,0\n", "value 2 of 2 is '81,0'"),
    ("0.1\n-0.2\n-0.3\n", "above 0, got 2 of 3 values that are not"),
    ("nan\n" * 20, "above 0, got 20 of 20"),
])
def test_a_damaged_label_is_one_clear_error(tmp_path, content, message):
    path = tmp_path / "F001-T1-BP.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        reference(path)


def test_a_folder_without_the_data_set_says_what_was_expected(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match="which holds notes.txt; expected for example train/video/F001_T1.mkv"):
        v4v.listed(tmp_path)


def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path):
    path = tmp_path / "F001-T1-BP.txt"
    pressure(path, seconds=0.3)
    readable, refused = survives(lambda: reference(path), path)
    assert readable > 20 and refused > 200
