"""From a decoded picture, however it is stored, to upright R-G-B; part of the child process."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import Interpolation

from .decoder import Refusal

LARGEST_PIXELS = 100_000_000
ACCURATE = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
UPRIGHT = (1, 0, 0, 1)


def check_size(name: str, width: int, height: int) -> None:
    """Refuse pictures without pixels, or with more than any camera of people makes."""
    if width <= 0 or height <= 0 or width * height > LARGEST_PIXELS:
        raise Refusal(f"{name} claims pictures of {width} x {height} pixels; between 1 and "
                      f"{LARGEST_PIXELS // 1_000_000} million can be read. It is damaged, or must be scaled down.")


def orientation(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """Return the quarter turns and mirrorings that the picture asks for, as the signs (a, b, c, d) of its matrix.

    A pixel at (x, y) is to be shown at (a x + c y, b x + d y), but for a shift. Anything but quarter turns is left.
    """
    for item in frame.side_data:
        if getattr(item.type, "name", "") == "DISPLAYMATRIX":
            numbers = np.frombuffer(bytes(item), "<i4", count=9)
            signs = np.sign(np.where(np.abs(numbers[[0, 1, 3, 4]]) > 1 << 13, numbers[[0, 1, 3, 4]], 0))
            a, b, c, d = (int(value) for value in signs)
            if abs(a * d - b * c) == 1 and (a == d == 0 or b == c == 0):
                return a, b, c, d
    return UPRIGHT


def turned(picture: np.ndarray, signs: tuple[int, int, int, int]) -> np.ndarray:
    """Return the picture ``(H, W, 3)`` turned and mirrored as ``orientation`` says, contiguous."""
    a, b, c, d = signs
    if b or c:                                       # rows become columns
        picture = picture.transpose(1, 0, 2)
        a, d = c, b
    return np.ascontiguousarray(picture[:: d or 1, :: a or 1])


def turn_deg(signs: tuple[int, int, int, int]) -> int:
    """Return the clockwise turn in degrees; a mirrored picture counts the turn after mirroring left to right."""
    a, b, c, d = signs
    if a * d - b * c < 0:
        a, c = -a, -c
    return {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}[a, b]


class ToRgb:
    """Turns decoded pictures into R-G-B of one size: that of the first, scaled down to ``largest_px``."""

    def __init__(self, first: av.VideoFrame, *, largest_px: int | None) -> None:
        self.signs = orientation(first)
        self.native = (first.width, first.height)
        self.width, self.height = first.width, first.height
        if largest_px is not None and max(self.native) > largest_px:
            scale = largest_px / max(self.native)
            self.width, self.height = (max(1, round(side * scale)) for side in self.native)
        self.resized = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Width and height of what comes out."""
        return (self.height, self.width) if self.signs[1] else (self.width, self.height)

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Return ``(H, W, 3)`` uint8, contiguous."""
        same = (frame.width, frame.height) == (self.width, self.height)
        if (frame.width, frame.height) != self.native:
            self.resized += 1
        how = ACCURATE | (Interpolation.BILINEAR if same else Interpolation.AREA)
        if same and frame.height % 2 == 0 and _is_yuv(frame.format):
            # To planes and then to pixels takes half as long as at once, and gives the same values in even heights.
            frame = frame.reformat(format="gbrp", interpolation=how, threads=1)
        rgb = frame.reformat(width=self.width, height=self.height, format="rgb24", interpolation=how, threads=1)
        picture = rgb.to_ndarray()
        return picture if self.signs == UPRIGHT else turned(picture, self.signs)


def _is_yuv(form: av.VideoFormat) -> bool:
    return form.is_planar and not form.is_rgb and len(form.components) >= 3
