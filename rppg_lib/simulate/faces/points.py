"""Named points of a simulated face, exact because they are points of its surface."""

from __future__ import annotations

import numpy as np

from .eyes import GAZE_X, GAZE_Y, lid_curves, mouth_curves
from .head import BOTTOM, TOP, Head, jaw_fall

LANDMARKS = (
    "left eye outer", "left eye inner", "right eye inner", "right eye outer", "left iris", "right iris",
    "left upper lid", "right upper lid", "left lower lid", "right lower lid", "left brow", "right brow",
    "left mouth corner", "right mouth corner", "upper lip", "lower lip", "nose tip", "left nose wing",
    "right nose wing", "chin", "left jaw", "right jaw", "left temple", "right temple", "forehead", "left cheek",
    "right cheek")
"""Points of the face; left and right are those of the person, whose left is on the right of the picture."""


def fallen(y: np.ndarray, gap: float, mouth_at: float) -> np.ndarray:
    """Return the heights of points of the shut face when the lips are ``gap`` apart."""
    if not gap:
        return y
    now = np.linspace(TOP, BOTTOM, 2001)
    return np.interp(y, now - jaw_fall(now, gap, mouth_at), now)


def landmark_spots(head: Head, blink: float, gap: float, gaze: np.ndarray) -> list[tuple[float, float]]:
    """Return direction and height, on the shut face, of each of :data:`LANDMARKS`."""
    look = head.look
    eye, wide, mouth = look.eye_at, look.eye_width, look.mouth_at
    upper, lower = (float(c) for c in lid_curves(look, np.array(0.0), blink))
    top, _, _, bottom = (float(c) for c in mouth_curves(look, np.array(0.0), gap))
    corner = float(mouth_curves(look, np.array(1.0), gap)[1])
    slant = -0.5 * look.eye_tilt
    sides = {"eye outer": (eye + wide, slant), "eye inner": (eye - wide, -slant), "upper lid": (eye, upper),
             "lower lid": (eye, lower), "brow": (eye, look.brow_at - 0.03),
             "mouth corner": (look.mouth_width, corner), "nose wing": (0.2 * look.nose_width, look.nose_length),
             "jaw": (0.72, 0.95), "temple": (0.85, -0.3), "cheek": (0.5, 0.42)}
    places = {"upper lip": (0, top), "lower lip": (0, bottom), "nose tip": (0, look.nose_length - 0.02),
              "chin": (0, mouth + 0.5), "forehead": (0, -0.6)}
    for name, (x, y) in sides.items():
        places[f"left {name}"], places[f"right {name}"] = (x, y), (-x, y)
    spots = {name: (head.theta_at(x, y), y) for name, (x, y) in places.items()}
    for side, name in ((1, "left iris"), (-1, "right iris")):
        spots[name] = (head.theta_at(side * eye, -0.012) + GAZE_X * float(gaze[0]), -0.012 + GAZE_Y * float(gaze[1]))
    return [spots[name] for name in LANDMARKS]


def region_maps(head: Head) -> dict[str, np.ndarray]:
    """Return maps of forehead and cheeks, soft boxes of 0 to 1; left and right are those of the person."""
    x, y = head.x, head.y[:, None]

    def box(at: tuple[float, float], half: tuple[float, float]) -> np.ndarray:
        return (np.clip((half[0] - np.abs(x - at[0])) / 0.03 + 0.5, 0, 1)
                * np.clip((half[1] - np.abs(y - at[1])) / 0.03 + 0.5, 0, 1)).astype(np.float32)

    low = head.look.brow_at - 0.12
    return {"forehead": box((0, low - 0.17), (0.48, 0.17)), "left cheek": box((0.5, 0.42), (0.2, 0.22)),
            "right cheek": box((-0.5, 0.42), (0.2, 0.22))}
