"""Bland-Altman: does the measured rate agree with the reference, and over which range?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class BlandAltman:
    """Bias and limits of agreement, with 95 % intervals; means and differences for the plot."""

    mean_bpm: np.ndarray
    difference_bpm: np.ndarray           # measured minus true
    bias: float
    low: float                           # 95 % of differences are expected to lie
    high: float                          # between these two
    bias_interval: tuple[float, float]
    low_interval: tuple[float, float]
    high_interval: tuple[float, float]
    subjects: int


def bland_altman(hr_true: np.ndarray, hr_pred: np.ndarray, *, subjects: np.ndarray | None = None,
                 resamples: int = 2000, seed: int = 0) -> BlandAltman:
    """Return bias and limits of agreement (``bland1986agreement``); intervals come from drawing whole subjects.

    Args:
        hr_true: ``(n,)`` reference rates, bpm.
        hr_pred: ``(n,)`` measured rates, bpm.
        subjects: ``(n,)`` whose rates they are; default: each from another person.

    >>> agreement = bland_altman([60, 70, 80, 90], [61, 72, 81, 92])
    >>> agreement.bias
    1.5
    """
    x, y = np.asarray(hr_true, dtype=float), np.asarray(hr_pred, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise ValueError(f"bland_altman: needs two equally long lists of at least 2 rates, "
                         f"got shapes {x.shape} and {y.shape}.")
    if not (np.isfinite(x) & np.isfinite(y)).all():
        raise ValueError("bland_altman: rates must be finite. "
                         "Leave out the rows that could not be read, and report how many.")
    difference = y - x
    names = np.arange(len(x)) if subjects is None else np.asarray(subjects)
    if names.shape != x.shape:
        raise ValueError(f"bland_altman: needs one subject per rate ({len(x)}), got shape {names.shape}.")
    people = np.unique(names, return_inverse=True)[1]
    sums = np.stack([np.bincount(people, weights=w) for w in (np.ones_like(x), difference, difference**2)], axis=1)
    bias, low, high = (float(v[0]) for v in _limits(sums.sum(0, keepdims=True)))
    intervals = [(np.nan, np.nan)] * 3
    if len(sums) > 1:
        weights = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=resamples)
        intervals = [tuple(np.nanpercentile(v, [2.5, 97.5])) for v in _limits(weights @ sums)]
    return BlandAltman((x + y) / 2, difference, bias, low, high, *intervals, subjects=len(sums))


def _limits(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, total, square = sums.T
    bias = total / n
    sd = np.sqrt(np.clip(square - n * bias**2, 0, None) / np.maximum(n - 1, 1))
    return bias, bias - 1.96 * sd, bias + 1.96 * sd
