"""What a disturbance does to a trace or a film, and what it may know when it does it."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from .chance import check_number

if TYPE_CHECKING:
    from .pulse import PulseTruth


@dataclass(frozen=True, eq=False)
class Setting:
    """The clip that a disturbance is put into."""

    times_s: np.ndarray                  # (T,)
    fs: float
    pulse_hz: float                      # mean rate, for a rhythm that must differ from it
    pulse: PulseTruth | None = None      # in films, for what moves with the beat


@dataclass(frozen=True, eq=False, kw_only=True)
class Effect:
    """Changes to a clip. Logarithms, so that effects add up and light never becomes negative."""

    name: str
    log_light: np.ndarray | float = 0.0  # (T, 3) of the light itself: skin and gloss both follow
    log_shade: np.ndarray | float = 0.0  # (T,) how much of the light the region catches, same for all colours
    log_gloss: np.ndarray | float = 0.0  # (T,) of the light reflected at the surface
    melanin: np.ndarray | float = 0.0    # (T,) added to the region's: it slips over browner skin
    haemoglobin: np.ndarray | float = 0.0  # (T,) likewise: redder skin, almost the colour of the pulse
    log_photons: float = 0.0             # photons per pixel at the same level of the picture: fewer, more noise
    log_exposure: float = 0.0            # level of the picture
    pulse_gain: float = 1.0
    log_pixels: float = 0.0              # number of pixels on the region: a smaller face has fewer


@dataclass(frozen=True, eq=False, kw_only=True)
class Moves:
    """What a head does in a film. Moves of several disturbances add up; lengths are in half face widths."""

    name: str
    x: np.ndarray | float = 0.0          # (T,) to the right of the picture
    y: np.ndarray | float = 0.0          # (T,) down
    log_scale: np.ndarray | float = 0.0  # (T,) of the face's size in the picture
    yaw_deg: np.ndarray | float = 0.0    # (T,) the nose moves to the right
    pitch_deg: np.ndarray | float = 0.0  # (T,) the nose moves down
    roll_deg: np.ndarray | float = 0.0   # (T,) clockwise in the picture
    jaw: np.ndarray | float = 0.0        # (T,) 0 shut to 1 wide open
    blink: np.ndarray | float = 0.0      # (T,) 0 open to 1 shut
    gaze: np.ndarray | float = 0.0       # (T, 2) right and down, -1 to 1
    lamp_deg: np.ndarray | float = 0.0   # (T,) by which the main light swings to the right, about the vertical


@runtime_checkable
class Disturbance(Protocol):
    """A small frozen dataclass with a ``strength`` (0: off) that turns chance into an :class:`Effect`.

    What moves the head or the lamp also has ``moves(setting, rng) -> Moves`` for films. It draws from the same stream
    in the same order, so that a person turns at the same moments in a trace and in a film of the same seed; a film
    takes the light of an effect, and makes shade, gloss and slip itself.
    """

    strength: float

    @property
    def name(self) -> str: ...

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect: ...

    def scaled(self, factor: float) -> Disturbance: ...


@dataclass(frozen=True, kw_only=True)
class Scalable:
    """Base of the disturbances: a strength, checked, that can be scaled.

    Strength multiplies the effect and leaves its course in time alone: twice the strength is twice the same motion.
    """

    signed: ClassVar[tuple[str, ...]] = ()                            # fields that may be negative

    strength: float = 1.0

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            low = -np.inf if each.name in self.signed else 0.1 if each.name == "every_s" else 0
            if value is not None:
                check_number(type(self).__name__, each.name, value, low=low)

    def scaled(self, factor: float) -> Self:
        return dataclasses.replace(self, strength=self.strength * factor)

    @property
    def name(self) -> str:
        """The class in plain words.

        >>> from rppg_lib.simulate import LightDrift
        >>> LightDrift().name
        'light drift'
        """
        return re.sub(r"(?<!^)(?=[A-Z])", " ", type(self).__name__).lower()


def away_from(pulse_hz: float, rng: np.random.Generator, *, low_hz: float, high_hz: float,
              gap_hz: float = 0.3) -> float:
    """Draw a rate between two limits that cannot be mistaken for the pulse, its half or its double.

    The limits are widened if the pulse leaves no room between them.
    """
    grid = np.arange(low_hz, high_hz, 0.01)
    far = np.min([np.abs(grid - k * pulse_hz) for k in (0.5, 1, 2)], axis=0) >= gap_hz
    if not far.any():
        return away_from(pulse_hz, rng, low_hz=low_hz, high_hz=high_hz + 0.5, gap_hz=gap_hz)
    return float(grid[far][int(rng.uniform() * far.sum())])

