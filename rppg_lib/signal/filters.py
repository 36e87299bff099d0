"""Detrend, band-pass, resample, standardise. Time is the last axis unless a function says otherwise."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded
from scipy.signal import butter, sosfiltfilt

from ..types import check_fs, check_wave

BEAT_BAND_HZ = (0.65, 4.0)
"""Where the waves of a human pulse lie: 39 to 240 bpm."""


def detrend(wave: np.ndarray, *, smoothing: float = 100.0) -> np.ndarray:
    """Subtract a slow trend, the smoothness-priors way: ``x - (I + s^2 D'D)^-1 x``.

    ``D`` takes second differences, so the trend is the curve that stays near ``x`` and bends little. The matrix has
    five diagonals; solving it as a band takes time and memory proportional to the length.

    Args:
        wave: ``(..., T)``.
        smoothing: weight ``s`` of the bending term. The trend holds what is slower than about
            ``fs / (2 pi sqrt(s))``: 0.48 Hz for 100 at 30 fps. Scale it with ``fs**2`` to keep that frequency.

    Reference: Tarvainen et al. 2002 (``tarvainen2002``).

    >>> t = np.arange(300) / 30
    >>> drifting = np.sin(2 * np.pi * 1.2 * t) + t**2
    >>> bool(np.ptp(detrend(drifting)) < 2.5)                        # the drift alone spans 100
    True
    """
    x = check_wave("detrend", wave, fs=1, min_s=3)
    frames = x.shape[-1]
    bands = np.zeros((3, frames))                                    # upper diagonals of I + s^2 D'D
    bands[2], bands[1, 1:], bands[0, 2:] = 6.0, -4.0, 1.0
    bands[2, [0, -1]] = 1.0
    bands[2, [1, -2]] = 5.0 if frames > 3 else 4.0
    bands[1, [1, -1]] = -2.0
    bands *= smoothing**2
    bands[2] += 1.0
    columns = x.reshape(-1, frames).T                                # (T, B): one right-hand side per wave
    return x - solveh_banded(bands, columns, check_finite=False).T.reshape(x.shape)


def bandpass(wave: np.ndarray, *, fs: float, band_hz: tuple[float, float], order: int = 3,
             pad_frames: int | None = None) -> np.ndarray:
    """Keep the frequencies inside ``band_hz`` without shifting them in time (Butterworth, forward and backward).

    Args:
        wave: ``(..., T)``.
        fs: frames per second.
        band_hz: lower and upper edge; each is attenuated by 6 dB, once per direction 3 dB.
        order: of the low-pass prototype; 1 is the field's habit for the final filter, 3 is steeper.
        pad_frames: how far the wave is continued (point-mirrored) at both ends. Default: two periods of the lower
            edge, enough for the slowest transient.

    >>> t = np.arange(600) / 30
    >>> pulse, breath = np.sin(2 * np.pi * 1.2 * t), np.sin(2 * np.pi * 0.2 * t)
    >>> kept = bandpass(pulse + breath, fs=30, band_hz=(0.65, 4.0))
    >>> bool(abs(kept - pulse)[60:-60].max() < 0.05)
    True
    """
    fs = check_fs("bandpass", fs)
    low, high = check_band("bandpass", band_hz, fs=fs)
    x = check_wave("bandpass", wave, fs=fs, min_s=0)
    if pad_frames is None:
        pad_frames = int(2 * fs / low)
    pad_frames = min(pad_frames, x.shape[-1] - 1)
    sos = butter(order, (low, high), btype="bandpass", fs=fs, output="sos")
    return sosfiltfilt(sos, x, axis=-1, padlen=max(pad_frames, 0))


def field_bandpass(wave: np.ndarray, *, fs: float, band_hz: tuple[float, float], order: int) -> np.ndarray:
    """The band-pass of the public toolboxes: continued by three filter lengths only, whatever the band."""
    return bandpass(wave, fs=fs, band_hz=band_hz, order=order, pad_frames=3 * (2 * order + 1))


def standardise(wave: np.ndarray) -> np.ndarray:
    """Subtract the mean and divide by the (population) standard deviation along the last axis.

    >>> standardise([1.0, 3.0])
    array([-1.,  1.])
    """
    x = check_wave("standardise", wave, fs=1, min_s=2)
    centred = x - x.mean(-1, keepdims=True)
    spread = centred.std(-1, keepdims=True)
    if (spread <= 1e-12 * np.abs(x).max(-1, keepdims=True)).any():
        raise ValueError("standardise: needs a wave that changes, got a constant one. "
                         "Leave it out, or look at where it came from.")
    return centred / spread


def resample(values: np.ndarray, times_s: np.ndarray, *, at_s: np.ndarray, max_gap_s: float = 0.5) -> np.ndarray:
    """Return the values at other times, by their time stamps. Never by stretching one length onto another.

    Rows with NaN count as missing. Where the new times are further apart than the old ones, the values are low-passed
    first, so that fast parts do not fold into the pulse band.

    Args:
        values: ``(T,)`` or ``(T, channels)``: time is the first axis.
        times_s: ``(T,)`` strictly increasing time stamps in seconds.
        at_s: ``(N,)`` increasing times wanted; may reach past the first and last stamp by at most ``max_gap_s``.
        max_gap_s: longest stretch without a value that may be bridged.

    >>> stamps = np.array([0.0, 0.1, 0.2, 0.5])                      # two frames are missing
    >>> resample(10 * stamps, stamps, at_s=[0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    array([0., 1., 2., 3., 4., 5.])
    """
    y, t, at = (np.asarray(a, dtype=float) for a in (values, times_s, at_s))
    if t.ndim != 1 or len(t) != len(y) or len(t) < 2:
        raise ValueError(f"resample: needs one time stamp per row and at least two, "
                         f"got {t.shape} stamps for values {y.shape}.")
    if not np.isfinite(t).all() or (np.diff(t) <= 0).any():
        where = int(np.argmax(~(np.diff(t) > 0))) + 1
        raise ValueError(f"resample: time stamps must increase strictly, "
                         f"but stamp {where} is {t[where]:g} s after {t[where - 1]:g} s. Drop repeated frames first.")
    if at.ndim != 1 or not len(at) or not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        raise ValueError(f"resample: at_s must be increasing times in seconds, at least one, got {at_s!r:.80}. "
                         f"signal.uniform_times makes even ones.")
    present = np.isfinite(y.reshape(len(y), -1)).all(1)
    if present.sum() < 2:
        raise ValueError(f"resample: needs at least two rows without NaN, got {present.sum()} of {len(y)}.")
    y, t = y[present], t[present]
    _check_gaps(t, at, max_gap_s)
    source_fs = 1 / np.median(np.diff(t))
    target_fs = 1 / np.median(np.diff(at)) if len(at) > 1 else source_fs
    if target_fs < 0.9 * source_fs:
        y, t = _lowpassed(y, t, source_fs, 0.45 * target_fs)
    columns = [np.interp(at, t, column) for column in y.reshape(len(y), -1).T]
    return np.stack(columns, -1).reshape(len(at), *y.shape[1:])


def uniform_times(times_s: np.ndarray, *, fs: float) -> np.ndarray:
    """Return evenly spaced times at ``fs`` from the first stamp to the last.

    >>> uniform_times([0.0, 0.4, 1.0], fs=2)
    array([0. , 0.5, 1. ])
    """
    t = np.asarray(times_s, dtype=float)
    fs = check_fs("uniform_times", fs)
    return t[0] + np.arange(int(np.floor((t[-1] - t[0]) * fs + 1e-9)) + 1) / fs


def check_band(who: str, band_hz: tuple[float, float], *, fs: float = np.inf) -> tuple[float, float]:
    """Return the two edges of a band that makes sense, at ``fs`` where that is known, or say what is wrong."""
    try:
        low, high = (float(edge) for edge in band_hz)
    except (TypeError, ValueError):
        raise TypeError(f"{who}: band_hz must be two frequencies (low, high) in Hz, got {band_hz!r}.") from None
    if not 0 < low < high < fs / 2:
        limit = f" < {fs / 2:g} Hz (half of {fs:g} fps)" if fs < np.inf else ""
        raise ValueError(f"{who}: needs 0 < low < high{limit}, got {low:g} and {high:g} Hz. "
                         f"Heart rates of 40 to 180 bpm lie between 0.67 and 3 Hz.")
    return low, high


def widened(band_hz: tuple[float, float], *, fs: float) -> tuple[float, float]:
    """Return a band a little wider than ``band_hz``, so that a rate on its edge passes the filter.

    Near half the frame rate there is little room: the upper edge then lies in the middle of what is left.

    >>> widened((1.0, 3.0), fs=30), widened((1.0, 3.0), fs=7)
    ((0.975, 4.0), (0.975, 3.25))
    """
    low, high = band_hz
    return 0.975 * low, min(4 / 3 * high, (high + fs / 2) / 2)


def fitting_band(who: str, band_hz: tuple[float, float] | None, *, fs: float) -> tuple[float, float]:
    """Return a band that was asked for, checked, or that of a beat, cut below half the frame rate."""
    return check_band(who, band_hz or (BEAT_BAND_HZ[0], min(BEAT_BAND_HZ[1], 0.45 * fs)), fs=fs)


def _check_gaps(t: np.ndarray, at: np.ndarray, max_gap_s: float) -> None:
    gap = np.diff(t).max()
    if gap > max_gap_s:
        start = t[np.argmax(np.diff(t))]
        raise ValueError(f"resample: {gap:.2f} s without a value after {start:.2f} s, "
                         f"more than max_gap_s = {max_gap_s:g} s. Cut the recording there, or allow a longer gap.")
    early, late = t[0] - at[0], at[-1] - t[-1]
    if max(early, late) > max_gap_s:
        raise ValueError(f"resample: times {at[0]:.2f} to {at[-1]:.2f} s were asked for, "
                         f"but values exist from {t[0]:.2f} to {t[-1]:.2f} s. "
                         f"Ask for times inside, or check that both clocks start together.")


def _lowpassed(y: np.ndarray, t: np.ndarray, fs: float, cutoff_hz: float) -> tuple[np.ndarray, np.ndarray]:
    grid = uniform_times(t, fs=fs)
    even = np.stack([np.interp(grid, t, column) for column in y.reshape(len(y), -1).T], -1)
    sos = butter(4, cutoff_hz, fs=fs, output="sos")
    pad = min(len(grid) - 1, int(4 * fs / cutoff_hz))
    return sosfiltfilt(sos, even, axis=0, padlen=pad).reshape(len(grid), *y.shape[1:]), grid
