"""OMIT: what is left beside a reference colour. Alvarez Casado and Bordallo Lopez 2023 (``alvarezcasado2023omit``)."""

from __future__ import annotations

import numpy as np

from ...registry import register
from ...types import check_rgb
from .project import green_beside


@register("omit", cites="alvarezcasado2023omit")
def omit(rgb: np.ndarray, *, fs: float, compatible: bool = False) -> np.ndarray:
    """Remove the direction of one reference colour by an orthogonal projection and read green (OMIT).

    The published QR step on a 3 x T matrix uses its first column only: the colour of the first frame. One noisy frame
    then tilts the whole projection, so the default takes the mean colour instead.

    Args:
        rgb: ``(..., T, 3)`` mean skin colour per frame, R-G-B, all > 0.
        fs: frames per second.
        compatible: the first frame's colour as reference, mean kept, systole down.

    >>> t = np.arange(300) / 30
    >>> beat = 0.01 * np.sin(2 * np.pi * 1.2 * t)
    >>> rgb = [120, 90, 70] * (1 - np.outer(beat, [0.33, 0.77, 0.53])) * (1 + 0.05 * np.outer(np.cos(t), [1, 1, 1]))
    >>> bool(np.corrcoef(omit(rgb, fs=30), beat)[0, 1] > 0.9)
    True
    """
    colour = check_rgb("omit", rgb, fs=fs)
    reference = colour[..., 0, :] if compatible else colour.mean(-2)
    return green_beside(colour, reference / np.linalg.norm(reference, axis=-1, keepdims=True), compatible=compatible)
