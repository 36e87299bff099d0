"""From disturbances to the course of a film: pose, face, light and blood, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ..chance import stream
from ..effects import Disturbance, Effect, Moves, Setting
from ..light import Flicker
from ..motion import HeartMotion
from ..pulse import PulseTruth
from ..trace import effects_of, streams
from .course import Course

DELAYS_S = np.array([0.0, 0.02, 0.04, 0.06])
"""How much later than the first the pulse comes in other places of the face; those in between are mixed."""

YAW_LIMIT_DEG, PITCH_LIMIT_DEG, ROLL_LIMIT_DEG, LAMP_LIMIT_DEG = 60.0, 35.0, 40.0, 80.0
PLACE_LIMIT = 1.5
SCALE_LIMITS = 0.3, 2.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Script:
    """All that happens in a film, before it is shot."""

    course: Course
    effects: tuple[Effect, ...]
    moves: tuple[Moves, ...]
    flickers: tuple                      # functions of time: log light of a lamp, for rolling shutters

    def total(self, name: str) -> float:
        """Return the sum of a field over all effects."""
        return float(sum(getattr(effect, name) for effect in self.effects))


def script(beat: PulseTruth, parts: Sequence[Disturbance], seed: int, *, lamp: Sequence[float] | None) -> Script:
    """Return what the disturbances make of a film, each from the stream that it also has in a trace.

    Args:
        beat: the pulse, whose times are those of the film.
        parts: disturbances, already scaled.
        seed: of the recording.
        lamp: direction to the main light; None: drawn.
    """
    seeds = (seed, beat.person.seed)
    setting = Setting(beat.times_s, beat.fs, beat.person.hr_bpm / 60, beat)
    effects = effects_of(parts, setting, seeds)
    alive = float(np.prod([effect.pulse_gain for effect in effects]))
    moves, flickers = [], []
    for part, rng in zip(parts, streams(parts, seeds)):
        if part.strength and hasattr(part, "moves") and not (isinstance(part, HeartMotion) and not alive):
            moves.append(part.moves(setting, rng))
        elif part.strength and isinstance(part, Flicker):
            flickers.append(part.ripple(rng))
    log_light = np.zeros((len(beat.wave), 3))
    for effect in effects:
        log_light += effect.log_light
    waves = alive * np.stack([beat.at(beat.times_s - delay) for delay in DELAYS_S], axis=1)
    side = drawn_lamp(seeds) if lamp is None else np.asarray(lamp, dtype=float)
    course = Course(times_s=beat.times_s, light=np.exp(log_light), pulse=waves, delays_s=DELAYS_S,
                    **_poses(moves, len(beat.wave), side))
    return Script(course=course, effects=effects, moves=tuple(moves), flickers=tuple(flickers))


def drawn_lamp(seeds: tuple[int, int]) -> np.ndarray:
    """Draw where the main light is: above the face, before it, to one side."""
    rng = stream(*seeds, "lamp")
    return np.array([rng.uniform(-1.2, 1.2), rng.uniform(-1.0, -0.2), 1.0])


def resting_course(course: Course) -> Course:
    """Return one frame of a head that has not moved yet, in steady light and without a pulse."""
    first = course[:1]
    still = {name: np.zeros(1) for name in ("x", "y", "yaw_deg", "pitch_deg", "roll_deg", "jaw", "blink")}
    kept = {"times_s": first.times_s, "scale": np.ones(1), "delays_s": course.delays_s}
    lamp = np.mean(course.lamp, axis=0, keepdims=True)
    return Course(**still, **kept, gaze=np.zeros((1, 2)), lamp=lamp, light=np.ones((1, 3)),
                  pulse=np.zeros((1, len(course.delays_s))))


def _poses(moves: Sequence[Moves], frames: int, lamp: np.ndarray) -> dict[str, np.ndarray]:
    """Add up moves, and keep their sum within what a neck, a jaw and a picture allow."""
    total = {each.name: np.zeros((frames, 2) if each.name == "gaze" else frames) for each in fields(Moves)
             if each.name != "name"}
    for move in moves:
        for name in total:
            total[name] = total[name] + getattr(move, name)
    limits = {"x": PLACE_LIMIT, "y": PLACE_LIMIT, "yaw_deg": YAW_LIMIT_DEG, "pitch_deg": PITCH_LIMIT_DEG,
              "roll_deg": ROLL_LIMIT_DEG}
    return {**{name: within(total[name], limit) for name, limit in limits.items()},
            "scale": np.clip(np.exp(total["log_scale"]), *SCALE_LIMITS), "jaw": np.clip(total["jaw"], 0, 1),
            "blink": np.clip(total["blink"], 0, 1), "gaze": np.clip(total["gaze"], -1, 1),
            "lamp": _swung(lamp, total["lamp_deg"])}


def within(values: np.ndarray, limit: float) -> np.ndarray:
    """Return values that come ever closer to a limit beyond 70 % of it, and are unchanged below.

    >>> within(np.array([-10.0, 20.0, 200.0]), 60.0).round(1)
    array([-10.,  20.,  60.])
    """
    knee = 0.7 * limit
    beyond = np.maximum(np.abs(values) - knee, 0)
    return np.sign(values) * (np.minimum(np.abs(values), knee) + (limit - knee) * np.tanh(beyond / (limit - knee)))


def _swung(lamp: np.ndarray, swing_deg: np.ndarray) -> np.ndarray:
    """Turn the direction of the light about the vertical, never behind the face."""
    x, y, z = lamp
    flat = np.hypot(x, z)
    angle = np.deg2rad(within(np.rad2deg(np.arctan2(x, z)) + swing_deg, LAMP_LIMIT_DEG)) if np.any(swing_deg) \
        else np.full(len(swing_deg), np.arctan2(x, z))
    return np.stack([flat * np.sin(angle), np.full(len(angle), y), flat * np.cos(angle)], axis=1)
