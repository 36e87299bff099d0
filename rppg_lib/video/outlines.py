"""Outlines of regions on one picture, for people who want to see where a trace comes from."""

from __future__ import annotations

import numpy as np

from .faces import finder as make_finder
from .regions import region_shape

SHOWN = ("skin", "forehead", "left cheek", "right cheek")


def region_outlines(image: np.ndarray, names: tuple[str, ...] = SHOWN, *,
                    finder: str = "auto") -> dict[str, np.ndarray]:
    """Return the outline ``(N, 2)`` in px of each region of the largest face in a picture; nothing without a face."""
    looker = make_finder(finder)
    try:
        seen = looker.find(np.ascontiguousarray(image), 0.0)
    finally:
        looker.close()
    if not seen:
        return {}
    largest = max(seen, key=lambda one: one.box[2] * one.box[3])
    return {name: region_shape(name, largest.points).inside[0] for name in names}
