"""FactorizePhys: a slim 3-D network that keeps what fits one rhythm, found by factorising its own features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..registry import register
from .blocks import check_width, full_precision, steps_between
from .network import Network, Published

EPS = 1e-6                                           # against division by zero, as in public code
FULL_SIZE_PX = 71                                    # below it nothing would be left of a map whose borders are trimmed
LAST_PX = 3                                          # side of the map that is read out


@register("factorizephys", cites="joshi2024factorizephys")
class FactorizePhys(Network):
    """Convolutions without pooling over time; attention is the features' best non-negative factorisation of rank one.

    Seen as a matrix of times by places and channels, features that follow the pulse are copies of one curve, more or
    less strong. The rank-one factors are that curve and these strengths; their product is the attention
    (:class:`FactorisedAttention`).

    Some things differ from public code, none in the number of weights. It reshapes features to ``(T, C*H*W)`` without
    moving the time axis in front, so that its "times" are mixed with channels; here they are times, as the paper says.
    It subtracts the minimum over the batch; here it is the clip's own, so that no clip depends on its neighbours.
    Attention is on in evaluation too, which public code makes a choice. Pictures are 0 to 1, not 0 to 255, and the
    first normalisation's epsilon is scaled to match.

    Pictures smaller than 71 px get zeros around the maps of the last layers, whose borders are trimmed otherwise.

    Reference: Joshi, Agaian and Cho 2024 (``joshi2024factorizephys``), with residual connection.

    >>> FactorizePhys(FactorizePhys.tiny())(torch.rand(2, 3, 64, 32, 32)).shape
    torch.Size([2, 64])
    """

    normalise: ClassVar = ("raw",)
    target: ClassVar = "wave"
    map_layers: ClassVar = ("extract", "attention")
    published: ClassVar = Published(frames=160, size_px=72, params=52_169, gmacs=3.00, source="liu2023rppgtoolbox",
                                    note="public code with attention, fed 161 frames")

    @dataclass(frozen=True, kw_only=True)
    class Config(Network.Config):
        size_px: int = 72
        frames: int = 160
        width: int = 16                              # channels of the widest layers; others have a half, three quarters
        steps: int = 4                               # rounds of the factorisation
        dropout: float = 0.1                         # of whole channels

    @classmethod
    def tiny(cls) -> Config:
        return cls.Config(size_px=32, frames=64, width=8)

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        c = self.config
        check_width(self._who, c.width, multiple_of=4, at_least=4)
        half, most, width = c.width // 2, 3 * c.width // 4, c.width
        trimmed = c.size_px >= FULL_SIZE_PX
        self.min_px = FULL_SIZE_PX if trimmed else 23
        pad = 0 if trimmed else 1
        # Differences of pictures from 0 to 1 are small: the usual 1e-5, meant for 0 to 255, would swallow them.
        self.norm = nn.InstanceNorm3d(3, eps=1e-5 / 255**2)
        self.extract = nn.Sequential(
            _convolution(3, half, pad=1), _convolution(half, most, stride=2), _convolution(most, most),
            nn.Dropout3d(c.dropout),
            _convolution(most, most), _convolution(most, width, stride=2), _convolution(width, width),
            nn.Dropout3d(c.dropout))
        self.deepen = nn.Sequential(*[_convolution(width, width, pad=pad) for _ in range(3)], nn.Dropout3d(c.dropout))
        self.attention = FactorisedAttention(width, steps=c.steps)
        self.narrow = nn.Sequential(_convolution(width, most, pad=pad), _convolution(most, half, pad=pad),
                                    nn.AdaptiveAvgPool3d((None, LAST_PX, LAST_PX)))  # changes nothing at 72 px
        self.feature_channels = half * LAST_PX**2
        self.readout = nn.Conv1d(self.feature_channels, 1, 3, padding=1, bias=False)

    def features(self, frames: Tensor) -> Tensor:
        """Return the flattened last map of each frame, ``(B, D, T)``."""
        self.check(frames)
        change = self.norm(steps_between(frames)).to(next(self.extract.parameters()).dtype)
        maps = self.narrow(self.attention(self.deepen(self.extract(change))))        # (B,3,T,H,W) -> (B,C,T,3,3)
        return maps.movedim(2, -1).flatten(1, 3)                                     # (B,C,T,3,3) -> (B,C*9,T)

    def forward(self, frames: Tensor) -> Tensor:
        return self.readout(self.features(frames)).squeeze(1)        # (B,3,T,H,W) -> (B,T)


class FactorisedAttention(nn.Module):
    """Weights features with the one rhythm that explains most of them, and adds the result: ``(B, C, T, H, W)``.

    Args:
        width: C.
        steps: rounds of the factorisation.
    """

    def __init__(self, width: int, *, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.before = nn.Conv3d(width, width // 2, 1)
        self.after = nn.Sequential(nn.Conv3d(width // 2, width // 2, 1, bias=False), nn.ReLU(inplace=True),
                                   nn.Conv3d(width // 2, width, 1, bias=False))
        self.norm = nn.InstanceNorm3d(width)
        self.bias = nn.Parameter(torch.ones(()))
        for layer in (self.before, self.after[0], self.after[2]):
            nn.init.normal_(layer.weight, std=(2 / layer.out_channels) ** 0.5)

    def forward(self, features: Tensor) -> Tensor:
        positive = features - features.amin((1, 2, 3, 4), keepdim=True)
        parts = self.before(positive).relu().transpose(1, 2)         # (B,C,T,H,W) -> (B,T,C/2,H,W)
        rhythm, strength = rank_one(full_precision(parts.flatten(2)), steps=self.steps)
        product = (rhythm[:, :, None] * strength[:, None]).to(parts.dtype)
        mask = self.after(product.reshape(parts.shape).transpose(1, 2))
        mask = mask - mask.amin((1, 2, 3, 4), keepdim=True)
        return features + self.norm((positive + self.bias) * (mask + self.bias))


def rank_one(matrix: Tensor, *, steps: int) -> tuple[Tensor, Tensor]:
    """Return the factors ``(B, T)`` and ``(B, N)`` of the best non-negative product for matrices ``(B, T, N)`` >= 0.

    The multiplicative updates of non-negative matrix factorisation, which at rank one are two least-squares fits in
    turn: of the strengths to a given rhythm and of the rhythm to given strengths. It starts from a constant rhythm, so
    the result is the same every time. No gradient flows through the search, only through the last fit of strengths.

    Args:
        matrix: B, times, places.
        steps: rounds.

    >>> rhythm, strength = torch.tensor([[1.0, 2.0, 1.0]]), torch.tensor([[3.0, 0.0]])
    >>> found = rank_one(rhythm[:, :, None] * strength[:, None], steps=2)
    >>> (found[0][:, :, None] * found[1][:, None])[0].round(decimals=3)
    tensor([[3., 0.],
            [6., 0.],
            [3., 0.]])
    """
    rhythm = matrix.new_full(matrix.shape[:2], matrix.shape[1] ** -0.5)
    with torch.no_grad():
        for _ in range(steps):
            strength = _strength(matrix, rhythm)
            rhythm = (matrix * strength[:, None]).sum(2) / (strength.square().sum(1, keepdim=True) + EPS)
    return rhythm, _strength(matrix, rhythm)


def _strength(matrix: Tensor, rhythm: Tensor) -> Tensor:
    return (matrix * rhythm[:, :, None]).sum(1) / (rhythm.square().sum(1, keepdim=True) + EPS)


def _convolution(before: int, after: int, *, stride: int = 1, pad: int = 0) -> nn.Sequential:
    """Return a convolution that keeps time and trims space, unless ``pad`` is 1."""
    return nn.Sequential(nn.Conv3d(before, after, 3, stride=(1, stride, stride), padding=(1, pad, pad), bias=False),
                         nn.Tanh(), nn.InstanceNorm3d(after))
