"""UBFC-Phys: 56 people at rest, speaking and counting; pulse of a wristband, neither with time stamps."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from ...types import Reference, Terms
from .base import DataSet, Finds, Listing, film, in_order
from .own_label import EPOCH_S, film_s, length_notes
from .texts import numbers, text_of

TERMS = Terms(licence="research only, after a request to the authors", cites="meziatisabour2023ubfcphys")
TASKS = {"T1": "rest", "T2": "speech", "T3": "arithmetic"}
PULSE_HZ, FS = 64.0, 35.0
LARGEST_INFO = 5000                      # bytes: it has a few lines
OTHER = {"eda": "skin conductance, no pulse", "selfReportedAnx": "answers to questions, no recording"}


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: ``sN/vid_sN_Tk.avi`` and ``sN/bvp_sN_Tk.csv``."""
    finds, other = Finds("ubfcphys", folder, TERMS), Counter()
    for each in finds.folders():
        with finds.reading(each):
            if not re.fullmatch(r"s[0-9]{1,3}", each.name):
                finds.leave_out(each, "is not called sN, number of the person")
                continue
            known = {f"info_{each.name}.txt"}
            facts = _facts(each / f"info_{each.name}.txt", finds)
            for task, condition in TASKS.items():
                video, truth = each / f"vid_{each.name}_{task}.avi", each / f"bvp_{each.name}_{task}.csv"
                known |= {video.name, truth.name}
                absent = [path.name for path in (video, truth) if not path.is_file()]
                if len(absent) == 1:
                    finds.leave_out(truth if video.name in absent else video, f"there is no {absent[0]} beside it")
                elif not absent:
                    finds.add(f"{each.name}-{task}", person=each.name, fs=FS, condition=condition, pictures=film(video),
                              reference=partial(reference, truth, video), facts=facts, files=(video, truth))
            for child in each.iterdir():
                kind = child.name.partition("_")[0]
                if kind in OTHER and child.is_file():
                    other[kind] += 1
                elif child.name not in known and not child.name.startswith("."):
                    finds.leave_out(child, "has no name that this data set uses")
    for kind, count in sorted(other.items()):
        finds.leave_out(finds.folder / f"s*/{kind}_s*.csv", f"{count} files: {OTHER[kind]}")
    have = {recording.id.split()[-1] for recording in finds.recordings}
    every = [f"s{person}-{task}" for person in range(1, 57) for task in TASKS]
    finds.missing += [name for name in every if name not in have]
    if "s40-T3" in finds.missing:
        finds.notes.append("s40-T3: others report that the published set has no video of it either")
    return finds.listing(example="s1/vid_s1_T1.avi")


def _facts(path: Path, finds: Finds) -> dict[str, str]:
    """Return sex and group from lines 2 and 3 of ``info_sN.txt``, where they are what they are said to be."""
    if not path.is_file():
        return {}
    lines = text_of(path).split("\n", 5) if 0 < path.stat().st_size < LARGEST_INFO else []
    words = [line.strip().lower() for line in lines]
    if len(words) < 3 or words[1] not in ("m", "f") or words[2] not in ("test", "ctrl"):
        finds.leave_out(path, "needs m or f in line 2 and test or ctrl in line 3")
        return {}
    return {"sex": words[1], "group": words[2]}


def reference(path: Path, video: Path | None = None) -> Reference:
    """Read the pulse, 64 values a second from the first picture on; ``video`` is asked for its length only."""
    words = text_of(path).split()
    if any("," in word or ";" in word for word in words[:3]):
        raise ValueError(f"{path.name}: needs one column, got a line {words[0][:40]!r}. Copy it again.")
    wave = numbers(path.name, words)
    if len(wave) > 1 and wave[0] > EPOCH_S:
        raise ValueError(f"{path.name}: begins with a date, as files straight from the wristband do, so it is not cut "
                         f"to the video. Take the one of the published set.")
    label = in_order(path.name, np.arange(len(wave)) / PULSE_HZ, wave)
    notes = [f"no time stamps: {PULSE_HZ:g} values a second from the first picture on are assumed"]
    if video is not None:
        notes += length_notes(path.name, label, film_s(video))
    return Reference(wave=label.wave, times_s=label.times_s, notes=(*notes, *label.notes))


DATASET = DataSet(
    name="ubfcphys", title="UBFC-Phys", terms=TERMS, people=56, recordings=168, weighs="not told",
    ask="https://sites.google.com/view/ybenezeth/ubfc-phys (or IEEE DataPort)", place="UBFC-Phys/Data",
    layout="s1/vid_s1_T1.avi   35 pictures a second; T1 rest, T2 speech, T3 arithmetic\n"
           "s1/bvp_s1_T1.csv   64 values a second, one in each line\ns1/info_s1.txt     optional: sex, group",
    list=listed,
    pitfalls=("neither video nor pulse has time stamps: both are taken to begin together, at 35 and 64 a second; "
              "lengths that differ are noted, and the lag is for 'rppg data check' to measure",
              "rPPG-Toolbox scores without 67 recordings of its exclusion list; none is left out here, so figures for "
              "all differ from its",
              "the pulse is taken at a wrist that moves while its owner speaks: audit the labels of T2 and T3"))
