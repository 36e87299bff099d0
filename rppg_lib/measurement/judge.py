"""From the colours of skin to rates, and from rates to a verdict in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import signal
from ..registry import Estimator
from ..signal import HR_BAND_HZ, MIN_BREATHING_S, MIN_QUALITY_S, TRUST, Breathing
from ..types import Clip, Pulse
from .result import Stretch, Verdict, Window

MOSTLY = 0.5
"""Share of trusted windows from which on a whole measurement is called reliable."""

LONG_SPAN_S = 20.0
"""A trusted span of two windows that do not overlap is believed although the rest is not."""

LEAST_FS = 2 * HR_BAND_HZ[1]
"""A film of fewer frames a second folds fast pulses into the band, where they repeat as perfectly as any."""

MIN_HRV_S = 30.0
MOST_DROPPED = 0.15


@dataclass(frozen=True, eq=False)
class Reading:
    """The pulse of one stretch with a face, window by window."""

    clip: Clip
    stretch: Stretch
    windows: tuple[Window, ...]

    def spans(self) -> list[tuple[float, float]]:
        """Return from when to when trusted windows follow one another, with no other between them."""
        spans: list[tuple[float, float]] = []
        goes_on = False
        for window in self.windows:
            if window.trusted:
                end = window.start_s + window.seconds
                if goes_on and window.start_s <= spans[-1][1]:
                    spans[-1] = (spans[-1][0], end)
                else:
                    spans.append((window.start_s, end))
            goes_on = window.trusted
        return spans


def read(clip: Clip, estimator: Estimator, *, window_s: float, hop_s: float) -> Reading:
    """Return pulse, windows and trusted beats of one stretch; it must be 5 s or longer."""
    if clip.fs <= LEAST_FS:
        raise ValueError(f"needs more than {LEAST_FS:g} frames per second, got {clip.fs:.3g}: at fewer, a fast pulse "
                         f"looks like a slow one")
    pulse = estimator.predict(clip)
    band_hz = fitting_band(pulse.fs)
    cuts = signal.windows(len(pulse.wave), fs=pulse.fs, window_s=max(window_s, MIN_QUALITY_S), step_s=hop_s)
    windows = tuple(_window(pulse, cut, clip.start_s, band_hz) for cut in cuts)
    bare = Reading(clip, Stretch(start_s=clip.start_s, pulse=pulse, beats_s=np.zeros(0)), windows)
    beats, until = [], -math.inf
    for span in bare.spans():                                         # two spans may overlap
        found = _beats(bare, span)
        beats.append(found[found > until])
        until = span[1]
    stretch = Stretch(start_s=clip.start_s, pulse=pulse, beats_s=np.concatenate([*beats, np.zeros(0)]))
    return Reading(clip, stretch, windows)


def fitting_band(fs: float) -> tuple[float, float]:
    """Return where rates are looked for: 40 to 180 bpm, less where few frames a second allow less.

    >>> fitting_band(30.0) == HR_BAND_HZ, fitting_band(6.2)[1]
    (True, 2.79)
    """
    low, high = HR_BAND_HZ
    return low, min(high, 0.45 * fs)


def _window(pulse: Pulse, cut: slice, start_s: float, band_hz: tuple[float, float]) -> Window:
    wave = pulse.wave[cut]
    place = {"start_s": start_s + cut.start / pulse.fs, "seconds": len(wave) / pulse.fs}
    try:
        filtered = signal.bandpass(wave, fs=pulse.fs, band_hz=signal.filters.widened(band_hz, fs=pulse.fs))
        rate = signal.hr_from_spectrum(filtered, fs=pulse.fs, band_hz=band_hz)
        quality = signal.quality(wave, fs=pulse.fs, band_hz=band_hz)
    except ValueError as error:
        return Window(**place, reading_bpm=math.nan, quality=0.0, trusted=False, note=str(error))
    return Window(**place, reading_bpm=float(rate), quality=float(quality), trusted=bool(quality >= TRUST))


def _part(reading: Reading, span: tuple[float, float]) -> slice:
    fs = reading.stretch.pulse.fs
    return slice(round((span[0] - reading.clip.start_s) * fs), round((span[1] - reading.clip.start_s) * fs))


def _beats(reading: Reading, span: tuple[float, float]) -> np.ndarray:
    pulse = reading.stretch.pulse
    return span[0] + signal.beat_times(pulse.wave[_part(reading, span)], fs=pulse.fs, band_hz=fitting_band(pulse.fs))


def verdict(readings: Sequence[Reading]) -> tuple[Verdict, str]:
    """Return what the windows of all stretches say together, in a word and in a sentence."""
    windows = [window for reading in readings for window in reading.windows]
    trusted = [window for window in windows if window.trusted]
    spans = [span for reading in readings for span in reading.spans()]
    share = len(trusted) / len(windows)
    if share >= MOSTLY:
        return "reliable", ("the wave repeats itself as a pulse does" if share == 1 else
                            f"the wave repeats itself as a pulse does in {len(trusted)} of {len(windows)} windows")
    long = [span for span in spans if span[1] - span[0] >= LONG_SPAN_S]
    if long:
        times = ", ".join(f"{start:.0f} to {end:.0f} s" for start, end in long)
        return "partly reliable", f"a pulse shows from {times}; the rest is not to be trusted"
    if trusted:
        return "do not trust", (f"only {len(trusted)} of {len(windows)} windows look like a pulse, "
                                "which chance alone may bring about")
    return "do not trust", "no wave repeats itself as a pulse does: light, movement or compression may hide it"


def believed(readings: Sequence[Reading], word: Verdict) -> list[Window]:
    """Return the windows whose median is the rate: all trusted ones, or those of the long spans alone."""
    if word == "partly reliable":
        return [window for reading in readings for start, end in reading.spans() if end - start >= LONG_SPAN_S
                for window in reading.windows
                if window.trusted and start <= window.start_s and window.start_s + window.seconds <= end + 1e-6]
    return [window for reading in readings for window in reading.windows if window.trusted]


def longest_span(readings: Sequence[Reading]) -> tuple[Reading, tuple[float, float]] | None:
    """Return the longest trusted span and the stretch it lies in."""
    spans = [(reading, span) for reading in readings for span in reading.spans()]
    return max(spans, key=lambda pair: pair[1][1] - pair[1][0], default=None)


def variability(readings: Sequence[Reading]) -> tuple[signal.HRV | None, str]:
    """Return heart-rate variability over the longest trusted span, or why there is none."""
    best = longest_span(readings)
    if best is None or best[1][1] - best[1][0] < MIN_HRV_S:
        return None, f"it needs {MIN_HRV_S:g} s of trusted pulse in one piece, {_length(best)} came"
    reading, (start, end) = best
    beats = reading.stretch.beats_s
    try:
        found = signal.hrv(beats[(beats >= start) & (beats <= end)])
    except ValueError as error:
        return None, str(error)
    if found.dropped > MOST_DROPPED * max(found.beats - 1, 1):
        return None, f"{found.dropped} of {found.beats - 1} intervals between beats are doubtful"
    return found, ""


def breath(readings: Sequence[Reading]) -> tuple[Breathing | None, str]:
    """Return breathing over the longest trusted span, or why there is none."""
    best = longest_span(readings)
    if best is None or best[1][1] - best[1][0] < MIN_BREATHING_S:
        return None, f"it needs {MIN_BREATHING_S:g} s of trusted pulse in one piece, {_length(best)} came"
    reading, span = best
    part, pulse = _part(reading, span), reading.stretch.pulse
    level = None
    if reading.clip.rgb is not None and len(reading.clip.rgb) == len(pulse.wave):
        level = np.log(reading.clip.rgb[part, 0]) - np.log(reading.clip.rgb[part, 1])
    try:
        found = signal.breathing(pulse.wave[part], fs=pulse.fs, level=level)
    except ValueError as error:
        return None, str(error)
    return found, "" if found.clear else "no rhythm of breathing stands out"


def _length(best: tuple[Reading, tuple[float, float]] | None) -> str:
    return f"{best[1][1] - best[1][0]:.0f} s" if best else "none"
