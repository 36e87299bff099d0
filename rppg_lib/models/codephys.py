"""CodePhys: what a video says is looked up in a codebook of clean heartbeats."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..registry import register
from .blocks import TemporalDifferenceConv
from .codequery import Queried, QueryNetwork
from .deformable import DeformableConv3d
from .heartbeats import STEP, ChannelNorm, Embedding, SignalEncoder
from .network import Published

EPS = 1e-5


class VideoEncoder(nn.Module):
    """Pictures as maps of a sixteenth of their size, rounded up; weighted by how much pulse is there."""

    def __init__(self, config: CodePhys.Config) -> None:
        super().__init__()
        widths = [3, config.first, *3 * [config.width], config.dim]
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths)):
            layers.append(nn.Conv3d(before, after, *((3, 1, 1) if number else ((1, 5, 5), 1, (0, 2, 2)))))
            if number < 4:                           # pooled before the rest, which then has a quarter of the work
                layers += [nn.MaxPool3d((1, 2, 2), ceil_mode=True), nn.BatchNorm3d(after), nn.ReLU(inplace=True)]
        layers.append(nn.BatchNorm3d(config.dim))    # no ReLU: a wave's features have both signs
        self.layers = nn.Sequential(*layers)
        self.look = None if "attention" in config.without else nn.Conv2d(2 * config.dim, 1, 3, padding=1)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """``(B,3,T,H,W)`` -> maps ``(B,D,T,H',W')``, attention ``(B,1,H',W')``."""
        maps = self.layers(frames.contiguous(memory_format=torch.channels_last_3d))
        if self.look is None:
            return maps, torch.ones_like(maps[:, :1, 0])
        attention = self.look(torch.cat([maps.amax(2), maps.mean(2)], dim=1)).sigmoid()
        return maps * attention[:, :, None], attention


class SpatioTemporalEncoder(nn.Module):
    """Maps as tokens: convolutions that follow the face, and such that see changes, then one signal per channel."""

    def __init__(self, config: CodePhys.Config) -> None:
        super().__init__()
        dim = config.dim
        self.follow = nn.ModuleList([
            nn.Sequential(DeformableConv3d(dim), ChannelNorm(dim)),
            *(nn.Sequential(DeformableConv3d(dim), ChannelNorm(dim), nn.Conv3d(dim, dim, 1), ChannelNorm(dim))
              for _ in range(2))])
        self.change = nn.ModuleList([nn.Sequential(TemporalDifferenceConv(dim, config.theta), ChannelNorm(dim))
                                     for _ in range(3)])
        self.widen = nn.Conv1d(dim, 2 * dim, 1)
        self.embed = nn.Sequential(*(Embedding(2 * dim, kind=config.embedding) for _ in range(2)))
        self.gather = nn.Conv1d(2 * dim, dim, 5, stride=STEP, padding=2)

    def forward(self, maps: Tensor) -> Tensor:
        for follow, change in zip(self.follow, self.change):
            maps = follow(maps) + change(maps)
        waves = self.embed(self.widen(maps.mean((-2, -1))))          # (B,D,T,H',W') -> (B,2D,T)
        return self.gather(waves).transpose(1, 2)                    # -> (B,M,D)


@register("codephys", cites="chu2025codephys")
class CodePhys(QueryNetwork):
    """A face video is turned into tokens, each token into the nearest piece of a clean wave, and those into a pulse.

    Two encoders work side by side. One follows the face over the maps. The other, the prior branch, is the signal
    encoder of stage I, and is given the mean over the maps as if it were a contact wave; the first is brought to its
    statistics, and both are added.

    Sizes inside the paper's figures were chosen so that parameters and MACs come out as it reports them. The mean over
    the maps is standardised before the prior branch, which has learned from standardised waves.

    Reference: Chu et al. 2025 (``chu2025codephys``).

    >>> CodePhys(CodePhys.tiny())(torch.zeros(2, 3, 64, 32, 32)).pulse.shape
    torch.Size([2, 64])
    """

    normalise: ClassVar = ("diff",)
    min_px: ClassVar = 16
    map_layers: ClassVar = ("video.layers.7", "video.layers.11")
    can_be_without: ClassVar = ("query", "prior", "distillation", "attention", "stage_one")
    published: ClassVar = Published(frames=160, size_px=128, params=5_730_000, gmacs=75.79, within=0.02,
                                    source="chu2025codephys", note="sizes inside its figures are not told")

    @dataclass(frozen=True, kw_only=True)
    class Config(QueryNetwork.Config):
        first: int = 32                              # channels of the first convolution
        width: int = 64                              # of the next three; the last has those of a code
        theta: float = 0.7                           # share of a temporal-difference convolution that sees changes only

    @classmethod
    def tiny(cls) -> Config:
        return cls.Config(size_px=32, frames=64, first=4, width=4, dim=8, codes=8, embedding="plain", layers=1)

    @classmethod
    def small(cls) -> Config:
        return cls.Config(size_px=36, frames=128, dim=32, first=8, width=16, embedding="plain")

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self.video = VideoEncoder(self.config)
        self.encoder = SpatioTemporalEncoder(self.config)
        self.prior = SignalEncoder(self.heartbeats()) if self.has("prior") else None
        self.feature_channels = self.config.dim

    def encode(self, maps: Tensor) -> Tensor:
        """Return the tokens of maps ``(B,D,T,H',W') -> (B,M,D)``; also of those that a contact wave was spread over."""
        tokens = self.encoder(maps)
        if self.prior is None:
            return tokens
        told = self.prior(maps.mean((1, 3, 4)))
        return with_statistics_of(tokens, told) + told

    def features(self, frames: Tensor) -> Tensor:
        """Return the tokens before they are looked up, ``(B, D, M)``."""
        self.check(frames)
        maps, _ = self.video(frames)
        return self.encode(maps).transpose(1, 2)

    def forward(self, frames: Tensor) -> Queried:
        self.check(frames)
        maps, attention = self.video(frames)
        return self.answer(self.encode(maps), maps=maps, attention=attention)


def with_statistics_of(tokens: Tensor, other: Tensor) -> Tensor:
    """Return tokens ``(B, M, D)`` with the mean and the standard deviation of others, channel by channel (AdaIN).

    >>> x, y = torch.tensor([[[1.0], [3.0]]]), torch.tensor([[[10.0], [30.0]]])
    >>> with_statistics_of(x, y).flatten().round()
    tensor([10., 30.])
    """
    mean, scale = tokens.mean(1, keepdim=True), _spread(tokens)
    return _spread(other) * (tokens - mean) / scale + other.mean(1, keepdim=True)


def _spread(tokens: Tensor) -> Tensor:
    return (tokens.var(1, keepdim=True, correction=0) + EPS).sqrt()
