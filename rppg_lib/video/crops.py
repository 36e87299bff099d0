"""Pictures of a face cut from a film, all of one size, for networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..signal.filters import uniform_times
from ..signal.frames import resample_frames
from ..types import Clip
from .faces import LANDMARKS, check_finder, choice
from .facetrace import GAP_S
from .following import followed, opened, stamped
from .regions import LEFT_EYE, RIGHT_EYE
from .track import box_of

BOXES = ("first", "follow")
CROP_SCALE = 1.5                         # side of a crop over the larger side of the face's box: the habit of the field
UNEVEN = 0.1
"""Time stamps that leave even ones by more than this share of a step are evened out when a clip is made."""


class FaceCrops:
    """Face pictures to iterate, frame by frame; ``face_crops`` makes them.

    Yields pairs of a picture ``(size_px, size_px, 3)`` uint8 and its time in seconds. ``frames`` counts those of the
    film so far, ``missing`` those that have no face and so no picture, and ``finder`` says who found the face.
    """

    def __init__(self, source: Any, *, size_px: int, scale: float, box: str, finder: Any, every: int,
                 upright: bool) -> None:
        self.size_px, self.scale, self.box, self.every, self.upright = size_px, scale, box, every, upright
        self.frames = self.missing = 0
        self.finder = ""
        self._source, self._wanted = source, check_finder(finder)

    def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
        self.frames = self.missing = 0
        person, square, lean = None, None, 0.0
        with opened(self._source) as pictures:
            chosen = choice(self._wanted)
            self.finder, every = chosen.name, max(self.every, chosen.least_every)
            for frame in followed(stamped(pictures), chosen, every=every):
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
                    lean = lean_deg(mine.points) if self.upright else 0.0
                yield cut(frame.image, square, size_px=self.size_px, lean_deg=lean), frame.time_s

    def clip(self) -> Clip:
        """Return all pictures as a clip, evenly in time by their stamps; between two, pictures are mixed.

        Raises:
            ValueError: if the face is missing in a frame, or no frame came for more than half a second.
        """
        pairs = list(self)
        if not pairs or self.missing:
            raise ValueError(f"face_crops: needs a face in every frame, found none in {self.missing} of {self.frames}. "
                             f"Cut the film, or iterate, which leaves these frames out.")
        times = np.array([t for _, t in pairs])
        if len(times) < 2:
            raise ValueError(f"face_crops: needs at least two frames for a clip, got {len(times)}.")
        pictures, fs = np.stack([picture for picture, _ in pairs]), float(1 / np.median(np.diff(times)))
        if (steps := np.diff(times)).max() > max(GAP_S, 1.5 / fs):
            at = int(steps.argmax())
            raise ValueError(f"face_crops: needs a frame at least every {max(GAP_S, 1.5 / fs):.1f} s, got none between "
                             f"{times[at]:.2f} and {times[at + 1]:.2f} s. Cut the film there.")
        even = times[0] + np.arange(len(times)) / fs
        if abs(even - times).max() * fs > UNEVEN:
            pictures = resample_frames(pictures, times, at_s=uniform_times(times, fs=fs))
        return Clip(frames=pictures, fs=fs, start_s=float(times[0]))


def face_crops(source: Any, *, size_px: int = 72, scale: float = CROP_SCALE, box: str = "first", finder: Any = "auto",
               every: int = 1, upright: bool = False) -> FaceCrops:
    """Cut the largest face out of a film as square pictures.

    Args:
        source: as for :func:`~rppg_lib.video.trace.face_trace`.
        size_px: width and height of the pictures.
        scale: side of the square over the larger side of the face's box; 1.5 is the habit of the field.
        box: ``first``: one square for the whole film, about the first face, as most networks are trained;
            ``follow``: the square moves with the smoothed face.
        finder: who looks for the face.
        every: look in every n-th frame.
        upright: turn the square so that the eyes lie level; needs landmarks.
    """
    check_size_px("face_crops: size_px", size_px)
    _check_whole("face_crops: every", every, 1, 1000)
    if box not in BOXES:
        raise ValueError(f"face_crops: box must be one of {', '.join(BOXES)}, got {box!r}.")
    if not 0.5 <= scale <= 5:
        raise ValueError(f"face_crops: scale must lie between 0.5 and 5, got {scale!r}.")
    return FaceCrops(source, size_px=int(size_px), scale=scale, box=box, finder=finder, every=int(every),
                     upright=upright)


def check_size_px(who: str, size_px: Any) -> None:
    """Refuse sizes of pictures that no network takes."""
    _check_whole(who, size_px, 8, 1024)


def _check_whole(who: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise ValueError(f"{who} must be a whole number from {low} to {high}, got {value!r}.")


def square_about(box: np.ndarray, *, scale: float) -> tuple[float, float, float]:
    """Return x, y of the upper left corner and the side of the square about a box.

    >>> square_about(np.array([10.0, 10.0, 20.0, 40.0]), scale=1.5)
    (-10.0, 0.0, 60.0)
    """
    side = scale * max(box[2:])
    return float(box[0] + (box[2] - side) / 2), float(box[1] + (box[3] - side) / 2), float(side)


def lean_deg(points: np.ndarray) -> float:
    """Return by how much the line through the eyes falls from left to right in the picture; 0 for a bare box."""
    if len(points) != LANDMARKS:
        return 0.0
    across = points[list(LEFT_EYE)].mean(0) - points[list(RIGHT_EYE)].mean(0)
    return float(np.degrees(np.arctan2(across[1], across[0])))


def cut(image: np.ndarray, square: tuple[float, float, float], *, size_px: int, lean_deg: float = 0.0) -> np.ndarray:
    """Return a square of a picture, scaled; what lies outside of the picture repeats its rim.

    Where the face leans, the square leans with it: it is turned about its centre at full size, then scaled.
    """
    import cv2

    x, y, side = (round(v) for v in square)
    side = max(side, 1)
    way = cv2.INTER_AREA if side >= size_px else cv2.INTER_LINEAR
    if lean_deg:
        half, centre = (side - 1) / 2, (square[0] + square[2] / 2 - 0.5, square[1] + square[2] / 2 - 0.5)
        turn = cv2.getRotationMatrix2D(centre, lean_deg, 1.0)
        turn[:, 2] += half - centre[0], half - centre[1]
        inside = cv2.warpAffine(image, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return cv2.resize(inside, (size_px, size_px), interpolation=way)
    inside = image[max(y, 0):max(y + side, 0), max(x, 0):max(x + side, 0)]
    if inside.size == 0:
        return np.zeros((size_px, size_px, 3), np.uint8)
    top, left = max(-y, 0), max(-x, 0)
    bottom, right = side - top - inside.shape[0], side - left - inside.shape[1]
    if top or left or bottom or right:
        inside = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return cv2.resize(inside, (size_px, size_px), interpolation=way)
