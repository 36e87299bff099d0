"""The table of a sweep: what its points have written, with the points' parameters in front."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from .. import results
from .fingerprint import record_of
from .notebook import did_you_mean
from .progress import plain
from .runner import Outcome
from .sweep_spec import OWN_COLUMNS, Point


@dataclass(frozen=True, eq=False, kw_only=True)
class Ended:
    """How one point of a sweep ended.

    Attributes:
        point: which.
        state: ``done``, ``skipped`` (done before and unchanged) or ``failed``.
        seconds: of its run.
        error: of a failure: its last line, with the cell where there is one.
        partial: of a failure: the notebook up to there.
    """

    point: Point
    state: str
    seconds: float
    error: str = ""
    partial: Path | None = None


def collected(point: Point, folder: Path, outcome: Outcome, titles: tuple[str, ...]
              ) -> tuple[Ended, list[dict[str, Any]]]:
    """Return how a point ended, and its rows of the table; a point without the tables asked for has failed."""
    rows, error, partial, seconds = [], "", outcome.partial, outcome.seconds
    record = record_of(copy_of(point, folder))
    if outcome.state == "failed":
        cell = f"cell {outcome.cell}: " if outcome.cell else ""
        error = cell + (last_line(outcome.error) or "nothing was said")
    else:
        seconds = record["seconds"] if record else seconds   # the same in every table that is made of this run
        try:
            rows = _rows(point, folder, record, titles)
        except (ValueError, OSError) as problem:
            error, partial = last_line(str(problem)), copy_of(point, folder)
    about = {"run_seconds": round(seconds, 1), "status": "failed" if error else "done", "error": error or None,
             "point": point.folder}
    rows = [{**row, **about} for row in rows or [dict(point.values)]]
    state = "failed" if error else outcome.state
    return Ended(point=point, state=state, seconds=seconds, error=error, partial=partial), rows


def _rows(point: Point, folder: Path, record: dict[str, Any] | None, titles: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the rows of the tables that the last run of a point has written."""
    found = [results.load(folder / name) for name in (record or {}).get("results", ()) if name.endswith(".json")]
    if not found:
        raise ValueError("the notebook wrote no results. It needs a call of rppg_lib.results.save with its own name")
    known = [title for result in found for title in result.tables]
    for title in titles:
        if title not in known:
            raise ValueError(f"the results have no table {title!r}.{did_you_mean(title, known)} "
                             f"Tables: {', '.join(known)}")
    return [{**point.values, "table": title, **_renamed(row, point), "data_kind": result.data}
            for result in found for title, rows in result.tables.items() if not titles or title in titles
            for row in rows]


def _renamed(row: dict[str, Any], point: Point) -> dict[str, Any]:
    """Give columns of a result table other names where the sweep has a column of that name."""
    return {f"{name}_of_result" if name in point.values or name in OWN_COLUMNS else name: value
            for name, value in row.items()}


def table_of(rows: list[dict[str, Any]], varied: list[str]) -> pd.DataFrame:
    """Return one table of rows whose columns may differ: whole numbers stay whole where others have none."""
    found = dict.fromkeys(name for row in rows for name in row)
    first, last = [*varied, OWN_COLUMNS[0]], OWN_COLUMNS[1:]
    middle = [name for name in found if name not in first and name not in last]
    return pd.DataFrame([[row.get(name) for name in (*first, *middle, *last)] for row in rows],
                        columns=[*first, *middle, *last], dtype=object)


def copy_of(point: Point, folder: Path) -> Path:
    """Return where the executed notebook of a point is."""
    return folder / "notebooks" / f"{point.job.notebook.name}.ipynb"


def last_line(text: str) -> str:
    """Return the last line that says something.

    >>> last_line("RuntimeError: in worker 3" + chr(10) + "  no space left" + chr(10))
    'no space left'
    """
    lines = [line.strip() for line in plain(text).splitlines() if line.strip()]
    return lines[-1] if lines else ""
