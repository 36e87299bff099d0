"""For whom, and when, does a method fail? Errors by skin tone, motion, light, rate or any other fact about a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
from scipy.stats import t as student

from .people import check_rows, draws
from .summary import summarise

UNKNOWN = "unknown"
MOST_GROUPS = 20
LEAST_PEOPLE = 2
"""A group of fewer people is shown, and is never named the worst or the best: it would be one person's name."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupErrors:
    """Errors of each method in each group, and how far apart its best and its worst group are."""

    by: str
    table: pd.DataFrame                  # by method and group; the columns of summarise
    gaps: pd.DataFrame                   # by method: worst, best, difference, low, high, groups, people


def errors_by_group(rows: pd.DataFrame, facts: pd.DataFrame | None = None, *, by: str,
                    edges: Sequence[float] | None = None, resamples: int = 4000, seed: int = 0) -> GroupErrors:
    """Return errors by one fact, with intervals over people, the worst group by name, and its distance from the best.

    Windows without the fact are the group ``unknown``, the last one. A window that could not be read counts as
    ``failed`` in its group; by the true rate, which it does not have, it is ``unknown``.

    The interval of the difference draws people, each with windows of all groups, so it is right for groups of people
    (skin tone) and for conditions that each person goes through (motion). The worst and the best are picked because
    they lie far apart. Of many groups two always do; so the interval is as wide as 95 % for **all** pairs of groups
    asks (Bonferroni), and uses Student's t for few people: if it lies above 0, the groups differ, and not because we
    looked for it. It is on the careful side: with groups alike it lay above 0 in 0 to 4 % of trials.

    Args:
        rows: from :func:`rppg_lib.evaluation.evaluate`.
        facts: one row per clip, with ``clip_id`` (and ``dataset``, if names repeat) and the column ``by``; default:
            ``by`` is a column of the rows, such as ``condition`` or ``hr_true``.
        by: the fact.
        edges: for a fact that is a number, where one group ends and the next begins.
        resamples: number of bootstrap draws.
        seed: of the draws.

    Returns:
        ``table`` counts each window once, as :func:`summarise` does; ``gaps`` names no group, and has NaN, where
        fewer than two known groups have two people each.
    """
    rows = check_rows("errors_by_group", rows, needs=["snr_db", "macc"])
    names, order = _names(_values(rows, facts, by), by, edges)
    rows = rows.assign(group=names)
    place = {name: i for i, name in enumerate(order)}
    rows = rows.iloc[np.lexsort([rows.window, rows.method, rows.group.map(place)])]
    table = summarise(rows, by=["method", "group"], resamples=resamples, seed=seed)
    gaps = {method: _gap(some, table.loc[method], resamples=resamples, seed=seed)
            for method, some in rows.groupby("method")}
    return GroupErrors(by=by, table=table,
                       gaps=pd.DataFrame(list(gaps.values()), index=pd.Index(gaps, name="method")))


def _values(rows: pd.DataFrame, facts: pd.DataFrame | None, by: str) -> pd.Series:
    """Return the fact of each row, missing where it is not known."""
    if facts is None:
        if by not in rows or by in ("method", "window", "person"):
            raise ValueError(f"errors_by_group: rows have no column {by!r} to group by; they have {', '.join(rows)}. "
                             f"Pass facts with clip_id and {by!r}.")
        return rows[by]
    if not isinstance(facts, pd.DataFrame):
        raise TypeError(f"errors_by_group: facts must be a DataFrame with clip_id and {by!r}, "
                        f"got {type(facts).__name__}.")
    facts = facts.reset_index() if facts.index.name == "clip_id" else facts
    if missing := [name for name in ("clip_id", by) if name not in facts]:
        raise ValueError(f"errors_by_group: facts have no column {', '.join(map(repr, missing))}; "
                         f"they have {', '.join(map(str, facts))}.")
    keys = [key for key in ("dataset", "clip_id") if key in facts and key in rows]
    known = pd.MultiIndex.from_frame(facts[keys].astype(str))
    if known.has_duplicates:
        twice = known[known.duplicated()][0]
        raise ValueError(f"errors_by_group: facts have more than one row for clip {twice[-1]!r}. Keep one row per clip"
                         f"{'' if len(keys) > 1 else ', or add a dataset column if names repeat between data sets'}.")
    at = known.get_indexer(pd.MultiIndex.from_frame(rows[keys].astype(str)))
    if (at < 0).all():
        raise ValueError(f"errors_by_group: facts are about none of the clips in the rows: they have "
                         f"{known[0][-1]!r}, rows have {rows.clip_id.iloc[0]!r}." if len(known) else
                         "errors_by_group: facts are empty.")
    return facts[by].reset_index(drop=True).reindex(np.where(at < 0, len(facts), at)).reset_index(drop=True)


def _names(values: pd.Series, by: str, edges: Sequence[float] | None) -> tuple[np.ndarray, list[str]]:
    """Return the group of each row and the groups in order, ``unknown`` last."""
    known = (values.notna() & (values.astype(str).str.strip() != "")).to_numpy()
    if edges is not None:
        names, order = _bins(values, by, edges)
        return np.where(known, names, UNKNOWN), [*order, UNKNOWN]
    found = list(values[known].unique())
    if isinstance(values.dtype, pd.CategoricalDtype):
        found.sort(key=list(values.cat.categories).index)
    elif all(isinstance(value, Real) for value in found):
        found.sort()
    else:
        found.sort(key=str)
    if len(found) > MOST_GROUPS:
        raise ValueError(f"errors_by_group: {by!r} has {len(found)} different values, too many for groups. "
                         f"Give edges, such as edges=(60, 80, 100), or name coarser groups.")
    text = {value: f"{value:g}" if isinstance(value, Real) and not isinstance(value, bool | np.bool_) else str(value)
            for value in found}
    names = np.array([text[value] if there else UNKNOWN for value, there in zip(values, known)], dtype=object)
    return names, [*(name for name in dict.fromkeys(text.values()) if name != UNKNOWN), UNKNOWN]


def _bins(values: pd.Series, by: str, edges: Sequence[float]) -> tuple[np.ndarray, list[str]]:
    edges = np.asarray(edges, dtype=float)
    if edges.ndim != 1 or not len(edges) or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise ValueError(f"errors_by_group: edges must be rising numbers, got {edges.tolist()}.")
    try:
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise TypeError(f"errors_by_group: edges need numbers, and {by!r} has others. Leave edges out.") from None
    order = [f"below {edges[0]:g}", *(f"{a:g} to {b:g}" for a, b in zip(edges, edges[1:])), f"from {edges[-1]:g}"]
    # An upper edge belongs to the next group: 80 is in "80 to 100".
    return np.array(order, dtype=object)[np.searchsorted(edges, numbers, side="right")], order


def _gap(rows: pd.DataFrame, table: pd.DataFrame, *, resamples: int, seed: int) -> dict:
    """Return the worst and the best group of one method, and their difference over people."""
    fit = table[(table.subjects >= LEAST_PEOPLE) & (table.index != UNKNOWN)]
    read = rows[rows.error.notna() & rows.group.isin(fit.index)]
    line = {"worst": "", "best": "", "difference": np.nan, "low": np.nan, "high": np.nan, "groups": len(fit),
            "people": read.person.nunique()}
    if len(fit) < 2:
        return line
    worst, best = fit.mae.idxmax(), fit.mae[::-1].idxmin()            # of equal ones the first and the last
    line |= {"worst": worst, "best": best, "difference": float(fit.mae[worst] - fit.mae[best])}
    sums = read.groupby(["person", "group"]).error.agg(["sum", "count"]).unstack(fill_value=0)
    weights = draws(len(sums), resamples, seed)
    with np.errstate(invalid="ignore"):                               # NaN where nobody of a group was drawn
        drawn = [weights @ sums["sum", name] / (weights @ sums["count", name]) for name in (worst, best)]
    few = fit.subjects[[worst, best]].min()
    pairs = len(fit) * (len(fit) - 1) / 2
    people = read[read.group.isin([worst, best])].person.nunique()
    # Few people vary less among themselves than people do; percentiles of so few draws would be far too narrow.
    wide = student.ppf(1 - 0.025 / pairs, max(people - 2, 1)) * np.sqrt(few / (few - 1))
    spread = wide * np.nanstd(drawn[0] - drawn[1])
    return line | {"low": line["difference"] - spread, "high": line["difference"] + spread}
