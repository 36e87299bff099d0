"""What moves on a face's surface: lids, eyeballs and mouth, painted over small windows of its maps."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..people import Person
from .head import BOTTOM, COLUMNS, JAW_OPENS, ROWS, TOP, Head
from .looks import Look

EYE_LEVELS, MOUTH_LEVELS = 9, 13
UPPER_LID, LOWER_LID = 0.105, 0.052
SHUT_AT = 0.8                            # of the lower lid's curve: where the upper lid meets it
GAZE_X, GAZE_Y = 0.07, 0.035             # how far the iris moves at a gaze of 1
IRIS, PUPIL = 0.088, 0.036
LASHES = np.array([0.025, 0.018, 0.015])           # colours, linear R-G-B
DARK, TONGUE = np.array([0.05, 0.018, 0.016]), np.array([0.16, 0.05, 0.05])
TEETH = np.array([0.45, 0.41, 0.35])


@dataclass(frozen=True, eq=False)
class Patch:
    """A window of the maps that changes: between two levels it is mixed."""

    rows: slice
    columns: slice
    cover: np.ndarray                    # (levels, h, w, 3) colour of everything but the eyeball, times its share
    skin: np.ndarray                     # (levels, h, w) what is left of the skin's share
    hole: np.ndarray                     # (levels, h, w) share of the eyeball, or 0
    ball: np.ndarray | None              # (h, w, 3) eyeball that looks straight ahead
    gaze_px: tuple[float, float]         # texels at a gaze of 1

    def paint(self, opening: float, gaze: tuple[float, float], albedo: np.ndarray, skin: np.ndarray) -> None:
        """Put the patch into the maps, ``opening`` of the way from its first level to its last."""
        at = min(max(opening, 0.0), 1.0) * (len(self.cover) - 1)
        low = min(int(at), len(self.cover) - 2)
        share = float(at - low)

        def mix(levels: np.ndarray) -> np.ndarray:
            return cv2.addWeighted(levels[low], 1 - share, levels[low + 1], share, 0)

        colour = mix(self.cover)
        if self.ball is not None:
            h, w = self.ball.shape[:2]
            move = np.float32([[1, 0, gaze[0] * self.gaze_px[0]], [0, 1, gaze[1] * self.gaze_px[1]]])
            ball = cv2.warpAffine(self.ball, move, (w, h), borderMode=cv2.BORDER_REPLICATE)
            colour += mix(self.hole)[..., None] * ball
        albedo[self.rows, self.columns] = colour
        skin[self.rows, self.columns] = mix(self.skin)

    def smaller(self, factor: int, sigma: float, albedo: np.ndarray, skin: np.ndarray) -> Patch:
        """Return the patch for maps that were blurred by ``sigma`` texels and made smaller by a whole factor."""
        def shrink(levels: np.ndarray) -> np.ndarray:
            blurred = [cv2.GaussianBlur(level, (0, 0), sigma) for level in levels]
            return np.stack([cv2.resize(level, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
                             for level in blurred])

        rows, columns = (slice(s.start // factor, s.stop // factor) for s in (self.rows, self.columns))
        return Patch(rows, columns, shrink(self.cover), shrink(self.skin), shrink(self.hole),
                     None if self.ball is None else shrink(self.ball[None])[0],
                     (self.gaze_px[0] / factor, self.gaze_px[1] / factor))


def _soft(signed: np.ndarray, width: float = 0.014) -> np.ndarray:
    return np.clip(0.5 + signed / width, 0, 1)


def _over(under: np.ndarray, paint: np.ndarray, share: np.ndarray) -> np.ndarray:
    return under + share[..., None] * (paint - under)


def _window(head: Head, x: float, y: tuple[float, float], half: float) -> tuple[slice, slice]:
    """Rows and columns around a point, on multiples of 8 so that smaller maps have the same window."""
    left, right = sorted((head.theta_at(x - half, sum(y) / 2), head.theta_at(x + half, sum(y) / 2)))
    columns = slice(int(head.column(left)) // 8 * 8, min(-(-int(head.column(right)) // 8) * 8 + 8, COLUMNS))
    rows = slice(int(head.row(y[0])) // 8 * 8, min(-(-int(head.row(y[1])) // 8) * 8 + 8, ROWS))
    return rows, columns


def lid_curves(look: Look, xi: np.ndarray, shut: float) -> tuple[np.ndarray, np.ndarray]:
    """Heights of the upper and lower lid at ``xi`` (-1 to 1 across the eye), relative to its middle."""
    round_ = np.clip(1 - xi**2, 0, 1)
    lower = LOWER_LID * look.eye_height * round_**0.9
    upper = -UPPER_LID * look.eye_height * round_**0.75
    return upper + shut * (SHUT_AT * lower - upper), lower


def eye_patch(who: Person, head: Head, side: int, albedo: np.ndarray, skin: np.ndarray) -> Patch:
    """The eye at the left (-1) or right (1) of the picture; its first level is open, its last shut."""
    look = head.look
    rows, columns = _window(head, side * look.eye_at, (-0.2, 0.14), 0.29)
    x, y = head.x[rows, columns], np.broadcast_to(head.y[rows, None], head.x[rows, columns].shape)
    xi = (x * side - look.eye_at) / look.eye_width                          # -1 at the nose, 1 outside
    dy = y - look.eye_tilt * -0.5 * xi
    upper, lower = lid_curves(look, xi, 0.0)
    around = _soft(dy - upper + 0.03, 0.03) * _soft(lower + 0.03 - dy, 0.03) * _across(look, xi, 1.12, 0.03)
    levels = [_lids(look, xi, dy, shut, albedo[rows, columns]) for shut in np.linspace(0, 1, EYE_LEVELS)]
    covers, holes = (np.stack(part).astype(np.float32) for part in zip(*levels))
    bare = (skin[rows, columns] * (1 - around)).astype(np.float32)          # the same at all levels: a lid has no say
    ball = _ball(who, look, x * side - look.eye_at, y, xi)
    scale = (COLUMNS / (2 * np.pi), ROWS / (BOTTOM - TOP))
    return Patch(rows, columns, covers, bare[None].repeat(EYE_LEVELS, 0), holes, ball.astype(np.float32),
                 (GAZE_X * scale[0], GAZE_Y * scale[1]))


def _across(look: Look, xi: np.ndarray, reach: float, width: float) -> np.ndarray:
    """1 between the corners of an eye, or ``reach`` as far from its middle, 0 beyond."""
    return _soft((reach - np.abs(xi)) * look.eye_width, width)


def _lids(look: Look, xi: np.ndarray, dy: np.ndarray, shut: float, under: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paint lids and lashes on the skin ``under`` them; return them, and the share of the eyeball between them."""
    upper, lower = lid_curves(look, xi, shut)
    inside = _across(look, xi, 1.0, 0.02)
    hole = _soft(dy - upper) * _soft(lower - dy) * inside * (1 - np.clip((shut - 0.85) / 0.15, 0, 1))
    lash = 0.88 * _soft(0.013 * (0.6 + 0.4 * xi) + 0.004 - np.abs(dy - upper + 0.004), 0.012)
    lash = lash * _across(look, xi, 1.06, 0.03)
    fold = upper * (1 - shut) - 0.05 - 0.02 * shut
    crease = 0.4 * np.exp(-0.5 * ((dy - fold) / 0.011) ** 2) * _soft((0.98 - np.abs(xi)) * 0.2, 0.1)
    rim = 0.25 * np.exp(-0.5 * ((dy - lower - 0.006) / 0.009) ** 2) * inside
    shade = np.exp(-0.2 * np.clip((dy - fold) / 0.06, 0, 1) * _soft(upper - dy) * inside)
    lids = _over(under * (shade * (1 - crease) * (1 - rim))[..., None], LASHES, lash)
    shadow = 1 - 0.5 * np.clip(1 - (dy - upper) / 0.05, 0, 1)               # of the lid, on the eyeball
    return (1 - hole[..., None]) * lids, hole * shadow * (1 - lash)


def _ball(who: Person, look: Look, x: np.ndarray, y: np.ndarray, xi: np.ndarray) -> np.ndarray:
    dark = np.clip((who.melanin - 0.4) / 1.75, 0, 1)
    white = np.array([0.62, 0.56, 0.53]) * (0.82 - 0.58 * dark)
    pink = np.clip(np.abs(xi) - 0.6, 0, 1)[..., None]
    colour = white * (1 - 0.25 * xi[..., None] ** 2) * (1 - pink * np.array([0.05, 0.3, 0.3]))
    hue = look.eye_colour * (who.melanin < 0.3)
    iris = (1 - hue) * np.array([0.085, 0.042, 0.02]) + hue * np.array([0.12, 0.17, 0.21])
    iris = iris * (1 - 0.7 * dark)
    out = np.hypot(x, y + 0.012)
    spokes = 1 + 0.25 * np.sin(13 * np.arctan2(y + 0.012, x) + 7 * out / IRIS)
    ring = (1 - 0.6 * np.clip((out / IRIS - 0.75) / 0.25, 0, 1)) * spokes
    colour = colour + _soft(IRIS - out, 0.014)[..., None] * (iris * ring[..., None] - colour)
    colour = colour * (1 - 0.93 * _soft(PUPIL - out, 0.012)[..., None])
    glint = np.exp(-0.5 * (((x + 0.03) / 0.013) ** 2 + ((y + 0.045) / 0.013) ** 2))
    return colour + 0.7 * glint[..., None] * np.ones(3)


def mouth_curves(look: Look, xi: np.ndarray, gap: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Heights at ``xi``: top of the upper lip, its lower edge, top of the lower lip, its lower edge."""
    round_ = np.clip(1 - xi**2, 0, 1)
    seam = look.mouth_at + 0.012 * np.cos(3.2 * xi) - 0.012 * (1 - xi**2)
    opened = seam + gap * round_**0.6
    bow = 0.016 * np.exp(-0.5 * (xi / 0.12) ** 2)
    top = seam - look.lips * (0.072 * round_**0.8 - bow)
    return top, seam, opened, opened + look.lips * 0.088 * round_**0.7


def mouth_patch(who: Person, head: Head, albedo: np.ndarray, skin: np.ndarray) -> Patch:
    """The mouth; its first level is shut, its last wide open."""
    look, mouth = head.look, head.look.mouth_at
    rows, columns = _window(head, 0, (mouth - 0.16, mouth + JAW_OPENS + 0.26), look.mouth_width + 0.08)
    x, y = head.x[rows, columns], np.broadcast_to(head.y[rows, None], head.x[rows, columns].shape)
    xi, under = x / look.mouth_width, albedo[rows, columns]
    across = _soft((1.02 - np.abs(xi)) * look.mouth_width, 0.03)
    tint = np.array([0.92, 0.66, 0.70]) if who.melanin < 1 else np.array([0.95, 0.76, 0.8])
    plain = np.exp(cv2.GaussianBlur(np.log(np.maximum(under, 1e-3)), (0, 0), 3))
    base = who.skin * 0.5 + 0.5 * plain if look.beard < 0.5 else np.broadcast_to(who.skin, plain.shape)
    paint = base * tint * (1 + 0.06 * np.sin(70 * x + 3 * np.sin(9 * y)))[..., None]        # fine upright lines
    covers, skins = [], []
    for gap in np.linspace(0, JAW_OPENS, MOUTH_LEVELS):
        curves = top, seam, opened, bottom = mouth_curves(look, xi, gap)
        hole = _soft(y - seam, 0.012) * _soft(opened - y, 0.012) * across * min(gap / 0.03, 1)
        covers.append(_over(_lips(xi, y, curves, across, paint, under), _mouth_inside(xi, y, seam, opened), hole))
        skins.append(skin[rows, columns] * (1 - _soft(y - top, 0.03) * _soft(bottom - y, 0.03) * across))
    empty = np.zeros((MOUTH_LEVELS, *x.shape), np.float32)
    return Patch(rows, columns, np.stack(covers).astype(np.float32), np.stack(skins).astype(np.float32), empty, None,
                 (0.0, 0.0))


def _lips(xi: np.ndarray, y: np.ndarray, curves: tuple[np.ndarray, ...], across: np.ndarray, paint: np.ndarray,
          under: np.ndarray) -> np.ndarray:
    """Paint lips on the skin ``under`` them, with the line between them, their corners and their shadow."""
    top, seam, opened, bottom = curves
    lips = _soft(y - top, 0.02) * _soft(bottom - y, 0.025) * across
    shape = 1 - 0.22 * np.clip((seam - y) / 0.07, 0, 1) * (y < seam) + 0.08 * ((y > opened) & (y < bottom))
    line = np.exp(-0.5 * ((y - seam) / 0.01) ** 2) * _soft((1.04 - np.abs(xi)) * 0.37, 0.03)
    corner = np.exp(-0.5 * (((np.abs(xi) - 1) / 0.07) ** 2 + ((y - seam) / 0.02) ** 2))
    below = np.exp(-0.5 * ((y - bottom - 0.035) / 0.03) ** 2) * _soft((0.8 - np.abs(xi)) * 0.37, 0.2)
    dark = (1 - 0.7 * np.maximum(line, 0.8 * corner)) * (1 - 0.16 * below)
    return _over(under, paint * shape[..., None], 0.85 * lips) * dark[..., None]


def _mouth_inside(xi: np.ndarray, y: np.ndarray, seam: np.ndarray, opened: np.ndarray) -> np.ndarray:
    """Paint what an open mouth shows: the upper teeth, the tongue, and the dark behind."""
    teeth = _soft(0.075 - (y - seam), 0.02) * _soft((0.72 - np.abs(xi)) * 0.37, 0.08)
    tongue = _soft(y - opened + 0.09 - 0.03 * xi**2, 0.06) * _soft((0.7 - np.abs(xi)) * 0.37, 0.08)
    light = 0.55 + 0.45 * np.clip((y - seam) / 0.09, 0, 1)                  # the lip shades the teeth
    return _over(DARK + tongue[..., None] * TONGUE, TEETH * light[..., None], teeth)
