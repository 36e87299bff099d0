"""The shape of a head: one radius for each direction and height, and what follows from it.

Head coordinates: half face width = 1, x to the right of the picture, y down, z to the camera, 0 between the eyes on
the axis of the ears. A point of the surface is ``(R sin(theta), y, R cos(theta))`` with ``R(theta, y)`` from a table.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator

from .looks import Look

COLUMNS, ROWS = 768, 640                 # of maps: theta from -pi to pi, y from TOP to BOTTOM
TOP, BOTTOM = -1.95, 1.95
CROWN, UNDERSIDE = -1.66, 1.66
NOWHERE = -0.6                           # radius above and below the head; a small positive one would grow a needle
JAW_OPENS = 0.34                         # gap of the lips when the jaw is at 1
JAW_DROPS = 0.8                          # of the gap, by how much the chin goes down

KNOTS = np.array([-1.66, -1.55, -1.3, -0.9, -0.4, 0, 0.5, 0.95, 1.25, 1.45, 1.58, 1.66])
WIDTHS = np.array([0.02, 0.42, 0.74, 0.95, 1, 1, 0.955, 0.85, 0.67, 0.45, 0.22, 0.02])
DEPTHS = np.array([0.02, 0.55, 0.86, 1.06, 1.13, 1.10, 1.12, 1.13, 1.10, 1.08, 0.88, 0.02])


@dataclass(frozen=True, eq=False)
class Head:
    """The shape of one head, with maps of ``ROWS`` x ``COLUMNS``."""

    look: Look
    theta: np.ndarray                    # (COLUMNS,)
    y: np.ndarray                        # (ROWS,)
    radius: np.ndarray                   # (ROWS, COLUMNS)
    x: np.ndarray                        # (ROWS, COLUMNS) to the right; far away behind the ears
    hair: np.ndarray                     # (ROWS, COLUMNS) 0 to 1, soft

    def column(self, theta: np.ndarray | float) -> np.ndarray:
        return (np.asarray(theta) + np.pi) * (COLUMNS / (2 * np.pi)) - 0.5

    def row(self, y: np.ndarray | float) -> np.ndarray:
        return (np.asarray(y) - TOP) * (ROWS / (BOTTOM - TOP)) - 0.5

    def theta_at(self, x: float, y: float) -> float:
        """Direction of the point of the face's front that lies ``x`` to the right, at height ``y``."""
        front = np.linspace(-1.5, 1.5, 601)
        line = self._radius_along(front, y) * np.sin(front)
        return float(np.interp(x, np.maximum.accumulate(line), front))

    def point(self, theta: float, y: float) -> np.ndarray:
        """Point of the surface, in head coordinates, with the jaw shut."""
        radius = float(self._radius_along(np.array([theta]), y)[0])
        return np.array([radius * np.sin(theta), y, radius * np.cos(theta)])

    def _radius_along(self, theta: np.ndarray, y: float) -> np.ndarray:
        columns = self.column(theta).astype(np.float32)[None]
        rows = np.full_like(columns, self.row(y))
        return cv2.remap(self.radius, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]


def jaw_fall(y: np.ndarray, gap: float, mouth_at: float) -> np.ndarray:
    """By how much the surface at height ``y`` lies lower than on the shut face."""
    t = np.minimum(np.maximum((y - (mouth_at + 0.15)) * (1 / (0.4 + gap)), 0), 1)
    return t * t * (3 - 2 * t) * (JAW_DROPS * gap)


def head(look: Look, noise: np.ndarray) -> Head:
    """Build the head of a look.

    Args:
        noise: ``(ROWS, COLUMNS)`` smooth, of unit spread; makes the hairline uneven.
    """
    theta = ((np.arange(COLUMNS) + 0.5) * (2 * np.pi / COLUMNS) - np.pi).astype(np.float32)
    y = (TOP + (np.arange(ROWS) + 0.5) * ((BOTTOM - TOP) / ROWS)).astype(np.float32)
    radius = _base(look, theta, y)
    front = slice(int(COLUMNS * 0.22), int(COLUMNS * 0.78))
    x = np.full((ROWS, COLUMNS), 9, np.float32) * np.sign(theta)
    x[:, front] = radius[:, front] * np.sin(theta[front])
    radius[:, front] += _features(look, x[:, front], y[:, None])
    radius += _ears(look, theta, y[:, None])
    hair = _hair(look, theta, y[:, None], noise)
    radius += look.hair_thickness * hair * (1 + 0.05 * noise)
    radius[(y < CROWN) | (y > UNDERSIDE)] = NOWHERE
    x[:, front] = radius[:, front] * np.sin(theta[front])
    return Head(look, theta, y, radius, x, hair)


def _base(look: Look, theta: np.ndarray, y: np.ndarray) -> np.ndarray:
    widths = WIDTHS * look.width
    widths[7:11] *= 1 + look.jaw * np.array([0.6, 1, 0.7, 0.3])
    widths[8:11] *= 1 + look.chin * np.array([0.2, 0.8, 1])
    widths[6] *= 1 + look.cheek
    flat = np.clip(y, CROWN, UNDERSIDE)
    depth = PchipInterpolator(KNOTS, DEPTHS)(flat).astype(np.float32)[:, None]
    width = PchipInterpolator(KNOTS, widths)(flat).astype(np.float32)[:, None]
    n = look.squareness
    across, along = np.abs(np.sin(theta)) ** n, np.abs(np.cos(theta)) ** n
    return ((across * width**-n + along * depth**-n) ** (-1 / n)).astype(np.float32)


def bump(x: np.ndarray, y: np.ndarray, at: tuple[float, float], size: tuple[float, float]) -> np.ndarray:
    """A Gaussian hill of height 1."""
    return np.exp(-0.5 * ((x - at[0]) / size[0]) ** 2) * np.exp(-0.5 * ((y - at[1]) / size[1]) ** 2)


def _features(look: Look, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What is added to the radius of the front: nose, sockets, cheekbones, lips, chin."""
    apart, mouth, long = look.eye_at, look.mouth_at, look.nose_length
    side = np.abs(x)
    t = np.clip((y + 0.12) / (long + 0.12), 0, 1)
    below = np.where(y > long, np.exp(-0.5 * ((y - long) / 0.06) ** 2), 1)
    spread = (0.085 + 0.058 * t) * (0.6 + 0.4 * look.nose_width)
    nose = (0.05 * np.clip((y + 0.3) / 0.2, 0, 1) + 0.25 * t**1.3) * below * np.exp(-0.5 * (x / spread) ** 2)
    nose += 0.05 * bump(x, y, (0, long - 0.02), (0.085, 0.07))                            # a rounder tip
    nose += 0.12 * bump(side, y, (0.165 * look.nose_width, long - 0.02), (0.06, 0.06))
    total = look.nose_height * nose
    total += 0.07 * bump(x, y, (0, -0.24), (0.55, 0.09)) - 0.14 * bump(side, y, (apart - 0.06, 0), (0.17, 0.11))
    total += 0.07 * bump(side, y, (apart, 0), (0.12, 0.085)) + (0.05 + 0.6 * look.cheek) * bump(
        side, y, (0.55, 0.38), (0.22, 0.17))
    total += 0.05 * bump(x, y, (0, mouth), (0.3, 0.2)) + 0.045 * look.lips * bump(x, y, (0, mouth - 0.05), (0.2, 0.04))
    total += 0.055 * look.lips * bump(x, y, (0, mouth + 0.06), (0.17, 0.045))
    total -= 0.03 * bump(x, y, (0, mouth), (0.26, 0.016)) + 0.05 * bump(x, y, (0, mouth + 0.21), (0.16, 0.05))
    total += (0.09 + 0.2 * look.chin) * bump(x, y, (0, mouth + 0.45), (0.17, 0.12))
    fold = side - (0.24 + 0.22 * np.clip((y - long) / 0.35, 0, 1.3))                      # from nose to mouth corner
    total -= (0.01 + 0.016 * look.wrinkles) * np.exp(-0.5 * (fold / 0.03) ** 2) * bump(0, y, (0, 0.8), (1, 0.13))
    return total.astype(np.float32)


def _ears(look: Look, theta: np.ndarray, y: np.ndarray) -> np.ndarray:
    def shell(width: float, height: float) -> np.ndarray:
        return (np.exp(-np.abs((np.abs(theta) - 1.62) / width) ** 4)
                * np.exp(-np.abs((y - 0.12) / height) ** 4)).astype(np.float32)

    return look.ears * (shell(0.16, 0.27) - 0.45 * shell(0.08, 0.16))      # a rim around a hollow


def _hair(look: Look, theta: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Where hair covers the head: above a line that falls from the forehead to the neck, frayed by noise."""
    at = np.array([0, 0.3, 0.55, 0.8, 1.0, 1.2, 1.36, 1.62, 1.88, 2.2, 3.15])
    top = look.hairline
    line = np.array([top, top + 0.01, top + 0.06, top + 0.28, -0.38, -0.08, 0.08, -0.2, 0.3, 0.75, 0.9])
    if look.hair_style == "bald":
        line = np.array([-2.2, -2.2, -2.2, -2.2, -2.1, -1.6, -0.9, -0.35, 0.0, 0.5, 0.7])
    if look.hair_style == "long":
        line[4:8] = -0.3, 0.15, 0.55, 0.8
    if look.hair_style == "fringe":
        line[:4] = np.minimum(top + 0.36, -0.5) + np.array([0, 0.02, 0.05, 0.02])
    edge = PchipInterpolator(at, line)(np.abs(theta)).astype(np.float32)
    t = np.clip(0.5 + (edge - y + 0.02 * noise) / 0.13, 0, 1)
    return t * t * (3 - 2 * t)


def normals(radius: np.ndarray, theta: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Outward normals ``(..., 3)`` of the surface with these radii."""
    smooth = cv2.GaussianBlur(np.maximum(radius, 0.02), (0, 0), 0.9)
    step_theta, step_y = float(theta[1] - theta[0]), float(y[1] - y[0])
    along_y, along_theta = np.gradient(smooth, step_y, step_theta)
    sin, cos = np.sin(theta), np.cos(theta)
    by_theta = (along_theta * sin + smooth * cos, along_theta * cos - smooth * sin)        # x and z; y does not change
    by_y = (along_y * sin, along_y * cos)                                                  # x and z; y changes by 1
    # The product taken in this order points outward.
    normal = np.stack([-by_theta[1], by_theta[1] * by_y[0] - by_theta[0] * by_y[1], by_theta[0]], -1)
    return (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype(np.float32)


def hollows(radius: np.ndarray) -> np.ndarray:
    """How much light from all around reaches each point (half-size maps): less in sockets and beside the nose."""
    full = np.maximum(radius, 0)
    wide, narrow = cv2.GaussianBlur(full, (0, 0), 7) - full, cv2.GaussianBlur(full, (0, 0), 2.5) - full
    return np.maximum(np.exp(-4.5 * np.maximum(wide, 0) - 7 * np.maximum(narrow, 0)), 0.25).astype(np.float32)
