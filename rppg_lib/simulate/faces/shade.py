"""Light on skin: a lamp with soft shadows, light from all around, gloss, and blood that comes and goes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from ..people import Person
from .looks import Look
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
    x, y, z = (float(v) for v in lamp)
    size = math.sqrt(x * x + y * y + z * z)
    to_lamp = np.array([x, y, z]) / size if size > 1e-9 else np.array([0.0, 0, 1])
    warm = np.array([1 + max(-look.warmth, 0) * -0.6, 1 - 0.35 * abs(look.warmth), 1 - max(look.warmth, 0)])
    return Light(to_lamp @ turn, -turn[1], turn[2], np.asarray(colour, float) * warm, look.key, look.ambient)


def shadow(shape: Solid, point: np.ndarray, lamp: np.ndarray) -> np.ndarray:
    """Return the share of the lamp that the head hides from points ``(h, w, 3)`` near it.

    The farther away what hides it, the softer. Height and width are even: four neighbours share one probe.
    """
    h, w = point.shape[:2]
    at = cv2.resize(point, (w // 2, h // 2), interpolation=cv2.INTER_LINEAR).transpose(2, 0, 1)[:, None]
    steps = SHADOW_AT[:, None, None]
    probes = at + steps * np.asarray(lamp, np.float32)[:, None, None, None]
    depth = shape.inside(*np.ascontiguousarray(probes).reshape(3, -1, w // 2)).reshape(probes.shape[1:])
    hidden = (depth * (1 / (0.05 + 0.25 * steps))).max(0) - np.float32(0.05)
    hidden = cv2.GaussianBlur(np.minimum(np.maximum(hidden, 0), 1), (0, 0), 0.8)
    return cv2.resize(hidden, (w, h), interpolation=cv2.INTER_LINEAR)


def shine(surface: np.ndarray, hidden: np.ndarray, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """Return diffuse light and highlight at points of a surface ``(h, w, 4 or more)``: normals and hollows."""
    half = light.lamp + light.view
    half = half / max(math.sqrt(half @ half), 1e-6)
    h, w, count = surface.shape
    directions = np.zeros((3, count), np.float32)
    directions[:, :3] = light.lamp, light.up, half
    lamp, up, facing = (directions @ surface.reshape(-1, count).T).reshape(3, h, w)
    hollow = np.ascontiguousarray(surface[..., 3])
    lit = light.key - (SHADOW_DEPTH * light.key) * hidden
    diffuse = np.maximum(lamp + WRAP, 0) * lit * (0.35 / (1 + WRAP) + (0.65 / (1 + WRAP)) * hollow)
    diffuse += (0.72 * light.ambient + (0.28 * light.ambient) * up) * hollow
    facing = np.maximum(facing, 0)
    broad = facing * facing
    broad = broad * broad * broad                                            # 6
    fourth = np.maximum(facing, 0.2)
    fourth = fourth * fourth
    sharp = broad * broad * broad * (fourth * fourth)                        # 22
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
