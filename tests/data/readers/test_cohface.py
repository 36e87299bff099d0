import pickle

import h5py
import numpy as np
import pytest

from rppg_lib.data.readers.arrays_file import Worker
from rppg_lib.data.readers.cohface import listed, reference
from rppg_lib.signal import hr_from_spectrum, resample

from .miniature import colours, pulse, video
from .mutants import survives


def record(folder, key, *, bpm=72.0, seconds=4.0, label_s=None, clock=lambda times: times):
    """Write a recording as the data set has them: 20 pictures a second, the pulse at 256 values a second."""
    home = folder / key
    video(home / "data.avi", seconds=seconds, fs=20.0, bpm=bpm)
    times = np.arange(round(256 * (label_s or seconds))) / 256
    with h5py.File(home / "data.hdf5", "w") as file:
        file["pulse"], file["respiration"] = pulse(times, bpm), np.cos(times)
        if clock is not None:
            file["time"] = clock(times)
    return home


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("COHFACE")
    for key, bpm in (("1/0", 60.0), ("1/2", 72.0), ("12/1", 90.0), ("2/3", 66.0)):
        record(folder, key, bpm=bpm)
    return folder


@pytest.fixture(scope="module")
def worker():
    with Worker(limit_s=3) as one:
        yield one


def test_recordings_are_listed_in_order_with_their_light_and_what_is_missing(copy):
    listing = listed(copy)
    assert [(each.id, each.subject, each.condition) for each in listing.recordings] == [
        ("cohface 1/0", "cohface 1", "studio light"), ("cohface 1/2", "cohface 1", "natural light"),
        ("cohface 2/3", "cohface 2", "natural light"), ("cohface 12/1", "cohface 12", "studio light")]
    assert len(listing.missing) == 156 and "40/3" in listing.missing and "12/1" not in listing.missing
    assert "sessions 0 and 1 are taken" in listing.notes[0] and not listing.left_out
    assert {each.fs for each in listing.recordings} == {20.0} and not listing.recordings[0].terms.may_show_faces


def test_the_published_lists_say_who_had_studio_light(copy):
    lists = copy / "protocols" / "clean"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("1/2/data\n12/1/data\n")
    (lists / "test.txt").write_bytes(b"\xff\xfe1")
    listing = listed(copy)
    light = {each.id: each.condition for each in listing.recordings}
    assert light == {"cohface 1/0": "natural light", "cohface 1/2": "studio light", "cohface 2/3": "natural light",
                     "cohface 12/1": "studio light"}
    left = {each.what: each.why for each in listing.left_out}
    assert not listing.notes and "is not text" in left["protocols/clean/test.txt"] and "protocols" in left


def test_pictures_and_pulse_beat_together_by_both_clocks(copy):
    recording = next(each for each in listed(copy).recordings if each.id.endswith("12/1"))
    rgb, times = colours(pickle.loads(pickle.dumps(recording)))
    label = recording.reference()
    assert np.median(np.diff(times)) == pytest.approx(1 / 20) and label.times_s[0] == 0 and label.notes == ()
    assert hr_from_spectrum(label.wave, fs=256) == pytest.approx(90, abs=1)
    seen = -resample(rgb[:, 1], times, at_s=label.times_s[label.times_s < times[-1]])
    assert np.corrcoef(seen, label.wave[label.times_s < times[-1]])[0, 1] > 0.99


def test_listing_opens_no_video_and_no_label(copy, monkeypatch):
    monkeypatch.setattr("rppg_lib.video.open_video", None)
    monkeypatch.setattr("rppg_lib.data.readers.cohface.read_arrays", None)
    assert len(listed(copy).recordings) == 4


def test_times_of_the_file_are_believed_where_they_can_be(tmp_path, worker):
    def label(clock):
        path = record(tmp_path, "1/0", seconds=1.0, clock=clock) / "data.hdf5"
        return reference(path, worker=worker)

    late = label(lambda times: times * 1.01 + 3.5)                     # 253.5 values a second, a clock that ran before
    assert late.times_s[-1] == pytest.approx(255 / 256 * 1.01)
    assert late.notes == ("the times begin at 3.5 s: pulse and pictures are taken to begin together",)
    none = label(None)
    assert none.times_s[-1] == pytest.approx(255 / 256) and "no times are told" in none.notes[0]
    milli = label(lambda times: times * 1000)
    assert milli.times_s[-1] == pytest.approx(255 / 256) and "tell 0.256 values a second" in milli.notes[0]
    still = label(np.zeros_like)
    assert still.times_s[-1] == pytest.approx(255 / 256) and "do not increase" in still.notes[0]
    once = label(lambda times: np.where(times == times[9], times[8], times))
    assert len(once.wave) == 255 and "1 of 256 values left out" in once.notes[0]
    assert once.times_s[9] == pytest.approx(10 / 256)                  # what follows stays where it was


@pytest.mark.parametrize("label_s, noted", [(1.95, False), (1.0, True), (3.0, True)])
def test_a_label_that_is_not_as_long_as_its_video_is_noted(tmp_path, worker, label_s, noted):
    home = record(tmp_path, "1/0", seconds=2.0, label_s=label_s)
    notes = reference(home / "data.hdf5", home / "data.avi", worker=worker).notes
    assert any("s long and the video 2.0 s" in note for note in notes) == noted
    (home / "data.avi").write_bytes(b"no video")
    assert "cannot be opened" in reference(home / "data.hdf5", home / "data.avi", worker=worker).notes[0]


def test_what_is_not_read_is_named_with_the_reason(tmp_path):
    for key in ("1/0", "1/1", "1/4", "x/0"):
        record(tmp_path, key, seconds=0.2)
    (tmp_path / "1" / "1" / "data.hdf5").unlink()
    (tmp_path / "2").symlink_to(tmp_path)                              # a loop: persons are no sessions
    left = {each.what: each.why for each in listed(tmp_path).left_out}
    assert left == {"1/1": "has no data.hdf5", "1/4": "is not a session, 0 to 3", "x": "is not the number of a person",
                    "2/2": "has no data.avi and no data.hdf5", "2/x": "is not a session, 0 to 3",
                    "2/1": "has no data.avi and no data.hdf5"}
    with pytest.raises(FileNotFoundError, match="expected for example 1/0/data.avi"):
        listed(tmp_path / "1")


@pytest.mark.parametrize("arrays, message", [
    ({"Pulse": np.zeros(9)}, "needs pulse, has Pulse"),
    ({"pulse": np.zeros((9, 2))}, r"needs one row or column of numbers, got shape \(9, 2\)"),
    ({"pulse": np.zeros(9), "time": np.arange(8) / 256}, "got 8 times and 9 values"),
    ({"pulse": np.zeros(9), "time": np.arange(9)[[0, 1, 2, 1, 2, 3, 4, 5, 6]] / 256}, "2 of 9 times do not increase"),
    ({"pulse": np.zeros(0)}, "got 0 times and 0 values"),
])
def test_a_damaged_label_is_one_clear_error(tmp_path, worker, arrays, message):
    with h5py.File(tmp_path / "data.hdf5", "w") as file:
        for name, values in arrays.items():
            file[name] = values
    with pytest.raises(ValueError, match=f"^data.hdf5: .*{message}"):
        reference(tmp_path / "data.hdf5", worker=worker)


def test_a_video_that_ends_early_is_an_error_and_not_a_short_one(copy, tmp_path):
    home = tmp_path / "1" / "0"
    home.mkdir(parents=True)
    for name in ("data.avi", "data.hdf5"):
        content = (copy / "1" / "0" / name).read_bytes()
        (home / name).write_bytes(content[:2000] if name == "data.avi" else content)
    recording, = listed(tmp_path).recordings
    with pytest.raises((ValueError, OSError)):
        colours(recording)


def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path, worker):
    path = record(tmp_path, "1/0", seconds=1.0) / "data.hdf5"
    readable, refused = survives(lambda: reference(path, worker=worker), path)
    assert readable > 20 and refused > 200
