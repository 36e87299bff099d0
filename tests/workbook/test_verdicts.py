"""What an executed copy says about the reader's exercises, counted."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from rppg_lib.teach.checks import Verdict
from rppg_lib.workbook.runner import Outcome
from rppg_lib.workbook.verdicts import exercises

RIGHT, WRONG, NOT_TRIED = (repr(Verdict("2.1", status, "why")) for status in ("right", "wrong", "not tried yet"))


def copy(folder, name, *shown):
    """Write an executed notebook: per cell its tags, and what it shows as its result."""
    cells = [new_code_cell("check()", metadata={"tags": tags.split()},
                           outputs=[new_output("execute_result", {"text/plain": text, "text/html": "<b>2.9 x</b>"})])
             for tags, text in shown]
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def outcome(name="02_pos", state="done", **more):
    return Outcome(name=name, title="POS", state=state, **more)


def test_right_wrong_and_not_tried_are_counted(tmp_path):
    copy(tmp_path, "02_pos", ("check", RIGHT), ("check", RIGHT), ("check", WRONG), ("check", NOT_TRIED))
    assert exercises([outcome()], tmp_path) == ["02 POS: exercises 2 right, 1 wrong, 1 not tried"]


@pytest.mark.parametrize("state", ["done", "skipped"])
def test_solutions_and_other_cells_count_in_nothing(tmp_path, state):
    copy(tmp_path, "02_pos", ("check", WRONG), ("solution", RIGHT), ("check solution", RIGHT), ("", RIGHT))
    assert exercises([outcome(state=state)], tmp_path) == ["02 POS: exercises 0 right, 1 wrong, 0 not tried"]


def test_a_verdict_that_was_printed_counts_and_one_that_is_only_quoted_does_not(tmp_path):
    path = copy(tmp_path, "02_pos", ("check", f"'as in {RIGHT}'"))
    notebook = nbformat.read(path, as_version=4)
    printed = new_code_cell("print(check())", metadata={"tags": ["check"]},
                            outputs=[new_output("stream", text=f"here it comes\n{RIGHT}\n")])
    nbformat.write(new_notebook(cells=[*notebook.cells, printed]), path)
    assert exercises([outcome()], tmp_path) == [
        "02 POS: exercises 1 right, 0 wrong, 0 not tried, 1 without a verdict"]


def test_a_notebook_without_checks_or_without_a_copy_has_no_line(tmp_path):
    copy(tmp_path, "02_pos", ("", RIGHT))
    (tmp_path / "04_broken.ipynb").write_text("{")
    assert exercises([outcome(), outcome("03_none"), outcome("04_broken"), outcome(state="failed")], tmp_path) == []


def test_a_notebook_that_failed_is_read_as_far_as_it_came(tmp_path):
    path = copy(tmp_path / "partial", "02_pos", ("check", RIGHT))
    copy(tmp_path, "02_pos", ("check", WRONG))               # of an earlier run
    assert exercises([outcome(state="failed", partial=path)], tmp_path) == [
        "02 POS: exercises 1 right, 0 wrong, 0 not tried"]


def test_copies_of_one_notebook_are_told_apart_by_their_file_names(tmp_path):
    copy(tmp_path, "02_alice", ("check", RIGHT))
    copy(tmp_path, "02_bert", ("check", WRONG))
    assert [line.split(":")[0] for line in exercises([outcome("02_alice"), outcome("02_bert")], tmp_path)] == [
        "02_alice", "02_bert"]
