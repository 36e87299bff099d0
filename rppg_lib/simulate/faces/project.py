"""From the pixels of a picture to the points of a head that are seen there, and back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .course import Course
from .head import BOTTOM, JAW_OPENS, NOWHERE, TOP, Head, jaw_fall

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
    yaw, pitch, roll = (np.deg2rad(float(angle[index])) for angle in (course.yaw_deg, course.pitch_deg,
                                                                     course.roll_deg))
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    shift = np.array(centre) + unit_px * np.array([float(course.x[index]), float(course.y[index])])
    return Pose(about_z @ about_y @ about_x, shift, unit_px * float(course.scale[index]),
                JAW_OPENS * min(max(float(course.jaw[index]), 0.0), 1.0))


@dataclass(frozen=True, eq=False)
class Grid:
    """A coarse grid of rays over a box of the picture, one every ``step`` pixels."""

    left: int
    top: int
    step: int
    across: int
    down: int

    @property
    def x_px(self) -> np.ndarray:
        return self.left + (np.arange(self.across, dtype=np.float32) + 0.5) * self.step - 0.5

    @property
    def y_px(self) -> np.ndarray:
        return self.top + (np.arange(self.down, dtype=np.float32) + 0.5) * self.step - 0.5

    def enlarge(self, coarse: np.ndarray) -> np.ndarray:
        """Return values of the grid at every pixel of the box."""
        return cv2.resize(coarse, (self.across * self.step, self.down * self.step), interpolation=cv2.INTER_LINEAR)


def grid_over(box: tuple[float, float, float, float], size_px: tuple[int, int], step: int) -> Grid | None:
    """Return a grid over a box (left, top, right, bottom) as far as it lies in the picture, or None."""
    left, top = max(int(np.floor(box[0])), 0), max(int(np.floor(box[1])), 0)
    right, bottom = min(int(np.ceil(box[2])), size_px[0]), min(int(np.ceil(box[3])), size_px[1])
    if right - left < 2 or bottom - top < 2:
        return None
    return Grid(left, top, step, -(-(right - left) // step), -(-(bottom - top) // step))


@dataclass(frozen=True, eq=False)
class Solid:
    """The shape of a head as rays meet it: a table with direction 0 in its first column, wrapped by one column."""

    radius: np.ndarray
    columns: int
    rows: int

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return by how much points lie inside the head, along the radius; negative outside."""
        angle = cv2.phase(z, x)
        angle *= self.columns / (2 * np.pi)
        angle += 0.5                                                         # the first column is the last, again
        row = y * float(self.rows / (BOTTOM - TOP))
        row += -TOP * self.rows / (BOTTOM - TOP) - 0.5
        found = cv2.remap(self.radius, angle, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        found -= cv2.magnitude(x, z)
        return found


def solid(head: Head, radius: np.ndarray, gap: float) -> Solid:
    """Return the shape with the lips ``gap`` apart. ``radius`` is the head's table, perhaps made smaller."""
    rows, columns = radius.shape
    if gap:
        y = TOP + (np.arange(rows) + 0.5) * ((BOTTOM - TOP) / rows)
        row = (y - jaw_fall(y, gap, head.look.mouth_at) - TOP) * (rows / (BOTTOM - TOP)) - 0.5
        low = np.clip(row.astype(int), 0, rows - 2)
        share = (row - low).astype(np.float32)[:, None]
        radius = radius[low] * (1 - share) + radius[low + 1] * share
    rolled = np.roll(radius, -(columns // 2), axis=1)
    return Solid(np.ascontiguousarray(np.pad(rolled, ((0, 0), (1, 1)), mode="wrap")), columns, rows)


@dataclass(frozen=True, eq=False)
class Seen:
    """What each ray of a grid meets, in head coordinates with the jaw as it is."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    theta: np.ndarray
    inside: np.ndarray                   # how deep the ray goes into the head at most; negative: it passes by


def look_at(where: Pose, shape: Solid, grid: Grid) -> Seen:
    """Follow each ray of the grid to where it first enters the head, or where it passes nearest."""
    flat_x = ((grid.x_px - where.shift[0]) / where.unit_px - PIVOT[0]).astype(np.float32)
    flat_y = ((grid.y_px - where.shift[1]) / where.unit_px - PIVOT[1]).astype(np.float32)
    back = where.turn.T.astype(np.float32)
    toward = back[:, 2]
    start = [back[k, 0] * flat_x[None, :] + back[k, 1] * flat_y[:, None] + np.float32(PIVOT[k] - back[k, 2] * PIVOT[2])
             for k in range(3)]
    depths = np.linspace(NEAR, FAR, STEPS, dtype=np.float32)
    shape_3d = (STEPS * grid.down, grid.across)
    probes = [(s[None] + depths[:, None, None] * d).reshape(shape_3d) for s, d in zip(start, toward)]
    depth_in = shape.inside(*probes).reshape(STEPS, grid.down, grid.across)
    best = depth_in.argmax(0)
    first = (depth_in > 0).argmax(0)
    hit = np.take_along_axis(depth_in, first[None], 0)[0] > 0
    hit &= first > 0
    peak, peak_z = _peak(depth_in, best, depths)
    z = np.where(hit, _crossing(start, toward, shape, depth_in, first, depths), peak_z)
    x, y, z_head = (s + z * d for s, d in zip(start, toward))
    return Seen(x, y, z_head, np.arctan2(x, z_head), peak)


def _peak(values: np.ndarray, best: np.ndarray, depths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest value along each ray and its depth, by a parabola through three neighbours."""
    middle = np.clip(best, 1, STEPS - 2)[None]
    before, at, after = (np.take_along_axis(values, middle + k, 0)[0] for k in (-1, 0, 1))
    bend = np.minimum(before - 2 * at + after, -1e-6)
    offset = np.clip(0.5 * (before - after) / bend, -1, 1)
    return at - 0.25 * (before - after) * offset, depths[middle[0]] + offset * (depths[1] - depths[0])


def _crossing(start: list[np.ndarray], toward: np.ndarray, shape: Solid, values: np.ndarray, first: np.ndarray,
              depths: np.ndarray) -> np.ndarray:
    """Depth at which each ray enters, by three steps of false position."""
    first = np.maximum(first, 1)
    out_z, in_z = depths[first - 1], depths[first]
    out_f = np.take_along_axis(values, first[None] - 1, 0)[0]
    in_f = np.take_along_axis(values, first[None], 0)[0]
    for _ in range(2):
        span = np.minimum(out_f - in_f, -1e-6)
        z = out_z + (in_z - out_z) * np.clip(out_f / span, 0.02, 0.98)
        f = shape.inside(*(s + z * d for s, d in zip(start, toward)))
        entered = f > 0
        in_z, in_f = np.where(entered, z, in_z), np.where(entered, f, in_f)
        out_z, out_f = np.where(entered, out_z, z), np.where(entered, out_f, f)
    return out_z + (in_z - out_z) * np.clip(out_f / np.minimum(out_f - in_f, -1e-6), 0, 1)


def fits(radius: np.ndarray) -> np.ndarray:
    """Radius table without the nothing above the crown, for blurring."""
    return np.where(radius <= NOWHERE, 0, radius)
