"""Two ways to read numbers from waveforms: ours, and the field's for comparison with published tables.

The band alone can move a mean error from 1.0 to 2.7 bpm on the same waveforms. So a read-out is an object that
says all it does, and tables carry its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.fft import rfft
from scipy.signal import find_peaks

from .. import signal
from ..signal.filters import check_band, field_bandpass, widened
from ..signal.spectrum import check_changing
from ..signal.windows import TRAILING_MIN_FRAMES
from ..types import check_fs

READS = ("fine", "fft", "peaks")
MIN_OWN_S = 3.0
"""Our own read-outs refuse shorter windows: two beats at 40 bpm. The field's rule of nine frames is its own."""


class Reading(NamedTuple):
    """What one wave says beside its label; arrays over a batch."""

    hr_true: np.ndarray
    hr_pred: np.ndarray
    snr_db: np.ndarray
    macc: np.ndarray


@dataclass(frozen=True, kw_only=True)
class ReadOut:
    """How heart rate, SNR and MACC are read from a wave and its label; both are treated alike.

    Attributes:
        band_hz: where the rate is looked for and power counts.
        read: ``fine`` (Hann window, grid of half a bpm, peak between grid points), ``fft`` (rectangular window, next
            power of two, nearest grid point) or ``peaks`` (mean distance of peaks).
        compatible: detrend (100) and filter (order 1) both waves first, count SNR as the public toolbox does.
        keep_trailing: keep a shorter last window of nine frames or more.
    """

    band_hz: tuple[float, float] = signal.HR_BAND_HZ
    read: str = "fine"
    compatible: bool = False
    keep_trailing: bool = False

    def __post_init__(self) -> None:
        if self.read not in READS:
            raise ValueError(f"ReadOut: read must be one of {', '.join(READS)}, got {self.read!r}.")
        check_band("ReadOut", self.band_hz)

    @property
    def label(self) -> str:
        """One line that says which read-out this is; goes beside every figure."""
        low, high = self.band_hz
        rule = "compatible" if self.compatible else "ours"
        return f"{rule}, {self.read}, {low:.3g}-{high:.3g} Hz"

    def prepare(self, wave: np.ndarray, *, fs: float) -> np.ndarray:
        """Band-pass a whole wave before it is cut (ours), a little wider than the band so that its edges stay readable.

        The field filters each window by itself; its read-out therefore leaves the whole wave as it is.
        """
        if self.compatible:
            return wave
        band_hz = check_band("ReadOut", self.band_hz, fs=check_fs("ReadOut", fs))
        return signal.bandpass(wave, fs=fs, band_hz=widened(band_hz, fs=fs))

    def __call__(self, wave: np.ndarray, label: np.ndarray, *, fs: float) -> Reading:
        """Read prepared waves ``(..., T)`` beside their labels ``(..., T)``."""
        fs = check_fs("ReadOut", fs)
        check_band("ReadOut", self.band_hz, fs=fs)
        if np.shape(wave) != np.shape(label):
            raise ValueError(f"ReadOut: wave and label must have one value per frame each, got shapes "
                             f"{np.shape(wave)} and {np.shape(label)}. Resample the label onto the frames.")
        frames = TRAILING_MIN_FRAMES if self.compatible else int(MIN_OWN_S * fs)
        wave, label = (check_changing("ReadOut", x, fs=fs, min_s=frames / fs) for x in (wave, label))
        if self.compatible:
            wave, label = (self._field_filter(x, fs) for x in (wave, label))
        hr_true, hr_pred = (self._rate(x, fs) for x in (label, wave))
        if self.compatible:
            snr = field_snr_db(wave, fs=fs, hr_bpm=hr_true, band_hz=self.band_hz)
        else:
            counted_hz = self.band_hz[0], widened(self.band_hz, fs=fs)[1]
            with np.errstate(over="ignore"):
                snr = signal.snr_db(wave, fs=fs, hr_bpm=hr_true, band_hz=counted_hz)
            if not np.isfinite(snr).all():
                raise ValueError(f"ReadOut: pulse and harmonic fill the whole band in {np.shape(wave)[-1] / fs:.3g} s, "
                                 f"so there is no noise to compare with. Widen the band or use a longer window.")
        return Reading(hr_true, hr_pred, np.asarray(snr), np.asarray(signal.macc(wave, label)))

    def _field_filter(self, wave: np.ndarray, fs: float) -> np.ndarray:
        return field_bandpass(signal.detrend(wave), fs=fs, band_hz=self.band_hz, order=1)

    def _rate(self, wave: np.ndarray, fs: float) -> np.ndarray:
        if self.read == "fine":
            return np.asarray(signal.hr_from_spectrum(wave, fs=fs, band_hz=self.band_hz))
        if self.read == "fft":
            return field_hr_from_fft(wave, fs=fs, band_hz=self.band_hz)
        one = field_hr_from_peaks if self.compatible else _own_peaks(self.band_hz)
        rates = [one(x, fs=fs) for x in wave.reshape(-1, wave.shape[-1])]
        return np.reshape(rates, wave.shape[:-1])


def _own_peaks(band_hz: tuple[float, float]):
    return lambda wave, *, fs: signal.hr_from_peaks(wave, fs=fs, band_hz=band_hz)


def field_hr_from_fft(wave: np.ndarray, *, fs: float, band_hz: tuple[float, float]) -> np.ndarray:
    """Return the rate of the highest point of the periodogram padded to the next power of two, in bpm.

    The grid is coarse: 7 bpm for 160 frames at 30 fps, 3.5 for 10 s. Heart rates come out on few values.

    >>> t = np.arange(300) / 30
    >>> float(field_hr_from_fft(np.sin(2 * np.pi * 1.2 * t), fs=30, band_hz=(0.6, 3.3)))     # 72 bpm went in
    70.3125
    """
    freq, power = _periodogram(wave, fs)
    inside = np.flatnonzero((freq >= band_hz[0]) & (freq <= band_hz[1]))
    if not len(inside):
        raise ValueError(f"field_hr_from_fft: the grid of {np.shape(wave)[-1]} frames has no point between "
                         f"{band_hz[0]:g} and {band_hz[1]:g} Hz. Use a longer window.")
    return 60 * freq[inside[np.argmax(power[..., inside], axis=-1)]]


def field_hr_from_peaks(wave: np.ndarray, *, fs: float) -> float:
    """Return the rate from the mean distance of all local maxima of one wave."""
    peaks, _ = find_peaks(wave)
    if len(peaks) < 2:
        raise ValueError(f"field_hr_from_peaks: needs at least two peaks, found {len(peaks)} "
                         f"in {len(wave) / fs:.1f} s. Use a longer window.")
    return 60 * fs / float(np.mean(np.diff(peaks)))


def field_snr_db(wave: np.ndarray, *, fs: float, hr_bpm: np.ndarray, band_hz: tuple[float, float]) -> np.ndarray:
    """Return power within 6 bpm of the rate and of twice the rate over the rest of the band, in dB.

    Without a rest it is 0, as in the field.
    """
    freq, power = _periodogram(wave, fs)
    rate = np.asarray(hr_bpm, dtype=float)[..., None] / 60
    near = (np.abs(freq - rate) <= 0.1) | (np.abs(freq - 2 * rate) <= 0.1)
    inside = (freq >= band_hz[0]) & (freq <= band_hz[1])
    if not near.any(-1).all():                                       # rates from peaks lie between the points
        raise ValueError(f"field_snr_db: the grid of {np.shape(wave)[-1]} frames has no point within 6 bpm "
                         f"of the rate. Use a longer window.")
    pulse = np.where(near, power, 0).sum(-1)
    rest = np.where(inside & ~near, power, 0).sum(-1)
    with np.errstate(divide="ignore"):
        return np.where(rest > 0, 10 * np.log10(pulse / np.where(rest > 0, rest, 1)), 0.0)


def _periodogram(wave: np.ndarray, fs: float) -> tuple[np.ndarray, np.ndarray]:
    size = 1 << (wave.shape[-1] - 1).bit_length()
    return np.fft.rfftfreq(size, 1 / fs), np.abs(rfft(wave, size)) ** 2


FINE = ReadOut()
"""The default: 40 to 180 bpm on a fine grid."""

FIELD = ReadOut(band_hz=(0.6, 3.3), read="fft", compatible=True, keep_trailing=True)
"""The public toolbox as it is now (36 to 198 bpm)."""

FIELD_2023 = ReadOut(band_hz=(0.75, 2.5), read="fft", compatible=True, keep_trailing=True)
"""The band behind its published tables (45 to 150 bpm)."""
