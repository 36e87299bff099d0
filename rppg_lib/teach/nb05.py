"""Exercises of notebook 05, querying the codebook."""

from __future__ import annotations

import numpy as np

from .checks import exercise


@exercise("5.1", stars=2, minutes=10)
def adain(case):
    """Tokens with the mean and the deviation of others, column by column: ``adain(x, y)``, both ``(M, D)``."""
    column = np.array([[1.0], [3.0]])
    case("1, 3 with the statistics of 10, 30", column, 10 * column).gives(10 * column, rtol=1e-3)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)) * [1, 5, 0.2] + [0, 3, -2], rng.normal(size=(40, 3)) * [2, 1, 4] + [1, 0, 7]
    unit = (x - x.mean(0)) / x.std(0)
    case("forty tokens of three numbers", x, y).gives(y.std(0) * unit + y.mean(0), rtol=0.02, traps=[
        (y, "That is y itself: x keeps its course, only its mean and deviation are those of y."),
        (x.std(0) * (y - y.mean(0)) / y.std(0) + x.mean(0), "The other way round: x gets the statistics of y."),
        (y.std() * (x - x.mean()) / x.std() + y.mean(), "One mean and one deviation for each column, not for all."),
        (y.std(1, keepdims=True) * (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
         + y.mean(1, keepdims=True), "Those are statistics of each token: take them over axis 0."),
        (y.var(0) * (x - x.mean(0)) / x.var(0) + y.mean(0), "Deviations, not variances: take the roots."),
        (y.std(0) * unit, "The mean of y is missing."),
        (unit + y.mean(0), "The deviation of y is missing.")])


@exercise("5.2", stars=2, minutes=15)
def ask(case):
    """What a choice among codes costs: ``ask(tokens, codes, right, tau)``, the mean of ``-log p(right)``."""
    line = np.array([[0.0], [2.0]])
    case("half-way between two codes", np.array([[1.0]]), line, np.array([1]), 1.0).gives(np.log(2), rtol=1e-3)
    rng = np.random.default_rng(1)
    tokens, codes, right = rng.normal(size=(6, 4)), rng.normal(size=(5, 4)), np.array([0, 4, 2, 2, 1, 3])
    for name, tau in (("six tokens, five codes", 1.0), ("the same, choosing more softly", 4.0)):
        squares = ((tokens[:, None] - codes) ** 2).sum(-1)
        costs = _costs(-squares / tau, right)
        case(name, tokens, codes, right, tau).gives(costs.mean(), rtol=1e-3, traps=[
            (-costs.mean(), "The sign: a probability below 1 has a negative logarithm, and what costs is minus that."),
            (costs.sum(), "That is the sum: the mean is asked for."), (costs, "One number, please: the mean."),
            (_costs(squares / tau, right).mean(), "Minus the distance: the nearest code must be the likeliest."),
            (_costs(-np.sqrt(squares) / tau, right).mean(), "Squared distances: leave out the root."),
            (_costs(-squares, right).mean(), "Divide the squared distances by tau."),
            (_costs(-squares * tau, right).mean(), "Divide by tau, do not multiply."),
            (np.exp(-costs).mean(), "That is the probability itself: take minus its logarithm.")])
    far = 100 * tokens                   # exp() of minus such distances is 0
    squares = ((far[:, None] - codes) ** 2).sum(-1)
    case("tokens far from all codes: take off the largest logit first", far, codes, right, 1.0).gives(
        _costs(-squares, right).mean(), rtol=1e-3)


@exercise("5.3", stars=1, minutes=10)
def gamma(case):
    """Each frame's values to the power of its own gamma: ``gamma(frames, gammas)``, bytes ``(T, H, W, 3)``."""
    grey = np.full((2, 2, 2, 3), 64, np.uint8)
    rng = np.random.default_rng(2)
    noisy = rng.integers(0, 256, (6, 3, 2, 3), dtype=np.uint8)
    for name, frames, gammas in (("grey, left as it is", grey, np.array([1.0, 1.0])),
                                 ("grey, lit and darkened", grey, np.array([0.5, 1.5])),
                                 ("six frames of three by two pixels", noisy, rng.uniform(0.5, 1.5, 6))):
        each = gammas[:, None, None, None]
        right = 255 * (frames / 255) ** each
        case(name, frames, gammas).gives(right, atol=1.01, traps=[
            (right / 255, "Those are shares: multiply by 255 again."),
            (255 * (frames / 255) ** (1 / each), "The power is gamma itself, not one over it."),
            (frames * each, "A power, not a product."),
            (255 * (frames / 255) ** gammas.mean(), "Each frame has a gamma of its own."),
            (np.clip(frames.astype(float) ** each, 0, 255), "Divide by 255 first: the power is taken of shares.")])


def _costs(logits: np.ndarray, right: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(1, keepdims=True)
    return np.log(np.exp(logits).sum(1)) - logits[np.arange(len(right)), right]
