"""Where recordings of a clip store come from: simulated people, clips at hand, or anything that can be opened."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from numbers import Integral
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .. import simulate
from ..simulate.chance import check_number, check_seed, stream
from ..types import Clip
from .arrays import TYPES, array_digest
from .manifest import digest_of

Pair = tuple[np.ndarray, np.ndarray | None]
LIBRARY = Path(__file__).resolve().parents[1]
DECIDE_PIXELS = ("numpy", "scipy", "opencv-contrib-python", "av")
"""Packages whose next version may make other pixels of the same settings."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ending:
    """What is known of a recording once its last picture has been seen."""

    label: np.ndarray | None = None      # (T,) pulse at the same times as the pictures
    clean: np.ndarray | None = None      # (T,) the true pulse, where the label is known to be faulty
    facts: dict[str, Any] = field(default_factory=dict)  # what else is known of it; plain values


@dataclass(frozen=True, kw_only=True, eq=False)
class Playing:
    """A recording that has been opened: its pictures one by one, evenly in time."""

    pictures: Iterator[Pair]             # (H, W, 3) uint8, and its mean skin colour (3,) or None
    fs: float
    size_px: tuple[int, int]             # width and height
    ending: Callable[[], Ending]         # called after the last picture
    dataset: str = "unknown"
    condition: str = ""


@runtime_checkable
class Source(Protocol):
    """One recording that can be made: small, picklable, and the same each time it is played."""

    id: str
    subject: str

    def settings(self) -> dict[str, Any]:
        """All that decides the content, as JSON can hold it. Other settings, other store."""

    def play(self) -> Playing:
        """Open the recording."""


@dataclass(frozen=True, kw_only=True)
class SimulatedSource:
    """Crops of a simulated face; see :func:`rppg_lib.simulate.crops`. Facts: the true heart rate, and the label's lag.

    Pictures that a scene drops are replaced by those before them, so that pictures and label are even in time; the
    fact ``filled`` says how many.

    >>> source = SimulatedSource(person=3, scene="turning", seconds=2, size_px=16)
    >>> source.id, source.subject
    ('sim0003 turning 0', 'sim0003')
    >>> sum(1 for _ in source.play().pictures)
    60
    """

    person: int                                             # seed
    scene: str = "still"
    seconds: float = 10.0
    fs: float = 30.0
    seed: int = 0                                           # of this recording of the person
    size_px: int = 72
    difficulty: float = 1.0                                 # multiplies every disturbance
    hr_bpm: float | None = None                             # None: the person's own
    label_faults: tuple[simulate.Fault, ...] = ()           # of the contact sensor
    stage: simulate.Stage | None = None                     # face, camera and lamp

    def __post_init__(self) -> None:
        if self.scene not in simulate.SCENES:
            raise ValueError(f"SimulatedSource: there is no scene {self.scene!r}. "
                             f"Scenes: {', '.join(simulate.SCENES)}.")
        object.__setattr__(self, "label_faults", tuple(self.label_faults))
        self._who()                                         # says what is wrong with a seed or a rate

    @property
    def subject(self) -> str:
        return self._who().name

    @property
    def id(self) -> str:
        return f"{self.subject} {self.scene} {self.seed}"

    def settings(self) -> dict[str, Any]:
        told = {f.name: _described(getattr(self, f.name)) for f in dataclasses.fields(self)}
        return {"simulated": told, "made by": simulator_digest()}

    def play(self) -> Playing:
        film = simulate.crops(self._who(), scene=self.scene, seconds=self.seconds, fs=self.fs, seed=self.seed,
                              size_px=self.size_px, difficulty=self.difficulty, label_faults=self.label_faults,
                              stage=self.stage)
        frames = len(film.reference)
        pictures = evened(film.frames_and_colours(), film.times_s, fs=film.fs, frames=frames)

        def ending() -> Ending:
            truth = film.truth
            facts = {"hr_bpm": truth.pulse.mean_hr_bpm, "tone": truth.person.tone, "filled": frames - len(film)}
            if truth.kbps is not None:
                facts["kbps"] = truth.kbps
            if truth.contact is None:
                return Ending(label=film.reference, facts=facts)
            facts |= {"label_lag_s": truth.contact.lag_s, "label_damaged": float(truth.contact.damaged().mean())}
            return Ending(label=film.reference, clean=truth.contact.clean, facts=facts)

        return Playing(pictures=pictures, fs=film.fs, size_px=film.size_px, ending=ending, dataset="simulated",
                       condition=film.condition)

    def _who(self) -> simulate.Person:
        changes = {} if self.hr_bpm is None else {"hr_bpm": self.hr_bpm}
        return simulate.person(self.person, **changes)


@dataclass(frozen=True, kw_only=True)
class ClipSource:
    """A clip with frames that is at hand already."""

    clip: Clip

    def __post_init__(self) -> None:
        if not isinstance(self.clip, Clip) or self.clip.frames is None:
            raise ValueError(f"ClipSource: needs a Clip with frames (T, H, W, 3), got {self.clip!r}. "
                             f"A trace alone needs no store.")

    @property
    def id(self) -> str:
        return self.clip.id

    @property
    def subject(self) -> str:
        return self.clip.subject

    def settings(self) -> dict[str, Any]:
        arrays = {name: array_digest(value, name=name) for name in TYPES
                  if (value := getattr(self.clip, name, None)) is not None}
        return {"clip": arrays, "fs": self.clip.fs, "dataset": self.clip.dataset, "condition": self.clip.condition}

    def play(self) -> Playing:
        clip, height, width = self.clip, *self.clip.frames.shape[1:3]
        colours = [None] * len(clip) if clip.rgb is None else clip.rgb
        return Playing(pictures=zip(clip.frames, colours), fs=clip.fs, size_px=(width, height),
                       ending=lambda: Ending(label=clip.label), dataset=clip.dataset, condition=clip.condition)


@dataclass(frozen=True, kw_only=True)
class LazySource:
    """A recording that a function of yours opens when its turn comes: a reader of video, say.

    Args:
        opened: a function that can be pickled (defined in a module); returns a :class:`Playing`.
        decided_by: all that decides what it gives: digest of the file, size of the crop, version of the reader.
    """

    id: str
    subject: str
    opened: Callable[[], Playing]
    decided_by: dict[str, Any]

    def settings(self) -> dict[str, Any]:
        return dict(self.decided_by)

    def play(self) -> Playing:
        return self.opened()


def simulated_sources(people: int | Iterable[int], *, scenes: str | Sequence[str] = ("still",),
                      recordings: int = 1, seed: int = 0, rates_bpm: tuple[float, float] | None = None,
                      label_faults: str | Sequence[simulate.Fault] = (), **settings: Any) -> list[SimulatedSource]:
    """Return every person in every scene, as recordings to be made. Lists of different difficulty can be added.

    Args:
        people: how many (seeds 0, 1, ...), or their seeds.
        scenes: names in ``simulate.SCENES``.
        recordings: of each person in each scene, with seeds ``seed``, ``seed + 1``, ...
        seed: of the first recording.
        rates_bpm: lowest and highest; each recording draws its mean rate evenly between. None: the person's own.
        label_faults: of the contact sensor, or the name of a set in ``simulate.FAULTS``.
        **settings: ``seconds``, ``fs``, ``size_px``, ``difficulty``, ``stage`` of :class:`SimulatedSource`.

    >>> [source.id for source in simulated_sources([4, 9], scenes=["still", "dark"], seconds=5)]
    ['sim0004 still 0', 'sim0004 dark 0', 'sim0009 still 0', 'sim0009 dark 0']
    """
    who = "simulated_sources"
    seeds = range(check_seed(who, people)) if isinstance(people, Integral) else [check_seed(who, n) for n in people]
    if not seeds:
        raise ValueError(f"{who}: needs people, got {people!r}. Say how many, or give their seeds.")
    if isinstance(label_faults, str):
        if label_faults not in simulate.FAULTS:
            raise ValueError(f"{who}: there are no faults {label_faults!r}. Named sets: {', '.join(simulate.FAULTS)}.")
        label_faults = simulate.FAULTS[label_faults]
    scenes, first = [scenes] if isinstance(scenes, str) else list(scenes), check_seed(who, seed)

    def rate(person: int, scene: str, number: int) -> dict[str, float]:
        if rates_bpm is None:
            return {}
        low, high = (check_number(who, "rates_bpm", bpm) for bpm in rates_bpm)
        return {"hr_bpm": float(stream(number, person, "rate of a recording", scene).uniform(low, high))}

    return [SimulatedSource(person=person, scene=scene, seed=number, label_faults=tuple(label_faults),
                            **rate(person, scene, number), **settings)
            for person in seeds for scene in scenes for number in range(first, first + recordings)]


def evened(pairs: Iterable[Pair], times_s: np.ndarray, *, fs: float, frames: int) -> Iterator[Pair]:
    """Yield pictures on even times ``k / fs``: at each of them the last that has arrived.

    Args:
        pairs: pictures and their colours, in order.
        times_s: ``(N,)`` when each of them was taken; the first at 0.
        fs: frames per second wanted.
        frames: how many are wanted.

    >>> arrived = [("a", None), ("b", None), ("d", None)]
    >>> [picture for picture, _ in evened(arrived, np.array([0, 1, 3]) / 30, fs=30, frames=5)]
    ['a', 'b', 'b', 'd', 'd']
    """
    # A millionth of a frame early still counts as in time: stamps are rounded.
    first = np.searchsorted(np.arange(frames) / fs, np.asarray(times_s) - 1e-6 / fs)
    for pair, count in zip(pairs, np.diff(first, append=frames)):
        for _ in range(count):
            yield pair


@functools.cache
def simulator_digest(library: Path = LIBRARY) -> str:
    """Digest of all code that decides a simulated recording, and the versions of the packages that do."""
    files = sorted([*(library / "simulate").rglob("*.py"), library / "data" / "sources.py"])
    code = {path.relative_to(library).as_posix(): path.read_text("utf-8") for path in files}
    return digest_of([code, {name: _version(name) for name in DECIDE_PIXELS}], who="simulator_digest")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _described(value: Any) -> Any:
    """Return settings as plain values: an object is its class and its fields."""
    if dataclasses.is_dataclass(value):
        return {"is": type(value).__name__,
                **{f.name: _described(getattr(value, f.name)) for f in dataclasses.fields(value)}}
    if isinstance(value, (tuple, list)):
        return [_described(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value
