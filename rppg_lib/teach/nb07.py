"""Exercises of notebook 07, distillation."""

from __future__ import annotations

import numpy as np
import torch

from ..losses import path_alignment
from ..models.kdphys import KDPhys
from .checks import exercise


@exercise("7.1", stars=1, minutes=10)
def softmin(case):
    """The soft minimum of some numbers: ``softmin(values, gamma)``."""
    values = np.array([2.0, 0.5, 4.0])
    for name, gamma in (("three costs", 0.5), ("the same, softer", 2.0)):
        case(name, values, gamma).gives(_softmin(values, gamma), rtol=1e-6, traps=[
            (values.min(), "That is the hard minimum: what gamma 0 would give."),
            (-gamma * np.log(np.exp(-values / gamma).mean()), "The sum of the exponentials, not their mean."),
            (gamma * np.log(np.exp(values / gamma).sum()), "That is the soft maximum: both signs must turn."),
            (gamma * np.log(np.exp(-values / gamma).sum()), "The sign before gamma must turn, too."),
            (-np.log(np.exp(-values / gamma).sum()), "Multiply by gamma in the end."),
            (-gamma * np.log(np.exp(-values * gamma).sum()), "Divide by gamma in the exponent.")])
    case("two equal costs", np.array([3.0, 3.0]), 1.0).gives(3 - np.log(2))
    case("costs so large that exp underflows: take off the smallest first", np.array([5e4, 5e4 + 1]), 1.0).gives(
        _softmin(np.array([5e4, 5e4 + 1]), 1.0), rtol=1e-9)
    case("one of them is the wall around the table", np.array([1.0, np.inf, 2.0]), 0.1).gives(
        _softmin(np.array([1.0, np.inf, 2.0]), 0.1), rtol=1e-6)


def _softmin(values: np.ndarray, gamma: float) -> float:
    least = values.min()
    return least - gamma * np.log(np.exp(-(values - least) / gamma).sum())


@exercise("7.2", stars=2, minutes=10)
def lateness(case):
    """DILATE's time term: ``lateness(path)``, where ``path[i, j]`` is the chance that the path visits (i, j)."""
    case("a path on the diagonal", np.eye(5)).gives(0.0, atol=1e-12)
    t = torch.arange(40) / 30
    waves = [torch.sin(2 * torch.pi * 1.5 * (t - lag))[None] for lag in (0.0, 0.1)]
    path = path_alignment(waves[1], waves[0])[0].numpy().astype(float)
    i, j = np.indices(path.shape)
    case("a sine, three frames late", path).gives((path * (i - j) ** 2).sum() / 1600, rtol=1e-5, traps=[
        ((path * (i - j) ** 2).mean() * 40, "Divide by the number of cells, N times N."),
        ((path * (i - j) ** 2).sum(), "Divide by N times N."),
        ((path * abs(i - j)).sum() / 1600, "The square of the distance from the diagonal."),
        (((i - j) ** 2).mean(), "Weigh each cell by the chance that the path visits it.")])
    late = np.eye(6, k=-1)
    late[0, 0] = late[-1, -1] = 1
    case("six frames, one frame late", late).gives(5 / 36)


@exercise("7.4", stars=2, minutes=15)
def apart(case):
    """How far apart two networks look: ``apart(student, teacher)``, maps of one frame, (C, H, W) and (D, H, W)."""
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(3, 4, 4))
    case("the same maps", maps, maps).gives(0.0, atol=1e-9)
    case("twice as strong, in another order, and one upside down", maps, np.stack([-2 * maps[2], 2 * maps[0],
                                                                                   2 * maps[1]])).gives(0.0, atol=1e-9)
    other = rng.normal(size=(5, 4, 4))
    a, b = ((each ** 2).sum(0) for each in (maps, other))
    a_, b_ = (each / np.sqrt((each ** 2).sum()) for each in (a, b))
    case("three channels and five", maps, other).gives(((a_ - b_) ** 2).sum(), rtol=1e-6, traps=[
        (((a_ - b_) ** 2).mean(), "The sum over the places, not the mean: 2 is as far apart as it gets."),
        (((a - b) ** 2).sum(), "Bring both to length 1 first: a louder map is no other view."),
        (((a / a.sum() - b / b.sum()) ** 2).sum(), "Length 1, not sum 1: divide by the root of the sum of squares."),
        (np.sqrt(((a_ - b_) ** 2).sum()), "The squared distance: no root in the end.")])
    left, right = np.zeros((2, 1, 4, 4))
    left[..., :2], right[..., 2:] = 1, 3
    case("one looks left, the other right", left, right).gives(2.0)


@exercise("7.3", stars=2, minutes=15)
def weights(case):
    """Parameters of the student: ``weights(size_px, width, dense)``, a whole number."""
    for size_px, width, dense in ((36, 64, 52), (36, 16, 32), (72, 64, 52)):
        network = KDPhys(KDPhys.Config(size_px=size_px, width=width, dense=dense))
        seen = sum(each.numel() for each in network.parameters())
        side = ((size_px - 2) // 2 - 2) // 2
        half = width // 2
        case(f"{size_px} pixels, {width} channels, {dense} neurons", size_px, width, dense).gives(seen, traps=[
            (seen - 6, "Batch normalisation has two parameters for each of its three channels."),
            (seen - half - width - 2, "The attentions are convolutions of one pixel: a weight a channel, and a bias."),
            (seen - 2 * half - 2 * width - 2 - dense - 1, "Each output of a layer has a bias, too."),
            (seen - dense * width * side ** 2 + dense * width * (size_px // 4) ** 2,
             "The second and fourth convolution trim a pixel on every side: the last map is smaller."),
            (seen - dense - 1, "One more layer brings the dense neurons to a single number.")])
