"""MMPD: 33 people filmed with a phone in four lights and five tasks; a MATLAB file each, pictures and pulse in it."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from ...types import Reference, Terms
from .arrays_file import Worker, beside_pictures, clip_of, read_arrays
from .base import DataSet, Finds, Listing, natural

TERMS = Terms(licence="academic use only, after a letter of commitment to the authors", cites="tang2023mmpd")
FS = 30.0
PERSON, NAME = re.compile(r"subject(\d{1,3})"), re.compile(r"p(\d{1,3})_(\d{1,2})\.mat")
AFTER = "Stationary (after exercise)"
TASKS = (*((light, motion) for light in ("LED-low", "LED-high", "Incandescent")
           for motion in ("Stationary", "Rotation", "Talking", "Walking")),
         ("Incandescent", AFTER), ("LED-high", AFTER), ("LED-low", AFTER), ("Nature", AFTER),
         *(("Nature", motion) for motion in ("Stationary", "Rotation", "Talking", "Walking")))
"""Light and motion of a person's files 0 to 19, by the procedure and the list of labels that the authors publish."""
SKIN = "443333563453566643333353363536533"
"""Fitzpatrick skin type of persons 1 to 33, by the same list."""
LABELS = ("light", "motion", "skin_color")


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: ``subjectN/pN_K.mat``, K from 0 to 19."""
    finds = Finds("mmpd", folder, TERMS)
    for each in finds.folders():
        with finds.reading(each):
            person = PERSON.fullmatch(each.name)
            if not person:
                finds.leave_out(each, "is not called subjectN")
                continue
            for path in sorted((path for path in each.iterdir() if not path.name.startswith(".")),
                               key=lambda path: natural(path.name)):
                found = NAME.fullmatch(path.name)
                if not found or int(found[1]) != int(person[1]) or int(found[2]) >= len(TASKS) or not path.is_file():
                    finds.leave_out(path, f"is not called p{person[1]}_K.mat, K from 0 to {len(TASKS) - 1}")
                    continue
                facts = _expected(int(found[1]), int(found[2]))
                skin = f", skin {facts['skin_type']}" if "skin_type" in facts else ""
                finds.add(path.stem, person=person[1], fs=FS, facts=facts, files=(path,),
                          condition=f"{facts['light']}, {facts['motion']}{skin}",
                          pictures=partial(clip_of, path, ("video",), FS), reference=partial(reference, path))
    have = {recording.id.split()[-1] for recording in finds.recordings}
    finds.missing += [name for person in range(1, len(SKIN) + 1) for name in
                      (f"p{person}_{task}" for task in range(len(TASKS))) if name not in have]
    return finds.listing(example="subject1/p1_0.mat")


def _expected(person: int, task: int) -> dict[str, Any]:
    light, motion = TASKS[task]
    known = {"skin_type": int(SKIN[person - 1])} if 0 < person <= len(SKIN) else {}
    return {"light": light, "motion": motion, **known}


def reference(path: Path, *, worker: Worker | None = None) -> Reference:
    """Read the pulse, one value for each picture; notes say where the file's own words differ from the lists."""
    held = read_arrays(path, ("GT_ppg",), optional=LABELS, worker=worker)
    shape = held.shapes.get("video", ())
    if len(shape) != 4:
        raise ValueError(f"{path.name}: needs video as (time, height, width, 3) beside the pulse, "
                         f"got {shape or 'none'}. Copy it again.")
    return beside_pictures(path.name, held.values["GT_ppg"], pictures=shape[0], fs=FS,
                           notes=_differing(path, held.values))


def _differing(path: Path, told: dict[str, Any]) -> tuple[str, ...]:
    found = NAME.fullmatch(path.name)
    if not found or int(found[2]) >= len(TASKS):
        return ()
    expected, notes = _expected(int(found[1]), int(found[2])), []
    for name, key in (("light", "light"), ("motion", "motion"), ("skin_color", "skin_type")):
        if name not in told or key not in expected:
            continue
        value = told[name] if isinstance(told[name], str) else f"{told[name].flat[0]:g}" if told[name].size else ""
        if value != str(expected[key]):
            notes.append(f"the file says {name} {value[:40]!r}, the published list {str(expected[key])!r}")
    return tuple(notes)


DATASET = DataSet(
    name="mmpd", title="MMPD", terms=TERMS, people=33, recordings=660,
    weighs="370 GB (320 x 240); the mini version, 80 x 60, 48 GB",
    ask="https://github.com/McJackTang/MMPD_rPPG_dataset (a letter of commitment is signed)",
    place="MMPD", layout="subject1/p1_0.mat ... p1_19.mat   video (time, height, width, 3) from 0 to 1, GT_ppg, labels",
    list=listed,
    pitfalls=("no times are told: pictures and pulse are taken to have 30 values a second, as published",
              "pictures of 1280 x 720 were squeezed to 320 x 240, so faces are a quarter too narrow; they are left so",
              "the description calls the axes (time, width, height, colour); the height comes first, and is read so",
              "files of some copies say motion 'Watching Videos' where the person walked: light, motion and skin are "
              "taken from the published list, and a note says where the file differs",
              "p24_0 has the labels of another person by the published list: a note says so",
              "files 0 to 19 of a person may share all labels: recordings are told apart by their number",
              "a clip has 1.7 GB of figures: 0.5 GB of memory are needed while it is read"))
