"""What does refusing buy? The error that remains when windows of the lowest quality are refused first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .people import check_rows, draws, interval, names_of

COVERAGES = np.arange(1, 21) / 20
STEPS = 200
"""Coverages over which a curve is averaged into an area."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RiskCoverage:
    """Mean absolute error, bpm, of what is kept, beside the best and the most thoughtless way of refusing."""

    method: str
    coverage: np.ndarray                 # (n,) share of all windows that is kept
    error: np.ndarray                    # (n,) refusing by quality; NaN beyond what could be read at all
    low: np.ndarray                      # (n,) its 95 % interval over people
    high: np.ndarray
    oracle: np.ndarray                   # (n,) refusing by the true error: no quality figure can do better
    random: float                        # refusing by chance: at every coverage the error of all that was read
    readable: float                      # the largest coverage: windows that could not be read are refused already
    area: float                          # mean error over coverages from 0 to readable
    area_interval: tuple[float, float]
    gain: float                          # 1: as good as the oracle, 0: as chance, below 0: worse than chance
    gain_interval: tuple[float, float]
    windows: int                         # all of them
    unread: int                          # could not be read
    unjudged: int                        # read, without a quality; refused first
    people: int


def risk_coverage(rows: pd.DataFrame, *, coverages: Sequence[float] = COVERAGES, resamples: int = 2000,
                  seed: int = 0) -> RiskCoverage:
    """Return what error remains of one method at each coverage, if windows are refused from the lowest quality on.

    Coverage counts from **all** windows. One that could not be read has been refused by the method itself: it is
    coverage lost, never an error of 0, and the curve ends at ``readable``. So a method that reads half of the windows
    without error has no error at coverages up to 0.5 and none to show above. A window that was read without a quality
    is refused before all others. Of windows of equal quality none comes first: each is kept in the same part.

    At ``readable`` the error is the MAE of :func:`rppg_lib.evaluation.summarise`. Intervals come from drawing people.

    Args:
        rows: from :func:`rppg_lib.evaluation.evaluate`, of one method.
        coverages: shares of windows to keep, above 0 up to 1. To refuse the worst 10 %, keep 0.9.
        resamples: number of bootstrap draws.
        seed: of the draws.
    """
    coverage = np.asarray(coverages, dtype=float)
    if coverage.ndim != 1 or not len(coverage) or not ((coverage > 0) & (coverage <= 1)).all():
        raise ValueError(f"risk_coverage: coverages must be a list of shares above 0, up to 1; got {coverages!r}.")
    rows = check_rows("risk_coverage", rows, needs=["quality"])
    if len(methods := list(rows.method.unique())) > 1:
        raise ValueError(f"risk_coverage: needs rows of one method, got {names_of(methods)}. "
                         f"Use one curve each: for name, some in rows.groupby('method').")
    read = rows[rows.error.notna()]
    if read.empty:
        raise ValueError(f"risk_coverage: {methods[0]!r} could read none of {len(rows)} windows.")
    people = rows.person.max() + 1
    curves = _Curves(rows, read, coverage)
    found = curves(np.ones(people))
    drawn = [curves(weights) for weights in draws(people, resamples, seed)] if people > 1 else []
    spans = {name: [interval(np.array([one[name][i] for one in drawn])) if np.isfinite(value) else (np.nan, np.nan)
                    for i, value in enumerate(found[name])] for name in ("error", "area", "gain")}
    low, high = np.transpose(spans["error"])
    return RiskCoverage(
        method=methods[0], coverage=coverage, error=found["error"], low=low, high=high, oracle=found["oracle"],
        random=float(found["random"]), readable=len(read) / len(rows), area=float(found["area"][0]),
        area_interval=spans["area"][0], gain=float(found["gain"][0]), gain_interval=spans["gain"][0],
        windows=len(rows), unread=len(rows) - len(read), unjudged=int(read.quality.isna().sum()), people=int(people))


class _Curves:
    """Curves and areas for people that count with given weights."""

    def __init__(self, rows: pd.DataFrame, read: pd.DataFrame, coverage: np.ndarray) -> None:
        self.everyone, self.person = rows.person.to_numpy(), read.person.to_numpy()
        self.error, self.coverage = read.error.to_numpy(), coverage
        quality = read.quality.fillna(-np.inf).to_numpy(dtype=float)
        # Windows of one value are one block: they are kept and refused together, in parts.
        self.by_quality = np.unique(-quality, return_inverse=True)[1]
        self.by_error = np.unique(self.error, return_inverse=True)[1]

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        size = weights[self.person]
        read = size.sum()
        if not read:                                                  # only people without a reading were drawn
            nothing = np.full(len(self.coverage), np.nan)
            return {"error": nothing, "area": nothing[:1], "gain": nothing[:1]}
        kept = self.coverage * weights[self.everyone].sum()
        steps = (np.arange(STEPS) + 0.5) / STEPS * read
        at = np.concatenate([kept, steps])
        error, oracle = (_remaining(blocks, size, size * self.error, at) for blocks in (self.by_quality, self.by_error))
        n, random = len(kept), size @ self.error / read
        area, best = error[n:].mean(), oracle[n:].mean()
        gain = (random - area) / (random - best) if random - best > 1e-9 * random else np.nan
        return {"error": error[:n], "oracle": oracle[:n], "random": random, "area": np.array([area]),
                "gain": np.array([gain])}


def _remaining(blocks: np.ndarray, size: np.ndarray, error: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the mean error of the first ``kept`` windows, of a block in part; NaN where there are not as many."""
    sizes, errors = (np.concatenate([[0], np.cumsum(np.bincount(blocks, weights=w))]) for w in (size, error))
    there = kept <= sizes[-1] * (1 + 1e-9)
    return np.where(there, np.interp(kept, sizes, errors) / kept, np.nan)
