"""ICA: three independent sources, one of them the pulse. Poh et al. 2010 (``poh2010ica``).

The sources are found with JADE, Cardoso and Souloumiac 1993 (``cardoso1993jade``).
"""

from __future__ import annotations

import numpy as np
from scipy.fft import rfft

from ...registry import register
from ...types import check_rgb
from ..filters import detrend, field_bandpass, fitting_band, standardise
from ..spectrum import power_spectrum

PAIRS = ((0, 1), (0, 2), (1, 2))


@register("ica", cites="poh2010ica")
def ica(rgb: np.ndarray, *, fs: float, band_hz: tuple[float, float] | None = None,
        compatible: bool = False) -> np.ndarray:
    """Unmix the channels into independent sources and keep the most periodic one (ICA).

    Args:
        rgb: ``(..., T, 3)`` mean skin colour per frame, R-G-B, all > 0.
        fs: frames per second.
        band_hz: where the sharpest peak is looked for; default: 39 to 240 bpm, less where ``fs`` is low.
        compatible: choose over the whole spectrum, then band-pass (order 3, 0.7 to 2.5 Hz). The sign of a source is
            arbitrary there; the default turns it so that systole is up.

    >>> t = np.arange(600) / 30
    >>> beat = 0.01 * np.sin(2 * np.pi * 1.2 * t)
    >>> light = 0.02 * np.cumsum(np.random.default_rng(0).normal(size=600)) / 10
    >>> rgb = [120, 90, 70] * (1 - np.outer(beat, [0.33, 0.77, 0.53])) * (1 + np.outer(light, [1, 1, 1]))
    >>> rgb += 0.01 * np.random.default_rng(1).normal(size=rgb.shape)
    >>> bool(np.corrcoef(ica(rgb, fs=30), beat)[0, 1] > 0.9)
    True
    """
    colour = check_rgb("ica", rgb, fs=fs)
    band_hz = fitting_band("ica", band_hz, fs=fs)
    pulses = [_one(trace, fs, band_hz, compatible) for trace in colour.reshape(-1, *colour.shape[-2:])]
    return np.reshape(pulses, colour.shape[:-1])


def _one(trace: np.ndarray, fs: float, band_hz: tuple[float, float], compatible: bool) -> np.ndarray:
    channels = standardise(detrend(trace.T))                          # (3, T)
    sources = jade(channels) @ channels
    if compatible:
        power = np.abs(rfft(sources)) ** 2
        power[:, 0] = 0
        chosen = sources[np.argmax(power.max(1) / power.sum(1))]
        return field_bandpass(chosen, fs=fs, band_hz=(0.7, 2.5), order=3)
    freq, power = power_spectrum(sources, fs=fs)
    inside = (freq >= band_hz[0]) & (freq <= band_hz[1])
    chosen = sources[np.argmax(power[:, inside].max(1) / power.sum(1))]
    return -chosen if chosen @ channels[1] > 0 else chosen            # blood darkens green


def jade(channels: np.ndarray, *, sweeps: int = 50, tolerance: float = 1e-8) -> np.ndarray:
    """Return the matrix that unmixes ``(3, T)`` zero-mean channels by jointly diagonalising fourth-order cumulants.

    The channels are whitened; what remains is a rotation, found one plane at a time until no plane turns any more.
    """
    values, vectors = np.linalg.eigh(channels @ channels.T / channels.shape[1])
    # Fewer than three sources (a noise-free trace) leave empty directions: the floor keeps them empty, not inflated.
    whiten = (vectors / np.sqrt(np.maximum(values, 1e-9 * values[-1]))).T
    matrices = _cumulants(whiten @ channels)                          # (6, 3, 3)
    rotation = np.eye(3)
    for _ in range(sweeps):
        turned = 0.0
        for p, q in PAIRS:
            angle = _plane_angle(matrices, p, q)
            turned = max(turned, abs(angle))
            turn = np.eye(3)
            turn[[p, q], [p, q]] = np.cos(angle)
            turn[p, q], turn[q, p] = -np.sin(angle), np.sin(angle)
            matrices = turn.T @ matrices @ turn
            rotation = rotation @ turn
        if turned < tolerance:
            break
    return rotation.T @ whiten


def _cumulants(z: np.ndarray) -> np.ndarray:
    """Return the six distinct cumulant matrices of white ``(3, T)`` data, off-diagonal ones weighted by sqrt(2)."""
    frames = z.shape[1]
    identity, matrices = np.eye(3), []
    for i in range(3):
        for j in range(i + 1):
            weight = 1.0 if i == j else np.sqrt(2.0)
            moment = (z * (z[i] * z[j])) @ z.T / frames
            pair = np.outer(identity[i], identity[j])
            matrices.append(weight * (moment - (i == j) * identity - pair - pair.T))
    return np.array(matrices)


def _plane_angle(matrices: np.ndarray, p: int, q: int) -> float:
    """Return the rotation in plane (p, q) that makes all matrices as diagonal as possible, in closed form."""
    difference = matrices[:, p, p] - matrices[:, q, q]
    cross = matrices[:, p, q] + matrices[:, q, p]
    on, off = difference @ difference - cross @ cross, 2 * difference @ cross
    return 0.5 * np.arctan2(off, on + np.hypot(on, off))
