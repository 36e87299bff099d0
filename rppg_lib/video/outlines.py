"""Outlines of regions on one picture, for people who want to see where a trace comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .faces import choice
from .regions import each_region, region_shape

SHOWN = ("skin", "forehead", "left cheek", "right cheek")


def region_outlines(image: np.ndarray, names: Sequence[str] | str = SHOWN, *,
                    finder: Any = "auto") -> dict[str, np.ndarray]:
    """Return the outline ``(N, 2)`` in px of each region of the largest face in a picture; nothing without a face.

    Both cheeks are two outlines, and a grid has one for each patch. What is left out of the skin is not shown.
    """
    wanted: list[str] = []
    for name in each_region(names):
        wanted += ["left cheek", "right cheek"] if name == "cheeks" else [name]
    chosen = choice(finder)
    looker = chosen.make()
    try:
        seen = looker.find(np.ascontiguousarray(image), 0.0)
    finally:
        if chosen.ours:
            looker.close()
    if not seen:
        return {}
    largest = max(seen, key=lambda one: one.box[2] * one.box[3])
    return {name: region_shape(name, largest.points).inside[0] for name in wanted}
