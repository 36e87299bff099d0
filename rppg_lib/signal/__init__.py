"""From a colour trace to a heart rate, in NumPy and SciPy alone. Everything works on batches; time is the last axis.

>>> import numpy as np
>>> from rppg_lib import signal
>>> t = np.arange(300) / 30                                          # 10 s at 30 frames per second
>>> blood = 0.01 * np.sin(2 * np.pi * 1.2 * t)                       # 72 bpm
>>> rgb = [120, 90, 70] * (1 - np.outer(blood, [0.33, 0.77, 0.53]))  # more blood, darker skin: (300, 3)
>>> pulse = signal.pos(rgb, fs=30)                                   # (300, 3) -> (300,)
>>> round(signal.hr_from_spectrum(pulse, fs=30), 1)
72.0
"""

from .agreement import macc
from .beats import (
    HRV,
    Intervals,
    autocorrelation,
    beat_times,
    hr_from_autocorrelation,
    hr_from_peaks,
    hrv,
    intervals,
)
from .breathing import MIN_BREATHING_S, Breathing, breathing
from .filters import bandpass, detrend, resample, standardise, uniform_times
from .lloyd import lloyd
from .methods import chrom, green, ica, lgi, omit, pbv, pos
from .pseudo import pseudo_label
from .quality import MIN_QUALITY_S, TRUST, quality
from .spectrum import HR_BAND_HZ, Spectrum, hr_from_spectrum, power_spectrum, snr_db
from .windows import windows

__all__ = [
    "Breathing", "HRV", "HR_BAND_HZ", "Intervals", "MIN_BREATHING_S", "MIN_QUALITY_S", "Spectrum", "TRUST",
    "autocorrelation", "bandpass", "beat_times", "breathing", "chrom", "detrend", "green", "hr_from_autocorrelation",
    "hr_from_peaks", "hr_from_spectrum", "hrv", "ica", "intervals", "lgi", "lloyd", "macc", "omit", "pbv", "pos",
    "power_spectrum", "pseudo_label", "quality", "resample", "snr_db", "standardise", "uniform_times", "windows",
]
