"""The face of a photograph on a simulated head: its colours, where the camera saw them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..people import person
from .course import resting
from .head import COLUMNS, ROWS, Head
from .looks import Look, look

GAMMA = 2.0                              # photographs are coded about like our own films
PORTRAIT_PX = 480
FACE_PX = 300.0
RIM = 24                                 # texels over which the photograph fades into drawn skin
SHADING = 45                             # texels: what is smoother than this is light on the face, not its colour
SMALLEST_PX = 60.0
MOST = 1.6                               # of the skin's own colour: highlights of the photograph end here
RIGHT_SIDE, LEFT_SIDE, RIGHT_EYE, LEFT_EYE, NOSE, LIPS = 234, 454, (33, 133), (263, 362), 1, (13, 14)


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph laid on the maps of a head."""

    albedo: np.ndarray                   # (ROWS, COLUMNS, 3) linear colour, relative to that of its skin
    cover: np.ndarray                    # (ROWS, COLUMNS) 0 to 1: how far it counts
    skin: np.ndarray                     # (ROWS, COLUMNS) 0 at eyes, brows and lips, which do not pulse

    def over(self, drawn: np.ndarray, skin: np.ndarray) -> np.ndarray:
        """Return the drawn colours with the photograph over them, its skin in the colour ``skin`` (3,)."""
        return drawn + self.cover[..., None] * (skin.astype(np.float32) * self.albedo - drawn)


def look_from_photo(image: str | Path | np.ndarray, *, seed: int = 0, **changes: Any) -> Look:
    """Return a look with the proportions and the features of a photographed face.

    The tone of the skin stays that of the person who wears the look: choose their melanin. The face is found on this
    machine, and nothing is kept but the map. The photograph should show the face from the front, the mouth shut, in
    even light: light that falls on it is evened out coarsely, shadows stay as paint. Eyes and mouth are those of the
    photograph, so it neither blinks nor speaks. Ask the person first.

    Args:
        image: a file, or ``(H, W, 3)`` uint8, R-G-B.
        seed: of what the photograph does not show: the back of the head, hair style.
        **changes: fields of :class:`Look`.
    """
    picture = _read(image)
    points = _landmarks(picture)
    width = float(np.linalg.norm(points[LEFT_SIDE] - points[RIGHT_SIDE]))
    if width < SMALLEST_PX:
        raise ValueError(f"look_from_photo: needs a face at least {SMALLEST_PX:g} px wide, got {width:.0f} px. "
                         f"Use a larger photograph.")
    base = look(seed, **{"beard": 0.0, "glasses": 0.0, **_proportions(points), **changes})
    return replace(base, photo=_laid(picture, points, base))


def _read(image: str | Path | np.ndarray) -> np.ndarray:
    if isinstance(image, (str, Path)):
        if not Path(image).is_file():
            raise FileNotFoundError(f"look_from_photo: needs a photograph, but {str(image)!r} does not exist. "
                                    f"Check the name.")
        content = cv2.imdecode(np.frombuffer(Path(image).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        if content is None:
            raise ValueError(f"look_from_photo: {str(image)!r} is no picture that can be read. Save it as PNG or JPEG.")
        return np.ascontiguousarray(content[..., ::-1])
    picture = np.asarray(image)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"look_from_photo: needs (H, W, 3) uint8 in R-G-B order, got shape {picture.shape} of "
                         f"{picture.dtype}.")
    return np.ascontiguousarray(picture)


def _landmarks(picture: np.ndarray) -> np.ndarray:
    from ...video import finder

    looker = finder("landmarks")
    try:
        seen = looker.find(picture, 0.0)
    finally:
        looker.close()
    if not seen:
        raise ValueError("look_from_photo: needs one face, found none. Use a photograph from the front, in good light.")
    return max(seen, key=lambda face: face.box[2]).landmarks


def _proportions(points: np.ndarray) -> dict[str, float]:
    """Return fields of a look from landmarks, in half face widths from the middle of the eyes."""
    half = np.linalg.norm(points[LEFT_SIDE] - points[RIGHT_SIDE]) / 2
    eyes = [points[list(eye)].mean(0) for eye in (RIGHT_EYE, LEFT_EYE)]
    middle = (eyes[0] + eyes[1]) / 2

    def down(*numbers: int) -> float:
        return float((points[list(numbers)].mean(0) - middle)[1] / half)

    return {"eye_at": float(np.clip(np.linalg.norm(eyes[1] - eyes[0]) / 2 / half, 0.4, 0.52)),
            "nose_length": float(np.clip(down(NOSE), 0.5, 0.72)), "mouth_at": float(np.clip(down(*LIPS), 0.85, 1.05))}


def _laid(picture: np.ndarray, points: np.ndarray, base: Look) -> Photo:
    """Lay the photograph on the maps: landmarks of a plain drawing of the same head say what belongs where."""
    from scipy.interpolate import LinearNDInterpolator

    from .render import Renderer

    plain = Renderer(person(0, melanin=0.42), base, size_px=(PORTRAIT_PX, PORTRAIT_PX), face_px=FACE_PX)
    course = resting(np.zeros(1))
    drawing = np.clip(255 * np.sqrt(np.clip(plain.linear(course, 0), 0, 1)), 0, 255).astype(np.uint8)
    places = (_landmarks(drawing) - PORTRAIT_PX / 2) / (FACE_PX / 2)          # head coordinates: from the front
    to_photo = LinearNDInterpolator(places, points)
    front = np.abs(plain.head.theta) < 1.35
    x, y = plain.head.x, np.broadcast_to(plain.head.y[:, None], (ROWS, COLUMNS))
    where = np.full((ROWS, COLUMNS, 2), np.nan, np.float32)
    where[:, front] = to_photo(x[:, front], y[:, front])
    inside = np.isfinite(where).all(-1)
    where = np.nan_to_num(where, nan=-1.0)
    colour = cv2.remap(picture, where[..., 0], where[..., 1], cv2.INTER_LINEAR).astype(np.float32) / 255
    albedo, cover = _evened(colour**GAMMA, inside)
    skin = _without_features(plain.head, places)
    albedo /= np.maximum(np.median(albedo[(cover > 0.9) & (skin > 0.9)], axis=0), 1e-3)
    return Photo(np.minimum(albedo, MOST).astype(np.float32), cover, skin)


def _without_features(shape: Head, places: np.ndarray) -> np.ndarray:
    """Return a map that is 0 inside the outlines of eyes, brows and lips, and 1 elsewhere."""
    from ...video.regions import LEFT_BROW, RIGHT_BROW
    from ...video.regions import LEFT_EYE as LEFT_LID
    from ...video.regions import LIPS as LIP_LINE
    from ...video.regions import RIGHT_EYE as RIGHT_LID

    skin = np.ones((ROWS, COLUMNS), np.float32)
    for numbers in (LEFT_LID, RIGHT_LID, LEFT_BROW, RIGHT_BROW, LIP_LINE):
        corners = [(shape.column(shape.theta_at(x, y)), shape.row(y)) for x, y in places[list(numbers)]]
        cv2.fillPoly(skin, [np.round(corners).astype(np.int32)], 0.0)
    return cv2.GaussianBlur(cv2.erode(skin, np.ones((5, 5), np.uint8)), (0, 0), 1.5)


def _evened(linear: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the light off: divide by what is smooth, keep hue and detail; fade the rim."""
    share = inside.astype(np.float32)
    weight = cv2.GaussianBlur(share, (0, 0), SHADING) + 1e-6
    green = linear[..., 1] * share
    smooth = cv2.GaussianBlur(green, (0, 0), SHADING) / weight
    flat = linear / np.maximum(smooth, 1e-3)[..., None]
    eroded = cv2.erode(inside.astype(np.uint8), np.ones((RIM, RIM), np.uint8))
    cover = np.clip(cv2.GaussianBlur(eroded.astype(np.float32), (0, 0), RIM / 3), 0, 1) * share
    return (flat * share[..., None]).astype(np.float32), cover.astype(np.float32)
