"""What is around a face: the room behind, shoulders, neck and long hair."""

from __future__ import annotations

import cv2
import numpy as np

from ..chance import stream
from .look import Look

CLOTHES = np.array([[0.03, 0.04, 0.07], [0.3, 0.3, 0.32], [0.16, 0.03, 0.035], [0.03, 0.09, 0.07], [0.08, 0.12, 0.22],
                    [0.02, 0.02, 0.022]])
NECK_DEPTH = -0.2                        # of the neck's axis behind that of the head
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


def neck_outline(look: Look, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far inside the neck points lie, and its half width there. ``x``, ``y`` from the head's origin."""
    half = 0.56 * look.width * (1 + 0.3 * look.jaw) + 0.5 * np.clip(y - 1.62, 0, 1) ** 1.5
    collar = COLLAR + 0.2 * np.clip(1 - (x / 0.75) ** 2, -1, 1)
    return np.minimum(np.minimum(half - np.abs(x), collar - y), y - 0.6), half


def long_hair(look: Look, colour: np.ndarray, unit_px: float) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Hair that falls behind the head: colour, share, and the pixel of the head's origin in it."""
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
    return ((np.exp(strands) * dark)[..., None] * colour).astype(np.float32), share.astype(np.float32), (
        across / 2, 1.3 * unit_px)
