"""Pages written from what the runs left behind: results and run times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pandas import DataFrame

from rppg_lib.evaluation.published import SOURCES, published

NO_BREAK = "\N{NO-BREAK SPACE}"
_EXERCISE = re.compile(r"Exercise\s+(\d+\.\d+)\W*?([★☆]+)\W*?(\d+)\s*min")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|$~#])")
_COUNT = "n"                                                   # in a table of scores the columns before it are keys
_COLUMNS = {"condition": "scene"}
_MAIN = {"mae": "mean absolute error of the heart rate, in bpm",
         "rmse": "root mean squared error of the heart rate, in bpm"}


def results_page(folder: Path) -> str:
    """Return the page of all result files in ``folder``, one section each."""
    lines = ["# Results", "",
             "This page is written by the build from the result files of the run that made this book; runs with other "
             "parameters are not in it. "
             "Each number has "
             "its seed, its profile, the versions and the revision of the code beside it. "
             "Numbers from simulated people are marked as such: they show what a method does to known disturbances, "
             "not how well it works on a real face. In brackets: 95 % intervals from drawing whole people.", ""]
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        lines += ["No notebook of this run has written results.", ""]
    for file in files:
        lines += _result(json.loads(file.read_text(encoding="utf-8")), file.stem)
        tables = sorted(folder.glob(f"{file.stem}.*.csv"))
        if tables:
            links = [f"- [{_text(each.name)}]({folder.name}/{each.name})" for each in tables]
            lines += ["All figures, as files (CSV):", "", *links, ""]
    return "\n".join(lines)


def run_times_page(times: Path) -> str:
    """Return the page of run times from the file that ``rppg run`` writes."""
    lines = ["# Run times", "",
             "How long each notebook took in the run that made this book. Another machine gives other times.", ""]
    rows = json.loads(times.read_text(encoding="utf-8")) if times.is_file() else []
    if not rows:
        return "\n".join([*lines, "No run has been recorded.", ""])
    total = sum(row["seconds"] for row in rows)
    return "\n".join([*lines, *table(rows), "", f"Together: {total:.0f} s, added up over the notebooks.", ""])


def notebook_map(plan: list[dict[str, str]], titles: dict[str, str]) -> str:
    """Return the map: every notebook of the plan, a link for those in ``titles`` (file stem -> its own title)."""
    built = {stem[:2]: (stem, title.removeprefix(stem[:2]).lstrip(" .:")) for stem, title in titles.items()}
    lines = ["| | notebook | afterwards you can |", "| :--- | :--- | :--- |"]
    for row in plan:
        stem, title = built.pop(row["number"], ("", row["title"]))
        link = f"[{_text(title)}](notebooks/{stem}.ipynb)" if stem else f"{_text(title)} *(planned)*"
        lines.append(f"| {row['number']} | {link} | {_text(row['skill'])} |")
    lines += [f"| {number} | [{_text(title)}](notebooks/{stem}.ipynb) | |" for number, (stem, title) in built.items()]
    return "\n".join([*lines, ""])


def exercise_table(cells: dict[str, list[str]]) -> str:
    """Return the table of exercises found in ``cells`` (file stem -> sources): number, stars and minutes."""
    found = {}
    for stem, sources in cells.items():
        for source in sources:
            for number, stars, minutes in _EXERCISE.findall(source):
                row = {"exercise": number, "difficulty": stars, "minutes": int(minutes), "notebook": stem}
                found.setdefault(number, row)
    if not found:
        return "No notebook of this run has exercises.\n"
    rows = sorted(found.values(), key=lambda row: [int(part) for part in row["exercise"].split(".")])
    total = sum(row["minutes"] for row in rows)
    return "\n".join([*table(rows), "", f"Exercises: {len(rows)}. Minutes in all: {total}.", ""])


def published_tables() -> str:
    """Return all that others report, one table for each of theirs, and how much they tell of their conditions."""
    every = published()
    told = {"band": every.band_low_hz.notna(), "window": every.window_s.notna(), "way of reading": every["read"] != "",
            "split": every.split != "", "true rate": every.labels != ""}
    lines = [f"{len(every):,} values of {every.system.nunique()} systems. Of so many of them it is told, for this very "
             f"value: {', '.join(f'{what} {int(known.sum())}' for what, known in told.items())}.", ""]
    for source, what in SOURCES.items():
        lines += [f"### {_text(what)}", "", f"{{cite:t}}`{source}`", ""]
        for name, rows in every[every.source == source].groupby("table", sort=False):
            notes = dict.fromkeys(f"- {row.printed}, {row.metric}: {row.note}" for row in rows.itertuples() if row.note)
            lines += [f":::{{dropdown}} {_text(name)}", "", *table(_as_printed(rows), right=rows.metric.unique()), "",
                      *map(_text, notes), "", ":::", ""]
    return "\n".join(lines)


def table(rows: Iterable[dict[str, Any]], *, right: Iterable[str] = ()) -> list[str]:
    """Return ``rows`` as the lines of a Markdown table; columns in order of first appearance.

    Columns of numbers are set to the right, and those that ``right`` names.

    >>> table([{"method": "pos", "MAE (bpm)": 0.42, "interval": [0.1, 0.9]}])
    ['| method | MAE (bpm) | interval |', '| :--- | ---: | ---: |', '| pos | 0.42 | 0.1 to 0.9 |']
    """
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    numeric = [column in right or not any(isinstance(row.get(column), str) for row in rows) for column in columns]
    return ["| " + " | ".join(map(_text, columns)) + " |",
            "| " + " | ".join("---:" if right else ":---" for right in numeric) + " |",
            *("| " + " | ".join(_text(row.get(column)) for column in columns) + " |" for row in rows)]


def _result(result: dict[str, Any], stem: str) -> list[str]:
    name = result.get("name", stem)
    facts = [(word, result.get(word)) for word in ("profile", "data", "seed", "device", "seconds", "revision", "made")]
    lines = [f"## {_text(name)}", "", *(f"- {word}: {_text(value)}" for word, value in facts if value is not None), ""]
    for title, rows in result.get("tables", {}).items():
        lines += [f"### {_text(title.replace('_', ' ').capitalize())}", "", *_scores(rows), ""]
    for word in ("config", "versions"):
        if result.get(word):
            lines += [f":::{{dropdown}} {word.capitalize()}", "```json",
                      json.dumps(result[word], indent=2, ensure_ascii=False, default=str), "```", ":::", ""]
    return lines


def _scores(rows: list[dict[str, Any]]) -> list[str]:
    """Return a table of scores with one column for each method, of the main figure; other tables as they are."""
    columns = list(rows[0]) if rows else []
    keys = columns[:columns.index(_COUNT)] if _COUNT in columns else []
    figure = next((name for name in _MAIN if name in columns), None)
    others = [key for key in keys if key != "method"]
    if "method" not in keys or not others or figure is None:
        return table([{_COLUMNS.get(name, name): value for name, value in row.items()}
                      for row in map(_with_intervals, rows)])
    wide: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        place = tuple(row[key] for key in others)
        line = wide.setdefault(place, {_COLUMNS.get(key, key): row[key] for key in others})
        line[str(row["method"])] = _with_intervals(row)[figure]
    counts = sorted({row[_COUNT] for row in rows})
    about = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    methods = {str(row["method"]) for row in rows}
    return [f"One column for each method: {_MAIN[figure]}; n = {about} for each figure.", "",
            *table(wide.values(), right=methods)]


def _with_intervals(row: dict[str, Any]) -> dict[str, Any]:
    r"""Put the interval of a figure beside it: name, name_low and name_high become one cell, standard errors go.

    >>> _with_intervals({"method": "pos", "mae": 1.25, "mae_se": 0.4, "mae_low": 0.5, "mae_high": 2.0})
    {'method': 'pos', 'mae': '1.25 (0.5\xa0to\xa02)'}
    """
    ends = [name for name in row if f"{name}_low" in row and f"{name}_high" in row]
    hidden = {f"{name}_{end}" for name in ends for end in ("low", "high", "se")}
    return {name: _interval(value, row[f"{name}_low"], row[f"{name}_high"]) if name in ends else value
            for name, value in row.items() if name not in hidden}


def _interval(value: Any, low: Any, high: Any) -> str:
    if value is None:
        return ""
    if low is None or high is None:
        return _text(value)
    return f"{_text(value)} " + f"({_text(low)} to {_text(high)})".replace(" ", NO_BREAK)    # breaks at one place


def _as_printed(rows: DataFrame) -> list[dict[str, str]]:
    """Return a line for each system as its source has it: one column for each metric."""
    keys = [name for name in ("printed", "variant", "trained_on", "tested_on") if (rows[name] != "").any()]
    wide: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows.to_dict("records"):
        place = tuple(row[name] for name in keys)
        line = wide.setdefault(place, {name.replace("_", " "): row[name] for name in keys})
        line[row["metric"]] = f"{row['value']:g}" + ("" if row["se"] != row["se"] else f" ± {row['se']:g}")
    return list(wide.values())


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    if isinstance(value, (list, tuple)):
        return (" to " if len(value) == 2 else ", ").join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{_text(key)} {_text(part)}" for key, part in value.items())
    return _MARKUP.sub(r"\\\1", re.sub(r"[ \t\r\n]+", " ", str(value).strip()))
