"""PhysFormer: every tube of video attends to every other, led by differences in time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..registry import register
from .blocks import TemporalDifferenceConv, check_width
from .network import Network, Published


class Attention(nn.Module):
    """Attention of every tube to every tube; queries and keys come from temporal differences."""

    def __init__(self, config: PhysFormer.Config) -> None:
        super().__init__()
        width = config.width
        self.heads, self.sharpness, self.dropout = config.heads, config.sharpness, config.dropout
        self.query = nn.Sequential(TemporalDifferenceConv(width, config.theta), nn.BatchNorm3d(width))
        self.key = nn.Sequential(TemporalDifferenceConv(width, config.theta), nn.BatchNorm3d(width))
        self.value = nn.Conv3d(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, t, h, w)`` -> ``(B, t h w, C)``."""
        query, key, value = (part(x).flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3).contiguous()
                             for part in (self.query, self.key, self.value))       # (B,heads,thw,C/heads)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, scale=1 / self.sharpness, dropout_p=self.dropout if self.training else 0.0)
        return mixed.transpose(1, 2).flatten(2)


class Block(nn.Module):
    """Attention, then a feed-forward layer that looks at the neighbours in space and time."""

    def __init__(self, config: PhysFormer.Config) -> None:
        super().__init__()
        width, inner = config.width, config.inner
        self.attention_norm = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(config)
        self.project = nn.Linear(width, width)
        self.forward_norm = nn.LayerNorm(width, eps=1e-6)
        self.feed_forward = nn.Sequential(
            nn.Conv3d(width, inner, 1, bias=False), nn.BatchNorm3d(inner), nn.ELU(),
            nn.Conv3d(inner, inner, 3, padding=1, groups=inner, bias=False), nn.BatchNorm3d(inner), nn.ELU(),
            nn.Conv3d(inner, width, 1, bias=False), nn.BatchNorm3d(width))
        self.drop = nn.Dropout(config.dropout)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.normal_(self.project.bias, std=1e-6)

    def forward(self, x: Tensor, grid: tuple[int, int, int]) -> Tensor:
        """``(B, t h w, C)`` of a ``grid`` (t, h, w) -> the same."""
        x = x + self.drop(self.project(self.attention(_volume(self.attention_norm(x), grid))))
        return x + self.drop(_tokens(self.feed_forward(_volume(self.forward_norm(x), grid))))


@register("physformer", cites="yu2022physformer")
class PhysFormer(Network):
    """A video transformer whose queries and keys are temporal differences.

    Three convolutional layers halve the picture each, tubes of 4 frames and 4x4 of what is left become tokens, twelve
    blocks mix them, and two upsampling layers return to one value per frame. There is no position code, so length and
    size are free; rows and columns beyond a multiple of 32 pixels are seen in part or not at all.

    Reference: Yu et al. 2022 (``yu2022physformer``).

    >>> PhysFormer(PhysFormer.tiny())(torch.zeros(1, 3, 64, 64, 64)).shape
    torch.Size([1, 64])
    """

    normalise: ClassVar = ("diff",)
    target: ClassVar = "wave"
    after_features: ClassVar = ("upsample", "last")
    multiple_of: ClassVar = 4
    min_px: ClassVar = 32
    map_layers: ClassVar = ("stem.7", "stem.11")
    published: ClassVar = Published(frames=160, size_px=128, params=7_380_865, gmacs=51.23, source="liu2023rppgtoolbox",
                                    note="public code; the paper gives 7.03 M and 47.0 G")

    @dataclass(frozen=True, kw_only=True)
    class Config(Network.Config):
        size_px: int = 128
        frames: int = 160
        width: int = 96
        inner: int = 144                     # channels inside the feed-forward layers
        depth: int = 12                      # blocks
        heads: int = 4
        theta: float = 0.7                   # share of temporal difference in queries and keys
        sharpness: float = 2.0               # scores are divided by it: the smaller, the sharper the attention
        dropout: float = 0.1

    @classmethod
    def tiny(cls) -> Config:
        return cls.Config(size_px=32, frames=64, width=16, inner=16, depth=2, heads=2)

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        width = self.config.width
        check_width(self._who, width, multiple_of=math.lcm(4, self.config.heads), at_least=4)
        self.stem = nn.Sequential(*_halving(3, width // 4, (1, 5, 5)), *_halving(width // 4, width // 2, (3, 3, 3)),
                                  *_halving(width // 2, width, (3, 3, 3)))
        self.tubes = nn.Conv3d(width, width, 4, stride=4)
        self.blocks = nn.ModuleList(Block(self.config) for _ in range(self.config.depth))
        self.upsample = nn.Sequential(*_doubling(width, width), *_doubling(width, width // 2))
        self.last = nn.Conv1d(width // 2, 1, 1)
        self.feature_channels = width

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, 3, T, H, W) -> (B, T)``."""
        finer = self.upsample(self._encoded(frames))                 # (B,C/2,T,h,w)
        return self.last(finer.mean((-2, -1))).squeeze(1)

    def features(self, frames: Tensor) -> Tensor:
        """``(B, 3, T, H, W) -> (B, width, T/4)``: tokens averaged over the picture, before upsampling."""
        return self._encoded(frames).mean((-2, -1))

    def _encoded(self, frames: Tensor) -> Tensor:
        self.check(frames)
        # Colours side by side in memory: convolution and pooling take half the time on a CPU.
        x = self.stem(frames.contiguous(memory_format=torch.channels_last_3d))
        x = self.tubes(x).contiguous()                               # (B,width,T/4,H/32,W/32)
        grid = tuple(x.shape[2:])
        x = _tokens(x)
        for block in self.blocks:
            x = block(x, grid)
        return _volume(x, grid)


def _tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)                              # (B,C,t,h,w) -> (B,thw,C)


def _volume(x: Tensor, grid: tuple[int, int, int]) -> Tensor:
    return x.transpose(1, 2).unflatten(2, grid)                      # (B,thw,C) -> (B,C,t,h,w)


def _halving(come: int, leave: int, kernel: tuple[int, int, int]) -> list[nn.Module]:
    return [nn.Conv3d(come, leave, kernel, padding=tuple(size // 2 for size in kernel)), nn.BatchNorm3d(leave),
            nn.ReLU(inplace=True), nn.MaxPool3d((1, 2, 2))]


def _doubling(come: int, leave: int) -> list[nn.Module]:
    return [nn.Upsample(scale_factor=(2, 1, 1)), nn.Conv3d(come, leave, (3, 1, 1), padding=(1, 0, 0)),
            nn.BatchNorm3d(leave), nn.ELU()]
