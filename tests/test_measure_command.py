"""``rppg measure``: text for people, JSON for programs, files if asked for, a status that tells failure from doubt."""

import io
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rppg_lib import measure_command
from rppg_lib.cli import main
from rppg_lib.measurement import Measurement, Stretch, Window
from rppg_lib.types import Pulse


def measured(source="me.mp4", *, trusted=True):
    wave = np.sin(2 * np.pi * 1.2 * np.arange(360) / 30)
    window = Window(start_s=1.0, seconds=10.0, reading_bpm=72.0, quality=0.9 if trusted else 0.1, trusted=trusted)
    return Measurement(source=source, method="pos", region="skin", verdict="reliable" if trusted else "do not trust",
                       why="it repeats itself", hr_bpm=72.0 if trusted else math.nan, reading_bpm=72.0, quality=0.9,
                       windows=(window,), stretches=(Stretch(start_s=0.0, pulse=Pulse(wave=wave, fs=30),
                                                             beats_s=np.arange(1.0, 11.0)),),
                       seconds=12.0, frames=360, face_share=1.0, finder="landmarks", took_s=2.0,
                       notes=("2 frames were damaged",))


@pytest.fixture
def rppg(capsys, monkeypatch):
    """Call the command with the measuring itself replaced; ``asked`` holds what it was asked for."""
    asked = []
    results = {"one": measured()}

    def measure(source, **settings):
        asked.append((source, settings))
        if isinstance(results["one"], Exception):
            raise results["one"]
        return results["one"]

    monkeypatch.setattr(measure_command, "measure", measure)
    monkeypatch.setattr(measure_command, "measure_faces", lambda source, **_: [measured(), measured()])
    monkeypatch.setattr(measure_command, "measure_folder", lambda folder, **_: iter(
        [(SimpleNamespace(name="a.mp4"), measured("a.mp4")), (SimpleNamespace(name="b.mp4"), OSError("is broken"))]))

    def call(*words):
        status = main(["measure", *map(str, words)])
        said = capsys.readouterr()
        return SimpleNamespace(status=status, out=said.out, err=said.err, asked=asked)

    call.results = results
    return call


def test_text_begins_with_rate_and_verdict_and_ends_with_every_note(rppg):
    lines = rppg("me.mp4").out.splitlines()
    assert lines[0] == "me.mp4: 72.0 bpm - reliable"
    assert lines[-1] == "  note: 2 frames were damaged"
    assert any("180 frames/s" in line for line in lines)


def test_a_doubtful_measurement_shows_no_rate_and_is_no_failure(rppg):
    rppg.results["one"] = measured(trusted=False)
    result = rppg("me.mp4")
    assert result.status == 0 and result.out.startswith("me.mp4: no rate - do not trust")
    assert json.loads(rppg("me.mp4", "--json").out)["hr_bpm"] is None


def test_json_is_one_object_for_one_video_and_a_list_for_several(rppg, tmp_path):
    assert json.loads(rppg("me.mp4", "--json").out)["hr_bpm"] == 72
    assert len(json.loads(rppg("me.mp4", "--json", "--faces", "all").out)) == 2
    (tmp_path / "a.mp4").touch()
    result = rppg(tmp_path, "--json")
    good, bad = json.loads(result.out)
    assert result.status == 1 and good["hr_bpm"] == 72 and bad == {"source": "b.mp4", "error": "is broken"}


def test_a_file_of_a_folder_that_cannot_be_read_is_named_and_the_others_are_measured(rppg, tmp_path):
    (tmp_path / "a.mp4").touch()
    result = rppg(tmp_path)
    assert result.status == 1 and "b.mp4: not read - is broken" in result.out and "a.mp4: 72.0 bpm" in result.out


def test_the_options_reach_the_measurement(rppg):
    rppg("me.mp4")
    rppg("me.mp4", "--method", "chrom", "--region", "left cheek", "--window", 15, "--hop", 2, "--fast",
         "--finder", "haar", "--seconds", 9, "--checkpoint", "weights")
    rppg("0")
    (_, usual), (_, changed), (camera, live) = (pair for pair in rppg("me.mp4").asked[:3])
    del usual["progress"], changed["progress"]
    assert usual == {"method": "pos", "region": "skin", "window_s": 10, "hop_s": 1, "finder": "auto", "every": 1,
                     "fs": None, "seconds": None, "options": {}}
    assert changed == {"method": "chrom", "region": "left cheek", "window_s": 15, "hop_s": 2, "finder": "haar",
                       "every": 3, "fs": None, "seconds": 9, "options": {"checkpoint": Path("weights")}}
    assert camera == 0 and live["seconds"] == measure_command.CAMERA_S


def test_saving_writes_numbers_tables_and_a_figure(rppg, tmp_path):
    result = rppg("me.mp4", "--save", tmp_path / "out")
    names = {"me.mp4.json", "me.mp4.windows.csv", "me.mp4.pulse.csv", "me.mp4.png"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert all(name in result.out for name in names)
    assert (tmp_path / "out" / "me.mp4.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("error", [OSError("open_video: needs a video file, but 'x' does not exist. Check the name."),
                                   ValueError("registry: no estimator is called 'x'.")])
def test_what_cannot_be_measured_is_one_line(rppg, error):
    rppg.results["one"] = error
    result = rppg("x")
    assert (result.status, result.out) == (2, "") and result.err == f"rppg measure: {error}\n"


def test_progress_is_one_line_that_is_redrawn_on_a_terminal_and_nothing_elsewhere(monkeypatch):
    clock = iter(np.arange(0, 100, 0.5))
    monkeypatch.setattr(measure_command.time, "monotonic", lambda: next(clock))
    screen, file = io.StringIO(), io.StringIO()
    live, silent = measure_command.ProgressLine(screen, live=True), measure_command.ProgressLine(file)
    for line in (live, silent):
        line(30, 300)
        line(60, 300)
        line.clear()
    assert file.getvalue() == "" and "\n" not in screen.getvalue()
    assert "frame 60 of 300" in screen.getvalue() and "frames/s" in screen.getvalue() and "s left" in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_a_missing_video_package_is_named_with_the_line_that_installs_it(monkeypatch, capsys):
    import rppg_lib.cli

    monkeypatch.setattr(rppg_lib.cli, "NEEDED_TO_MEASURE", ("av", "no_such_package"))
    assert main(["measure", "me.mp4"]) == 2
    said = capsys.readouterr().err
    assert "no_such_package" in said and "[video]" in said


def test_a_folder_that_cannot_be_written_to_is_said_before_anything_is_measured(rppg, tmp_path):
    (tmp_path / "file").touch()
    result = rppg("me.mp4", "--save", tmp_path / "file")
    assert result.status == 2 and result.out == "" and "file" in result.err and result.asked == []


def test_a_measurement_that_cannot_be_saved_is_still_shown_and_the_status_says_so(rppg, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(measure_command, "keep", full)
    result = rppg("me.mp4", "--save", tmp_path)
    assert result.status == 1 and "72.0 bpm" in result.out and "not saved: no space left" in result.out
    assert json.loads(rppg("me.mp4", "--json", "--save", tmp_path).out)["not_saved"] == "no space left on device"
