import pickle

import numpy as np
import pytest

from rppg_lib.data.readers import vipl
from rppg_lib.data.readers.vipl import picture_times, reference, times_of
from rppg_lib.signal import resample
from rppg_lib.video import write_video

from .miniature import colours, pictures, pulse
from .mutants import survives

SECONDS = 4.0


def uneven(seconds=SECONDS, fs=16.0):
    """Return whole milliseconds as a webcam in the dark gives them: slow, jittering, and with pictures dropped."""
    steps = np.random.default_rng(2).uniform(0.85, 1.15, round(seconds * fs)) / fs
    steps[20] += 3 / fs
    times = np.round(1e3 * (np.cumsum(steps) - steps[0])).astype(int)
    return times[times <= 1e3 * seconds]


def record(source, *, bpm=72.0, late_ms=0):
    """Write the five files of a recording; the container says 25 pictures a second, whatever is true."""
    source.mkdir(parents=True)
    stamps = uneven() if source.name != "source2" else 1e3 * np.arange(SECONDS * 30) / 30
    write_video(source / "video.avi", pictures(stamps / 1e3, bpm=bpm), fs=25, codec="ffv1")
    if source.name != "source2":
        (source / "time.txt").write_text("".join(f"{stamp + late_ms}\n" for stamp in stamps))
    wave = 50 + 20 * pulse(np.arange(round(SECONDS * 60)) / 60, bpm)
    (source / "wave.csv").write_text("Wave\n" + "".join(f"{value:.3f}\n" for value in wave))
    (source / "gt_HR.csv").write_text("HR\n255\n" + "72\n" * 4)
    (source / "gt_SpO2.csv").write_text("SpO2\n44\n127\n" + "97\n" * 3)
    return stamps / 1e3


def empty(source):
    """Make a recording that nobody opens."""
    source.mkdir(parents=True)
    for name in ("video.avi", "wave.csv", *(() if source.name == "source2" else ("time.txt",))):
        (source / name).touch()


def test_recordings_are_listed_in_order_without_opening_a_file(tmp_path, monkeypatch):
    for name in ("p2/v1/source1", "p10/v8/source2", "p10/v1-2/source3"):
        empty(tmp_path / "data" / name)
    monkeypatch.setattr("rppg_lib.video.open_video", None)
    listing = vipl.listed(tmp_path)
    assert [each.id for each in listing.recordings] == ["vipl p2 v1 source1", "vipl p10 v1-2 source3",
                                                        "vipl p10 v8 source2"]
    assert [each.subject for each in listing.recordings] == ["vipl p2", "vipl p10", "vipl p10"]
    assert [each.condition for each in listing.recordings] == ["stable, webcam", "stable, RealSense",
                                                               "hand-held, telephone"]
    assert [each.facts["take"] for each in listing.recordings] == [1, 2, 1]
    assert not any(each.terms.may_show_faces for each in listing.recordings)


@pytest.mark.parametrize("source, late_ms", [("source1", 0), ("source3", 317), ("source2", 0)])
def test_pictures_and_pulse_beat_together_though_the_container_lies(tmp_path, source, late_ms):
    times = record(tmp_path / "p1" / "v5" / source, bpm=90.0, late_ms=late_ms)
    recording, = vipl.listed(tmp_path).recordings
    recording = pickle.loads(pickle.dumps(recording))
    rgb, seen_at = colours(recording)
    assert seen_at == pytest.approx(times, abs=1e-6)
    label = recording.reference()
    assert np.corrcoef(label.wave, pulse(label.times_s, 90.0))[0, 1] > 0.9999
    at = np.arange(0.2, 3.5, 1 / 15)
    seen = -resample(rgb[:, 1], seen_at, at_s=at)
    assert np.corrcoef(seen, np.interp(at, label.times_s, label.wave))[0, 1] > 0.98    # 16 pictures a second, no more


def test_a_count_of_seconds_does_not_bend_the_nominal_rate_but_a_contradiction_does(tmp_path):
    for values, rows, rate in ((2084, 36, 60.0), (2084, 34, 60.0), (1500, 30, 50.0), (2084, 30, 2084 / 30)):
        (tmp_path / "wave.csv").write_text("Wave\n" + "61\n" * values)
        (tmp_path / "gt_HR.csv").write_text("HR\n" + "72\n" * rows)
        label = reference(tmp_path / "wave.csv", None)
        assert np.median(np.diff(label.times_s)) == pytest.approx(1 / rate)
        assert any(f"{rate:.4g} Hz assumed" in note and f"gt_HR.csv counts {rows} s" in note for note in label.notes)


def test_without_a_count_of_seconds_the_nominal_rate_is_taken_and_told(tmp_path):
    source = tmp_path / "p1" / "v1" / "source1"
    record(source)
    (source / "gt_HR.csv").unlink()
    label = reference(source / "wave.csv", source / "time.txt")
    assert label.times_s[-1] == pytest.approx(239 / 60)
    assert "the wave has no time stamps: 60 Hz assumed, so that 240 values last 4.0 s" in label.notes


def test_fault_codes_become_nan_and_are_counted(tmp_path):
    source = tmp_path / "p1" / "v1" / "source1"
    record(source)
    assert np.isnan(vipl.device_values(source / "gt_HR.csv", "HR")).tolist() == [True] + 4 * [False]
    assert np.isnan(vipl.device_values(source / "gt_SpO2.csv", "SpO2")).tolist() == [True, True, False, False, False]
    notes = reference(source / "wave.csv", source / "time.txt").notes
    assert "the device told no HR in 1 of 5 s" in notes and "the device told no SpO2 in 2 of 5 s" in notes


def test_a_wave_shorter_than_the_pictures_is_told(tmp_path):
    source = tmp_path / "p1" / "v1" / "source1"
    record(source)
    for name, lines in (("wave.csv", 61), ("gt_HR.csv", 3)):
        path = source / name
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
    end_s = times_of(source / "time.txt")[-1]
    assert any(f"the wave lasts 1.0 s and the pictures {end_s:.1f} s" in note
               for note in reference(source / "wave.csv", source / "time.txt").notes)


def test_the_telephone_has_no_stamps_and_its_label_says_so(tmp_path):
    record(tmp_path / "p1" / "v8" / "source2")
    recording, = vipl.listed(tmp_path).recordings
    assert any("30 pictures a second are assumed" in note for note in recording.reference().notes)


def test_what_is_not_read_is_named_with_the_reason(tmp_path):
    for name in ("p1/v1/source1", "p1/v1/source2", "p1/v1/source4", "p1/v2/source1", "p1/v3/source9"):
        empty(tmp_path / "data" / name)
    (tmp_path / "data" / "p1" / "v2" / "source1" / "time.txt").unlink()
    (tmp_path / "data" / "p1" / "extra").mkdir()
    (tmp_path / "data" / "fold").mkdir()
    (tmp_path / "data" / "p6-10.zip").touch()
    left = {each.what.removeprefix("data/"): each.why for each in vipl.listed(tmp_path).left_out}
    assert set(left) == {"p1/v1/source4", "p1/v2/source1", "p1/v3/source9", "p1/extra", "fold", "p6-10.zip"}
    assert "near infrared" in left["p1/v1/source4"] and left["p1/v2/source1"] == "has no time.txt"


def test_documented_gaps_are_not_called_missing(tmp_path):
    for name in ("p1/v1/source1", "p56/v1/source1", "p97/v1/source2"):
        empty(tmp_path / name)
    (tmp_path / "Missing_data.txt").write_text("p1/v7/source1\r\np1/v3/source2\r\n")
    listing = vipl.listed(tmp_path)
    mine = {name for name in listing.missing if name.startswith(("p1/", "p56/", "p97/"))}
    assert {"p1/v1/source2", "p1/v1/source3", "p1/v2", "p1/v3", "p1/v8/source2", "p97/v1/source3"} <= mine
    assert not {"p1/v7/source1", "p1/v3/source2", "p97/v1/source1", "p97/v1", "p56/v6", "p56/v9/source2"} & mine
    assert not any("source4" in name for name in mine)
    assert "p2" in listing.missing and len([name for name in listing.missing if "/" not in name]) == 104
    assert not listing.notes
    (tmp_path / "Missing_data.txt").unlink()
    assert "others may be called missing" in vipl.listed(tmp_path).notes[0]


def test_of_people_who_are_there_as_published_nothing_is_missing(tmp_path):
    gaps = set(vipl.KNOWN_GAPS)
    people = (1, 2, 55, 56, 57, 96, 97, 107)
    for person in people:
        for take in range(1, 10):
            for source in ("source2",) if take > 7 else ("source1", "source2", "source3"):
                if (name := f"p{person}/v{take}/{source}") not in gaps:
                    empty(tmp_path / name)
    listing = vipl.listed(tmp_path)
    assert len(listing.recordings) == 8 * 23 - 1 - 8 - 2 * 7
    assert listing.missing == tuple(f"p{number}" for number in range(1, 108) if number not in people)


@pytest.mark.parametrize("file, content, message", [
    ("wave.csv", "", "is empty"),
    ("wave.csv", "1\n2\n3\n", "needs 'Wave' in its first line and one number in each other, got '1'"),
    ("wave.csv", "Wave\n", "has 0 values for the 5 s of gt_HR.csv"),
    ("wave.csv", "Wave\n1\n2,3\n", "value 2 of 2 is '2,3'"),
    ("wave.csv", "Wave\n" + "1\n" * 1000, "has 1000 values for the 5 s of gt_HR.csv, 200.0 in a second"),
    ("gt_HR.csv", "SpO2\n97\n", "needs 'HR' in its first line"),
    ("time.txt", "0\n40\nx\n", "value 3 of 3 is 'x'"),
    ("time.txt", "0\n", "two at least, got 1, of which 0 are no times"),
    ("time.txt", "0 40 nan 120", "got 4, of which 1 are no times"),
    ("time.txt", "0 40 20 10 5 50 60 70", "3 of 8 times do not increase"),
    ("time.txt", "0 0.04 0.08 0.12", "needs milliseconds, 5 to 500 from picture to picture, got 0.04"),
])
def test_a_damaged_file_is_one_clear_error(tmp_path, file, content, message):
    source = tmp_path / "p1" / "v1" / "source1"
    record(source)
    (source / file).write_text(content)
    with pytest.raises(ValueError, match=message):
        reference(source / "wave.csv", source / "time.txt")


def test_a_stamp_that_comes_twice_is_set_between_its_neighbours_and_told(tmp_path):
    source = tmp_path / "p1" / "v1" / "source1"
    record(source)
    told = [int(word) for word in (source / "time.txt").read_text().split()]
    told[30] = told[29]
    told[-1] = told[-2]
    (source / "time.txt").write_text("\n".join(map(str, told)))
    times = times_of(source / "time.txt")
    assert (np.diff(times) > 0).all()
    assert times[30] == pytest.approx((told[29] + told[31]) / 2e3, abs=1e-9)
    notes = reference(source / "wave.csv", source / "time.txt").notes
    assert any(f"2 of {len(told)} times of pictures did not increase" in note for note in notes)


@pytest.mark.parametrize("last", [[80, 80], [80, 10], [10, 80]])
def test_times_of_pictures_increase_wherever_one_did_not(last):
    times, wrong = picture_times("time.txt", [0, *range(40, 2000, 40), *(1960 + np.array(last) - 40)])
    assert (np.diff(times) > 0).all() and wrong == 1


def test_a_truncated_video_is_not_played_with_the_times_of_another(tmp_path):
    source = tmp_path / "p1" / "v1" / "source1"
    record(source)
    with open(source / "time.txt", "a") as file:
        file.write("".join(f"{4000 + 60 * count}\n" for count in range(30)))
    recording, = vipl.listed(tmp_path).recordings
    with pytest.raises(ValueError, match="which picture was taken when is not known"):
        list(recording.pictures())


@pytest.mark.parametrize("file", ["wave.csv", "time.txt", "gt_HR.csv"])
def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path, file):
    source = tmp_path / "p1" / "v1" / "source1"
    record(source)
    readable, refused = survives(lambda: reference(source / "wave.csv", source / "time.txt"), source / file, count=400)
    assert readable > 20 and refused > 80


def test_a_list_of_times_that_is_longer_than_the_video_is_refused_before_a_picture_is_read(tmp_path):
    from rppg_lib.data.readers.base import film

    from .miniature import video

    times = video(tmp_path / "video.avi", seconds=3.0)
    assert len(list(film(tmp_path / "video.avi", times_s=lambda: np.append(times, times[-1] + 0.03))())) == 90
    with pytest.raises(ValueError, match="has 90 pictures, as its header says, and 104 times belong to it"):
        next(film(tmp_path / "video.avi", times_s=lambda: np.arange(104) / 30)())
