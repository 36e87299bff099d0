"""What the user sees while notebooks run, and when one has failed."""

import io
from pathlib import Path

import pytest

from rppg_lib.workbook.progress import Display, is_terminal, report
from rppg_lib.workbook.runner import Event, Outcome

ABOUT = {"name": "02_pos", "title": "POS and CHROM"}


def cells(n, **about):
    return [Event(kind="cell", **(about or ABOUT), at=k, of=n, seconds=k) for k in range(1, n + 1)]


def shown(*events, live):
    stream = io.StringIO()
    display = Display(stream, live=live)
    for event in events:
        display(event)
    return stream.getvalue()


def screen(text):
    """What a terminal shows after ``text``: understands cursor up and erase below."""
    lines, row = [""], 0
    for part in text.replace("\r", "").replace("\x1b[J", "\0").replace("\x1b[", "\1").split("\n"):
        while part.startswith("\1"):
            count, part = part[1:].split("A", 1)
            row -= int(count)
        if part.startswith("\0"):
            del lines[row:]
            part = part[1:]
        lines[row:] = [part]
        lines.append("")
        row += 1
    return [line for line in lines if line]


def test_without_a_terminal_there_is_a_line_at_the_start_at_each_quarter_and_at_the_end():
    text = shown(Event(kind="started", **ABOUT), *cells(40), Event(kind="tick"),
                 Event(kind="done", **ABOUT, seconds=41.2), live=False)
    assert text.splitlines() == [
        "02 POS and CHROM: starts",
        "02 POS and CHROM: 25 %, cell 11 of 40, 11 s",
        "02 POS and CHROM: 50 %, cell 21 of 40, 21 s",
        "02 POS and CHROM: 75 %, cell 31 of 40, 31 s",
        "02 POS and CHROM: done after 41 s"]


def test_two_notebooks_keep_their_quarters_apart():
    other = {"name": "03_learn", "title": "Learning"}
    both = [event for pair in zip(cells(4), cells(4, **other)) for event in pair]
    text = shown(Event(kind="started", **ABOUT), Event(kind="started", **other), *both, live=False)
    assert len([line for line in text.splitlines() if "%" in line and line.startswith("02")]) == 3
    assert len([line for line in text.splitlines() if "%" in line and line.startswith("03")]) == 3


def test_on_a_terminal_each_running_notebook_has_one_line_that_is_redrawn():
    other = {"name": "03_learn", "title": "Learning"}
    events = [Event(kind="started", **ABOUT), Event(kind="started", **other), *cells(5)[:3], Event(kind="tick")]
    first, second = screen(shown(*events, live=True))
    assert first.split() == "02 POS and CHROM cell 3/5 3 s".split()
    assert second.split() == "03 Learning starting 0 s".split()


def test_on_a_terminal_a_finished_notebook_leaves_one_line_above_those_that_run():
    other = {"name": "03_learn", "title": "Learning"}
    events = [Event(kind="skipped", name="01_light", title="Light", seconds=14), Event(kind="started", **ABOUT),
              Event(kind="started", **other), *cells(5), Event(kind="done", **ABOUT, seconds=6)]
    assert screen(shown(*events, live=True))[:2] == ["01 Light: done already (14 s, unchanged)",
                                                     "02 POS and CHROM: done after 6 s"]
    assert len(screen(shown(*events, live=True))) == 3


def test_a_tick_that_changes_nothing_writes_nothing():
    assert shown(Event(kind="tick"), live=False) == shown(Event(kind="tick"), live=True) == ""


def test_why_a_notebook_runs_again_is_said():
    text = shown(Event(kind="again", **ABOUT, text="library, parameters"), live=False)
    assert text == "02 POS and CHROM: runs again, because this has changed: library, parameters\n"


@pytest.mark.parametrize("term, live", [("xterm", True), ("dumb", False)])
def test_lines_are_redrawn_on_terminals_that_can(monkeypatch, term, live):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("WT_SESSION", "1")                    # on Windows: its newer terminal
    stream = io.StringIO()
    assert not is_terminal(stream)
    stream.isatty = lambda: True
    assert is_terminal(stream) is live


def test_a_failure_is_reported_with_cell_source_plain_traceback_and_copy():
    source = "\n".join(f"line_{k} = {k}" for k in range(9))
    text = report([Outcome(**ABOUT, state="failed", cell=12, count=7, source=source,
                           error="ValueError: \x1b[31mno\x1b[0m", traceback="\x1b[0;31mValueError\x1b[0m: no",
                           partial=Path("build/partial/02_pos.ipynb")),
                   Outcome(name="03_x", title="X", state="done")])
    lines = text.splitlines()
    assert lines[0] == "02_pos failed in cell 12 (In [7]): ValueError: no"
    assert lines[2:9] == [*(f"    line_{k} = {k}" for k in range(6)), "    ... (3 more lines)"]
    assert "ValueError: no" in lines[9:]
    assert f"  The notebook up to there: {Path('build/partial/02_pos.ipynb')}" in lines
    assert "\x1b" not in text and "03" not in text


def test_without_a_failure_there_is_no_report():
    assert report([Outcome(**ABOUT, state="done"), Outcome(**ABOUT, state="skipped")]) == ""
