import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from rppg_lib.data import readers
from rppg_lib.data.readers.folder import DATASET, listed, reference

from .miniature import colours, pictures, png, pulse, video
from .mutants import survives

START_NS = 1392643993642815000
both_names = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps two files whose names differ in "
                                "large and small letters alone: elsewhere the case cannot come")


def label(path, times, *, columns=("time_s", "label"), bpm=72.0, sign=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [sign.join(columns), *(sign.join(map(str, (round(float(t), 6), round(float(v), 5))))
                                  for t, v in zip(times, pulse(times, bpm)))]
    path.write_text("\n".join(rows) + "\n")


def record(folder, name, *, seconds=4.0, bpm=72.0, labelled=True, ending=".mkv"):
    """Write a video at 25 pictures a second, and a label at 100 values a second that begins later."""
    codec = "h264" if ending == ".mp4" else "ffv1"
    times = video(folder / f"{name}{ending}", seconds=seconds, fs=25, bpm=bpm, codec=codec)
    if labelled:
        label(folder / f"{name}.csv", np.arange(0.4, seconds, 0.01), bpm=bpm)
    return times


def stills(folder, seconds=4.0, bpm=72.0):
    times = np.arange(round(30 * seconds)) / 30
    for image, time_s in zip(pictures(times, bpm=bpm), times):
        png(folder / f"Image{START_NS + round(time_s * 1e9)}.png", image)
    return times


def together(recording, bpm=72.0):
    """Return how alike pictures and label are, each on its own clock."""
    rgb, times = colours(recording)
    found = recording.reference()
    at = times[(times >= found.times_s[0]) & (times <= found.times_s[-1])]
    assert len(at) > 0.8 * len(times)
    wave = np.interp(at, found.times_s, found.wave)
    assert np.corrcoef(wave, pulse(at, bpm))[0, 1] > 0.99
    return np.corrcoef(wave, -np.interp(at, times, rgb[:, 1]))[0, 1]


def test_folders_are_people_and_no_video_is_opened(tmp_path, monkeypatch):
    record(tmp_path / "bob", "rest", seconds=0.2)
    record(tmp_path / "anna", "v10", seconds=0.2, labelled=False)
    record(tmp_path / "anna", "v9", seconds=0.2)
    monkeypatch.setattr("rppg_lib.video.open_video", None)
    listing = DATASET.list(tmp_path)
    assert [each.id for each in listing.recordings] == ["folder anna/v9", "folder anna/v10", "folder bob/rest"]
    assert [each.subject for each in listing.recordings] == ["folder anna", "folder anna", "folder bob"]
    assert listing.recordings[1].reference is None
    assert listing.notes == ("1 of 3 recordings have no label (anna/v10)",)
    assert pickle.loads(pickle.dumps(listing.recordings[0].reference))
    assert not any(each.terms.may_show_faces or each.terms.may_redistribute for each in listing.recordings)


def test_without_folders_each_video_is_a_person_and_splits_are_said_to_be_unsafe(tmp_path):
    record(tmp_path, "a", seconds=0.2)
    record(tmp_path, "b", seconds=0.2)
    listing = listed(tmp_path)
    assert [each.subject for each in listing.recordings] == ["folder a", "folder b"]
    assert "not told for 2 of 2 recordings (a, b)" in listing.notes[0] and "cannot be trusted" in listing.notes[0]


def test_pictures_and_pulse_beat_together(tmp_path):
    record(tmp_path / "anna", "rest", bpm=90.0)
    stills(tmp_path / "anna" / "stills", bpm=90.0)
    label(tmp_path / "anna" / "stills.csv", np.arange(0, 4, 1 / 60), bpm=90.0)
    for recording in listed(tmp_path).recordings:
        assert together(recording, 90.0) > 0.99
        assert recording.reference().notes == ()


@pytest.mark.parametrize("columns, scale, note", [
    (("time_ms", "ppg"), 1e3, None),
    (("time", "ppg"), 1.0, "read as time_s: its usual step is 0.01"),
    (("Timestamp", "BVP"), 1e3, "read as time_ms: its usual step is 10"),
    (("t", "pulse"), 1e6, "read as time_us: its usual step is 1e+04"),
])
def test_the_unit_of_times_follows_from_the_name_or_the_step_and_a_guess_is_told(tmp_path, columns, scale, note):
    path = tmp_path / "a.csv"
    times = np.arange(400) / 100
    rows = [f"{t * scale},{v}" for t, v in zip(times, pulse(times))]
    path.write_text("\n".join([",".join(columns), *rows]))
    found = reference(path)
    assert found.times_s == pytest.approx(times, abs=1e-6) and found.wave == pytest.approx(pulse(times))
    assert (note is None and not found.notes) or any(note in each for each in found.notes)
    assert ("pulse" in columns) == any("taken for the wave" in each for each in found.notes)


def test_dates_are_set_beside_the_dates_of_pictures(tmp_path):
    stills(tmp_path / "anna")
    stamps = START_NS * 1e-9 + 0.25 + np.arange(350) / 100
    rows = [f"{stamp:.6f},{value}" for stamp, value in zip(stamps, pulse(0.25 + np.arange(350) / 100))]
    (tmp_path / "anna.csv").write_text("\n".join(["time_s,label", *rows]))
    recording, = listed(tmp_path).recordings
    assert recording.reference().times_s[0] == pytest.approx(0.25, abs=1e-5)
    assert together(recording) > 0.99 and "times are dates" in recording.reference().notes[0]


def test_dates_beside_a_video_need_the_time_of_its_first_picture(tmp_path):
    record(tmp_path / "anna", "rest")
    times = 1.7e9 + np.arange(400) / 100
    rows = [f"{time:.3f},{value}" for time, value in zip(times, pulse(times - 1.7e9))]
    (tmp_path / "anna" / "rest.csv").write_text("\n".join(["time_s,label", *rows]))
    with pytest.raises(ValueError, match="its times are dates, and when the first picture was taken is not known"):
        listed(tmp_path).recordings[0].reference()
    (tmp_path / "people.csv").write_text("file,start_s\nanna/rest.mkv,1700000000\n")
    recording, = listed(tmp_path).recordings
    assert together(recording) > 0.99 and "as people.csv says" in recording.reference().notes[0]


def test_a_rate_stands_for_times_and_must_agree_with_the_video_where_it_may_be_a_heart_rate(tmp_path):
    times = record(tmp_path / "anna", "rest", labelled=False)
    path, film = tmp_path / "anna" / "rest.csv", tmp_path / "anna" / "rest.mkv"
    wave = pulse(np.arange(256) / 64)
    path.write_text("ppg;fs\n" + "".join(f"{str(value).replace('.', ',')};64\n" for value in wave))
    found = reference(path, film)
    assert found.wave == pytest.approx(wave) and found.times_s[-1] == pytest.approx(255 / 64)
    assert any("64 values per second" in note for note in found.notes)
    assert any("decimal commas" in note for note in found.notes) and len(times) == 100
    path.write_text("ppg,rate\n" + "".join(f"{value},72\n" for value in np.tile(wave, 2)))
    with pytest.raises(ValueError, match="as values per second that makes 7.1 s, and the video has 4.0 s"):
        reference(path, film)


@pytest.mark.parametrize("rows, message", [
    ("ppg\n1\n2\n", "needs times or a rate, got columns ppg"),
    ("ppg,fs\n1,60\n2,61\n", "needs one rate"),
    ("ppg,fs\n1,1\n2,1\n", "needs one rate, 10 to 2000"),
    ("time_s,value\n0,1\n", "needs a column label, ppg, bvp or pulse, got time_s, value"),
    ("time_s,label,label\n0,1,1\n", "names a column twice"),
    ("time_s,label\n0,1\n1\n", "line 3 has 1 fields, its header 2"),
    ("time_s,label\n0,1\n0.1,x\n", "line 3, column 'label': 'x' is not a number"),
    ("time_s,label\n" + "".join(f"{t},70\n" for t in range(30)), "has 1 values per second; a pulse wave has 10"),
    ("time,label\n0,1\n0.25,1\n0.5,2\n", "the unit of column 'time' is not known: its usual step is 0.25"),
    ("time,label\n5,1\n5,2\n5,3\n", "the unit of column 'time' is not known"),
    ("time_s,label\n0,1\n0.01,1\n0.02,2\n0,1\n0.01,2\n0.02,1\n", "3 of 6 times do not increase"),
    ("", "is empty"),
    ("\n\n", "is not a CSV"),
])
def test_a_damaged_label_is_one_clear_error(tmp_path, rows, message):
    path = tmp_path / "a.csv"
    path.write_text(rows)
    with pytest.raises(ValueError, match=message):
        reference(path)


def test_a_label_that_misses_its_video_is_refused_and_a_short_one_told(tmp_path):
    record(tmp_path / "anna", "rest")
    path = tmp_path / "anna" / "rest.csv"
    recording, = listed(tmp_path).recordings
    label(path, np.arange(1.0, 3.0, 0.01))
    assert "label from 1.0 to 3.0 s, video from 0 to 4.0 s" in recording.reference().notes
    label(path, np.arange(100.0, 104.0, 0.01))
    with pytest.raises(ValueError, match="Times must count from the first picture"):
        recording.reference()


def test_values_that_are_missing_are_counted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time_s,label\n" + "".join(f"{n / 50},{'' if n in (4, 7) else n}\n" for n in range(20)))
    found = reference(path)
    assert np.flatnonzero(np.isnan(found.wave)).tolist() == [4, 7] and found.notes == ("2 of 20 values are missing",)


def test_people_csv_tells_who_what_and_more(tmp_path):
    for name in ("a", "b", "c"):
        record(tmp_path / "day1", name, seconds=0.2)
    (tmp_path / "people.csv").write_text("file,person,condition,skin,age\nday1/a.mkv,anna,rest,III,31\n"
                                         "day1/b,anna,talking,III,\nday1/z.mkv,zoe,rest,II,20\n")
    listing = listed(tmp_path)
    first, second, third = listing.recordings
    assert (first.subject, first.condition, first.facts) == ("folder anna", "rest", {"skin": "III", "age": 31.0})
    assert (second.subject, second.condition, second.facts) == ("folder anna", "talking", {"skin": "III"})
    assert (third.subject, third.condition, third.facts) == ("folder day1", "", {})
    assert listing.missing == ("day1/z.mkv",) and not listing.left_out


def test_what_several_peoples_videos_are_called_is_the_condition_unless_people_csv_says_it(tmp_path):
    for person, names in {"anna": ("rest", "talking"), "bob": ("rest", "odd"), "cy": ("talking",)}.items():
        for name in names:
            record(tmp_path / person, name, seconds=0.2)
    record(tmp_path, "rest", seconds=0.2)                            # nobody's folder: a name of its own
    told = {each.id.removeprefix("folder "): each.condition for each in listed(tmp_path).recordings}
    assert told == {"rest": "", "anna/rest": "rest", "anna/talking": "talking", "bob/odd": "", "bob/rest": "rest",
                    "cy/talking": "talking"}
    (tmp_path / "people.csv").write_text("file,condition\nanna/rest.mkv,quiet\n")
    told = {each.id: each.condition for each in listed(tmp_path).recordings}
    assert (told["folder anna/rest"], told["folder bob/rest"]) == ("quiet", "rest")


@pytest.mark.parametrize("name", ["../secret.mp4", "/etc/passwd", "day1/../../x.mp4", "", "."])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    record(tmp_path / "day1", "a", seconds=0.2)
    (tmp_path / "people.csv").write_text(f"file,person\n{name},anna\n")
    with pytest.raises(ValueError, match="is no name of a file inside this folder"):
        listed(tmp_path)


@pytest.mark.parametrize("rows, message", [
    ("name,person\na,b\n", "needs a column file, got name, person"),
    ("file,person\na.mkv,b\n./a.mkv,c\n", "names 'a.mkv' twice"),
    ("file,fs\na.mkv,-3\n", "needs fs above 0"),
    ("file,fs\na.mkv,fast\n", "fs is 'fast' and not a number"),
    ("file,start_s\na.mkv,noon\n", "start_s is 'noon' and no time. Times are numbers, 10:15:00.250 or 2024"),
])
def test_a_damaged_people_csv_is_one_clear_error(tmp_path, rows, message):
    record(tmp_path, "a", seconds=0.2)
    (tmp_path / "people.csv").write_text(rows)
    with pytest.raises(ValueError, match=message):
        listed(tmp_path)


def test_pictures_without_times_need_a_rate(tmp_path):
    folder = tmp_path / "anna" / "rest"
    for number, image in enumerate(pictures(np.arange(50) / 25)):
        png(folder / f"{number}.png", image)
    label(tmp_path / "anna" / "rest.csv", np.arange(0, 2, 0.01))
    record(tmp_path / "bob", "rest", seconds=0.2)
    left, = listed(tmp_path).left_out
    assert left.what == "anna/rest" and "give the pictures per second as fs" in left.why
    (tmp_path / "people.csv").write_text("file,fs\nanna/rest,25\n")
    recording = listed(tmp_path).recordings[0]
    assert recording.fs == 25 and together(recording) > 0.99


def test_what_is_not_read_is_named_with_the_reason_and_links_are_not_followed(tmp_path):
    record(tmp_path / "anna", "rest", seconds=0.2)
    record(tmp_path / "anna", "rest", seconds=0.2, ending=".avi")
    record(tmp_path / "anna" / "old", "x", seconds=0.2)
    label(tmp_path / "anna" / "gone.csv", np.arange(10) / 10)
    (tmp_path / "notes.docx").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "anna" / "secret.mp4").symlink_to("/etc/passwd")
    listing = listed(tmp_path)
    left = {each.what: each.why for each in listing.left_out}
    assert len(listing.recordings) == 1 and set(left) == {
        "anna/rest.mkv", "anna/old", "anna/gone.csv", "notes.docx", "loop", "anna/secret.mp4"}
    assert "has the name of rest.avi" in left["anna/rest.mkv"] and "too deep" in left["anna/old"]
    assert "no video or folder of pictures of this name" in left["anna/gone.csv"] and "is a link" in left["loop"]


def test_a_folder_without_videos_says_what_it_holds(tmp_path):
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(FileNotFoundError, match=r"which holds readme.txt; expected for example anna/rest.mp4"):
        listed(tmp_path)


def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path):
    label(tmp_path / "a.csv", np.arange(60) / 30, columns=("time", "ppg"))
    readable, refused = survives(lambda: reference(tmp_path / "a.csv"), tmp_path / "a.csv")
    assert readable > 20 and refused > 200


def test_the_code_on_data_of_your_own_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[3] / "book" / "own-data.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    told = re.findall(r"```text\n(file,.*?)```", page, re.DOTALL)
    for name in ("anna/rest", "anna/talking", "bob/rest"):
        record(tmp_path / "mine", name, seconds=0.2, ending=".mp4")
    (tmp_path / "mine" / "people.csv").write_text(told[0])
    monkeypatch.setattr(readers, "DATASETS", tuple({*readers.DATASETS, "folder"}))
    monkeypatch.chdir(tmp_path)
    label(tmp_path / "mine" / "anna" / "rest.csv", np.arange(0, 0.2, 0.016))
    names = {}
    for block in blocks:
        exec(compile(block, "book/own-data.md", "exec"), names)
    listing = names["listing"]
    assert [each.facts for each in listing.recordings[:2]] == [{"skin": "III", "lamp": "day"}] * 2
    assert not listing.left_out and not listing.missing and not listing.notes
    assert "folder anna/talking folder anna talking" in capsys.readouterr().out and not names["label"].notes


def test_a_picture_beside_videos_hides_none_of_them(tmp_path):
    from rppg_lib.data.readers.folder import listed

    from .miniature import pictures, png, video

    video(tmp_path / "anna" / "rest.mkv", seconds=1.0)
    png(tmp_path / "anna" / "cover.jpg", pictures([0.0])[0])
    listing = listed(tmp_path)
    assert [each.id for each in listing.recordings] == ["folder anna/rest"]
    assert [each.what for each in listing.left_out] == ["anna/cover.jpg"]


def test_endings_may_be_in_large_letters_and_people_csv_may_write_them_small(tmp_path):
    record(tmp_path / "anna", "rest", seconds=0.2, ending=".MKV")
    record(tmp_path / "anna", "talking", seconds=0.2, ending=".mkv")
    (tmp_path / "anna" / "rest.csv").rename(tmp_path / "anna" / "rest.CSV")
    (tmp_path / "anna" / "talking.csv").rename(tmp_path / "anna" / "talking.Csv")
    (tmp_path / "People.CSV").write_text("file,condition\nanna/rest.mkv,quiet\nanna/talking.MKV,loud\n")
    listing = listed(tmp_path)
    assert [each.files[1].name for each in listing.recordings] == ["rest.CSV", "talking.Csv"]
    assert [each.condition for each in listing.recordings] == ["quiet", "loud"]
    assert not listing.left_out and not listing.missing and not listing.notes


@both_names
def test_files_that_differ_in_the_letters_of_their_ending_only_are_named_and_no_label_is_picked(tmp_path):
    record(tmp_path / "anna", "rest", seconds=0.2)
    (tmp_path / "anna" / "rest.CSV").write_text("time_s,label\n0,1\n")
    record(tmp_path / "bob", "rest", seconds=0.2, ending=".MKV")
    record(tmp_path / "bob", "rest", seconds=0.2)
    listing = listed(tmp_path)
    left = {each.what: each.why for each in listing.left_out}
    assert set(left) == {"anna/rest.csv", "anna/rest.CSV", "bob/rest.mkv"}
    assert "differs from rest.csv in large and small letters only" in left["anna/rest.CSV"]
    assert "has the name of rest.MKV" in left["bob/rest.mkv"]
    anna, bob = listing.recordings
    assert anna.reference is None and bob.reference is not None
    assert listing.notes == ("1 of 2 recordings have no label (anna/rest)",)


@both_names
def test_two_files_that_say_who_is_who_are_one_too_many(tmp_path):
    record(tmp_path / "anna", "rest", seconds=0.2)
    (tmp_path / "people.csv").write_text("file\nanna/rest.mkv\n")
    (tmp_path / "people.CSV").write_text("file\nanna/rest.mkv\n")
    with pytest.raises(ValueError, match="needs one people.csv, got people.(CSV|csv) and people.(CSV|csv)"):
        listed(tmp_path)


def test_people_csv_from_a_spreadsheet_keeps_its_letters(tmp_path):
    record(tmp_path / "anna", "rest", seconds=0.2)
    (tmp_path / "people.csv").write_bytes("file;person;lamp\nanna/rest.mkv;Zoë;Küche\n".encode("cp1252"))
    listing = listed(tmp_path)
    assert listing.recordings[0].subject == "folder Zoë" and listing.recordings[0].facts == {"lamp": "Küche"}
    assert listing.notes == ("people.csv is not in UTF-8: letters are read as cp1252",)
