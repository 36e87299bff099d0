import pickle

import numpy as np
import pytest

from rppg_lib.data.readers.ubfcphys import listed, reference
from rppg_lib.signal import hr_from_spectrum, resample

from .miniature import colours, pulse, video
from .mutants import survives


def truth(path, *, seconds=4.0, bpm=72.0):
    """64 values a second, one in each line, no header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{50 * value:.2f}\n" for value in pulse(np.arange(round(64 * seconds)) / 64, bpm)))


def person(folder, name, *, tasks=("T1", "T2", "T3"), bpm=72.0, label_s=4.0, info="test"):
    for task in tasks:
        video(folder / name / f"vid_{name}_{task}.avi", seconds=4.0, fs=35, bpm=bpm, codec="mjpeg")
        truth(folder / name / f"bvp_{name}_{task}.csv", seconds=label_s, bpm=bpm)
        (folder / name / f"eda_{name}_{task}.csv").write_text("0.1\n" * 16)
    (folder / name / f"info_{name}.txt").write_text(f"{name}\nf\n{info}\n2019-11-01\n10:00\n")
    (folder / name / f"selfReportedAnx_{name}.csv").write_text("1,2\n")


def test_people_and_tasks_are_listed_in_order_and_the_missing_are_named(tmp_path, monkeypatch):
    person(tmp_path, "s10", tasks=["T1"])
    person(tmp_path, "s2", info="ctrl")
    monkeypatch.setattr("rppg_lib.video.open_video", None)           # no video is opened
    listing = listed(tmp_path)
    assert [each.id for each in listing.recordings] == [f"ubfcphys {name}" for name in ("s2-T1", "s2-T2", "s2-T3",
                                                                                        "s10-T1")]
    first = listing.recordings[0]
    assert (first.subject, first.condition, first.facts) == ("ubfcphys s2", "rest", {"sex": "f", "group": "ctrl"})
    assert len(listing.missing) == 164 and "s40-T3" in listing.missing and "others report" in listing.notes[0]
    assert not first.terms.may_show_faces and pickle.loads(pickle.dumps(first.reference))


def test_pictures_at_35_and_pulse_at_64_a_second_beat_together(tmp_path):
    person(tmp_path, "s1", tasks=["T1"], bpm=90.0)
    recording, = listed(tmp_path).recordings
    rgb, times = colours(recording)
    label = recording.reference()
    assert times[35] == pytest.approx(1.0, abs=1e-3)
    assert hr_from_spectrum(label.wave, fs=64) == pytest.approx(90, abs=1)
    inside = label.times_s <= times[-1]
    seen = -resample(rgb.sum(1), times, at_s=label.times_s[inside])
    assert np.corrcoef(seen, label.wave[inside])[0, 1] > 0.98        # JPEG rounds small changes away
    assert len(label.notes) == 1 and "64 values a second" in label.notes[0]


def test_a_label_shorter_than_its_video_is_told(tmp_path):
    person(tmp_path, "s1", tasks=["T1"], label_s=3.0)
    label = listed(tmp_path).recordings[0].reference()
    assert "label from 0.0 to 3.0 s, video from 0 to 4.0 s" in label.notes


def test_what_is_not_read_is_named_with_the_reason(tmp_path):
    person(tmp_path, "s1", tasks=["T1", "T2", "T3"])
    (tmp_path / "s1" / "bvp_s1_T2.csv").unlink()
    (tmp_path / "s1" / "vid_s1_T3.avi").unlink()
    (tmp_path / "s1" / "info_s1.txt").write_text("?")
    (tmp_path / "s1" / "old.zip").write_text("")
    (tmp_path / "extra").mkdir()
    left = {each.what: each.why for each in listed(tmp_path).left_out}
    assert left == {"extra": "is not called sN, number of the person",
                    "s1/vid_s1_T2.avi": "there is no bvp_s1_T2.csv beside it",
                    "s1/bvp_s1_T3.csv": "there is no vid_s1_T3.avi beside it",
                    "s1/info_s1.txt": "needs m or f in line 2 and test or ctrl in line 3",
                    "s1/old.zip": "has no name that this data set uses",
                    "s*/eda_s*.csv": "3 files: skin conductance, no pulse",
                    "s*/selfReportedAnx_s*.csv": "1 files: answers to questions, no recording"}


@pytest.mark.parametrize("content, message", [
    ("", "is empty"),
    ("1.0\n", "two at least"),
    ("1.0\nx\n", "value 2 of 2 is 'x'"),
    ("1.0,0.1\n2.0,0.2\n", "needs one column"),
    ("1572600000.0\n64.0\n1\n2\n", "begins with a date"),
])
def test_a_damaged_truth_is_one_clear_error(tmp_path, content, message):
    path = tmp_path / "bvp_s1_T1.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        reference(path)


def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path):
    path = tmp_path / "bvp_s1_T1.csv"
    truth(path, seconds=2.0)
    readable, refused = survives(lambda: reference(path), path)
    assert readable > 20 and refused > 200
