"""A film of a face that does not exist, with all that was put in as truth.

The disturbances of :data:`rppg_lib.simulate.SCENES` move the head and the light, a renderer makes linear light of it,
a camera makes pixels, and a codec may spoil them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import tee
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from ...types import Clip, Recording, Reference, Terms
from ..chance import check_number, check_seed, stream
from ..contact import Fault, contact_label
from ..effects import Disturbance, Setting
from ..people import TONE_MELANIN, Person, person
from ..pulse import pulse
from ..scenes import scene_parts
from ..trace import LEVEL_BY_TONE, streams
from ..transport import Compression, DroppedFrames
from .film_camera import Developer
from .film_codec import Line
from .film_course import Script, resting_course, script
from .film_read import mean_colour, skin_places, with_skin_colours
from .film_stage import Stage, check_size, face_width_px
from .film_truth import FilmTruth

LICENCE = "simulated; no person; free to show and to share"
BRIGHTEST = 0.92                         # linear light that the brightest fiftieth of the skin may have
CAMERA_FACE_PX = 176.0                   # width of the face in the camera's picture that a crop is cut from
CROP_SHARE = 0.58                        # of a crop's width is face


@dataclass(frozen=True, eq=False)
class Film:
    """A film. Nothing is kept in memory: each iteration over :meth:`frames` renders the same pictures again."""

    id: str
    condition: str
    fs: float                            # nominal; times_s is the truth
    times_s: np.ndarray                  # (N,) time stamps, first 0
    label: np.ndarray                    # (N,) pulse at these times, as the contact sensor gives it
    reference: np.ndarray                # (T,) the same at all times, k / fs
    stage: Stage
    _truth: FilmTruth
    _script: Script
    _compression: Compression | None

    def __len__(self) -> int:
        return len(self.times_s)

    def __repr__(self) -> str:
        width, height = self.size_px
        return f"Film({self.id!r}, {len(self)} frames of {width}x{height} at {self.fs:g} fps)"

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.stage.size_px

    @property
    def info(self) -> dict[str, Any]:
        """What the film is, for tables: name, scene, size, length, rate, kilobits per second where known."""
        return {"id": self.id, "subject": self._truth.person.name, "condition": self.condition,
                "tone": self._truth.person.tone, "width": self.size_px[0], "height": self.size_px[1],
                "frames": len(self), "fs": self.fs, "seconds": len(self.reference) / self.fs,
                "kbps": self._played.get("kbps")}

    @property
    def truth(self) -> FilmTruth:
        """Everything that was put in."""
        return replace(self._truth, kbps=self._played["kbps"]) if "kbps" in self._played else self._truth

    @cached_property
    def _played(self) -> dict[str, float]:
        return {}

    @property
    def kbps(self) -> float | None:
        """Kilobits per second of a compressed film, which is played once if it has not been; otherwise None."""
        if self._compression is not None and "kbps" not in self._played:
            for _ in self.frames():
                pass
        return self._played.get("kbps")

    def frames(self, *, progress: Callable[[int, int], object] | None = None) -> Iterator[np.ndarray]:
        """Yield each picture ``(H, W, 3)`` uint8, R-G-B. Every call gives the same pictures.

        Args:
            progress: called with the number of pictures given so far, and of all.
        """
        pictures, line = self._pictures(), None
        if self._compression is not None:
            line = Line(self._compression, fs=self.fs)
            pictures = line.send(pictures)
        for count, picture in enumerate(pictures, 1):
            if progress is not None:
                progress(count, len(self))
            yield picture
        if line is not None:
            self._played["kbps"] = line.kbps

    def frames_and_colours(self, *, region: str = "skin") -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each picture and its mean colour ``(3,)`` over the true region, as in :meth:`trace`, in one pass."""
        return with_skin_colours(self._truth, self.frames(), region=region)

    def clip(self) -> Clip:
        """Return all pictures in memory, as they arrived, with the label at the same times."""
        width, height = self.size_px
        pictures = np.empty((len(self), height, width, 3), np.uint8)
        for number, picture in enumerate(self.frames()):
            pictures[number] = picture
        return self._clip(self.truth, fs=self.fs, frames=pictures, label=self.label)

    def trace(self, *, region: str = "skin") -> Clip:
        """Return the mean colour over the true region of each picture; by their time stamps, on even times.

        Args:
            region: "skin" (all facial skin with a pulse), or "blood" (the same, weighted by perfusion).
        """
        colours = [colour for _, colour in self.frames_and_colours(region=region)]
        return self._traced(np.array(colours), self.truth)

    def traces(self, compressions: Sequence[Compression], *, region: str = "skin") -> list[Clip]:
        """Return what :meth:`trace` would be after each of several compressions; the pictures are rendered once.

        Each clip's ``truth.kbps`` says what its compression took.

        >>> from rppg_lib import simulate
        >>> fine, coarse = simulate.crops(3, size_px=36, seconds=2).traces([
        ...     simulate.Compression(crf=8), simulate.Compression(crf=33)])
        >>> fine.truth.kbps > coarse.truth.kbps
        True
        """
        if self._compression is not None:
            raise ValueError(f"traces: the scene compresses already, with {self._compression}. Leave that away.")
        if not isinstance(compressions, Sequence) or not all(
                isinstance(each, Compression) and each.strength for each in compressions):
            raise TypeError(f"traces: needs compressions, such as [Compression(crf=23)], got {compressions!r}.")
        lines = [Line(each, fs=self.fs) for each in compressions]
        arriving = [line.send(pictures) for line, pictures in zip(lines, tee(self._pictures(), len(lines)))]
        seen = zip(*arriving, skin_places(self._truth, region=region), strict=True)      # to their ends: kbps is of all
        colours = np.array([[mean_colour(picture, *where) for picture in pictures] for *pictures, where in seen])
        return [self._traced(colours[:, number], replace(
            self._truth, kbps=line.kbps, disturbances=(*self._truth.disturbances, each)))
            for number, (each, line) in enumerate(zip(compressions, lines))]

    def recording(self) -> Recording:
        """Return it as a recording, to be read like any other."""
        who = self._truth.person
        return Recording(id=self.id, subject=who.name, dataset="simulated", fs=self.fs, condition=self.condition,
                         pictures=self._timed, reference=self._reference, facts={"tone": who.tone},
                         terms=Terms(licence=LICENCE, may_show_faces=True, may_redistribute=True))

    def _timed(self) -> Iterator[tuple[np.ndarray, float]]:
        return zip(self.frames(), self.times_s.tolist())

    def _reference(self) -> Reference:
        return Reference(wave=self.reference, times_s=self._truth.pulse.times_s)

    def write(self, path: str | Path, **codec: Any) -> Any:
        """Write it as a video file with true time stamps; options are those of ``rppg_lib.video.write_video``.

        A scene with compression is written with that compression, once, unless the options say otherwise.
        """
        from ...video.write import write_video

        pictures = self.frames()
        if self._compression is not None and not codec:
            told = {name: value for name, value in self._compression.settings().items() if value is not None}
            pictures, codec = self._pictures(), {"codec": "h264", **told}
        when = {"fs": self.fs} if len(self) == len(self.reference) else {"times_s": self.times_s}
        return write_video(path, pictures, **when, **codec)

    def _traced(self, colours: np.ndarray, truth: FilmTruth) -> Clip:
        if len(self) == len(self.reference):
            return self._clip(truth, fs=self.fs, rgb=colours, label=self.label)
        from ...signal import resample

        every = self._truth.pulse.times_s
        return self._clip(truth, fs=self.fs, rgb=resample(colours, self.times_s, at_s=every), label=self.reference)

    def _clip(self, truth: FilmTruth, **parts: Any) -> Clip:
        return Clip(id=self.id, subject=self._truth.person.name, dataset="simulated", condition=self.condition,
                    truth=truth, **parts)

    @cached_property
    def _developer(self) -> Developer:
        """The camera, set to the face: its green at the level of its tone, its highlights below full scale."""
        who, course = self._truth.person, resting_course(self._truth.course)
        renderer, camera = self._truth.renderer, self._truth.camera
        light, skin = renderer.linear(course, 0), renderer.skin(course, 0) > 0.9
        if skin.sum() < 10:
            skin = renderer.skin(course, 0) > 0
        if not skin.any():
            raise ValueError(f"film: no skin is in the picture, with the face's centre at {self.stage.centre}. "
                             f"Set centre and face_px so that the face is in it.")
        level = (np.interp(who.melanin, TONE_MELANIN, LEVEL_BY_TONE) / 255) ** 2
        gain = min(level / light[skin][:, 1].mean(), BRIGHTEST / np.percentile(light[skin], 98, axis=0).max())
        rng = stream(self._truth.seed, who.seed, "film camera")
        return Developer(camera, self.size_px, gain=float(gain) * camera.exposure, frames=len(course_of(self)), rng=rng)

    def _pictures(self) -> Iterator[np.ndarray]:
        """Yield what the camera saw, before any codec."""
        course, developer, renderer = course_of(self), self._developer, self._truth.renderer
        last, picture = -1, None
        for number in self._truth.shown:
            if number == last:
                picture = picture.copy()                             # whoever has the first may have drawn on it
            else:
                last = number
                linear = renderer.linear(course, int(number))
                picture = developer.develop(linear, number, rows=self._rows(course.times_s[number]))
            yield picture

    def _rows(self, time_s: float) -> Callable[[np.ndarray], np.ndarray] | None:
        """Return how much lighter each row is than the first, under lamps that flicker while it waits."""
        lamps = self._script.flickers
        if not lamps:
            return None
        return lambda wait_s: np.exp(sum(lamp(time_s + wait_s) - lamp(np.array(time_s)) for lamp in lamps))


def course_of(film: Film):
    """Return the course of all pictures, those that never arrive included."""
    return film._truth.course


def film(who: Person | int, *, scene: str | Sequence[Disturbance] = "still", seconds: float = 20.0, fs: float = 30.0,
         seed: int = 0, difficulty: float = 1.0, stage: Stage | None = None,
         label_faults: Sequence[Fault] = ()) -> Film:
    """Film a simulated person. Every part draws from a stream of its own, so that one can be switched alone.

    The same person, scene and seed have the same pulse, light and label in :func:`rppg_lib.simulate.trace`, and
    turn, nod and speak at the same moments.

    Args:
        who: a person, or the seed of one.
        scene: a name in ``SCENES``, or disturbances of your own; ``()`` disturbs nothing, and the face is rigid.
        seconds: length.
        fs: frames per second.
        seed: of the recording; another seed is another recording of the same person.
        difficulty: multiplies the strength of every disturbance.
        stage: picture size, face, camera, lamp; default: 640x480 with a face about 176 pixels wide.
        label_faults: faults of a contact sensor; without any, the label is the true pulse.

    >>> from rppg_lib import simulate
    >>> simulate.film(3, scene="turning", seconds=2)
    Film('sim0003 turning 0', 60 frames of 640x480 at 30 fps)
    """
    someone = person(check_seed("film", who)) if isinstance(who, Integral) else who
    if not isinstance(someone, Person):
        raise TypeError(f"film: needs a Person or the seed of one, got {who!r}. Make one with person(0).")
    stage = Stage() if stage is None else stage
    if not isinstance(stage, Stage):
        raise TypeError(f"film: stage must be a Stage, got {stage!r}.")
    name, parts = scene_parts("film", scene, difficulty)
    beat = pulse(someone, seconds=seconds, fs=fs, seed=seed)
    made = script(beat, parts, seed, lamp=stage.lamp)
    arrived, shown = _arrivals(parts, Setting(beat.times_s, beat.fs, someone.hr_bpm / 60), (seed, someone.seed))
    contact = contact_label(beat, faults=label_faults, seed=seed) if label_faults else None
    reference = beat.wave if contact is None else contact.wave
    face, shrinks = stage.face(someone.seed), float(np.exp(-0.5 * made.total("log_pixels")))
    camera = stage.camera.seen(log_photons=made.total("log_photons"), log_exposure=made.total("log_exposure"),
                               pixels_in_one=stage.pixels_in_one)
    truth = FilmTruth(
        person=someone, look=face, pulse=beat, course=made.course, times_s=beat.times_s[arrived], arrived=arrived,
        shown=shown, effects=made.effects, disturbances=parts, camera=camera, contact=contact,
        difficulty=float(difficulty), seed=seed,
        _picture_of=(stage.size_px, face_width_px(stage, face, shrinks=shrinks), stage.centre))
    return Film(f"{someone.name} {name} {seed}", name, beat.fs, truth.times_s, reference[arrived], reference, stage,
                truth, made, _compression(parts))


def crops(who: Person | int, *, size_px: int | tuple[int, int] = 72, face_share: float = CROP_SHARE,
          stage: Stage | None = None, **settings: Any) -> Film:
    """Film the face alone, in a box that stays where it is, at any size: pictures for networks.

    The pictures are rendered at this size. Their noise is that of a camera in whose picture the face is 176 pixels
    wide, averaged over the pixels that become one.

    Args:
        who: a person, or the seed of one.
        size_px: of the crop; one number is width and height.
        face_share: width of the face over that of the crop.
        stage: face, camera and lamp; its sizes and its centre are replaced.
        **settings: ``scene``, ``seconds``, ``fs``, ``seed``, ``difficulty`` and ``label_faults`` of :func:`film`.

    >>> from rppg_lib import simulate
    >>> simulate.crops(3, size_px=36, seconds=2).size_px
    (36, 36)
    """
    size = check_size("crops", size_px)
    face_px = check_number("crops", "face_share", face_share, low=0.1, high=1.5) * size[0]
    stage = Stage() if stage is None else stage
    if not isinstance(stage, Stage):
        raise TypeError(f"crops: stage must be a Stage, got {stage!r}.")
    cut = replace(stage, size_px=size, face_px=face_px, centre=None,
                  pixels_in_one=stage.pixels_in_one * max((CAMERA_FACE_PX / face_px) ** 2, 1.0))
    return film(who, stage=cut, **settings)


def _arrivals(parts: Sequence[Disturbance], setting: Setting, seeds: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return which frames arrive, and which picture each of them shows."""
    arrived = shown = np.arange(len(setting.times_s))
    for part, rng in zip(parts, streams(parts, seeds)):
        if isinstance(part, DroppedFrames) and part.strength:
            arrived, shown = part.arrivals(setting, rng)
    return arrived, shown


def _compression(parts: Sequence[Disturbance]) -> Compression | None:
    found = [part for part in parts if isinstance(part, Compression) and part.strength]
    if len(found) > 1:
        raise ValueError(f"film: one compression at most, got {len(found)}. Write the film and compress it again.")
    return found[0] if found else None
