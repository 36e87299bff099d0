import cv2
import numpy as np
import pytest

from rppg_lib.data.readers.ibvp import listed, picture_times, reference

from .miniature import colours, pictures, pulse
from .mutants import survives

START_MS = 1680000000123


def bmp(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".bmp", image[..., ::-1])[1].tobytes())


def session(folder, name, *, seconds=4.0, bpm=72.0, named="ms", bad=slice(0, 0)):
    """Write pictures that come unevenly, a value of the pulse for each, and marks of which some are bad."""
    steps = np.random.default_rng(1).uniform(0.8, 1.2, round(30 * seconds)) / 30
    times = np.cumsum(steps) - steps[0] if named != "count" else np.arange(len(steps)) / 30
    for number, (image, time_s) in enumerate(zip(pictures(times, bpm=bpm), times)):
        stem = {"ms": START_MS + round(time_s * 1e3), "count": number,
                "ns": (START_MS + round(time_s * 1e3)) * 10**6}[named]
        bmp(folder / name / f"{name}_rgb" / f"{stem}.bmp", image)
    (folder / name / f"{name}_t").mkdir()
    label(folder / name / f"{name}_bvp.csv", pulse(times, bpm), bad=bad)
    return times


def label(path, wave, *, bad=slice(0, 0)):
    marks = np.ones(len(wave))
    marks[bad] = 0.3
    path.write_text("BVP,SQPhysMD,SQ1,SQ2,Perfusion\n"
                    + "".join(f"{value:.5f},0.9,1,{mark},2.5\n" for value, mark in zip(wave, marks)))


def test_sessions_are_listed_without_opening_a_picture(tmp_path, monkeypatch):
    for name in ("p10_a", "p02_d", "p02_a"):
        session(tmp_path, name, seconds=0.2)
    monkeypatch.setattr("rppg_lib.video.open_video", None)
    listing = listed(tmp_path)
    assert [each.id for each in listing.recordings] == ["ibvp p02_a", "ibvp p02_d", "ibvp p10_a"]
    assert listing.recordings[1].subject == "ibvp p02" and listing.recordings[1].condition == "head movement"
    assert listing.missing == ("p02_b", "p02_c", "p10_b", "p10_c", "p10_d")
    assert "2 of 31 people" in listing.notes[0]
    assert [(each.what, each.why) for each in listing.left_out] == [("p*/p*_t", "3 folders: heat, not colour")]


@pytest.mark.parametrize("named, how", [("ms", "by the milliseconds"), ("ns", "by the nanoseconds"),
                                        ("count", "30 a second are assumed")])
def test_pictures_and_pulse_beat_together_on_the_clock_that_the_names_tell(tmp_path, named, how):
    times = session(tmp_path, "p01_a", named=named)
    recording, = listed(tmp_path).recordings
    rgb, seen_at = colours(recording)
    found = recording.reference()
    assert seen_at == pytest.approx(times, abs=1e-3) and found.times_s == pytest.approx(times, abs=1e-3)
    assert np.corrcoef(-rgb[:, 1], found.wave)[0, 1] > 0.99
    assert how in found.notes[0] and len(found.notes) == 1


def test_a_bad_stretch_is_missing_and_no_time_is_cut_out(tmp_path):
    times = session(tmp_path, "p01_a", bad=slice(30, 45))
    found = listed(tmp_path).recordings[0].reference()
    assert np.isnan(found.wave[30:45]).all() and np.isfinite(np.delete(found.wave, np.arange(30, 45))).all()
    assert found.times_s == pytest.approx(times, abs=1e-3)
    assert any("15 of 120 values are marked as bad" in note for note in found.notes)


def test_a_picture_that_is_damaged_does_not_shift_those_after_it(tmp_path):
    times = session(tmp_path, "p01_a", seconds=1)
    folder = tmp_path / "p01_a" / "p01_a_rgb"
    sorted(folder.iterdir())[10].write_bytes(b"no picture")
    _, seen_at = colours(listed(tmp_path).recordings[0])
    assert seen_at == pytest.approx(np.delete(times, 10), abs=1e-3)


def test_values_that_are_not_one_for_each_picture_are_at_30_a_second_or_refused(tmp_path):
    session(tmp_path, "p01_a")
    folder = tmp_path / "p01_a"
    seconds = picture_times(folder / "p01_a_rgb")[0][-1]
    for path in sorted((folder / "p01_a_rgb").iterdir())[20:40:2]:   # pictures that the camera dropped
        path.unlink()
    found = listed(tmp_path).recordings[0].reference()
    assert any("30 values a second are assumed" in note for note in found.notes)
    assert found.times_s[-1] == pytest.approx(seconds, abs=0.15) and np.ptp(np.diff(found.times_s)) < 1e-9
    label(folder / "p01_a_bvp.csv", pulse(np.arange(1000) / 250))
    with pytest.raises(ValueError, match="has 1000 values for 110 pictures"):
        listed(tmp_path).recordings[0].reference()


def test_what_is_not_read_is_named_with_the_reason(tmp_path):
    for name in ("p01_a", "p01_b", "p01_c", "p01_d"):
        session(tmp_path, name, seconds=0.1)
    (tmp_path / "p01_b" / "p01_b_bvp.csv").unlink()
    for path in (tmp_path / "p01_c" / "p01_c_rgb").iterdir():
        path.unlink()
    (tmp_path / "p01_d" / "p01_d_rgb").rename(tmp_path / "p01_d" / "rgb")
    (tmp_path / "p1_e").mkdir()
    left = {each.what: each.why for each in listed(tmp_path).left_out}
    assert left["p01_b"] == "has no p01_b_bvp.csv" and left["p01_c"] == "has no BMP pictures in p01_c_rgb"
    assert left["p01_d"] == "has no p01_d_rgb" and "is not called pNN_x" in left["p1_e"]


@pytest.mark.parametrize("rename, message", [
    (lambda number: f"{number}_rgb.bmp", r"all called <something><number>.bmp"),
    (lambda number: f"{7 * number}.bmp", "differ by 7, which is neither a count nor"),
    (lambda number: f"{'b' if number < 5 else 'c'}{100 - number}.bmp", "do not increase"),
])
def test_names_that_tell_no_time_are_refused(tmp_path, rename, message):
    session(tmp_path, "p01_a", seconds=0.5, named="count")
    folder = tmp_path / "p01_a" / "p01_a_rgb"
    for number, path in enumerate(sorted(folder.iterdir(), key=lambda path: int(path.stem))):
        path.rename(folder.parent / rename(number))
    folder.rmdir()
    folder.mkdir()
    for path in folder.parent.glob("*.bmp"):
        path.rename(folder / path.name)
    with pytest.raises(ValueError, match=message):
        picture_times(folder)


@pytest.mark.parametrize("content, message", [
    ("", "is empty"),
    ("SQ1,SQ2\n1,1\n", "needs a header with BVP"),
    ("BVP,SQ2\n1,1\n2\n", "line 3 has 1 fields, its header 2"),
    ("BVP,SQ2\n" + "x,1\n" * 30, "line 2, column 'bvp': 'x' is not a number"),
    ("BVP,SQ2\n1,1\n2,1\n", "has 2 values for 30 pictures"),
])
def test_a_damaged_label_is_one_clear_error(tmp_path, content, message):
    session(tmp_path, "p01_a", seconds=1)
    path = tmp_path / "p01_a" / "p01_a_bvp.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        reference(path, tmp_path / "p01_a" / "p01_a_rgb")


def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path):
    session(tmp_path, "p01_a", seconds=1)
    path = tmp_path / "p01_a" / "p01_a_bvp.csv"
    readable, refused = survives(lambda: reference(path, tmp_path / "p01_a" / "p01_a_rgb"), path)
    assert readable > 20 and refused > 200
