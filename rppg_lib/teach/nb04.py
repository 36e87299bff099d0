"""Exercises of notebook 04, a codebook of heartbeats."""

from __future__ import annotations

import numpy as np

from .checks import exercise

COMMITMENT = 0.25


@exercise("4.1", stars=1, minutes=5)
def nearest(case):
    """The number of the code nearest to each vector: ``nearest(vectors, codes)``, ``(n, D), (N, D) -> (n,)``."""
    line = np.array([[0.0], [1.0], [10.0]])
    case("codes 0, 1 and 10 on a line", np.array([[0.4], [0.6], [4.0], [7.0]]), line).gives(
        np.array([0, 1, 1, 2]), traps=[(np.array([2, 2, 2, 0]), "Those are the farthest: argmin, not argmax.")])
    plane, one = np.array([[4.0, 0.0], [2.5, 2.5], [0.0, 1.0]]), np.array([[0.0, 0.1], [3.0, 0.2]])
    products = (one @ plane.T).argmax(1)
    case("a long code and a short one", one, plane).gives(
        np.array([2, 0]), traps=[(products, "The largest product is not the smallest distance: long codes would win.")])
    slant, codes = np.array([[0.0, 0.0]]), np.array([[0.0, 1.5], [1.0, 1.0]])
    steps = abs(slant[:, None] - codes).sum(-1).argmin(1)
    case("a slanting way", slant, codes).gives(np.array([1]), traps=[
        (steps, "Sum squares, not absolute values: as the crow flies, not along the streets.")])
    vectors, codes = (np.random.default_rng(k).normal(size=(count, 5)) for k, count in ((1, 40), (2, 7)))
    squares = ((vectors[:, None] - codes) ** 2).sum(-1)
    case("forty vectors of five numbers, seven codes", vectors, codes).gives(squares.argmin(1), traps=[
        (squares.argmin(0), "That is the nearest vector of each code: take the smallest along the axis of the codes."),
        (squares.min(1), "Those are distances; the number of the code is asked for.")])


@exercise("4.2", stars=2, minutes=10)
def gradient(case):
    """What the straight-through trick tells a vector: ``gradient(vector, code, target)``, all ``(D,)``.

    The loss is ``|code - target|^2 + 0.25 |vector - code|^2``, sums over the D numbers; the code does not move.
    """
    rng = np.random.default_rng(0)
    for name, vector, code, target in (
            ("the vector is its code", np.array([1.0, 2.0, 0.5]), np.array([1.0, 2.0, 0.5]), np.zeros(3)),
            ("the code is right already", np.array([1.5, 1.0, 0.0]), np.ones(3), np.ones(3)),
            ("neither", *rng.normal(size=(3, 6)))):
        through, pull = 2 * (code - target), 2 * COMMITMENT * (vector - code)
        case(name, vector, code, target).gives(through + pull, traps=[
            (pull, "That is the true gradient, of a step: flat. Pretend that the decoder saw the vector itself."),
            (2 * (vector - target) + pull, "Close: but the decoder saw the code. Take its slope there."),
            (through, "And the second term: it pulls the vector to its code."),
            (through - pull, "The sign of the pull: downhill must lead the vector to its code."),
            (through / 2 + pull / 2, "The slope of a square is twice what is squared."),
            (through + pull / COMMITMENT, "The second term weighs 0.25."),
            (through + pull / len(vector), "The second term is a sum of squares here; the layer takes their mean.")])


@exercise("4.3", stars=1, minutes=5)
def perplexity(case):
    """How many codes are in use, were they used evenly: ``perplexity(indices, codes)``, whole numbers, a number."""
    rng = np.random.default_rng(3)
    for name, indices, codes in (("four codes, evenly", np.repeat(np.arange(4), 25), 4),
                                 ("half of eight codes, evenly", np.repeat(np.arange(4), 25), 8),
                                 ("one code for all", np.full(30, 2), 8),
                                 ("unevenly", rng.choice(6, size=200, p=[0.6, 0.2, 0.1, 0.05, 0.05, 0.0]), 6)):
        share = np.bincount(indices, minlength=codes) / len(indices)
        some = share[share > 0]
        entropy = -(some * np.log(some)).sum()
        case(name, indices, codes).gives(float(np.exp(entropy)), rtol=1e-4, traps=[
            (float(entropy), "That is the entropy: one step more, exp."),
            (float(2**entropy), "Logarithm and power must have one base: exp with log, 2** with log2."),
            (float(np.exp(-entropy)), "The sign of the entropy."),
            (float(len(some)), "That counts codes that occur at all, however seldom."),
            (float(np.exp(entropy) / codes), "Not as a share of all codes, please.")])
