"""People, light, motion and cameras with exactly known truth, as colour traces and as films of faces.

==================  ==========================================================================================
people              :func:`person`, :class:`Person`: pulse shape, rate, variability, breathing, skin
pulse               :func:`pulse` gives a :class:`PulseTruth`: wave, beats, intervals, rate, breathing
trace               :func:`trace` and :func:`clips` give clips, with a :class:`TraceTruth` of all that was put in
film                :func:`film` and :func:`crops` give a :class:`Film`: pictures, and a :class:`FilmTruth`;
                    :class:`Stage` :class:`FilmCamera` :class:`Look` :func:`look` say how it is shot, and of what face
motion              :class:`Sway` :class:`Blinks` :class:`HeartMotion` :class:`Turning` :class:`Nodding`
                    :class:`Talking` :class:`Jumps` :class:`FarFace`
light               :class:`LightDrift` :class:`LightSteps` :class:`WalkingLight` :class:`Flicker` :class:`Glimmer`
                    :class:`ScreenLight` :class:`Darkness` :class:`NoPulse`
pictures            :class:`Compression` :class:`DroppedFrames`, in films only
camera              :class:`Camera`: noise, coding, 8-bit steps, saturation, mean over a region
contact labels      :func:`contact_label` with :class:`Lag` :class:`Wander` :class:`Spikes` :class:`Hiss`
                    :class:`Saturation` :class:`LostContact`; :func:`damaged` for a wave at hand
presets             ``SCENES``, ``TRACE_SCENES``, ``FAULTS``
==================  ==========================================================================================

>>> from rppg_lib import signal, simulate
>>> clip = simulate.trace(simulate.person(1, hr_bpm=72), scene="turning", seconds=30)
>>> clip.rgb.shape, clip.condition
((900, 3), 'turning')
>>> found, true = (signal.hr_from_spectrum(wave, fs=clip.fs) for wave in (signal.pos(clip.rgb, fs=clip.fs), clip.label))
>>> bool(abs(found - true) < 1)
True
"""

import importlib

from .camera import Camera, Exposed, expose
from .contact import (
    FAULTS,
    ContactLabel,
    Fault,
    Hiss,
    Lag,
    LostContact,
    Saturation,
    Span,
    Spikes,
    Wander,
    contact_label,
    damaged,
)
from .effects import Disturbance, Effect, Moves, Setting
from .light import Darkness, Flicker, Glimmer, LightDrift, LightSteps, NoPulse, ScreenLight, WalkingLight
from .motion import Blinks, FarFace, HeartMotion, Jumps, Nodding, Sway, Talking, Turning
from .people import HR_LIMITS_BPM, PULSE_COLOUR, TONES, Person, person
from .pulse import PulseTruth, pulse
from .scenes import SCENES, TRACE_SCENES
from .trace import TraceTruth, clips, trace
from .transport import Compression, DroppedFrames

_IN_FACES = {"Film": "film", "crops": "film", "film": "film", "FilmTruth": "film_truth", "Stage": "film_stage",
             "FilmCamera": "film_camera", "Look": "looks", "look": "looks", "look_from_photo": "photo",
             "ita_deg": "shade"}
"""Where in :mod:`rppg_lib.simulate.faces` a name lives. Loaded when first asked for, since it needs OpenCV."""

__all__ = [
    "FAULTS", "HR_LIMITS_BPM", "PULSE_COLOUR", "SCENES", "TONES", "TRACE_SCENES",
    "Blinks", "Camera", "Compression", "ContactLabel", "Darkness", "Disturbance", "DroppedFrames", "Effect", "Exposed",
    "FarFace", "Fault", "Film", "FilmCamera", "FilmTruth", "Flicker", "Glimmer", "HeartMotion", "Hiss", "Jumps", "Lag",
    "LightDrift", "LightSteps", "Look", "LostContact", "Moves", "NoPulse", "Nodding", "Person", "PulseTruth",
    "Saturation", "ScreenLight", "Setting", "Span", "Spikes", "Stage", "Sway", "Talking", "TraceTruth", "Turning",
    "WalkingLight", "Wander",
    "clips", "contact_label", "crops", "damaged", "expose", "film", "ita_deg", "look", "look_from_photo",
    "person", "pulse", "trace",
]


def __getattr__(name: str) -> object:
    if name not in _IN_FACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".faces.{_IN_FACES[name]}", __name__), name)
