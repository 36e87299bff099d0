"""Read the mean colours of a face's regions, and how good its picture is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .regions import region_mask, region_shape, shape_box

LEAST_PIXELS = 16
"""A region with fewer pixels in the picture has no colour."""


class Colour(NamedTuple):
    """Mean colour of a region in one frame."""

    rgb: tuple[float, float, float]
    pixels: int
    clipped: float                                                   # share of pixels at 0 or 255 in any channel


NOTHING = Colour((np.nan, np.nan, np.nan), 0, np.nan)


def region_colours(image: np.ndarray, points: np.ndarray, names: Sequence[str], *,
                   leave_clipped: bool = False) -> dict[str, Colour]:
    """Return the mean colour of each region, in float64.

    Args:
        image: ``(H, W, 3)`` uint8, R-G-B.
        points: ``(478, 2)`` landmarks or ``(2, 2)`` corners of a box.
        names: regions.
        leave_clipped: leave pixels at 0 or 255 out of the mean; they are counted in any case.
    """
    return {name: shape_colour(image, region_shape(name, points), leave_clipped=leave_clipped) for name in names}


def shape_colour(image: np.ndarray, shape, *, leave_clipped: bool = False) -> Colour:
    """Return the mean colour of the pixels in a :class:`~rppg_lib.video.regions.Shape`."""
    import cv2

    box = shape_box(shape, image.shape[:2])
    if box is None:
        return NOTHING
    x0, y0, x1, y1 = box
    part = image[y0:y1, x0:x1]
    mask = region_mask(shape, part.shape[:2], origin=(x0, y0))
    pixels = cv2.countNonZero(mask)
    if pixels < LEAST_PIXELS:
        return NOTHING
    good = cv2.bitwise_and(mask, cv2.inRange(part, (1, 1, 1), (254, 254, 254)))
    kept = cv2.countNonZero(good)
    if leave_clipped:
        if kept < LEAST_PIXELS:
            return Colour(NOTHING.rgb, kept, 1 - kept / pixels)
        mask = good
    return Colour(cv2.mean(part, mask)[:3], kept if leave_clipped else pixels, 1 - kept / pixels)


def sharpness(image: np.ndarray, box: np.ndarray) -> float:
    """Return how fine a face's picture is: spread of its second differences, over its brightness, at 96 px width."""
    import cv2

    x0, y0 = np.maximum(np.floor(box[:2]).astype(int), 0)
    x1, y1 = np.ceil(box[:2] + box[2:]).astype(int)
    part = image[y0:y1, x0:x1]
    if min(part.shape[:2]) < 4:
        return np.nan
    small = cv2.resize(part, (96, 96), interpolation=cv2.INTER_AREA if part.shape[1] > 96 else cv2.INTER_LINEAR)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    mean, spread = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(spread[0, 0] / max(cv2.mean(grey)[0], 1.0))
