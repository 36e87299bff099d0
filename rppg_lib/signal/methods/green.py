"""GREEN: the channel that blood absorbs most. Verkruysse et al. 2008 (``verkruysse2008``)."""

from __future__ import annotations

import numpy as np

from ...registry import register
from ...types import check_rgb


@register("green", cites="verkruysse2008")
def green(rgb: np.ndarray, *, fs: float, compatible: bool = False) -> np.ndarray:
    """Take the green channel: more blood, less green light comes back.

    Args:
        rgb: ``(..., T, 3)`` mean skin colour per frame, R-G-B, all > 0.
        fs: frames per second.
        compatible: return the plain channel, as the field does (systole down, with its mean).

    >>> t = np.arange(300) / 30
    >>> rgb = [120, 90, 70] * (1 - 0.01 * np.outer(np.sin(7.5 * t), [0.33, 0.77, 0.53]))
    >>> green(rgb, fs=30).shape
    (300,)
    """
    channel = check_rgb("green", rgb, fs=fs)[..., 1]
    if compatible:
        return channel
    return 1 - channel / channel.mean(-1, keepdims=True)
