"""Heads that move: the region catches more or less light (shade), shines elsewhere (gloss), slips over other skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chance import sines
from .effects import Effect, Scalable, Setting, away_from

SLIP_MELANIN, SLIP_HAEMOGLOBIN = 0.25, 0.5
"""Change of pigments that goes with a slip of the region, per unit of log brightness: other skin has another colour."""


@dataclass(frozen=True, kw_only=True)
class Sway(Scalable):
    """What a resting head does: slow, small, never at a single rate."""

    shade: float = 0.006                 # standard deviation of the log brightness
    gloss: float = 0.03
    slip: float = 0.0005

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        body = sines(rng, 0.03, 2.0, slope=2.0)(setting.times_s)
        shine = sines(rng, 0.03, 2.0, slope=2.0)(setting.times_s)
        slip = self.strength * self.slip * sines(rng, 0.3, 4.0)(setting.times_s)
        return slipping(self.name, slip, rng, setting, log_shade=self.strength * self.shade * body,
                        log_gloss=self.strength * self.gloss * (0.7 * body + 0.7 * shine))


@dataclass(frozen=True, kw_only=True)
class Turning(Scalable):
    """The head turns to and fro. The faster it moves, the more the region slips over skin of other brightness."""

    angle_deg: float = 20.0
    turn_hz: float = 0.2
    shade_per_deg: float = 0.006
    gloss_per_deg: float = 0.01
    slip: float = 0.00025                # log brightness, standard deviation per degree per second

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        t = setting.times_s
        pace = self.turn_hz * rng.uniform(0.85, 1.15)
        turn = 2 * np.pi * pace * t + rng.uniform(0, 2 * np.pi) + 0.5 * sines(rng, 0.02, 0.6 * pace, count=10)(t)
        angle = self.angle_deg * np.sin(turn) * (1 + 0.2 * sines(rng, 0.03, pace, count=8)(t))
        speed = self.angle_deg * 2 * np.pi * pace * np.abs(np.cos(turn))
        lamp_deg = rng.choice([-1, 1]) * rng.uniform(10, 40)
        # Lambert's cosine: the skin is brightest when it faces the lamp.
        facing = self.shade_per_deg * (np.sign(lamp_deg) * angle - angle**2 / (2 * abs(lamp_deg)))
        slip = self.strength * self.slip * speed * sines(rng, 0.3, 4.0)(t)
        shine = self.gloss_per_deg * (rng.choice([-1, 1]) * angle + 0.1 * speed * sines(rng, 0.3, 3.0)(t))
        return slipping(self.name, slip, rng, setting, log_shade=self.strength * (facing - facing.mean()),
                        log_gloss=self.strength * shine)


@dataclass(frozen=True, kw_only=True)
class Nodding(Scalable):
    """A rhythmic movement within the band of heart rates, away from the pulse's own rate: exercise, music."""

    shade: float = 0.02
    gloss: float = 0.06
    slip: float = 0.004
    nod_hz: float | None = None          # None: drawn, at least 0.3 Hz from the pulse, its half and its double

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        t = setting.times_s
        drawn = away_from(setting.pulse_hz, rng, low_hz=0.7, high_hz=2.5)
        hz = drawn if self.nod_hz is None else self.nod_hz
        turn = 2 * np.pi * hz * t + rng.uniform(0, 2 * np.pi) + 0.4 * sines(rng, 0.03, 0.3, count=8)(t)
        second, later = rng.uniform(0, 2 * np.pi, 2)
        nod = np.sqrt(2) * (np.sin(turn) + 0.3 * np.sin(2 * turn + second))
        shine = np.sqrt(2) * np.sin(turn + later)
        slip = self.strength * self.slip * (0.5 * nod + sines(rng, 0.3, 4.0)(t))
        return slipping(self.name, slip, rng, setting, log_shade=self.strength * self.shade * nod,
                        log_gloss=self.strength * self.gloss * shine)


@dataclass(frozen=True, kw_only=True)
class Talking(Scalable):
    """Speech: the jaw moves 3 to 5 times a second in bursts, and the head nods along."""

    shade: float = 0.012
    gloss: float = 0.03
    slip: float = 0.003

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        t = setting.times_s
        speaks = 1 / (1 + np.exp(-3 * (sines(rng, 0.08, 0.5, count=12)(t) + 0.5)))   # about two thirds of the time
        jaw = speaks * sines(rng, 2.5, 5.5, slope=0)(t)
        nods = (0.3 + speaks) * sines(rng, 0.3, 1.8)(t)
        shine = (0.3 + speaks) * sines(rng, 0.3, 3.0)(t)
        slip = self.strength * self.slip * (0.7 * jaw + 0.5 * nods)
        return slipping(self.name, slip, rng, setting, log_shade=self.strength * self.shade * nods,
                        log_gloss=self.strength * self.gloss * (0.5 * nods + shine))


@dataclass(frozen=True, kw_only=True)
class Jumps(Scalable):
    """Sudden changes of position: within a quarter of a second the region sees other skin, and stays there."""

    shade: float = 0.06
    gloss: float = 0.2
    slip: float = 0.01
    every_s: float = 6.0                 # mean time between jumps

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        moves = steps(setting.times_s, rng, every_s=self.every_s, takes_s=0.25, columns=3)
        return slipping(self.name, self.strength * self.slip * moves[:, 2], rng, setting,
                        log_shade=self.strength * self.shade * moves[:, 0],
                        log_gloss=self.strength * self.gloss * moves[:, 1])


def slipping(name: str, slip: np.ndarray, rng: np.random.Generator, setting: Setting, *, log_shade: np.ndarray,
             log_gloss: np.ndarray) -> Effect:
    """Return a motion's effect: the skin that a slip of the region brings in differs in brightness and in pigments."""
    brown, red = (0.7 * rng.choice([-1, 1]) + 0.7 * sines(rng, 0.05, 1.0)(setting.times_s) for _ in range(2))
    return Effect(name=name, log_shade=log_shade + slip, log_gloss=log_gloss,
                  melanin=SLIP_MELANIN * slip * brown, haemoglobin=SLIP_HAEMOGLOBIN * slip * red)


def steps(times_s: np.ndarray, rng: np.random.Generator, *, every_s: float, takes_s: float, columns: int) -> np.ndarray:
    """Return ``(T, columns)`` levels that change together at random moments, at least once in the clip."""
    length = times_s[-1] + times_s[1]
    count = 1 + rng.poisson(max(length / every_s - 1, 0))
    at = np.sort(rng.uniform(0.1 * length, 0.9 * length, count))
    levels = rng.normal(size=(count + 1, columns))
    rise = np.clip((times_s[:, None] - at) / max(takes_s, times_s[1]) + 0.5, 0, 1)
    return levels[0] + (rise * rise * (3 - 2 * rise)) @ np.diff(levels, axis=0)
