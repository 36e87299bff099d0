"""UBFC-rPPG, DATASET_2: 42 people, one video each; contact pulse in three lines of text."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...types import Reference, Terms
from .base import DataSet, Finds, Listing, film, in_order
from .texts import numbers, text_of

TERMS = Terms(licence="research only, after a request to the authors", cites="bobbia2019ubfc",
              note="faces of subjects 21 and 27 must never be shown")
LINES = ("pulse", "rate", "times")


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: ``subjectN/vid.avi`` and ``subjectN/ground_truth.txt``."""
    finds = Finds("ubfc2", folder, TERMS)
    for each in finds.folders():
        with finds.reading(each):
            number = each.name.removeprefix("subject")
            if number == each.name or not number.isdecimal():
                finds.leave_out(each, "is not called subjectN")
                continue
            video, truth = each / "vid.avi", each / "ground_truth.txt"
            if absent := [path.name for path in (video, truth) if not path.is_file()]:
                finds.leave_out(each, f"has no {' and no '.join(absent)}")
                continue
            finds.add(number, person=number, fs=30.0, pictures=film(video), reference=partial(reference, truth),
                      files=(video, truth))
    have = {recording.subject.split()[-1] for recording in finds.recordings}
    finds.missing += [f"subject{number}" for number in PEOPLE if str(number) not in have]
    return finds.listing(example="subject1/vid.avi")


PEOPLE = (1, 3, 4, 5, *range(8, 19), 20, *range(22, 28), *range(30, 50))


def reference(path: Path) -> Reference:
    """Read pulse, rate of the device and times from ``ground_truth.txt``; the times are the third line's."""
    lines = [line.split() for line in text_of(path).splitlines() if line.strip()]
    if len(lines) < 3:
        raise ValueError(f"{path.name}: needs three lines (pulse, rate, times), got {len(lines)}. Copy it again.")
    wave, _, times = (numbers(f"{path.name}, {name}", line) for name, line in zip(LINES, lines))
    return in_order(path.name, times, wave)


DATASET = DataSet(
    name="ubfc2", title="UBFC-rPPG, DATASET_2", terms=TERMS, people=42, recordings=42,
    weighs="not told; videos are raw, about 1.6 GB a minute",
    ask="https://sites.google.com/view/ybenezeth/ubfcrppg (a folder shared by the authors)",
    place="UBFC-rPPG/DATASET_2",
    layout="subject1/vid.avi\nsubject1/ground_truth.txt   three lines: pulse, rate of the device, times in seconds",
    list=listed,
    pitfalls=("real frame rates lie between 29.3 and 30: time stamps are used, not their number",
              "the rate in the file is the device's, seconds late: truth is read from the wave",
              "copies circulate in which one person's truth is there twice: 'rppg data check' finds them"))
