"""A network of a few weights, for tests of what surrounds networks."""

from dataclasses import dataclass

import torch
from torch import nn

from rppg_lib.models import Network, Published


class Tiny(Network):
    """Mean colour of the picture, then a convolution over time."""

    name, cites = "tiny", "none"
    normalise = ("standard",)
    published = Published(frames=64, size_px=8)

    @dataclass(frozen=True, kw_only=True)
    class Config:
        size_px: int = 8
        frames: int = 64
        channels: int = 4

    def __init__(self, config=None):
        super().__init__(config)
        self.net = nn.Sequential(nn.Conv1d(3, self.config.channels, 5, padding=2), nn.GELU(),
                                 nn.Conv1d(self.config.channels, 1, 5, padding=2))

    def forward(self, frames):
        self.check(frames)
        return self.net(frames.mean((-2, -1))).squeeze(1)            # (B,3,T,H,W) -> (B,T)


class GreenOnly(Network):
    """No weights: the negative green mean, which is a pulse."""

    name, cites = "green only", "none"
    normalise = ("standard",)
    published = Published(frames=64, size_px=8)

    @dataclass(frozen=True, kw_only=True)
    class Config:
        size_px: int = 8
        frames: int = 64

    def forward(self, frames):
        self.check(frames)
        return -frames[:, 1].mean((-2, -1))


class GreenSteps(GreenOnly):
    """The same as steps from frame to frame."""

    target = "change"

    def forward(self, frames):
        wave = super().forward(frames)
        return torch.cat([wave.diff(dim=-1), torch.zeros_like(wave[:, :1])], -1)
