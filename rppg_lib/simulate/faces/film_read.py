"""The colour of the true skin in each picture of a film."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from .film_truth import FilmTruth

INSIDE = 0.98                            # share of skin from which a pixel counts fully: none of the background


def with_skin_colours(truth: FilmTruth, pictures: Iterable[np.ndarray], *,
                      region: str = "skin") -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield each picture ``(H, W, 3)`` uint8 and its mean coded colour ``(3,)`` over the true region, R-G-B.

    A picture without any of the region has the colour NaN.

    Args:
        truth: of the film that the pictures belong to.
        pictures: all of them, in order.
        region: "skin", or "blood": weighted by how strong the pulse is in each pixel.
    """
    for picture, where in zip(pictures, skin_places(truth, region=region)):
        yield picture, mean_colour(picture, *where)


def skin_places(truth: FilmTruth, *, region: str = "skin") -> Iterator[tuple[np.ndarray, tuple[slice, slice]]]:
    """Yield for each picture of a film how much each pixel of a box counts, and the box."""
    if region not in ("skin", "blood"):
        raise ValueError(f"Film: region must be 'skin' or 'blood', got {region!r}. "
                         f"For others, write the film and use rppg_lib.video.face_trace.")
    last, where = -1, None
    for frame, shown in enumerate(truth.shown):
        if shown != last:
            last, where = shown, _weights(truth, frame, region)
        yield where


def mean_colour(picture: np.ndarray, weights: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """Return the mean coded colour ``(3,)`` of a picture over a box, pixel by pixel weighted."""
    part, total = picture[box], float(weights.sum())
    # OpenCV adds in double precision; the products are exact enough in single.
    sums = [cv2.sumElems(cv2.multiply(part[..., c], weights, dtype=cv2.CV_32F))[0] for c in range(3)] \
        if total else [np.nan] * 3
    return np.array(sums) / (total or 1.0)


def _weights(truth: FilmTruth, frame: int, region: str) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Return the weight of each pixel within a box, and the box."""
    skin = truth.skin(frame)
    x, y, width, height = cv2.boundingRect((skin > 0).astype(np.uint8))
    box = slice(y, y + height), slice(x, x + width)
    share = skin[box]
    # Rising from 0 at half skin to 1 well inside, so that a moving rim changes the mean smoothly and little.
    weights = np.clip((share - 0.5) / (INSIDE - 0.5), 0, 1)
    if region == "blood":
        weights = weights * truth.perfusion(frame)[box]
    return np.ascontiguousarray(weights, dtype=np.float32), box
