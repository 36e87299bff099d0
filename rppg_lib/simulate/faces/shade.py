"""Light on skin: a lamp with soft shadows, light from all around, gloss, and blood that comes and goes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..people import Person
from .look import Look
from .project import Solid

WRAP = 0.35                              # light reaches around the edge of soft skin
SHADOW_AT = np.array([0.07, 0.14, 0.24, 0.38, 0.58, 0.85], np.float32)   # how far towards the lamp things may hide it
SHADOW_DEPTH = 0.7                       # share of the lamp that a shadow takes
USUAL_GLOSS = 0.02


@dataclass(frozen=True, eq=False)
class Light:
    """The light of one frame, in head coordinates."""

    lamp: np.ndarray                     # (3,) unit, to the lamp
    up: np.ndarray                       # (3,) unit
    view: np.ndarray                     # (3,) unit, to the camera
    colour: np.ndarray                   # (3,) linear, exposure included
    key: float
    ambient: float


def light_on(look: Look, turn: np.ndarray, lamp: np.ndarray, colour: np.ndarray) -> Light:
    """Return the light as a head that is turned sees it."""
    size = float(np.linalg.norm(lamp))
    to_lamp = np.asarray(lamp, float) / size if size > 1e-9 else np.array([0.0, 0, 1])
    warm = np.array([1 + max(-look.warmth, 0) * -0.6, 1 - 0.35 * abs(look.warmth), 1 - max(look.warmth, 0)])
    return Light(turn.T @ to_lamp, turn.T @ np.array([0.0, -1, 0]), turn.T @ np.array([0.0, 0, 1]),
                 np.asarray(colour, float) * warm, look.key, look.ambient)


def shadow(shape: Solid, point: tuple[np.ndarray, np.ndarray, np.ndarray], lamp: np.ndarray) -> np.ndarray:
    """Return the share of the lamp that the head hides from points near it, softer the farther away what hides it."""
    h, w = point[0].shape
    small = (max(w // 2, 1), max(h // 2, 1))
    at = [cv2.resize(p, small, interpolation=cv2.INTER_LINEAR) for p in point]
    steps = SHADOW_AT[:, None, None]
    probes = [(p[None] + steps * np.float32(d)).reshape(-1, small[0]) for p, d in zip(at, lamp)]
    depth = shape.inside(*probes).reshape(len(SHADOW_AT), small[1], small[0])
    hidden = np.clip(depth / (0.05 + 0.25 * steps) - 0.05, 0, 1).max(0)
    return cv2.resize(cv2.GaussianBlur(hidden, (0, 0), 0.8), (w, h), interpolation=cv2.INTER_LINEAR)


def shine(normal: tuple[np.ndarray, np.ndarray, np.ndarray], hollow: np.ndarray, hidden: np.ndarray,
          light: Light) -> tuple[np.ndarray, np.ndarray]:
    """Return diffuse light and highlight at points with these normals."""
    nx, ny, nz = normal

    def along(direction: np.ndarray) -> np.ndarray:
        a, b, c = (np.float32(v) for v in direction)
        return nx * a + ny * b + nz * c

    lit = (1 - SHADOW_DEPTH * hidden) * np.float32(light.key)
    diffuse = np.maximum((along(light.lamp) + WRAP) / (1 + WRAP), 0) * lit * (0.35 + 0.65 * hollow)
    diffuse += np.float32(light.ambient) * (0.72 + 0.28 * along(light.up)) * hollow
    half = light.lamp + light.view
    facing = np.maximum(along(half / max(np.linalg.norm(half), 1e-6)), 0)
    broad = facing * facing
    broad = broad * broad * broad                                            # 6
    sharp = broad * broad * broad * np.maximum(facing, 0.2) ** 4             # 22
    return diffuse, lit * (0.11 * sharp + 0.05 * broad)


def blood(who: Person, perfusion: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """Return the factor ``(..., 3)`` on light from within the skin: below 1 while there is more blood."""
    colour = np.asarray(who.pulse_colour) / who.pulse_colour[1] * who.perfusion
    return 1 - (perfusion * wave)[..., None] * colour.astype(np.float32)


def ita_deg(linear_rgb: np.ndarray) -> np.ndarray:
    """Individual typology angle of colours: large for light skin, negative for dark (Chardot et al. 1991).

    Args:
        linear_rgb: ``(..., 3)`` linear light with the primaries of sRGB, white = 1.

    Returns:
        ``(...)`` degrees: ``atan2(L* - 50, b*)`` under daylight D65.

    >>> bool(abs(ita_deg([0.184, 0.184, 0.15])) < 5)                          # middle grey, a little yellow
    True
    """
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])
    xyz = np.asarray(linear_rgb, float) @ to_xyz.T / to_xyz.sum(1)
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    lightness, blue_yellow = 116 * root[..., 1] - 16, 200 * (root[..., 1] - root[..., 2])
    return np.degrees(np.arctan2(lightness - 50, blue_yellow))
