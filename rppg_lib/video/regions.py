"""Parts of a face that are looked at: polygons from landmarks, or from a bare box, and the pixels inside them.

*Left* and *right* are those of the person: the left cheek is on the right side of a picture that is not mirrored.
Every pixel of a region counts the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from .faces import LANDMARKS

REGIONS = ("skin", "forehead", "left cheek", "right cheek", "cheeks", "face")
WHOLE_FRAME = "frame"

# Numbers of MediaPipe's face mesh, around each part.
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
RIGHT_CHEEK = (116, 117, 118, 119, 100, 36, 205, 207, 187, 147, 123)
LEFT_CHEEK = (345, 346, 347, 348, 329, 266, 425, 427, 411, 376, 352)
FOREHEAD_TOP = (54, 103, 67, 109, 10, 338, 297, 332, 284)
BROWS_TOP = (334, 296, 336, 9, 107, 66, 105)

HULL_SCALE, CHEEK_SCALE, LIPS_SCALE, EYE_SCALE, BROW_SCALE = 0.94, 0.85, 1.15, 1.7, 1.3
"""The hull and the cheeks are shrunk, so that hair and background stay out, on the far side of a turned face above all;
what is left out is enlarged."""

_PATCHES = re.compile(r"patches (\d+)x(\d+)")
_PATCH = re.compile(r"patch (\d+),(\d+) of (\d+)x(\d+)")
MOST_PATCHES = 15


@dataclass(frozen=True, eq=False)
class Shape:
    """Polygons whose inside counts, and polygons that are left out, each ``(N, 2)`` in px."""

    inside: tuple[np.ndarray, ...]
    outside: tuple[np.ndarray, ...] = ()


def check_region(name: str) -> str:
    """Return the name of a region, a grid (``patches 6x6``) or the whole frame, or say what there is."""
    if isinstance(name, str):
        grid = _PATCHES.fullmatch(name)
        if name in (*REGIONS, WHOLE_FRAME) or grid and all(1 <= int(n) <= MOST_PATCHES for n in grid.groups()):
            return name
        if cell := patch_cell(name):
            row, column, rows, columns = cell
            if 1 <= row <= rows <= MOST_PATCHES and 1 <= column <= columns <= MOST_PATCHES:
                return name
    raise ValueError(f"region: needs one of {', '.join(REGIONS)}, {WHOLE_FRAME}, or a grid such as 'patches 6x6' "
                     f"(rows x columns, at most {MOST_PATCHES}); got {name!r}.")


def each_region(names: tuple[str, ...] | list[str] | str) -> tuple[str, ...]:
    """Return the regions to read: a grid becomes its patches.

    >>> each_region(["skin", "patches 1x2"])
    ('skin', 'patch 1,1 of 1x2', 'patch 1,2 of 1x2')
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    out: list[str] = []
    for name in names:
        grid = _PATCHES.fullmatch(check_region(name))
        if grid:
            rows, columns = (int(n) for n in grid.groups())
            out += [f"patch {r},{c} of {rows}x{columns}" for r in range(1, rows + 1) for c in range(1, columns + 1)]
        else:
            out.append(name)
    if not out:
        raise ValueError("region: needs at least one region, got none.")
    return tuple(dict.fromkeys(out))


def region_shape(name: str, points: np.ndarray) -> Shape:
    """Return the outline of a region.

    Args:
        name: one of :data:`REGIONS`, or a patch such as ``patch 1,1 of 6x6`` (row, column; from the forehead down, and
            from the left of the picture).
        points: ``(478, 2)`` landmarks, or ``(2, 2)``: two corners of a box, whose parts are then guessed from it.

    >>> region_shape("forehead", np.array([[0, 0], [100, 100]])).inside[0].round().tolist()
    [[30.0, 8.0], [70.0, 8.0], [70.0, 22.0], [30.0, 22.0]]
    """
    points = np.asarray(points, dtype=float)
    if points.shape not in ((LANDMARKS, 2), (2, 2)):
        raise ValueError(f"region_shape: needs {LANDMARKS} landmarks or two corners of a box, "
                         f"got shape {points.shape}.")
    if name == WHOLE_FRAME:
        raise ValueError("region_shape: the whole frame has no outline in a face; use video.frame_trace.")
    if cell := patch_cell(check_region(name)):
        row, column, rows, columns = cell
        return Shape((patch_frame(points).corners((row - 1) / rows, row / rows, (column - 1) / columns,
                                                  column / columns),))
    return _from_landmarks(name, points) if len(points) == LANDMARKS else _from_box(name, points)


def _from_landmarks(name: str, points: np.ndarray) -> Shape:
    def part(numbers, scale):
        outline = points[list(numbers)]
        middle = outline.mean(0)
        return middle + scale * (outline - middle)

    if name == "face":
        return Shape((_hull(points),))
    if name == "skin":
        hull, middle = _hull(points), (points.min(0) + points.max(0)) / 2
        holes = [part(LIPS, LIPS_SCALE), part(RIGHT_EYE, EYE_SCALE), part(LEFT_EYE, EYE_SCALE),
                 part(RIGHT_BROW, BROW_SCALE), part(LEFT_BROW, BROW_SCALE)]
        return Shape((middle + HULL_SCALE * (hull - middle),), tuple(holes))
    if name == "forehead":                                           # between the brows and the hair, a little off both
        top, low = points[list(FOREHEAD_TOP[1:-1])], points[list(BROWS_TOP)]
        height = points[10] - points[9]
        return Shape((np.concatenate([top - 0.25 * height, low + 0.15 * height]),))
    cheeks = {"left cheek": (LEFT_CHEEK,), "right cheek": (RIGHT_CHEEK,), "cheeks": (LEFT_CHEEK, RIGHT_CHEEK)}[name]
    return Shape(tuple(part(cheek, CHEEK_SCALE) for cheek in cheeks))


def _hull(points: np.ndarray) -> np.ndarray:
    """Return the outline of all points; that of the oval alone would cut off the far side of a turned face."""
    import cv2

    return cv2.convexHull(points.astype(np.float32))[:, 0].astype(float)


# Shares of a detector's box, which goes from the brows to the chin: x0, y0, x1, y1.
_BOX = {"forehead": ((0.3, 0.08, 0.7, 0.22),), "left cheek": ((0.62, 0.5, 0.82, 0.7),),
        "right cheek": ((0.18, 0.5, 0.38, 0.7),), "cheeks": ((0.62, 0.5, 0.82, 0.7), (0.18, 0.5, 0.38, 0.7)),
        "skin": ((0.2, 0.25, 0.8, 0.47), (0.3, 0.7, 0.7, 0.88))}     # of skin: the eyes and the mouth, left out


def _from_box(name: str, corners: np.ndarray) -> Shape:
    low, size = corners.min(0), np.ptp(corners, axis=0)

    def rectangle(x0, y0, x1, y1):
        return low + size * np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])

    if name in ("skin", "face"):
        angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        reach = (0.34, 0.45) if name == "skin" else (0.4, 0.5)
        oval = low + size * (np.array([0.5, 0.52]) + np.stack([np.cos(angle), np.sin(angle)], 1) * reach)
        return Shape((oval,), tuple(rectangle(*r) for r in _BOX["skin"]) if name == "skin" else ())
    return Shape(tuple(rectangle(*r) for r in _BOX[name]))


@dataclass(frozen=True, eq=False)
class PatchFrame:
    """The box that a grid of patches divides; it leans as the eyes do."""

    axes: np.ndarray                                                 # (2, 2) its directions: to the right, down
    low: np.ndarray                                                  # its corner and its size along these
    size: np.ndarray

    def corners(self, top: float, bottom: float, left: float, right: float) -> np.ndarray:
        """Return the corners ``(4, 2)`` in px of a part of the box, given in shares of it."""
        shares = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        return (self.low + self.size * shares) @ self.axes


def patch_frame(points: np.ndarray) -> PatchFrame:
    """Return the box about landmarks or the corners of a box, to be divided into patches."""
    across = np.array([1.0, 0.0])
    if len(points) == LANDMARKS:
        across = points[list(LEFT_EYE)].mean(0) - points[list(RIGHT_EYE)].mean(0)
        across /= max(np.linalg.norm(across), 1e-9)
    axes = np.stack([across, (-across[1], across[0])])
    own = points @ axes.T
    return PatchFrame(axes, own.min(0), np.ptp(own, axis=0))


def patch_cell(name: str) -> tuple[int, int, int, int] | None:
    """Return row, column, rows and columns of a patch; None for other regions.

    >>> patch_cell("patch 1,2 of 6x4")
    (1, 2, 6, 4)
    """
    cell = _PATCH.fullmatch(name)
    return tuple(int(n) for n in cell.groups()) if cell else None


def region_mask(shape: Shape, size: tuple[int, int], *, origin: tuple[float, float] = (0, 0)) -> np.ndarray:
    """Return ``(H, W)`` uint8, 255 in the pixels whose centre lies in a shape or on its rim.

    Args:
        shape: from :func:`region_shape`.
        size: height and width of the mask.
        origin: x and y of its first pixel in the picture.
    """
    import cv2

    mask = np.zeros(size, np.uint8)
    for polygons, value in ((shape.inside, 255), (shape.outside, 0)):
        for polygon in polygons:                                     # in sixteenths of a pixel
            cv2.fillPoly(mask, [np.round((polygon - origin) * 16).astype(np.int32)], value, shift=4)
    return mask


def shape_box(shape: Shape, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return x0, y0, x1, y1 (x1, y1 just outside) of the part of a shape in a picture ``(H, W)``; None without any."""
    points = np.concatenate(shape.inside)
    (x0, y0), (x1, y1) = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int) + 1
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, size[1]), min(y1, size[0])
    return (int(x0), int(y0), int(x1), int(y1)) if x1 > x0 and y1 > y0 else None
