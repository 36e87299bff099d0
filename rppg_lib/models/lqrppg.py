"""LQ-rPPG: a pulse guessed from coarse to fine, each guess handed on in a few steps only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..quantize.labels import LabelLevels
from ..registry import register
from .blocks import attention_mask, check_width, places
from .network import Network, Published
from .rhythmmamba import FusionStem, begin_as_released
from .scan import MambaBlock


@dataclass(frozen=True, eq=False)
class Refined:
    """What the network says, from coarse to fine: one entry per level, the last is the pulse.

    Attributes:
        pulse: ``(B, T)``, the finest guess, put together from the codes of the finest level.
        scalars: ``(B, T)`` each: what a head said, before it was compared with codes.
        guesses: ``(B, T)`` each: the mean of the level's codes, weighted by how near the scalar is to each.
    """

    pulse: Tensor
    scalars: tuple[Tensor, ...]
    guesses: tuple[Tensor, ...]


class Guess(nn.Module):
    """A stage: scan the series in both directions, say one number per frame, and hand on what its codes make of it."""

    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mamba = MambaBlock(width, states=states, bidirectional=True)
        self.head = nn.Conv1d(width, 1, 1)
        self.back = nn.Conv1d(1, width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, C, T)`` -> stream ``(B, C, T)``, scalar ``(B, T)``."""
        x = x + self.mamba(self.norm(x.transpose(1, 2))).transpose(1, 2)
        return x, self.head(x).squeeze(1)


@register("lqrppg", cites="sung2026lqrppg")
class LQrPPG(Network):
    """Four stages guess the pulse in 2, 4, 8 and 16 steps, a last one in 32; each sees what the coarser ones said.

    A stage's guess goes back into the stream as the codes of its level see it, and stays there: at each later stage it
    is added once more. The codes are those of the labels (:mod:`rppg_lib.quantize.labels`). They are set before
    training, never learn, and travel with the weights; until then they lie evenly.

    The released code names all sizes. How a stage's two scans come together it leaves to a package that is not in it;
    names and number of parameters are those of VideoMamba's, which adds them, as here (``li2024videomamba``).

    Reference: Sung et al. 2026 (``sung2026lqrppg``).

    >>> said = LQrPPG(LQrPPG.tiny())(torch.zeros(2, 3, 64, 32, 32))
    >>> said.pulse.shape, len(said.guesses), said.guesses[0].shape
    (torch.Size([2, 64]), 5, torch.Size([2, 64]))
    """

    normalise: ClassVar = ("standard",)
    target: ClassVar = "wave"
    after_features: ClassVar = ("last",)
    map_layers: ClassVar = ("stem", "embed")
    published: ClassVar = Published(frames=160, size_px=128, params=405_453, gmacs=9.06, source="sung2026lqrppg",
                                    note="public code; MACs as thop counts them, without the Mamba layers; of the "
                                         "parameters it sees 134,093",
                                    # The abstract does not say against which network; its figures fit this one only.
                                    against={"rhythmmamba": {"params": -0.88, "macs": -0.29, "throughput": 1.91}})

    @dataclass(frozen=True, kw_only=True)
    class Config(Network.Config):
        size_px: int = 128
        frames: int = 160
        width: int = 64
        states: int = 48                             # memory of a scan, per channel
        bits: tuple[int, ...] = (1, 2, 3, 4, 5)      # of each guess; one stage for each but the last
        through_codes: bool = True                   # hand on guesses as codes see them; False: the plain scalars

    @classmethod
    def tiny(cls) -> Config:
        return cls.Config(size_px=32, frames=64, width=16, states=4)

    @classmethod
    def small(cls) -> Config:
        return cls.Config(size_px=36, frames=128, width=32, states=8)

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        width, bits = self.config.width, self.config.bits
        check_width(self._who, width, multiple_of=8, at_least=8)
        if not isinstance(bits, tuple | list) or len(bits) < 2 or list(bits) != sorted(set(bits)):
            raise ValueError(f"{self._who}: bits must be at least two numbers from coarse to fine, got {bits!r}.")
        self.stem = FusionStem(width // 4)
        self.embed = nn.Sequential(nn.Conv3d(width // 4, width, (3, 5, 5), padding=(1, 2, 2)), nn.BatchNorm3d(width))
        self.place = nn.Parameter(torch.zeros(1, self.config.frames, width))
        self.stages = nn.ModuleList(Guess(width, self.config.states) for _ in bits[:-1])
        self.last = nn.Sequential(*(layer for _ in range(2) for layer in (nn.Conv1d(width, width, 3, padding=1),
                                                                          nn.GELU())),
                                  nn.Conv1d(width, width, 3, padding=1), nn.Conv1d(width, 1, 3, padding=1))
        self.apply(begin_as_released)
        self.levels = LabelLevels.even(bits)
        self.feature_channels = width

    def forward(self, frames: Tensor) -> Refined:
        x, scalars = self._stream(frames)
        scalars.append(self.last(x).squeeze(1))                      # (B,1,T) -> (B,T)
        guesses = [self._seen(scalar, number) for number, scalar in enumerate(scalars)]
        return Refined(guesses[-1], tuple(scalars), tuple(guesses))

    def features(self, frames: Tensor) -> Tensor:
        """Return the stream after the last stage, ``(B, width, T)``."""
        return self._stream(frames)[0]

    def _stream(self, frames: Tensor) -> tuple[Tensor, list[Tensor]]:
        self.check(frames)
        x = self.embed(self.stem(frames))                            # (B,C,T,H/8,W/8)
        x = (x * attention_mask(x)).mean((-2, -1)) + places(self.place, x.shape[2]).transpose(1, 2)
        scalars: list[Tensor] = []
        said = torch.zeros_like(x)
        for number, stage in enumerate(self.stages):
            x, scalar = stage(x)
            said = said + stage.back(self._seen(scalar, number)[:, None])        # (B,T) -> (B,C,T)
            x = x + said
            scalars.append(scalar)
        return x, scalars

    def _seen(self, scalar: Tensor, number: int) -> Tensor:
        """Return a scalar as the codes of its level see it."""
        return self.levels[self.config.bits[number]].soft(scalar) if self.config.through_codes else scalar
