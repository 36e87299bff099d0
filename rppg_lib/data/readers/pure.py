"""PURE: 10 people in six tasks, pictures named after the nanosecond they were taken in."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

from ...types import Reference, Terms
from .base import DataSet, Finds, Listing, film, in_order
from .texts import text_of

TERMS = Terms(licence="research only, after an agreement with TU Ilmenau", cites="stricker2014pure")
TASKS = {"01": "steady", "02": "talking", "03": "slow translation", "04": "fast translation", "05": "small rotation",
         "06": "medium rotation"}
NAME = re.compile(r"(\d\d)-(\d\d)")
STAMP = re.compile(r"\D*(\d{16,20})\.png")


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: ``SS-TT/SS-TT.json`` with pictures in ``SS-TT/SS-TT`` or beside it."""
    finds = Finds("pure", folder, TERMS)
    for each in finds.folders():
        with finds.reading(each):
            found = NAME.fullmatch(each.name)
            if not found or found[2] not in TASKS:
                finds.leave_out(each, "is not called SS-TT, number of the person and of the task (01 to 06)")
                continue
            truth = next((path for path in (each / f"{each.name}.json", finds.folder / f"{each.name}.json")
                          if path.is_file()), None)
            pictures = each / each.name if (each / each.name).is_dir() else each
            if truth is None:
                finds.leave_out(each, f"has no {each.name}.json, neither in it nor beside it")
                continue
            if not any(path.suffix.lower() == ".png" for path in pictures.iterdir()):
                finds.leave_out(each, "has no PNG pictures")
                continue
            finds.add(each.name, person=found[1], fs=30.0, condition=TASKS[found[2]], pictures=film(pictures),
                      reference=partial(reference, truth, pictures), files=(pictures, truth))
    have = {recording.id.split()[-1] for recording in finds.recordings}
    every = [f"{person:02d}-{task}" for person in range(1, 11) for task in TASKS]
    finds.missing += [name for name in every if name not in have | {"06-02"}]
    return finds.listing(example="01-01/01-01.json")


def reference(path: Path, pictures: Path) -> Reference:
    """Read the pulse by its own time stamps, on the clock of the pictures: 0 is when the first was taken."""
    stamps = [int(found[1]) for each in pictures.iterdir() if (found := STAMP.fullmatch(each.name))]
    if not stamps:
        raise ValueError(f"{pictures.name}: has no pictures called Image<nanoseconds>.png, so the pulse in {path.name} "
                         f"cannot be set beside them. Unpack the data set again, with its names.")
    first = min(stamps)
    try:
        package = json.loads(text_of(path))["/FullPackage"]
        times = [(int(row["Timestamp"]) - first) * 1e-9 for row in package]      # whole numbers until they are small
        wave = [float(row["Value"]["waveform"]) for row in package]
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path.name}: is not JSON ({str(error)[:80]}). Copy it again.") from None
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ValueError(f"{path.name}: needs /FullPackage, a list of Timestamp and Value.waveform; "
                         f"{type(error).__name__}: {str(error)[:60]}. Copy it again.") from None
    return in_order(path.name, times, wave)


DATASET = DataSet(
    name="pure", title="PURE", terms=TERMS, people=10, recordings=59,
    weighs="not told; about 106,000 PNG pictures of 640 x 480",
    ask="https://www.tu-ilmenau.de/neurob/data-sets-code/pulse-rate-detection-dataset-pure (an agreement is signed)",
    place="PURE", layout="01-01/01-01/Image<nanoseconds>.png\n01-01/01-01.json   or 01-01.json beside the folder",
    list=listed,
    pitfalls=("the times of pulse and pictures never agree: both are read, and the pulse is put at the pictures' times",
              "06-02 does not exist"))
