"""Who is a person, and which windows are the same: what every comparison over people begins with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

PERSON = ("dataset", "subject")
"""One name in two data sets is two people."""

WINDOW = (*PERSON, "clip_id", "condition", "start_s", "seconds")
"""Rows of two methods that agree in these are about the same piece of video."""

SAME_BPM = 0.01
"""True rates of one window that differ by more were not read in the same way."""


def check_rows(who: str, rows: pd.DataFrame, *, needs: Sequence[str] = ()) -> pd.DataFrame:
    """Return rows of :func:`rppg_lib.evaluation.evaluate` with columns ``person``, ``window`` and ``error``.

    They come in an order of their own. ``error`` is the absolute error in bpm, NaN where a window could not be read.
    ``person`` counts from 0 and does not depend on the order in which rows came; so neither does any draw of people.
    """
    if not isinstance(rows, pd.DataFrame):
        raise TypeError(f"{who}: needs the rows of evaluation.evaluate, a DataFrame; got {type(rows).__name__}.")
    if missing := [name for name in ("method", "subject", "clip_id", "hr_true", "hr_pred", *needs) if name not in rows]:
        raise ValueError(f"{who}: rows have no column {', '.join(map(repr, missing))}; "
                         f"they have {', '.join(map(str, rows)) or 'none'}. Pass rows of evaluation.evaluate.")
    if rows.empty:
        raise ValueError(f"{who}: needs at least one row, got none.")
    rows = rows.reset_index(drop=True)
    numbers = ["hr_true", "hr_pred", *needs, *(name for name in ("start_s", "seconds") if name in rows)]
    try:
        rows = rows.assign(**{name: rows[name].to_numpy(dtype=float, na_value=np.nan) for name in numbers})
    except (TypeError, ValueError):
        raise TypeError(f"{who}: {', '.join(numbers)} must be numbers, or NaN where there is no reading.") from None
    error = (rows.hr_pred - rows.hr_true).abs()
    rows = rows.assign(method=rows.method.astype(str), error=error.where(np.isfinite(error)))
    place = [key for key in WINDOW if key in rows]
    # As text: an empty condition comes back as NaN from a CSV file, and a name of digits as a number.
    text = pd.DataFrame({key: rows[key].round(6).astype(str) if key in ("start_s", "seconds")
                         else rows[key].fillna("").astype(str) for key in place})
    rows["person"] = text.groupby([key for key in PERSON if key in text]).ngroup()
    rows["window"] = text.groupby(place).ngroup()
    _check_once(who, rows)
    return rows.sort_values(["method", "window"], ignore_index=True)


def _check_once(who: str, rows: pd.DataFrame) -> None:
    twice = rows.duplicated(["method", "window"])
    if twice.any():
        row = rows[twice].iloc[0]
        raise ValueError(f"{who}: {twice.sum()} rows are there twice, the first of {row.method!r} on clip "
                         f"{row.clip_id!r}. Pass one evaluation; give different runs of a method different names.")


def wide(who: str, rows: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Return checked rows as errors ``(windows, methods)``, NaN where not read or not there, and whose windows."""
    true = rows.groupby("window").hr_true.agg(["min", "max"])
    if (apart := (true["max"] - true["min"]) > SAME_BPM).any():
        clip = rows[rows.window == apart.idxmax()].clip_id.iloc[0]
        raise ValueError(f"{who}: methods disagree about the true rate of {apart.sum()} windows, first on clip "
                         f"{clip!r}. Evaluate all of them with one read-out and the same labels.")
    errors = rows.pivot(index="window", columns="method", values="error")
    return errors, rows.groupby("window").person.first().to_numpy()


def by_person(values: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Return the mean over each person's windows: ``(windows, k)`` becomes ``(people, k)``."""
    people, index, count = np.unique(person, return_inverse=True, return_counts=True)
    total = np.zeros((len(people), values.shape[1]))
    np.add.at(total, index, values)
    return total / count[:, None]


def draws(people: int, resamples: int, seed: int) -> np.ndarray:
    """Return how often each person is drawn, ``(resamples, people)``, with replacement."""
    return np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=resamples)


def interval(drawn: np.ndarray, *, share: float = 0.95) -> tuple[float, float]:
    """Return the middle ``share`` of what was drawn; draws that are NaN do not count."""
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return np.nan, np.nan
    low, high = np.percentile(finite, [50 * (1 - share), 50 * (1 + share)])
    return float(low), float(high)


def names_of(methods: Sequence[str]) -> str:
    return ", ".join(map(repr, methods)) or "none"
