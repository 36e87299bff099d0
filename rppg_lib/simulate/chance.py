"""Seeded randomness: one independent stream per name, and smooth noise that can be read at any time."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from ..types import MIN_S, check_fs


def stream(*keys: int | str) -> np.random.Generator:
    """Return the random stream that belongs to these seeds and names.

    Every part of a simulation draws from a stream of its own, so that switching one part on or off changes no other.

    >>> bool(stream(3, "light").random() == stream(3, "light").random())
    True
    >>> bool(stream(3, "light").random() == stream(3, "motion").random())
    False
    """
    entropy = [zlib.crc32(key.encode()) if isinstance(key, str) else key for key in keys]
    return np.random.default_rng(np.random.SeedSequence(entropy))


MOST_FRAMES = 2_000_000                  # 18 hours at 30 fps; the next array would take the machine's memory


@dataclass(frozen=True, eq=False)
class Sines:
    """Noise as a sum of sines: smooth, of unit standard deviation, and defined at every instant."""

    hz: np.ndarray
    size: np.ndarray
    phase: np.ndarray

    def __call__(self, times_s: np.ndarray) -> np.ndarray:
        angle = 2 * np.pi * np.multiply.outer(np.asarray(times_s, dtype=float), self.hz) + self.phase
        return np.sin(angle) @ self.size


def sines(rng: np.random.Generator, low_hz: float, high_hz: float, *, slope: float = 1.0, count: int = 24) -> Sines:
    """Draw noise between two frequencies whose power density falls as ``1 / f ** slope``.

    The frequencies are spread evenly on a logarithmic axis, one drawn in each of ``count`` equal parts, so that equal
    sizes would give 1/f noise.

    >>> noise = sines(np.random.default_rng(0), 0.1, 2.0)
    >>> round(float(np.std(noise(np.arange(0, 600, 0.1)))), 1)
    1.0
    """
    place = (np.arange(count) + rng.uniform(size=count)) / count
    hz = low_hz * (high_hz / low_hz) ** place
    power = hz ** (1 - slope)
    return Sines(hz, np.sqrt(2 * power / power.sum()), rng.uniform(0, 2 * np.pi, count))


def frame_times(who: str, seconds: float, fs: float) -> tuple[np.ndarray, float]:
    """Return the time of each frame, ``round(seconds * fs)`` of them from 0 on, and ``fs`` as a float."""
    fs = check_fs(who, fs)
    length = check_number(who, "seconds", seconds, low=0)
    count = round(length * fs)
    if length < MIN_S or count < 2:
        raise ValueError(f"{who}: seconds must be at least {MIN_S:g}, about one slow beat, got {seconds!r}. "
                         f"Ask for a longer clip.")
    if count > MOST_FRAMES:
        raise ValueError(f"{who}: {count:.3g} frames ({seconds:g} s at {fs:g} fps) are more than {MOST_FRAMES:,}. "
                         f"Ask for shorter pieces.")
    return np.arange(count) / fs, fs


def check_seed(who: str, seed: int) -> int:
    """Return ``seed`` as an int that is not negative."""
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise ValueError(f"{who}: seed must be a whole number from 0 on, got {seed!r}. "
                         f"The same seed gives the same bits.")
    return int(seed)


def check_number(who: str, name: str, value: float, *, low: float = -np.inf, high: float = np.inf) -> float:
    """Return ``value`` as a finite float within ``low`` to ``high``."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{who}: {name} must be one number, got {value!r}.") from None
    if not (np.isfinite(number) and low <= number <= high):
        allowed = f"between {low:g} and {high:g}" if np.isfinite(high) else f"a finite number, at least {low:g}"
        raise ValueError(f"{who}: {name} must be {allowed}, got {value!r}.")
    return number
