"""LGI-PPGI: people at rest, moving, on an ergometer and in the street; times and contact pulse in XML files."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from functools import partial
from pathlib import Path

import numpy as np

from ...types import Reference, Terms
from .base import DataSet, Finds, Listing, film, in_folder, in_order, picture_times
from .texts import numbers, text_of

TERMS = Terms(licence="not told for the recordings; their page is marked GPL v3", cites="pilz2018lgi")
SESSIONS = {"resting": "resting", "rotation": "head motion", "gym": "on an ergometer", "talk": "talking in the street"}
PEOPLE = ("alex", "angelo", "cpi", "david", "felix", "harun")
NAME = re.compile(rf"([A-Za-z0-9-]+)_({'|'.join(SESSIONS)})")
TIMER = "cv_camera_sensor_timer_stream_handler.xml"
PULSE_HZ = 60.0
LARGEST_XML = 10_000_000
MOST_APART = 0.25
"""Share of the video by which the pulse's log may differ from it; what is known differs by 4 s in 400."""
LEAST_APART_S = 10.0
DEEPEST = 2
"""Folders between that of the data set and that of a recording: ``id1/alex/alex_gym``."""


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: folders ``PERSON_SESSION``, below the person's or not, below ``idN`` or not."""
    finds = Finds("lgi", folder, TERMS)
    _walk(finds, finds.folder, DEEPEST, set())
    have = {recording.id.split()[-1] for recording in finds.recordings}
    finds.missing += [name for person in PEOPLE for session in SESSIONS if (name := f"{person}_{session}") not in have]
    return finds.listing(example=f"alex/alex_gym/{TIMER}")


def _walk(finds: Finds, folder: Path, deeper: int, seen: set[Path]) -> None:
    if folder.resolve() in seen:                                 # a link leads back to it
        return
    seen.add(folder.resolve())
    for each in finds.folders(folder):
        with finds.reading(each):
            found = NAME.fullmatch(each.name)
            if found:
                _take_up(finds, each, *found.groups())
            elif deeper and any(child.is_dir() for child in in_folder(each)):
                _walk(finds, each, deeper - 1, seen)
            else:
                finds.leave_out(each, f"is not called PERSON_SESSION (sessions: {', '.join(SESSIONS)})")


def _take_up(finds: Finds, folder: Path, person: str, session: str) -> None:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    parts = {"*cv_camera*.avi": [path for path in files if path.suffix.lower() == ".avi" and "cv_camera" in path.name],
             "*cms50*.xml": [path for path in files if path.suffix.lower() == ".xml" and "cms50" in path.name],
             TIMER: [path for path in files if path.name == TIMER]}
    odd = [f"{'more than one' if found else 'no'} {name}" for name, found in parts.items() if len(found) != 1]
    if odd or any(recording.id == f"lgi {folder.name}" for recording in finds.recordings):
        finds.leave_out(folder, f"has {' and '.join(odd)}" if odd else "is there twice, and the other one is read")
        return
    video, pulse, timer = (found[0] for found in parts.values())
    finds.add(folder.name, person=person, fs=25.0, condition=SESSIONS[session], files=(video, pulse, timer),
              pictures=film(video, times_s=partial(times_of, timer)), reference=partial(reference, pulse, timer))


def times_of(timer: Path) -> np.ndarray:
    """Return when each picture was taken, in seconds from the first; the file has milliseconds."""
    return _stamps(timer)[0]


def _stamps(timer: Path) -> tuple[np.ndarray, int]:
    return picture_times(timer.name, _column(timer, _log(timer), "value1"))


def reference(path: Path, timer: Path) -> Reference:
    """Read the pulse, 60 values a second without time stamps, and set its end at the end of the video.

    The pulse's log is some seconds longer than the video. What it has before the first picture is dropped: pulse and
    video are taken to end together, as other readers do; the data set does not say so.
    """
    log = _log(path)
    wave = _column(path, log, "value2")
    pictures_s, wrong = _stamps(timer)
    end_s, lasts_s = float(pictures_s[-1]), len(wave) / PULSE_HZ
    if abs(lasts_s - end_s) > max(LEAST_APART_S, MOST_APART * end_s):
        raise ValueError(f"{path.name}: its {len(wave)} values last {lasts_s:.1f} s and the pictures {end_s:.1f} s, so "
                         f"how they belong together is not known. Copy both files again, or leave this recording out.")
    times = end_s + (np.arange(len(wave)) - len(wave)) / PULSE_HZ
    kept = times > -1 / PULSE_HZ
    notes = [f"{PULSE_HZ:g} Hz assumed, and that pulse and video end together: "
             + (f"the first {lasts_s - end_s:.2f} s of the pulse dropped" if lasts_s >= end_s else
                f"the pulse is {end_s - lasts_s:.2f} s shorter and begins late")]
    if wrong:
        notes.append(f"{wrong} of {len(pictures_s)} times of pictures did not increase: set between their neighbours")
    return in_order(path.name, times[kept], wave[kept], notes=(*notes, *_oddities(log)))


def _oddities(log: ElementTree.Element) -> list[str]:
    """Say what is wrong with the entries of the pulse's log: some without a pulse, a counter that jumps."""
    told = [entry for entry in log if entry.find("value2") is not None]
    counted = [(entry.findtext("value0") or "").strip() for entry in told]
    notes = [f"{len(log) - len(told)} of {len(log)} entries have no value2: left out"] if len(told) < len(log) else []
    if not all(word.isdecimal() and len(word) < 12 for word in counted):
        return [*notes, "not every value has a counter"]
    jumps = int((np.diff([int(word) for word in counted]) != 1).sum())
    return [*notes, f"the counter of values jumps {jumps} times: some may be lost"] if jumps else notes


class _DeclaredError(Exception):
    """A file says of what type it is; what entities it declares has not been looked at."""


class _Plain(ElementTree.TreeBuilder):
    """Stops at a declared type, whatever encoding hides it, before an entity can be declared in it."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise _DeclaredError


def _log(path: Path) -> ElementTree.Element:
    """Return the root of a log, unless it is too large to be one or declares what can be made to harm."""
    if path.stat().st_size > LARGEST_XML:
        raise ValueError(f"{path.name}: has {path.stat().st_size / 1e6:.0f} MB; a log of minutes has a few. "
                         f"Copy it again.")
    try:
        return ElementTree.fromstring(text_of(path), parser=ElementTree.XMLParser(target=_Plain()))
    except _DeclaredError:
        raise ValueError(f"{path.name}: declares a document type, which a log has no need of and whose entities can be "
                         f"made to harm. Get the file from the data set again.") from None
    except (ElementTree.ParseError, LookupError, RecursionError) as error:
        raise ValueError(f"{path.name}: is not XML ({' '.join(str(error).split())[:80]}). Copy it again.") from None


def _column(path: Path, log: ElementTree.Element, name: str) -> np.ndarray:
    """Return one number of each entry. Entries, too, are called ``value<number>``: only depth tells them apart."""
    words = [entry.findtext(name, "").strip() for entry in log if entry.find(name) is not None]
    if not words:
        raise ValueError(f"{path.name}: needs entries with a {name}, got {len(log)} entries and none with it. "
                         f"See whether it is the file that its name says.")
    return numbers(f"{path.name}, {name}", words)


DATASET = DataSet(
    name="lgi", title="LGI-PPGI", terms=TERMS, people=6, recordings=24,
    weighs="packed, 7.5 and 5.5 GB for the first two people; the rest not told",
    ask="https://github.com/partofthestars/LGI-PPGI-DB (its downloads are reported down)", place="LGI-PPGI",
    layout="alex/alex_gym/cv_camera_sensor_stream_handler.avi   or id1/alex/alex_gym/...\n"
           "alex/alex_gym/cms50_stream_handler.xml   value0 counter, value1 the device's rate, value2 pulse\n"
           f"alex/alex_gym/{TIMER}   value1 is the time of each picture in ms",
    list=listed,
    pitfalls=("25 people took part, and six were ever public",
              "the pulse has no time stamps and lasts seconds longer than the video: 60 Hz are assumed, and that both "
              "end together, so its first seconds are dropped; each label's notes say how many",
              "pictures come unevenly, about 25 a second: the time of each is read",
              "only the session on the ergometer lasts minutes; the others about one"))
