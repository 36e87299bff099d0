"""CHROM: two colour differences without specular light. De Haan and Jeanne 2013 (``dehaan2013chrom``)."""

from __future__ import annotations

import numpy as np

from ...registry import register
from ...types import check_rgb
from ..filters import bandpass, field_bandpass, fitting_band
from ..windows import overlap_add, window_length, window_sums

AXES = np.array([[3.0, -2.0, 0.0], [1.5, 1.0, -1.5]])


@register("chrom", cites="dehaan2013chrom")
def chrom(rgb: np.ndarray, *, fs: float, window_s: float = 1.6, band_hz: tuple[float, float] | None = None,
          compatible: bool = False) -> np.ndarray:
    """Combine two chrominance signals so that what they share, light and motion, cancels (CHROM).

    ``x = 3R - 2G`` and ``y = 1.5R + G - 1.5B`` of mean-divided colours are band-passed; the pulse is ``x - a y`` with
    ``a = std(x) / std(y)`` over ``window_s``. Here each channel is divided by its running mean and filtered once over
    the whole trace, and ``a`` is averaged over all windows that hold a frame.

    Args:
        rgb: ``(..., T, 3)`` mean skin colour per frame, R-G-B, all > 0.
        fs: frames per second.
        window_s: length over which colours are averaged and ``a`` is taken.
        band_hz: of the filter before the spreads are compared; the default is 39 to 240 bpm, less where ``fs`` is low.
        compatible: as the public toolbox: every window of an even number of frames filtered by itself (order 3,
            0.7 to 2.5 Hz), Hann-weighted, added at half overlap; frames after the last whole hop are 0.

    Returns:
        ``(..., T)`` pulse waveform, arbitrary scale, systole up.

    >>> t = np.arange(300) / 30
    >>> beat = 0.01 * np.sin(2 * np.pi * 1.2 * t)
    >>> rgb = [0.7, 0.5, 0.4] * (1 - np.outer(beat, [0.33, 0.77, 0.53]))
    >>> bool(np.corrcoef(chrom(rgb, fs=30), beat)[0, 1] > 0.99)
    True
    """
    colour = check_rgb("chrom", rgb, fs=fs, min_s=window_s)
    length = window_length("chrom", window_s, fs=fs)
    if compatible:
        return _field_chrom(colour, fs, length + length % 2)
    band_hz = fitting_band("chrom", band_hz, fs=fs)
    frames = colour.shape[-2]
    coverage = overlap_add(np.ones((frames - length + 1, 1)), length, frames)
    running = overlap_add(window_sums(colour, length) / length, length, frames) / coverage
    xy = (colour / running) @ AXES.T                                 # (..., T, 2)
    xy = np.swapaxes(bandpass(np.swapaxes(xy, -1, -2), fs=fs, band_hz=band_hz), -1, -2)
    mean = window_sums(xy, length) / length
    sigma = np.sqrt(np.clip(window_sums(xy**2, length) / length - mean**2, 0, None))
    ratio = _ratio(sigma[..., :1], sigma[..., 1:])
    alpha = (overlap_add(ratio, length, frames) / coverage)[..., 0]
    return xy[..., 0] - alpha * xy[..., 1]


def _field_chrom(colour: np.ndarray, fs: float, length: int) -> np.ndarray:
    hop = length // 2
    count = (colour.shape[-2] - hop) // hop
    starts = np.arange(count) * hop
    if count < 1:
        raise ValueError(f"chrom: needs at least {length} frames, got {colour.shape[-2]}. Use a longer clip.")
    pieces = colour[..., starts[:, None] + np.arange(length), :]      # (..., W, length, 3)
    xy = np.swapaxes((pieces / pieces.mean(-2, keepdims=True)) @ AXES.T, -1, -2)
    xy = field_bandpass(xy, fs=fs, band_hz=(0.7, 2.5), order=3)       # (..., W, 2, length)
    sigma = xy.std(-1)
    mixed = (xy[..., 0, :] - _ratio(sigma[..., 0], sigma[..., 1])[..., None] * xy[..., 1, :]) * np.hanning(length)
    pulse = np.zeros(colour.shape[:-1])
    for half in (0, 1):                                              # halves of different windows do not overlap
        block = mixed[..., half * hop:(half + 1) * hop].reshape(*mixed.shape[:-2], count * hop)
        pulse[..., half * hop:half * hop + count * hop] += block
    return pulse


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
