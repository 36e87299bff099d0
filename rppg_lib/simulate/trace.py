"""The colour of skin, frame by frame: the dichromatic reflection model (``wang2017pos``), all parts known.

``linear(t) = light(t) * shade(t) * (gloss(t) + skin(t) * (1 - pulse(t)))``, then the camera.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np

from ..types import Clip
from .camera import Camera, Exposed, expose
from .chance import check_seed, stream
from .contact import ContactLabel, Fault, contact_label
from .effects import Disturbance, Effect, Setting
from .people import BLOOD_ABSORBS, MELANIN_ABSORBS, TONE_MELANIN, Person, person
from .pulse import PulseTruth, pulse
from .scenes import TRACE_SCENES, scene_parts

LEVEL_BY_TONE = np.array([178.0, 172, 165, 155, 142, 128])
"""Green level that a well exposed face has in a coded picture, tones I to VI."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TraceTruth:
    """Everything that was put into a trace. Arrays are R-G-B; light is linear with full scale 1, levels are 0..255.

    ``linear == light * shade[:, None] * (gloss + skin + blood)`` and
    ``rgb == exposed.clean + exposed.noise + exposed.rounding + exposed.clipping``.
    """

    person: Person
    pulse: PulseTruth
    light: np.ndarray                    # (T, 3) light on the face, exposure included
    shade: np.ndarray                    # (T,) how much of it the region catches as the head moves
    gloss: np.ndarray                    # (T, 3) reflected at the surface: white, no pulse
    skin: np.ndarray                     # (T, 3) reflected from within, without the pulse
    blood: np.ndarray                    # (T, 3) what the pulse adds to it: negative at systole
    linear: np.ndarray                   # (T, 3) light that reaches the camera
    exposed: Exposed                     # what the camera made of it
    effects: tuple[Effect, ...]          # of each disturbance, in order
    disturbances: tuple[Disturbance, ...]
    camera: Camera                       # with the noise of the scene
    contact: ContactLabel | None         # the label, where it is a damaged one
    difficulty: float
    seed: int

    @property
    def intensity(self) -> np.ndarray:
        """``(T,)`` brightness of the light, mean of the three colours."""
        return self.light.mean(-1)

    @property
    def light_colour(self) -> np.ndarray:
        """``(T, 3)`` colour of the light, mean 1."""
        return self.light / self.light.mean(-1, keepdims=True)


def trace(who: Person | int, *, scene: str | Sequence[Disturbance] = "still", seconds: float = 30.0, fs: float = 30.0,
          seed: int = 0, difficulty: float = 1.0, camera: Camera | None = None,
          label_faults: Sequence[Fault] = ()) -> Clip:
    """Simulate the mean skin colour of a face, with all that was put in as ``clip.truth``.

    Each part draws from a stream of its own: the same person and seed have the same pulse, motion and noise in every
    scene and at every difficulty, so any one disturbance can be switched and nothing else changes.

    Args:
        who: a person, or the seed of one.
        scene: a name in ``SCENES``, or disturbances of your own; ``()`` disturbs nothing.
        seconds: length of the clip.
        fs: frames per second.
        seed: of the recording; another seed is another recording of the same person.
        difficulty: multiplies the strength of every disturbance.
        camera: default: 8 bit, gamma 2, 20,000 pixels.
        label_faults: faults of a contact sensor; without any, the label is the true pulse.

    >>> clip = trace(3, scene="turning", seconds=10)
    >>> clip
    Clip('sim0003 turning 0', 10.0 s at 30 fps, rgb (300, 3))
    >>> clip.truth.pulse.wave.shape, clip.truth.light.shape
    ((300,), (300, 3))
    """
    someone = person(check_seed("trace", who)) if isinstance(who, Integral) else who
    if not isinstance(someone, Person):
        raise TypeError(f"trace: needs a Person or the seed of one, got {who!r}. Make one with person(0).")
    name, parts = scene_parts("trace", scene, difficulty)
    _refuse_pictures(name, parts)
    beat = pulse(someone, seconds=seconds, fs=fs, seed=seed)
    effects = effects_of(parts, Setting(beat.times_s, beat.fs, someone.hr_bpm / 60), (seed, someone.seed))
    truth = _expose(someone, beat, effects, camera or Camera(), seed)
    contact = contact_label(beat, faults=label_faults, seed=seed) if label_faults else None
    full = TraceTruth(person=someone, pulse=beat, effects=effects, disturbances=parts, contact=contact,
                      difficulty=float(difficulty), seed=seed, **truth)
    return Clip(id=f"{someone.name} {name} {seed}", rgb=full.exposed.rgb, fs=beat.fs,
                label=beat.wave if contact is None else contact.wave, subject=someone.name, dataset="simulated",
                condition=name, truth=full)


def clips(people: int | Iterable[int | Person], *, scenes: Iterable[str] = TRACE_SCENES, seconds: float = 30.0,
          fs: float = 30.0, seed: int = 0, difficulty: float = 1.0, camera: Camera | None = None) -> list[Clip]:
    """Simulate every person in every scene, for tables of methods and disturbances.

    Args:
        people: how many (seeds 0, 1, ...), or seeds or people one by one.
        scenes: names in ``SCENES``; default: those that need no pictures.

    >>> [clip.id for clip in clips(2, scenes=["still", "dark"], seconds=5)]
    ['sim0000 still 0', 'sim0000 dark 0', 'sim0001 still 0', 'sim0001 dark 0']
    """
    if isinstance(people, Person):
        people = [people]
    if isinstance(people, Integral):
        people = range(check_seed("clips", people))
    scenes = [scenes] if isinstance(scenes, str) else list(scenes)
    return [trace(each, scene=scene, seconds=seconds, fs=fs, seed=seed, difficulty=difficulty, camera=camera)
            for each in people for scene in scenes]


def _refuse_pictures(name: str, parts: Sequence[Disturbance]) -> None:
    for part in parts:
        if getattr(part, "pixels_only", False) and part.strength:
            raise ValueError(f"trace: the scene {name!r} does something to pictures ({part.name}), and a trace has "
                             f"none. Make a film of it, and read that: simulate.film(..., scene=...).trace().")


def streams(parts: Sequence[Disturbance], seeds: tuple[int, int]) -> list[np.random.Generator]:
    """Return a stream for each disturbance that only its own kind (and count of that kind) names."""
    seen: Counter[str] = Counter()
    found = []
    for part in parts:
        kind = type(part).__name__
        found.append(stream(*seeds, kind, seen[kind]))
        seen[kind] += 1
    return found


def effects_of(parts: Sequence[Disturbance], setting: Setting, seeds: tuple[int, int]) -> tuple[Effect, ...]:
    """Return what each disturbance does, each from a stream of its own."""
    return tuple(part.effect(setting, rng) if part.strength else Effect(name=part.name)
                 for part, rng in zip(parts, streams(parts, seeds)))


def _expose(someone: Person, beat: PulseTruth, effects: tuple[Effect, ...], camera: Camera, seed: int) -> dict:
    """Put light, skin and camera together; return the fields of TraceTruth that come of it."""
    frames = len(beat.wave)
    log_light, log_skin = np.zeros((frames, 3)), np.zeros((frames, 3))
    log_shade, log_gloss = np.zeros(frames), np.zeros(frames)
    for effect in effects:
        log_light += effect.log_light
        log_shade += effect.log_shade
        log_gloss += effect.log_gloss
        log_skin -= np.multiply.outer(effect.melanin, MELANIN_ABSORBS)
        log_skin -= np.multiply.outer(effect.haemoglobin, BLOOD_ABSORBS)
    camera = camera.dimmed(sum(effect.log_photons for effect in effects))
    if log_pixels := sum(effect.log_pixels for effect in effects):
        camera = replace(camera, region_px=max(round(camera.region_px * np.exp(log_pixels)), 1))
    level = np.interp(someone.melanin, TONE_MELANIN, LEVEL_BY_TONE)
    exposure = camera.exposure * (level / 255) ** 2 / (someone.skin[1] + someone.gloss)
    light = exposure * np.exp(sum(effect.log_exposure for effect in effects) + log_light)
    shade = np.exp(log_shade)
    skin = someone.skin * np.exp(log_skin)
    gloss = (someone.gloss * np.exp(log_gloss))[:, None] * np.ones(3)
    gain = someone.perfusion * np.prod([effect.pulse_gain for effect in effects])
    colour = np.asarray(someone.pulse_colour) / someone.pulse_colour[1]
    blood = -gain * beat.wave[:, None] * (skin * colour)
    linear = light * shade[:, None] * (gloss + skin + blood)
    exposed = expose(linear, camera, stream(seed, someone.seed, "camera"))
    return {"light": light, "shade": shade, "gloss": gloss, "skin": skin, "blood": blood, "linear": linear,
            "exposed": exposed, "camera": camera}
