"""iBVP: 31 people in four tasks, pictures as BMP, pulse at the ear with marks for its quality."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ...types import Reference, Terms
from .base import DataSet, Finds, Listing, film, in_order, natural, pictures_in
from .texts import Table

TERMS = Terms(licence="academic research only, after a signed agreement with the authors", cites="joshi2024ibvp")
TASKS = {"a": "slow breathing and rest", "b": "easy arithmetic", "c": "hard arithmetic", "d": "head movement"}
PEOPLE = 31
NAME = re.compile(r"(p\d\d)_([a-d])")
STAMP = re.compile(r"(?:.*\D)?(\d{1,20})\.bmp", re.IGNORECASE)
FS = 30.0
UNITS = {"milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}
WORST = 0.3                              # a mark of SQ2 up to here: the authors' loader does not use the value
FEW = 2                                  # pictures more or less than values, where there is one for each
DRIFT = 0.03                             # share by which 30 a second may be missed, where there is not


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: ``pNN_x/pNN_x_rgb/*.bmp`` and ``pNN_x/pNN_x_bvp.csv``."""
    finds, thermal = Finds("ibvp", folder, TERMS), 0
    for each in finds.folders():
        with finds.reading(each):
            found = NAME.fullmatch(each.name)
            if not found:
                finds.leave_out(each, "is not called pNN_x, number of the person and task (a to d)")
                continue
            pictures, truth = each / f"{each.name}_rgb", each / f"{each.name}_bvp.csv"
            thermal += (each / f"{each.name}_t").is_dir()
            if not pictures.is_dir() or not truth.is_file():
                finds.leave_out(each, f"has no {truth.name if pictures.is_dir() else pictures.name}")
                continue
            if not any(name.lower().endswith(".bmp") for name in pictures_in(pictures)):
                finds.leave_out(each, f"has no BMP pictures in {pictures.name}")
                continue
            finds.add(each.name, person=found[1], fs=FS, condition=TASKS[found[2]], pictures=partial(played, pictures),
                      reference=partial(reference, truth, pictures), files=(pictures, truth))
    if thermal:
        finds.leave_out(finds.folder / "p*/p*_t", f"{thermal} folders: heat, not colour")
    have = {recording.id.split()[-1] for recording in finds.recordings}
    people = sorted({name.split("_")[0] for name in have})
    finds.missing += [f"{person}_{task}" for person in people for task in TASKS if f"{person}_{task}" not in have]
    if len(people) < PEOPLE:
        finds.notes.append(f"{len(people)} of {PEOPLE} people are here; which numbers the others have is not told")
    return finds.listing(example="p01_a/p01_a_rgb/<picture>.bmp")


def picture_times(pictures: Path) -> tuple[np.ndarray, str]:
    """Return when each picture was taken, in the order of their names, and how that is known."""
    names = sorted(pictures_in(pictures), key=natural)
    found = [STAMP.fullmatch(name) for name in names]
    if len(names) < 2 or not all(found):
        raise ValueError(f"{pictures.name}: needs two pictures at least, all called <something><number>.bmp, got "
                         f"{len(names)} pictures. Unpack the data set again, with its names.")
    stamps = [int(match[1]) for match in found]
    steps = np.array([after - before for before, after in zip(stamps, stamps[1:])], dtype=float)
    if (steps <= 0).any():
        raise ValueError(f"{pictures.name}: the numbers in its pictures' names do not increase in their order. "
                         f"Unpack the data set again, with its names.")
    if np.median(steps) == 1:
        counts = np.array([stamp - stamps[0] for stamp in stamps], dtype=float)
        return counts / FS, f"the names only count the pictures: {FS:g} a second are assumed"
    for unit, size in UNITS.items():
        if FS / 2 <= 1 / (np.median(steps) * size) <= 2 * FS:
            times = np.array([(stamp - stamps[0]) * size for stamp in stamps])
            return times, f"pictures are set by the {unit} in their names, {(len(times) - 1) / times[-1]:.2f} a second"
    raise ValueError(f"{pictures.name}: the numbers in its pictures' names differ by {np.median(steps):g}, which is "
                     f"neither a count nor the time between pictures at {FS:g} a second. Unpack it again with them.")


def played(pictures: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Yield each picture and its time; one that cannot be decoded leaves its place in time empty."""
    times, _ = picture_times(pictures)
    for image, time_s in film(pictures, fs=FS)():
        yield image, float(times[round(time_s * FS)])


def reference(path: Path, pictures: Path) -> Reference:
    """Read the pulse on the clock of the pictures; values marked as bad are NaN, and no time is cut out."""
    table = Table(path)
    if "bvp" not in table.names:
        raise ValueError(f"{path.name}: needs a header with BVP, got {', '.join(table.names)[:80]}. Copy it again.")
    times, how = picture_times(pictures)
    notes = [how]
    wave = table.numbers("bvp", notes)
    if abs(len(wave) - len(times)) <= FEW:
        if len(wave) != len(times):
            notes.append(f"{len(wave)} values and {len(times)} pictures: put side by side from the first on")
        at = times[:len(wave)]
    else:
        seconds = times[-1] + 1 / FS
        if abs(len(wave) / seconds - FS) > DRIFT * FS:
            raise ValueError(f"{path.name}: has {len(wave)} values for {len(times)} pictures in {seconds:.1f} s, not "
                             f"one each and not {FS:g} a second, so their times are not known. Copy both again.")
        notes.append(f"{len(wave)} values and {len(times)} pictures in {seconds:.1f} s: {FS:g} values a second are "
                     f"assumed, from the first picture on")
        at = np.arange(len(wave)) / FS
    if "sq2" in table.names:
        marks = table.numbers("sq2", notes)
        if bad := int((marks <= WORST).sum()):
            notes.append(f"{bad} of {len(wave)} values are marked as bad (SQ2 up to {WORST:g}) and taken as missing")
        wave = np.where(marks <= WORST, np.nan, wave)
    else:
        notes.append("no column SQ2: bad values are not marked")
    label = in_order(path.name, at, wave[:len(at)])
    return Reference(wave=label.wave, times_s=label.times_s, notes=(*notes, *label.notes))


DATASET = DataSet(
    name="ibvp", title="iBVP", terms=TERMS, people=PEOPLE, recordings=124, weighs="about 400 GB",
    ask="https://github.com/PhysiologicAILab/iBVP-Dataset (an agreement is signed)", place="iBVP_Dataset",
    layout="p01_a/p01_a_rgb/<picture>.bmp   tasks a to d\n"
           "p01_a/p01_a_bvp.csv             header BVP, SQPhysMD, SQ1, SQ2, Perfusion; one line for each value",
    list=listed,
    pitfalls=("the label has no times: one value for each picture, or 30 a second, whichever the counts allow, or it "
              "is refused",
              "what the pictures' names tell of time is found out from their steps, and noted",
              "rPPG-Toolbox deletes pictures where SQ2 is 0.3 or less, which splices time; here the label is "
              "missing there",
              "pictures of heat (.raw) are not read"))
