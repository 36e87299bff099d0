"""Are these labels fit to be learned from? Every recording, every segment, before anything is trained on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from ..signal import HR_BAND_HZ, bandpass, lloyd, standardise
from ..signal.filters import check_band
from ..types import MIN_S, Clip, check_fs, check_wave
from .audit_text import report_text
from .label_files import Labelled, Unread
from .lag import Lag, common_lag, find_lag
from .segments import BROKEN, GOOD, VERDICTS, Marks, Segment, cuts_of, examine, heartbeat_band, steepness, template_of

STEPS_HZ, STEPS_ORDER = (0.75, 2.5), 1
"""What published quantised labels keep of a wave (``sung2026lqrppg``)."""
BITS = (1, 2, 3, 4, 5)
IN_USE = 0.0005
"""Of all samples that a code must stand for."""
MOST_SAMPLES = 200_000
"""Codes are fitted to so many, evenly taken from all."""
FEW_VALUES = 2 ** max(BITS)
"""A label that takes no more values came in fewer steps than the finest codes have."""
UPSIDE_DOWN = -0.5
"""A wave whose steepness is below it may be upside down."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordingAudit:
    """What was found in the label of one recording."""

    name: str
    subject: str
    fs: float
    seconds: float
    segments: tuple[Segment, ...]
    lag: Lag | None                      # None: there are no colours to compare it with
    upside_down: bool                    # says the video; or, where it says nothing, the steepness
    steepness: float                     # > 0: rises faster than it falls, as a pulse does
    label: np.ndarray                    # (T,) as it came
    distinct: int                        # different values in it
    beats: np.ndarray                    # (n, 50) one beat each; like the figures, of the label the right way up
    codes_in_use: dict[int, int]         # by number of bits; of the codes fitted to all recordings

    def count(self, verdict: str) -> int:
        """Return how many segments have this verdict."""
        return sum(segment.verdict == verdict for segment in self.segments)

    @property
    def coarse(self) -> bool:
        """Whether the label came in few steps: those are no longer seen once it is band-passed."""
        return 1 < self.distinct <= min(FEW_VALUES, len(self.label) // 10)       # a short one cannot take many

    @property
    def template(self) -> np.ndarray:
        """The usual beat ``(50,)``; all zero where no beat was found."""
        return template_of(self.beats) if len(self.beats) else np.zeros(self.beats.shape[1])

    @property
    def badness(self) -> tuple[float, float]:
        """Share of segments that are broken, and that are not good: sorts the worst last."""
        return self.count(BROKEN) / len(self.segments), 1 - self.count(GOOD) / len(self.segments)


@dataclass(frozen=True, eq=False, kw_only=True)
class Steps:
    """Codes of one number of bits, fitted to all segments that are not broken, and how much they are used."""

    bits: int
    codes: np.ndarray                    # (2**bits,) ascending
    in_use: int                          # that stand for more than 0.05 % of the samples
    perplexity: float                    # how many codes used equally often would say as much
    sqnr_db: float                       # power of the labels over that of the error


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelAudit:
    """What was found in all labels. Nothing is left out: what could not be read is in ``unread``."""

    source: str
    segment_s: float
    recordings: tuple[RecordingAudit, ...]
    unread: tuple[Unread, ...]
    steps: tuple[Steps, ...]
    lag: Lag | None                      # one for all, where five recordings or more have their own

    def worst_first(self) -> list[RecordingAudit]:
        """Return the recordings, those with the largest share of broken segments first."""
        return sorted(self.recordings, key=lambda each: each.badness, reverse=True)

    @property
    def rows(self) -> pd.DataFrame:
        """A row per segment."""
        return pd.DataFrame([{"recording": each.name, "subject": each.subject, "fs": each.fs,
                              **asdict(segment) | {"reasons": "; ".join(segment.reasons)},
                              "lag_s": each.lag.seconds if each.lag else math.nan,
                              "lag_certain": bool(each.lag and each.lag.certain), "upside_down": each.upside_down}
                             for each in self.recordings for segment in each.segments])

    def to_text(self) -> str:
        """Return what a person reads: a table, the worst first, and what to do about each fault."""
        return report_text(self)

    def to_json(self) -> dict:
        """Return the same as plain values; NaN becomes None. Waves are not in it."""
        return _plain({
            "source": self.source, "segment_s": self.segment_s,
            "segments": {verdict: sum(each.count(verdict) for each in self.recordings) for verdict in VERDICTS},
            "lag": _lag_values(self.lag), "unread": [asdict(each) for each in self.unread],
            "steps": [asdict(each) for each in self.steps],
            "recordings": [{"name": each.name, "subject": each.subject, "fs": each.fs, "seconds": each.seconds,
                            "upside_down": each.upside_down, "steepness": each.steepness,
                            "distinct_values": each.distinct, "lag": _lag_values(each.lag),
                            "codes_in_use": each.codes_in_use,
                            "segments": [asdict(segment) for segment in each.segments]} for each in self.recordings]})


def audit(labels: Iterable[Labelled | Clip | Unread], *, source: str = "labels", segment_s: float = 10.0,
          band_hz: tuple[float, float] = HR_BAND_HZ,
          progress: Callable[[Iterable], Iterable] | None = None) -> LabelAudit:
    """Say of every segment of every label whether it can be learned from, and how late labels are.

    Args:
        labels: waves with or without the colours of the same frames, or clips.
        source: what they are called in the report.
        segment_s: about how long a segment is; what is left over is shared out, so that every sample is in one.
        band_hz: where heart rates are looked for.
        progress: wraps the labels, for example ``tqdm.auto.tqdm``.

    >>> from rppg_lib import simulate
    >>> clip = simulate.trace(2, seconds=90, label_faults=[simulate.Lag(seconds=0.3), simulate.LostContact()])
    >>> report = audit(clip)
    >>> [segment.verdict for segment in report.recordings[0].segments][:4]
    ['doubtful', 'broken', 'good', 'good']
    >>> round(report.recordings[0].lag.seconds, 2)
    0.3
    """
    band_hz = check_band("audit", band_hz)
    if not segment_s >= MIN_S:
        raise ValueError(f"audit: segment_s must be {MIN_S:g} s or more, one beat of a slow heart, got {segment_s!r}.")
    found, unread, waves = [], [], []
    labels = [labels] if isinstance(labels, (Labelled, Clip)) else labels
    for each in progress(labels) if progress else labels:
        if isinstance(each, Unread):
            unread.append(each)
            continue
        try:
            one, wave = _audit_one(Labelled.of(each) if isinstance(each, Clip) else each, segment_s, band_hz)
        except ValueError as error:                                  # one label must not take the others with it
            name = each.id if isinstance(each, Clip) else each.name
            unread.append(Unread(name, " ".join(str(error).removeprefix(f"audit: {name}: ").split())))
            continue
        found.append(one)
        waves.append(wave)
    if not found and not unread:
        raise ValueError("audit: needs at least one label, got none.")
    steps, in_use = _steps(waves)
    found = [replace(one, codes_in_use=used) for one, used in zip(found, in_use)]
    return LabelAudit(source=source, segment_s=segment_s, recordings=tuple(found), unread=tuple(unread), steps=steps,
                      lag=common_lag([one.lag for one in found if one.lag]))


def _audit_one(what: Labelled, segment_s: float, band_hz: tuple[float, float]) -> tuple[RecordingAudit, np.ndarray]:
    """Return what was found in one label, and its wave as quantised labels are made of it."""
    who, fs = f"audit: {what.name}", check_fs("audit", what.fs)
    present = what.label[np.isfinite(what.label)]
    if len(present) < 2:
        raise ValueError(f"{who}: {len(present)} of {len(what.label)} values are numbers; a label needs more.")
    check_wave(who, present, fs=fs, min_s=0)
    check_band(who, band_hz, fs=fs)
    settings = {"fs": fs, "segment_s": segment_s, "band_hz": band_hz}
    segments, beats, marks = examine(what.label, **settings)
    cuts = cuts_of(len(what.label), fs=fs, segment_s=segment_s)
    lag = None if what.rgb is None else find_lag(
        what.rgb, marks.wave, fs=fs, sound=~marks.lost, band_hz=band_hz,
        cuts=[cut for cut, segment in zip(cuts, segments) if segment.comparable])
    steep = steepness(heartbeat_band(marks.wave, fs=fs, band_hz=band_hz)[~marks.lost])
    upside_down = lag.upside_down if lag and lag.known and lag.upside_down is not None else steep < UPSIDE_DOWN
    if upside_down:                                                  # beats are found by their rise: judged as they are
        segments, beats, marks = examine(-what.label, **settings)
    one = RecordingAudit(name=what.name, subject=what.subject, fs=fs, seconds=len(what.label) / fs, segments=segments,
                         lag=lag, upside_down=upside_down, steepness=steep, label=what.label, beats=beats,
                         distinct=len(np.unique(present)), codes_in_use={})
    return one, _wave_for_steps(marks, segments, cuts, fs)


def _wave_for_steps(marks: Marks, segments: tuple[Segment, ...], cuts: list[slice], fs: float) -> np.ndarray:
    """Return the stretches between broken segments, each band-passed and standardised, as one heap of numbers."""
    usable = np.zeros(len(marks.wave), bool)
    for cut, segment in zip(cuts, segments):
        usable[cut] = segment.verdict != BROKEN
    parts = [np.zeros(0)]
    for first, last in np.flatnonzero(np.diff(usable, prepend=False, append=False)).reshape(-1, 2):
        if last - first >= MIN_S * fs and fs > 2 * STEPS_HZ[1]:
            parts.append(standardise(bandpass(marks.wave[first:last], fs=fs, band_hz=STEPS_HZ, order=STEPS_ORDER)))
    return np.concatenate(parts)


def _steps(waves: list[np.ndarray]) -> tuple[tuple[Steps, ...], list[dict[int, int]]]:
    """Return codes at each number of bits, and how many of them each wave uses."""
    everything = np.concatenate([np.zeros(0), *waves])
    some = everything[::max(len(everything) // MOST_SAMPLES, 1)]
    found, in_use = [], [{} for _ in waves]
    for bits in BITS:
        if len(np.unique(some)) < 2**bits:
            break
        codes = lloyd(some, 2**bits)
        edges = (codes[1:] + codes[:-1]) / 2
        share, error = _shares(everything, codes, edges)
        spread = -np.sum(share[share > 0] * np.log(share[share > 0]))
        found.append(Steps(bits=bits, codes=codes, in_use=int((share > IN_USE).sum()), perplexity=float(np.exp(spread)),
                           sqnr_db=float(10 * np.log10(np.mean(everything**2) / max(error, 1e-30)))))
        for used, wave in zip(in_use, waves):
            used |= {bits: int((_shares(wave, codes, edges)[0] > IN_USE).sum())} if len(wave) else {}
    return tuple(found), in_use


def _shares(wave: np.ndarray, codes: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the share of samples that each code stands for, and the mean squared error."""
    indices = np.searchsorted(edges, wave)
    return np.bincount(indices, minlength=len(codes)) / len(wave), float(np.mean((wave - codes[indices]) ** 2))


def _lag_values(lag: Lag | None) -> dict | None:
    if lag is None:
        return None
    return {"seconds": lag.seconds, "height": lag.height, "certain": lag.certain, "rivals_s": list(lag.rivals_s),
            "upside_down": lag.upside_down, "why": lag.why, "pieces": lag.pieces}


def _plain(value):
    """Return a value as JSON can hold it: arrays as lists, NaN as None, numbers with six digits."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(each) for each in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
