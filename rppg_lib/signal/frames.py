"""Pictures at other times."""

from __future__ import annotations

import numpy as np


def resample_frames(pictures: np.ndarray, times_s: np.ndarray, *, at_s: np.ndarray) -> np.ndarray:
    """Return pictures ``(N, H, W, 3)`` uint8 at other times, each mixed from the two about it; the ends stay.

    Args:
        pictures: ``(T, H, W, 3)`` uint8.
        times_s: ``(T,)`` increasing.
        at_s: ``(N,)`` where they are wanted.

    >>> two = np.array([[[[10, 20, 30]]], [[[20, 40, 60]]]], np.uint8)
    >>> resample_frames(two, np.array([0.0, 1.0]), at_s=np.array([0.5])).ravel()
    array([15, 30, 45], dtype=uint8)
    """
    out = np.empty((len(at_s), *pictures.shape[1:]), np.uint8)
    after = np.minimum(np.searchsorted(times_s, at_s), len(times_s) - 1)
    for k, (later, time_s) in enumerate(zip(after, at_s)):
        earlier = max(later - 1, 0)
        span = times_s[later] - times_s[earlier]
        share = float(np.clip((time_s - times_s[earlier]) / span, 0, 1)) if span else 0.0
        if share in (0.0, 1.0):
            out[k] = pictures[later if share else earlier]
        else:
            out[k] = np.rint((1 - share) * pictures[earlier] + share * pictures[later])
    return out
