"""Is a copy of a data set whole and sound? What is there, what is missing, rates, lengths, lags, and what is twice."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..data.readers import DataSet, Listing, dataset
from ..data.recorded import GAP_S, label_at
from ..types import Recording, Reference
from .audit import LabelAudit, audit
from .label_files import Labelled, Unread

APART_S, APART = 2.0, 0.05
"""Video and label that differ in length by more than both, in seconds and as a share, are named."""
WATCHED, WATCHED_S = 10, 60.0
SAMPLE_BYTES = 1 << 16
MOST_EMPTY = 20
"""A label that is missing for more than this times what is there has a wrong time in it."""


@dataclass(frozen=True, kw_only=True)
class CheckedRecording:
    """What is known of one recording of a copy. NaN: not known; a problem says why."""

    id: str
    subject: str
    condition: str
    label_from_s: float                  # on the clock of the pictures
    label_s: float
    label_hz: float
    video_s: float                       # as the file's header, or its pictures' names, say
    video_hz: float
    width: int
    height: int
    watched: bool                        # its pictures were looked at
    problems: tuple[str, ...]            # what could not be read, or does not fit together
    notes: tuple[str, ...]               # what was repaired, or taken for granted


@dataclass(frozen=True, kw_only=True, eq=False)
class CopyCheck:
    """What was found of a copy of a data set."""

    what: DataSet
    listing: Listing
    rows: tuple[CheckedRecording, ...]
    twice: tuple[tuple[str, ...], ...]   # recordings with the same label, or the same video
    labels: LabelAudit | None            # None: no label could be read

    @property
    def table(self) -> pd.DataFrame:
        """A row per recording."""
        return pd.DataFrame([asdict(row) | {"problems": "; ".join(row.problems), "notes": "; ".join(row.notes)}
                             for row in self.rows])

    @property
    def sound(self) -> bool:
        """Whether everything could be read, and nothing is there twice. What was left out has its reasons."""
        return not (self.twice or any(row.problems for row in self.rows))


def check_copy(listing: Listing, *, watched: int | None = WATCHED, seconds: float = WATCHED_S,
               progress: Callable[[Iterable], Iterable] | None = None) -> CopyCheck:
    """Look at a copy of a data set: every label, every video's header, and the pictures of some recordings.

    Args:
        listing: from :func:`rppg_lib.data.readers.read_dataset`.
        watched: how many recordings' pictures are compared with their label, spread over the data set; None: all.
        seconds: of each of them, at most.
        progress: wraps the recordings, for example ``tqdm.auto.tqdm``.
    """
    if watched is not None and watched < 0:
        raise ValueError(f"check_copy: watched must be a number of recordings from 0 on, got {watched!r}.")
    every = listing.recordings
    count = len(every) if watched is None else min(watched, len(every))
    chosen = {every[k].id for k in np.linspace(0, len(every) - 1, count).round().astype(int)} if count else set()
    rows, labels, content = [], [], {}
    for recording in progress(every) if progress else every:
        row, label, marks = _look(recording, seconds=seconds if recording.id in chosen else None)
        rows.append(row)
        labels += [label] if label is not None else []
        for mark in marks:
            content.setdefault(mark, []).append(recording)
    alike = [some for some in content.values() if len({_taken(each) for each in some}) > 1]
    twice = tuple(dict.fromkeys(tuple(each.id for each in some) for some in alike))
    report = audit(labels, source=listing.dataset) if labels else None
    return CopyCheck(what=dataset(listing.dataset), listing=listing, rows=tuple(rows), twice=twice, labels=report)


def _look(recording: Recording, *, seconds: float | None) -> tuple[CheckedRecording, Labelled | Unread | None, list]:
    """Look at one recording; return its row, its label for the audit, and what tells whether it is there twice."""
    problems, notes, marks, reference, label = [], (), [], None, None
    if recording.reference is not None:
        try:
            reference = recording.reference()
            notes = reference.notes
            label = _even(recording, reference)
            if np.ptp(label.label[np.isfinite(label.label)]) == 0:
                problems.append("the label never changes")
            else:
                marks.append(("label", hashlib.sha256(np.round(reference.wave, 9).tobytes()).hexdigest()))
        except (ValueError, OSError) as error:
            problems.append(_short(error))
            label = Unread(recording.id, _short(error))
    video = {"video_s": math.nan, "video_hz": math.nan, "width": 0, "height": 0}
    if path := next((path for path in recording.files if _is_video(path)), None):
        try:
            video = _header(path)
            marks.append(("video", _sample(path)))
        except (ValueError, OSError) as error:
            problems.append(_short(error))
            seconds = None
    told = _label_facts(reference)
    late = told["label_from_s"] + told["label_s"] - video["video_s"]
    if abs(late) > max(APART_S, APART * video["video_s"]):
        problems.append(f"the label ends {abs(late):.1f} s {'after' if late > 0 else 'before'} the video")
    if told["label_from_s"] > APART_S:
        problems.append(f"the label begins {told['label_from_s']:.1f} s after the video")
    if seconds is not None:
        try:
            label = _watched(recording, reference, seconds) or label
        except (ValueError, OSError) as error:
            problems.append(_short(error))
    row = CheckedRecording(id=recording.id, subject=recording.subject, condition=recording.condition, **told, **video,
                           watched=seconds is not None, problems=tuple(problems), notes=tuple(notes))
    return row, label, marks


def _even(recording: Recording, reference: Reference) -> Labelled:
    """Return a label on even times, missing where it says nothing."""
    fs = float(1 / np.median(np.diff(reference.times_s)))
    span_s = reference.times_s[-1] - reference.times_s[0]
    if span_s * fs > MOST_EMPTY * len(reference.times_s):
        raise ValueError(f"{recording.id}: its label has {len(reference.times_s)} values in {span_s:.4g} s, at "
                         f"{fs:.4g} Hz: some of its times are far off. Copy it again.")
    at = np.arange(reference.times_s[0], reference.times_s[-1], 1 / fs)
    there = np.isfinite(reference.wave)
    times, wave = reference.times_s[there], reference.wave[there]
    if not len(times):
        raise ValueError(f"{recording.id}: not one value of its label is a number.")
    after = np.clip(np.searchsorted(times, at), 1, max(len(times) - 1, 1))
    holed = times[np.minimum(after, len(times) - 1)] - times[after - 1] > GAP_S
    return Labelled(name=recording.id, subject=recording.subject, fs=fs,
                    label=np.where(holed, np.nan, np.interp(at, times, wave)))


def _watched(recording: Recording, reference: Reference | None, seconds: float) -> Labelled | None:
    """Return the label beside the colours of the face, over the longest piece with a face."""
    from ..video import face_trace

    start: list[float] = []

    def some() -> Iterable:
        pictures = iter(recording.pictures())
        for image, time_s in pictures:
            start.append(time_s)
            return itertools.chain([(image, time_s)],
                                   itertools.takewhile(lambda pair: pair[1] < start[0] + seconds, pictures))
        return ()

    trace = face_trace(some(), every=3)
    if trace.share_found < 0.5:
        raise ValueError(f"{recording.id}: no face in {1 - trace.share_found:.0%} of the pictures looked at.")
    if reference is None:
        return None
    piece = max(trace.clips(), key=len)
    times = piece.start_s + np.arange(len(piece)) / piece.fs
    inside = (times >= reference.times_s[0]) & (times <= reference.times_s[-1])
    if inside.sum() < 10 * piece.fs:
        raise ValueError(f"{recording.id}: pictures with a face and label have {inside.sum() / piece.fs:.0f} s in "
                         f"common; 10 are needed to compare them.")
    return Labelled(name=recording.id, subject=recording.subject, fs=piece.fs, rgb=piece.rgb[inside],
                    label=label_at(recording.id, reference, times[inside]))


def _label_facts(reference: Reference | None) -> dict[str, float]:
    if reference is None:
        return dict.fromkeys(("label_from_s", "label_s", "label_hz"), math.nan)
    times = reference.times_s
    return {"label_from_s": float(times[0]), "label_s": float(times[-1] - times[0]),
            "label_hz": float(1 / np.median(np.diff(times)))}


def _header(path: Path) -> dict:
    """Return what a video says about itself; its pictures are not decoded."""
    from ..video import open_video

    with open_video(path) as video:
        info = video.info
    return {"video_s": info.duration_s or math.nan, "video_hz": info.fs, "width": info.width, "height": info.height}


def _taken(recording: Recording) -> tuple:
    """Return what several cameras before one person share: they may have one label between them."""
    return recording.subject, recording.condition.split(",")[0] if recording.reference else ""


def _is_video(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in (".avi", ".mp4", ".mkv", ".mov", ".webm", ".m4v")


def _sample(path: Path) -> str:
    """Return what tells one video from another: its size, and its first and last bytes; of a folder, those of its
    first picture and the names of all."""
    if path.is_dir():
        inside = sorted(each for each in path.iterdir() if each.is_file())
        names = "\n".join(each.name for each in inside)
        return _sample(inside[0]) + hashlib.sha256(names.encode()).hexdigest() if inside else str(path)
    size = path.stat().st_size
    with open(path, "rb") as file:
        ends = file.read(SAMPLE_BYTES)
        file.seek(max(size - SAMPLE_BYTES, 0))
        ends += file.read(SAMPLE_BYTES)
    return f"{size} {hashlib.sha256(ends).hexdigest()}"


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
