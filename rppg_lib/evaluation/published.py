"""Results as papers and public code report them, and ours beside them with every reason not to compare.

One row is one value. What a source does not tell stays empty: most tell neither the band in which the rate was looked
for nor the window, and those alone move an error by more than what separates two methods.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..registry import near_miss
from .readout import FINE, READS, ReadOut
from .summary import METRICS, summarise

SOURCES = {
    "chu2025codephys": "CodePhys, the paper",
    "zhu2024rfacenet": "rFaceNet, the paper",
    "sahoo2025kdphys": "KDPhys, the abstract",
    "sung2026lqrppg": "LQ-rPPG, the abstract",
    "liu2023rppgtoolbox": "rPPG-Toolbox, its table and its discussions",
    "joshi2024factorizephys": "FactorizePhys, the page of its code",
    "tang2023mmpd": "MMPD, the page of the data set",
}
"""Key in the bibliography -> what was read."""

DATASETS = ("COHFACE", "iBVP", "MMPD", "PURE", "SCAMPS", "UBFC-Phys", "UBFC-rPPG", "VIPL-HR")
NOTHING = "none"
"""In ``trained_on``: the method has nothing to train."""

PROTOCOLS = {"intra": "trained on other people of the data set tested on", "cross": "trained on other data sets"}
SPLITS = {"all": "every recording tested", "5 folds": "five parts of people, each tested once",
          "fold 1 of 5": "the first of these parts tested", "30/12": "the first 30 people to train, 12 others to test"}
COSTS = {
    "params_m": "parameters, 10^6", "gmacs": "multiplications with additions, 10^9",
    "ms_per_frame": "time for a frame, ms", "mae_change_pct": "change of the mean absolute error, %",
    "params_change_pct": "change of the parameters, %", "macs_change_pct": "change of the operations, %",
    "speed_change_pct": "change of the speed, %", "throughput_change_pct": "change of the throughput, %",
}
"""What is reported of a network beside :data:`rppg_lib.evaluation.METRICS`."""

_LIMITS = {"r": (-1, 1), "macc": (0, 1), "snr_db": (-np.inf, np.inf)} | {
    name: (-100, np.inf) for name in COSTS if name.endswith("change_pct")}
_KEY = ["source", "table", "system", "variant", "trained_on", "tested_on"]
_WORDS = {"metric": [*METRICS, *COSTS], "source": list(SOURCES), "tested_on": ["", *DATASETS],
          "protocol": ["", *PROTOCOLS], "split": ["", *SPLITS], "per": ["", "video", "window"], "read": ["", *READS],
          "labels": ["", "wave", "device"]}
_NUMBERS = ("value", "se", "band_low_hz", "band_high_hz", "window_s")
COLUMNS = {
    "system": "method or network, as the registry of estimators calls it where it has it",
    "printed": "its name in the source", "variant": "part of the data, disturbance or ablation; empty: as published",
    "metric": "one of METRICS or COSTS", "value": "as printed", "se": "what stands after ±",
    "trained_on": "data sets joined by +, or none where there is nothing to train", "tested_on": "data set",
    "protocol": "intra or cross", "split": "one of SPLITS", "band_low_hz": "the rate was looked for from here",
    "band_high_hz": "to here", "window_s": "length that one rate was read from; inf: the whole recording",
    "per": "errors are counted per video or per window", "read": "fft or peaks", "filter": "before reading",
    "labels": "true rates were read from the contact wave, or are those the device showed",
    "definition": "of SNR or SD", "left_out": "who or what was", "source": "key in the bibliography",
    "table": "where in the source", "note": "what is odd about the value",
}
"""Columns of the registry; what is not told is empty."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How our numbers were made, in the words of the registry.

    Attributes:
        test: data set tested on; of simulated people the one whose reported figures are to stand beside them.
        train: data sets trained on, joined by ``+``; ``none`` where there is nothing to train.
        protocol: ``intra`` or ``cross``; empty where nothing was trained.
        split: one of ``SPLITS``; empty is none of them.
        readout: how rates were read.
        window_s: length that one rate was read from; None is the whole recording.
        left_out: who or what was.
        simulated: the people do not exist.
    """

    test: str
    train: str = NOTHING
    protocol: str = ""
    split: str = ""
    readout: ReadOut = FINE
    window_s: float | None = None
    left_out: str = ""
    simulated: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "test", _word("Conditions", "data set", str(self.test), DATASETS))
        object.__setattr__(self, "train", _trained_on("Conditions", str(self.train)))
        for name, known in (("protocol", PROTOCOLS), ("split", SPLITS)):
            object.__setattr__(self, name, _word("Conditions", name, str(getattr(self, name)), ["", *known]))
        if not isinstance(self.readout, ReadOut):
            raise TypeError(f"Conditions: readout must be a ReadOut such as FIELD_2023, got {self.readout!r}.")
        if self.window_s is not None and not (isinstance(self.window_s, Real) and self.window_s > 0):
            raise ValueError(f"Conditions: window_s must be positive, or None for the whole recording, "
                             f"got {self.window_s!r}.")


def published(system: str | None = None, *, metric: str | None = None, test: str | None = None,
              train: str | None = None, variant: str | None = None, source: str | None = None) -> pd.DataFrame:
    """Return the reported values that fit what is asked, one row each; columns as in ``COLUMNS``.

    Args:
        system: ``pos``, ``physnet`` ... Default: all; so for the others.
        metric: one of ``METRICS`` or ``COSTS``.
        test: data set tested on.
        train: data sets trained on, joined by ``+``; ``none`` where there was nothing to train.
        variant: an ablation, a disturbance, a part of the data; the empty text is the system as published.
        source: key in the bibliography.

    >>> published("pos", metric="mae", test="PURE")[["value", "source", "table"]].to_string(index=False, header=False)
    ' 9.820    chu2025codephys    Table II\\n22.300 ...
    """
    every = _registry()
    asked = {"system": _word("published", "system", system, every.system.unique()),
             "metric": _word("published", "metric", metric, _WORDS["metric"]),
             "tested_on": _word("published", "data set", test, DATASETS), "trained_on": _trained_on("published", train),
             "variant": _word("published", "variant", variant, every.variant.unique()),
             "source": _word("published", "source", source, SOURCES)}
    asked = {name: word for name, word in asked.items() if word is not None}
    fits = {name: every[name] == word for name, word in asked.items()}
    found = every[np.logical_and.reduce(list(fits.values()))] if fits else every
    if found.empty:
        raise ValueError(f"published: nothing was reported for {_said(asked)}. Without one of these words there is: "
                         f"{_without_one(every, fits)}.")
    return found.reset_index(drop=True)


def beside_published(table: pd.DataFrame, conditions: Conditions) -> pd.DataFrame:
    """Return one line for each reported value of the same method, metric and test set: ours, reported, difference.

    ``comparable`` is ``yes`` where all conditions are told and alike, ``no`` where one differs, ``not known`` where one
    is not told; ``why_not`` names every one. A source that says of nobody that they were left out is taken to have left
    out nobody. Of a method without training the set trained on is not asked. Where nobody reported a figure that we
    have, the line says so.

    Args:
        table: from :func:`summarise` with one line for each method, or the rows from :func:`evaluate`.
        conditions: how these numbers were made.
    """
    ours = _one_line_each(table, conditions)
    every = _registry()
    there = every[(every.tested_on == conditions.test) & (every.variant == "")]
    lines = []
    for method in ours.index:
        for metric in (name for name in METRICS if name in ours):
            value = float(ours.at[method, metric])
            found = there[(there.system == method) & (there.metric == metric)].to_dict("records")
            lines += [_line(method, value, row, conditions) for row in found] or [_alone(method, metric, value)]
    beside = pd.DataFrame(lines)
    if beside.reported.isna().all():
        hints = "".join(near_miss(method, there.system.unique()) for method in ours.index)
        raise ValueError(f"beside_published: nothing was reported for {', '.join(map(str, ours.index))} on "
                         f"{conditions.test}.{hints} Reported there: {', '.join(sorted(there.system.unique()))}.")
    return beside


def read_published(path: str | Path) -> pd.DataFrame:
    """Read a table in the form of the registry (CSV, columns as in ``COLUMNS``), or say what is wrong with it."""
    name = Path(path).name
    try:
        with open(path, encoding="utf-8", newline="") as file:
            head, *lines = [*csv.reader(file, strict=True)] or [[]]  # pandas would fill up a line that was cut off
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"read_published: {name} is no table ({error}). Write it as CSV in UTF-8.") from None
    if head != list(COLUMNS):
        raise ValueError(f"read_published: {name} needs the columns {', '.join(COLUMNS)}; it has {', '.join(head)}.")
    if not lines:
        raise ValueError(f"read_published: {name} has no values, only its head.")
    for at, line in enumerate(lines, start=2):
        if len(line) != len(head):
            raise ValueError(f"read_published: {name} has {len(line)} fields in line {at}, not {len(head)}. "
                             f"Mend the line.")
    table = pd.DataFrame(lines, columns=head, dtype=str)
    numbers = table[list(_NUMBERS)].apply(pd.to_numeric, errors="coerce")
    _refuse(table, (numbers.isna() & (table[list(_NUMBERS)] != "")).any(axis=1), "what should be a number is none")
    table[list(_NUMBERS)] = numbers
    _check_words(table)
    _check_values(table)
    return table


@cache
def _registry() -> pd.DataFrame:
    with as_file(files(__package__) / "published.csv") as path:
        return read_published(path)


def _refuse(table: pd.DataFrame, wrong: Iterable[bool], why: str) -> None:
    at = np.flatnonzero(np.asarray(wrong))
    if len(at):
        row = table.iloc[at[0]]
        where = ", ".join(str(row[name]) for name in (*_KEY, "metric", "value") if str(row[name]))
        raise ValueError(f"read_published: line {at[0] + 2} ({where}): {why}. Mend the line, or say in its note why.")


def _check_words(table: pd.DataFrame) -> None:
    for name, known in _WORDS.items():
        _refuse(table, ~table[name].isin(known), f"{name} must be one of {', '.join(filter(None, known))}")
    trained = table.trained_on.map(lambda text: text in ("", NOTHING) or text.split("+") == _sorted(text))
    _refuse(table, ~trained, f"trained_on must be {NOTHING}, or of {', '.join(DATASETS)} in this order, joined by +")
    _refuse(table, ~table.system.str.fullmatch(r"[a-z0-9][a-z0-9+-]*"), "system must be lower-case letters and digits")
    _refuse(table, (table.table == "") | (table.printed == ""), "table and printed name must be told")
    _refuse(table, table.duplicated([*_KEY, "metric"]), "stands there twice")


def _check_values(table: pd.DataFrame) -> None:
    low, high = (table.metric.map(lambda name, i=i: _LIMITS.get(name, (0, np.inf))[i]) for i in (0, 1))
    inside = np.isfinite(table.value) & (table.value >= low) & (table.value <= high)
    _refuse(table, ~inside, "no such value of this metric is possible")
    _refuse(table, ~((table.se >= 0) & np.isfinite(table.se) | table.se.isna()), "what stands after ± must be positive")
    told = table.band_low_hz.notna() | table.band_high_hz.notna()
    _refuse(table, told & ~((table.band_low_hz > 0) & (table.band_low_hz < table.band_high_hz)), "this is no band")
    _refuse(table, ~(table.window_s > 0) & table.window_s.notna(), "this is no window")
    # Of the same errors the root mean square is at least their mean size and at least their spread.
    same = table.groupby(_KEY).ngroup()
    for name in ("mae", "sd"):
        other = table.value.where(table.metric == name).groupby(same).transform("first")
        noted = ((table.note != "") & table.metric.isin(["rmse", name])).groupby(same).transform("any")
        _refuse(table, (table.metric == "rmse") & (table.value < other) & ~noted, f"less than {name} of the same")


def _word(who: str, what: str, word: str | None, known: Iterable[str]) -> str | None:
    """Return ``word`` as the registry writes it, whatever its case."""
    spelt = {str(one).lower(): one for one in known}
    if word is None or str(word).lower() in spelt:
        return word if word is None else spelt[str(word).lower()]
    raise ValueError(f"{who}: no {what} is called {word!r}.{near_miss(word, spelt)} "
                     f"Known: {', '.join(sorted(filter(None, spelt.values())))}.")


def _trained_on(who: str, text: str | None) -> str | None:
    if text is None or str(text).lower() == NOTHING:
        return text if text is None else NOTHING
    return "+".join(_sorted("+".join(_word(who, "data set", name.strip(), DATASETS) for name in str(text).split("+"))))


def _sorted(text: str) -> list[str]:
    return [name for name in DATASETS if name in text.split("+")]


def _said(asked: dict[str, str]) -> str:
    return ", ".join(f"{name} {word!r}" for name, word in asked.items())


def _without_one(every: pd.DataFrame, fits: dict[str, pd.Series]) -> str:
    hints = []
    for name in fits:
        others = [fit for other, fit in fits.items() if other != name]
        rest = every[np.logical_and.reduce(others)] if others else every
        if words := sorted(rest[name].unique()):
            hints.append(f"{name} {', '.join(repr(word) for word in words[:12])}{' ...' * (len(words) > 12)}")
    return "; ".join(hints) or "nothing either"


def _one_line_each(table: pd.DataFrame, conditions: Conditions) -> pd.DataFrame:
    if "hr_pred" in table:
        _check_dataset(table, conditions)
        table = summarise(table)
    if table.index.name != "method" and "method" in table:
        table = table.set_index("method")
    if table.index.name != "method" or not table.index.is_unique or not set(METRICS) & set(table):
        raise ValueError(f"beside_published: needs one line for each method, as summarise(rows) returns, got an index "
                         f"{list(table.index.names)} and columns {', '.join(map(str, table))}. Take one data set and "
                         f"one condition at a time.")
    return table


def _check_dataset(rows: pd.DataFrame, conditions: Conditions) -> None:
    names = sorted(map(str, rows.dataset.unique())) if "dataset" in rows else []
    if len(names) > 1:
        raise ValueError(f"beside_published: rows of one data set at a time, got {', '.join(names)}.")
    if "simulated" in names and not conditions.simulated:
        raise ValueError("beside_published: these rows are of simulated people. Say Conditions(simulated=True).")
    other = [name for name in DATASETS if name.lower() in map(str.lower, names) and name != conditions.test]
    if other:
        raise ValueError(f"beside_published: these rows are of {other[0]}, the conditions of {conditions.test}.")


def _line(method: str, ours: float, row: dict[str, Any], conditions: Conditions) -> dict[str, Any]:
    differs, untold = _reasons(row, conditions)
    if not np.isfinite(ours):
        differs.append("ours has no value")
    why = differs + [f"not told: {', '.join(untold)}"] * bool(untold)
    return {"method": method, "metric": row["metric"], "trained_on": row["trained_on"], "source": row["source"],
            "table": row["table"], "ours": ours, "reported": row["value"], "difference": ours - row["value"],
            "comparable": "no" if differs else "not known" if untold else "yes", "why_not": "; ".join(why),
            "note": row["note"]}


def _alone(method: str, metric: str, ours: float) -> dict[str, Any]:
    return {"method": method, "metric": metric, "trained_on": "", "source": "", "table": "", "ours": ours,
            "reported": np.nan, "difference": np.nan, "comparable": "no", "why_not": "nobody reported it", "note": ""}


def _reasons(row: dict[str, Any], conditions: Conditions) -> tuple[list[str], list[str]]:
    """Return what differs, said in full, and what the source does not tell."""
    readout, whole = conditions.readout, conditions.window_s is None
    pairs = [("band", _band(*readout.band_hz), _band(row["band_low_hz"], row["band_high_hz"])),
             ("reading", readout.read, row["read"]),
             ("filter before reading", "detrend 100, order 1" if readout.compatible else "ours", row["filter"]),
             ("window", _window(np.inf if whole else conditions.window_s), _window(row["window_s"])),
             ("counting of errors", "per video" if whole else "per window", row["per"] and f"per {row['per']}"),
             ("true rates", "wave", row["labels"]), ("split", conditions.split or "none of those known", row["split"])]
    if row["trained_on"] != NOTHING:
        pairs += [("training set", conditions.train, row["trained_on"]),
                  ("protocol", conditions.protocol or "none", row["protocol"])]
    if row["metric"] == "snr_db":
        pairs.append(("definition of SNR", "10 log10" if readout.compatible else "ours", row["definition"]))
    if row["metric"] == "sd":
        pairs.append(("definition of SD", "of errors", row["definition"]))
    differs = ["ours are simulated people"] if conditions.simulated else []
    differs += [f"other {what}: {here} here, {there} there" for what, here, there in pairs if there and here != there]
    if row["left_out"] != conditions.left_out:
        differs.append(f"left out: {conditions.left_out or 'nobody'} here, {row['left_out'] or 'nobody'} there")
    return differs, [what for what, _, there in pairs if not there]


def _band(low_hz: float, high_hz: float) -> str:
    return "" if np.isnan(low_hz) else f"{low_hz:.3g}-{high_hz:.3g} Hz"


def _window(seconds: float) -> str:
    return "" if np.isnan(seconds) else "the whole recording" if np.isinf(seconds) else f"{seconds:g} s"
