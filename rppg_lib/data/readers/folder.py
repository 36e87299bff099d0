"""A folder of one's own: videos or folders of pictures, each with a CSV of the same name beside it, or without."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...types import Reference, Terms
from .base import DataSet, Finds, Listing, film, in_order, inside, natural, numbers, text_of

TERMS = Terms(licence="what you agreed with those who were filmed",
              note="ask them before a face is shown or a file is passed on")
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
FS = 30.0                                # nominal: no video is opened to list it

WAVES = ("label", "ppg", "bvp", "pulse")
RATES = ("fs", "fs_hz", "rate_hz", "rate")
UNITS = {"time_s": 1.0, "time_ms": 1e-3, "time_us": 1e-6, "time_ns": 1e-9}
UNSAID = ("time", "timestamp", "t")
SLOWEST_HZ, FASTEST_HZ = 10.0, 2000.0
"""Values per second that a pulse wave may have; in seconds, milli-, micro- and nanoseconds the steps then differ."""
EPOCH_S = 1e8
"""Times beyond it, three years, are dates: counted from 1970 and not from the first picture."""
FEW = 0.05
"""Share of a length by which label and video may differ without a word."""


def listed(folder: Path) -> Listing:
    """List videos and folders of pictures in a folder and in the folders of people in it; deeper ones are named."""
    finds = Finds("folder", folder, TERMS)
    told = people(finds.folder / "people.csv") if (finds.folder / "people.csv").is_file() else {}
    alone, unlabelled, used = [], [], set()
    for path, person in _films(finds):
        key = finds.short(path.with_suffix("") if path.is_file() else path)
        row = told.get(finds.short(path), told.get(key, {}))
        used |= {finds.short(path), key} & set(told)
        if path.is_dir() and "fs" not in row and not _timed(path):
            finds.leave_out(path, "its pictures' names hold no nanoseconds: give the pictures per second as fs in "
                                  "people.csv")
            continue
        label = path.parent / f"{Path(key).name}.csv"
        person = row.get("person") or person
        if not person:
            alone.append(key)
        if not label.is_file():
            unlabelled.append(key)
            label = None
        fs = row.get("fs") if path.is_dir() else None
        finds.add(key, person=person or key, fs=row.get("fs", FS), condition=row.get("condition", ""),
                  pictures=film(path, fs=fs), facts=row.get("facts", {}),
                  reference=label and partial(reference, label, path, fs=fs, start_s=row.get("start_s")),
                  files=(path, label) if label else (path,))
    finds.missing += sorted(set(told) - used, key=natural)
    if alone:
        finds.notes.append(f"who is seen is not told for {len(alone)} of {len(finds.recordings)} recordings "
                           f"({_few(alone)}): each counts as a person of its own. If somebody is in two of them, "
                           f"splits by person cannot be trusted: put each person's into a folder, or write people.csv.")
    if unlabelled:
        finds.notes.append(f"{len(unlabelled)} of {len(finds.recordings)} recordings have no label "
                           f"({_few(unlabelled)})")
    return finds.listing(example="anna/rest.mp4 with anna/rest.csv beside it")


def _films(finds: Finds) -> Iterator[tuple[Path, str]]:
    """Yield each video or folder of pictures with the name of the folder it is in; name what is neither."""
    folders = [(finds.folder, "")]
    while folders:
        folder, person = folders.pop(0)
        children = sorted((child for child in folder.iterdir() if not child.name.startswith(".")),
                          key=lambda child: natural(child.name))
        stems: dict[str, Path] = {}
        for child in children:
            name = child.stem if child.suffix.lower() in VIDEOS else child.name
            if child.is_symlink():
                finds.leave_out(child, "is a link; put the file itself here")
            elif child.is_dir() and (not pictures_in(child) or _has_videos(child)):
                if person:
                    finds.leave_out(child, "lies too deep: a person's folder holds videos and folders of pictures")
                else:
                    folders.append((child, child.name))
            elif child.is_dir() or child.suffix.lower() in VIDEOS:
                if name in stems:
                    finds.leave_out(child, f"has the name of {stems[name].name}, so whose the CSV is cannot be told; "
                                           f"rename one")
                    continue
                stems[name] = child
                yield child, person
        for child in children:
            if child.is_file() and not child.is_symlink() and child.suffix.lower() not in VIDEOS:
                if child.suffix.lower() != ".csv":
                    finds.leave_out(child, f"is no video ({', '.join(VIDEOS)})")
                elif child.stem not in stems and child != finds.folder / "people.csv":
                    finds.leave_out(child, "there is no video or folder of pictures of this name beside it")


def _has_videos(folder: Path) -> bool:
    return any(child.suffix.lower() in VIDEOS for child in folder.iterdir() if child.is_file())


def pictures_in(folder: Path) -> list[str]:
    """Return the names of the pictures in a folder, in no order."""
    return [child.name for child in folder.iterdir()
            if child.suffix.lower() in PICTURES and not child.name.startswith(".") and child.is_file()]


def _timed(folder: Path) -> bool:
    from ...video.images import times_of

    return times_of(pictures_in(folder), None) is not None


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def people(path: Path) -> dict[str, dict[str, Any]]:
    """Read ``people.csv``: whose a file is, and what else is known of it.

    Returns:
        By the file's name: ``person``, ``condition``, ``facts``, and where they are told ``fs`` and ``start_s``.
    """
    names, rows = table(path)
    if "file" not in names:
        raise ValueError(f"{path.name}: needs a column file, got {', '.join(names)[:100]}. Columns: file, person, "
                         f"condition, and what else is known.")
    told: dict[str, dict[str, Any]] = {}
    for words in rows:
        row = dict(zip(names, words))
        name = inside(path.parent, row.pop("file").replace("\\", "/")).relative_to(path.parent).as_posix()
        if name in told:
            raise ValueError(f"{path.name}: names {name[:80]!r} twice. Keep one line for each file.")
        entry: dict[str, Any] = {key: row.pop(key) for key in ("person", "condition") if key in row}
        for key in ("fs", "start_s"):
            if word := row.pop(key, ""):
                entry[key] = float(numbers(f"{path.name}, {name[:80]}, {key}", [word])[0])
        if not 0 < entry.get("fs", FS) < FASTEST_HZ or not math.isfinite(entry.get("start_s", 0.0)):
            raise ValueError(f"{path.name}: {name[:80]!r} needs fs above 0 and a finite start_s, got "
                             f"{entry.get('fs')} and {entry.get('start_s')}. Leave a field empty if it is not known.")
        told[name] = entry | {"facts": {key: _plain(word) for key, word in row.items() if word}}
    return told


def _plain(word: str) -> str | float:
    try:
        return value if math.isfinite(value := float(word)) else word
    except ValueError:
        return word


def table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Read a CSV with a header, separated by commas, semicolons or tabs; names come in small letters."""
    text = text_of(path)
    first = text.split("\n", 1)[0]
    sign = max(",;\t", key=first.count)
    try:
        names, *rows = [[word.strip() for word in row] for row in csv.reader(text.splitlines(), delimiter=sign)
                        if any(word.strip() for word in row)]
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{path.name}: is not a CSV ({str(error)[:80]}). Save it again, with a header.") from None
    names = [name.lower() for name in names]
    if len(set(names)) < len(names):
        raise ValueError(f"{path.name}: names a column twice: {', '.join(names)[:100]}. Rename one.")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise ValueError(f"{path.name}: line {number} has {len(row)} fields, its header {len(names)}. "
                             f"Save it again.")
    return names, rows


def reference(path: Path, film_path: Path | None = None, *, fs: float | None = None,
              start_s: float | None = None) -> Reference:
    """Read a label: a wave in ``label``, ``ppg``, ``bvp`` or ``pulse``, and its times or its rate.

    Args:
        film_path: the video or folder of pictures, to see whether the lengths agree; None: not looked at.
        fs: pictures per second of a folder whose names hold no times.
        start_s: when the first picture was taken, on the clock of the label.
    """
    names, rows = table(path)
    notes: list[str] = []
    there = [name for name in WAVES if name in names]
    if not there:
        raise ValueError(f"{path.name}: needs a column {', '.join(WAVES[:-1])} or {WAVES[-1]}, got "
                         f"{', '.join(names)[:100]}. Name the column of the wave 'label'.")
    if len(there) > 1 or there[0] == "pulse":
        notes.append(f"column {there[0]!r} is taken for the wave, of {', '.join(there)}")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    wave = _values(path.name, columns[there[0]], notes)
    if lost := int((~np.isfinite(wave)).sum()):
        notes.append(f"{lost} of {len(wave)} values are missing")
    length_s = None if film_path is None else film_s(film_path, fs)
    clock = next((name for name in (*UNITS, *UNSAID) if name in names), None)
    if clock is None:
        times = _by_rate(path.name, columns, len(wave), length_s, notes)
    else:
        times = _by_stamps(path.name, clock, _values(path.name, columns[clock], notes), notes)
        times = times - _start_s(path.name, times, film_path, start_s, notes)
    label = in_order(path.name, times, wave)
    rate = (len(label.wave) - 1) / (label.times_s[-1] - label.times_s[0])
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        raise ValueError(f"{path.name}: has {rate:.4g} values per second; a pulse wave has {SLOWEST_HZ:g} to "
                         f"{FASTEST_HZ:g}. Give the wave, not heart rates, and times in seconds as time_s.")
    notes += length_notes(path.name, label, length_s)
    return Reference(wave=label.wave, times_s=label.times_s, notes=(*notes, *label.notes))


def _values(who: str, words: list[str], notes: list[str]) -> np.ndarray:
    if any("," in word for word in words):
        words = [word.replace(",", ".") for word in words]
        notes.append("decimal commas are read as points")
    return numbers(who, [word or "nan" for word in words])


def _by_rate(who: str, columns: dict[str, list[str]], count: int, length_s: float | None,
             notes: list[str]) -> np.ndarray:
    """Return times from a column that holds the rate: one number, in every line or in the first."""
    name = next((name for name in RATES if name in columns), None)
    if name is None:
        raise ValueError(f"{who}: needs times or a rate, got columns {', '.join(columns)[:100]}. Add a column time_s, "
                         f"seconds since the first picture, or fs, values per second.")
    found = set(numbers(f"{who}, {name}", [word for word in columns[name] if word]))
    rate = found.pop() if len(found) == 1 else math.nan
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        raise ValueError(f"{who}: column {name!r} needs one rate, {SLOWEST_HZ:g} to {FASTEST_HZ:g} values per second, "
                         f"in all lines. Is it the heart rate? Then add a column time_s or fs.")
    if name == "rate" and length_s and abs(count / rate - length_s) > FEW * length_s:
        raise ValueError(f"{who}: column 'rate' says {rate:g}; as values per second that makes {count / rate:.1f} s, "
                         f"and the video has {length_s:.1f} s. Name the column fs, or add time_s.")
    notes.append(f"no times: {rate:g} values per second from the first picture on, as column {name!r} says")
    return np.arange(count) / rate


def _by_stamps(who: str, name: str, stamps: np.ndarray, notes: list[str]) -> np.ndarray:
    """Return times in seconds, by what the column's name says, or else by the size of its steps."""
    if name in UNITS:
        return stamps * UNITS[name]
    steps = np.diff(stamps[np.isfinite(stamps)])
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else math.nan
    fits = [unit for unit, size in UNITS.items() if 1 / FASTEST_HZ <= step * size <= 1 / SLOWEST_HZ]
    if len(fits) != 1:
        raise ValueError(f"{who}: the unit of column {name!r} is not known: its usual step is {step:.4g}. "
                         f"Name it time_s, time_ms, time_us or time_ns.")
    notes.append(f"column {name!r} is read as {fits[0]}: its usual step is {step:.4g}")
    return stamps * UNITS[fits[0]]


def _start_s(who: str, times: np.ndarray, film_path: Path | None, start_s: float | None, notes: list[str]) -> float:
    """Return when the first picture was taken, on the clock of the label."""
    if start_s is not None:
        notes.append(f"the first picture is at {start_s:.3f} s of the label's clock, as people.csv says")
        return start_s
    if not np.nanmedian(times) > EPOCH_S:
        return 0.0
    names = pictures_in(film_path) if film_path is not None and film_path.is_dir() else []
    digits = [int("".join(filter(str.isdecimal, Path(name).stem)) or 0) for name in names]
    if not digits or min(digits) * 1e-9 < EPOCH_S:
        raise ValueError(f"{who}: its times are dates, and when the first picture was taken is not known. Subtract "
                         f"that time, or give it in people.csv as start_s, in seconds.")
    notes.append("times are dates, and so are the names of the pictures: set beside each other")
    return min(digits) * 1e-9


def film_s(path: Path, fs: float | None = None) -> float | None:
    """Return how many seconds a video or a folder of pictures has, as its header says."""
    from ...video import open_video

    with open_video(path, fs=fs) as video:
        return video.info.duration_s


def length_notes(who: str, label: Reference, length_s: float | None) -> list[str]:
    """Say where a label and its film do not cover the same time; refuse them where they have nothing in common."""
    if length_s is None:
        return []
    first_s, last_s = label.times_s[[0, -1]]
    if min(last_s, length_s) - max(first_s, 0.0) <= 0:
        raise ValueError(f"{who}: its values lie between {first_s:.1f} and {last_s:.1f} s, and the video between 0 and "
                         f"{length_s:.1f} s. Times must count from the first picture.")
    if max(abs(first_s), abs(last_s - length_s)) <= max(FEW * length_s, 0.5):
        return []
    return [f"label from {first_s:.1f} to {last_s:.1f} s, video from 0 to {length_s:.1f} s"]


DATASET = DataSet(
    name="folder", title="A folder of your own", terms=TERMS, people=0, recordings=0, weighs="what yours weighs",
    ask="nobody: these are your own recordings", place="own",
    layout="anna/rest.mp4   a video, or a folder of pictures Image<nanoseconds>.png; the folder is the person\n"
           "anna/rest.csv   its label: label (or ppg, bvp, pulse) and time_s since the first picture (or fs)\n"
           "people.csv      optional: file, person, condition, fs, start_s, and facts",
    list=listed,
    pitfalls=("without folders of people or people.csv each video counts as a person: splits cannot be trusted",
              "times of unsaid unit are read by their steps, and that is noted; dates need the first picture's",
              "clips have 30 pictures per second unless people.csv or --fps says otherwise"))
