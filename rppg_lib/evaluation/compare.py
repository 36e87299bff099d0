"""Is one method better than another, on people it was not tuned on? Differences, tests and ranks over people.

Windows of one person are alike: a hundred of them are not a hundred witnesses. So each person gives one number per
method, the mean absolute error of the windows, and everything here is computed from those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from .people import by_person, check_rows, draws, interval, names_of, wide

MOST_EXACT = 16
"""People up to whom every combination of signs is tried: 2**15 of them; more are drawn by chance."""

SAME = 1e-9
"""Errors in bpm that differ by less are equal: only the order of a sum differs."""


def compare(rows: pd.DataFrame, *, against: str | None = None, resamples: int = 2000, flips: int = 20_000,
            seed: int = 0) -> pd.DataFrame:
    """Return one line per pair of methods: by how much they differ over people, and whether chance explains it.

    A pair is compared on the windows that both could read. A method that refuses hard windows is therefore not
    rewarded, but what it was judged on is easier: ``lost`` says how many windows it lost, read beside ``difference``.

    The interval is a percentile bootstrap over people, too narrow where there are few: of skewed errors without a
    difference it held 0 in about 91 % of trials with 20 people, 85 % with 10 and 81 % with 6. There believe the test,
    which keeps its 5 %. The test is :func:`sign_flip_p`; ``p_holm`` is corrected for all lines of this table by
    :func:`holm`. With n people no p can be below ``p_smallest = 2 / 2**n``: with five or fewer, nothing is ever
    significant at 5 %, and a large p means nothing.

    Args:
        rows: from :func:`rppg_lib.evaluation.evaluate`, of two or more methods.
        against: compare each method with this one only; default: every pair, in the order of their names.
        resamples: number of bootstrap draws.
        flips: number of random signs where there are more than 16 people.
        seed: of both.

    Returns:
        Index ``method, against``. Columns ``people`` and ``windows`` that both could read; ``mae`` and
        ``mae_against``, means over people, each counting once (:func:`summarise` counts each window once);
        ``difference`` = mae - mae_against (negative: the method is better), with ``low`` to ``high``; ``p``,
        ``p_holm``, ``p_smallest``; windows left out: ``lost`` that only the method could not read, ``lost_against``
        that only the other could not, ``lost_both``; and ``people_lost``, of whom no window was left.
    """
    rows = check_rows("compare", rows)
    errors, person = wide("compare", rows)
    pairs = _pairs(list(errors), against)
    lines = [_pair(errors[list(pair)], person, resamples=resamples, flips=flips, seed=seed) for pair in pairs]
    table = pd.DataFrame(lines, index=pd.MultiIndex.from_tuples(pairs, names=["method", "against"]))
    table.insert(table.columns.get_loc("p") + 1, "p_holm", holm(table.p))
    return table


def _pairs(methods: list[str], against: str | None) -> list[tuple[str, str]]:
    if len(methods) < 2:
        raise ValueError(f"compare: needs rows of at least two methods, got {names_of(methods)}.")
    if against is None:
        return list(combinations(methods, 2))
    if against not in methods:
        raise ValueError(f"compare: no rows of {against!r} to compare with; there are {names_of(methods)}.")
    return [(method, against) for method in methods if method != against]


def _pair(errors: pd.DataFrame, person: np.ndarray, *, resamples: int, flips: int, seed: int) -> dict[str, float]:
    (one, other), read = errors.columns, errors.notna().to_numpy()
    both, neither = read.all(1), ~read.any(1)
    if not both.any():
        raise ValueError(f"compare: {one!r} and {other!r} have no window in common that both could read "
                         f"({read[:, 0].sum()} and {read[:, 1].sum()} windows each). Evaluate both on the same clips.")
    means = by_person(errors.to_numpy()[both], person[both])
    if len(means) < 2:
        raise ValueError(f"compare: {one!r} and {other!r} have windows in common of one person only; "
                         f"a comparison over people needs two, and six to find anything.")
    difference = means[:, 0] - means[:, 1]
    low, high = interval(draws(len(means), resamples, seed) @ difference / len(means))
    return {"people": len(means), "windows": int(both.sum()), "mae": means[:, 0].mean(),
            "mae_against": means[:, 1].mean(), "difference": difference.mean(), "low": low, "high": high,
            "p": sign_flip_p(difference, flips=flips, seed=seed), "p_smallest": 2.0 ** (1 - len(means)),
            "lost": int((~read[:, 0] & read[:, 1]).sum()), "lost_against": int((read[:, 0] & ~read[:, 1]).sum()),
            "lost_both": int(neither.sum()), "people_lost": len(np.unique(person)) - len(means)}


def sign_flip_p(differences: Sequence[float], *, flips: int = 20_000, seed: int = 0) -> float:
    """Return the two-sided p of paired differences, one per person: how often do random signs give as large a mean?

    If the two methods are alike, each person could as well have differed in the other direction. Up to 16 people all
    signs are tried and p is exact; above, ``flips`` of them are drawn, and the ones observed count as one more.

    >>> sign_flip_p([1, 2, 3])                                        # 2 of 8: all plus, all minus
    0.25
    """
    d = np.asarray(differences, dtype=float)
    if d.ndim != 1 or not len(d) or not np.isfinite(d).all():
        raise ValueError(f"sign_flip_p: needs one finite difference per person, got {d.size} of shape {d.shape}, "
                         f"{np.isfinite(d).sum()} of them finite.")
    least = abs(d.sum()) - SAME * np.abs(d).sum()                     # rounding must not make an equal sum smaller
    if len(d) <= MOST_EXACT:
        sums = d[:1]                                                  # the first sign may stay: -s is as large as s
        for value in d[1:]:
            sums = np.concatenate([sums + value, sums - value])
        return float(np.mean(np.abs(sums) >= least))
    rng, found = np.random.default_rng(seed), 1
    for start in range(0, flips, 1000):                               # all at once would fill the memory
        signs = 2 * rng.integers(0, 2, (min(1000, flips - start), len(d)), dtype=np.int8) - 1
        found += np.sum(np.abs(signs @ d) >= least)
    return float(found / (1 + flips))


def holm(p: Sequence[float]) -> np.ndarray:
    """Return p values corrected for their number (``holm1979``): the smallest times n, the next times n - 1, ...

    The chance that any true null is rejected at 5 % is then at most 5 %, whatever the tests have to do with each other.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"holm: needs a list of p values between 0 and 1, got {p.tolist()}.")
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranks:
    """How methods rank over people, 1 the best, and which of them cannot be told apart."""

    methods: tuple[str, ...]             # best first
    mean_rank: np.ndarray
    people: int
    windows: int                         # that every method could read
    lost: dict[str, int]                 # per method: windows that it could not read, though another could
    people_lost: int                     # of whom no window was left
    statistic: float                     # Friedman's chi-square
    p: float                             # that all methods are alike
    alpha: float
    critical_difference: float           # of mean ranks; Nemenyi
    groups: tuple[tuple[str, ...], ...]  # of methods not told apart; a method alone in its group is left out


def rank_methods(rows: pd.DataFrame, *, alpha: float = 0.05) -> Ranks:
    """Rank three or more methods for each person, and say which mean ranks differ by more than chance.

    Friedman's test asks whether all methods are alike; only if they are not (``p < alpha``) does Nemenyi's critical
    difference tell which, corrected for all pairs (``demsar2006statistical``). If they may be alike, all are one group.
    Only windows count that every method could read: leave out a method that reads hardly any.

    Ranks throw away by how much. And what is said of two methods depends on which others are in the table:
    :func:`compare` does not have this. The p is that of the chi-square distribution, too large where people are few
    (below about ten).

    Args:
        rows: from :func:`rppg_lib.evaluation.evaluate`, of at least three methods and two people.
        alpha: the chance that may be taken of calling alike methods different.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"rank_methods: alpha must lie between 0 and 1, got {alpha!r}.")
    errors, person = wide("rank_methods", check_rows("rank_methods", rows))
    methods, read = list(errors), errors.notna().to_numpy()
    if len(methods) < 3:
        raise ValueError(f"rank_methods: needs at least three methods, got {names_of(methods)}. Use compare for two.")
    lost = {name: int((~own & read.any(1)).sum()) for name, own in zip(methods, read.T)}
    shared = read.all(1)
    people = len(np.unique(person[shared]))
    if people < 2:
        worst = max(lost, key=lost.get)
        raise ValueError(f"rank_methods: needs windows of at least two people that every method could read, got "
                         f"{shared.sum()} of {people}. {worst!r} lost most ({lost[worst]}): leave it out.")
    means = by_person(errors.to_numpy()[shared], person[shared])
    ranks = rankdata(np.round(means / SAME), axis=1)
    alike = np.ptp(ranks) == 0
    statistic, p = (0.0, 1.0) if alike else map(float, friedmanchisquare(*ranks.T))
    mean_rank = ranks.mean(0)
    order = np.argsort(mean_rank, kind="stable")
    names, mean_rank = tuple(methods[i] for i in order), mean_rank[order]
    critical = critical_difference(len(names), people, alpha=alpha)
    return Ranks(methods=names, mean_rank=mean_rank, people=people, windows=int(shared.sum()), lost=lost,
                 people_lost=len(np.unique(person)) - people, statistic=statistic, p=p, alpha=alpha,
                 critical_difference=critical, groups=_groups(names, mean_rank, critical if p < alpha else np.inf))


def critical_difference(methods: int, people: int, *, alpha: float = 0.05) -> float:
    """Return by how much the mean ranks of two of so many methods must differ (Nemenyi, ``demsar2006statistical``).

    >>> round(critical_difference(5, 30), 2)
    1.11
    """
    q = float(studentized_range.ppf(1 - alpha, methods, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * people)))


def _groups(names: tuple[str, ...], mean_rank: np.ndarray, critical: float) -> tuple[tuple[str, ...], ...]:
    """Return runs of names whose ranks lie closer than ``critical``, leaving out what lies within a longer run."""
    stops = [int(np.searchsorted(mean_rank, rank + critical - SAME)) for rank in mean_rank]
    return tuple(names[start:stop] for start, stop in enumerate(stops)
                 if stop - start > 1 and (start == 0 or stop > stops[start - 1]))
