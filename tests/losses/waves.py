"""Waves that the tests of the losses share, and every loss under one call."""

from functools import partial

import torch

from rppg_lib import losses

FS = 30
RATES = torch.tensor([55.0, 72.0, 110.0])

LOSSES = {
    "negative_pearson": losses.negative_pearson,
    "mse": losses.mse,
    "cross_entropy": partial(losses.spectral_cross_entropy, fs=FS),
    "cross_entropy_field": partial(losses.spectral_cross_entropy, fs=FS, form="field"),
    "label_distribution": partial(losses.label_distribution, fs=FS),
    "snr_loss": partial(losses.snr_loss, fs=FS),
    "dilate": losses.dilate,
    "soft_dtw": losses.soft_dtw,
    "soft_dtw_divergence": losses.soft_dtw_divergence,
    "time_distortion": losses.time_distortion,
}
"""Each as ``f(pred (B,T), target (B,T)) -> (B,)``."""


def sines(bpm=RATES, *, frames=160, lag_s=0.0, dtype=torch.float64):
    """Return one sine of standard deviation 1 per rate, ``(B, T)``."""
    t = torch.arange(frames, dtype=dtype) / FS - lag_s
    return 2**0.5 * torch.sin(2 * torch.pi * torch.as_tensor(bpm, dtype=dtype)[:, None] / 60 * t + 0.3)


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
