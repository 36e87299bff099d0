"""What a network can be told about another one's maps: where it looks, and which of its moments are alike.

Maps are ``(B, C, T, H, W)``, student first. Their numbers of channels, frames, rows and columns may differ: attention
has no channels, and what is finer is averaged (over the picture) or interpolated (over time) to fit.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .inputs import check_wave
from .spectral import LOW_BPM, power_spectrum

EPS = 1e-12
NEAR_BPM = 6.0
"""Power this near to the strongest rate counts as the pulse's own in :func:`steadiness`."""


def attention_of(maps: Tensor) -> Tensor:
    """Return where maps ``(B, C, T, H, W)`` are strong: the sum over channels of squares, ``(B, T, H, W)``.

    Reference: Zagoruyko & Komodakis 2017 (``zagoruyko2017attention``).
    """
    return _checked("attention_of", maps).square().sum(1)


def attention_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Return how far apart the places are at which two networks look, frame by frame.

    Each frame's attention has length 1; the loss is the squared distance, averaged over frames: 0 where both look at
    the same places, 2 where they share none. Neither the number of channels, their order nor their scale matters, so no
    layer is needed in between.

    Args:
        student, teacher: maps ``(B, C, T, H, W)``; the teacher's get no gradient.

    Returns:
        ``(B,)``, 0 to 2.

    >>> left, right = torch.zeros(2, 1, 3, 8, 4, 4)
    >>> left[..., :2] = 1; right[..., 2:] = 5
    >>> [round(float(attention_transfer(maps, left)), 3) for maps in (7 * left, right, left + right / 5)]
    [0.0, 2.0, 0.586]
    """
    mine, its = attention_of(student), attention_of(teacher).detach()
    _check_pair("attention_transfer", mine, its)
    mine, its = _to_one_grid(mine, its)
    return (_unit(mine.flatten(2)) - _unit(its.flatten(2))).square().sum(-1).mean(-1)


def similarity_of(maps: Tensor) -> Tensor:
    """Return how alike the moments of a clip are, ``(B, T, T)``: cosines, -1 to 1.

    A moment is one vector: the maps averaged over the picture, weighted by their attention, less its mean over time.
    """
    attention = attention_of(maps)
    total = attention.sum((-2, -1), keepdim=True)
    share = attention / torch.where(total > 0, total, 1)
    moments = (maps * share[:, None]).sum((-2, -1)).transpose(1, 2)              # (B,C,T) -> (B,T,C)
    return _cosines(moments)


def similarity_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Return how differently two networks see a clip's moments as alike: the mean squared difference of their cosines.

    This is how a network that sees all of time can tell one that sees a moment which others it belongs with.

    Args:
        student, teacher: maps ``(B, C, T, H, W)``; the teacher's get no gradient.

    Returns:
        ``(B,)``, 0 to 4.

    Reference: Tung & Mori 2019 (``tung2019similarity``), there between the samples of a batch.

    >>> beat = torch.sin(torch.arange(40) / 3).reshape(1, 1, 40, 1, 1).expand(1, 1, 40, 4, 4)
    >>> both = torch.cat([beat, -2 * beat], dim=1)                  # the same moments, in two channels
    >>> slow = torch.sin(torch.arange(40) / 6).reshape(1, 1, 40, 1, 1).expand(1, 1, 40, 4, 4)
    >>> [round(float(similarity_transfer(maps, beat)), 1) for maps in (both, slow)]
    [0.0, 2.0]
    """
    mine, its = similarity_of(student), similarity_of(teacher).detach()
    _check_pair("similarity_transfer", mine, its)
    if mine.shape != its.shape:
        # A table of fewer moments is interpolated along both of its axes.
        its = functional.interpolate(its[:, None], mine.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    return (mine - its).square().mean((-2, -1))


def steadiness(wave: Tensor, *, fs: float) -> Tensor:
    """Return how far a wave ``(B, T)`` is a pulse of one rate: its share of power near its strongest rate.

    A sine has 1, of whatever length; a real pulse, whose rate wanders, somewhat less. It knows no truth, so a teacher
    can say by it how far to trust its own wave.

    Returns:
        ``(B,)``, 0 to 1, without gradient.

    >>> t = torch.arange(160) / 30
    >>> beat, noise = torch.sin(2 * torch.pi * 1.2 * t), torch.randn(160, generator=torch.Generator().manual_seed(0))
    >>> [round(float(steadiness(wave[None], fs=30)), 1) for wave in (beat, beat + noise, noise)]
    [1.0, 0.9, 0.2]
    """
    wave = check_wave("steadiness", wave).detach()
    share, strongest = _share_at_its_rate(wave, fs=fs)
    step = 2 * torch.pi * (LOW_BPM + strongest) / 60 / fs
    turns = torch.outer(step, torch.arange(wave.shape[-1], device=wave.device))
    return (share / _share_at_its_rate(turns.to(wave.dtype).sin(), fs=fs)[0]).clamp(max=1)


def _share_at_its_rate(wave: Tensor, *, fs: float) -> tuple[Tensor, Tensor]:
    """Return the share of power near the strongest rate, and the number of that rate, both ``(B,)``."""
    power = power_spectrum(wave, fs=fs)                                          # (B,141) at 40 to 180 bpm
    rates, strongest = torch.arange(power.shape[-1], device=wave.device), power.argmax(-1)
    near = (rates - strongest[:, None]).abs() <= NEAR_BPM
    return (power * near).sum(-1) / (power.sum(-1) + EPS), strongest


def _to_one_grid(mine: Tensor, its: Tensor) -> tuple[Tensor, Tensor]:
    """Return two attentions ``(B, T, H, W)`` with the frames of the first, and the smaller rows and columns."""
    frames, size = mine.shape[1], [min(pair) for pair in zip(mine.shape[2:], its.shape[2:])]
    mine, its = (functional.adaptive_avg_pool2d(each, size) for each in (mine, its))
    if its.shape[1] != frames:
        its = functional.interpolate(its[:, None], (frames, *size), mode="trilinear", align_corners=False)[:, 0]
    return mine, its


def _cosines(moments: Tensor) -> Tensor:
    moments = _unit(moments - moments.mean(1, keepdim=True))
    return moments @ moments.mT


def _unit(vectors: Tensor) -> Tensor:
    largest = vectors.detach().abs().amax(-1, keepdim=True)
    vectors = vectors / torch.where(largest > 0, largest, 1)         # of whatever size, EPS is nothing beside them
    return vectors / (vectors.square().sum(-1, keepdim=True) + EPS).sqrt()


def _check_pair(who: str, student: Tensor, teacher: Tensor) -> None:
    if len(student) != len(teacher):
        raise ValueError(f"{who}: needs maps of the same clips, got {len(student)} of the student and {len(teacher)} "
                         f"of the teacher.")


def _checked(who: str, maps: Tensor) -> Tensor:
    if not isinstance(maps, Tensor) or not maps.is_floating_point() or maps.ndim != 5:
        came = f"{tuple(maps.shape)} of {maps.dtype}" if isinstance(maps, Tensor) else type(maps).__name__
        raise ValueError(f"{who}: needs maps (B, C, T, H, W) as floats, got {came}. "
                         f"rppg_lib.models.maps.with_maps gives them.")
    return maps if maps.dtype == torch.float64 else maps.float()
