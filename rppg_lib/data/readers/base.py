"""What every reader shares: what a data set is, what was found of it, and how label files are taken in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...types import Recording, Reference, Terms

MOST_LOOKED_AT = 50
PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
MOST_REPAIRED = 0.05
"""Share of a label's values that may be left out, for their times, before it is refused as a whole."""
MOST_APART = 2
"""By so many pictures a video and the list of their times may differ; the last ones are taken to lack."""
STEPS_MS = (5.0, 500.0)
"""Between pictures; other numbers are no milliseconds."""
LARGEST_MS = 1e15


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Something of a data set that is not read, and why."""

    what: str                            # path below the data set's folder
    why: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Listing:
    """What a folder holds of a data set."""

    dataset: str
    folder: Path
    recordings: tuple[Recording, ...]
    left_out: tuple[LeftOut, ...] = ()   # is there, and is not read
    missing: tuple[str, ...] = ()        # belongs to the data set, and is not there
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        people = len({recording.subject for recording in self.recordings})
        return (f"Listing({self.dataset}, {len(self.recordings)} recordings of {people} people, "
                f"{len(self.left_out)} left out, {len(self.missing)} missing)")


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A public data set: what it is, where to ask for it, what its terms are, and how a copy is listed."""

    name: str                            # short, for commands
    title: str
    terms: Terms
    ask: str                             # where and how one gets it
    place: str                           # folder below data/raw where it usually lies
    layout: str                          # what the reader expects in it, in lines
    people: int                          # as published
    recordings: int                      # as published
    weighs: str                          # on disk, in words
    list: Callable[[Path], Listing] = field(repr=False)
    pitfalls: tuple[str, ...] = ()       # what is known to be wrong or odd in it, and what the reader does


class Finds:
    """Gather recordings and what is left out while a folder is walked, so that nothing is dropped in silence."""

    def __init__(self, name: str, folder: str | Path, terms: Terms) -> None:
        self.name, self.folder, self.terms = name, Path(folder), terms
        self.recordings: list[Recording] = []
        self.left_out: list[LeftOut] = []
        self.missing: list[str] = []
        self.notes: list[str] = []
        if not self.folder.is_dir():
            raise FileNotFoundError(f"{name}: needs the folder of the data set, {self.folder} is none. "
                                    f"'rppg data list {name}' says where to get it and how it must lie.")

    def add(self, key: str, *, person: str, **parts: Any) -> None:
        """Take up a recording; ``key`` and ``person`` need differ within the data set only."""
        try:
            key.encode("utf-8")
        except UnicodeEncodeError:
            self.leave_out(Path(ascii(key)), "its name is no text in UTF-8; rename it")
            return
        if any(each.id == f"{self.name} {key}" for each in self.recordings[-MOST_LOOKED_AT:]):
            self.leave_out(Path(key), "there is another of this name already; which is the right one cannot be told")
            return
        self.recordings.append(Recording(id=f"{self.name} {key}", subject=f"{self.name} {person}", dataset=self.name,
                                         terms=self.terms, **parts))

    @contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """Name a folder or file that cannot be read among what is left out, and go on with the next.

        >>> finds = Finds("own", ".", Terms(licence="mine"))
        >>> with finds.reading(finds.folder / "locked"):
        ...     raise PermissionError(13, "Permission denied")
        >>> finds.left_out[0].why
        'cannot be read: Permission denied'
        """
        try:
            yield
        except OSError as error:
            self.leave_out(path, f"cannot be read: {error.strerror or type(error).__name__}")

    def folders(self, folder: Path | None = None) -> list[Path]:
        """Return the folders in the data set's or in another, 2 before 10; hidden ones are none of the data set's.

        Those that cannot be read, and links that lead nowhere or in a circle, are named among what is left out.
        """
        found = []
        for child in in_folder(folder or self.folder):
            with self.reading(child):
                if child.is_dir():
                    next(child.iterdir(), None)
                    found.append(child)
                elif child.is_symlink() and not child.exists():
                    self.leave_out(child, "is a link that leads nowhere")
        return found

    def leave_out(self, path: Path, why: str) -> None:
        """Name what is there and not read."""
        self.left_out.append(LeftOut(what=self.short(path), why=why))

    def short(self, path: Path) -> str:
        """Return a path as seen from the data set's folder."""
        try:
            return path.relative_to(self.folder).as_posix()
        except ValueError:
            return str(path)

    def listing(self, *, example: str) -> Listing:
        """Return what was gathered, or say what should have been there.

        Args:
            example: path of one file as the reader expects it, for the message.
        """
        if not self.recordings:
            here = sorted(child.name for child in self.folder.iterdir())
            shown = ", ".join(here[:5]) + (f" and {len(here) - 5} more" if len(here) > 5 else "") if here else "nothing"
            why = f" The first that was left out: {self.left_out[0].what}: {self.left_out[0].why}" \
                if self.left_out else ""
            raise FileNotFoundError(f"{self.name}: found no recording in {self.folder}, which holds {shown}; expected "
                                    f"for example {example}. Name the folder that holds it.{why}")
        people: dict[str, set[str]] = {}
        for recording in self.recordings:
            people.setdefault(recording.subject.casefold(), set()).add(recording.subject)
        for alike in people.values():
            if len(alike) > 1:
                self.notes.append(f"{' and '.join(sorted(alike))} differ in large and small letters only, and count as "
                                  f"different people: rename a folder if they are one")
        order = sorted(self.recordings, key=lambda recording: natural(recording.id))
        return Listing(dataset=self.name, folder=self.folder, recordings=tuple(order), left_out=tuple(self.left_out),
                       missing=tuple(self.missing), notes=tuple(self.notes))


def natural(name: str) -> list:
    """Return a key that sorts 2 before 10.

    >>> sorted(["s10", "s9", "s1"], key=natural)
    ['s1', 's9', 's10']
    """
    parts, number = [], ""
    for sign in name + "\0":
        if sign.isascii() and sign.isdigit():
            number += sign
            continue
        if number:
            parts.append((int(number), ""))
            number = ""
        parts.append((-1, sign))
    return parts


def in_folder(folder: Path) -> list[Path]:
    """Return what is in a folder, 2 before 10, without what is hidden."""
    return sorted((child for child in folder.iterdir() if not child.name.startswith(".")),
                  key=lambda child: natural(child.name))


def pictures_in(folder: Path) -> list[str]:
    """Return the names of the pictures in a folder, in no order."""
    return [child.name for child in folder.iterdir()
            if child.suffix.lower() in PICTURES and not child.name.startswith(".") and child.is_file()]


def film(path: Path, *, times_s: Callable[[], np.ndarray] | None = None, fs: float | None = None) -> Callable:
    """Return what opens a video or a folder of pictures: pairs of a picture and its time.

    Args:
        times_s: returns the time of each picture, where a file of the data set knows better than the video.
        fs: replaces the video's time stamps, where nothing better is known.
    """
    return partial(_played, path, times_s, fs)


def _played(path: Path, times_s: Callable[[], np.ndarray] | None,
            fs: float | None) -> Iterator[tuple[np.ndarray, float]]:
    from ...video import open_video

    times = None if times_s is None else np.asarray(times_s(), dtype=float)
    with open_video(path, fs=fs) as video:
        count, told = 0, video.info.frames
        if times is not None and told and abs(told - len(times)) > MOST_APART:
            raise ValueError(f"{path.name}: has {told} pictures, as its header says, and {len(times)} times belong to "
                             f"it, so which picture was taken when is not known. Copy both files again.")
        for frame in video:
            if video.damaged and (times is not None or frame.index == 0):
                raise ValueError(f"{path.name}: {video.damaged} pictures up to {frame.time_s:.1f} s cannot be decoded, "
                                 f"so when the others were taken is not known. Copy it again, or leave this recording "
                                 f"out.")
            if times is not None and frame.index >= len(times):
                raise ValueError(f"{path.name}: has more pictures than the {len(times)} times that belong to them. "
                                 f"Copy both files again.")
            yield frame.image, frame.time_s if times is None else float(times[frame.index])
            count += 1
    if times is not None and count < len(times) - MOST_APART:
        raise ValueError(f"{path.name}: has {count} pictures, and {len(times)} times belong to it, so which picture "
                         f"was taken when is not known. Copy both files again.")


def in_order(who: str, times_s: Any, values: Any, *, notes: tuple[str, ...] = ()) -> Reference:
    """Return a label whose values have increasing times; the few that have not are left out and counted.

    Raises:
        ValueError: if there are too many of them.

    >>> in_order("a.csv", [0, 1, 1, 2, 3, *range(4, 30)], [5.0] * 31).notes
    ('1 of 31 values left out: their times do not increase',)
    """
    try:
        times, wave = np.asarray(times_s, dtype=float), np.asarray(values, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{who}: needs numbers for times and values, and something else is among them. "
                         f"Copy the file again.") from None
    if times.ndim != 1 or times.shape != wave.shape or len(times) < 2:
        raise ValueError(f"{who}: needs one time for each value and two at least, got {times.size} times and "
                         f"{wave.size} values. Copy the file again.")
    good = np.isfinite(times)
    highest = np.maximum.accumulate(np.where(good, times, -np.inf))
    good[1:] &= times[1:] > highest[:-1]
    lost = len(times) - int(good.sum())
    if lost > max(1, MOST_REPAIRED * len(times)):
        raise ValueError(f"{who}: {lost} of {len(times)} times do not increase, so when its values were taken is not "
                         f"known. Copy the file again, or leave this recording out.")
    if lost:
        notes = (*notes, f"{lost} of {len(times)} values left out: their times do not increase")
    return Reference(wave=np.where(np.isfinite(wave), wave, np.nan)[good], times_s=times[good], notes=notes)


def picture_times(who: str, told_ms: Iterable[float]) -> tuple[np.ndarray, int]:
    """Return increasing times in seconds from the first picture, and how many had to be set between their neighbours.

    Raises:
        ValueError: if they are no milliseconds, or too many of them do not increase.

    >>> picture_times("time.txt", [100, 140, 140, 220])
    (array([0.  , 0.04, 0.08, 0.12]), 1)
    """
    told = np.array(told_ms, dtype=float)
    usable = np.abs(told) < LARGEST_MS
    if len(told) < 2 or not usable.all():
        raise ValueError(f"{who}: needs the time of each picture in milliseconds, two at least, got {len(told)}, of "
                         f"which {int((~usable).sum())} are no times. Copy the file again.")
    good = np.append(True, told[1:] > np.maximum.accumulate(told)[:-1])
    wrong = len(told) - int(good.sum())
    if wrong > max(1, MOST_REPAIRED * len(told)):
        raise ValueError(f"{who}: {wrong} of {len(told)} times do not increase, so when the pictures were taken is not "
                         f"known. Copy the file again, or leave this recording out.")
    step = float(np.median(np.diff(told[good]))) if good.sum() > 1 else 0.0
    if not STEPS_MS[0] <= step <= STEPS_MS[1]:
        raise ValueError(f"{who}: needs milliseconds, {STEPS_MS[0]:g} to {STEPS_MS[1]:g} from picture to picture, got "
                         f"{step:g}. See whether it is the file that belongs to the pictures.")
    places = np.arange(len(told))
    last = places[good][-1]                                      # none after it increases: they go on at the usual step
    told[last + 1:] = told[last] + step * (places[last + 1:] - last)
    good[last + 1:] = True
    return (np.interp(places, places[good], told[good]) - told[0]) / 1e3, wrong


def inside(folder: Path, name: str) -> Path:
    """Return the path of a name that a file of the data set tells; one that leads out of the folder is refused."""
    path = Path(os.path.normpath(folder / name))
    if not name or "\0" in name or not path.is_relative_to(os.path.normpath(folder)) or path == folder:
        raise ValueError(f"{folder.name}: {name[:80]!r} is no name of a file inside this folder.")
    return path
