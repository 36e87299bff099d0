"""PBV: the colour signature of blood volume. De Haan and van Leest 2014 (``dehaan2014pbv``)."""

from __future__ import annotations

import numpy as np

from ...registry import register
from ...types import check_rgb

SIGNATURE = (0.33, 0.78, 0.53)
"""Relative pulse strength in R, G and B under white light."""


@register("pbv", cites="dehaan2014pbv")
def pbv(rgb: np.ndarray, *, fs: float, signature: tuple[float, float, float] = SIGNATURE,
        compatible: bool = False) -> np.ndarray:
    """Find the channel weights whose output correlates with the channels like blood does (PBV).

    Args:
        rgb: ``(..., T, 3)`` mean skin colour per frame, R-G-B, all > 0.
        fs: frames per second.
        signature: relative pulse strength in R, G, B; depends on light and camera.
        compatible: as the public toolbox: the signature is the trace's own spread per channel, and the mean stays in
            the colours.

    >>> t = np.arange(300) / 30
    >>> beat = 0.01 * np.sin(2 * np.pi * 1.2 * t)
    >>> rgb = [120, 90, 70] * (1 - np.outer(beat, [0.33, 0.78, 0.53])) * (1 + 0.05 * np.outer(np.cos(t), [1, 1, 1]))
    >>> bool(np.corrcoef(pbv(rgb, fs=30), beat)[0, 1] > 0.99)
    True
    """
    colour = check_rgb("pbv", rgb, fs=fs)
    relative = colour / colour.mean(-2, keepdims=True)
    if compatible:
        blood = relative.std(-2)
    else:
        relative = relative - 1
        if np.shape(signature) != (3,) or not np.any(signature):
            raise ValueError(f"pbv: signature must be three numbers, R-G-B, not all 0; got {signature!r}.")
        blood = np.broadcast_to(np.asarray(signature, dtype=float), colour[..., 0, :].shape)
    blood = blood / np.linalg.norm(blood, axis=-1, keepdims=True)
    products = np.swapaxes(relative, -1, -2) @ relative               # (..., 3, 3)
    # Two channels that move alike make this singular; a trace of ridge keeps it solvable and changes nothing else.
    ridge = 1e-12 * np.trace(products, axis1=-2, axis2=-1)[..., None, None] * np.eye(3)
    weights = np.linalg.solve(products + ridge, blood[..., None])
    pulse = (relative @ weights)[..., 0] / (blood[..., None, :] @ weights)[..., 0]
    return pulse if compatible else -pulse
