"""Read the mean colours of a face's regions, and how good its picture is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .regions import PatchFrame, Shape, patch_cell, patch_frame, region_mask, region_shape, shape_box

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
    out = dict.fromkeys(names, NOTHING)
    grids: dict[tuple[int, int], list[str]] = {}
    for name in names:
        if cell := patch_cell(name):
            grids.setdefault(cell[2:], []).append(name)
        else:
            out[name] = shape_colour(image, region_shape(name, points), leave_clipped=leave_clipped)
    for size, members in grids.items():
        cells = grid_colours(image, patch_frame(points), *size, leave_clipped=leave_clipped)
        for name in members:
            row, column, *_ = patch_cell(name)
            out[name] = cells[(row - 1) * size[1] + column - 1]
    return out


def shape_colour(image: np.ndarray, shape: Shape, *, leave_clipped: bool = False) -> Colour:
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


def grid_colours(image: np.ndarray, frame: PatchFrame, rows: int, columns: int, *,
                 leave_clipped: bool = False) -> list[Colour]:
    """Return the mean colours of all patches of a grid, row by row, in one pass: each pixel belongs to one patch."""
    import cv2

    box = shape_box(Shape((frame.corners(0, 1, 0, 1),)), image.shape[:2])
    if box is None:
        return [NOTHING] * (rows * columns)
    x0, y0, x1, y1 = box
    part = np.ascontiguousarray(image[y0:y1, x0:x1])
    x, y = np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32)[:, None]
    (right, down), (low, size) = frame.axes.astype(np.float32), (frame.low, np.maximum(frame.size, 1e-9))
    across = (x * right[0] + y * right[1] - np.float32(low[0])) * np.float32(columns / size[0])      # (H, W)
    along = (x * down[0] + y * down[1] - np.float32(low[1])) * np.float32(rows / size[1])
    count = rows * columns
    outside = (across < 0) | (across >= columns) | (along < 0) | (along >= rows)
    label = along.astype(np.intp)
    label *= columns
    label += across.astype(np.intp)
    label[outside] = count                                           # one more than there are patches
    label = label.ravel()
    good = cv2.inRange(part, (1, 1, 1), (254, 254, 254)).ravel() > 0
    pixels = np.bincount(label, minlength=count + 1)[:count]
    kept = pixels if good.all() else np.bincount(label[good], minlength=count + 1)[:count]
    colours = part.reshape(-1, 3)
    if leave_clipped:
        label, colours = label[good], colours[good]
    used = kept if leave_clipped else pixels
    sums = [np.bincount(label, weights=channel, minlength=count + 1)[:count] for channel in colours.T]
    return [NOTHING if pixels[k] < LEAST_PIXELS else
            Colour(tuple(float(one[k] / used[k]) for one in sums) if used[k] >= LEAST_PIXELS else NOTHING.rgb,
                   int(used[k]), float(1 - kept[k] / pixels[k])) for k in range(count)]


def sharpness(image: np.ndarray, box: np.ndarray) -> float:
    """Return how fine a face's picture is: spread of its second differences, over its brightness, at 96 px width."""
    import cv2

    x0, y0 = np.maximum(np.floor(box[:2]).astype(int), 0)
    x1, y1 = np.maximum(np.ceil(box[:2] + box[2:]).astype(int), 0)               # wholly outside: nothing is left
    part = image[y0:y1, x0:x1]
    if min(part.shape[:2]) < 4:
        return np.nan
    small = cv2.resize(part, (96, 96), interpolation=cv2.INTER_AREA if part.shape[1] > 96 else cv2.INTER_LINEAR)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    mean, spread = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(spread[0, 0] / max(cv2.mean(grey)[0], 1.0))
