"""The tool that judges the audit of labels, and the page that tells what it found."""

import re

import judge_labels
import pytest

from rppg_lib import results

from ..checkout import ROOT

KEPT = ROOT / "results" / "judge_labels.full.json"
PAGE = ROOT / "book" / "own-labels.md"


def tables_of_the_page():
    """Return the numbers in each row of the page's tables, by the first cells."""
    section = PAGE.read_text("utf-8").split("## How far to believe it")[1].split("\n## ")[0]
    return [re.findall(r"\d+", line.split("|", 2)[2]) for line in section.splitlines()
            if line.startswith("|") and re.search(r"\d", line)]


def test_the_page_says_what_was_found():
    found = results.load(KEPT)
    assert found.data == "simulated, 50 people" and found.seed == 800
    rows = [[row["damaged"], row["found"]] * bool(row["damaged"]) + [row["untouched"], row["called_good"]]
            * bool(row["untouched"]) for row in found.tables["faults"]]
    rows += [[row["seconds"], row["certain"], row["recordings"], row["certain_right"], row["named"],
              row["way_up_right"], shared["certain_right"], shared["sets"]]
             for row, shared in zip(found.tables["lags"], found.tables["shared_lags"])]
    assert [[int(number) for number in row] for row in tables_of_the_page()] == rows


def test_nothing_certain_was_wrong_and_nothing_sound_was_called_bad():
    tables = results.load(KEPT).tables
    assert all(row["certain"] == row["certain_right"] for title in ("lags", "shared_lags") for row in tables[title])
    assert all(row["untouched"] == row["called_good"] for row in tables["faults"])
    assert all(row["found"] >= 0.95 * row["damaged"] for row in tables["faults"])


def test_a_label_whose_baseline_wanders_has_no_untouched_segment():
    row = judge_labels.faults_row("poor", range(417, 419))
    assert row["untouched"] == 0 and 0 < row["damaged"] <= 9
    assert judge_labels.faults_row("wandering", range(417, 418))["damaged"] == 6


@pytest.mark.slow
def test_it_judges_and_keeps_what_it_found(tmp_path, monkeypatch):
    monkeypatch.setenv("RPPG_OUT", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["judge_labels.py", "--first", "900", "--people", "2", "--save"])
    monkeypatch.setattr(judge_labels, "LENGTHS_S", (30,))
    monkeypatch.setattr(judge_labels, "SCENES", ("still",))
    assert judge_labels.main() == 0
    found = results.load(tmp_path / "results" / "judge_labels.full.json")
    by_kind = {row["labels"]: row for row in found.tables["faults"]}
    assert by_kind["clean"]["untouched"] == 12 == by_kind["clean"]["called_good"]
    assert by_kind["saturated"]["damaged"] == 12 == by_kind["saturated"]["found"]
    assert found.tables["lags"][0]["recordings"] == 2 and found.tables["shared_lags"][0]["sets"] == 0
