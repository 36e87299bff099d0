"""Light that changes: neutral (drift, steps, flicker), from another side, coloured (a screen), too little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .chance import sines
from .effects import Effect, Moves, Scalable, Setting, away_from
from .motion import steps

WHITE = np.ones(3)


@dataclass(frozen=True, kw_only=True)
class LightDrift(Scalable):
    """Clouds and passers-by: slow drift, and an unsteady part within the band of heart rates. Almost neutral."""

    drift: float = 0.06                  # standard deviation of the log light, below 0.2 Hz
    flutter: float = 0.012               # the same between 0.5 and 3 Hz
    tint: float = 0.0003                 # independent part of each colour, 0.5 to 3 Hz

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        t = setting.times_s
        neutral = self.drift * sines(rng, 0.02, 0.2, count=12)(t) + self.flutter * sines(rng, 0.5, 3.0)(t)
        tint = np.stack([sines(rng, 0.5, 3.0)(t) for _ in range(3)], axis=-1)
        return Effect(name=self.name, log_light=self.strength * (neutral[:, None] * WHITE + self.tint * tint))


@dataclass(frozen=True, kw_only=True)
class LightSteps(Scalable):
    """A lamp is switched, a curtain drawn: sudden neutral steps."""

    size: float = 0.12
    every_s: float = 10.0

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        level = steps(setting.times_s, rng, every_s=self.every_s, takes_s=0.05, columns=1)
        return Effect(name=self.name, log_light=self.strength * self.size * level * WHITE)


@dataclass(frozen=True, kw_only=True)
class Flicker(Scalable):
    """Lamps on the mains, seen by a camera: light pulses at twice the mains frequency and is sampled at ``fs``.

    It appears at the alias of twice the mains frequency. A shutter open for whole periods removes it.
    """

    mains_hz: float = 50.0
    depth: float = 0.3                   # amplitude of the lamp's ripple over its mean
    exposure_s: float = 1 / 60

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        return Effect(name=self.name, log_light=self.ripple(rng)(setting.times_s)[:, None] * WHITE)

    def ripple(self, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
        """Return the log light at any times, such as those at which the rows of a rolling shutter are open."""
        hz = 2 * self.mains_hz
        seen = self.depth * np.sinc(hz * self.exposure_s)            # mean over the open shutter
        start = rng.uniform(0, 2 * np.pi)
        return lambda times_s: self.strength * (seen * np.cos(2 * np.pi * hz * times_s + start))

    def alias_hz(self, fs: float) -> float:
        """Frequency at which the flicker appears in a trace.

        >>> Flicker(mains_hz=50).alias_hz(30), Flicker(mains_hz=60).alias_hz(29)
        (10.0, 4.0)
        """
        return float(abs(2 * self.mains_hz - fs * np.round(2 * self.mains_hz / fs)))


@dataclass(frozen=True, kw_only=True)
class Glimmer(Scalable):
    """A failing lamp that glows to and fro at a heart-like rate. Neutral, in band: a false pulse for one colour."""

    depth: float = 0.004                 # standard deviation of the log light
    glimmer_hz: float | None = None      # None: drawn, at least 0.3 Hz from the pulse, its half and its double

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        drawn = away_from(setting.pulse_hz, rng, low_hz=0.8, high_hz=2.5)
        hz = drawn if self.glimmer_hz is None else self.glimmer_hz
        wave = np.sqrt(2) * np.sin(2 * np.pi * hz * setting.times_s + rng.uniform(0, 2 * np.pi))
        return Effect(name=self.name, log_light=(self.strength * self.depth * wave)[:, None] * WHITE)


@dataclass(frozen=True, kw_only=True)
class ScreenLight(Scalable):
    """A film on a screen lights the face: cuts, and pictures that move, each colour on its own.

    In band and coloured, it cannot be told from a pulse by colour alone: POS and CHROM must fail on it.
    """

    cuts: float = 0.02                   # standard deviation of the log light of each colour from scene to scene
    every_s: float = 3.0
    pictures: float = 0.003              # the same within a scene, 0.5 to 3 Hz

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        t = setting.times_s
        cuts = steps(t, rng, every_s=self.every_s, takes_s=0.05, columns=3)
        pictures = np.stack([sines(rng, 0.5, 3.0)(t) for _ in range(3)], axis=-1)
        return Effect(name=self.name, log_light=self.strength * (self.cuts * cuts + self.pictures * pictures))


@dataclass(frozen=True, kw_only=True)
class WalkingLight(Scalable):
    """The main light swings about the head: someone walks past lamps, step by step. Slow, unsteady, and neutral.

    In a trace it is a shade; in a film the light comes from another side, and every part of the face gets its own.
    """

    swing_deg: float = 50.0
    swing_hz: float = 0.15
    flutter_deg: float = 3.0             # standard deviation between 0.5 and 3 Hz
    ambient: float = 0.35                # in a trace: part of the light that stays

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        swing, aside = self._swing(setting.times_s, rng)
        facing = np.maximum(np.cos(np.deg2rad(swing + aside)), 0)
        shade = np.log(self.ambient + (1 - self.ambient) * facing + 1e-3)
        return Effect(name=self.name, log_shade=self.strength * (shade - shade.mean()))

    def moves(self, setting: Setting, rng: np.random.Generator) -> Moves:
        return Moves(name=self.name, lamp_deg=self.strength * self._swing(setting.times_s, rng)[0])

    def _swing(self, t: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Return the angle of the lamp, and how far beside the face its middle is."""
        pace = self.swing_hz * rng.uniform(0.85, 1.15)
        turn = 2 * np.pi * pace * t + rng.uniform(0, 2 * np.pi) + 0.4 * sines(rng, 0.02, 0.6 * pace, count=10)(t)
        aside = rng.choice([-1, 1]) * rng.uniform(5, 30)
        return self.swing_deg * np.sin(turn) + self.flutter_deg * sines(rng, 0.5, 3.0)(t), aside


@dataclass(frozen=True, kw_only=True)
class Darkness(Scalable):
    """Little light: the camera amplifies what there is, so the picture is little darker but much noisier."""

    stops: float = 3.5                   # halvings of the light
    lost: float = 0.15                   # part of each stop by which the picture itself gets darker

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        stops = self.strength * self.stops
        return Effect(name=self.name, log_photons=-stops * np.log(2), log_exposure=-self.lost * stops * np.log(2))


@dataclass(frozen=True, kw_only=True)
class NoPulse(Scalable):
    """Skin without a pulse: a mannequin, a photograph. The control for every claim. Not scaled by difficulty."""

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        return Effect(name=self.name, pulse_gain=max(1 - self.strength, 0.0))

    def scaled(self, factor: float) -> NoPulse:
        return self
