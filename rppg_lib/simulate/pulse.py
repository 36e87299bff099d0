"""A pulse, beat by beat: when each comes, and the wave they make."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import PchipInterpolator

from .chance import Sines, check_seed, frame_times, sines, stream
from .people import Person

MARGIN_S = 4.0
"""How far beyond its ends a pulse can be read, for delayed copies of it."""

GRID_HZ = 25.0                           # of the integral of the rate; linear in between is exact to 1e-4 beats


@dataclass(frozen=True, eq=False)
class Breath:
    """Breathing: nearly regular, in faster than out, between -1 and 1."""

    hz: float
    wander: Sines

    def __call__(self, times_s: np.ndarray) -> np.ndarray:
        turn = 2 * np.pi * self.hz * np.asarray(times_s) + 0.8 * self.wander(times_s)
        return np.sin(turn + 0.3 * np.sin(turn))


@dataclass(frozen=True, eq=False, kw_only=True)
class PulseTruth:
    """A pulse and all that is known about it.

    A beat's time is that of the top of its systolic wave. ``intervals_s`` lie between the beats of the clip.
    """

    person: Person
    fs: float
    times_s: np.ndarray                  # (T,)
    wave: np.ndarray                     # (T,) systole up, zero mean, about 1 high
    beats_s: np.ndarray                  # (n,) systolic peaks within the clip
    hr_bpm: np.ndarray                   # (T,) instantaneous
    respiration: np.ndarray              # (T,) breathing in is up, about -1 to 1
    seed: int
    _phase: PchipInterpolator = field(repr=False)
    _breath: Breath = field(repr=False)
    _mean: float = field(repr=False)

    @property
    def intervals_s(self) -> np.ndarray:
        return np.diff(self.beats_s)

    @property
    def mean_hr_bpm(self) -> float:
        """Mean rate over the whole clip, begun beats counted in part."""
        return float(self.hr_bpm.mean())

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """Return the same wave at any times, up to 4 s beyond the clip: later, earlier, or at another frame rate.

        >>> from rppg_lib.simulate import person, pulse
        >>> truth = pulse(person(0), seconds=10, fs=30, seed=0)
        >>> bool((truth.at(truth.times_s) == truth.wave).all())
        True
        """
        times = np.asarray(times_s, dtype=float)
        last = len(self.wave) / self.fs + MARGIN_S
        if times.size and not (times.min() >= -MARGIN_S and times.max() <= last):
            raise ValueError(f"PulseTruth.at: times must lie within {-MARGIN_S:g} to {last:g} s, got "
                             f"{times.min():g} to {times.max():g} s. Simulate a longer clip.")
        return _wave(self.person, self._phase(times), self._breath(times)) - self._mean


def pulse(person: Person, *, seconds: float, fs: float, seed: int) -> PulseTruth:
    """Simulate a pulse with heart-rate variability and breathing.

    The rate swings with the breath, with slow waves about 0.1 Hz and with 1/f noise; a beat comes whenever its
    integral passes a whole number. A monotone curve through the beats gives the phase of every frame, the person's
    beat at that phase the wave, to which breathing adds a baseline and a change of height.

    Args:
        person: whose pulse; its ``hr_bpm`` is the mean rate over the clip.
        seconds: length; the clip has ``round(seconds * fs)`` frames.
        fs: frames per second. Beats do not depend on it.
        seed: of this pulse; another seed is another recording of the same person.

    >>> from rppg_lib.simulate import person, pulse
    >>> truth = pulse(person(1, hr_bpm=72), seconds=30, fs=30, seed=0)
    >>> truth.wave.shape, round(truth.mean_hr_bpm, 1), len(truth.beats_s)
    ((900,), 72.0, 36)
    """
    times, fs = frame_times("pulse", seconds, fs)
    check_seed("pulse", seed)
    breath = Breath(person.breath_hz, sines(stream(seed, person.seed, "breath"), 0.01, 0.1, count=12))
    length = len(times) / fs
    beats, first = _beat_times(person, breath, length, stream(seed, person.seed, "rate"))
    numbers = np.arange(len(beats)) + first
    turns = PchipInterpolator(beats, numbers)
    rate_hz = turns.derivative()
    phase = PchipInterpolator(beats, numbers + _tops(person, breath, beats, rate_hz(beats)))
    respiration = breath(times)
    wave = _wave(person, phase(times), respiration)
    mean = float(wave.mean())
    return PulseTruth(person=person, fs=fs, times_s=times, wave=wave - mean,
                      beats_s=beats[(beats >= 0) & (beats < length)], hr_bpm=60 * rate_hz(times),
                      respiration=respiration, seed=seed, _phase=phase, _breath=breath, _mean=mean)


def _beat_times(person: Person, breath: Breath, length_s: float, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Return the times at which the phase passes whole numbers, margins included, and the first of these numbers."""
    slow, noise = sines(rng, 0.07, 0.13, count=8), sines(rng, 0.01, 0.4)
    margin = MARGIN_S + 3 * 60 / person.hr_bpm
    grid = np.arange(-margin, length_s + margin, 1 / GRID_HZ)
    swing = (np.sqrt(2) * person.hrv_breath * breath(grid) + person.hrv_slow * slow(grid)
             + person.hrv_noise * noise(grid))
    inside = (grid >= 0) & (grid < length_s)
    # Centred over the clip, so that the mean rate is the one asked for; bounded, so that the heart never stops.
    rate = person.hr_bpm / 60 * np.clip(1 + swing - swing[inside].mean(), 0.5, 1.8)
    phase = np.concatenate([[0], np.cumsum((rate[1:] + rate[:-1]) / 2)]) / GRID_HZ + rng.uniform()
    numbers = np.arange(np.ceil(phase[0]), np.floor(phase[-1]) + 1)
    return np.interp(numbers, phase, grid), int(numbers[0])


def _tops(person: Person, breath: Breath, beats_s: np.ndarray, rate_hz: np.ndarray) -> np.ndarray:
    """Return the phase, near 0, that each beat must have for the whole wave to be highest at its time.

    Breathing tilts the wave, which would move its tops away from the beats by up to a few hundredths of a second.
    """
    step = 1e-3
    breathing = breath(np.add.outer([-step, 0, step], beats_s))
    slope = (breathing[2] - breathing[0]) / (2 * step)
    height = 1 + person.breath_amplitude * breathing[1]
    at = np.zeros(len(beats_s))
    for _ in range(4):                   # Newton: phase at which the slope of the whole wave vanishes
        left, mid, right = person.beat(np.add.outer([-step, 0, step], at))
        breathed = slope * (person.breath_amplitude * mid + person.breath_baseline)
        tilt = height * rate_hz * (right - left) / (2 * step) + breathed
        bend = height * rate_hz * (right - 2 * mid + left) / step**2
        at = np.clip(at - tilt / np.minimum(bend, -1), -0.1, 0.1)
    return at


def _wave(person: Person, phase: np.ndarray, respiration: np.ndarray) -> np.ndarray:
    return (1 + person.breath_amplitude * respiration) * person.beat(phase) + person.breath_baseline * respiration
