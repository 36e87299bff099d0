"""Samples made from samples: mirrored, faster or slower, in other light, closer. On the device where they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .windows import Batch

DRIFT_HZ = 0.2
"""The fastest that light drifts: below every pulse and most breathing."""


@dataclass(frozen=True, kw_only=True)
class _Draw:
    """What happens to one sample."""

    start: float                         # which part of the margin is left out before it, 0 to 1
    factor: float                        # how much faster it plays
    flip: bool
    gain: tuple[float, float, float]     # of R, G and B
    drift: tuple[float, float, float]    # share of brightness, Hz, phase
    crop: tuple[float, float, float]     # side over that of the picture; corner, 0 to 1, across and down


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Changes that leave the pulse in a sample, each with a probability and a range.

    What happens to a sample depends on the seed and its number alone: not on its neighbours or the order of samples.
    All is computed in float32 and rounded once: uint8 goes in, uint8 comes out.

    ============  ==============================================================================================
    flip          mirrored
    speed         faster or slower, label alike: 72 bpm played 1.25 times as fast is 90 bpm. A picture between two
                  is mixed from both, and so is the label, so that neither lags. Slower needs fewer frames than
                  a sample has; faster needs more, which ``Windows(..., margin=augment.margin(frames))`` supplies
    colour        brightness, tint, and a drift of brightness slower than any pulse; never so bright that a pixel
                  saturates, which would cut its pulse off
    crop          a part of the picture, at the size of the whole
    ============  ==============================================================================================

    >>> augment = Augment(flip=1, speed=0, colour=0, crop=0)
    >>> row = torch.arange(4, dtype=torch.uint8).reshape(1, 1, 1, 4, 1).expand(1, 60, 4, 4, 3)
    >>> batch = Batch(row, torch.zeros(1, 60), 30.0, ("ann",), torch.tensor([0]))
    >>> augment(batch, seed=0).frames[0, 0, 0, :, 0].tolist()
    [3, 2, 1, 0]
    """

    flip: float = 0.5                    # probabilities
    speed: float = 0.5
    colour: float = 0.5
    crop: float = 0.5
    speeds: tuple[float, float] = (0.8, 1.0)        # slowest and fastest
    brightness: float = 0.2              # largest change, as a share
    tint: float = 0.05                   # the same of each colour
    drift: float = 0.03                  # the same over time
    smallest_crop: float = 0.8           # side, over that of the picture

    def __post_init__(self) -> None:
        for name in ("flip", "speed", "colour", "crop"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"Augment: {name} must be a probability from 0 to 1, got {getattr(self, name)!r}.")
        for name in ("brightness", "tint", "drift"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"Augment: {name} must be a share from 0 to below 1, got {getattr(self, name)!r}.")
        if len(self.speeds) != 2 or not 0.25 <= self.speeds[0] <= self.speeds[1] <= 4:
            raise ValueError(f"Augment: speeds must be the slowest and the fastest factor, within 0.25 to 4, "
                             f"got {self.speeds!r}.")
        if not 0.1 <= self.smallest_crop <= 1:
            raise ValueError(f"Augment: smallest_crop must be a share from 0.1 to 1, got {self.smallest_crop!r}.")

    def margin(self, frames: int) -> int:
        """Return how many frames more than ``frames`` the fastest sample needs.

        >>> Augment(speeds=(0.8, 1.25)).margin(128), Augment().margin(128)
        (32, 0)
        """
        return max(math.ceil((frames - 1) * (self.speeds[1] - 1) - 1e-9), 0) if self.speed else 0

    def __call__(self, batch: Batch, *, seed: int) -> Batch:
        """Return the batch changed, without margin.

        Args:
            batch: from :class:`~rppg_lib.data.Windows`.
            seed: another one for every epoch.
        """
        length = batch.frames.shape[1] - batch.margin
        if (needed := self.margin(length)) > batch.margin:
            raise ValueError(f"Augment: samples of {length} frames played {self.speeds[1]:g} times as fast need a "
                             f"margin of {needed} frames, the batch has {batch.margin}. "
                             f"Cut Windows with margin={needed}.")
        frames = torch.empty_like(batch.frames[:, :length], memory_format=torch.contiguous_format)
        label = torch.empty_like(batch.label[:, :length], memory_format=torch.contiguous_format)
        for row, index in enumerate(batch.index.tolist()):
            draw = self._drawn(np.random.default_rng([seed, index]))
            spare = batch.margin - (length - 1) * (draw.factor - 1)
            at = _positions(draw, spare, length)
            label[row] = _at(batch.label[row], at)
            frames[row] = _seen(_at(batch.frames[row], at), draw, batch.fs)
        return replace(batch, frames=frames, label=label, margin=0)

    def _drawn(self, rng: np.random.Generator) -> _Draw:
        """Draw what happens. Everything is drawn each time, so that switching one thing off changes no other."""
        flip, speed, colour, crop = rng.uniform(size=4) < (self.flip, self.speed, self.colour, self.crop)
        start, factor = rng.uniform(), np.exp(rng.uniform(*np.log(self.speeds)))
        brightness, *tints = rng.uniform(-1, 1, 4)
        gain = (1 + self.brightness * brightness) * (1 + self.tint * np.array(tints))
        drift, hz, phase = self.drift * rng.uniform(), DRIFT_HZ * rng.uniform(0.1, 1), rng.uniform(0, 2 * np.pi)
        side, across, down = rng.uniform(self.smallest_crop, 1), rng.uniform(), rng.uniform()
        return _Draw(start=start, factor=float(factor) if speed else 1.0, flip=bool(flip),
                     gain=tuple(map(float, gain)) if colour else (1.0, 1.0, 1.0),
                     drift=(float(drift) if colour else 0.0, hz, phase),
                     crop=(side if crop else 1.0, across, down))


def _positions(draw: _Draw, spare: float, length: int) -> np.ndarray:
    """Return where in the window each frame of the sample is taken; whole numbers at its own speed."""
    start = draw.start * spare
    return start + draw.factor * np.arange(length) if draw.factor != 1 else round(start) + np.arange(length)


def _at(values: Tensor, at: np.ndarray) -> Tensor:
    """Return values ``(N, ...)`` at positions ``(T,)``, between two mixed from both."""
    if at.dtype.kind == "i":
        return values[int(at[0]):int(at[0]) + len(at)]
    before = np.clip(np.floor(at), 0, len(values) - 2).astype(np.int64)
    share = torch.as_tensor((at - before).astype(np.float32), device=values.device)
    first = torch.as_tensor(before, device=values.device)
    return torch.lerp(values[first].float(), values[first + 1].float(), share.reshape(-1, *[1] * (values.ndim - 1)))


def _seen(seen: Tensor, draw: _Draw, fs: float) -> Tensor:
    """Return pictures ``(T, H, W, 3)`` as uint8, closer, in another light, mirrored."""
    side, across, down = draw.crop
    if side < 1:
        height, width = seen.shape[1:3]
        h, w = max(round(side * height), 1), max(round(side * width), 1)
        y, x = round(down * (height - h)), round(across * (width - w))
        part = seen[:, y:y + h, x:x + w].float().permute(0, 3, 1, 2)         # (T,H,W,3) -> (T,3,H,W)
        seen = interpolate(part, (height, width), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    if draw.gain != (1.0, 1.0, 1.0) or draw.drift[0]:
        size, hz, phase = draw.drift
        seconds = torch.arange(len(seen), device=seen.device, dtype=torch.float32) / fs
        gain = (1 + size * torch.sin(2 * math.pi * hz * seconds + phase))[:, None] * _gain_within(seen, draw, size)
        seen = seen * gain[:, None, None]                                    # (T,3) -> (T,1,1,3)
    if seen.is_floating_point():
        seen = seen.round().clamp(0, 255).to(torch.uint8)
    return seen.flip(2) if draw.flip else seen


def _gain_within(seen: Tensor, draw: _Draw, drift: float) -> Tensor:
    """Return the gain ``(3,)``, none above what keeps the brightest pixel of its colour below full scale."""
    brightest = seen.amax((0, 1, 2)).float().clamp(min=1)
    wanted = torch.tensor(draw.gain, device=seen.device)
    return torch.minimum(wanted, 255 / brightest / (1 + drift))
