"""A folder of one's own: videos or folders of pictures, each with a CSV of the same name beside it, or without."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ...types import Terms
from .base import DataSet, Finds, Listing, film, in_folder, inside, natural, pictures_in
from .clocks import FORMS, NUMBER, moment
from .own_label import FASTEST_HZ, reference
from .texts import LARGEST_TEXT, Table

TERMS = Terms(licence="what you agreed with those who were filmed",
              note="ask them before a face is shown or a file is passed on")
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")
PEOPLE_FILE = "people.csv"
FS = 30.0                                # nominal: no video is opened to list it


def listed(folder: Path) -> Listing:
    """List videos and folders of pictures in a folder and in the folders of people in it; deeper ones are named."""
    finds = Finds("folder", folder, TERMS)
    told = _told(finds)
    spelt = {_small_ending(name): name for name in told}
    alone, unlabelled, used = [], [], set()
    films = list(_films(finds))
    shared = Counter(_stem(path) for path, _, person in films if person)         # anna/rest.mp4 and bob/rest.mp4
    for path, label, person in films:
        usual = _stem(path) if person and shared[_stem(path)] > 1 else ""
        with finds.reading(path):
            key = finds.short(path.with_suffix("") if path.is_file() else path)
            names = [name for name in (finds.short(path), spelt.get(_small_ending(finds.short(path))), key)
                     if name in told]
            row = told[names[0]] if names else {}
            used |= set(names)
            if path.is_dir() and "fs" not in row and not _timed(path):
                finds.leave_out(path, "its pictures' names hold no nanoseconds: give the pictures per second as fs in "
                                      "people.csv")
                continue
            person = row.get("person") or person
            if not person:
                alone.append(key)
            if label is None:
                unlabelled.append(key)
            fs = row.get("fs") if path.is_dir() else None
            finds.add(key, person=person or key, fs=row.get("fs", FS), condition=row.get("condition", usual),
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


def _told(finds: Finds) -> dict[str, dict[str, Any]]:
    """Return what ``people.csv`` tells, if there is one, however its name is written."""
    found = [path for path in in_folder(finds.folder) if path.name.lower() == PEOPLE_FILE and path.is_file()]
    if len(found) > 1:
        raise ValueError(f"{finds.name}: needs one people.csv, got {' and '.join(path.name for path in found)}. "
                         f"Keep one.")
    told = people(found[0]) if found else {}
    if told and not (encoding := Table(found[0]).encoding).startswith("utf"):
        finds.notes.append(f"{found[0].name} is not in UTF-8: letters are read as {encoding}")
    return told


def _small_ending(name: str) -> str:
    """Return a file's name with the ending in small letters, as phones do not write it."""
    return Path(name).with_suffix(Path(name).suffix.lower()).as_posix()


def _films(finds: Finds) -> Iterator[tuple[Path, Path | None, str]]:
    """Yield each video or folder of pictures, its label, and the folder's name; name what is neither."""
    folders = [(finds.folder, "")]
    while folders:
        folder, person = folders.pop(0)
        children: list[Path] = []
        with finds.reading(folder):
            children = in_folder(folder)
        films: list[Path] = []
        for child in children:
            with finds.reading(child):
                if child.is_symlink():
                    finds.leave_out(child, "is a link; put the file itself here")
                elif child.is_dir() and (not pictures_in(child) or _has_videos(child)):
                    if person:
                        finds.leave_out(child, "lies too deep: a person's folder holds videos and folders of pictures")
                    else:
                        folders.append((child, child.name))
                elif child.is_dir() or child.suffix.lower() in VIDEOS:
                    films.append(child)
        films = _told_apart(finds, films)
        labels = _labels(finds, children, {_stem(each) for each in films})
        yield from ((each, labels.get(_stem(each)), person) for each in films)


def _stem(path: Path) -> str:
    """Return the name that a label shares."""
    return path.stem if path.suffix.lower() in VIDEOS and not path.is_dir() else path.name


def _told_apart(finds: Finds, films: list[Path]) -> list[Path]:
    """Return the first film of each name; name the others, for whose the label is cannot be told."""
    stems: dict[str, Path] = {}
    for each in films:
        if (first := stems.setdefault(_stem(each), each)) != each:
            finds.leave_out(each, f"has the name of {first.name}, so whose the CSV is cannot be told; rename one")
    return list(stems.values())


def _labels(finds: Finds, children: Iterable[Path], stems: set[str]) -> dict[str, Path]:
    """Return the CSV of each film, however its ending is written; name what belongs to none."""
    labels: dict[str, list[Path]] = {}
    for child in children:
        with finds.reading(child):
            if not child.is_file() or child.is_symlink() or child.suffix.lower() in VIDEOS:
                continue
            if child.suffix.lower() != ".csv":
                finds.leave_out(child, f"is neither a video ({', '.join(VIDEOS)}) nor a label (.csv)")
            elif child.stem in stems:
                labels.setdefault(child.stem, []).append(child)
            elif child.parent != finds.folder or child.name.lower() != PEOPLE_FILE:
                finds.leave_out(child, "there is no video or folder of pictures of this name beside it")
    for alike in labels.values():
        for each in alike if len(alike) > 1 else ():
            others = " and ".join(other.name for other in alike if other != each)
            finds.leave_out(each, f"differs from {others} in large and small letters only, so which is the label "
                                  f"cannot be told, and none is read; rename or remove one")
    return {stem: alike[0] for stem, alike in labels.items() if len(alike) == 1}


def _has_videos(folder: Path) -> bool:
    return any(child.suffix.lower() in VIDEOS for child in folder.iterdir() if child.is_file())


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
    table = Table(path, largest=LARGEST_TEXT)
    if "file" not in table.names:
        raise ValueError(f"{path.name}: needs a column file, got {', '.join(table.names)[:100]}. Columns: file, "
                         f"person, condition, and what else is known.")
    told: dict[str, dict[str, Any]] = {}
    for _, words in table.rows():
        row = dict(zip(table.names, words))
        name = inside(path.parent, row.pop("file").replace("\\", "/")).relative_to(path.parent).as_posix()
        if name in told:
            raise ValueError(f"{path.name}: names {name[:80]!r} twice. Keep one line for each file.")
        entry: dict[str, Any] = {key: row.pop(key) for key in ("person", "condition") if key in row}
        who = f"{path.name}, {name[:80]!r}"
        if word := row.pop("fs", ""):
            entry["fs"] = _number(who, word)
        if word := row.pop("start_s", ""):
            entry["start_s"] = _start(who, word)
        if not 0 < entry.get("fs", FS) < FASTEST_HZ:
            raise ValueError(f"{who}: needs fs above 0, got {entry['fs']:g}. Leave the field empty if it is not known.")
        told[name] = entry | {"facts": {key: _plain(word) for key, word in row.items() if word}}
    return told


def _number(who: str, word: str) -> float:
    try:
        return float(word.replace(",", "."))
    except ValueError:
        raise ValueError(f"{who}: fs is {word[:30]!r} and not a number. Leave the field empty if it is not "
                         f"known.") from None


def _start(who: str, word: str) -> float | str:
    """Return when the first picture was taken: a number of seconds, or a time as it is written."""
    try:
        value, kind = moment(word)
    except ValueError:
        value, kind = math.nan, NUMBER
    if not math.isfinite(value):
        raise ValueError(f"{who}: start_s is {word[:40]!r} and no time. Times are {FORMS}. Leave the field empty if it "
                         f"is not known.")
    return value if kind == NUMBER else word


def _plain(word: str) -> str | float:
    try:
        return value if math.isfinite(value := float(word)) else word
    except ValueError:
        return word


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
