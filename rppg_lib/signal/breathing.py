"""Breathing, from what it does to the pulse: beats come sooner, are less high, and ride on another level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import detrend as remove_line

from ..types import check_fs, check_wave
from .beats import LONGEST_S, SHORTEST_S, beat_times
from .spectrum import power_spectrum

MIN_BREATHING_S = 30.0
"""Two slow breaths are not enough to call a rate: five of them are."""

BREATH_BAND_HZ = (0.1, 0.5)              # 6 to 30 breaths a minute
GRID_HZ = 4.0
NEAR_HZ = 0.03
STEEPNESS = 1.5                          # all three drift; weighting by f ** 1.5 levels what drift leaves in the band
CLEAR_SHARE = 0.38
"""Share of the band's power about its peak from which on a rate is given. Of 60 simulated faces without any breathing
2 to 7 % reach it in 30 to 60 s; of 60 that breathe about a third do, and then 19 of 20 rates are within 2 a minute."""


@dataclass(frozen=True)
class Breathing:
    """Breaths per minute, and how much of the evidence lies about that rate."""

    reading_per_min: float               # the best guess, clear or not; NaN without beats
    share: float                         # 0 to 1

    @property
    def clear(self) -> bool:
        return self.share >= CLEAR_SHARE

    @property
    def per_min(self) -> float:
        """The rate, or NaN where the evidence is scattered."""
        return self.reading_per_min if self.clear else np.nan


def breathing(wave: np.ndarray, *, fs: float, level: np.ndarray | None = None) -> Breathing:
    """Return the breathing rate that a pulse tells of.

    While we breathe in, beats come sooner, are less high, and ride on another level (``charlton2018breathing``). The
    spectra of the three are averaged; where they share one peak, that is the breath.

    Args:
        wave: ``(T,)`` pulse, 30 s or longer, its heights not evened out.
        fs: frames per second.
        level: ``(T,)`` a trace in which the slow level is kept; default: the wave itself.

    >>> t = np.arange(1800) / 30
    >>> breath = np.sin(2 * np.pi * 0.25 * t)                         # 15 a minute
    >>> pulse = (1 + 0.2 * breath) * np.sin(2 * np.pi * 1.2 * t + breath) + 0.3 * breath
    >>> round(breathing(pulse, fs=30).per_min)
    15
    """
    fs = check_fs("breathing", fs)
    x = check_wave("breathing", wave, fs=fs, min_s=int(MIN_BREATHING_S * fs) / fs)
    ground = x if level is None else check_wave("breathing, level", level, fs=fs)
    if x.ndim != 1 or ground.shape != x.shape:
        raise ValueError(f"breathing: needs one wave (T,) and a level of the same length, got {x.shape} and "
                         f"{ground.shape}. Call it once per row.")
    at_s, three = _modulations(x, ground, fs)
    if len(at_s) < 8:
        return Breathing(np.nan, 0.0)
    low, high = BREATH_BAND_HZ
    high = min(high, 0.45 / np.median(np.diff(at_s)))                 # beats sample it: no faster than half their rate
    grid = np.arange(at_s[0], at_s[-1], 1 / GRID_HZ)
    freq, power = power_spectrum(np.stack([_even(grid, at_s, values) for values in three]), fs=GRID_HZ)
    weighted = np.where((freq >= low) & (freq <= high), power * freq**STEEPNESS, 0.0)
    total = weighted.sum(-1, keepdims=True)
    shared = (weighted / np.where(total > 0, total, 1)).mean(0)
    if not shared.any():
        return Breathing(np.nan, 0.0)
    top = int(shared.argmax())
    return Breathing(float(60 * freq[top]), float(shared[np.abs(freq - freq[top]) <= NEAR_HZ].sum() / shared.sum()))


def _modulations(x: np.ndarray, ground: np.ndarray, fs: float) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return the middle of each sound interval between beats, and there: its length, height and level."""
    beats = beat_times(x, fs=fs)
    gaps = np.diff(beats)
    good = (gaps >= SHORTEST_S) & (gaps <= LONGEST_S)
    edges = np.round(beats * fs).astype(int)
    spans = [slice(a, max(b, a + 1)) for a, b in zip(edges[:-1][good], edges[1:][good], strict=True)]
    heights = np.array([np.ptp(x[span]) for span in spans])
    levels = np.array([ground[span].mean() for span in spans])
    return (beats[:-1] + gaps / 2)[good], (gaps[good], heights, levels)


def _even(grid: np.ndarray, at_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values known once a beat on an even grid, without outliers and without their line."""
    typical = np.median(values)
    reach = 4 * np.median(np.abs(values - typical)) + 1e-12 * (1 + abs(typical))
    return remove_line(np.interp(grid, at_s, np.clip(values, typical - reach, typical + reach)))
