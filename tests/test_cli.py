"""The rppg command: its help, its exit status, its errors in one line, and that it starts fast."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import rppg_lib
from rppg_lib import doctor, evaluation, registry
from rppg_lib.cli import main

COMMANDS = ["measure", "run", "sweep", "score", "labels", "train", "evaluate", "simulate", "data", "convert", "export",
            "models", "new-model", "face-model", "doctor"]


@pytest.fixture
def rppg(capsys):
    """Call the command; return status, output and errors."""
    def call(*words):
        status = main([str(word) for word in words])
        said = capsys.readouterr()
        return SimpleNamespace(status=status, out=said.out, err=said.err)

    return call


@pytest.fixture
def predictions(tmp_path):
    """Two records of a minute, 72 and 90 bpm, of which the second is predicted as 96."""
    t = np.arange(1800) / 30
    label = np.array([np.sin(2 * np.pi * 1.2 * t), np.sin(2 * np.pi * 1.5 * t)])
    pred = np.array([label[0], np.sin(2 * np.pi * 1.6 * t)])
    np.savez(tmp_path / "two.npz", pred=pred, label=label, fs=30)
    return tmp_path / "two.npz"


def one_line(result, *words, status=2):
    assert result.status == status
    assert result.out == ""
    assert result.err.endswith("\n") and result.err.count("\n") == 1
    for word in words:
        assert word in result.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_subcommand_explains_itself_with_an_example(rppg, command):
    result = rppg(command, "--help")
    assert result.status == 0 and result.err == ""
    assert f"usage: rppg {command}" in result.out
    assert "example" in result.out and f"  rppg {command}" in result.out


def test_help_lists_the_subcommands(rppg):
    result = rppg("--help")
    assert result.status == 0
    for command in COMMANDS:
        assert re.search(rf"\n    {command}\s", result.out)


def test_without_a_subcommand_there_is_help_and_a_status_of_wrong_use(rppg):
    result = rppg()
    assert (result.status, result.out) == (2, "")
    assert "usage: rppg" in result.err


def test_the_version_is_that_of_the_package(rppg):
    assert rppg("--version").out == f"rppg {rppg_lib.__version__}\n"


@pytest.mark.parametrize("words, complaint", [
    (["scor"], "rppg: argument COMMAND: invalid choice: 'scor'"),
    (["score"], "rppg score: the following arguments are required: FILE. See 'rppg score --help'."),
    (["score", "a.npz", "--hr", "ftt"], "rppg score: argument --hr: invalid choice: 'ftt'"),
    (["score", "a.npz", "--band", "0.7"], "rppg score: argument --band: expected 2 arguments"),
    (["score", "a.npz", "--comp"], "rppg: unrecognized arguments: --comp"),
    (["run", "--jobs", "two"], "rppg run: argument --jobs: invalid int value: 'two'"),
])
def test_wrong_use_is_one_line(rppg, words, complaint):
    one_line(rppg(*words), complaint)


def test_starting_the_command_loads_nothing_heavy():
    code = ("import sys; from rppg_lib.cli import main; main(['--help']); main(['score', '--help']); "
            "sys.stderr.write(' '.join(name.split('.')[0] for name in sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"numpy", "scipy", "pandas", "papermill", "yaml", "torch", "matplotlib"}.isdisjoint(done.stderr.split())


# score

def test_a_file_of_predictions_is_scored(rppg, predictions):
    result = rppg("score", predictions)
    assert result.status == 0 and result.err == ""
    report = json.loads(rppg("score", predictions, "--json").out)
    assert report["summary"]["mae"] == pytest.approx(3.0, abs=0.1)              # 0 and 6 bpm
    assert "two.npz" in result.out and "mae" in result.out


def test_the_options_of_score_reach_the_evaluation_under_its_own_names(rppg, monkeypatch):
    asked = []
    report = SimpleNamespace(to_text=lambda: "text", to_json=lambda: {"a": 1}, summary={"n": 1})
    monkeypatch.setattr(evaluation, "score_file", lambda path, **options: asked.append((str(path), options)) or report)
    rppg("score", "a.npz")
    rppg("score", "a.npz", "--band", 0.6, 3.3, "--window", 30, "--hr", "fft", "--compatible")
    assert asked == [
        ("a.npz", {"band_hz": None, "window_s": None, "read": None, "compatible": False}),
        ("a.npz", {"band_hz": (0.6, 3.3), "window_s": 30.0, "read": "fft", "compatible": True})]


def test_a_score_can_be_written_to_a_file(rppg, predictions, tmp_path):
    result = rppg("score", predictions, "--json", "--out", tmp_path / "new" / "score.json")
    assert (result.status, result.out, result.err) == (0, "", "")
    assert json.loads((tmp_path / "new" / "score.json").read_text())["summary"]["n"] == 2


def test_a_file_of_which_no_window_can_be_read_is_a_failure_and_its_report_is_still_printed(rppg, tmp_path):
    np.savez(tmp_path / "flat.npz", pred=np.ones((2, 600)), label=np.sin(np.arange(600) / 4) + np.zeros((2, 1)), fs=30)
    for words in ([], ["--json"], ["--out", tmp_path / "report.txt"]):
        result = rppg("score", tmp_path / "flat.npz", *words)
        assert result.status == 1
        assert result.err == "rppg score: no window could be read; the report says why.\n"
        report = result.out or (tmp_path / "report.txt").read_text()
        assert "waves are constant" in report and "flat[1]" in report


@pytest.mark.parametrize("name, content, words", [
    ("none.npz", None, "there is no file"),
    ("text.npz", b"no archive", "cannot be read as .npz"),
    ("table.xlsx", b"", "neither .npz nor .csv"),
])
def test_a_file_that_cannot_be_scored_is_one_line(rppg, tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = rppg("score", tmp_path / name)
    one_line(result, words)
    assert result.err.startswith("rppg score: ") and "score: score:" not in result.err


def test_debug_shows_where_an_error_comes_from(rppg, tmp_path):
    result = rppg("score", tmp_path / "none.npz", "--debug")
    assert result.status == 2
    assert "Traceback" in result.err and "read_predictions" in result.err


def test_a_mistake_of_ours_is_called_unexpected_and_is_a_failure(rppg, monkeypatch):
    monkeypatch.setattr(evaluation, "score_file", lambda path, **options: {}["missing"])
    one_line(rppg("score", "a.npz"), "rppg score: unexpected KeyError: 'missing'", "--debug", status=1)


@pytest.mark.skipif(os.name != "posix", reason="/dev/null is of Unix")
def test_what_the_system_refuses_is_one_line(rppg, predictions):
    one_line(rppg("score", predictions, "--out", "/dev/null/score.txt"), "rppg score: ", "/dev/null")


# models, doctor

def test_every_registered_estimator_is_listed_with_its_citation(rppg):
    lines = rppg("models").out.split("\n\n")[0].splitlines()
    assert [line.split()[:2] for line in lines] == [[name, entry.cites] for name, entry in registry.available().items()]
    rows = json.loads(rppg("models", "--json").out)
    assert {row["name"]: row["summary"] for row in rows} == {n: e.summary for n, e in registry.available().items()}


@pytest.mark.parametrize("state, status", [("ok", 0), ("note", 0), ("problem", 1)])
def test_doctor_fails_on_a_problem_only(rppg, monkeypatch, state, status):
    monkeypatch.setattr(doctor, "examine", lambda: [doctor.Finding(topic="disk", state=state, text="0.1 GB free")])
    result = rppg("doctor")
    assert result.status == status
    assert result.out == doctor.report(doctor.examine()) + "\n"


# run: the rest is in tests/workbook

def test_outside_of_a_checkout_run_says_so(rppg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one_line(rppg("run"), f"rppg run: {tmp_path} is in no checkout", "--notebooks")


def test_without_the_packages_for_notebooks_run_says_how_to_install_them(rppg, monkeypatch):
    find = __import__("importlib").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "papermill" else find(name))
    one_line(rppg("run"), "rppg run: needs papermill, not installed.", "In a checkout: python -m pip install",
             '-e ".[notebooks]"')


def test_a_remedy_does_not_assume_a_release_on_an_index():
    assert "rppg-lib[" not in doctor.INSTALL and doctor.INSTALL.startswith("In a checkout: ")


def test_parameters_are_checked_before_anything_is_made(rppg, tmp_path):
    pytest.importorskip("nbformat")
    from .workbook.made_up import write_notebook, write_profile

    write_notebook(tmp_path, "01_light")
    write_profile(tmp_path, "all: {profile: quick}")
    one_line(rppg("run", "--notebooks", tmp_path, "--out", tmp_path / "out", "-p", "peple=3"),
             "no parameter is called 'peple'. Did you mean 'people'?")
    one_line(rppg("run", "02", "--notebooks", tmp_path, "--out", tmp_path / "out"), "there is no notebook '02'")
    one_line(rppg("run", "--profile", "ful", "--notebooks", tmp_path, "--out", tmp_path / "out"), "no profile 'ful'")
    assert not (tmp_path / "out").exists()
