"""VIPL-HR: 107 people in nine scenarios before a webcam, a telephone and a RealSense; near infrared is left out."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...types import Reference, Terms
from .base import DataSet, Finds, Listing, film, in_order, natural, picture_times
from .texts import numbers, text_of

TERMS = Terms(licence="research only, after an agreement with the authors", cites="niu2018viplhr")
SCENARIOS = {"1": "stable", "2": "head motion", "3": "talking", "4": "other light (v4)", "5": "other light (v5)",
             "6": "1.5 m away", "7": "after exercise", "8": "hand-held", "9": "hand-held, head motion"}
CAMERAS = {"source1": ("webcam", 25.0), "source2": ("telephone", 30.0), "source3": ("RealSense", 30.0)}
PERSON, TAKE = re.compile(r"p\d{1,3}"), re.compile(r"v([1-9])(?:-(\d))?")
RECORDING = re.compile(r"p\d{1,3}/v[1-9]/source[1-4]\b")
WAVE_HZ = 60.0
"""Nominal rate of the sensor, a CONTEC CMS60C; ``wave.csv`` has no time stamps."""
RATES_HZ = (40.0, 80.0)
"""Rates that are believed where ``gt_HR.csv`` contradicts the nominal one."""
SLACK_S = 2.0
"""A count of seconds is that far from what it counts: 36 rows belong to a wave of 34.7 s."""
FAULTS = {"HR": (255,), "SpO2": (44, 127)}


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: ``pN/vK/sourceS/video.avi`` with ``wave.csv`` and, but for source2, ``time.txt``.

    ``Missing_data.txt``, which comes with the data set, says which recordings do not exist.
    """
    finds = Finds("vipl", folder, TERMS)
    inner = finds.folder / "data"
    top = inner if inner.is_dir() else finds.folder
    for packed in sorted(top.glob("*.zip"), key=lambda path: natural(path.name)):
        finds.leave_out(packed, "is packed; what is unpacked beside it is read")
    for person in finds.folders(top):
        if not PERSON.fullmatch(person.name):
            finds.leave_out(person, "is not called pN")
            continue
        for take in finds.folders(person):
            if not TAKE.fullmatch(take.name):
                finds.leave_out(take, "is not called vK or vK-2")
                continue
            for source in finds.folders(take):
                with finds.reading(source):
                    if why := _why_not(source):
                        finds.leave_out(source, why)
                    else:
                        _take_up(finds, person.name, take.name, source)
    _name_the_missing(finds, top)
    return finds.listing(example="p1/v1/source1/video.avi")


def _needed(source: Path) -> list[Path]:
    return [source / name for name in ("video.avi", "wave.csv", *(() if source.name == "source2" else ("time.txt",)))]


def _why_not(source: Path) -> str:
    if source.name == "source4":
        return "is near infrared, in which colours say nothing"
    if source.name not in CAMERAS:
        return "is not called source1 to source4"
    absent = [path.name for path in _needed(source) if not path.is_file()]
    return f"has no {' and no '.join(absent)}" if absent else ""


def _take_up(finds: Finds, person: str, take: str, source: Path) -> None:
    files = _needed(source)
    video, wave, times = (*files, None)[:3]
    scenario, again = TAKE.fullmatch(take).groups()
    camera, fs = CAMERAS[source.name]
    pictures = film(video, times_s=partial(times_of, times)) if times else film(video, fs=fs)
    finds.add(f"{person} {take} {source.name}", person=person, fs=fs, condition=f"{SCENARIOS[scenario]}, {camera}",
              pictures=pictures, reference=partial(reference, wave, times), files=tuple(files),
              facts={"scenario": SCENARIOS[scenario], "camera": camera, "take": int(again or 1)})


def _name_the_missing(finds: Finds, top: Path) -> None:
    """Name what should be there, in as few words as it takes: a person, a scenario, or one camera."""
    told = finds.folder / "Missing_data.txt"
    gaps = set(RECORDING.findall(text_of(told))) if told.is_file() else set()
    if not gaps:
        finds.notes.append(f"no Missing_data.txt names recordings: of the 107 that do not exist {len(KNOWN_GAPS)} are "
                           f"known without it, and others may be called missing")
    gaps |= set(KNOWN_GAPS)
    have = {"/".join(recording.id.split()[1:]) for recording in finds.recordings}
    have |= {each.what.removeprefix("data/") for each in finds.left_out}      # named already, with the reason
    for person in (f"p{number}" for number in range(1, 108)):
        if not (top / person).is_dir():
            finds.missing.append(person)
            continue
        for take in (f"v{number}" for number in range(1, 10)):
            due = [f"{person}/{take}/{source}" for source in (("source2",) if take in ("v8", "v9") else CAMERAS)]
            due = [path for path in due if path not in gaps]
            lost = [path for path in due if path not in have]
            finds.missing += [f"{person}/{take}"] if len(lost) == len(due) > 1 else lost


KNOWN_GAPS = (*(f"p{number}/v{take}/source1" for number in range(97, 108) for take in range(1, 8)),
              *(f"p56/v{take}/source{source}" for take in (6, 7) for source in (1, 2, 3, 4)),
              "p56/v8/source2", "p56/v9/source2", "p1/v7/source1")


def times_of(path: Path) -> np.ndarray:
    """Return when each picture was taken, in seconds from the first, from ``time.txt`` with its milliseconds."""
    return _stamps(path)[0]


def _stamps(path: Path) -> tuple[np.ndarray, int]:
    return picture_times(path.name, numbers(path.name, text_of(path).split()))


def device_values(path: Path, name: str) -> np.ndarray:
    """Return a column of one of the data set's files, one number to a line under its name; fault codes become NaN.

    Args:
        name: ``Wave``, ``HR`` or ``SpO2``: what the first line must say.
    """
    lines = [line.strip() for line in text_of(path).splitlines() if line.strip()]
    if not lines or lines[0].strip('"').lower() != name.lower():
        raise ValueError(f"{path.name}: needs {name!r} in its first line and one number in each other, got "
                         f"{lines[0][:30] if lines else ''!r}. Copy it again.")
    values = numbers(path.name, lines[1:])
    return np.where(np.isin(values, FAULTS.get(name, ())), np.nan, values)


def reference(path: Path, times: Path | None) -> Reference:
    """Read ``wave.csv``, whose values have no time stamps: it is taken to begin with the first picture.

    Args:
        times: ``time.txt`` of the pictures, if there is one.
    """
    wave = device_values(path, "Wave")
    rate, notes = _rate(path, len(wave))
    pictures_s, wrong = _stamps(times) if times else (None, 0)
    if pictures_s is None:
        notes.append(f"the video has no time stamps, and its container's are known to be wrong: "
                     f"{CAMERAS['source2'][1]:g} pictures a second are assumed")
    elif abs(len(wave) / rate - pictures_s[-1]) > max(SLACK_S, 0.05 * pictures_s[-1]):
        notes.append(f"the wave lasts {len(wave) / rate:.1f} s and the pictures {pictures_s[-1]:.1f} s: whether they "
                     f"begin together is doubtful")
    if wrong:
        notes.append(f"{wrong} of {len(pictures_s)} times of pictures did not increase: set between their neighbours")
    return in_order(path.name, np.arange(len(wave)) / rate, wave, notes=tuple(notes))


def _rate(path: Path, count: int) -> tuple[float, list[str]]:
    """Return the rate of the wave: the nominal one, unless the seconds counted in ``gt_HR.csv`` contradict it."""
    rate, seconds, notes = WAVE_HZ, "", []
    counts: dict[str, Any] = {name: device_values(beside, name) for name in FAULTS
                              if (beside := path.parent / f"gt_{name}.csv").is_file()}
    if len(counts.get("HR", ())):
        told = len(counts["HR"])
        seconds = f"; gt_HR.csv counts {told} s"
        if abs(count / WAVE_HZ - told) > max(SLACK_S, 0.03 * told):
            rate = count / told
            if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
                raise ValueError(f"{path.name}: has {count} values for the {told} s of gt_HR.csv, {rate:.1f} in a "
                                 f"second and not {WAVE_HZ:g}, so when they were taken is not known. Copy both files "
                                 f"again, or leave this recording out.")
    notes.append(f"the wave has no time stamps: {rate:.4g} Hz assumed, so that {count} values last "
                 f"{count / rate:.1f} s{seconds}")
    notes += [f"the device told no {name} in {lost} of {len(values)} s" for name, values in counts.items()
              if (lost := int(np.isnan(values).sum()))]
    return rate, notes


DATASET = DataSet(
    name="vipl", title="VIPL-HR, version 1", terms=TERMS, people=107, recordings=2378,
    weighs="about 49 GB packed in 21 archives",
    ask="http://vipl.ict.ac.cn/view_database.php?id=15 (an agreement is signed)", place="VIPL-HR",
    layout="p1/v1/source1/video.avi, wave.csv, time.txt, gt_HR.csv, gt_SpO2.csv   source2 has no time.txt\n"
           "p16/v1-2/source1/...   second takes\nMissing_data.txt   what does not exist",
    list=listed,
    pitfalls=("all containers say 25 pictures a second, and real rates lie between 16 and 30: time.txt is used; the "
              "telephone (source2) has none, and 30 are assumed",
              "wave.csv has no time stamps: 60 Hz are assumed, or what the seconds counted in gt_HR.csv say where they "
              "contradict it; other readers assume 50 Hz, or stretch the wave to the video",
              "that wave and pictures begin together is assumed, too: reports of shifts were never answered, so see "
              "the lag that 'rppg data check' measures",
              "the telephone's recordings are takes of their own, with their own wave",
              "v4 and v5 are the dark and the bright room; sources do not agree which is which",
              "fault codes (rate 255, oxygen 44 and 127) are counted in the notes; the wave has none that is known",
              "752 videos of source4 are near infrared and left out; protocols often leave out v2 and v9, too",
              "107 recordings do not exist: p97 to p107 have no source1, v8 and v9 only source2, p56 no v6 to v9",
              "pictures are cut to the face already"))
