"""POS: the plane orthogonal to skin tone. Wang et al. 2017, algorithm 1 (``wang2017pos``)."""

from __future__ import annotations

import numpy as np

from ...registry import register
from ...types import check_rgb
from ..filters import detrend, field_bandpass
from ..windows import overlap_add, window_length, window_sums

PLANE = np.array([[0.0, 1.0, -1.0], [-2.0, 1.0, 1.0]])


@register("pos", cites="wang2017pos")
def pos(rgb: np.ndarray, *, fs: float, window_s: float = 1.6, compatible: bool = False) -> np.ndarray:
    """Project skin colour onto the plane where brightness cancels, mixed so that distortions cancel too (POS).

    Each window of ``window_s`` is divided by its own mean colour and projected onto two axes, ``x = G - B`` and
    ``y = G + B - 2R``; ``h = x + (std(x) / std(y)) y`` is added into the output. Here the sum over all windows is
    divided by how many windows hold each frame, and the last window reaches the last frame.

    Args:
        rgb: ``(..., T, 3)`` mean skin colour per frame, R-G-B, all > 0.
        fs: frames per second.
        window_s: window length; 1.6 s holds one beat at 38 bpm.
        compatible: as the public toolboxes: no division by coverage, last frame in no window, then detrended
            (100) and band-passed (order 1, 0.75 to 3 Hz), systole down.

    Returns:
        ``(..., T)`` pulse waveform, arbitrary scale, systole up.

    >>> t = np.arange(300) / 30
    >>> beat = 0.01 * np.sin(2 * np.pi * 1.2 * t)                     # 72 bpm
    >>> rgb = [0.7, 0.5, 0.4] * (1 - np.outer(beat, [0.33, 0.77, 0.53]))   # more blood, darker skin
    >>> bool(np.corrcoef(pos(rgb, fs=30), beat)[0, 1] > 0.999)
    True
    """
    colour = check_rgb("pos", rgb, fs=fs, min_s=window_s)
    length = window_length("pos", window_s, fs=fs)
    frames = colour.shape[-2]
    weights = _window_weights(colour, length)                        # (..., W, 3)
    if compatible:
        summed = overlap_add(weights[..., :-1, :], length, frames)
        raw = (colour * summed).sum(-1)
        return field_bandpass(detrend(raw), fs=fs, band_hz=(0.75, 3.0), order=1)
    coverage = overlap_add(np.ones((frames - length + 1, 1)), length, frames)
    return -(colour * overlap_add(weights, length, frames) / coverage).sum(-1)


def _window_weights(colour: np.ndarray, length: int) -> np.ndarray:
    """Return the three weights w of each window, such that ``h = colour @ w``.

    ``h`` is linear in the colours of its window, and has zero mean there because every channel divided by its own
    mean averages one and the axes sum to zero. So windows need not be built: only their means and spreads, from
    running sums of first and second moments. That makes POS O(T).
    """
    offset = colour.mean(-2, keepdims=True)                          # near the data: keeps the second moments small
    near = colour - offset
    mean = window_sums(near, length) / length                        # (..., W, 3)
    products = near[..., :, None] * near[..., None, :]               # (..., T, 3, 3)
    second = window_sums(products.reshape(*near.shape[:-1], 9), length) / length
    spread = second.reshape(*mean.shape, 3) - mean[..., :, None] * mean[..., None, :]
    axes = PLANE / (mean + offset)[..., None, :]                     # (..., W, 2, 3): divide by the mean and project
    variance = np.einsum("...ac,...cd,...ad->...a", axes, spread, axes)
    sigma = np.sqrt(np.clip(variance, 0, None))
    alpha = np.divide(sigma[..., 0], sigma[..., 1], out=np.zeros_like(sigma[..., 0]), where=sigma[..., 1] > 0)
    return axes[..., 0, :] + alpha[..., None] * axes[..., 1, :]
