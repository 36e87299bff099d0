"""EfficientPhys: one stream that takes differences, normalises and finds the face by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ..registry import register
from .blocks import (
    FrameReadout,
    attention_mask,
    check_width,
    convolution_stream,
    frames_apart,
    steps_between,
    temporal_shift,
)
from .network import Network, Published


@register("efficientphys", cites="liu2023efficientphys")
class EfficientPhys(Network):
    """TS-CAN without the appearance stream: the motion maps say themselves where to look.

    Differences between frames are taken and normalised inside, so there is little to prepare. Public code is fed one
    frame more, a repeated last one, and gives one value less; here the last difference is zero, which is the same for
    one clip. (In a batch of clips public code repeats the very last frame only, and differs across their borders.)

    It sees differences and no more than four frames to each side. That is too little to sum them up, so it estimates
    the pulse's change, as in public code.

    Reference: Liu et al. 2023 (``liu2023efficientphys``), the convolutional variant.

    >>> import torch
    >>> EfficientPhys(EfficientPhys.tiny())(torch.zeros(2, 3, 64, 32, 32)).shape
    torch.Size([2, 64])
    """

    normalise: ClassVar = ("standard",)
    target: ClassVar = "change"
    min_frames: ClassVar = 2
    min_px: ClassVar = 10
    size_is_free: ClassVar = False
    map_layers: ClassVar = ("motion.1", "motion.3")
    published: ClassVar = Published(frames=180, size_px=72, params=2_163_081, gmacs=20.64, source="liu2023rppgtoolbox",
                                    note="public code, fed 181 frames; 4,030,857 parameters at 96 px")

    @dataclass(frozen=True, kw_only=True)
    class Config(Network.Config):
        size_px: int = 72
        frames: int = 180
        width: int = 64                              # channels of the second pair of layers; the first has half
        dense: int = 128
        dropout: float = 0.25                        # after each pooling
        dropout_dense: float = 0.5
        segment: int = 10                            # frames among which channels are shifted

    @classmethod
    def tiny(cls) -> Config:
        return cls.Config(size_px=32, frames=64, width=8, dense=16)

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        c = self.config
        check_width(self._who, c.width, multiple_of=2, at_least=6)
        self.norm = nn.BatchNorm2d(3)
        self.motion = convolution_stream(c.width)
        self.attention = nn.ModuleList([nn.Conv2d(c.width // 2, 1, 1), nn.Conv2d(c.width, 1, 1)])
        self.pool = nn.AvgPool2d(2)
        self.dropout = nn.Dropout(c.dropout)
        self.readout = FrameReadout(size_px=c.size_px, width=c.width, dense=c.dense, dropout=c.dropout_dense)
        self.feature_channels = self.readout.channels

    def features(self, frames: Tensor) -> Tensor:
        """Return the flattened map of each frame, ``(B, D, T)``."""
        self.check(frames)
        clips = len(frames)
        maps = self.norm(frames_apart(steps_between(frames)).to(self.norm.weight.dtype))
        for pair, attention in enumerate(self.attention):
            for layer in (2 * pair, 2 * pair + 1):
                maps = temporal_shift(maps, clips=clips, segment=self.config.segment)
                maps = self.motion[layer](maps).tanh()
            maps = self.dropout(self.pool(maps * attention_mask(attention(maps))))
        return maps.reshape(clips, -1, self.feature_channels).transpose(1, 2)        # (B*T,C,h,w) -> (B,D,T)

    def forward(self, frames: Tensor) -> Tensor:
        return self.readout(self.features(frames))                   # (B,3,T,H,W) -> (B,T)
