"""``rppg labels``: what a person reads, JSON for programs, files if asked for, and a status for what was not read."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rppg_lib import labels_command, simulate
from rppg_lib.cli import main
from rppg_lib.data import build_store, simulated_sources
from rppg_lib.evaluation import Labelled, audit
from rppg_lib.files import file_stem

from .checkout import ROOT

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def rppg(capsys):
    def call(*words):
        status = main(["labels", *map(str, words)])
        said = capsys.readouterr()
        return SimpleNamespace(status=status, out=said.out, err=said.err)

    return call


LATE = (simulate.Lag(seconds=0.2),)


def written(path, person=1, *, seconds=30, colours=True, faults=LATE):
    clip = simulate.trace(person, seconds=seconds, label_faults=faults)
    table = {"time_s": np.arange(len(clip)) / clip.fs, "label": clip.label}
    pd.DataFrame(table | (dict(zip("rgb", clip.rgb.T)) if colours else {})).to_csv(path, index=False)
    return path


def test_one_file_gets_its_verdicts_and_its_lag(rppg, tmp_path):
    result = rppg(written(tmp_path / "finger.csv"))
    assert result.status == 0 and result.err == ""
    assert result.out.startswith("finger.csv: 1 recording of 1 person, 30 s\n3 segments of about 10 s: 3 good")
    assert "0.20 s after the face" in result.out


def test_the_options_reach_the_audit(rppg, tmp_path):
    path = written(tmp_path / "finger.csv", seconds=40)
    said = json.loads(rppg(path, "--json", "--segment", 5).out)
    assert said["segment_s"] == 5 and said["segments"]["good"] == 8
    fast = json.loads(rppg(path, "--json", "--band", 2, 3).out)
    assert all(segment["hr_bpm"] >= 120 for segment in fast["recordings"][0]["segments"])
    assert "audit: segment_s must be" in rppg(path, "--segment", 1).err


def test_a_rate_is_asked_for_where_the_file_says_none(rppg, tmp_path):
    pd.DataFrame({"label": simulate.trace(1, seconds=10).label}).to_csv(tmp_path / "a.csv", index=False)
    result = rppg(tmp_path / "a.csv")
    assert result.status == 2 and "Or say --fps." in result.err and result.err.count("\n") == 1
    assert rppg(tmp_path / "a.csv", "--fps", 30).status == 0


def test_a_hostile_file_is_named_the_others_are_audited_and_the_status_tells(rppg, tmp_path):
    written(tmp_path / "good.csv")
    (tmp_path / "hostile.csv").write_bytes(b"\x00\xff\xfe,,,\n\"\"\"")
    result = rppg(tmp_path)
    assert result.status == 1
    assert "1 recording could not be read" in result.out and "hostile: hostile.csv cannot be read" in result.out
    assert json.loads(rppg(tmp_path, "--json").out)["segments"]["good"] == 3


def test_bad_labels_are_a_result_and_no_failure(rppg, tmp_path):
    pd.DataFrame({"fs": 30, "label": np.ones(300)}).to_csv(tmp_path / "dead.csv", index=False)
    result = rppg(tmp_path / "dead.csv")
    assert result.status == 0 and "1 broken" in result.out


def test_numbers_table_and_figures_are_saved(rppg, tmp_path):
    (tmp_path / "in").mkdir()
    written(tmp_path / "in" / "one.csv")
    written(tmp_path / "in" / "b b.csv", 2, colours=False, faults=simulate.FAULTS["poor"])
    result = rppg(tmp_path / "in", "--save", tmp_path / "out")
    assert result.status == 0 and "labels.json, labels.csv, and a figure of each" in result.out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"labels.json", "labels.csv", "one.png"} < names and len(names) == 4
    assert all(path.read_bytes().startswith(PNG) for path in (tmp_path / "out").glob("*.png"))
    rows = pd.read_csv(tmp_path / "out" / "labels.csv")
    assert len(rows) == 6 and set(rows.recording) == {"one", "b b"}
    assert json.loads((tmp_path / "out" / "labels.json").read_text())["source"] == "in"


def test_figures_are_drawn_of_the_worst_only_and_that_is_said(rppg, tmp_path, monkeypatch):
    monkeypatch.setattr(labels_command, "MOST_FIGURES", 1)
    (tmp_path / "in").mkdir()
    written(tmp_path / "in" / "fine.csv", colours=False)
    written(tmp_path / "in" / "loose.csv", colours=False, faults=simulate.FAULTS["loose"])
    result = rppg(tmp_path / "in", "--save", tmp_path / "out")
    assert "a figure of the 1 worst of 2" in result.out
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["loose.png"]


def test_json_with_files_is_json_alone(rppg, tmp_path):
    assert json.loads(rppg(written(tmp_path / "a.csv"), "--json", "--save", tmp_path / "out").out)


def test_a_store_of_clips_is_audited_against_its_own_colours(rppg, tmp_path):
    sources = simulated_sources(2, scenes=["still"], seconds=20, size_px=16, label_faults=[simulate.Lag(seconds=0.3)])
    store = build_store(sources, tmp_path, name="tiny", jobs=1, progress=False)
    said = json.loads(rppg(store.path, "--json").out)
    assert [each["name"] for each in said["recordings"]] == ["sim0000 still 0", "sim0001 still 0"]
    for each in said["recordings"]:
        near = [lag for lag in (each["lag"]["seconds"], *each["lag"]["rivals_s"]) if abs(lag - 0.3) < 0.03]
        assert len(near) == 1
    result = rppg(tmp_path)
    assert result.status == 2 and f"It holds 1 of them: {store.path.name}. Name one." in result.err


def test_an_audit_of_a_store_needs_no_torch(tmp_path):
    store = build_store(simulated_sources(1, scenes=["still"], seconds=10, size_px=16), tmp_path, name="tiny", jobs=1,
                        progress=False)
    code = ("import sys; from rppg_lib.cli import main; main(['labels', sys.argv[1]]); "
            "sys.stderr.write(' '.join(name.split('.')[0] for name in sys.modules))")
    done = subprocess.run([sys.executable, "-c", code, str(store.path)], capture_output=True, text=True, check=True)
    assert {"torch", "matplotlib"}.isdisjoint(done.stderr.split()) and "1 recording of 1 person" in done.stdout


def test_names_that_no_file_can_have_stay_apart():
    names = ["a/b", "a b", "..", "ä" * 300, "ä" * 301, ""]
    stems = [file_stem(name) for name in names]
    assert len(set(stems)) == len(names)
    assert all(stem and "/" not in stem and not stem.startswith(".") and len(stem.encode()) < 200 for stem in stems)


def test_the_help_has_examples(rppg):
    result = rppg("--help")
    assert result.status == 0 and "  rppg labels finger.csv" in result.out


@pytest.mark.parametrize("lag_s", [0.3, -0.2])
def test_the_code_of_the_page_on_labels_finds_the_lag_and_takes_it_away(lag_s, tmp_path, monkeypatch):
    written(tmp_path / "finger.csv", 2, seconds=90, faults=[simulate.Lag(seconds=lag_s)])
    monkeypatch.chdir(tmp_path)
    names = {}
    page = (ROOT / "book" / "own-labels.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    exec(compile(block, "book/own-labels.md", "exec"), names)
    assert names["late"] == round(30 * lag_s) and len(names["label"]) == len(names["rgb"]) == 2700 - abs(names["late"])
    left = audit(Labelled(name="shifted", fs=30, label=names["label"], rgb=names["rgb"])).recordings[0].lag
    assert abs(left.seconds) < 0.5 / 30
    assert set(names["good"].verdict) == {"good"}
