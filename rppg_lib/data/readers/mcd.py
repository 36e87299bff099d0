"""MCD-rPPG: 600 people before and after exercise, seen by three cameras; pictures and pulse have time stamps."""

from __future__ import annotations

import csv
import re
from functools import partial
from pathlib import Path

import numpy as np

from ...types import Reference, Terms
from .base import MOST_REPAIRED, DataSet, Finds, Listing, film, in_order, natural
from .texts import numbers, text_of

TERMS = Terms(licence="CC BY 4.0, as its page says", cites="egorov2025mcd",
              note="the licence is the files'; what those who were filmed agreed to is not told: ask before a face is "
                   "shown or a file is passed on")
NAME = re.compile(r"(\d+)_(FullHDwebcam|USBVideo|IriunWebcam)_(before|after)\.avi")
CAMERAS = {"FullHDwebcam": 30.0, "USBVideo": 30.0, "IriunWebcam": 24.0}     # nominal pictures a second
STEPS = {"before": "rest", "after": "after exercise"}
FACTS = ("age", "sex", "bmi", "pulse")
LINE = re.compile(r"\s*([+-]?\d{1,12}(?:\.\d{1,9})?)\s+(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?)\s*")
POINTER = 1024                           # bytes: a video has millions, what Git LFS leaves in its place a hundred
FAR_S = 0.1
"""Values in ``ppg_sync`` that are farther than this from their picture count as missing."""
READ = ("video", "ppg", "ppg_sync", "meta", "db.csv")


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: ``video/ID_CAMERA_STEP.avi``, with ``meta`` and ``ppg`` or ``ppg_sync``."""
    finds = Finds("mcd", folder, TERMS)
    videos = finds.folder / "video"
    told = _told(finds.folder / "db.csv", finds)
    for video in sorted(videos.iterdir(), key=lambda path: natural(path.name)) if videos.is_dir() else ():
        with finds.reading(video):
            found = NAME.fullmatch(video.name)
            if not found or not video.is_file():
                if not video.name.startswith("."):
                    finds.leave_out(video, "is not called <number>_<camera>_<before or after>.avi")
                continue
            person, camera, step = found.groups()
            meta = finds.folder / "meta" / f"{video.stem}.txt"
            raw, synced = finds.folder / "ppg" / f"{person}_{step}.PW", finds.folder / "ppg_sync" / f"{video.stem}.txt"
            labels = tuple(path for path in (raw, synced) if path.is_file())
            if video.stat().st_size <= POINTER:
                finds.leave_out(video, f"has {video.stat().st_size} bytes: a pointer of Git LFS, fetch the "
                                       f"video itself")
            elif not meta.is_file():
                finds.leave_out(video, f"has no meta/{meta.name}, the times of its pictures")
            elif not labels:
                finds.leave_out(video, f"has neither ppg/{raw.name} nor ppg_sync/{synced.name}")
            else:
                finds.add(video.stem, person=person, fs=CAMERAS[camera], condition=f"{STEPS[step]}, {camera}",
                          pictures=film(video, times_s=partial(picture_times, meta)),
                          reference=partial(reference, raw if raw in labels else None,
                                            synced if synced in labels else None, meta),
                          facts={"camera": camera, "step": step, **told.get(video.stem, {})},
                          files=(video, meta, *labels))
    for child in finds.folder.iterdir():
        if child.name not in READ and not child.name.startswith("."):
            finds.leave_out(child, "electrocardiograms, no pulse wave" if child.name == "ecg" else "is not used")
    have = {recording.id.split()[-1] for recording in finds.recordings}
    finds.missing += sorted(set(told) - have, key=natural)
    return finds.listing(example="video/1020_FullHDwebcam_before.avi")


def _told(path: Path, finds: Finds) -> dict[str, dict[str, str]]:
    """Return what ``db.csv`` tells of each recording, by name; paths in it are not followed."""
    if not path.is_file():
        finds.notes.append("there is no db.csv: what is missing, and who is how old, is not told")
        return {}
    try:
        rows = list(csv.DictReader(text_of(path).splitlines()))
        return {"_".join(str(row[key]).strip() for key in ("patient_id", "camera", "step")):
                {key: row[key].strip() for key in FACTS if row.get(key)} for row in rows}
    except (KeyError, csv.Error, ValueError) as error:
        finds.notes.append(f"db.csv could not be used: {type(error).__name__}: {str(error)[:80]}")
        return {}


def stamped(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read lines of a number and a date: return the numbers, and the dates in microseconds since 1970."""
    lines = [line for line in text_of(path).splitlines() if line.strip()]
    found = [LINE.fullmatch(line) for line in lines]
    if len(lines) < 2 or not all(found):
        shown = next((repr(line[:50]) for line, match in zip(lines, found) if not match), f"{len(lines)} lines")
        raise ValueError(f"{path.name}: needs lines of a number, a date and a time, got {shown}. Copy it again.")
    try:
        dates = np.array([match[2] for match in found], dtype="datetime64[us]")
    except ValueError as error:
        raise ValueError(f"{path.name}: holds a date that does not exist ({str(error)[:60]}). Copy it again.") from None
    return numbers(path.name, [match[1] for match in found]), dates.astype(np.int64)


def picture_clock(path: Path) -> tuple[np.ndarray, int, int]:
    """Read when each picture was taken.

    The file counts pictures from 0 or 1. Where it leaves out a few, or a few of its times do not increase, they are put
    evenly between those before and after.

    Returns:
        Seconds from the first picture on, when that was in microseconds since 1970, and how many times were put in.
    """
    counts, dates = stamped(path)
    first, last = counts[[0, -1]]
    good = np.ones(len(counts), bool)
    highest = np.maximum.accumulate(dates)
    good[1:] = dates[1:] > highest[:-1]
    size = last - first + 1
    repaired = int(size - good.sum())
    if first not in (0, 1) or (np.diff(counts) < 1).any() or (counts % 1).any() or \
            repaired > max(2, MOST_REPAIRED * size) or good.sum() < 2:
        raise ValueError(f"{path.name}: needs pictures counted from 1 at increasing times, got numbers {first:g} to "
                         f"{last:g} in {len(counts)} lines, {int((~good).sum())} of them not later than before. "
                         f"Copy it again.")
    known, times = counts[good], (dates[good] - dates[0]) * 1e-6
    if not good[-1]:                     # nothing after it to lie between
        times = np.append(times, times[-1] + (last - known[-1]) * np.median(np.diff(times)))
        known = np.append(known, last)
    return np.interp(np.arange(size) + first, known, times), int(dates[0]), repaired


def picture_times(path: Path) -> np.ndarray:
    """Return when each picture was taken, in seconds from the first on."""
    return picture_clock(path)[0]


def reference(raw: Path | None, synced: Path | None, meta: Path) -> Reference:
    """Read the pulse: as the sensor gave it, by its own dates, or else as it was laid beside the pictures."""
    times, start_us, repaired = picture_clock(meta)
    notes = (f"{repaired} of {len(times)} times of pictures were put between others",) if repaired else ()
    if raw is not None:
        try:
            wave, dates = stamped(raw)
            label = in_order(raw.name, (dates - start_us) * 1e-6, wave, notes=notes)
            _together(raw.name, label, times)
            return label
        except ValueError as error:
            if synced is None:
                raise
            notes += (f"ppg_sync was read, for {str(error)[:150]}",)
    table = [line.split() for line in text_of(synced).splitlines() if line.strip()]
    if not table or any(len(row) != 2 for row in table):
        raise ValueError(f"{synced.name}: needs lines of a value and how far from its picture it was taken. "
                         f"Copy it again.")
    wave, far_s = (numbers(synced.name, [row[place] for row in table]) for place in (0, 1))
    if abs(len(wave) - len(times)) > max(2, MOST_REPAIRED * len(times)):
        raise ValueError(f"{synced.name}: has {len(wave)} values, and {meta.name} {len(times)} pictures; there is one "
                         f"for each. Copy both again.")
    count = min(len(wave), len(times))
    bad = ~(np.abs(far_s[:count]) <= FAR_S)
    away_ms = np.abs(far_s[:count][~bad]).max(initial=0) * 1e3
    notes += (f"values were laid beside pictures, at most {away_ms:.3g} ms away",)
    if len(wave) != len(times):
        notes += (f"{len(wave)} values and {len(times)} pictures: put side by side from the first on",)
    if bad.any():
        notes += (f"{int(bad.sum())} of {count} values count as missing: farther than {FAR_S:g} s from their picture",)
    return in_order(synced.name, times[:count], np.where(bad, np.nan, wave[:count]), notes=notes)


def _together(who: str, label: Reference, times: np.ndarray) -> None:
    """Refuse a label that does not cover at least half of the pictures' time."""
    first_s, last_s = label.times_s[[0, -1]]
    if min(last_s, times[-1]) - max(first_s, 0.0) < times[-1] / 2:
        raise ValueError(f"{who}: its dates lie {first_s:.1f} to {last_s:.1f} s after the first picture, and the "
                         f"pictures end at {times[-1]:.1f} s. See whether they belong together.")


DATASET = DataSet(
    name="mcd", title="MCD-rPPG", terms=TERMS, people=600, recordings=3600, weighs="about 135 GB",
    ask="https://huggingface.co/datasets/kyegorov/mcd_rppg", place="mcd_rppg",
    layout="video/1020_FullHDwebcam_before.avi      also USBVideo, IriunWebcam; also after\n"
           "meta/1020_FullHDwebcam_before.txt       number of each picture, and when it was taken\n"
           "ppg/1020_before.PW                      the sensor's values, about 100 a second, and when\n"
           "ppg_sync/1020_FullHDwebcam_before.txt   instead of ppg: one value for each picture\n"
           "db.csv                                  optional: age, sex and what else was measured",
    list=listed,
    pitfalls=("the rate in the video's header is not the camera's (29.90 for 29.99): times come from meta",
              "the second column of ppg_sync is no time, but how far from its picture a value was taken",
              "before and after, and all three cameras, are one person: splits keep them together",
              "a video that was not fetched is a pointer of a hundred bytes: left out, and named"))
