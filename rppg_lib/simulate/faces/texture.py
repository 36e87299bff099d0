"""The surface of a face as maps over direction and height: colour, blood, gloss, and where skin is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..people import BARE_SKIN, BLOOD_ABSORBS, MELANIN_ABSORBS, Person
from .head import COLUMNS, ROWS, Head, bump

LATEST_S = 0.04                          # the pulse reaches the last skin this much later than the first
HAIR = np.array([[0.42, 0.29, 0.15], [0.26, 0.1, 0.04], [0.13, 0.075, 0.042], [0.05, 0.03, 0.02], [0.3, 0.29, 0.28],
                 [0.02, 0.016, 0.014]])  # blond, red, light brown, brown, grey, black; linear R-G-B


@dataclass(frozen=True, eq=False)
class Surface:
    """Maps of ``ROWS`` x ``COLUMNS``."""

    albedo: np.ndarray                   # (..., 3) linear
    skin: np.ndarray                     # 0..1 share of skin with a pulse
    perfusion: np.ndarray                # relative, mean 1 over the skin that is seen from the front
    delay_s: np.ndarray
    gloss: np.ndarray                    # relative
    hair_colour: np.ndarray              # (3,)


def noise(rng: np.random.Generator, sigma_x: float, sigma_y: float) -> np.ndarray:
    """Smooth random map of unit spread; coarse noise is drawn coarse and enlarged."""
    factor = max(int(min(sigma_x, sigma_y) // 2), 1)
    small = rng.standard_normal((ROWS // factor + 1, COLUMNS // factor + 1), dtype=np.float32)
    small = cv2.GaussianBlur(small, (0, 0), sigmaX=sigma_x / factor, sigmaY=sigma_y / factor,
                             borderType=cv2.BORDER_REFLECT)
    full = cv2.resize(small, (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR)
    return (full - full.mean()) / full.std()


def hair_colour(who: Person, shade: float) -> np.ndarray:
    """Colour of hair usual at this tone: dark skin has dark hair, some people are grey."""
    usual = HAIR[[0, 1, 2, 3, 4]] if who.melanin < 0.3 else HAIR[[2, 3, 3, 5, 4]] if who.melanin < 0.6 else HAIR[
        [3, 5, 5, 5, 4]]
    return usual[min(int(shade * 5), 4)]


def surface(who: Person, head: Head, rng: np.random.Generator) -> Surface:
    """Paint the face of a person on a head, without eyes and mouth."""
    look, x, y = head.look, head.x, head.y[:, None]
    coarse, fine, pores = noise(rng, 30, 30), noise(rng, 2, 2), noise(rng, 0.7, 0.7)
    side = np.abs(x)
    flush = 0.12 * bump(side, y, (0.52, 0.42), (0.2, 0.2)) + 0.1 * bump(x, y, (0, look.nose_length), (0.14, 0.1))
    flush += 0.15 * np.exp(-((np.abs(head.theta) - 1.62) / 0.2) ** 4) * np.exp(-((y - 0.12) / 0.3) ** 4)
    blood = who.haemoglobin + flush + 0.05 * coarse + 0.04 * fine
    melanin = who.melanin * (1 + 0.06 * coarse) + (0.012 + 0.016 * who.melanin) * fine + 0.02 * pores
    melanin = melanin + _marks(head, rng, who, pores)
    albedo = np.exp(-melanin[..., None] * MELANIN_ABSORBS.astype(np.float32)
                    - np.maximum(blood, 0)[..., None] * BLOOD_ABSORBS.astype(np.float32))
    albedo *= BARE_SKIN.astype(np.float32)
    skin = np.ones((ROWS, COLUMNS), np.float32)
    colour = hair_colour(who, look.hair_shade)
    strands = np.exp(0.3 * noise(rng, 1.0, 9) + 0.12 * noise(rng, 5, 30))
    for mask, paint in _layers(head, colour, strands, fine, pores):
        albedo += mask[..., None] * (paint - albedo)
        skin *= 1 - np.clip(1.6 * mask, 0, 1)                  # skin that shows through hair has no say
    if look.photo is not None:
        albedo = look.photo.over(albedo, who.skin)
        skin += look.photo.cover * (look.photo.skin - skin)
    perfusion = (0.65 + 0.4 * bump(x, y, (0, -0.55), (0.5, 0.25)) + 0.35 * bump(side, y, (0.5, 0.42), (0.22, 0.25))
                 + 0.1 * noise(rng, 25, 25))
    perfusion *= 1 - 0.35 / (1 + np.exp(-(y - 1.05) / 0.06))
    delay = np.clip(0.02 + 0.25 * 0.04 * noise(rng, 60, 60) - 0.008 * bump(x, y, (0, 0.4), (0.6, 0.5)), 0, LATEST_S)
    gloss = 0.7 + 0.5 * bump(x, y, (0, -0.55), (0.45, 0.2)) + 0.7 * bump(x, y, (0, 0.4), (0.1, 0.3)) + 0.4 * bump(
        side, y, (0.5, 0.33), (0.2, 0.15))
    gloss = gloss * (0.15 + 0.85 * skin) * (1 - 0.75 * bump(side, y, (look.eye_at, 0), (0.17, 0.07)))
    return Surface(albedo.astype(np.float32), skin, _normalised(np.clip(perfusion, 0.2, 2), skin, head),
                   delay.astype(np.float32), gloss.astype(np.float32), colour)


def _normalised(perfusion: np.ndarray, skin: np.ndarray, head: Head) -> np.ndarray:
    """Scale the map to a mean of 1 over the skin as it is seen from the front."""
    seen = np.maximum(np.cos(head.theta), 0) * skin * ((head.y > -1.2) & (head.y < 1.4))[:, None]
    return (perfusion * (seen.sum() / (seen * perfusion).sum())).astype(np.float32)


def _marks(head: Head, rng: np.random.Generator, who: Person, pores: np.ndarray) -> np.ndarray:
    """Freckles, wrinkles and the shadows below the eyes, as more melanin."""
    look, x, y = head.look, head.x, head.y[:, None]
    side = np.abs(x)
    marks = 0.1 * bump(side, y, (look.eye_at - 0.02, 0.15), (0.17, 0.05))
    if look.freckles:
        spots = np.clip(noise(rng, 1.4, 1.4) - 1.9, 0, 0.8)
        marks = marks + 0.45 * look.freckles * spots * bump(side, y, (0.35, 0.35), (0.35, 0.25))
    lines = sum(np.exp(-0.5 * ((y - at - 0.03 * np.cos(3 * x + at * 9)) / 0.009) ** 2) for at in (-0.72, -0.6, -0.49))
    marks = marks + 0.12 * look.wrinkles * lines * bump(x, y, (0, -0.6), (0.38, 0.5))
    fold = side - (0.24 + 0.22 * np.clip((y - look.nose_length) / 0.35, 0, 1.3))
    marks = marks + (0.05 + 0.16 * look.wrinkles) * np.exp(-0.5 * (fold / 0.018) ** 2) * bump(0, y, (0, 0.8), (1, 0.1))
    crow = sum(np.exp(-0.5 * ((y - 0.02 - slope * (side - 0.7)) / 0.008) ** 2) for slope in (-0.5, 0.1, 0.6))
    marks = marks + 0.14 * look.wrinkles * crow * bump(side, 0, (0.78, 0), (0.05, 1))
    return marks


def _layers(head: Head, hair: np.ndarray, strands: np.ndarray, fine: np.ndarray,
            pores: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return mask and paint of everything that lies on the skin, from the lowest up."""
    look, x, y = head.look, head.x, head.y[:, None]
    side, n = np.abs(x), look.nose_length
    dark = head.look.hair_shade
    hair_paint = hair.astype(np.float32) * strands[..., None]
    layers = []
    if look.beard:
        layers.append((look.beard * _beard(look, side, y, fine + 0.6 * pores), 0.8 * hair_paint))
    nostril = bump(side, y, (0.085 * look.nose_width, n + 0.055), (0.03, 0.014))
    layers.append((0.75 * np.clip(1.2 * nostril, 0, 1), np.float32([0.05, 0.022, 0.016])))
    crease = np.exp(-0.5 * ((np.hypot((side - 0.17 * look.nose_width) / 0.9, y - n + 0.01) - 0.075) / 0.014) ** 2)
    crease = crease * np.clip((side - 0.16 * look.nose_width) / 0.05, 0, 1) * bump(0, y, (0, n), (1, 0.06))
    layers.append((0.35 * crease, np.float32([0.1, 0.04, 0.03])))
    xi = (side - look.eye_at + 0.01) / 0.31                               # brow from inner to outer end: -1 to 1
    middle = look.brow_at - 0.035 * (1 - (xi - 0.25) ** 2) + 0.03 * np.clip(xi - 0.3, 0, 1) - 0.2 * look.eye_tilt * xi
    half = look.brow_thickness * (1.15 - 0.55 * np.clip(xi, -0.6, 1)) * np.clip(2.2 * (1 - np.abs(xi)), 0, 1) ** 0.5
    brow = np.clip(0.5 + (half - np.abs(y - middle) + 0.008 * fine) / 0.03, 0, 1) * (np.abs(xi) < 1)
    brow_paint = np.minimum(hair, 0.16 - 0.08 * dark).astype(np.float32) * 0.45 * strands[..., None]
    layers.append((look.brow_density * brow * (1 - 0.25 * np.clip(fine, -1, 1) ** 2), brow_paint))
    layers.append((head.hair * np.clip(0.93 + 0.07 * fine, 0, 1), hair_paint))
    if look.glasses:
        layers.append(_rims(look, side, y, head.theta))
    return [(mask.astype(np.float32), paint) for mask, paint in layers]


def _beard(look, side: np.ndarray, y: np.ndarray, grain: np.ndarray) -> np.ndarray:
    mouth = look.mouth_at
    top = mouth - 0.17 - 0.55 * np.clip(side - 0.42, 0, 1) ** 1.2
    mask = np.clip(0.5 + (y - top + 0.02 * grain) / 0.1, 0, 1) * np.clip((1.25 - side) / 0.2, 0, 1)
    mask = mask * np.clip((UNDER_BEARD - y) / 0.1, 0, 1)
    lips = np.hypot(side / (look.mouth_width + 0.05), (y - mouth - 0.01) / (0.1 * max(look.lips, 0.8) + 0.02))
    return mask * np.clip((lips - 0.9) / 0.35, 0, 1) * np.clip(0.85 + 0.15 * grain, 0, 1)


UNDER_BEARD = 1.6


def _rims(look, side: np.ndarray, y: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    around = ((np.abs(side - 0.46) / 0.31) ** 3.5 + (np.abs(y - 0.03) / 0.225) ** 3.5) ** (1 / 3.5)
    rim = np.clip(0.5 + (0.022 - np.abs(around - 1) * 0.26) / 0.016, 0, 1)
    bridge = np.clip(0.5 + (0.016 - np.abs(y + 0.03 + 0.25 * side**2)) / 0.016, 0, 1) * (side < 0.17)
    temple = np.clip(0.5 + (0.02 - np.abs(y + 0.04)) / 0.016, 0, 1) * ((side > 0.76) & (np.abs(theta) < 1.6))
    mask = np.maximum(np.maximum(rim * (side < 0.9), bridge), temple)
    return mask, np.float32([0.03, 0.025, 0.025]) + np.float32(0.12 * (1 - look.glasses))
