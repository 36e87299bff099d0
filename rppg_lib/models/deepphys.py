"""DeepPhys: one stream looks at change, the other at the face, and the second tells the first where to look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ..registry import register
from .blocks import FrameReadout, attention_mask, check_width, convolution_stream, frames_apart
from .network import Network, Published


@register("deepphys", cites="chen2018deepphys")
class DeepPhys(Network):
    """Each frame is judged alone, by its change to the next one; what the face looks like steers attention.

    Input channels 0 to 2 are the normalised difference (motion), 3 to 5 the standardised picture (appearance). With no
    neighbours to sum over, it can only estimate the pulse's change.

    Reference: Chen and McDuff 2018 (``chen2018deepphys``).

    >>> import torch
    >>> DeepPhys(DeepPhys.tiny())(torch.zeros(2, 6, 64, 32, 32)).shape
    torch.Size([2, 64])
    """

    normalise: ClassVar = ("diff", "standard")
    target: ClassVar = "change"
    min_frames: ClassVar = 2
    min_px: ClassVar = 10
    size_is_free: ClassVar = False
    map_layers: ClassVar = ("motion.1", "motion.3")
    published: ClassVar = Published(frames=180, size_px=72, params=2_228_643, gmacs=40.87, source="liu2023rppgtoolbox",
                                    note="public code; 0.533 M parameters at 36 px, the paper's size")

    @dataclass(frozen=True, kw_only=True)
    class Config(Network.Config):
        size_px: int = 72
        frames: int = 180
        width: int = 64                              # channels of the second pair of layers; the first has half
        dense: int = 128
        dropout: float = 0.25                        # after each pooling
        dropout_dense: float = 0.5

    @classmethod
    def tiny(cls) -> Config:
        return cls.Config(size_px=32, frames=64, width=8, dense=16)

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        c = self.config
        check_width(self._who, c.width, multiple_of=2, at_least=6)
        self.motion = convolution_stream(c.width)
        self.appearance = convolution_stream(c.width)
        self.attention = nn.ModuleList([nn.Conv2d(c.width // 2, 1, 1), nn.Conv2d(c.width, 1, 1)])
        self.pool = nn.AvgPool2d(2)
        self.dropout = nn.Dropout(c.dropout)
        self.readout = FrameReadout(size_px=c.size_px, width=c.width, dense=c.dense, dropout=c.dropout_dense)
        self.feature_channels = self.readout.channels

    def mix(self, motion: Tensor, clips: int) -> Tensor:
        """Let frames see their neighbours before a convolution of the motion stream. Here they do not."""
        return motion

    def features(self, frames: Tensor) -> Tensor:
        """Return the flattened map of each frame, ``(B, D, T)``."""
        self.check(frames)
        clips = len(frames)
        motion, looks = frames_apart(frames[:, :3]), frames_apart(frames[:, 3:])
        for pair, attention in enumerate(self.attention):
            if pair:
                looks = self.dropout(self.pool(looks))
            for layer in (2 * pair, 2 * pair + 1):
                motion = self.motion[layer](self.mix(motion, clips)).tanh()
                looks = self.appearance[layer](looks).tanh()
            motion = self.dropout(self.pool(motion * attention_mask(attention(looks))))
        return motion.reshape(clips, -1, self.feature_channels).transpose(1, 2)      # (B*T,C,h,w) -> (B,D,T)

    def forward(self, frames: Tensor) -> Tensor:
        return self.readout(self.features(frames))                   # (B,6,T,H,W) -> (B,T)
