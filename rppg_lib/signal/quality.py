"""Is there a pulse in this wave at all? One figure between 0 and 1, from the wave alone."""

from __future__ import annotations

import numpy as np

from ..types import check_fs, check_wave
from .beats import autocorrelation
from .filters import bandpass, check_band, widened
from .spectrum import HR_BAND_HZ, hr_from_spectrum, is_flat
from .windows import windows

TRUST = 0.5
"""Below this a heart rate is not to be believed."""

MIN_QUALITY_S = 5.0
WINDOW_S = 20.0                          # longer waves are judged in windows: a heart rate may change meanwhile
AGREE_BPM, AGREE_PART = 6.0, 0.08        # whichever is more: fast hearts vary by more beats per minute

# Odds of "pulse" against "noise" from the two figures below; fitted on simulated traces by tools/fit_quality.py.
REPEATS_WEIGHT, AGREES_WEIGHT, OFFSET = 10.4, 2.90, -6.07


def quality(wave: np.ndarray, *, fs: float, band_hz: tuple[float, float] = HR_BAND_HZ) -> np.ndarray | float:
    """Return how likely it is that each wave holds a pulse: two questions, one figure.

    1. Does the wave repeat itself? The highest autocorrelation at a shift of one beat.
    2. Do its parts agree? The share of shorter, overlapping pieces whose rate is within 6 bpm or
       8 % of the whole wave's.

    Noise, even after a band-pass, has a spectral peak somewhere; it does neither. The hardest is noise that grows
    towards slow frequencies: inside the band it is nearly a tone, and 10 s of it deceive more often. Motion or a
    flickering lamp at a steady rate does both: no figure taken from one wave can tell those from a pulse.

    Args:
        wave: ``(..., T)``, 5 s or longer. Beyond 20 s: the median over windows of 20 s, every 10 s.
        fs: frames per second.
        band_hz: where heart rates are looked for.

    Returns:
        0 to 1; 0.5 (``TRUST``) separates. A constant wave gets 0.

    >>> t = np.arange(600) / 30
    >>> noise = np.random.default_rng(0).normal(size=600)
    >>> bool(quality(np.sin(2 * np.pi * 1.2 * t) + 0.5 * noise, fs=30) > 0.9), bool(quality(noise, fs=30) < 0.2)
    (True, True)
    """
    fs = check_fs("quality", fs)
    low, high = check_band("quality", band_hz, fs=fs)
    # In whole frames: windows are cut to whole frames too, and must not be a hair too short, or too long, at 29.97 fps.
    x = check_wave("quality", wave, fs=fs, min_s=int(MIN_QUALITY_S * fs) / fs)
    if x.shape[-1] > round(WINDOW_S * fs):
        cuts = windows(x.shape[-1], fs=fs, window_s=WINDOW_S, step_s=WINDOW_S / 2)
        return np.median([quality(x[..., cut], fs=fs, band_hz=band_hz) for cut in cuts], axis=0)[()]
    flat = is_flat(x)
    # A flat wave has no rate; noise in its place keeps the batch together, and its figure is overwritten below.
    x = np.where(flat[..., None], np.random.default_rng(0).normal(size=x.shape[-1]), x)
    repeats, agrees = figures(x, fs=fs, band_hz=(low, high))
    odds = REPEATS_WEIGHT * repeats + AGREES_WEIGHT * agrees + OFFSET
    figure = np.where(flat, 0.0, 1 / (1 + np.exp(-odds)))
    return float(figure) if figure.ndim == 0 else figure


def figures(wave: np.ndarray, *, fs: float, band_hz: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the two answers behind the figure, for waves ``(..., T)`` that change: repeats, agrees."""
    low, high = band_hz
    x = bandpass(wave, fs=fs, band_hz=widened(band_hz, fs=fs))
    return _repeats(x, fs, low, high), _agrees(x, fs, band_hz)


def _repeats(x: np.ndarray, fs: float, low: float, high: float) -> np.ndarray:
    _, similarity = autocorrelation(x, fs=fs)
    return similarity[..., int(fs / high + 1e-9):int(np.ceil(fs / low - 1e-9)) + 1].max(-1)


def _agrees(x: np.ndarray, fs: float, band_hz: tuple[float, float]) -> np.ndarray:
    length = x.shape[-1] // 2
    starts = np.linspace(0, x.shape[-1] - length, 5).astype(int)
    pieces = np.stack([x[..., start:start + length] for start in starts], axis=-2)      # (..., 5, T / 2)
    whole = np.asarray(hr_from_spectrum(x, fs=fs, band_hz=band_hz))[..., None]
    apart = np.abs(hr_from_spectrum(pieces, fs=fs, band_hz=band_hz) - whole)
    return np.mean(apart <= np.maximum(AGREE_BPM, AGREE_PART * whole), axis=-1)
