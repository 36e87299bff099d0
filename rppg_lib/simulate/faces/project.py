"""From the pixels of a picture to the points of a head that are seen there, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .course import Course
from .head import BOTTOM, JAW_OPENS, NOWHERE, TOP, jaw_fall

PIVOT = np.array([0, 0.9, -0.35])        # the head turns about the top of the neck
NEAR, FAR, STEPS = 1.62, -0.35, 14       # depths between which the surface is looked for
REACH = 1.75                             # half size of the box that holds the head with ears and hair


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a head is: ``pixel = shift + unit_px * (turned point)``."""

    turn: np.ndarray                     # (3, 3)
    shift: np.ndarray                    # (2,) pixel of the head's origin if it were not turned
    unit_px: float
    gap: float                           # of the lips

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Return the pixels ``(..., 2)`` of points ``(..., 3)`` in head coordinates."""
        return self.shift + self.unit_px * ((points - PIVOT) @ self.turn.T + PIVOT)[..., :2]


def pose(course: Course, index: int, centre: tuple[float, float], unit_px: float) -> Pose:
    """Return the pose of a frame, for a head of ``unit_px`` pixels per half face width."""
    yaw, pitch, roll = (math.radians(angle[index]) for angle in (course.yaw_deg, course.pitch_deg, course.roll_deg))
    (ys, yc), (ps, pc), (rs, rc) = ((math.sin(angle), math.cos(angle)) for angle in (yaw, pitch, roll))
    turn = np.array([[rc * yc, -rc * ys * ps - rs * pc, rc * ys * pc - rs * ps],
                     [rs * yc, -rs * ys * ps + rc * pc, rs * ys * pc + rc * ps],
                     [-ys, -yc * ps, yc * pc]])                              # about z, after y, after x
    shift = np.array(centre) + unit_px * np.array([float(course.x[index]), float(course.y[index])])
    return Pose(turn, shift, unit_px * float(course.scale[index]),
                JAW_OPENS * min(max(float(course.jaw[index]), 0.0), 1.0))


@dataclass(frozen=True, eq=False)
class Grid:
    """Rays over a box of the picture, one every ``step`` pixels, that keep their places on whatever moves there.

    A grid that stayed with the picture would meet other points of a face in each frame, and its mean would flicker.
    """

    left: int
    top: int
    width: int
    height: int
    step: int
    first: tuple[float, float]           # pixel (x, y) of the first ray: of the box's corner, or up to two steps before
    across: int                          # rays, an even number: pairs of them stay pairs from frame to frame
    down: int

    @property
    def x_px(self) -> np.ndarray:
        return self.first[0] + np.arange(self.across, dtype=np.float32) * self.step

    @property
    def y_px(self) -> np.ndarray:
        return self.first[1] + np.arange(self.down, dtype=np.float32) * self.step

    @property
    def box(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def enlarge(self, coarse: np.ndarray) -> np.ndarray:
        """Return values of the grid, one or three channels, at every pixel of the box."""
        step, edge = self.step, (self.step - 1) / 2
        if step > 1:
            coarse = cv2.resize(coarse, (self.across * step, self.down * step), interpolation=cv2.INTER_LINEAR)
        middle = (self.left - self.first[0] + edge + (self.width - 1) / 2,
                  self.top - self.first[1] + edge + (self.height - 1) / 2)
        return cv2.getRectSubPix(coarse, (self.width, self.height), middle)


def grid_over(box: tuple[float, float, float, float], size_px: tuple[int, int], step: int,
              anchor: tuple[float, float] = (0.0, 0.0)) -> Grid | None:
    """Return a grid over a box (left, top, right, bottom) as far as it lies in the picture, or None.

    Args:
        anchor: a pixel that a ray would pass through, if the grid went on to there.
    """
    left, top = max(math.floor(box[0]), 0), max(math.floor(box[1]), 0)
    right, bottom = min(math.ceil(box[2]), size_px[0]), min(math.ceil(box[3]), size_px[1])
    if right - left < 2 or bottom - top < 2:
        return None
    first = float(left - (left - anchor[0]) % (2 * step)), float(top - (top - anchor[1]) % (2 * step))
    across, down = (2 * math.ceil(((end - 1 - start) / step + 1) / 2) for end, start in zip((right, bottom), first))
    return Grid(left, top, right - left, bottom - top, step, first, across, down)


@dataclass(frozen=True, eq=False)
class Solid:
    """The shape of a head as rays meet it: a table with direction 0 in its first column, wrapped by one column."""

    radius: np.ndarray                   # (rows, columns + 2)

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return by how much points lie inside the head, along the radius; negative outside."""
        rows, columns = self.radius.shape
        angle = cv2.phase(z, x)
        angle *= (columns - 2) / (2 * math.pi)
        angle += 0.5                                                         # the first column is the last, again
        row = y * (rows / (BOTTOM - TOP))
        row += -TOP * rows / (BOTTOM - TOP) - 0.5
        found = cv2.remap(self.radius, angle, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        found -= cv2.magnitude(x, z)
        return found


def solid(radius: np.ndarray) -> Solid:
    """Return the shape with the lips shut. ``radius`` is the head's table, perhaps made smaller."""
    rolled = np.roll(radius, -(radius.shape[1] // 2), axis=1)
    return Solid(np.ascontiguousarray(np.pad(rolled, ((0, 0), (1, 1)), mode="wrap"), dtype=np.float32))


def opened(shut: Solid, gap: float, mouth_at: float) -> Solid:
    """Return the shape with the lips ``gap`` apart: what is below the mouth goes down."""
    if not gap:
        return shut
    rows = len(shut.radius)
    top = int((mouth_at + 0.15 - TOP) * rows / (BOTTOM - TOP))               # above it nothing falls
    y = TOP + (np.arange(top, rows) + 0.5) * ((BOTTOM - TOP) / rows)
    row = (y - jaw_fall(y, gap, mouth_at) - TOP) * (rows / (BOTTOM - TOP)) - 0.5
    low = row.astype(int)
    share = (row - low).astype(np.float32)[:, None]
    radius = shut.radius.copy()
    radius[top:] = shut.radius[low] * (1 - share) + shut.radius[np.minimum(low + 1, rows - 1)] * share
    return Solid(radius)


@dataclass(frozen=True, eq=False)
class Seen:
    """What each ray of a grid meets, in head coordinates with the jaw as it is."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    theta: np.ndarray
    inside: np.ndarray                   # how deep the ray goes into the head at most; negative: it passes by


def look_at(where: Pose, shape: Solid, grid: Grid, *, rounds: int = 2) -> Seen:
    """Follow each ray of the grid to where it first enters the head, or where it passes nearest.

    Args:
        rounds: of narrowing down where it enters; one is enough for small pictures.
    """
    flat_x = ((grid.x_px - where.shift[0]) / where.unit_px - PIVOT[0]).astype(np.float32)
    flat_y = ((grid.y_px - where.shift[1]) / where.unit_px - PIVOT[1]).astype(np.float32)
    back = where.turn.T.astype(np.float32)
    toward = back[:, 2, None, None]
    from_x = back[:, 0, None, None] * flat_x + (PIVOT - back[:, 2] * PIVOT[2]).astype(np.float32)[:, None, None]
    start = from_x + back[:, 1, None, None] * flat_y[:, None]                # (3, down, across) where depth is 0
    depths = np.linspace(NEAR, FAR, STEPS, dtype=np.float32)
    probes = start[:, None] + toward[:, None] * depths[:, None, None]
    depth_in = shape.inside(*probes.reshape(3, STEPS * grid.down, grid.across)).reshape(STEPS, grid.down, grid.across)
    best = depth_in.argmax(0)
    first = (depth_in > 0).argmax(0)                                         # 0 where the ray never enters
    peak, peak_z = _peak(depth_in, best, depths)
    z = np.where(first > 0, _crossing(start, toward, shape, depth_in, first, depths, rounds), peak_z)
    at = start + toward * z
    return Seen(*at, np.arctan2(at[0], at[2]), peak)


def _peak(values: np.ndarray, best: np.ndarray, depths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest value along each ray and its depth, by a parabola through three neighbours."""
    count = best.size
    middle = np.minimum(np.maximum(best, 1), STEPS - 2)
    place = middle * count + np.arange(count).reshape(best.shape)
    before, at, after = (values.take(place + k * count) for k in (-1, 0, 1))
    slope = before - after
    offset = np.minimum(np.maximum(0.5 * slope / np.minimum(before - 2 * at + after, -1e-6), -1), 1)
    return at - 0.25 * slope * offset, depths[middle] + offset * (depths[1] - depths[0])


def _crossing(start: np.ndarray, toward: np.ndarray, shape: Solid, values: np.ndarray, first: np.ndarray,
              depths: np.ndarray, rounds: int) -> np.ndarray:
    """Depth at which each ray enters, by false position."""
    count = first.size
    first = np.maximum(first, 1)
    out_z, in_z = depths[first - 1], depths[first]
    place = first * count + np.arange(count).reshape(first.shape)
    out_f, in_f = values.take(place - count), values.take(place)
    for _ in range(rounds):
        share = np.minimum(np.maximum(out_f / np.minimum(out_f - in_f, -1e-6), 0.02), 0.98)
        z = out_z + (in_z - out_z) * share
        f = shape.inside(*(start + z * toward))
        entered = f > 0
        in_z, in_f = np.where(entered, z, in_z), np.where(entered, f, in_f)
        out_z, out_f = np.where(entered, out_z, z), np.where(entered, out_f, f)
    return out_z + (in_z - out_z) * np.minimum(np.maximum(out_f / np.minimum(out_f - in_f, -1e-6), 0), 1)


def fits(radius: np.ndarray) -> np.ndarray:
    """Radius table without the nothing above the crown, for blurring."""
    return np.where(radius <= NOWHERE, 0, radius)
