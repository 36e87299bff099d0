"""The step LGI and OMIT share: remove one colour direction and read green."""

from __future__ import annotations

import numpy as np


def green_beside(colour: np.ndarray, direction: np.ndarray, *, compatible: bool) -> np.ndarray:
    """Return the green row of ``(I - u u') C`` for a unit colour direction ``u`` ``(..., 3)``."""
    along = (colour @ direction[..., :, None])[..., 0]                # (..., T)
    rest = colour[..., 1] - direction[..., 1, None] * along
    return rest if compatible else rest.mean(-1, keepdims=True) - rest
