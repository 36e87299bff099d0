"""A training so small that it takes milliseconds, with everything that makes one hard to repeat."""

import numpy as np
import torch
from torch import nn

from rppg_lib.data import Windows
from rppg_lib.models import Network, pulse_of
from rppg_lib.training import FitConfig, Objective, TrainingData, fit
from rppg_lib.types import Clip

FS, FRAMES = 30.0, 64


def clip(number, *, seconds=8.6, size_px=4, noise=2.0):
    """One person's skin: brightness follows a pulse of its own rate, in noise."""
    rng = np.random.default_rng(number)
    t = np.arange(int(seconds * FS)) / FS
    beat = np.sin(2 * np.pi * (1.0 + 0.1 * (number % 8)) * t + number)
    pixels = 120 - 8 * beat[:, None, None, None] + noise * rng.normal(size=(len(t), size_px, size_px, 3))
    return Clip(id=f"clip {number}", subject=f"person {number}", fs=FS, label=beat,
                frames=pixels.round().astype(np.uint8))


def windows(people, **options):
    return Windows([clip(number) for number in people], frames=FRAMES, **options)


def small_data(*, train=3, validation=1):
    """12 samples to train and 4 to validate."""
    return TrainingData(windows(range(train)), windows(range(10, 10 + validation)) if validation else None)


class Tiny(Network):
    """A mean over the picture and two convolutions in time, with batch statistics and dropout if asked for."""

    min_px = 1

    def __init__(self, *, seed=0, norm=True, dropout=0.2):
        super().__init__()
        state = torch.random.get_rng_state()
        torch.manual_seed(seed)
        self.encoder = nn.Sequential(nn.Conv1d(3, 4, 5, padding=2), nn.BatchNorm1d(4) if norm else nn.Identity(),
                                     nn.Tanh(), nn.Dropout(dropout))
        self.decoder = nn.Conv1d(4, 1, 5, padding=2)
        torch.random.set_rng_state(state)

    def forward(self, frames):
        self.check(frames)
        return self.decoder(self.encoder(frames.mean((-2, -1)))).squeeze(1)         # (B,3,T,H,W) -> (B,T)


class Square(Objective):
    """Mean square error, in two parts."""

    def forward(self, output, truth, batch):
        error = (pulse_of(output) - truth).square()
        half = truth.shape[-1] // 2
        return {"early": error[:, :half].mean() / 2, "late": error[:, half:].mean() / 2}


def config(**changes):
    return FitConfig(**{"epochs": 2, "batch": 4, "lr": 0.02, "seed": 3, "device": "cpu"} | changes)


def train(network=None, objective=None, data=None, folder=None, **changes):
    options = {name: changes.pop(name) for name in ("resume", "progress") if name in changes}
    return fit(network or Tiny(), objective or Square(), data or small_data(), config(**changes), folder=folder,
               **{"progress": False} | options)


def bits(module):
    """All weights and buffers, to be compared bit by bit."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
