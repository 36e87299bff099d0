"""What is wrong with a piece of a contact label: figures of each segment, and a verdict with its reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_propagation, maximum_filter1d, median_filter, minimum_filter1d

from ..signal import MIN_QUALITY_S, TRUST, bandpass, beat_times, hr_from_spectrum, quality, snr_db
from ..signal.filters import widened
from ..types import MIN_S, frames_in

GOOD, DOUBTFUL, BROKEN = VERDICTS = ("good", "doubtful", "broken")
FLAT_S = 0.8
"""No beat of a living heart stands still for so long; a sensor that has slipped off does."""
PLATEAU_S = 0.06
STEEP = 2.5
"""Smallest steps of the wave that lead at once to a plateau where something was cut off."""
ENDS, SMALLEST = (0.002, 0.998), 0.01
"""Quantiles of values that stand for both ends of the range, and of steps for the smallest: not set by one sample."""
RANGE, EQUAL = (0.05, 0.95), 1e-9
"""Values are equal if they differ by less than this part of what lies between these quantiles."""
CLIPPED_SHARE = 0.03
"""Of a segment, in plateaus at the recording's highest or lowest value."""
SPIKE_HEIGHT = 1.5
"""From the middle, in heights of the beats around. A beat itself reaches 0.5 to 0.8."""
SHORT_S, GROSS = 0.2, 3.0
"""Up to half of this is short, for a spike; and beyond so many heights one is so large that a filter would ring."""
SPIKE_AROUND_S, HEIGHT_AROUND_S = 0.3, 30.0
BROKEN_SHARE = 0.1
"""Of a segment without values, flat or in spikes: from here on too little is left to learn from."""
LEAST_LOST_S = 0.05
"""Less than this of a flat stretch or a spike may be its end, whose rest lies in the segment before or after."""
ALIKE = 0.86
"""Of a beat with the template, the limit of the literature (``orphanidou2015sqi``)."""
ODD_SHARE = 0.2
LEAST_SNR_DB = 0.0
WANDER = 2.0
"""Spread of what is slower than the pulse, in spreads of the pulse."""
BEAT_POINTS = 50
NO_BEATS = np.zeros((0, BEAT_POINTS))


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A piece of a label and what was found in it. A figure that cannot be read is NaN."""

    start_s: float
    seconds: float
    verdict: str                         # good, doubtful or broken
    reasons: tuple[str, ...]             # named faults, the worst first; none where it is good
    hr_bpm: float = math.nan             # highest spectral peak
    alike: float = math.nan              # median correlation of its beats with the recording's template
    odd_beats: float = math.nan          # share of beats that correlate less than 0.86
    snr_db: float = math.nan             # about its own rate
    quality: float = math.nan            # 0 to 1: how likely it is a pulse at all
    wander: float = math.nan             # spread of slower parts over that of the pulse
    missing_s: float = 0.0
    flat_s: float = 0.0
    clipped_s: float = 0.0
    spikes_s: float = 0.0

    @property
    def comparable(self) -> bool:
        """Whether there may be a pulse in it, outside of what is lost."""
        return "no pulse" not in self.reasons or bool({"missing", "flat", "spikes"} & set(self.reasons))


@dataclass(frozen=True, eq=False)
class Marks:
    """Samples ``(T,)`` that are no pulse, and the wave with straight lines where it is missing, flat or far away."""

    wave: np.ndarray
    missing: np.ndarray
    flat: np.ndarray
    clipped: np.ndarray
    spikes: np.ndarray

    @property
    def lost(self) -> np.ndarray:
        return self.missing | self.flat | self.spikes


def cuts_of(frames: int, *, fs: float, segment_s: float) -> list[slice]:
    """Return segments of about ``segment_s`` that hold every sample once: what is left over is shared out.

    >>> [cut.stop - cut.start for cut in cuts_of(1000, fs=30, segment_s=10)]
    [333, 333, 334]
    """
    count = max(round(frames / (segment_s * fs)), 1)
    edges = [frames * k // count for k in range(count + 1)]
    return [slice(a, b) for a, b in zip(edges, edges[1:])]


def mark(label: np.ndarray, *, fs: float, band_hz: tuple[float, float]) -> Marks:
    """Find samples without a value, stretches that stand still, plateaus at the ends of the range, and spikes.

    Spikes are taken out before anything is measured on the whole label, and before any filter: one value far away
    must neither set the range nor ring on for seconds.
    """
    missing = ~np.isfinite(label)
    wave = _bridged(label, missing)
    equal = EQUAL * np.ptp(np.quantile(wave, RANGE))
    flat = _flat(wave, missing, equal, fs=fs) & ~missing
    level = _running_median(wave, frames_in(SHORT_S, fs))            # no wild value may be the end of a line
    far = _far(np.where(flat, _bridged(level, flat), wave), ~flat & ~missing, fs=fs, band_hz=band_hz)
    wave = _bridged(wave, far)
    flat = _flat(wave, missing | far, equal, fs=fs) & ~missing       # now also where one value in it stood out
    sound = ~flat & ~missing & ~far
    runs = _constant_runs(wave, equal)
    plateaus = runs[np.diff(runs, axis=1).ravel() >= max(frames_in(PLATEAU_S, fs), 2)]
    clipped = _inside(plateaus[_cut_off(wave, plateaus, sound, equal)], len(wave)) & sound
    spikes = _around(far & ~flat, frames_in(SPIKE_AROUND_S, fs)) & ~flat & ~missing
    return Marks(_bridged(wave, flat), missing, flat, clipped, spikes)


def _bridged(wave: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Return the wave with straight lines over its gaps."""
    at = np.arange(len(wave))
    return wave if gaps.all() else np.interp(at, at[~gaps], wave[~gaps])


def _flat(wave: np.ndarray, gaps: np.ndarray, equal: float, *, fs: float) -> np.ndarray:
    """Return where the wave stands still for too long: so many values, and a moment of something else between two."""
    runs = _constant_runs(wave, equal)
    values = np.cumsum(np.r_[0, ~gaps])
    runs = runs[np.diff(values[runs], axis=1).ravel() >= FLAT_S * fs]
    between = np.column_stack([runs[:-1, 1], runs[1:, 0]])
    short = between[np.diff(between, axis=1).ravel() <= SHORT_S * fs]
    return _inside(np.concatenate([runs, short]), len(wave))


def _cut_off(wave: np.ndarray, plateaus: np.ndarray, sound: np.ndarray, equal: float) -> np.ndarray:
    """Say of each plateau whether it lies at an end of the wave's range, and is entered or left at a slope.

    In a wave in coarse steps every top is a plateau; but one step leads up to it, not several at once.
    """
    steps = np.abs(np.diff(wave))
    own = steps[sound[1:] & sound[:-1] & (steps > equal)]            # not those of lines over gaps
    if not len(own) or not len(plateaus):
        return np.zeros(len(plateaus), bool)
    low, high = np.quantile(wave[sound], ENDS)
    level, near = wave[plateaus[:, 0]], 1e-3 * (high - low)
    at_end = (level <= low + near) | (level >= high - near)
    into, out = np.maximum(plateaus[:, 0] - 1, 0), np.minimum(plateaus[:, 1] - 1, len(steps) - 1)
    return at_end & (np.maximum(steps[into], steps[out]) > STEEP * np.quantile(own, SMALLEST))


def _constant_runs(wave: np.ndarray, equal: float) -> np.ndarray:
    """Return first sample and end ``(n, 2)`` of every stretch of two or more equal values."""
    same = np.abs(np.diff(wave)) <= equal
    starts = np.flatnonzero(np.diff(same.astype(int), prepend=0, append=0)).reshape(-1, 2)
    return starts + [0, 1]


def _inside(stretches: np.ndarray, frames: int) -> np.ndarray:
    """Return ``(frames,)`` True inside of the stretches ``(n, 2)``, of which no two overlap."""
    edges = np.zeros(frames + 1, int)
    edges[stretches[:, 0]] += 1
    edges[stretches[:, 1]] -= 1
    return np.cumsum(edges[:-1]) > 0


def _around(mask: np.ndarray, frames: int) -> np.ndarray:
    """Return a mask that reaches so many frames further, both ways."""
    return maximum_filter1d(mask.astype(np.uint8), 2 * frames + 1) > 0


def _far(wave: np.ndarray, sound: np.ndarray, *, fs: float, band_hz: tuple[float, float]) -> np.ndarray:
    """Return where the wave goes far beyond the beats around it.

    A filter alone would make one value small, and a large one ring. So what is short stays as it came, and only what
    is left, limited in height, is filtered.
    """
    if not sound.any():
        return np.zeros(len(wave), bool)
    beat = frames_in(1 / band_hz[0], fs)
    middle = _running_median(wave, beat)
    limit = GROSS * _usual_height(wave - middle, sound, beat, fs=fs)
    long = _running_median(np.clip(wave, middle - limit, middle + limit), frames_in(SHORT_S, fs))
    x = wave - long + heartbeat_band(long, fs=fs, band_hz=band_hz)
    usual = _usual_height(x, sound, beat, fs=fs)
    far = sound & (np.abs(x) > SPIKE_HEIGHT * usual)
    return binary_propagation(far, mask=far | (sound & (np.abs(wave - middle) > usual)))    # with its foot


def _running_median(wave: np.ndarray, frames: int) -> np.ndarray:
    return median_filter(wave, size=2 * (frames // 2) + 1, mode="reflect")


def _usual_height(wave: np.ndarray, sound: np.ndarray, beat: int, *, fs: float) -> np.ndarray:
    """Return how high the beats around each sample usually are: the median, which a spike does not move."""
    height = maximum_filter1d(wave, beat) - minimum_filter1d(wave, beat)
    step = max(beat // 2, 1)
    coarse = np.where(sound, height, np.median(height[sound]))[::step]
    usual = median_filter(coarse, size=min(max(round(HEIGHT_AROUND_S * fs / step), 1), len(coarse)), mode="reflect")
    return np.interp(np.arange(len(wave)), np.arange(len(coarse)) * step, usual)


def heartbeat_band(wave: np.ndarray, *, fs: float, band_hz: tuple[float, float]) -> np.ndarray:
    """Return the wave without what is slower than a beat, and without what is faster than its shape."""
    return bandpass(wave, fs=fs, band_hz=(0.75 * band_hz[0], min(8 / 3 * band_hz[1], 0.45 * fs)))


def beats_in(wave: np.ndarray, *, fs: float, band_hz: tuple[float, float]) -> np.ndarray:
    """Return the beats ``(n, 50)`` of a wave, each from one steepest rise to the next: all equally long and high."""
    times_s = beat_times(wave, fs=fs, band_hz=band_hz)
    steps = np.diff(times_s)
    pairs = [(a, b) for a, b, step in zip(times_s, times_s[1:], steps) if step <= 2 / band_hz[0]]
    beats = [np.interp(np.linspace(a, b, BEAT_POINTS, endpoint=False) * fs, np.arange(len(wave)), wave)
             for a, b in pairs]
    return _evened(np.reshape(beats, (-1, BEAT_POINTS)))


def template_of(beats: np.ndarray) -> np.ndarray:
    """Return the beat ``(50,)`` that is typical of many ``(n, 50)``: their median, point by point."""
    return _evened(np.median(beats, axis=0))


def _evened(beats: np.ndarray) -> np.ndarray:
    beats = beats - beats.mean(-1, keepdims=True)
    spread = beats.std(-1, keepdims=True)
    return beats / np.where(spread > 0, spread, 1)


def steepness(wave: np.ndarray) -> float:
    """Return whether a wave, beats alone, rises faster than it falls (> 0: a pulse does) or slower (< 0).

    It is the skewness of the slope, whose largest values are cut: they belong to faults.
    """
    if len(wave) < 3:
        return math.nan
    slope = np.gradient(wave)
    limit = 6 * np.median(np.abs(slope))
    slope = np.clip(slope, -limit, limit)
    size = np.mean(slope**2)
    return float(np.mean(slope**3) / size**1.5) if size > 0 else math.nan


def examine(label: np.ndarray, *, fs: float, segment_s: float,
            band_hz: tuple[float, float]) -> tuple[tuple[Segment, ...], np.ndarray, Marks]:
    """Return the segments of a label ``(T,)``, its beats ``(n, 50)`` and what was marked in it."""
    marks = mark(label, fs=fs, band_hz=band_hz)
    wave = heartbeat_band(marks.wave, fs=fs, band_hz=band_hz)
    cuts = cuts_of(len(label), fs=fs, segment_s=segment_s)
    left = [len(label[cut]) - marks.lost[cut].sum() >= min(MIN_S * fs, len(label[cut])) for cut in cuts]
    beats = [_beats_or_none(wave[cut], fs=fs, band_hz=band_hz) if some else NO_BEATS for cut, some in zip(cuts, left)]
    everything = np.concatenate(beats)
    template = template_of(everything) if len(everything) else np.zeros(BEAT_POINTS)
    slow = marks.wave - wave
    found = []
    for cut, own, some in zip(cuts, beats, left):
        lost = {f"{name}_s": float(getattr(marks, name)[cut].sum() / fs)
                for name in ("missing", "flat", "clipped", "spikes")}
        alike = own @ template / BEAT_POINTS
        figures = _figures(wave[cut], slow[cut], alike, fs=fs, band_hz=band_hz) if some else {}
        seconds = (cut.stop - cut.start) / fs
        verdict, reasons = _judge(seconds, marks.lost[cut].mean(), lost | figures)
        found.append(Segment(start_s=cut.start / fs, seconds=seconds, verdict=verdict, reasons=reasons, **lost,
                             **figures))
    return tuple(found), everything, marks


def _beats_or_none(wave: np.ndarray, *, fs: float, band_hz: tuple[float, float]) -> np.ndarray:
    try:
        return beats_in(wave, fs=fs, band_hz=band_hz)
    except ValueError:                                               # too short, or nothing but a constant
        return NO_BEATS


def _figures(wave: np.ndarray, slow: np.ndarray, alike: np.ndarray, *, fs: float,
             band_hz: tuple[float, float]) -> dict[str, float]:
    """Return the figures that can be read from a segment."""
    low, high = widened(band_hz, fs=fs)
    figures = {}
    if len(alike):
        figures = {"alike": float(np.median(alike)), "odd_beats": float(np.mean(alike < ALIKE))}
    try:
        rate = hr_from_spectrum(wave, fs=fs, band_hz=band_hz)
        figures |= {"hr_bpm": rate, "snr_db": snr_db(wave, fs=fs, hr_bpm=rate, band_hz=(0.9 * band_hz[0], high))}
        figures["wander"] = float(slow.std() / wave.std())
        if len(wave) >= int(MIN_QUALITY_S * fs):
            figures["quality"] = quality(wave, fs=fs, band_hz=band_hz)
    except ValueError:                                               # too short, or nothing but a constant
        pass
    return figures


def _judge(seconds: float, lost: float, figures: dict[str, float]) -> tuple[str, tuple[str, ...]]:
    """Return the verdict and its reasons, the worst first. A figure that is not there gives no reason."""
    def beyond(name: str, limit: float) -> bool:
        return figures.get(name, math.nan) > limit                   # NaN is not

    def below(name: str, limit: float) -> bool:
        return figures.get(name, math.nan) < limit

    found = {name: figures[f"{name}_s"] > LEAST_LOST_S or figures[f"{name}_s"] == seconds
             for name in ("flat", "spikes")}
    found |= {"missing": figures["missing_s"] > 0, "too short": seconds < MIN_S, "no pulse": below("quality", TRUST),
              "odd beats": beyond("odd_beats", ODD_SHARE) or below("alike", ALIKE),
              "noisy": below("snr_db", LEAST_SNR_DB),
              "clipped": figures["clipped_s"] > CLIPPED_SHARE * seconds, "wanders": beyond("wander", WANDER)}
    broken = lost >= BROKEN_SHARE or found["too short"] or found["no pulse"] or "hr_bpm" not in figures
    order = ("too short", "missing", "flat", "no pulse", "spikes", "noisy", "odd beats", "clipped", "wanders")
    reasons = tuple(name for name in order if found[name])
    return (BROKEN if broken else DOUBTFUL if reasons else GOOD), reasons
