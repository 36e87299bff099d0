"""Exercises of notebook 10, your own model."""

from __future__ import annotations

import numpy as np

from .checks import exercise


@exercise("10.1", stars=2, minutes=10)
def leak(case):
    """By how much a clip's wave changes when its neighbour does: ``leak(network, clips)``, clips ``(2, T)``.

    The largest change of the first wave between the two together and the first alone, over the largest value of the
    wave alone.
    """
    quiet = np.random.default_rng(0).gumbel(size=(2, 50)) * [[1.0], [3.0]]         # its farthest values lie above
    for name, network, clips in (("one that looks at each clip alone", _alone, quiet),
                                 ("one that divides by the spread of all", _spread, quiet),
                                 ("one that takes away half of the mean of all", _mean, quiet),
                                 ("the spread of all, the louder clip first", _spread, quiet[::-1].copy())):
        alone, together = network(clips[:1])[0], network(clips)
        change = np.abs(together[0] - alone).max()
        each = np.concatenate([network(clips[:1]), network(clips[1:])])
        both = np.abs(together - each).max()
        case(name, network, clips).gives(change / np.abs(alone).max(), rtol=1e-6, atol=1e-9, traps=[
            (change, "Over the largest value of the wave alone: a share has no unit."),
            (change / np.abs(together[0]).max(), "Over the wave of the clip alone, not the one beside a neighbour."),
            ((together[0] - alone).max() / np.abs(alone).max(), "Downwards counts, too: take the absolute value."),
            (np.abs(together[1] - alone).max() / np.abs(alone).max(), "Compare the same clip: the first of both."),
            *((both / np.abs(wave).max(), "Only the first wave is asked for, not its neighbour's.")
              for wave in (alone, each))])


@exercise("10.2", stars=1, minutes=5)
def sees_s(case):
    """How many seconds a value of the wave depends on: ``sees_s(kernel, dilations, fs)``."""
    for name, kernel, dilations, fs in (("one layer of five taps", 5, [1], 30.0),
                                        ("the four layers of this notebook", 5, [1, 2, 4, 8], 30.0),
                                        ("three layers of three, at 20 fps", 3, [1, 1, 1], 20.0)):
        frames = 1 + (kernel - 1) * sum(dilations)
        case(name, kernel, dilations, fs).gives(frames / fs, rtol=1e-6, unit="s", traps=[
            (float(frames), "That is in frames: divide by the frame rate."),
            ((kernel - 1) * sum(dilations) / fs, "The frame itself counts as well: one more."),
            (kernel * sum(dilations) / fs, "Neighbouring taps share a frame: a kernel of 5 reaches 4 further, not 5."),
            (kernel * len(dilations) / fs, "A dilation of 4 puts the taps 4 frames apart."),
            ((1 + (kernel - 1) * max(dilations)) / fs, "Every layer reaches further: add up all dilations.")])


@exercise("10.3", stars=2, minutes=15)
def paired(case):
    """The 95 % interval of a mean difference: ``paired(mine, theirs, drawn)``.

    ``mine`` and ``theirs`` are errors of the same people ``(n,)``, ``drawn`` the numbers of the people of each draw
    ``(draws, n)``. Returns its lower and its upper end.
    """
    rng = np.random.default_rng(1)
    for name, better in (("twelve people, of whom each gains a little", 0.5), ("twelve people, no difference", 0.0)):
        theirs = rng.exponential(8, 12)
        mine = theirs - better + rng.normal(0, 0.3, 12)
        drawn = rng.integers(0, 12, (500, 12))
        right = np.percentile((mine - theirs)[drawn].mean(1), [2.5, 97.5])
        apart = mine[drawn].mean(1) - theirs[rng.permuted(drawn, axis=1)].mean(1)
        ends = [np.percentile(errors[drawn].mean(1), [2.5, 97.5]) for errors in (mine, theirs)]
        wide = (ends[0][0] - ends[1][1], ends[0][1] - ends[1][0])
        case(name, mine, theirs, drawn).gives((float(right[0]), float(right[1])), rtol=1e-6, atol=1e-9, traps=[
            (tuple(-right[::-1]), "Mine minus theirs: below zero where mine is better."),
            (tuple(np.percentile((mine - theirs)[drawn], [2.5, 97.5])), "Take the mean of each draw first."),
            (tuple(np.percentile((mine - theirs)[drawn].mean(1), [5, 95])), "95 % lie between 2.5 and 97.5."),
            (tuple(np.percentile(apart, [2.5, 97.5])), "Draw people: one draw for both of their errors."),
            (wide, "Two intervals set against each other are too wide: take differences person by person first.")])


def _alone(clips: np.ndarray) -> np.ndarray:
    return clips / clips.std(-1, keepdims=True)


def _spread(clips: np.ndarray) -> np.ndarray:
    return clips / clips.std()


def _mean(clips: np.ndarray) -> np.ndarray:
    return clips - 0.5 * clips.mean(0)
