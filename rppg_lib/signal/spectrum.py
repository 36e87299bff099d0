"""Heart rate and signal-to-noise ratio from the spectrum, on a grid finer than the answer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.fft import next_fast_len, rfft

from ..types import MIN_S, check_fs, check_wave
from .filters import check_band

HR_BAND_HZ = (40 / 60, 180 / 60)
"""Where a human heart rate is looked for unless told otherwise: 40 to 180 bpm."""


class Spectrum(NamedTuple):
    """Power at each frequency; the scale is arbitrary."""

    freq_hz: np.ndarray                  # (F,)
    power: np.ndarray                    # (..., F)


def power_spectrum(wave: np.ndarray, *, fs: float, step_hz: float = 1 / 120) -> Spectrum:
    """Return the Hann-windowed power spectrum of each wave, zero-padded to a fine grid.

    Padding adds no information: two rates closer than about ``2 / seconds`` Hz still melt into one peak. It only
    reads the place of a single peak without rounding it to a coarse grid.

    Args:
        wave: ``(..., T)``.
        fs: frames per second.
        step_hz: largest distance between two frequencies; the default is half a beat per minute.
    """
    fs = check_fs("power_spectrum", fs)
    x = check_wave("power_spectrum", wave, fs=fs)
    frames = x.shape[-1]
    taper = np.hanning(frames + 2)[1:-1]
    centred = (x - np.average(x, axis=-1, weights=taper)[..., None]) * taper
    size = next_fast_len(max(8 * frames, int(np.ceil(fs / step_hz))), real=True)
    power = np.abs(rfft(centred, size)) ** 2
    return Spectrum(np.arange(power.shape[-1]) * fs / size, power)


def hr_from_spectrum(wave: np.ndarray, *, fs: float, band_hz: tuple[float, float] = HR_BAND_HZ) -> np.ndarray | float:
    """Return the heart rate in bpm of each wave: the highest spectral peak inside the band.

    A parabola through the logarithm of the peak and its two neighbours places it between grid points. A slope that
    leaks in from below the band is no peak; it is taken only when the band holds no peak at all.

    >>> t = np.arange(300) / 30                                      # 10 s
    >>> round(float(hr_from_spectrum(np.sin(2 * np.pi * 72 / 60 * t), fs=30)), 1)
    72.0
    """
    low, high = check_band("hr_from_spectrum", band_hz, fs=check_fs("hr_from_spectrum", fs))
    wave = check_changing("hr_from_spectrum", wave, fs=fs)
    freq, power = power_spectrum(wave, fs=fs)
    # One point more on each side: a rate on the very edge is then still a peak with two neighbours.
    first = max(np.searchsorted(freq, low, side="right") - 2, 0)
    last = min(np.searchsorted(freq, high, side="left") + 2, len(freq))
    band = power[..., first:last]
    middle = band[..., 1:-1]
    is_peak = (middle > band[..., :-2]) & (middle >= band[..., 2:])
    ranked = np.where(is_peak | ~is_peak.any(-1, keepdims=True), middle, -1.0)
    index = np.argmax(ranked, axis=-1) + 1
    three = np.take_along_axis(band, index[..., None] + np.array([-1, 0, 1]), -1)
    rate = (freq[first] + (index + peak_offset(np.log(three + np.finfo(float).tiny))) * freq[1]) * 60
    rate = np.clip(rate, 60 * low, 60 * high)
    return float(rate) if rate.ndim == 0 else rate


def snr_db(wave: np.ndarray, *, fs: float, hr_bpm: np.ndarray | float, band_hz: tuple[float, float] = (0.6, 4.0),
           width_hz: float | None = None) -> np.ndarray | float:
    """Return how much of the band's power lies at the heart rate and at twice that rate, in dB over the rest.

    Args:
        wave: ``(..., T)``.
        fs: frames per second.
        hr_bpm: the true rate, one number or one per wave.
        band_hz: power outside of it does not count; twice the rate counts only where it lies inside.
        width_hz: half width around each of the two. Default: 0.1 Hz, or the half width of the window's main lobe
            ``2 / seconds`` where that is more, so that a clean sine is not called noisy because it is short.

    >>> t = np.arange(900) / 30
    >>> noisy = np.sin(2 * np.pi * 1.2 * t) + np.random.default_rng(0).normal(size=900)
    >>> bool(snr_db(noisy, fs=30, hr_bpm=72) > snr_db(noisy, fs=30, hr_bpm=100) + 10)
    True
    """
    low, high = check_band("snr_db", band_hz, fs=check_fs("snr_db", fs))
    wave = check_changing("snr_db", wave, fs=fs)
    freq, power = power_spectrum(wave, fs=fs)
    if width_hz is None:
        width_hz = max(0.1, 2 * fs / np.shape(wave)[-1])
    rate = np.asarray(hr_bpm, dtype=float)[..., None] / 60
    near = (np.abs(freq - rate) <= width_hz) | (np.abs(freq - 2 * rate) <= width_hz)
    inside = (freq >= low) & (freq <= high)
    if not (near & inside).any(-1).all():
        raise ValueError(f"snr_db: needs a heart rate inside the band, {60 * low:g} to {60 * high:g} bpm, "
                         f"got {hr_bpm}. Pass the true rate, or widen band_hz.")
    pulse = np.where(near & inside, power, 0).sum(-1)
    rest = np.where(~near & inside, power, 0).sum(-1)
    ratio = 10 * np.log10((pulse + np.finfo(float).tiny) / (rest + np.finfo(float).tiny))
    return float(ratio) if ratio.ndim == 0 else ratio


def peak_offset(three: np.ndarray) -> np.ndarray:
    """Return where the parabola through three points ``(..., 3)`` peaks, in steps from the middle one."""
    left, mid, right = np.moveaxis(three, -1, 0)
    bend = left - 2 * mid + right
    safe = np.where(bend < 0, bend, -1.0)
    return np.where(bend < 0, np.clip(0.5 * (left - right) / safe, -1, 1), 0.0)


def is_flat(x: np.ndarray) -> np.ndarray:
    """Say of each wave ``(..., T)`` whether it never changes, but for rounding."""
    return np.ptp(x, axis=-1) <= 1e-12 * np.abs(x).max(-1)


def check_changing(who: str, wave: np.ndarray, *, fs: float, min_s: float = MIN_S) -> np.ndarray:
    """Return a sound wave ``(..., T)``; one that never changes has no rate."""
    x = check_wave(who, wave, fs=fs, min_s=min_s)
    flat = is_flat(x)
    if np.any(flat):
        raise ValueError(f"{who}: {np.sum(flat)} of {np.size(flat)} waves are constant, so no rate can be read. "
                         f"Leave them out, and look at what produced them.")
    return x
