from datetime import datetime, timedelta

import numpy as np
import pytest

from rppg_lib.data.readers.mcd import listed, picture_times, reference, stamped
from rppg_lib.video import write_video

from .miniature import colours, pictures, pulse
from .mutants import survives

START = datetime(2023, 11, 13, 14, 18, 9, 856232)
EARLY_S = 0.8                            # the sensor ran before the camera
HEADER_HZ = 29.9                         # what the video claims; the camera was faster


def stamps(path, times, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{value}  {START + timedelta(seconds=float(t))}\n" for t, value in zip(times, values)))


def record(folder, stem, *, seconds=4.0, bpm=72.0, raw=True, synced=True):
    """Write a video whose pictures come unevenly, and the pulse on a clock of its own and laid beside the pictures."""
    count = round(30 * seconds)
    (folder / "video").mkdir(parents=True, exist_ok=True)
    steps = np.random.default_rng(2).uniform(0.9, 1.1, count) / 30
    times = np.cumsum(steps) - steps[0]
    write_video(folder / "video" / f"{stem}.avi", pictures(times, bpm=bpm), fs=HEADER_HZ, codec="ffv1")
    stamps(folder / "meta" / f"{stem}.txt", [*times, times[-1] + 1 / 30], range(1, count + 2))   # one line too many
    person, _, step = stem.split("_")
    clock = np.arange(-EARLY_S, seconds + 0.5, 0.01)
    if raw:
        stamps(folder / "ppg" / f"{person}_{step}.PW", clock, np.rint(500 + 100 * pulse(clock, bpm)).astype(int))
    if synced:
        path = folder / "ppg_sync" / f"{stem}.txt"
        path.parent.mkdir(exist_ok=True)
        near = np.abs(clock[:, None] - times).argmin(0)
        path.write_text("".join(f"{round(500 + 100 * pulse(clock[at], bpm))} {abs(clock[at] - t):.6f}\n"
                                for at, t in zip(near, times)))
    return times


def database(folder, stems):
    head = "patient_id,camera,step,video,age,sex,bmi,pulse\n"
    folder.joinpath("db.csv").write_text(head + "".join(
        f"{stem.split('_')[0]},{stem.split('_')[1]},{stem.split('_')[2]},../../{stem}.avi,31,f,22.5,71\n"
        for stem in stems))


@pytest.mark.parametrize("raw", [True, False])
def test_pictures_and_pulse_beat_together_by_both_clocks_and_not_by_the_header(tmp_path, raw):
    times = record(tmp_path, "1020_FullHDwebcam_before", bpm=90.0, raw=raw, synced=not raw)
    recording, = listed(tmp_path).recordings
    rgb, seen_at = colours(recording)
    assert seen_at == pytest.approx(times, abs=2e-6)
    label = recording.reference()
    assert label.times_s[0] == pytest.approx(-EARLY_S if raw else 0, abs=1e-5)
    assert np.corrcoef(np.interp(seen_at, label.times_s, label.wave), pulse(seen_at, 90.0))[0, 1] > 0.99
    assert np.corrcoef(np.interp(seen_at, label.times_s, label.wave), -rgb[:, 1])[0, 1] > 0.99
    assert not any("ppg_sync was read" in note for note in label.notes)


def test_recordings_are_listed_with_what_is_known_and_no_video_is_opened(tmp_path, monkeypatch):
    for stem in ("1020_IriunWebcam_after", "1020_FullHDwebcam_before"):
        record(tmp_path, stem, seconds=0.5)
    database(tmp_path, ["1020_IriunWebcam_after", "1020_FullHDwebcam_before", "999_USBVideo_after"])
    monkeypatch.setattr("rppg_lib.video.open_video", None)
    listing = listed(tmp_path)
    first, second = listing.recordings
    assert (first.id, first.subject, first.condition, first.fs) == (
        "mcd 1020_FullHDwebcam_before", "mcd 1020", "rest, FullHDwebcam", 30)
    assert (second.condition, second.fs, second.subject) == ("after exercise, IriunWebcam", 24, "mcd 1020")
    assert first.facts == {"camera": "FullHDwebcam", "step": "before", "age": "31", "sex": "f", "bmi": "22.5",
                           "pulse": "71"}
    assert listing.missing == ("999_USBVideo_after",)


def test_what_is_not_read_is_named_with_the_reason(tmp_path):
    for number in range(1, 5):
        record(tmp_path, f"{number}_USBVideo_before", seconds=0.5)
    (tmp_path / "video" / "2_USBVideo_before.avi").write_text("version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "meta" / "3_USBVideo_before.txt").unlink()
    (tmp_path / "ppg" / "4_before.PW").unlink()
    (tmp_path / "ppg_sync" / "4_USBVideo_before.txt").unlink()
    (tmp_path / "video" / "5_phone_before.avi").write_text("")
    (tmp_path / "ecg").mkdir()
    listing = listed(tmp_path)
    left = {each.what: each.why for each in listing.left_out}
    assert "a pointer of Git LFS" in left["video/2_USBVideo_before.avi"]
    assert left["video/3_USBVideo_before.avi"] == "has no meta/3_USBVideo_before.txt, the times of its pictures"
    assert "has neither ppg/4_before.PW nor" in left["video/4_USBVideo_before.avi"]
    assert "is not called" in left["video/5_phone_before.avi"] and left["ecg"] == "electrocardiograms, no pulse wave"
    assert len(listing.recordings) == 1 and "there is no db.csv" in listing.notes[0]


def test_a_raw_file_that_cannot_be_read_is_replaced_by_the_other_and_that_is_told(tmp_path):
    record(tmp_path, "1_USBVideo_after")
    raw = tmp_path / "ppg" / "1_after.PW"
    lines = raw.read_text().splitlines()
    for content, why in (("500\n" * 400, "needs lines of a number, a date and a time"),
                         (raw.read_text().replace("2023-11-13", "2023-11-14"), "See whether they belong together"),
                         ("\n".join([lines[0]] * 400), "do not increase")):
        raw.write_text(content)
        label = listed(tmp_path).recordings[0].reference()
        assert "ppg_sync was read" in label.notes[0] and why[:40] in label.notes[0]
        with pytest.raises(ValueError, match=why):
            reference(raw, None, tmp_path / "meta" / "1_USBVideo_after.txt")


def test_values_far_from_their_picture_are_missing(tmp_path):
    record(tmp_path, "1_USBVideo_after", raw=False)
    path = tmp_path / "ppg_sync" / "1_USBVideo_after.txt"
    lines = path.read_text().splitlines()
    lines[20:30] = [f"{line.split()[0]} 0.5" for line in lines[20:30]]
    path.write_text("\n".join(lines))
    label = listed(tmp_path).recordings[0].reference()
    assert np.isnan(label.wave[20:30]).all() and np.isfinite(label.wave).sum() == 110
    assert any("10 of 120 values count as missing" in note for note in label.notes)


def test_a_picture_without_a_line_or_with_a_time_of_before_lies_between_its_neighbours(tmp_path):
    path = tmp_path / "meta" / "1_USBVideo_after.txt"
    times = np.arange(60) / 30
    numbers = np.arange(1, 61)
    told = times.copy()
    told[30], told[59] = told[28], told[57]
    stamps(path, np.delete(told, 10), np.delete(numbers, 10))
    assert picture_times(path) == pytest.approx(times, abs=2e-6)


@pytest.mark.parametrize("content, message", [
    ("", "is empty"),
    ("1  2023-11-13 14:18:09.8\n", "got 1 lines"),
    ("1  2023-11-13\n2  2023-11-13\n", "got '1  2023-11-13'"),
    ("1  2023-13-13 14:18:09\n2  2023-13-13 14:18:10\n", "a date that does not exist"),
])
def test_damaged_stamps_are_one_clear_error(tmp_path, content, message):
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        stamped(path)


@pytest.mark.parametrize("numbers", [range(5, 65), [1, *range(100, 159)], [*range(1, 31)] * 2])
def test_pictures_that_are_not_counted_from_one_are_refused(tmp_path, numbers):
    stamps(tmp_path / "a.txt", np.arange(60) / 30, numbers)
    with pytest.raises(ValueError, match="needs pictures counted from 1 at increasing times"):
        picture_times(tmp_path / "a.txt")


@pytest.mark.parametrize("name", ["ppg/1_after.PW", "ppg_sync/1_USBVideo_after.txt", "meta/1_USBVideo_after.txt"])
def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path, name):
    record(tmp_path, "1_USBVideo_after", seconds=1.0)
    raw, synced, meta = (tmp_path / each for each in ("ppg/1_after.PW", "ppg_sync/1_USBVideo_after.txt",
                                                      "meta/1_USBVideo_after.txt"))
    kind = {"ppg": (raw, None), "ppg_sync": (None, synced), "meta": (raw, None)}[name.split("/")[0]]
    readable, refused = survives(lambda: reference(*kind, meta), tmp_path / name, count=400)
    assert readable > 3 and refused > 80                             # one line that is no line is enough to refuse it
