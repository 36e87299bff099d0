"""Cutting a signal into windows, and sums over all windows without cutting."""

from __future__ import annotations

import numpy as np

from ..types import check_fs, frames_in

TRAILING_MIN_FRAMES = 9
"""The field keeps a shorter last window of nine frames or more."""


def windows(frames: int, *, fs: float, window_s: float, step_s: float | None = None,
            keep_trailing: bool = False) -> list[slice]:
    """Return the frames of each window, in order.

    Args:
        frames: length of the signal.
        fs: frames per second.
        window_s: window length; a longer one than the signal becomes one window over all of it.
        step_s: from start to start; default: ``window_s``, no overlap.
        keep_trailing: also keep the shorter rest at the end if it has nine frames or more.

    >>> windows(100, fs=10, window_s=4)
    [slice(0, 40, None), slice(40, 80, None)]
    >>> windows(100, fs=10, window_s=4, keep_trailing=True)[-1]
    slice(80, 100, None)
    """
    fs = check_fs("windows", fs)
    if frames < 1:
        raise ValueError(f"windows: needs at least one frame, got {frames}.")
    if not (window_s > 0 and (step_s is None or step_s > 0)):
        raise ValueError(f"windows: window_s and step_s must be positive, got {window_s!r} and {step_s!r}.")
    length = max(int(round(min(window_s * fs, frames))), 1)
    step = length if step_s is None else max(int(round(min(step_s * fs, frames))), 1)
    cuts = [slice(start, start + length) for start in range(0, frames - length + 1, step)]
    rest = cuts[-1].start + step if cuts else 0
    if keep_trailing and frames - rest >= TRAILING_MIN_FRAMES and rest + length > frames:
        cuts.append(slice(rest, frames))
    return cuts


def window_length(who: str, window_s: float, *, fs: float) -> int:
    """Return the frames of a window in which a spread can be taken: three or more."""
    length = frames_in(window_s, fs)
    if length < 3:
        raise ValueError(f"{who}: window_s = {window_s:g} s is {length} frames at {fs:g} fps; it needs at least 3. "
                         f"Use 1.6 s.")
    return length


def window_sums(x: np.ndarray, length: int) -> np.ndarray:
    """Return the sum over every window of ``length`` frames along axis -2: ``(..., T, C) -> (..., T-length+1, C)``."""
    total = np.cumsum(x, axis=-2)
    sums = total[..., length - 1:, :].copy()
    sums[..., 1:, :] -= total[..., :-length, :]
    return sums


def overlap_add(values: np.ndarray, length: int, frames: int) -> np.ndarray:
    """Give each frame the sum of the values of all windows that hold it: ``(..., W, C) -> (..., frames, C)``.

    Window ``i`` holds the frames ``i ... i + length - 1``.

    >>> overlap_add(np.ones((3, 1)), 2, 4).ravel()                   # how many windows hold each frame
    array([1., 2., 2., 1.])
    """
    count = values.shape[-2]
    total = np.zeros((*values.shape[:-2], count + 1, values.shape[-1]))
    np.cumsum(values, axis=-2, out=total[..., 1:, :])
    frame = np.arange(frames)
    return total[..., np.clip(frame + 1, 0, count), :] - total[..., np.clip(frame - length + 1, 0, count), :]
