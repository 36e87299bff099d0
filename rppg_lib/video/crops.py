"""Pictures of a face cut from a film, all of one size, for networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..types import Clip
from .faces import choice
from .following import followed, opened, stamped
from .track import box_of

BOXES = ("first", "follow")


class FaceCrops:
    """Face pictures to iterate once, frame by frame; ``face_crops`` makes them.

    Yields pairs of a picture ``(size_px, size_px, 3)`` uint8 and its time in seconds. ``missing`` counts the frames so
    far that have no face and no picture.
    """

    def __init__(self, source: Any, *, size_px: int, scale: float, box: str, finder: Any, every: int) -> None:
        self.size_px, self.scale, self.box, self.every = size_px, scale, box, every
        self.frames = self.missing = 0
        self._source, self._chosen = source, choice(finder)

    def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
        self.frames = self.missing = 0
        every, person, square = max(self.every, self._chosen.least_every), None, None
        with opened(self._source) as pictures:
            for frame in followed(stamped(pictures), self._chosen, every=every):
                self.frames += 1
                mine = next((p for t, p in frame.places if t.number == person), None)
                if mine is None and person is None and frame.places:
                    track, mine = max(frame.places, key=lambda pair: np.prod(box_of(pair[1].points)[2:]))
                    person = track.number
                if mine is None:
                    self.missing += 1
                    continue
                if square is None or self.box == "follow":
                    square = square_about(box_of(mine.points), scale=self.scale)
                yield cut(frame.image, square, size_px=self.size_px), frame.time_s

    def clip(self) -> Clip:
        """Return all pictures as a clip; refuses films in which the face is missing, whose frames would not be even."""
        pairs = list(self)
        if not pairs or self.missing:
            raise ValueError(f"face_crops: needs a face in every frame, found none in {self.missing} of {self.frames}. "
                             f"Cut the film, or iterate, which leaves these frames out.")
        times = np.array([t for _, t in pairs])
        if len(times) < 2:
            raise ValueError(f"face_crops: needs at least two frames for a clip, got {len(times)}.")
        return Clip(frames=np.stack([picture for picture, _ in pairs]), fs=float(1 / np.median(np.diff(times))))


def face_crops(source: Any, *, size_px: int = 72, scale: float = 1.5, box: str = "first", finder: Any = "auto",
               every: int = 1) -> FaceCrops:
    """Cut the largest face out of a film as square pictures.

    Args:
        source: as for :func:`~rppg_lib.video.trace.face_trace`.
        size_px: width and height of the pictures.
        scale: side of the square over the larger side of the face's box; 1.5 is the habit of the field.
        box: ``first``: one square for the whole film, about the first face, as most networks are trained;
            ``follow``: the square moves with the smoothed face.
        finder: who looks for the face.
        every: look in every n-th frame.
    """
    if isinstance(size_px, bool) or not isinstance(size_px, (int, np.integer)) or not 8 <= size_px <= 1024:
        raise ValueError(f"face_crops: size_px must be a whole number from 8 to 1024, got {size_px!r}.")
    if box not in BOXES:
        raise ValueError(f"face_crops: box must be one of {', '.join(BOXES)}, got {box!r}.")
    if not 0.5 <= scale <= 5:
        raise ValueError(f"face_crops: scale must lie between 0.5 and 5, got {scale!r}.")
    return FaceCrops(source, size_px=int(size_px), scale=scale, box=box, finder=finder, every=every)


def square_about(box: np.ndarray, *, scale: float) -> tuple[float, float, float]:
    """Return x, y of the upper left corner and the side of the square about a box.

    >>> square_about(np.array([10.0, 10.0, 20.0, 40.0]), scale=1.5)
    (-10.0, 0.0, 60.0)
    """
    side = scale * max(box[2:])
    return float(box[0] + (box[2] - side) / 2), float(box[1] + (box[3] - side) / 2), float(side)


def cut(image: np.ndarray, square: tuple[float, float, float], *, size_px: int) -> np.ndarray:
    """Return a square of a picture, scaled; what lies outside of the picture repeats its rim."""
    import cv2

    x, y, side = (round(v) for v in square)
    side = max(side, 1)
    inside = image[max(y, 0):max(y + side, 0), max(x, 0):max(x + side, 0)]
    if inside.size == 0:
        return np.zeros((size_px, size_px, 3), np.uint8)
    top, left = max(-y, 0), max(-x, 0)
    bottom, right = side - top - inside.shape[0], side - left - inside.shape[1]
    if top or left or bottom or right:
        inside = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REPLICATE)
    way = cv2.INTER_AREA if side >= size_px else cv2.INTER_LINEAR
    return cv2.resize(inside, (size_px, size_px), interpolation=way)
