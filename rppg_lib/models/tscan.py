"""TS-CAN: DeepPhys whose motion stream trades channels with neighbouring frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..registry import register
from .blocks import temporal_shift
from .deepphys import DeepPhys
from .network import Published


@register("tscan", cites="liu2020tscan")
class TSCAN(DeepPhys):
    """DeepPhys that sees four frames back and ahead for free: channels are shifted in time before each convolution.

    As in public code the appearance stream works on every frame; the paper saves time by giving it the mean frame of a
    window. The number of weights is the same.

    Reference: Liu et al. 2020 (``liu2020tscan``).

    >>> import torch
    >>> TSCAN(TSCAN.tiny())(torch.zeros(2, 6, 64, 32, 32)).shape
    torch.Size([2, 64])
    """

    published: ClassVar = Published(frames=180, size_px=72, params=2_228_643, gmacs=40.87, source="liu2023rppgtoolbox",
                                    note="public code; 7,504,291 parameters at 128 px")

    @dataclass(frozen=True, kw_only=True)
    class Config(DeepPhys.Config):
        segment: int = 10                            # frames among which channels are shifted

    def mix(self, motion: Tensor, clips: int) -> Tensor:
        """Let frames see their neighbours in the segment."""
        return temporal_shift(motion, clips=clips, segment=self.config.segment)
