"""PhysNet: convolutions over space and time, an encoder that slows down and a decoder that speeds up again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..registry import register
from .blocks import check_width
from .network import Network, Published


@register("physnet", cites="yu2019physnet")
class PhysNet(Network):
    """Space and time are convolved together; time goes to a quarter and back, so a layer sees nearly two seconds.

    This is the encoder-decoder of the paper, as public code trains it: on normalised differences. Public code lets it
    estimate differences of the pulse too. Its layers see more than a second, so it can sum up differences by itself,
    and here it estimates the wave.

    Reference: Yu, Li and Zhao 2019 (``yu2019physnet``).

    >>> PhysNet(PhysNet.tiny())(torch.zeros(2, 3, 64, 32, 32)).shape
    torch.Size([2, 64])
    """

    normalise: ClassVar = ("diff",)
    target: ClassVar = "wave"
    multiple_of: ClassVar = 4                        # time is halved twice
    min_px: ClassVar = 16                            # space four times
    map_layers: ClassVar = ("encoder.6", "encoder.9")
    published: ClassVar = Published(frames=160, size_px=128, params=768_577, gmacs=69.52, source="liu2023rppgtoolbox",
                                    note="public code; papers give 0.73 M and 0.77 M")

    @dataclass(frozen=True, kw_only=True)
    class Config(Network.Config):
        size_px: int = 128
        frames: int = 160
        width: int = 64                              # channels of the widest layers; the first have a quarter, a half

    @classmethod
    def tiny(cls) -> Config:
        return cls.Config(size_px=32, frames=64, width=8)

    @classmethod
    def small(cls) -> Config:
        return cls.Config(size_px=36, frames=128, width=16)

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        width = self.config.width
        check_width(self._who, width, multiple_of=4, at_least=4)
        self.encoder = nn.Sequential(
            _convolution(3, width // 4, (1, 5, 5)), nn.MaxPool3d((1, 2, 2)),
            _convolution(width // 4, width // 2), _convolution(width // 2, width), nn.MaxPool3d(2),
            _convolution(width, width), _convolution(width, width), nn.MaxPool3d(2),
            _convolution(width, width), _convolution(width, width), nn.MaxPool3d((1, 2, 2)),
            _convolution(width, width), _convolution(width, width))
        self.decoder = nn.Sequential(_twice_as_fast(width), _twice_as_fast(width))
        self.readout = nn.Conv1d(width, 1, 1)
        self.feature_channels = width

    def features(self, frames: Tensor) -> Tensor:
        """Return what is known of each frame before it becomes one number, ``(B, width, T)``."""
        self.check(frames)
        frames = frames.contiguous(memory_format=torch.channels_last_3d)             # faster, and as in a video
        maps = self.decoder(self.encoder(frames))    # (B,3,T,H,W) -> (B,width,T,H/16,W/16)
        return maps.mean((-2, -1))

    def forward(self, frames: Tensor) -> Tensor:
        return self.readout(self.features(frames)).squeeze(1)        # (B,3,T,H,W) -> (B,T)


def _convolution(before: int, after: int, kernel: tuple[int, int, int] = (3, 3, 3)) -> nn.Sequential:
    padding = tuple(k // 2 for k in kernel)
    return nn.Sequential(nn.Conv3d(before, after, kernel, padding=padding), nn.BatchNorm3d(after),
                         nn.ReLU(inplace=True))


def _twice_as_fast(width: int) -> nn.Sequential:
    """Return layers that double the number of frames."""
    return nn.Sequential(nn.ConvTranspose3d(width, width, (4, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0)),
                         nn.BatchNorm3d(width), nn.ELU())
