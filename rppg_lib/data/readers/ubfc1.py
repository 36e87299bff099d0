"""UBFC-rPPG, DATASET_1: eight people who sit still; contact pulse with times in a file that only looks like XMP."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np

from ...types import Reference, Terms
from .base import DataSet, Finds, Listing, film, in_order
from .texts import numbers, text_of

TERMS = Terms(licence="research only, after a request to the authors", cites="bobbia2019ubfc")
NAMES = (*(f"{number}-gt" for number in (5, 6, 7, 8, 10, 11, 12)), "after-exercise")
NAME = re.compile(r"(\d+)-gt|(after-exercise)")
COLUMNS = 4
STEPS_S = (0.005, 0.1)
LATEST_S = 5.0
"""Times that begin later than that do not begin with the video."""


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: ``N-gt`` or ``after-exercise`` with ``vid*.avi`` and ``gtdump.xmp``."""
    finds = Finds("ubfc1", folder, TERMS)
    for each in finds.folders():
        with finds.reading(each):
            found = NAME.fullmatch(each.name)
            if not found:
                finds.leave_out(each, "is not called N-gt or after-exercise")
                continue
            truth = each / "gtdump.xmp"
            videos = sorted(path for path in each.iterdir()
                            if path.suffix.lower() == ".avi" and path.name.lower().startswith("vid") and path.is_file())
            if not truth.is_file() or len(videos) != 1:
                more = f"has more than one video: {', '.join(path.name for path in videos)[:80]}"
                finds.leave_out(each, "has no gtdump.xmp" if not truth.is_file() else more if videos else
                                "has no vid*.avi")
                continue
            finds.add(found[1] or found[2], person=found[1] or found[2], fs=28.67, pictures=film(videos[0]),
                      condition="after exercise" if found[2] else "sitting still", reference=partial(reference, truth),
                      files=(videos[0], truth))
    have = {recording.id.split()[-1] for recording in finds.recordings}
    finds.missing += [name for name in NAMES if name.removesuffix("-gt") not in have]
    return finds.listing(example="5-gt/gtdump.xmp with 5-gt/vid.avi")


def reference(path: Path) -> Reference:
    """Read times (the first of four columns, milliseconds) and pulse (the last) from ``gtdump.xmp``."""
    rows = [[word.strip() for word in line.rstrip(", \r").split(",")] for line in text_of(path).splitlines()
            if line.strip()]
    odd = next((place for place, row in enumerate(rows) if len(row) != COLUMNS), None)
    if odd is not None:
        raise ValueError(f"{path.name}: needs {COLUMNS} numbers with commas between in each line (time, rate, oxygen, "
                         f"pulse), got {len(rows[odd])} in line {odd + 1}. Copy it again.")
    times = numbers(f"{path.name}, times", [row[0] for row in rows]) / 1e3
    label = in_order(path.name, times, numbers(f"{path.name}, pulse", [row[-1] for row in rows]))
    step = float(np.median(np.diff(label.times_s)))
    if not STEPS_S[0] <= step <= STEPS_S[1] or not abs(label.times_s[0]) <= LATEST_S:
        raise ValueError(f"{path.name}: needs milliseconds from the beginning of the video, about 16 from value to "
                         f"value, got {1e3 * step:g} from {1e3 * label.times_s[0]:g} on. See whether it is this data "
                         f"set's.")
    return label


DATASET = DataSet(
    name="ubfc1", title="UBFC-rPPG, DATASET_1", terms=TERMS, people=8, recordings=8,
    weighs="not told; videos are raw, about 1.6 GB a minute",
    ask="https://sites.google.com/view/ybenezeth/ubfcrppg (a folder shared by the authors)",
    place="UBFC-rPPG/DATASET_1",
    layout="5-gt/vid.avi   or vid-12.avi, vid-007.avi\n"
           "5-gt/gtdump.xmp   no XMP: lines of time in ms, rate, oxygen, pulse\nafter-exercise/...",
    list=listed,
    pitfalls=("the pulse comes at about 62 Hz, pictures at about 28.7: both are read with their own times",
              "rate and oxygen in the file are the device's, about 4 s late: truth is read from the wave",
              "copies circulate in which 7-gt and 12-gt have the same video: 'rppg data check' finds such",
              "whether 'after-exercise' is one of the other seven people is not told: keep all eight on one side of a "
              "split if it matters"))
