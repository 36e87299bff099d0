"""People, light, motion and cameras with exactly known truth, at the level of colour traces.

==================  ==========================================================================================
people              :func:`person`, :class:`Person`: pulse shape, rate, variability, breathing, skin
pulse               :func:`pulse` gives a :class:`PulseTruth`: wave, beats, intervals, rate, breathing
trace               :func:`trace` and :func:`clips` give clips, with a :class:`TraceTruth` of all that was put in
motion              :class:`Sway` :class:`Turning` :class:`Nodding` :class:`Talking` :class:`Jumps`
light               :class:`LightDrift` :class:`LightSteps` :class:`Flicker` :class:`Glimmer` :class:`ScreenLight`
                    :class:`Darkness` :class:`NoPulse`
camera              :class:`Camera`: noise, coding, 8-bit steps, saturation, mean over a region
contact labels      :func:`contact_label` with :class:`Lag` :class:`Wander` :class:`Spikes` :class:`Saturation`
                    :class:`LostContact`
presets             ``SCENES``, ``FAULTS``
==================  ==========================================================================================

>>> from rppg_lib import signal, simulate
>>> clip = simulate.trace(simulate.person(1, hr_bpm=72), scene="turning", seconds=30)
>>> clip.rgb.shape, clip.condition
((900, 3), 'turning')
>>> found, true = (signal.hr_from_spectrum(wave, fs=clip.fs) for wave in (signal.pos(clip.rgb, fs=clip.fs), clip.label))
>>> bool(abs(found - true) < 1)
True
"""

from .camera import Camera, Exposed, expose
from .contact import FAULTS, ContactLabel, Fault, Lag, LostContact, Saturation, Span, Spikes, Wander, contact_label
from .effects import Disturbance, Effect, Setting
from .light import Darkness, Flicker, Glimmer, LightDrift, LightSteps, NoPulse, ScreenLight
from .motion import Jumps, Nodding, Sway, Talking, Turning
from .people import HR_LIMITS_BPM, PULSE_COLOUR, TONES, Person, person
from .pulse import PulseTruth, pulse
from .scenes import SCENES
from .trace import TraceTruth, clips, trace

__all__ = [
    "FAULTS", "HR_LIMITS_BPM", "PULSE_COLOUR", "SCENES", "TONES",
    "Camera", "ContactLabel", "Darkness", "Disturbance", "Effect", "Exposed", "Fault", "Flicker", "Glimmer", "Jumps",
    "Lag", "LightDrift", "LightSteps", "LostContact", "NoPulse", "Nodding", "Person", "PulseTruth", "Saturation",
    "ScreenLight", "Setting", "Span", "Spikes", "Sway", "Talking", "TraceTruth", "Turning", "Wander",
    "clips", "contact_label", "expose", "person", "pulse", "trace",
]
