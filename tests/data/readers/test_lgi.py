import os
import pickle
import time

import numpy as np
import pytest

from rppg_lib.data.readers import lgi
from rppg_lib.data.readers.lgi import TIMER, reference
from rppg_lib.signal import resample
from rppg_lib.video import write_video

from .miniature import colours, pictures, pulse
from .mutants import survives

EARLY_S = 1.5                            # the sensor was switched on before the camera


def log(path, rows):
    """Write a log as the data set's: entries and what is in them have names of one kind."""
    entries = "".join(f"\t<value{number}>\n" + "".join(f"\t\t<value{place}>{value}</value{place}>\n"
                                                       for place, value in enumerate(row)) + f"\t</value{number}>\n"
                      for number, row in enumerate(rows))
    path.write_text(f'<?xml version="1.0"?>\n<stream>\n{entries}</stream>\n')


def record(folder, *, bpm=72.0, seconds=4.0, early_s=EARLY_S, first_ms=0.0):
    """Write a recording whose pictures come unevenly, with one dropped; the device's rate is not the truth."""
    folder.mkdir(parents=True)
    steps = np.random.default_rng(1).uniform(0.9, 1.1, round(25 * seconds)) / 25
    steps[len(steps) // 2] += 2 / 25
    times = np.round(np.cumsum(steps) - steps[0], 6)
    write_video(folder / "cv_camera_sensor_stream_handler.avi", pictures(times, bpm=bpm), fs=30, codec="ffv1")
    log(folder / TIMER, [(number, f"{first_ms + 1e3 * t:.3f}") for number, t in enumerate(times)])
    taken = np.arange(round(60 * (times[-1] + early_s))) / 60
    stamps = taken - taken[-1] - 1 / 60 + times[-1]                          # both logs end together
    log(folder / "cms50_stream_handler.xml", [(number, 99, round(60 + 30 * value))
                                              for number, value in enumerate(pulse(stamps, bpm))])
    return times


@pytest.mark.parametrize("early_s, first_ms", [(EARLY_S, 0.0), (EARLY_S, 712.0), (-0.6, 0.0)])
def test_pulse_and_pictures_beat_together_when_both_end_together(tmp_path, early_s, first_ms):
    times = record(tmp_path / "alex" / "alex_rotation", bpm=81.0, early_s=early_s, first_ms=first_ms)
    recording, = lgi.listed(tmp_path).recordings
    recording = pickle.loads(pickle.dumps(recording))
    rgb, seen_at = colours(recording)
    assert seen_at == pytest.approx(times, abs=1e-6)
    label = recording.reference()
    assert label.times_s[0] == pytest.approx(max(0, -early_s), abs=1.01 / 60)
    at = seen_at[seen_at > max(0.2, -early_s + 0.1)]
    there = resample(label.wave, label.times_s, at_s=at)
    assert np.corrcoef(there, pulse(at, 81.0))[0, 1] > 0.99
    assert np.corrcoef(there, -resample(rgb[:, 1], seen_at, at_s=at))[0, 1] > 0.99
    told = "the first 1.5 s of the pulse dropped" if early_s > 0 else "the pulse is 0.6 s shorter"
    assert told.split(".")[0] in label.notes[0] and "end together" in label.notes[0]


def test_recordings_are_listed_in_order_below_people_or_archives_without_opening_a_video(tmp_path, monkeypatch):
    record(tmp_path / "id2" / "angelo" / "angelo_talk", seconds=1)
    record(tmp_path / "alex" / "alex_gym", seconds=1)
    monkeypatch.setattr("rppg_lib.video.open_video", None)
    listing = lgi.listed(tmp_path)
    assert [each.id for each in listing.recordings] == ["lgi alex_gym", "lgi angelo_talk"]
    assert [each.subject for each in listing.recordings] == ["lgi alex", "lgi angelo"]
    assert [each.condition for each in listing.recordings] == ["on an ergometer", "talking in the street"]
    assert len(listing.missing) == 22 and "alex_resting" in listing.missing and "alex_gym" not in listing.missing
    assert not listing.left_out and not any(each.terms.may_show_faces for each in listing.recordings)


def test_what_is_not_read_is_named_with_the_reason(tmp_path):
    for name in ("alex_gym", "alex_talk", "alex_resting"):
        record(tmp_path / "alex" / name, seconds=1)
    (tmp_path / "alex" / "alex_gym" / TIMER).unlink()
    (tmp_path / "alex" / "alex_talk" / "cv_camera_2.avi").touch()
    (tmp_path / "alex" / "alex_sleep").mkdir()
    (tmp_path / "media").mkdir()
    (tmp_path / "a_loop").symlink_to(tmp_path)
    (tmp_path / "id1").mkdir()
    (tmp_path / "id1" / "alex_resting").symlink_to(tmp_path / "alex" / "alex_resting")
    listing = lgi.listed(tmp_path)
    left = {each.what: each.why for each in listing.left_out}
    assert [each.id for each in listing.recordings] == ["lgi alex_resting"]
    assert left["alex/alex_gym"] == f"has no {TIMER}" and left["alex/alex_talk"] == "has more than one *cv_camera*.avi"
    assert "is not called PERSON_SESSION" in left["alex/alex_sleep"] and "media" in left
    assert left["id1/alex_resting"] == "is there twice, and the other one is read"
    assert not any("loop" in what for what in left)


def test_lost_values_and_entries_without_one_are_told(tmp_path):
    folder = tmp_path / "alex" / "alex_gym"
    record(folder)
    path = folder / "cms50_stream_handler.xml"
    log(path, [(number, 99, number % 50) for number in (*range(100), *range(103, 320))] + [(320, 99)])
    notes = reference(path, folder / TIMER).notes
    assert "the counter of values jumps 1 times: some may be lost" in notes
    assert "1 of 318 entries have no value2: left out" in notes


GOOD = "<a><value0><value0>0</value0><value1>0</value1><value2>1</value2></value0></a>"


@pytest.mark.parametrize("content, message", [
    ("", "is empty"),
    ("<a>", "is not XML"),
    (GOOD.replace("<a>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>"), "declares a document type"),
    (GOOD.replace("<a>", "<!DOCTYPE a SYSTEM 'file:///etc/hostname'><a>"), "declares a document type"),
    (GOOD.replace("<value2>1", "<value2>&b;"), "is not XML"),
    ("<?xml version='1.0' encoding='nonsense'?>" + GOOD, "so how they belong together is not known|is not XML"),
    ("<a><value0>1</value0><value2>7</value2></a>", "needs entries with a value2, got 2 entries and none with it"),
    (GOOD.replace("<value2>1", "<value2>one"), "value2: value 1 of 1 is 'one'"),
    (GOOD.replace("<value2>1", "<value2>"), "value2: value 1 of 1 is ''"),
    (GOOD, "its 1 values last 0.0 s and the pictures 3[0-9].. s, so how they belong together is not known"),
    ("<a>" * 200_000, "is not XML"),
])
def test_a_damaged_pulse_is_one_clear_error(tmp_path, content, message):
    folder = tmp_path / "alex" / "alex_gym"
    record(folder, seconds=0.2)
    log(folder / TIMER, [(number, 40 * number) for number in range(900)])
    (folder / "cms50_stream_handler.xml").write_text(content)
    with pytest.raises(ValueError, match=message):
        reference(folder / "cms50_stream_handler.xml", folder / TIMER)


def test_a_log_with_many_levels_or_in_another_encoding_does_no_harm(tmp_path):
    folder = tmp_path / "alex" / "alex_gym"
    record(folder, seconds=1)
    path = folder / "cms50_stream_handler.xml"
    start = time.perf_counter()
    for content, message in ((b"<a>" * 100_000 + b"</a>" * 100_000, "needs entries"),
                             ("<!DOCTYPE a><a/>".encode("utf-16"), "declares a document type"),
                             ("<!DOCTYPE a><a/>".encode("utf-16-le"), "is not text")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            reference(path, folder / TIMER)
    os.truncate(path, 10_000_001)
    with pytest.raises(ValueError, match="has 10 MB"):
        reference(path, folder / TIMER)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("rows, message", [
    ([(0, 0), (1, 40), (2, 30), (3, 20), (4, 10)], "3 of 5 times do not increase"),
    ([(0, 0.0), (1, 0.04), (2, 0.08)], "needs milliseconds"),
    ([(0,), (1,)], "needs entries with a value1"),
])
def test_a_damaged_timer_is_one_clear_error_for_pulse_and_pictures(tmp_path, rows, message):
    folder = tmp_path / "alex" / "alex_gym"
    record(folder, seconds=1)
    log(folder / TIMER, rows)
    recording, = lgi.listed(tmp_path).recordings
    with pytest.raises(ValueError, match=message):
        recording.reference()
    with pytest.raises(ValueError, match=message):
        list(recording.pictures())


@pytest.mark.parametrize("name", ["cms50_stream_handler.xml", TIMER])
def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path, name):
    folder = tmp_path / "alex" / "alex_gym"
    record(folder, seconds=2)
    readable, refused = survives(lambda: reference(folder / "cms50_stream_handler.xml", folder / TIMER),
                                 folder / name, count=500)
    assert readable > 5 and refused > 200                                    # XML is easily broken
