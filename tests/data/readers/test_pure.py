import json

import numpy as np
import pytest

from rppg_lib.data.readers import read_dataset
from rppg_lib.data.readers.pure import reference

from .miniature import colours, pictures, png, pulse
from .mutants import survives

START_NS = 1392643993642815000
LATE_S = 0.37                            # the sensor was switched on after the camera


def record(folder, name, *, bpm=72.0, seconds=3.0, beside=False):
    """Write a recording whose pictures come unevenly and whose pulse has a clock of its own at 60 Hz."""
    inner = folder / name if beside else folder / name / name
    inner.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.9, 1.1, round(30 * seconds))) / 30
    times -= times[0]
    for image, time_s in zip(pictures(times, bpm=bpm), times):
        png(inner / f"Image{START_NS + round(time_s * 1e9)}.png", image)
    stamps = np.arange(LATE_S, seconds, 1 / 60)
    told = {"/FullPackage": [{"Timestamp": START_NS + round(t * 1e9),
                              "Value": {"waveform": int(100 + 50 * value), "pulseRate": 99, "o2saturation": 98}}
                             for t, value in zip(stamps, pulse(stamps, bpm))],
            "/Image": [{"Timestamp": START_NS + round(t * 1e9)} for t in times]}
    path = (folder if beside else folder / name) / f"{name}.json"
    path.write_text(json.dumps(told))
    return times


@pytest.mark.parametrize("beside", [False, True])
def test_pulse_is_put_at_the_pictures_times_by_both_clocks(tmp_path, beside):
    times = record(tmp_path, "01-02", beside=beside)
    recording, = read_dataset("pure", tmp_path).recordings
    assert (recording.id, recording.subject, recording.condition) == ("pure 01-02", "pure 01", "talking")
    rgb, seen_at = colours(recording)
    assert seen_at == pytest.approx(times, abs=1e-6)
    label = recording.reference()
    assert label.times_s[0] == pytest.approx(LATE_S, abs=1e-6)
    at = seen_at[seen_at > LATE_S]
    assert np.corrcoef(np.interp(at, label.times_s, label.wave), pulse(at))[0, 1] > 0.99
    assert np.corrcoef(rgb[seen_at > LATE_S, 1], pulse(at))[0, 1] < -0.99


def test_a_known_gap_of_the_data_set_is_not_called_missing(tmp_path):
    record(tmp_path, "06-01", seconds=1)
    missing = read_dataset("pure", tmp_path).missing
    assert len(missing) == 58 and "06-02" not in missing and "06-03" in missing


def test_what_is_not_read_is_named_with_the_reason(tmp_path):
    for name in ("01-01", "01-03", "02-02"):
        record(tmp_path, name, seconds=1)
    (tmp_path / "01-03" / "01-03.json").unlink()
    for image in (tmp_path / "02-02" / "02-02").iterdir():
        image.unlink()
    (tmp_path / "11-09").mkdir()
    left = {each.what: each.why for each in read_dataset("pure", tmp_path).left_out}
    assert "has no 01-03.json" in left["01-03"] and left["02-02"] == "has no PNG pictures"
    assert "is not called SS-TT" in left["11-09"]


@pytest.mark.parametrize("told, message", [
    ("{", "is not JSON"),
    ("[]", "needs /FullPackage"),
    ('{"/FullPackage": [{"Timestamp": 1}]}', "needs /FullPackage, a list of Timestamp and Value.waveform; KeyError"),
    ('{"/FullPackage": []}', "got 0 times and 0 values"),
    ('{"/FullPackage": [{"Timestamp": 1e999, "Value": {"waveform": 1}}]}', "OverflowError"),
    ("[" * 100000, "is not JSON"),
])
def test_a_damaged_truth_is_one_clear_error(tmp_path, told, message):
    record(tmp_path, "01-01", seconds=1)
    path = tmp_path / "01-01" / "01-01.json"
    path.write_text(told)
    with pytest.raises(ValueError, match=message):
        reference(path, tmp_path / "01-01" / "01-01")


def test_pictures_without_their_times_are_refused(tmp_path):
    record(tmp_path, "01-01", seconds=0.5)
    inner = tmp_path / "01-01" / "01-01"
    for number, image in enumerate(sorted(inner.iterdir())):
        image.rename(inner / f"{number}.png")
    with pytest.raises(ValueError, match="Unpack the data set again, with its names"):
        reference(tmp_path / "01-01" / "01-01.json", inner)


def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path):
    record(tmp_path, "01-01", seconds=1)
    path, inner = tmp_path / "01-01" / "01-01.json", tmp_path / "01-01" / "01-01"
    readable, refused = survives(lambda: reference(path, inner), path)
    assert readable > 20 and refused > 200


def test_pictures_that_cannot_be_decoded_at_the_start_shift_no_label(tmp_path):
    """The label's clock begins with the first picture, be it damaged: then the recording is refused, not shifted."""
    record(tmp_path, "01-01", seconds=2)
    for image in sorted((tmp_path / "01-01" / "01-01").iterdir())[:5]:
        image.write_bytes(b"")
    told, = read_dataset("pure", tmp_path).recordings
    with pytest.raises(ValueError, match="5 pictures up to 0.2 s cannot be decoded"):
        list(told.pictures())
