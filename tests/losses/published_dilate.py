"""DILATE in the form in which it was published: an oracle of the tests, and the partner that ours is timed against.

Le Guen & Thome 2019 (``leguen2019dilate``): each clip on its own and cell by cell, in float64, compiled by numba; a
Python loop over the clips. Written from the paper's recursions, with its division of labour: the shape term has a table
and a way back of its own, and so has the time term, whose slope is a directional second derivative. Kinder to its speed
than the authors' own code in one thing: the three neighbours of a cell are scalars, not a small array.

``shared=True`` is kinder still, and no longer what was published: both terms use the time term's tables.
"""

import numpy as np
import pytest

njit = pytest.importorskip("numba", reason="numba is not installed: it compiles the published form of DILATE").njit

FAR = 1e10                               # cost of a cell outside the table
UP, LEFT, BOTH = range(3)                # from (i - 1, j), from (i, j - 1), from (i - 1, j - 1)


@njit
def soft_minimum(cost, gamma):
    """Return the soft minimum over all paths up to each cell ``(N+2,N+2)``, with a margin."""
    n = len(cost)
    value = np.full((n + 2, n + 2), FAR)
    value[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            up, left, both = value[i - 1, j], value[i, j - 1], value[i - 1, j - 1]
            least = min(up, left, both)
            total = (np.exp((least - up) / gamma) + np.exp((least - left) / gamma) + np.exp((least - both) / gamma))
            value[i, j] = cost[i - 1, j - 1] + least - gamma * np.log(total)
    return value


@njit
def slope_of_soft_minimum(cost, value, gamma):
    """Return how much each cell's cost counts in the last cell's soft minimum ``(N,N)``."""
    n = len(cost)
    value[n + 1, :] = -FAR
    value[:, n + 1] = -FAR
    padded = np.zeros((n + 2, n + 2))
    padded[1:-1, 1:-1] = cost
    slope = np.zeros((n + 2, n + 2))
    slope[n, n] = 1.0
    for i in range(n, 0, -1):
        for j in range(n, 0, -1):
            if i < n or j < n:
                slope[i, j] = (
                    slope[i + 1, j] * np.exp((value[i + 1, j] - value[i, j] - padded[i + 1, j]) / gamma)
                    + slope[i, j + 1] * np.exp((value[i, j + 1] - value[i, j] - padded[i, j + 1]) / gamma)
                    + slope[i + 1, j + 1] * np.exp((value[i + 1, j + 1] - value[i, j] - padded[i + 1, j + 1]) / gamma))
    return slope[1:-1, 1:-1]


@njit
def path(cost, gamma):
    """Return the soft minimum, the chances of each cell's three predecessors, and the chance to visit the cell."""
    n = len(cost)
    value = np.full((n + 1, n + 1), FAR)
    value[0, 0] = 0.0
    chances = np.zeros((n + 2, n + 2, 3))
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            up, left, both = value[i - 1, j], value[i, j - 1], value[i - 1, j - 1]
            least = min(up, left, both)
            up, left, both = (np.exp((least - up) / gamma), np.exp((least - left) / gamma),
                              np.exp((least - both) / gamma))
            total = up + left + both
            value[i, j] = cost[i - 1, j - 1] + least - gamma * np.log(total)
            chances[i, j, UP], chances[i, j, LEFT], chances[i, j, BOTH] = up / total, left / total, both / total
    visit = np.zeros((n + 2, n + 2))
    chances[n + 1, n + 1, BOTH] = visit[n + 1, n + 1] = 1.0
    for i in range(n, 0, -1):
        for j in range(n, 0, -1):
            visit[i, j] = (chances[i + 1, j, UP] * visit[i + 1, j] + chances[i, j + 1, LEFT] * visit[i, j + 1]
                           + chances[i + 1, j + 1, BOTH] * visit[i + 1, j + 1])
    return value[n, n], chances, visit


@njit
def turn_of_path(chances, visit, direction, gamma):
    """Return how the chance to visit each cell turns as costs grow along ``direction``: the Hessian's product."""
    n = len(direction)
    value = np.zeros((n + 1, n + 1))
    turns = np.zeros((n + 2, n + 2, 3))
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            p, q, r = chances[i, j, UP], chances[i, j, LEFT], chances[i, j, BOTH]
            up, left, both = value[i - 1, j], value[i, j - 1], value[i - 1, j - 1]
            mean = p * up + q * left + r * both
            value[i, j] = direction[i - 1, j - 1] + mean
            turns[i, j, UP] = p * (mean - up) / gamma
            turns[i, j, LEFT] = q * (mean - left) / gamma
            turns[i, j, BOTH] = r * (mean - both) / gamma
    turn = np.zeros((n + 2, n + 2))
    for i in range(n, 0, -1):
        for j in range(n, 0, -1):
            turn[i, j] = (turns[i + 1, j, UP] * visit[i + 1, j] + chances[i + 1, j, UP] * turn[i + 1, j]
                          + turns[i, j + 1, LEFT] * visit[i, j + 1] + chances[i, j + 1, LEFT] * turn[i, j + 1]
                          + turns[i + 1, j + 1, BOTH] * visit[i + 1, j + 1]
                          + chances[i + 1, j + 1, BOTH] * turn[i + 1, j + 1])
    return turn[1:-1, 1:-1]


def dilate_and_slope(pred, target, *, alpha=0.5, gamma=0.01, shared=False):
    """Return DILATE of each clip ``(B,)`` and its slope by the prediction ``(B, N)``, both float64."""
    n = pred.shape[1]
    frames = np.arange(n, dtype=np.float64)
    penalty = (frames[:, None] - frames) ** 2
    values, slopes = np.empty(len(pred)), np.empty(pred.shape)
    for k, (x, y) in enumerate(zip(pred.astype(np.float64), target.astype(np.float64))):
        difference = x[:, None] - y
        cost = difference**2
        shape, chances, visit = path(cost, gamma)
        inner = by_shape = visit[1:-1, 1:-1]
        if not shared:
            value = soft_minimum(cost, gamma)
            shape, by_shape = value[n, n], slope_of_soft_minimum(cost, value, gamma)
        time = (inner * penalty).sum() / n**2
        by_time = turn_of_path(chances, visit, penalty, gamma) / n**2
        values[k] = alpha * shape + (1 - alpha) * time
        slopes[k] = (2 * difference * (alpha * by_shape + (1 - alpha) * by_time)).sum(1)
    return values, slopes
