"""RhythmMamba: selective scans over the series of pictures, and a layer that acts on their frequencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..registry import register
from .blocks import attention_mask, check_width
from .network import Network, Published
from .scan import MambaBlock


class FusionStem(nn.Module):
    """Pictures and the four differences around each, fused and made eight times smaller.

    Args:
        channels: of the output; half as many inside.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.pictures, self.differences = _shrinking(3, half, stride=2), _shrinking(12, half, stride=2)
        self.fused, self.differences_again = _shrinking(half, channels), _shrinking(half, channels)

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, 3, T, H, W) -> (B, C, T, H/8, W/8)``."""
        length = frames.shape[2]
        pictures = frames.permute(0, 2, 3, 4, 1).contiguous()        # colours side by side: half the time on a CPU
        # Before the first frame and after the last nothing changes: differences t-1, t, t+1, t+2 around frame t.
        steps = functional.pad(pictures.diff(dim=1), (0, 0, 0, 0, 0, 0, 2, 2))
        around = torch.cat([steps[:, shift:shift + length] for shift in range(4)], -1)         # (B,T,H,W,12)
        changes = self.differences(_one_by_one(around))
        x = self.fused(0.5 * self.pictures(_one_by_one(pictures)) + 0.5 * changes)
        x = 0.5 * x + 0.5 * self.differences_again(changes)
        return x.unflatten(0, (-1, length)).transpose(1, 2)          # (BT,C,h,w) -> (B,C,T,h,w)


class SpectralFeedForward(nn.Module):
    """A layer that acts on each frequency of the whole series, between two layers that act on each frame.

    Its complex weights are meant as a mixing of channels, but the released code multiplies each channel by the diagonal
    element alone. Of the two C x C matrices only 2 C numbers therefore do anything, here as there: 1,760,256 of the
    published network's 4,922,125 parameters are never used. They are kept so that sizes and weights agree.
    """

    def __init__(self, channels: int, expand: int) -> None:
        super().__init__()
        inner = channels * expand
        self.enter = nn.Sequential(nn.Conv1d(channels, inner, 1, bias=False), nn.BatchNorm1d(inner), nn.ReLU())
        self.real, self.imaginary = (nn.Parameter(0.02 * torch.randn(inner, inner)) for _ in range(2))
        self.real_bias, self.imaginary_bias = (nn.Parameter(0.02 * torch.randn(inner)) for _ in range(2))
        self.leave = nn.Sequential(nn.Conv1d(inner, channels, 1, bias=False), nn.BatchNorm1d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, T, C) -> (B, T, C)``."""
        x = self.enter(x.transpose(1, 2))                            # (B,T,C) -> (B,inner,T)
        wave = x if x.dtype == torch.float64 else x.float()          # transforms want whole precision
        spectrum = torch.fft.fft(wave, norm="ortho")
        real, imaginary = (weight.diagonal().to(wave.dtype)[:, None] for weight in (self.real, self.imaginary))
        changed = torch.complex(
            torch.relu(spectrum.real * real - spectrum.imag * imaginary + self.real_bias[:, None]),
            torch.relu(spectrum.imag * real + spectrum.real * imaginary + self.imaginary_bias[:, None]))
        return self.leave(torch.fft.ifft(changed, norm="ortho").real.to(x.dtype)).transpose(1, 2)


class Block(nn.Module):
    """Scans begun at several times, averaged; then the layer on frequencies."""

    def __init__(self, config: RhythmMamba.Config, drop: float) -> None:
        super().__init__()
        self.starts, self.drop = config.starts, drop
        self.before = nn.LayerNorm(config.width)
        self.mamba = MambaBlock(config.width, states=config.states, bidirectional=config.bidirectional)
        self.after = nn.LayerNorm(config.width)
        self.forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = SpectralFeedForward(config.width, config.expand)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, T, C) -> (B, T, C)``."""
        starts = tuple(part * (x.shape[1] // self.starts) for part in range(self.starts))
        x = x + self._kept(self.after(self.mamba(self.before(x), starts=starts)))
        return x + self._kept(self.feed_forward(self.forward_norm(x)))

    def _kept(self, change: Tensor) -> Tensor:
        """In training, leave a share of the clips out of a layer (stochastic depth)."""
        if not (self.training and self.drop):
            return change
        keep = torch.empty(len(change), 1, 1, device=change.device, dtype=change.dtype).bernoulli_(1 - self.drop)
        return change * keep / (1 - self.drop)


@register("rhythmmamba", cites="zou2025rhythmmamba")
class RhythmMamba(Network):
    """Each picture becomes one token; selective scans begun at four times of the clip follow its rhythm.

    A scan over the whole clip sees slow trends, those begun later see short ones; each frame takes the mean of the
    scans that have reached it. Length and size are free. The scan runs on any device; see :mod:`rppg_lib.models.scan`.

    Reference: Zou et al. 2025 (``zou2025rhythmmamba``).

    >>> RhythmMamba(RhythmMamba.tiny())(torch.zeros(1, 3, 64, 32, 32)).shape
    torch.Size([1, 64])
    """

    normalise: ClassVar = ("standard",)
    target: ClassVar = "wave"
    after_features: ClassVar = ("last",)
    multiple_of: ClassVar = 2
    map_layers: ClassVar = ("stem", "embed")
    published: ClassVar = Published(frames=160, size_px=128, params=4_922_125, gmacs=12.83, source="zou2025rhythmmamba",
                                    note="public code; MACs as thop counts them, without the Mamba layers; of the "
                                         "parameters it sees 1,065,229")

    @dataclass(frozen=True, kw_only=True)
    class Config(Network.Config):
        size_px: int = 128
        frames: int = 160
        width: int = 96
        depth: int = 24                      # blocks
        states: int = 48                     # memory of a scan, per channel
        expand: int = 2                      # of the layer on frequencies
        starts: int = 4                      # scans begin at 0, 1/4, 2/4 and 3/4 of the clip
        bidirectional: bool = False          # 5,673,229 parameters
        drop_path: float = 0.1               # of the last block; the first drops none

    @classmethod
    def tiny(cls) -> Config:
        return cls.Config(size_px=32, frames=64, width=16, depth=2, states=4)

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        width, depth = self.config.width, self.config.depth
        check_width(self._who, width, multiple_of=8, at_least=8)
        self.stem = FusionStem(width // 4)
        self.embed = nn.Sequential(nn.Conv3d(width // 4, width, (2, 5, 5), stride=(2, 1, 1), padding=(0, 2, 2)),
                                   nn.BatchNorm3d(width))
        # As released: the first two blocks drop none, the last has not quite the whole share.
        drops = [0.0, *(self.config.drop_path * number / max(depth - 1, 1) for number in range(depth))]
        self.blocks = nn.ModuleList(Block(self.config, drops[number]) for number in range(depth))
        self.last = nn.Conv1d(width, 1, 1)
        self.feature_channels = width
        self.apply(begin_as_released)
        for block in self.blocks:
            nn.init.kaiming_uniform_(block.mamba.leave.weight, a=5 ** 0.5)
            with torch.no_grad():
                block.mamba.leave.weight /= depth ** 0.5

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, 3, T, H, W) -> (B, T)``."""
        return self.last(self.features(frames).repeat_interleave(2, -1)).squeeze(1)

    def features(self, frames: Tensor) -> Tensor:
        """``(B, 3, T, H, W) -> (B, width, T/2)``: what the last layer reads, each value for two frames."""
        self.check(frames)
        x = self.embed(self.stem(frames))                            # (B,width,T/2,H/8,W/8)
        x = (x * attention_mask(x)).mean((-2, -1))
        x = x.transpose(1, 2)                                        # (B,width,T/2) -> (B,T/2,width)
        for block in self.blocks:
            x = block(x)
        return x.transpose(1, 2)


def _one_by_one(x: Tensor) -> Tensor:
    return x.flatten(0, 1).permute(0, 3, 1, 2)                       # (B,T,H,W,C) -> (BT,C,H,W)


def _shrinking(come: int, leave: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(come, leave, 7, stride=stride, padding=3), nn.BatchNorm2d(leave),
                         nn.ReLU(inplace=True), nn.MaxPool2d(2))


def begin_as_released(layer: nn.Module) -> None:
    """Set first weights as the released code does; steps of the scans too, which all begin near ln 2 for it."""
    if isinstance(layer, nn.Linear):
        nn.init.trunc_normal_(layer.weight, std=0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.Conv2d):
        spread = layer.weight[0].numel() ** -0.5
        nn.init.trunc_normal_(layer.weight, std=spread / 0.8796, a=-2 * spread / 0.8796, b=2 * spread / 0.8796)
        nn.init.zeros_(layer.bias)
