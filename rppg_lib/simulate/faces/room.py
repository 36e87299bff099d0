"""What is around a face: the room behind, shoulders, neck and long hair."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from ..chance import stream
from .looks import Look
from .project import PIVOT, Pose, grid_over

CLOTHES = np.array([[0.03, 0.04, 0.07], [0.3, 0.3, 0.32], [0.16, 0.03, 0.035], [0.03, 0.09, 0.07], [0.08, 0.12, 0.22],
                    [0.02, 0.02, 0.022]])
NECK_DEPTH = -0.2                        # of the neck's axis behind that of the head
BEHIND = np.array([0, 0, -0.3])          # where long hair hangs
COLLAR = 1.93                            # height where the neck goes into clothes


def room(look: Look, size_px: tuple[int, int], centre: tuple[float, float], unit_px: float) -> np.ndarray:
    """Paint room and shoulders, ``(H, W, 3)`` linear light."""
    width, height = size_px
    rng = stream(look.seed, "room", look.family)
    across = (np.arange(width, dtype=np.float32) - centre[0]) / unit_px
    down = (np.arange(height, dtype=np.float32) - centre[1]) / unit_px
    wall = rng.uniform(0.12, 0.45) * np.exp(rng.normal(0, 0.12, 3))
    slope = rng.uniform(-0.12, 0.12, 2)
    shade = 1 + np.clip(slope[0] * across[None] + slope[1] * down[:, None], -0.6, 0.8)
    picture = (shade[..., None] * wall).astype(np.float32)
    if look.room == "window":
        left = rng.uniform(-4, 1.5)
        pane = np.clip((1.3 - np.abs(across - left)[None]) * 6, 0, 1) * np.clip((0.6 - down[:, None]) * 6, 0, 1)
        picture += pane[..., None] * (np.float32([0.6, 0.68, 0.8]) - picture)
    for _ in range(int(rng.integers(2, 6)) if look.room == "blocks" else 2):
        at, half = rng.uniform([-4, -3], [4, 2.2]), rng.uniform(0.25, 1.1, 2)
        box = np.clip((half[0] - np.abs(across - at[0])[None]) * 8, 0, 1) * np.clip(
            (half[1] - np.abs(down - at[1])[:, None]) * 8, 0, 1)
        colour = (rng.uniform(0.05, 0.5) * np.exp(rng.normal(0, 0.25, 3))).astype(np.float32)
        picture += 0.8 * box[..., None].astype(np.float32) * (colour - picture)
    picture = cv2.GaussianBlur(picture, (0, 0), max(0.06 * unit_px, 0.3))
    return _shoulders(look, picture, across, down, unit_px)


def _shoulders(look: Look, picture: np.ndarray, across: np.ndarray, down: np.ndarray, unit_px: float) -> np.ndarray:
    x, y = across[None], down[:, None]
    top = 1.72 + 0.62 * np.clip((np.abs(x) - 0.45) / 1.6, 0, 1) ** 1.3 + 3 * np.clip(np.abs(x) - 2.05, 0, None) ** 2
    share = np.clip(0.5 + (y - top) * unit_px * 0.7, 0, 1)[..., None]
    colour = CLOTHES[min(int(look.clothes * 6), 5)]
    fold = 1 + 0.18 * np.sin(5 * x + 2.2 * y) * np.exp(-np.abs(x)) - 0.25 * np.clip(np.abs(x) - 1, 0, 1) - 0.3 * np.exp(
        -((y - top) / 0.05) ** 2)
    return (picture + share * (fold[..., None] * colour - picture)).astype(np.float32)


def lay(picture: np.ndarray, box: tuple[slice, slice], layer: np.ndarray, share: np.ndarray) -> None:
    """Lay a layer over a box of the picture, where its share is above 0."""
    part = picture[box]
    part[:] = cv2.blendLinear(layer, np.ascontiguousarray(part), share, 1 - share)


@dataclass(frozen=True, eq=False)
class Neck:
    """The neck on a grid of its own, made once; it goes half the way of the head and turns a little with it."""

    x: np.ndarray                        # (w,) in half face widths from the neck's middle
    y: np.ndarray                        # (h,) downwards from the height of the eyes
    point: np.ndarray                    # (h, w, 3)
    surface: np.ndarray                  # (h, w, 4) normals and hollows
    deep: np.ndarray                     # (h, w) how far inside the outline

    def place(self, where: Pose, centre: tuple[float, float], unit_px: float) -> tuple[np.ndarray, float]:
        """Return the matrix (2, 3) from the neck's x and y to pixels, and pixels per half face width."""
        scale = 0.5 * (where.unit_px + unit_px)
        at = 0.5 * (where.shift + np.array(centre))
        lean = float(where.shift[0] + where.unit_px * PIVOT[0] - at[0])      # of its upper end, where the head turns
        return np.array([[scale, -lean, at[0] + 1.9 * lean], [0, scale, at[1]]]), scale

    def seen_by(self, where: Pose, place: np.ndarray) -> np.ndarray:
        """Return its points in the coordinates of the head."""
        turn = np.eye(3)
        turn[:2, :2] = place[:, :2] / where.unit_px
        shift = np.array([*((place[:, 2] - where.shift) / where.unit_px), 0.0]) - PIVOT
        matrix, offset = where.turn.T @ turn, where.turn.T @ shift + PIVOT
        return (self.point.reshape(-1, 3) @ matrix.T.astype(np.float32) + offset.astype(np.float32)).reshape(
            self.point.shape)

    def lay(self, picture: np.ndarray, place: np.ndarray, scale: float, skin: np.ndarray) -> None:
        """Lay it, with these colours ``(h, w, 3)``, where it is placed."""
        height, width = picture.shape[:2]
        x, y = np.array([self.x[0], self.x[-1]]), np.array([self.y[0], self.y[-1]])
        across, down = place[0, 0] * x[:, None] + place[0, 1] * y + place[0, 2], place[1, 1] * y + place[1, 2]
        grid = grid_over((across.min(), down[0], across.max(), down[1]), (width, height), 1)
        if grid is None:
            return
        step = float(self.x[1] - self.x[0])
        matrix = place * step
        matrix[:, 2] = across[0, 0] - grid.left, down[0] - grid.top
        skin, deep = (cv2.warpAffine(part, matrix, (grid.width, grid.height), borderMode=cv2.BORDER_REPLICATE)
                      for part in (skin, self.deep))
        lay(picture, grid.box, skin, np.clip(0.5 + 0.7 * scale * deep, 0, 1))


def neck(look: Look, unit_px: float, step_px: float) -> Neck:
    """Make a neck, with a point every ``step_px`` pixels."""
    step = step_px / unit_px
    x = np.arange(2 * math.ceil(1.1 / step)) * step
    x, y = x - x.mean(), 0.6 + np.arange(2 * math.ceil(0.8 / step)) * step
    across, down = (part.astype(np.float32) for part in np.meshgrid(x, y))
    half = 0.56 * look.width * (1 + 0.3 * look.jaw) + 0.5 * np.clip(down - 1.62, 0, 1) ** 1.5
    collar = COLLAR + 0.2 * np.clip(1 - (across / 0.75) ** 2, -1, 1)
    deep = np.minimum(np.minimum(half - np.abs(across), collar - down), down - 0.65)
    to_side = np.clip(across / half, -1, 1)
    to_front = np.sqrt(1 - to_side**2)
    cords = 0.1 * np.exp(-((np.abs(across) - 0.3 + 0.12 * (down - 1.2)) / 0.09) ** 2)
    hollow = np.clip(0.5 + 0.6 * (down - 1.15), 0.45, 0.9) - cords
    maps = np.dstack([across, down, to_front * half + NECK_DEPTH, to_side, 0 * down, to_front, hollow])
    maps = np.ascontiguousarray(maps.astype(np.float32))
    return Neck(x, y, np.ascontiguousarray(maps[..., :3]), np.ascontiguousarray(maps[..., 3:]),
                deep.astype(np.float32))


@dataclass(frozen=True, eq=False)
class LongHair:
    """Hair that falls behind the head, made once; it moves, leans and grows with the head."""

    colour: np.ndarray                   # (h, w, 3)
    share: np.ndarray                    # (h, w)
    origin: tuple[float, float]          # pixel of the head's origin

    def lay(self, picture: np.ndarray, where: Pose, scale: float, gain: np.ndarray) -> None:
        """Lay it behind a head ``scale`` times as large as when it was made."""
        cos, sin = where.turn[:2, 0] * (scale / max(math.hypot(*where.turn[:2, 0]), 1e-6))
        x, y = where.to_picture(BEHIND)
        move = np.array([[cos, -sin, x - cos * self.origin[0] + sin * self.origin[1]],
                         [sin, cos, y - sin * self.origin[0] - cos * self.origin[1]]])
        h, w = self.share.shape
        corners = move @ [[0, w, 0, w], [0, 0, h, h], [1, 1, 1, 1]]
        grid = grid_over((*corners.min(1), *corners.max(1)), picture.shape[1::-1], 1)
        if grid is None:
            return
        move[:, 2] -= (grid.left, grid.top)
        size = (grid.width, grid.height)
        lay(picture, grid.box, cv2.warpAffine(self.colour, move, size, borderMode=cv2.BORDER_REPLICATE) * gain,
            cv2.warpAffine(self.share, move, size))


def long_hair(look: Look, colour: np.ndarray, unit_px: float) -> LongHair:
    """Paint long hair."""
    reach = 1.6
    across, below = int(2 * reach * unit_px) + 2, int(3.4 * unit_px) + 2
    x = ((np.arange(across) - across / 2) / unit_px).astype(np.float32)[None]
    y = ((np.arange(below) / unit_px) - 1.3).astype(np.float32)[:, None]
    rng = stream(look.seed, "long hair")
    ends = 1.55 + 0.35 * rng.random()
    wave = 0.04 * np.sin(4.5 * y + 6 * rng.random())
    half = 1.1 * look.width + look.hair_thickness * 0.8 + 0.1 * np.clip(y / ends, 0, 1) + wave
    half = np.where(y < 0, (1.1 * look.width + 0.8 * look.hair_thickness) * np.sqrt(
        np.clip(1 - (y / 1.3) ** 2, 0, 1)) + wave * (1 + y / 1.3), half)
    share = np.clip(0.5 + (half - np.abs(x)) * unit_px * 0.4, 0, 1) * np.clip(0.5 + (ends - y) / 0.12, 0, 1)
    strands = cv2.GaussianBlur(rng.standard_normal((below, across)).astype(np.float32), (0, 0), sigmaX=max(
        0.012 * unit_px, 0.5), sigmaY=max(0.2 * unit_px, 0.5))
    strands *= 0.3 / max(float(strands.std()), 1e-6)
    dark = 0.5 - 0.28 * np.exp(-((np.abs(x) - 0.55) / 0.35) ** 2)
    return LongHair(((np.exp(strands) * dark)[..., None] * colour).astype(np.float32), share.astype(np.float32),
                    (across / 2, 1.3 * unit_px))
