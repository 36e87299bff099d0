"""People who do not exist: the shape of their pulse, how it varies, and the colour of their skin."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .chance import check_number, check_seed, stream

HR_LIMITS_BPM = (30.0, 250.0)
TONES = ("I", "II", "III", "IV", "V", "VI")
TONE_MELANIN = np.array([0.02, 0.18, 0.42, 0.80, 1.40, 2.15])
PULSE_COLOUR = np.array([0.33, 0.77, 0.53])
"""Relative size of the pulse in red, green and blue linear light, without gloss (``dehaan2014pbv``)."""

BARE_SKIN = np.array([0.70, 0.47, 0.375])      # linear R-G-B of skin without pigment, under white light
MELANIN_ABSORBS = np.array([0.74, 1.0, 1.16])  # blue most: dark skin is redder
BLOOD_ABSORBS = 0.55 * np.array([0.18, 1.0, 0.80])
RUNOFF_AT, RUNOFF_WIDTH = 0.52, 0.16           # after the systolic peak, in beats
WRAPS = np.arange(-2, 3)                       # neighbouring beats whose tails reach into this one


@dataclass(frozen=True, kw_only=True)
class Person:
    """One simulated person at rest. Draw with :func:`person`, change fields with :func:`dataclasses.replace`.

    Widths and places of waves are fractions of a beat, variabilities are standard deviations relative to the rate.
    """

    seed: int
    hr_bpm: float = 70.0
    # one beat: a systolic wave that rises faster than it falls, a dicrotic wave, a slow run-off
    systolic_rise: float = 0.075
    systolic_fall: float = 0.15
    dicrotic_at: float = 0.34            # after the systolic peak
    dicrotic_width: float = 0.08
    dicrotic_ratio: float = 0.3          # height relative to the systolic wave
    runoff_ratio: float = 0.06           # the slow fall until the next beat
    # how the beats vary
    hrv_breath: float = 0.03             # respiratory sinus arrhythmia
    hrv_slow: float = 0.025              # blood pressure waves about 0.1 Hz
    hrv_noise: float = 0.015             # the rest, 1/f
    # breathing
    breath_hz: float = 0.25
    breath_baseline: float = 0.15        # swing of the baseline, in pulse heights
    breath_amplitude: float = 0.1        # swing of the pulse height
    # skin
    melanin: float = 0.42
    haemoglobin: float = 0.1
    gloss: float = 0.018                 # light reflected at the surface, without pulse; linear, full scale = 1
    perfusion: float = 0.007             # green pulse of the light from within the skin, peak to peak over mean, linear
    pulse_colour: tuple[float, float, float] = tuple(PULSE_COLOUR)

    def __post_init__(self) -> None:
        low, high = HR_LIMITS_BPM
        who = f"Person {self.seed}"
        check_seed(who, self.seed)
        check_number(who, "hr_bpm", self.hr_bpm, low=low, high=high)
        check_number(who, "breath_hz", self.breath_hz, low=0.05, high=2)
        check_number(who, "perfusion", self.perfusion, low=0, high=0.2)
        for name in ("systolic_rise", "systolic_fall", "dicrotic_width"):
            check_number(who, name, getattr(self, name), low=0.01, high=0.4)
        for name in ("hrv_breath", "hrv_slow", "hrv_noise"):
            check_number(who, name, getattr(self, name), low=0, high=0.15)
        for name in ("melanin", "haemoglobin", "gloss", "dicrotic_ratio", "runoff_ratio"):
            check_number(who, name, getattr(self, name), low=0, high=5)

    @property
    def name(self) -> str:
        return f"sim{self.seed:04d}"

    @property
    def tone(self) -> str:
        """Nearest of six skin tones, I (lightest) to VI."""
        return TONES[int(np.abs(TONE_MELANIN - self.melanin).argmin())]

    @property
    def skin(self) -> np.ndarray:
        """Linear R-G-B of the light that comes back from within the skin, white light = 1, without gloss."""
        return BARE_SKIN * np.exp(-self.melanin * MELANIN_ABSORBS - self.haemoglobin * BLOOD_ABSORBS)

    @property
    def ac_dc(self) -> np.ndarray:
        """Pulse over mean, R-G-B, peak to peak, in linear light and with the haze of gloss that thins it."""
        colour = np.asarray(self.pulse_colour) / self.pulse_colour[1]
        return self.perfusion * colour * self.skin / (self.skin + self.gloss)

    def beat(self, phase: np.ndarray) -> np.ndarray:
        """Return one beat at ``phase`` (in beats): zero mean, height 1, its top at whole numbers.

        >>> sim = person(0)
        >>> bool(abs(sim.beat(np.array([5.0])) - sim.beat(np.linspace(0, 1, 500)).max()) < 1e-6)
        True
        """
        shape = (self.systolic_rise, self.systolic_fall, self.dicrotic_at, self.dicrotic_width, self.dicrotic_ratio,
                 self.runoff_ratio)
        top, mean, height = _beat_scale(shape)
        return (_waves(np.asarray(phase, dtype=float) + top, shape) - mean) / height


def person(seed: int, **changes: float) -> Person:
    """Draw a person. The same seed is always the same person; fields given by name replace the drawn ones.

    Args:
        seed: which person, from 0 on.
        **changes: fields of :class:`Person`, such as ``hr_bpm=72`` or ``melanin=2.15``. The other fields stay as drawn,
            but the variability shrinks at an ``hr_bpm`` above 100.

    >>> person(7).name, person(7, hr_bpm=72).hr_bpm
    ('sim0007', 72)
    >>> person(7) == person(7, hr_bpm=person(7).hr_bpm)
    True
    """
    rng = stream(check_seed("person", seed), "person")
    known = [f.name for f in dataclasses.fields(Person) if f.name != "seed"]
    for name in changes:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"person: has no field {name!r}.{hint} Fields: {', '.join(known)}.")
    usual_bpm = np.clip(rng.normal(72, 12), 48, 108)
    # Total variability 3 to 7.5 % of the rate (26 to 64 ms at 70 bpm), shared between its three causes; a heart that
    # beats fast, small or working, varies less.
    slowest, fastest = HR_LIMITS_BPM
    rate = check_number("person", "hr_bpm", changes.get("hr_bpm", usual_bpm), low=slowest, high=fastest)
    total = np.exp(rng.uniform(np.log(0.03), np.log(0.075))) * min(1, 100 / rate) ** 2
    shares = np.sqrt(rng.dirichlet([4.0, 3.0, 1.5]))
    colour = PULSE_COLOUR * np.exp(0.05 * rng.normal(size=3))
    drawn = {
        "hr_bpm": usual_bpm,
        # Shapes whose second harmonic is 0.2 to 0.7 of the first, in the middle 0.4, as finger recordings have.
        "systolic_rise": rng.uniform(0.06, 0.09), "systolic_fall": rng.uniform(0.12, 0.18),
        "dicrotic_at": rng.uniform(0.30, 0.38), "dicrotic_width": rng.uniform(0.07, 0.11),
        "dicrotic_ratio": rng.uniform(0.12, 0.5), "runoff_ratio": rng.uniform(0.03, 0.1),
        "hrv_breath": total * shares[0], "hrv_slow": total * shares[1], "hrv_noise": total * shares[2],
        "breath_hz": rng.uniform(0.15, 0.35), "breath_baseline": rng.uniform(0.05, 0.25),
        "breath_amplitude": rng.uniform(0.04, 0.16),
        "melanin": TONE_MELANIN[rng.integers(6)] * rng.uniform(0.85, 1.15), "haemoglobin": rng.uniform(0, 0.2),
        "gloss": 0.02 * np.exp(0.3 * rng.normal()), "perfusion": np.exp(rng.uniform(np.log(0.0045), np.log(0.0125))),
        "pulse_colour": tuple(float(c) for c in colour / np.linalg.norm(colour))}
    drawn = {name: value if name == "pulse_colour" else float(value) for name, value in drawn.items()}
    return Person(seed=seed, **{**drawn, **changes})


def _waves(phase: np.ndarray, shape: tuple[float, ...]) -> np.ndarray:
    """Systolic wave, dicrotic wave and run-off, repeated every beat, before they are centred and scaled."""
    rise, fall, at, width, ratio, runoff = shape

    def since(start: float) -> np.ndarray:
        return (phase - start - np.round(phase - start))[..., None] + WRAPS

    away = since(0)
    systole = np.exp(-0.5 * (away / np.where(away < 0, rise, fall)) ** 2)
    dicrotic = ratio * np.exp(-0.5 * (since(at) / width) ** 2)
    return (systole + dicrotic + runoff * np.exp(-0.5 * (since(RUNOFF_AT) / RUNOFF_WIDTH) ** 2)).sum(-1)


@lru_cache(maxsize=4096)
def _beat_scale(shape: tuple[float, ...]) -> tuple[float, float, float]:
    """Return where the beat is highest, its mean and its height."""
    phase = np.arange(2048) / 2048
    wave = _waves(phase, shape)
    top = int(wave.argmax())
    before, at, after = wave[[top - 1, top, (top + 1) % 2048]]
    shift = 0.5 * (before - after) / (before - 2 * at + after)
    return float((top + shift) / 2048), float(wave.mean()), float(np.ptp(wave))
