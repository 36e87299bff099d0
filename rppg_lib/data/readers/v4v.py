"""V4V: 179 people in tasks that move them; the label is blood pressure, of which only the training part has any."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ...types import Reference, Terms
from .base import DataSet, Finds, Listing, film, in_order, natural
from .texts import numbers, text_of

TERMS = Terms(licence="research only, after an agreement with Binghamton University", cites="revanur2021v4v")
VIDEO = re.compile(r"([FM]\d{3})[_-](T\d{1,2})\.mkv")
PRESSURE = re.compile(r"([FM]\d{3})[_-](T\d{1,2})-BP\.txt|([FM]\d{3})-(T\d{1,2})\.txt")
"""As released with the training videos, and, later, with the others."""
PARTS = {"train": "train", "val": "validation", "test": "test"}
PRESSURE_HZ = 1000.0
DEEPEST = 4
MOST_IMPOSSIBLE = 0.5
"""Share of values of 0 mmHg or less from which on a file is no blood pressure."""


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: videos ``F001_T1.mkv``, and ``F001-T1-BP.txt``, in whatever folders they lie."""
    finds = Finds("v4v", folder, TERMS)
    videos, pressures = {}, {}
    for path in _files(finds, finds.folder, DEEPEST, set()):
        for shape, known in ((VIDEO, videos), (PRESSURE, pressures)):
            if found := shape.fullmatch(path.name):
                key = "_".join(word for word in found.groups() if word)
                if key in known:
                    finds.leave_out(path, f"is there twice, and {finds.short(known[key])} is read")
                else:
                    known[key] = path
        if path.suffix == ".mkv" and not VIDEO.fullmatch(path.name):
            finds.leave_out(path, "is not called as F001_T1.mkv")
    for key, video in videos.items():
        part, (person, task) = _part(finds.short(video)), key.split("_")
        truth = pressures.pop(key, None)
        if truth is None:
            finds.leave_out(video, f"has no {key.replace('_', '-')}-BP.txt anywhere; parts but the training one were "
                                   f"released without")
            continue
        finds.add(key, person=person, fs=25.0, condition=f"task {task[1:]}", facts={"task": task, "part": part},
                  pictures=film(video), reference=partial(reference, truth), files=(video, truth))
    for path in pressures.values():
        finds.leave_out(path, "has no video")
    finds.notes.append("which recordings belong to a whole copy is not told, so that none is called missing")
    return finds.listing(example="train/video/F001_T1.mkv with train/signal/F001-T1-BP.txt")


def _files(finds: Finds, folder: Path, deeper: int, seen: set[Path]) -> Iterator[Path]:
    """Yield the files below a folder, some levels deep, and those of no folder twice, whatever links lead to it."""
    if folder.resolve() in seen:
        return
    seen.add(folder.resolve())
    files: list[Path] = []
    with finds.reading(folder):
        files = sorted((path for path in folder.iterdir() if path.is_file()), key=lambda path: natural(path.name))
    yield from files
    if deeper:
        for each in finds.folders(folder):
            yield from _files(finds, each, deeper - 1, seen)


def _part(place: str) -> str:
    """Return which part of the data set a video belongs to, from the nearest folder that says so.

    >>> _part("Phase 1_ Training_Validation sets/Videos/train-001_of_002/F001_T1.mkv")
    'train'
    """
    for name in reversed(place.lower().split("/")[:-1]):
        for start, part in PARTS.items():
            if name.startswith(start):
                return part
    return "not told"


def reference(path: Path) -> Reference:
    """Read blood pressure, a value to a line and a thousand a second, beginning with the video."""
    wave = numbers(path.name, text_of(path).split())
    impossible = ~(wave > 0)
    if not len(wave) or impossible.mean() > MOST_IMPOSSIBLE:
        raise ValueError(f"{path.name}: needs blood pressure in mmHg, above 0, got {int(impossible.sum())} of "
                         f"{len(wave)} values that are not. Copy it again, or leave this recording out.")
    notes = ("blood pressure, not a contact PPG: its shape, and by how much it is ahead of the skin's colour, differ",
             f"no time stamps: {PRESSURE_HZ:g} Hz assumed, from the first picture on")
    if impossible.any():
        notes += (f"{int(impossible.sum())} of {len(wave)} values left out: no blood pressure is 0 mmHg or less",)
    return in_order(path.name, np.arange(len(wave)) / PRESSURE_HZ, np.where(impossible, np.nan, wave), notes=notes)


DATASET = DataSet(
    name="v4v", title="V4V, Vision for Vitals", terms=TERMS, people=179, recordings=1358, weighs="not told",
    ask="https://vision4vitals.github.io/v4v_dataset.html (an agreement is signed)", place="V4V",
    layout="train/video/F001_T1.mkv   or as released: Phase 1_.../Videos/train.../F001_T1.mkv\n"
           "train/signal/F001-T1-BP.txt   one value in mmHg to a line, 1000 a second",
    list=listed,
    pitfalls=("the label is blood pressure at a finger, not PPG: rates can be compared, shapes and delays cannot",
              "parts for validation and test came without it, and those videos are left out; where it was released "
              "later, as F001-T1.txt, it is read",
              "videos have '_' in their names, labels '-': both are taken for the same",
              "pressure of 0 mmHg or less is a fault of the cuff, and left out",
              "labels of F001 are turned upside down in a public reader; why is not told, and they are left as they "
              "are: see what 'rppg data check' says of them"))
