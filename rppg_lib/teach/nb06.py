"""Exercises of notebook 06, quantised labels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..models.cost import count
from ..models.lqrppg import LQrPPG
from .checks import exercise


@exercise("6.1", stars=2, minutes=10)
def uniform(case):
    """Values in ``2**bits`` even steps: ``uniform(values, bits, limit)``, each the middle of its cell."""
    case("one bit between -2 and 2", np.array([-1.9, -0.1, 0.1, 1.9]), 1, 2.0).gives([-1, -1, 1, 1])
    case("beyond the limits", np.array([-7.0, 7.0]), 2, 2.0).gives([-1.5, 1.5])
    values = np.random.default_rng(0).normal(size=200)
    for bits, limit in ((2, 2.5), (3, 2.5), (5, 1.5)):
        codes = 2**bits
        step = 2 * limit / codes
        cell = np.clip(np.floor((values + limit) / step), 0, codes - 1)
        ends = np.linspace(-limit, limit, codes)
        case(f"200 numbers, {bits} bits, limit {limit:g}", values, bits, limit).gives(
            (cell + 0.5) * step - limit, rtol=1e-6, traps=[
                (cell * step - limit, "That is the lower end of each cell: go half a step further, to its middle."),
                (cell, "Those are numbers of cells: return the value in the middle of each."),
                (ends[np.abs(values[:, None] - ends).argmin(1)],
                 "Your codes begin and end at the limits. They lie in the middle of cells, half a step inside."),
                (np.clip(np.round(values / step) * step, -limit, limit),
                 "One of your codes is 0, which makes them one too many: 0 must be an edge between two cells."),
                ((np.floor((values + limit) / step) + 0.5) * step - limit,
                 "What lies beyond the limits must fall into the outermost cells.")])


@exercise("6.2", stars=2, minutes=10)
def soft(case):
    """The mean of codes, weighted by nearness: ``soft(values, codes, temperature)``, one number for each value."""
    pair = np.array([-1.0, 1.0])
    case("half-way between two codes", np.array([0.0]), pair, 1.0).gives([0.0], atol=1e-6)
    rng = np.random.default_rng(1)
    values, codes = rng.normal(size=50), np.sort(rng.normal(size=8))
    away = np.abs(values[:, None] - codes)
    for name, temperature in (("fifty values, eight codes", 1.0), ("the same, choosing harder", 0.25)):
        case(name, values, codes, temperature).gives(_mean(-away / temperature, codes), rtol=1e-4, traps=[
            (_mean(-away**2 / temperature, codes), "The distance itself, not its square."),
            (_mean(away / temperature, codes), "Minus the distance: the nearest code must weigh most."),
            (_mean(-away, codes), "Divide the distances by the temperature."),
            (_mean(-away * temperature, codes), "Divide by the temperature, do not multiply."),
            (codes[away.argmin(1)], "That is the nearest code alone: what temperature 0 would give."),
            (np.exp(-away / temperature) @ codes, "The weights of each value must add up to 1.")])
    case("far from all codes: take off the smallest distance first", np.array([-4e3, 4e3]), pair, 1.0).gives(
        _mean(-np.abs(np.array([[-4e3], [4e3]]) - pair), pair), rtol=1e-4)


@exercise("6.3", stars=3, minutes=20)
def visible(case):
    """Parameters that a counter with hooks sees: ``visible(network, clip)``, a whole number."""
    torch.manual_seed(0)
    case("two layers", nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), torch.zeros(1, 3)).gives(26)
    for name, network, seen in (("a layer that is called twice", _Twice(), 12),
                                ("a layer that is never called", _Spare(), 12),
                                ("weights used without calling their layer", _Functional(), 12),
                                ("a parameter that is in no layer", _Bare(), 12)):
        everything = sum(each.numel() for each in network.parameters())
        traps = [(everything, "Those are all parameters: count the layers whose hook was called.")]
        traps = traps if everything != seen else [(2 * seen, "A layer that is called twice is still one layer.")]
        case(name, network, torch.zeros(1, 3)).gives(seen, traps=traps)
    network = LQrPPG(LQrPPG.tiny()).eval()
    config = network.config
    clip = torch.zeros(1, 3, config.frames, config.size_px, config.size_px)
    case("a small LQ-rPPG", network, clip).gives(
        count(network, frames=config.frames, size_px=config.size_px).params_visible)


class _Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.layer(x))


class _Spare(_Twice):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(5, 5)


class _Functional(_Twice):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(self.layer(x), self.inner.weight)


class _Bare(_Twice):
    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + self.place


def _mean(logits: np.ndarray, codes: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return shares @ codes / shares.sum(1)
