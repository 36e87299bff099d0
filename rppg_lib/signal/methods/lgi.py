"""LGI: what is left beside the strongest colour direction. Pilz et al. 2018 (``pilz2018lgi``)."""

from __future__ import annotations

import numpy as np

from ...registry import register
from ...types import check_rgb
from .project import green_beside


@register("lgi", cites="pilz2018lgi")
def lgi(rgb: np.ndarray, *, fs: float, compatible: bool = False) -> np.ndarray:
    """Remove the first singular direction of the colour trace, brightness in effect, and read green (LGI).

    The direction comes from the 3 x 3 matrix of channel products, so no matrix over time is built.

    Args:
        rgb: ``(..., T, 3)`` mean skin colour per frame, R-G-B, all > 0.
        fs: frames per second.
        compatible: keep the mean and the sign of the field (systole down).

    >>> t = np.arange(300) / 30
    >>> beat = 0.01 * np.sin(2 * np.pi * 1.2 * t)
    >>> rgb = [120, 90, 70] * (1 - np.outer(beat, [0.33, 0.77, 0.53])) * (1 + 0.05 * np.outer(np.cos(t), [1, 1, 1]))
    >>> bool(np.corrcoef(lgi(rgb, fs=30), beat)[0, 1] > 0.9)          # the light changes 7 times as much as the pulse
    True
    """
    colour = check_rgb("lgi", rgb, fs=fs)
    _, vectors = np.linalg.eigh(np.swapaxes(colour, -1, -2) @ colour)
    return green_beside(colour, vectors[..., -1], compatible=compatible)
