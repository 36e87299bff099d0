"""Losses that compare two waves frame by frame."""

from __future__ import annotations

from torch import Tensor

from .inputs import check_pair, check_wave

FLAT = 1e-8
"""Variance below which a wave counts as flat: it is divided by at most 1e4, so a constant has a finite gradient."""


def standardise(wave: Tensor) -> Tensor:
    """Return each wave ``(B, T)`` with mean 0 and standard deviation 1; a constant becomes zeros.

    >>> import torch
    >>> standardise(torch.tensor([[1.0, 3.0, 1.0, 3.0], [5.0, 5.0, 5.0, 5.0]]))
    tensor([[-1.,  1., -1.,  1.],
            [ 0.,  0.,  0.,  0.]])
    """
    wave = check_wave("standardise", wave)
    centred = wave - wave.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + FLAT).sqrt()


def negative_pearson(pred: Tensor, target: Tensor) -> Tensor:
    """Return one minus the correlation of each clip: 0 for the same shape, 1 for none of it, 2 for its mirror image.

    Scale and offset of either wave do not matter; a lag does, and as much as a wrong shape: a quarter of a beat late
    scores like noise. The correlation runs over the frames of a clip, never over the clips of a batch.

    Args:
        pred, target: ``(B, T)``. A constant prediction scores 1.

    Returns:
        ``(B,)``.

    Reference: Yu et al. 2019 (``yu2019physnet``).

    >>> import torch
    >>> t = torch.arange(300) / 30
    >>> beat = torch.sin(2 * torch.pi * 1.0 * t)[None]                       # 60 bpm, 10 s
    >>> late = torch.sin(2 * torch.pi * 1.0 * (t - 0.25))[None]              # a quarter of a beat late
    >>> [round(float(negative_pearson(wave, beat)), 2) for wave in (7 * beat + 3, late, -beat)]
    [0.0, 1.0, 2.0]
    """
    pred, target = check_pair("negative_pearson", pred, target)
    return 1 - (standardise(pred) * standardise(target)).mean(-1)


def mse(pred: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of each clip ``(B, T)`` -> ``(B,)``: scale and offset matter, like all else.

    >>> import torch
    >>> t = torch.arange(300) / 30
    >>> beat = torch.sin(2 * torch.pi * 1.0 * t)[None]
    >>> [round(float(mse(wave, beat)), 2) for wave in (beat, 2 * beat, 0 * beat, -beat)]
    [0.0, 0.5, 0.5, 2.0]
    """
    pred, target = check_pair("mse", pred, target)
    return (pred - target).square().mean(-1)
