"""Heads that move: the region catches more or less light (shade), shines elsewhere (gloss), slips over other skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chance import sines
from .effects import Effect, Moves, Scalable, Setting, away_from

SLIP_MELANIN, SLIP_HAEMOGLOBIN = 0.25, 0.5
"""Change of pigments that goes with a slip of the region, per unit of log brightness: other skin has another colour."""

HALF_JERK_DEG_PER_S = 15.0
"""Speed of a turn at which it is half as uneven as a quick one."""


@dataclass(frozen=True, kw_only=True)
class Sway(Scalable):
    """What a resting head does: slow, small, never at a single rate."""

    shade: float = 0.006                 # standard deviation of the log brightness
    gloss: float = 0.03
    slip: float = 0.0005
    shift: float = 0.006                 # in films: standard deviation of the place, in half face widths
    turn_deg: float = 0.25               # and of each angle

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        body = sines(rng, 0.03, 2.0, slope=2.0)(setting.times_s)
        shine = sines(rng, 0.03, 2.0, slope=2.0)(setting.times_s)
        slip = self.strength * self.slip * sines(rng, 0.3, 4.0)(setting.times_s)
        return slipping(self.name, slip, rng, setting, log_shade=self.strength * self.shade * body,
                        log_gloss=self.strength * self.gloss * (0.7 * body + 0.7 * shine))

    def moves(self, setting: Setting, rng: np.random.Generator) -> Moves:
        t, size = setting.times_s, self.strength
        yaw, pitch, roll, x, y, depth = (sines(rng, 0.03, 2.0, slope=2.0)(t) for _ in range(6))
        gaze = np.clip(0.35 * steps(t, rng, every_s=2.5, takes_s=0.06, columns=2), -1, 1)
        return Moves(name=self.name, yaw_deg=size * self.turn_deg * yaw, pitch_deg=size * self.turn_deg * pitch,
                     roll_deg=size * self.turn_deg * roll, x=size * self.shift * x, y=size * self.shift * y,
                     log_scale=0.3 * size * self.shift * depth, gaze=min(size, 1.0) * gaze)


@dataclass(frozen=True, kw_only=True)
class Blinks(Scalable):
    """Eyes that shut for a third of a second, now and then. A trace does not see them: its region holds no eyes."""

    every_s: float = 4.0                 # mean time between blinks
    takes_s: float = 0.3

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        return Effect(name=self.name)

    def moves(self, setting: Setting, rng: np.random.Generator) -> Moves:
        length = setting.times_s[-1] + setting.times_s[1]
        waits = self.every_s * (0.3 + 0.7 * rng.exponential(size=int(4 * length / self.every_s) + 8))
        at = np.cumsum(waits) - rng.uniform(0, self.every_s)
        since = (setting.times_s[:, None] - at[at < length]) / self.takes_s
        # Lids fall in a third of the time, rest, and rise slowly.
        lids = np.clip(np.minimum(since / 0.3, (1 - since) / 0.5), 0, 1).max(axis=1, initial=0)
        return Moves(name=self.name, blink=min(self.strength, 1.0) * lids * lids * (3 - 2 * lids))


@dataclass(frozen=True, kw_only=True)
class HeartMotion(Scalable):
    """The head bobs with every beat as the heart throws blood upwards, as a ballistocardiogram shows.

    A trace does not see it. In a film it follows the slope of the pulse wave, and ends where there is no pulse.
    """

    bob: float = 0.0015                  # peak to peak, in half face widths: 0.1 mm
    nod_deg: float = 0.01                # peak to peak

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        return Effect(name=self.name)

    def moves(self, setting: Setting, rng: np.random.Generator) -> Moves:
        early = rng.uniform(0.06, 0.14)  # the throw comes before the blood is in the face
        if setting.pulse is None:
            return Moves(name=self.name)
        before, after = (setting.pulse.at(setting.times_s + early + step) for step in (-0.02, 0.02))
        slope = after - before
        recoil = self.strength * slope / np.ptp(slope)
        return Moves(name=self.name, y=-self.bob * recoil, pitch_deg=-self.nod_deg * recoil)


@dataclass(frozen=True, kw_only=True)
class Turning(Scalable):
    """The head turns to and fro. The faster it moves, the more the region slips over skin of other brightness."""

    angle_deg: float = 20.0
    turn_hz: float = 0.2
    shade_per_deg: float = 0.006
    gloss_per_deg: float = 0.01
    slip: float = 0.00025                # log brightness, standard deviation per degree per second
    jerk_deg: float = 4.0                # in films: unevenness of a quick turn, standard deviation

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        t = setting.times_s
        angle, speed = self._turns(t, rng)
        lamp_deg = rng.choice([-1, 1]) * rng.uniform(10, 40)
        # Lambert's cosine: the skin is brightest when it faces the lamp.
        facing = self.shade_per_deg * (np.sign(lamp_deg) * angle - angle**2 / (2 * abs(lamp_deg)))
        slip = self.strength * self.slip * speed * sines(rng, 0.3, 4.0)(t)
        shine = self.gloss_per_deg * (rng.choice([-1, 1]) * angle + 0.1 * speed * sines(rng, 0.3, 3.0)(t))
        return slipping(self.name, slip, rng, setting, log_shade=self.strength * (facing - facing.mean()),
                        log_gloss=self.strength * shine)

    def moves(self, setting: Setting, rng: np.random.Generator) -> Moves:
        t = setting.times_s
        angle, speed = self._turns(t, rng)
        angle = self.strength * angle
        # A turned head also dips, tilts and goes sideways a little, and no neck turns smoothly.
        dip, tilt = 0.12 * rng.uniform(-1, 1, 2)
        uneven = self.strength * self.jerk_deg * speed / (speed + HALF_JERK_DEG_PER_S)
        jerks, nods = (uneven * sines(rng, 0.3, 4.0)(t) for _ in range(2))
        return Moves(name=self.name, yaw_deg=angle + jerks, pitch_deg=dip * angle + 0.5 * nods, roll_deg=tilt * angle,
                     x=0.003 * angle)

    def _turns(self, t: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return angle and greatest speed of the turn, in degrees, at strength 1."""
        pace = self.turn_hz * rng.uniform(0.85, 1.15)
        turn = 2 * np.pi * pace * t + rng.uniform(0, 2 * np.pi) + 0.5 * sines(rng, 0.02, 0.6 * pace, count=10)(t)
        angle = self.angle_deg * np.sin(turn) * (1 + 0.2 * sines(rng, 0.03, pace, count=8)(t))
        return angle, self.angle_deg * 2 * np.pi * pace * np.abs(np.cos(turn))


@dataclass(frozen=True, kw_only=True)
class Nodding(Scalable):
    """A rhythmic movement within the band of heart rates, away from the pulse's own rate: exercise, music."""

    shade: float = 0.02
    gloss: float = 0.06
    slip: float = 0.004
    nod_hz: float | None = None          # None: drawn, at least 0.3 Hz from the pulse, its half and its double
    nod_deg: float = 2.5                 # in films: standard deviation of the pitch
    bob: float = 0.03                    # and of the height, in half face widths

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        t = setting.times_s
        nod, turn, later = self._nods(setting, rng)
        shine = np.sqrt(2) * np.sin(turn + later)
        slip = self.strength * self.slip * (0.5 * nod + sines(rng, 0.3, 4.0)(t))
        return slipping(self.name, slip, rng, setting, log_shade=self.strength * self.shade * nod,
                        log_gloss=self.strength * self.gloss * shine)

    def moves(self, setting: Setting, rng: np.random.Generator) -> Moves:
        nod = self.strength * self._nods(setting, rng)[0]
        sideways = self.strength * sines(rng, 0.1, 1.0)(setting.times_s)
        return Moves(name=self.name, pitch_deg=self.nod_deg * nod, y=self.bob * nod, x=0.3 * self.bob * sideways,
                     roll_deg=0.2 * self.nod_deg * sideways)

    def _nods(self, setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
        """Return the nodding, of about unit standard deviation, its angle in its cycle, and a later angle."""
        t = setting.times_s
        drawn = away_from(setting.pulse_hz, rng, low_hz=0.7, high_hz=2.5)
        hz = drawn if self.nod_hz is None else self.nod_hz
        turn = 2 * np.pi * hz * t + rng.uniform(0, 2 * np.pi) + 0.4 * sines(rng, 0.03, 0.3, count=8)(t)
        second, later = rng.uniform(0, 2 * np.pi, 2)
        return np.sqrt(2) * (np.sin(turn) + 0.3 * np.sin(2 * turn + second)), turn, later


@dataclass(frozen=True, kw_only=True)
class Talking(Scalable):
    """Speech: the jaw moves 3 to 5 times a second in bursts, and the head nods along."""

    shade: float = 0.012
    gloss: float = 0.03
    slip: float = 0.003
    opening: float = 0.22                # in films: how far the jaw opens on average while speaking
    nod_deg: float = 2.5                 # and the standard deviation of the pitch

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        t = setting.times_s
        speaks, jaw, nods = self._speech(t, rng)
        shine = (0.3 + speaks) * sines(rng, 0.3, 3.0)(t)
        slip = self.strength * self.slip * (0.7 * jaw + 0.5 * nods)
        return slipping(self.name, slip, rng, setting, log_shade=self.strength * self.shade * nods,
                        log_gloss=self.strength * self.gloss * (0.5 * nods + shine))

    def moves(self, setting: Setting, rng: np.random.Generator) -> Moves:
        speaks, jaw, nods = self._speech(setting.times_s, rng)
        turns = (0.3 + speaks) * sines(rng, 0.2, 1.5)(setting.times_s)
        return Moves(name=self.name, jaw=self.strength * self.opening * np.maximum(speaks + jaw, 0),
                     pitch_deg=self.strength * self.nod_deg * nods, yaw_deg=self.strength * self.nod_deg * turns,
                     y=0.01 * self.strength * nods)

    @staticmethod
    def _speech(t: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return how much is spoken (0 to 1), the syllables, and the nods that go with them."""
        speaks = 1 / (1 + np.exp(-3 * (sines(rng, 0.08, 0.5, count=12)(t) + 0.5)))   # about two thirds of the time
        jaw = speaks * sines(rng, 2.5, 5.5, slope=0)(t)
        return speaks, jaw, (0.3 + speaks) * sines(rng, 0.3, 1.8)(t)


@dataclass(frozen=True, kw_only=True)
class Jumps(Scalable):
    """Sudden changes of position: within a quarter of a second the region sees other skin, and stays there."""

    shade: float = 0.06
    gloss: float = 0.2
    slip: float = 0.01
    every_s: float = 6.0                 # mean time between jumps
    shift: float = 0.08                  # in films: standard deviation of the place, in half face widths
    turn_deg: float = 3.0                # and of the angles

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        moves = steps(setting.times_s, rng, every_s=self.every_s, takes_s=0.25, columns=3)
        return slipping(self.name, self.strength * self.slip * moves[:, 2], rng, setting,
                        log_shade=self.strength * self.shade * moves[:, 0],
                        log_gloss=self.strength * self.gloss * moves[:, 1])

    def moves(self, setting: Setting, rng: np.random.Generator) -> Moves:
        jumps = self.strength * steps(setting.times_s, rng, every_s=self.every_s, takes_s=0.25, columns=3)
        return Moves(name=self.name, x=self.shift * jumps[:, 0], y=0.5 * self.shift * jumps[:, 1],
                     yaw_deg=self.turn_deg * jumps[:, 0], pitch_deg=self.turn_deg * jumps[:, 1],
                     roll_deg=self.turn_deg * jumps[:, 2])


@dataclass(frozen=True, kw_only=True)
class FarFace(Scalable):
    """The face is far away: fewer pixels on the skin. At strength 1 it is less than half as wide."""

    shrinks: float = 2.2                 # times

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        return Effect(name=self.name, log_pixels=-2 * self.strength * np.log(max(self.shrinks, 1.0)))


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
