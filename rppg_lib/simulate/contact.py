"""Labels from a contact sensor, and what goes wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np

from ..types import check_wave
from .chance import check_seed, sines, stream
from .effects import Scalable
from .pulse import MARGIN_S, PulseTruth


class Span(NamedTuple):
    """Where a fault is at work, in seconds from the first frame. Lag and wander are everywhere and have none."""

    fault: str
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False, kw_only=True)
class ContactLabel:
    """A contact label and what is wrong with it."""

    wave: np.ndarray                     # (T,) as the sensor gives it
    clean: np.ndarray                    # (T,) the true pulse on the same frames
    fs: float
    lag_s: float                         # > 0: the label comes late
    faults: tuple[Fault, ...]
    spans: tuple[Span, ...] = field(repr=False)

    def damaged(self) -> np.ndarray:
        """Return ``(T,)`` True where a fault with a span is at work."""
        times = np.arange(len(self.wave)) / self.fs
        inside = [(times >= span.start_s) & (times < span.end_s) for span in self.spans]
        return np.any([np.zeros(len(times), bool), *inside], axis=0)


@dataclass(frozen=True, kw_only=True)
class Fault(Scalable):
    """Base of the faults. They act in the order of the signal's way: body, sensor, amplifier, contact."""

    order: ClassVar[int] = 0

    def apply(self, wave: np.ndarray, times_s: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[Span]]:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Lag(Fault):
    """The sensor's pulse comes later than the face's: a longer way, or a slower clock start."""

    signed: ClassVar[tuple[str, ...]] = ("seconds",)

    seconds: float = 0.25                # at strength 1; below 0 the label is early
    order: ClassVar[int] = 0


@dataclass(frozen=True, kw_only=True)
class Wander(Fault):
    """The baseline wanders, slower than the pulse."""

    size: float = 1.5                    # standard deviation, in pulse heights
    order: ClassVar[int] = 1

    def apply(self, wave: np.ndarray, times_s: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[Span]]:
        return wave + self.strength * self.size * sines(rng, 0.02, 0.35, count=12)(times_s), []


@dataclass(frozen=True, kw_only=True)
class Spikes(Fault):
    """The hand moves: for a fraction of a second the sensor sees the movement and not the pulse."""

    size: float = 4.0                    # in pulse heights
    every_s: float = 8.0
    order: ClassVar[int] = 2

    def apply(self, wave: np.ndarray, times_s: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[Span]]:
        length = times_s[-1] + times_s[1]
        count = 1 + rng.poisson(max(length / self.every_s - 1, 0))
        at, width = rng.uniform(0, length, count), rng.uniform(0.08, 0.3, count)
        size = self.size * rng.choice([-1, 1], count) * rng.uniform(0.5, 1.5, count)
        away = (times_s[:, None] - at) / width
        shape = (1 - away**2) * np.exp(-0.5 * away**2)               # down, up and down again: there and back
        reach = 4 * width
        spans = [Span("spikes", max(float(a - r), 0.0), float(a + r)) for a, r in sorted(zip(at, reach))]
        return wave + self.strength * (shape * (np.abs(away) < 4)) @ size, spans


@dataclass(frozen=True, kw_only=True)
class Hiss(Fault):
    """The sensor and its amplifier hiss: every sample has an error of its own."""

    size: float = 0.5                    # standard deviation, in pulse heights
    order: ClassVar[int] = 2

    def apply(self, wave: np.ndarray, times_s: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[Span]]:
        return wave + self.strength * self.size * rng.standard_normal(len(wave)), []


@dataclass(frozen=True, kw_only=True)
class Saturation(Fault):
    """The amplifier's range is too small: tops and bottoms are cut flat."""

    cut: float = 0.25                    # part of the pulse's height cut off at each end, at strength 1
    order: ClassVar[int] = 3

    def apply(self, wave: np.ndarray, times_s: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[Span]]:
        low, high = np.quantile(wave, [0.02, 0.98])
        cut = min(self.strength * self.cut, 0.49) * (high - low)
        low, high = low + cut, high - cut
        return np.clip(wave, low, high), _spans("saturation", (wave < low) | (wave > high), times_s)


@dataclass(frozen=True, kw_only=True)
class LostContact(Fault):
    """The sensor slips off: for seconds it gives one constant value. Strength lengthens the gaps."""

    seconds: float = 3.0                 # length of a gap at strength 1
    every_s: float = 15.0
    order: ClassVar[int] = 4

    def apply(self, wave: np.ndarray, times_s: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[Span]]:
        length = times_s[-1] + times_s[1]
        count = 1 + rng.poisson(max(length / self.every_s - 1, 0))
        centre = rng.uniform(0.1 * length, 0.9 * length, count)
        half = 0.5 * self.strength * self.seconds * rng.uniform(0.6, 1.4, count)
        lost = np.any(np.abs(times_s[:, None] - centre) < half, axis=1)
        return np.where(lost, wave.min(), wave), _spans("lost contact", lost, times_s)


FAULTS: dict[str, tuple[Fault, ...]] = {
    "clean": (),
    "late": (Lag(),),
    "moving hand": (Spikes(),),
    "loose": (LostContact(),),
    "wandering": (Wander(),),
    "saturated": (Saturation(),),
    "poor": (Lag(), Wander(strength=0.5), Spikes(), Saturation(strength=0.4), LostContact()),
}
"""Named sets of faults."""


def contact_label(pulse: PulseTruth, *, faults: Sequence[Fault] = (), seed: int) -> ContactLabel:
    """Return the pulse as a contact sensor with these faults would record it.

    Args:
        pulse: the true pulse, from :func:`pulse` or ``clip.truth.pulse``.
        faults: such as ``(Lag(seconds=0.4), Spikes())`` or a value of ``FAULTS``. Their order does not matter.
        seed: of the faults.

    >>> from rppg_lib.simulate import Lag, contact_label, person, pulse
    >>> truth = pulse(person(0), seconds=10, fs=30, seed=0)
    >>> label = contact_label(truth, faults=[Lag(seconds=0.2)], seed=0)
    >>> label.lag_s, bool((label.wave[6:] == truth.at(truth.times_s[6:] - 0.2)).all())
    (0.2, True)
    """
    lag_s = _lag_s("contact_label", faults, seed)
    wave = pulse.at(pulse.times_s - lag_s) if lag_s else pulse.wave.copy()
    wave, spans = _through_faults(wave, pulse.times_s, faults, (seed, pulse.person.seed))
    return ContactLabel(wave=wave, clean=pulse.wave, fs=pulse.fs, lag_s=lag_s, faults=tuple(faults), spans=spans)


def damaged(wave: np.ndarray, *, fs: float, faults: Sequence[Fault], seed: int,
            snr_db: float | None = None) -> ContactLabel:
    """Return a clean wave at hand ``(T,)`` as a contact sensor with these faults would have recorded it.

    Args:
        wave: of any scale; faults are measured in heights of this one.
        fs: samples per second.
        faults: as in :func:`contact_label`. What a lag would need from before or after the wave is its end held.
        seed: of the faults.
        snr_db: make the damage as much smaller or larger as gives this ratio of the wave's power to its own. Without
            a lag only, which is no noise.

    >>> beat = np.sin(np.arange(300) / 4)
    >>> label = damaged(beat, fs=30, faults=[Hiss(), Wander()], seed=0, snr_db=0)
    >>> bool(abs((label.wave - beat).var() / beat.var() - 1) < 1e-9)
    True
    """
    lag_s = _lag_s("damaged", faults, seed)
    clean = check_wave("damaged", wave, fs=fs)
    if clean.ndim != 1 or np.ptp(clean) == 0:
        raise ValueError(f"damaged: needs one wave (T,) that is not constant, got shape {clean.shape}.")
    if snr_db is not None and (lag_s or not np.isfinite(snr_db)):
        raise ValueError(f"damaged: snr_db must be a number of dB, of faults without a lag, got {snr_db!r} with a lag "
                         f"of {lag_s:g} s. Leave one of them out.")
    times_s = np.arange(len(clean)) / fs
    low, height = clean.min(), np.ptp(clean)
    moved = np.interp(times_s - lag_s, times_s, clean) if lag_s else clean
    plain = (moved - low) / height
    bad, spans = _through_faults(plain, times_s, faults, (seed, "a wave at hand"))
    bad = moved + height * (bad - plain)                             # what no fault touches stays as it is, to the bit
    if snr_db is not None:
        noise = bad - clean
        if noise.std() == 0:
            raise ValueError("damaged: these faults change nothing, so they cannot be scaled to snr_db. Give others.")
        bad = clean + noise * clean.std() / noise.std() * 10 ** (-snr_db / 20)
    return ContactLabel(wave=bad, clean=clean, fs=float(fs), lag_s=lag_s, faults=tuple(faults), spans=spans)


def _lag_s(who: str, faults: Sequence[Fault], seed: int) -> float:
    check_seed(who, seed)
    for fault in faults:
        if not isinstance(fault, Fault):
            raise TypeError(f"{who}: faults are objects such as Lag(seconds=0.2), got {fault!r}.")
    lag_s = float(sum(fault.strength * fault.seconds for fault in faults if isinstance(fault, Lag)))
    if abs(lag_s) > MARGIN_S:
        raise ValueError(f"{who}: the lag must lie within {MARGIN_S:g} s, got {lag_s:g} s. Use less.")
    return lag_s


def _through_faults(wave: np.ndarray, times_s: np.ndarray, faults: Sequence[Fault],
                    keys: tuple[int | str, int | str]) -> tuple[np.ndarray, tuple[Span, ...]]:
    """Return a wave after all faults but the lag, each of which draws from a stream of its own."""
    spans: list[Span] = []
    seen: Counter[str] = Counter()
    for fault in sorted(faults, key=lambda each: each.order):
        kind = type(fault).__name__
        if fault.strength and not isinstance(fault, Lag):
            rng = stream(*keys, "contact", kind, seen[kind])
            wave, found = fault.apply(wave, times_s, rng)
            spans += found
        seen[kind] += 1
    return wave, tuple(spans)


def _spans(name: str, inside: np.ndarray, times_s: np.ndarray) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))
    frame = times_s[1]
    return [Span(name, float(a * frame), float(b * frame)) for a, b in zip(edges[::2], edges[1::2])]
