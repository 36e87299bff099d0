"""SCAMPS: 2,800 rendered faces with their true pulse; a MATLAB 7.3 file each, which is HDF5."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from ...types import Reference, Terms
from .arrays_file import Worker, beside_pictures, clip_of, read_arrays
from .base import DataSet, Finds, Listing, natural

TERMS = Terms(licence="not told here: see the repository of the data set", cites="mcduff2022scamps")
FS = 30.0
NAME = re.compile(r"P(\d{6})\.mat")
CLIPS = ("RawFrames", "Xsub")            # the whole picture, or the face alone where that is all there is
PUBLISHED = 2800


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: ``P000001.mat``, in the folder or in folders for training and test in it."""
    finds = Finds("scamps", folder, TERMS)
    seen: dict[str, Path] = {}
    homes = (finds.folder, *finds.folders())
    broken = {left.what for left in finds.left_out}              # links that lead nowhere
    for home in homes:
        before = len(seen)
        with finds.reading(home):
            for path in sorted(home.iterdir(), key=lambda path: natural(path.name)):
                found = NAME.fullmatch(path.name)
                if path.is_dir() or path.name.startswith(".") or finds.short(path) in broken:
                    continue
                if not found:
                    finds.leave_out(path, "is not called P and six digits.mat")
                elif path.name in seen:
                    finds.leave_out(path, f"is there as {finds.short(seen[path.name])} already")
                else:
                    seen[path.name] = path
                    split = {} if home == finds.folder else {"split": home.name}
                    finds.add(path.stem, person=path.stem, fs=FS, condition="rendered", facts=split, files=(path,),
                              pictures=partial(clip_of, path, CLIPS, FS), reference=partial(reference, path))
        if home != finds.folder and len(seen) == before:
            finds.leave_out(home, "has no P000001.mat or the like that is not elsewhere")
    if len(seen) < PUBLISHED:
        finds.notes.append(f"{len(seen)} of {PUBLISHED} recordings are here; which are missing is not known, for "
                           f"which numbers there are is not told")
    return finds.listing(example="P000001.mat")


def reference(path: Path, *, worker: Worker | None = None) -> Reference:
    """Read the pulse that was rendered, one value for each picture."""
    held = read_arrays(path, ("d_ppg",), worker=worker)
    shape = next((held.shapes[name] for name in CLIPS if name in held.shapes), ())
    if len(shape) != 4:
        raise ValueError(f"{path.name}: needs {' or '.join(CLIPS)} with four axes beside the pulse, "
                         f"got {shape or 'none'}. Copy it again; the file of waveforms alone has no pictures.")
    return beside_pictures(path.name, held.values["d_ppg"], pictures=shape[-1], fs=FS)


DATASET = DataSet(
    name="scamps", title="SCAMPS", terms=TERMS, people=2800, recordings=PUBLISHED,
    weighs="600 GB; an example of ten recordings, 1.2 GB",
    ask="https://github.com/danmcduff/scampsdataset (links to download)",
    place="SCAMPS", layout="P000001.mat ...   or Train/P000001.mat, Val/..., Test/...; RawFrames or Xsub, d_ppg",
    list=listed,
    pitfalls=("the faces are rendered: numbers measured on them are of simulated data",
              "HDF5 shows MATLAB's axes reversed, (colour, width, height, time): they are turned back",
              "no times are told: pictures and pulse have 30 values a second, as published",
              "each recording is taken to be a person of its own; whether faces come twice is not told",
              "the masks of skin have 599 pictures and the clips 600: masks are not read"))
