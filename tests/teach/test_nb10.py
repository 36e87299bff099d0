"""Each check of notebook 10 on right answers, the untouched stub, and wrong answers a reader may well give."""

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap
from torch import nn

from rppg_lib.teach import nb10

from .answers import judged_by

ALL = [nb10.leak, nb10.sees_s, nb10.paired]


def leak(network, clips):
    alone, together = network(clips[:1])[0], network(clips)[0]
    return np.abs(together - alone).max() / np.abs(alone).max()


def leak_by_loops(network, clips):
    alone, together = network(clips[:1]).tolist()[0], network(clips).tolist()[0]
    return max(abs(a - b) for a, b in zip(alone, together)) / max(map(abs, alone))


def each_alone(network, clips):
    return np.concatenate([network(clips[:1]), network(clips[1:])])


def sees(kernel, dilations, fs):
    return (1 + (kernel - 1) * sum(dilations)) / fs


def looked_up(kernel, dilations, fs):
    """Which frames move one value of real layers."""
    layers = [nn.Conv1d(1, 1, kernel, padding="same", dilation=dilation) for dilation in dilations]
    frames = torch.zeros(1, 1, 201, requires_grad=True)
    nn.Sequential(*layers)(frames)[0, 0, 100].backward()
    touched = frames.grad[0, 0].nonzero().flatten()
    return (int(touched.max() - touched.min()) + 1) / fs


def paired(mine, theirs, drawn):
    return tuple(np.percentile((mine - theirs)[drawn].mean(1), [2.5, 97.5]))


def paired_by_sorting(mine, theirs, drawn):
    means = sorted(sum(mine[k] - theirs[k] for k in draw) / len(draw) for draw in drawn)
    at = [share * (len(means) - 1) for share in (0.025, 0.975)]
    return [np.interp(place, range(len(means)), means) for place in at]


def apart(mine, theirs, drawn):
    return tuple(np.percentile(mine[drawn].mean(1) - theirs[drawn[::-1]].mean(1), [2.5, 97.5]))


(test_right, test_wrong, test_stub) = judged_by(
    [(nb10.leak, leak), (nb10.leak, leak_by_loops), (nb10.sees_s, sees), (nb10.sees_s, looked_up),
     (nb10.paired, paired), (nb10.paired, paired_by_sorting)],
    [(nb10.leak, lambda network, clips: np.abs(network(clips)[0] - network(clips[:1])[0]).max(), "a share has no unit"),
     (nb10.leak, lambda network, clips: np.abs(network(clips)[0] - network(clips[:1])[0]).max()
      / np.abs(network(clips)[0]).max(), "not the one beside"),
     (nb10.leak, lambda network, clips: (network(clips)[0] - network(clips[:1])[0]).max()
      / np.abs(network(clips[:1])[0]).max(), "take the absolute value"),
     (nb10.leak, lambda network, clips: np.abs(network(clips)[1] - network(clips[:1])[0]).max()
      / np.abs(network(clips[:1])[0]).max(), "the first of both"),
     (nb10.leak, lambda network, clips: np.abs(network(clips) - network(clips[:1])).max()
      / np.abs(network(clips[:1])).max(), "the first of both"),
     (nb10.leak, lambda network, clips: np.abs(network(clips) - each_alone(network, clips)).max()
      / np.abs(network(clips[:1])).max(), "not its neighbour's"),
     (nb10.leak, lambda network, clips: np.abs(network(clips) - each_alone(network, clips)).max()
      / np.abs(each_alone(network, clips)).max(), "not its neighbour's"),
     (nb10.leak, lambda network, clips: 0.0, "should be"),
     (nb10.sees_s, lambda kernel, dilations, fs: sees(kernel, dilations, 1.0), "divide by the frame rate"),
     (nb10.sees_s, lambda kernel, dilations, fs: (kernel - 1) * sum(dilations) / fs, "one more"),
     (nb10.sees_s, lambda kernel, dilations, fs: kernel * sum(dilations) / fs, "share a frame|one layer"),
     (nb10.sees_s, lambda kernel, dilations, fs: kernel * len(dilations) / fs, "4 frames apart|four layers"),
     (nb10.sees_s, lambda kernel, dilations, fs: sees(kernel, [max(dilations)], fs), "add up all"),
     (nb10.paired, lambda mine, theirs, drawn: paired(theirs, mine, drawn), "Mine minus theirs"),
     (nb10.paired, lambda mine, theirs, drawn: tuple(np.percentile((mine - theirs)[drawn], [2.5, 97.5])), "each draw"),
     (nb10.paired, lambda mine, theirs, drawn: tuple(np.percentile((mine - theirs)[drawn].mean(1), [5, 95])), "2.5"),
     (nb10.paired, apart, "twelve people"),
     (nb10.paired, lambda mine, theirs, drawn: paired(mine, theirs, drawn)[0], "2 values")],
    ALL)


@pytest.mark.parametrize("better", [0.0, 2.0])
def test_what_exercise_3_asks_for_is_the_paired_bootstrap(better):
    rng = np.random.default_rng(3)
    theirs = rng.exponential(8, 15)
    mine = theirs - better + rng.normal(size=15)
    drawn = rng.integers(0, 15, (20_000, 15))
    there = bootstrap((mine - theirs,), np.mean, n_resamples=20_000, method="percentile",
                      random_state=0).confidence_interval
    np.testing.assert_allclose(paired(mine, theirs, drawn), [there.low, there.high], atol=0.03)
