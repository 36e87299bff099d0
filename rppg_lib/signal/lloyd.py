"""A few numbers that stand for many with the least error that can be found."""

from __future__ import annotations

import numpy as np

from ..types import check_wave

ROUNDS = 100_000                         # a guard; 100,000 samples of pulse waves and 32 codes take 600


def lloyd(values: np.ndarray, codes: int) -> np.ndarray:
    """Return numbers each of which is the mean of the values that are nearer to it than to any other.

    It begins at quantiles and takes means until nothing moves. Then no code can be moved, and no value given to
    another code, for a lower squared error: an optimum, though not always the lowest one. A value half-way between two
    codes belongs to the lower. A code that loses all its values goes to the value that is worst off.

    Args:
        values: any shape, one heap of numbers; fit to those trained on only.
        codes: how many numbers to find, K.

    Returns:
        ``(K,)`` ascending.

    Reference: Lloyd 1982 (``lloyd1982quantization``), Max 1960 (``max1960quantizing``).

    >>> lloyd([1.0, 2.0, 3.0, 10.0, 12.0], 2)
    array([ 2., 11.])
    """
    if isinstance(codes, bool) or not isinstance(codes, int | np.integer) or codes < 1:
        raise ValueError(f"lloyd: codes must be a whole number of at least 1, got {codes!r}.")
    heap = np.sort(check_wave("lloyd", values, fs=1, min_s=0), axis=None)
    different = np.unique(heap)
    if len(different) < codes:
        raise ValueError(f"lloyd: needs at least {codes} different values for {codes} codes, got {len(different)}. "
                         f"Take fewer codes, or values that are not in steps already.")
    middle = heap.mean()
    heap -= middle                                       # running sums of numbers far from 0 lose the small ones
    sums = np.concatenate([[0.0], np.cumsum(heap)])
    found = _start(heap, different - middle, codes)
    for _ in range(ROUNDS):
        ends = cell_ends(heap, midpoints(found))
        inside = np.diff(ends)
        if (inside == 0).any():
            found = _revived(heap, found, inside)
            continue
        means = np.diff(sums[ends]) / inside
        if np.array_equal(means, found):
            break
        found = means
    return found + middle


def midpoints(codes: np.ndarray) -> np.ndarray:
    """Return where the cells of codes end: half-way to the next."""
    return (codes[1:] + codes[:-1]) / 2


def cell_ends(heap: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return where in an ascending heap each cell begins, and the last one ends; what is on an edge lies below it."""
    return np.concatenate([[0], np.searchsorted(heap, edges, side="right"), [len(heap)]])


def _start(heap: np.ndarray, different: np.ndarray, codes: int) -> np.ndarray:
    shares = (np.arange(codes) + 0.5) / codes
    start = np.quantile(heap, shares)
    if (np.diff(start) > 0).all():
        return start
    return different[(shares * len(different)).astype(int)]          # one value is so frequent that quantiles coincide


def _revived(heap: np.ndarray, found: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the codes with the first of the unused ones at the value that is farthest from its own."""
    worst = np.abs(heap - np.repeat(found, inside)).argmax()
    unused = np.flatnonzero(inside == 0)[0]
    return np.sort(np.concatenate([np.delete(found, unused), heap[[worst]]]))
