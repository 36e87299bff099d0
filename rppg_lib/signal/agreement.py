"""How alike two waveforms are when their delay is unknown."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, rfft

from ..types import check_wave
from .filters import standardise


def macc(wave: np.ndarray, label: np.ndarray) -> np.ndarray | float:
    """Return the largest absolute correlation of two waves over circular shifts of one against the other (MACC).

    All shifts come from one Fourier transform. As in the field, the shifts are 0 to T - 2 frames, so a wave that lags
    by exactly one frame the other way round is the only one not tried.

    Args:
        wave: ``(..., T)``.
        label: ``(..., T)``.

    >>> t = np.arange(300) / 30
    >>> round(macc(np.sin(2 * np.pi * 1.2 * t), np.cos(2 * np.pi * 1.2 * t)), 2)
    1.0
    """
    a, b = check_wave("macc", wave, fs=1, min_s=3), check_wave("macc", label, fs=1, min_s=3)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"macc: both waves must have as many frames, got {a.shape[-1]} and {b.shape[-1]}. "
                         f"Resample one onto the times of the other first.")
    frames = a.shape[-1]
    correlation = irfft(rfft(standardise(a)) * np.conj(rfft(standardise(b))), frames) / frames
    best = np.abs(correlation[..., :frames - 1]).max(-1)
    return float(best) if best.ndim == 0 else best
