"""What the checks of a notebook said about the reader's own exercises, read from its executed copy."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .runner import Outcome

RIGHT, WRONG, NOT_TRIED, SILENT = "right", "wrong", "not tried", "without a verdict"

_VERDICT = re.compile(r"^\d+\.\d+(?: ([✓✗])|: not tried yet)", re.MULTILINE)
_MEANING = {"✓": RIGHT, "✗": WRONG, None: NOT_TRIED}


def exercises(outcomes: Iterable[Outcome], copies: Path) -> list[str]:
    """Return one line per notebook that has checks: how many exercises are right, wrong and not tried.

    Args:
        outcomes: of the run; a notebook that failed is read as far as it came.
        copies: folder of the executed notebooks.
    """
    outcomes = list(outcomes)
    titles = Counter(_title(outcome) for outcome in outcomes)
    lines = []
    for outcome in outcomes:
        copy = outcome.partial if outcome.state == "failed" else copies / f"{outcome.name}.ipynb"
        counts = verdicts(copy) if copy else Counter()
        if counts:
            said = [f"{counts[kind]} {kind}" for kind in (RIGHT, WRONG, NOT_TRIED)]
            said += [f"{counts[SILENT]} {SILENT}"] if counts[SILENT] else []
            name = _title(outcome) if titles[_title(outcome)] == 1 else outcome.name     # one notebook of many people
            lines.append(f"{name}: exercises {', '.join(said)}")
    return lines


def verdicts(copy: Path) -> Counter[str]:
    """Count what the cells tagged ``check`` of an executed notebook show; those of solutions count in nothing."""
    try:
        cells = json.loads(copy.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        return Counter()
    counts: Counter[str] = Counter()
    for cell in cells:
        tags = cell.get("metadata", {}).get("tags", ())
        if "check" in tags and "solution" not in tags:
            said = _VERDICT.findall("\n".join(_text(output) for output in cell.get("outputs", ())))
            counts.update([_MEANING[mark or None] for mark in said] or [SILENT])
    return counts


def _text(output: dict[str, Any]) -> str:
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return "".join(text)                                     # a notebook file holds a text whole or as lines


def _title(outcome: Outcome) -> str:
    return f"{outcome.name[:2]} {outcome.title}"
