"""Single beats: when they come, how long they take, how much they vary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.signal import find_peaks, lombscargle

from ..types import check_fs
from .filters import bandpass, check_band, widened
from .spectrum import HR_BAND_HZ, check_changing, hr_from_spectrum, peak_offset

LONGEST_S, SHORTEST_S = 2.0, 0.25
"""No interval outside of these counts as a beat: 30 to 240 bpm."""


def beat_times(wave: np.ndarray, *, fs: float, band_hz: tuple[float, float] = HR_BAND_HZ) -> np.ndarray:
    """Return when each beat rises most steeply, in seconds from the first frame, finer than one frame.

    The steepest rise moves less with the shape of a beat than its top does. The wave is band-passed about its own
    main rate (half of it to two and a half times it), so that the dicrotic wave does not count as a beat, and divided
    by its size over the neighbouring beats, so that a weak stretch loses none.

    Args:
        wave: ``(T,)`` pulse, systole up.
        fs: frames per second.
        band_hz: where the main rate is looked for.

    >>> t = np.arange(900) / 30
    >>> beats = beat_times(np.sin(2 * np.pi * 1.25 * (t - 0.2)), fs=30)      # rises every 0.8 s, first at 0.2 s
    >>> bool(abs(np.diff(beats)[1:-1] - 0.8).max() < 0.01)
    True
    """
    fs = check_fs("beat_times", fs)
    x = check_changing("beat_times", wave, fs=fs)
    if x.ndim != 1:
        raise ValueError(f"beat_times: needs one wave (T,), got shape {x.shape}. Call it once per row.")
    band_hz = check_band("beat_times", band_hz, fs=fs)
    main = hr_from_spectrum(bandpass(x, fs=fs, band_hz=widened(band_hz, fs=fs)), fs=fs, band_hz=band_hz) / 60
    edges = (0.5 * main, min(2.5 * main, (main + fs / 2) / 2))
    slope = np.gradient(bandpass(x, fs=fs, band_hz=edges, order=2))
    power = uniform_filter1d(slope**2, max(int(3 * fs / main), 3), mode="nearest")
    size = np.sqrt(np.maximum(power, 0))                              # its running sum can end a hair below 0
    slope = slope / (size + 1e-3 * size.max())
    peaks, _ = find_peaks(slope, distance=max(0.5 * fs / main, 1), prominence=1.2)
    return (peaks + peak_offset(slope[peaks[:, None] + np.array([-1, 0, 1])])) / fs


@dataclass(frozen=True, eq=False)
class Intervals:
    """Beat-to-beat intervals that can be trusted, and how many could not."""

    seconds: np.ndarray                  # (n,) kept intervals
    at_s: np.ndarray                     # (n,) time of the beat that ends each
    follows: np.ndarray                  # (n,) True where the interval before it was kept too
    dropped: int                         # missed, doubled or ectopic beats

    def __len__(self) -> int:
        return len(self.seconds)


def intervals(beats_s: np.ndarray, *, tolerance: float = 0.3) -> Intervals:
    """Return the intervals between beats, without those that miss a beat or count one twice.

    Args:
        beats_s: ``(n,)`` increasing beat times.
        tolerance: an interval is dropped, and counted, if it differs from the median of the nine around it by more
            than this fraction, or lies outside 0.25 to 2 s.

    >>> kept = intervals([0, 0.8, 1.6, 3.2, 4.0, 4.8])               # the beat at 2.4 s was missed
    >>> len(kept), kept.dropped
    (4, 1)
    """
    beats = np.asarray(beats_s, dtype=float)
    if beats.ndim != 1 or len(beats) < 3 or not np.isfinite(beats).all() or (np.diff(beats) <= 0).any():
        raise ValueError(f"intervals: needs at least three increasing beat times in seconds, "
                         f"got {beats.size} values{' that do not all increase' if beats.size > 2 else ''}. "
                         f"Use a longer or cleaner recording.")
    all_s = np.diff(beats)
    typical = median_filter(all_s, size=min(9, len(all_s)), mode="nearest")
    good = (np.abs(all_s / typical - 1) <= tolerance) & (all_s >= SHORTEST_S) & (all_s <= LONGEST_S)
    follows = np.concatenate([[False], good[:-1]])[good]
    return Intervals(all_s[good], beats[1:][good], follows, int((~good).sum()))


@dataclass(frozen=True)
class HRV:
    """Heart-rate variability of one recording; NaN where it is too short for a figure."""

    beats: int
    dropped: int
    hr_bpm: float
    sdnn_ms: float                       # spread of all intervals
    rmssd_ms: float                      # typical change from one interval to the next
    pnn50: float                         # fraction of changes above 50 ms
    lf_ms2: float                        # power 0.04 to 0.15 Hz
    hf_ms2: float                        # power 0.15 to 0.4 Hz: breathing
    lf_hf: float


def hrv(beats_s: np.ndarray) -> HRV:
    """Return heart-rate variability from beat times (definitions of the task force, ``taskforce1996hrv``).

    Power is read from the unevenly spaced intervals themselves (Lomb-Scargle), without interpolation. It needs a
    minute for HF and two for LF; shorter recordings give NaN there.

    >>> rng = np.random.default_rng(0)
    >>> beats = np.cumsum(0.8 + 0.05 * rng.normal(size=2000))
    >>> f"{hrv(beats).sdnn_ms / 50:.1f} {hrv(beats).rmssd_ms / (50 * 2**0.5):.1f}"
    '1.0 1.0'
    """
    kept = intervals(beats_s)
    if len(kept) < 3:
        raise ValueError(f"hrv: only {len(kept)} of {len(kept) + kept.dropped} intervals can be trusted; "
                         f"it needs 3 or more. Use a longer or cleaner recording.")
    ms = 1000 * kept.seconds
    changes = np.diff(ms)[kept.follows[1:]]
    lf, hf = _band_power(kept.at_s, ms)
    return HRV(beats=len(beats_s), dropped=kept.dropped, hr_bpm=float(60000 / ms.mean()), sdnn_ms=float(ms.std(ddof=1)),
               rmssd_ms=float(np.sqrt(np.mean(changes**2))) if len(changes) else np.nan,
               pnn50=float(np.mean(np.abs(changes) > 50 + 1e-6)) if len(changes) else np.nan,
               lf_ms2=lf, hf_ms2=hf, lf_hf=lf / hf if hf > 0 else np.nan)


def hr_from_peaks(wave: np.ndarray, *, fs: float, band_hz: tuple[float, float] = HR_BAND_HZ) -> float:
    """Return the heart rate in bpm from the mean interval between beats of one wave ``(T,)``.

    >>> t = np.arange(300) / 30
    >>> round(hr_from_peaks(np.sin(2 * np.pi * 1.2 * t), fs=30), 1)
    72.0
    """
    beats = beat_times(wave, fs=fs, band_hz=band_hz)
    if len(beats) < 3:
        raise ValueError(f"hr_from_peaks: found {len(beats)} beats in {np.shape(wave)[-1] / fs:.1f} s, "
                         f"needs at least 3. Use a longer clip, or hr_from_spectrum.")
    kept = intervals(beats)
    return float(60 / kept.seconds.mean()) if len(kept) else float(60 / np.diff(beats).mean())


def hr_from_autocorrelation(wave: np.ndarray, *, fs: float,
                            band_hz: tuple[float, float] = HR_BAND_HZ) -> np.ndarray | float:
    """Return the heart rate in bpm of each wave ``(..., T)``: the first shift at which it is most like itself.

    A periodic wave is as similar to itself after two beats as after one; the shortest shift within 10 % of the best
    wins.

    >>> t = np.arange(300) / 30
    >>> round(hr_from_autocorrelation(np.sin(2 * np.pi * 1.2 * t), fs=30))
    72
    """
    low, high = check_band("hr_from_autocorrelation", band_hz, fs=check_fs("hr_from_autocorrelation", fs))
    shift, similarity = autocorrelation(wave, fs=fs)
    first, last = int(np.floor(fs / high)), min(int(np.ceil(fs / low)), len(shift) - 2)
    if last < first + 2:
        raise ValueError(f"hr_from_autocorrelation: needs more than {1 / low:.1f} s, one beat of the slowest rate, got "
                         f"{np.shape(wave)[-1] / fs:.1f} s. Use a longer clip.")
    index = np.arange(max(first, 1), last + 1)
    left, mid, right = (similarity[..., index + d] for d in (-1, 0, 1))
    is_peak = (mid >= left) & (mid >= right)
    best = np.where(is_peak, mid, -np.inf).max(-1, keepdims=True)
    candidates = is_peak & (mid >= best - 0.1 * np.abs(best))
    chosen = index[np.where(candidates.any(-1), candidates.argmax(-1), mid.argmax(-1))]
    three = np.take_along_axis(similarity, chosen[..., None] + np.array([-1, 0, 1]), -1)
    rate = np.clip(60 * fs / (chosen + peak_offset(three)), 60 * low, 60 * high)
    return float(rate) if rate.ndim == 0 else rate


def autocorrelation(wave: np.ndarray, *, fs: float) -> tuple[np.ndarray, np.ndarray]:
    """Return shifts in seconds up to half the length, and the similarity of each wave to itself at them (1 at 0)."""
    x = check_changing("autocorrelation", wave, fs=fs)
    frames = x.shape[-1]
    x = x - x.mean(-1, keepdims=True)
    size = next_fast_len(2 * frames, real=True)
    raw = irfft(np.abs(rfft(x, size)) ** 2, size)[..., :frames // 2 + 1]
    raw = raw / (frames - np.arange(frames // 2 + 1))                 # fewer products at longer shifts
    return np.arange(frames // 2 + 1) / fs, raw / raw[..., :1]


def _band_power(at_s: np.ndarray, ms: np.ndarray) -> tuple[float, float]:
    """Return LF and HF power in ms^2; their sum over all frequencies is the variance of the intervals."""
    duration = at_s[-1] - at_s[0]
    freq = np.arange(0.5 / duration, 0.5, 0.5 / duration) if duration > 0 else np.zeros(0)
    if len(freq) < 2:
        return np.nan, np.nan
    # A few frequencies at a time: SciPy holds a table of all times by all frequencies, gigabytes after some hours.
    blocks = np.array_split(2 * np.pi * freq, len(freq) // 256 + 1)
    density = np.concatenate([lombscargle(at_s, ms - ms.mean(), block) for block in blocks]) * 2 * duration / len(ms)
    step = freq[1] - freq[0]
    lf, hf = (float(step * density[(freq >= a) & (freq < b)].sum()) for a, b in ((0.04, 0.15), (0.15, 0.4)))
    return (lf if duration >= 120 else np.nan, hf if duration >= 60 else np.nan)
