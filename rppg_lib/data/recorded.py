"""Recordings of real people as sources of a clip store: face cut out, pictures evened, pulse put at their times."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..signal import resample
from ..types import Recording, Reference, check_fs
from .manifest import digest_of
from .sources import Ending, Pair, Playing

WAY = 1
"""Raised whenever the same files and settings would give other clips, so that stores of the old way are left alone."""
GAP_S = 0.5
"""Longest time without a picture, or without a value of the pulse, that is bridged."""
LEAST_S = 2.0
WHOLE_BYTES, END_BYTES = 20_000_000, 1 << 16
MOST_MISSING = 0.5
"""Share of pictures without a face from which on a recording is refused."""


@dataclass(frozen=True, kw_only=True)
class RecordingSource:
    """Crops of the face in a recording, at even times, with skin colours and the contact pulse at the same times.

    Pictures come one by one and are never all in memory. Between two pictures the crop is mixed by their times. The
    clip begins with the first face, and lies where there are both pictures and pulse: where the label has gaps, in the
    longest stretch between two. Where the face is lost its last place is kept; the fact ``face_missing`` says in which
    share of the pictures, ``from_s`` and ``to_s`` which part of the recording it is, ``label_gaps`` and ``label_notes``
    what was wrong with the label.

    Args:
        recording: what a reader of :mod:`rppg_lib.data.readers` lists.
        size_px: side of the crops.
        box: ``first``, one square for all, or ``follow``, it moves with the smoothed face.
        scale: side of the square over the larger side of the face.
        finder: who looks for the face; ``auto``, ``landmarks`` or ``haar``.
        every: look in every n-th picture; in between the face is followed. The default has its reasons in
            ``book/decisions/looks.md``.
        fs: pictures per second of the clip; None: the nominal rate of the recording.
        seconds: of the recording, at most.
    """

    recording: Recording
    size_px: int = 72
    box: str = "first"
    scale: float = 1.5
    finder: str = "auto"
    every: int = 3
    fs: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        from ..video.crops import face_crops

        if not isinstance(self.recording, Recording):
            raise TypeError(f"RecordingSource: needs a Recording, got {type(self.recording).__name__}. "
                            f"Readers list them: rppg_lib.data.readers.")
        if self.fs is not None:
            object.__setattr__(self, "fs", check_fs("RecordingSource", self.fs))
        if self.seconds is not None and not self.seconds >= LEAST_S:
            raise ValueError(f"RecordingSource: seconds must be {LEAST_S:g} or more, got {self.seconds!r}.")
        face_crops((), size_px=self.size_px, box=self.box, scale=self.scale, finder=self.finder, every=self.every)

    @property
    def id(self) -> str:
        return self.recording.id

    @property
    def subject(self) -> str:
        return self.recording.subject

    def settings(self) -> dict[str, Any]:
        """Small files by content, large ones by name, size and ends: a hundred gigabytes are not read each time."""
        told, recording = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}, self.recording
        del told["recording"]
        known = {"fs": recording.fs, "condition": recording.condition, "facts": repr(sorted(recording.facts.items())),
                 "given": [_given(opened) for opened in (recording.pictures, recording.reference)]}
        files = digest_of([_told(path) for path in recording.files], who="RecordingSource")
        return {"recorded": told, "dataset": recording.dataset, "known": known, "files": files, "way": WAY}

    def play(self) -> Playing:
        told = self.recording
        fs = self.fs or told.fs
        reference, gaps = longest(told.reference()) if told.reference else (None, 0)
        cutter = _Cutter(self)
        first_s, last_s = (-np.inf, np.inf) if reference is None else reference.times_s[[0, -1]]
        pairs = _between(cutter.pairs(), first_s, last_s, self.seconds)
        grid: list[float] = []
        pictures = evenly(pairs, fs=fs, times=grid)

        def ending() -> Ending:
            if len(grid) < LEAST_S * fs:
                raise ValueError(f"{self.id}: needs {LEAST_S:g} s with a face and a pulse, got {len(grid) / fs:.1f} s "
                                 f"in {cutter.seen} pictures. See whether video and label belong together.")
            if cutter.missing > MOST_MISSING * cutter.seen:
                raise ValueError(f"{self.id}: needs a face in at least half of the pictures, found none in "
                                 f"{cutter.missing} of {cutter.seen}. Leave this recording out.")
            facts = {**told.facts, "may_show_faces": told.terms.may_show_faces, "licence": told.terms.licence,
                     "face_missing": round(cutter.missing / max(cutter.seen, 1), 4),
                     "finder": cutter.finder, "from_s": round(grid[0], 3), "to_s": round(grid[-1], 3)}
            if reference is None:
                return Ending(facts=facts)
            return Ending(label=label_at(self.id, reference, np.array(grid)),
                          facts=facts | {"label_notes": list(reference.notes), "label_gaps": gaps})

        return Playing(pictures=pictures, fs=fs, size_px=(self.size_px, self.size_px), ending=ending,
                       dataset=told.dataset, condition=told.condition)


class _Cutter:
    """Cuts the largest face out of each picture, and counts what it meets."""

    def __init__(self, source: RecordingSource) -> None:
        self.source = source
        self.seen = self.missing = 0
        self.finder = ""

    def pairs(self) -> Iterator[tuple[Pair, float]]:
        """Yield crop, colour of the skin and time of each picture from the first with a face on."""
        from ..video.colours import region_colours
        from ..video.crops import cut, square_about
        from ..video.faces import choice
        from ..video.following import Pictures, followed, stamped
        from ..video.track import GONE_S, box_of, closeness

        source, person, square, points, found_s = self.source, None, None, None, -np.inf
        chosen = dataclasses.replace(choice(source.finder), workers=1)   # recordings are made in parallel, not pictures
        self.finder, every = chosen.name, max(source.every, chosen.least_every)
        for frame in followed(stamped(Pictures(source.recording.pictures())), chosen, every=every):
            self.seen += 1
            mine = next((place for track, place in frame.places if track.number == person), None)
            if mine is None and frame.places and frame.time_s - found_s > GONE_S:
                track, again = max(frame.places, key=lambda pair: np.prod(box_of(pair[1].points)[2:]))
                # Whoever comes back where the face was lost is taken for the same; a face elsewhere is somebody else's.
                if points is None or closeness(box_of(points), box_of(again.points)) > 0:
                    person, mine = track.number, again
            if mine is not None:
                points, found_s = mine.points, frame.time_s
                if square is None or source.box == "follow":
                    square = square_about(box_of(points), scale=source.scale)
            else:
                self.missing += 1
            if square is None:
                continue
            colour = region_colours(frame.image, points, ["skin"])["skin"].rgb
            yield (cut(frame.image, square, size_px=source.size_px), np.array(colour)), frame.time_s
        if square is None:
            raise ValueError(f"{source.id}: needs a face, found none in {self.seen} pictures. "
                             f"Leave this recording out, or try finder='haar'.")


def _between(pairs: Iterable[tuple[Pair, float]], first_s: float, last_s: float,
             seconds: float | None) -> Iterator[tuple[Pair, float]]:
    """Pass on what lies between two times, and not more seconds than wanted."""
    pairs = iter(pairs)
    for pair, time_s in pairs:
        if time_s < first_s:
            continue
        end_s = last_s if seconds is None else min(last_s, time_s + seconds)
        yield from itertools.takewhile(lambda each, end_s=end_s: each[1] <= end_s,
                                       itertools.chain([(pair, time_s)], pairs))
        return


def evenly(pairs: Iterable[tuple[Pair, float]], *, fs: float, times: list[float]) -> Iterator[Pair]:
    """Yield pictures and colours at even times from the first on, each mixed from the two about it.

    Args:
        pairs: crop with its colour, and when it was taken.
        fs: pictures per second wanted.
        times: filled with the time of each picture that is yielded.

    Raises:
        ValueError: where no picture came for longer than ``GAP_S``.

    >>> grey = [(np.full((1, 1, 3), value, np.uint8), np.full(3, value)) for value in (10, 20, 40)]
    >>> times = []
    >>> [int(picture[0, 0, 0]) for picture, _ in evenly(zip(grey, (0.0, 0.1, 0.3)), fs=10, times=times)]
    [10, 20, 30, 40]
    """
    before, start, count = None, 0.0, 0
    for (picture, colour), time_s in pairs:
        if before is None:
            start = time_s
        elif time_s - before[2] > max(GAP_S, 1.5 / fs):
            raise ValueError(f"needs a picture at least every {max(GAP_S, 1.5 / fs):.1f} s, got none "
                             f"between {before[2]:.2f} and {time_s:.2f} s. Leave this recording out.")
        while (at := start + count / fs) <= time_s + 1e-6 / fs:
            times.append(at)
            count += 1
            share = 1.0 if before is None else float(np.clip((at - before[2]) / (time_s - before[2]), 0, 1))
            if share > 1 - 1e-3:
                yield picture, colour
            elif share < 1e-3:
                yield before[0], before[1]
            else:
                mixed = np.rint((1 - share) * before[0] + share * picture).astype(np.uint8)
                yield mixed, (1 - share) * before[1] + share * colour
        before = picture, colour, time_s


def longest(reference: Reference) -> tuple[Reference, int]:
    """Return a label's longest stretch without a gap, and how many gaps the label has.

    >>> longest(Reference(wave=[1, 2, np.nan, np.nan, 3, 4, 5], times_s=np.arange(7) / 4))
    (Reference(3 values, 1.0 to 1.5 s), 1)
    """
    times = reference.times_s[np.isfinite(reference.wave)]
    if len(times) < 2:
        raise ValueError("needs a label with two values at least that are numbers. Leave it out.")
    if np.ptp(reference.wave[np.isfinite(reference.wave)]) == 0:
        raise ValueError("its label never changes: the sensor lay beside the finger. Leave it out.")
    cuts = np.flatnonzero(np.diff(times) > GAP_S + 1e-9)
    starts, ends = times[np.append(0, cuts + 1)], times[np.append(cuts, len(times) - 1)]
    most = int(np.argmax(ends - starts))
    if ends[most] == starts[most]:
        raise ValueError(f"no two values of its label are less than {GAP_S:g} s apart (median "
                         f"{np.median(np.diff(times)):.3g}): are its times in seconds?")
    inside = (reference.times_s >= starts[most]) & (reference.times_s <= ends[most])
    return Reference(wave=reference.wave[inside], times_s=reference.times_s[inside], notes=reference.notes), len(cuts)


def label_at(who: str, reference: Reference, times_s: np.ndarray) -> np.ndarray:
    """Return the pulse at the times of pictures, by both's time stamps: never by stretching one onto the other."""
    try:
        return resample(reference.wave, reference.times_s, at_s=times_s, max_gap_s=GAP_S)
    except ValueError as error:
        raise ValueError(f"{who}: the pulse cannot be put at the pictures' times: {error}") from None


def _given(opened: Any) -> list:
    """Return what a function of a recording was given but files: start of a clock, rate."""
    given = (*getattr(opened, "args", ()), *sorted(getattr(opened, "keywords", {}).items()))
    return [repr(value) for value in given if not isinstance(value, Path) and not callable(value)]


def _told(path: Path) -> list:
    """Return what tells a file from others: a digest of a small one, of a large one its size and its ends."""
    if path.is_dir():
        inside = sorted(each for each in path.iterdir() if each.is_file())
        return [path.name, [[each.name, each.stat().st_size] for each in inside], [_ends(each) for each in inside[:1]]]
    return [path.name, path.stat().st_size, _ends(path)] if path.is_file() else [path.name]


def _ends(path: Path) -> str:
    size = path.stat().st_size
    with open(path, "rb") as file:
        if size <= WHOLE_BYTES:
            return hashlib.sha256(file.read()).hexdigest()
        ends = file.read(END_BYTES)
        file.seek(size - END_BYTES)
        return hashlib.sha256(ends + file.read(END_BYTES)).hexdigest()
