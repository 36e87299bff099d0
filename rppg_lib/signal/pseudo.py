"""A stand-in for a label where there is none: what POS finds, cleaned until only its rhythm is left."""

from __future__ import annotations

import numpy as np
from scipy.signal import hilbert

from ..types import check_rgb
from .filters import bandpass, standardise
from .methods.pos import pos
from .spectrum import HR_BAND_HZ

LEAST_ENVELOPE = 0.05
"""Part of its median below which an envelope is not divided by: no pulse is there, and noise would be blown up."""


def pseudo_label(rgb: np.ndarray, *, fs: float, band_hz: tuple[float, float] = HR_BAND_HZ) -> np.ndarray:
    """Return a label made from the colours themselves: POS, band-passed and divided by its envelope.

    A network can be trained on it where no contact sensor was worn. Beats all come out equally high, so that a
    stretch in which the face was brighter or better lit counts no more than another. It is no truth: where POS fails,
    it is wrong, and nothing in it says so (:func:`~rppg_lib.signal.quality` does).

    Args:
        rgb: ``(..., T, 3)`` mean skin colour per frame, R-G-B, all > 0.
        fs: frames per second.
        band_hz: what is kept.

    Returns:
        ``(..., T)`` pulse, systole up, zero mean, standard deviation 1.

    >>> t = np.arange(600) / 30
    >>> fading = 0.01 * np.exp(-t / 10) * np.sin(2 * np.pi * 1.2 * t)     # 72 bpm, ever weaker
    >>> label = pseudo_label([120, 90, 70] * (1 - np.outer(fading, [0.33, 0.77, 0.53])), fs=30)
    >>> float(round(label[60:120].std() / label[-120:-60].std(), 1))
    1.0
    """
    colour = check_rgb("pseudo_label", rgb, fs=fs)
    wave = bandpass(pos(colour, fs=fs), fs=fs, band_hz=band_hz)
    envelope = np.abs(hilbert(wave, axis=-1))
    least = LEAST_ENVELOPE * np.median(envelope, axis=-1, keepdims=True)
    return standardise(wave / np.maximum(envelope, least))
