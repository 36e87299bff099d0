import numpy as np
import pytest

from rppg_lib.data.readers import read_dataset
from rppg_lib.data.readers.ubfc2 import reference
from rppg_lib.signal import hr_from_spectrum, resample

from .miniature import colours, pulse, video
from .mutants import survives


@pytest.fixture
def copy(tmp_path):
    """Subjects 1, 3 and 10, as the data set has them; the device's rate lags and is not the truth."""
    for number, bpm in ((1, 60.0), (3, 72.0), (10, 90.0)):
        folder = tmp_path / f"subject{number}"
        times = video(folder / "vid.avi", seconds=4.0, bpm=bpm)
        truth(folder / "ground_truth.txt", times, bpm=bpm)
    return tmp_path


def truth(path, times, *, bpm=72.0, wave=None):
    wave = pulse(times, bpm) if wave is None else wave
    path.write_text("\n".join("  ".join(f"{value: .7e}" for value in line)
                              for line in (wave, np.full(len(wave), 50.0), times)) + "\n")


def test_every_person_is_listed_in_order_and_who_is_missing_is_named(copy):
    listing = read_dataset("ubfc2", copy)
    assert [each.id for each in listing.recordings] == ["ubfc2 1", "ubfc2 3", "ubfc2 10"]
    assert len(listing.missing) == 39 and "subject49" in listing.missing and "subject2" not in listing.missing
    assert not listing.left_out and not any(each.terms.may_show_faces for each in listing.recordings)


def test_pictures_and_pulse_of_a_person_beat_together(copy):
    recording = read_dataset("ubfc2", copy).recordings[2]
    rgb, times = colours(recording)
    label = recording.reference()
    assert hr_from_spectrum(label.wave, fs=30) == pytest.approx(90, abs=1)
    seen = -resample(rgb[:, 1], times, at_s=label.times_s)
    assert np.corrcoef(seen, label.wave)[0, 1] > 0.99                # brightness falls as the pulse rises


def test_listing_opens_no_video(copy, monkeypatch):
    monkeypatch.setattr("rppg_lib.video.open_video", None)
    assert len(read_dataset("ubfc2", copy).recordings) == 3


def test_what_is_not_read_is_named_with_the_reason(copy):
    (copy / "subject3" / "ground_truth.txt").unlink()
    (copy / "notes").mkdir()
    left = {each.what: each.why for each in read_dataset("ubfc2", copy).left_out}
    assert left == {"subject3": "has no ground_truth.txt", "notes": "is not called subjectN"}


@pytest.mark.parametrize("content, message", [
    ("", "is empty"),
    ("1 2 3\n4 5 6\n", "needs three lines"),
    ("1 2 3\n4 5 6\n0 1\n", "got 2 times and 3 values"),
    ("1 2 x\n4 5 6\n0 1 2\n", "value 3 of 3 is 'x'"),
    ("1 2 3 4\n4 5 6 7\n0 3 2 1\n", "2 of 4 times do not increase"),
])
def test_a_damaged_truth_is_one_clear_error(tmp_path, content, message):
    path = tmp_path / "ground_truth.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        reference(path)


def test_a_time_that_comes_twice_is_left_out_and_told(tmp_path):
    times = np.arange(90) / 30
    times[40] = times[39]
    truth(tmp_path / "ground_truth.txt", times)
    label = reference(tmp_path / "ground_truth.txt")
    assert len(label.wave) == 89 and label.notes == ("1 of 90 values left out: their times do not increase",)


def test_a_folder_that_is_not_the_data_set_says_what_it_holds(tmp_path):
    (tmp_path / "UBFC").mkdir()
    with pytest.raises(FileNotFoundError, match=r"which holds UBFC; expected for example subject1/vid.avi"):
        read_dataset("ubfc2", tmp_path)
    with pytest.raises(FileNotFoundError, match="needs the folder of the data set"):
        read_dataset("ubfc2", tmp_path / "nowhere")


def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path):
    path = tmp_path / "ground_truth.txt"
    truth(path, np.arange(60) / 30)
    readable, refused = survives(lambda: reference(path), path)
    assert readable > 20 and refused > 200
