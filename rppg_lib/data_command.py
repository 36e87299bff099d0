"""What ``rppg data`` does: say which data sets can be read, check a copy of one, make a clip store of it."""

from __future__ import annotations

import io
import json
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import ClipStore
    from .evaluation.copy_check import CopyCheck

ACTIONS = ("list", "check", "build")
FOLDER = "cache"                         # below data/: what is made of lent recordings stays with them

EPILOG = """\
rppg data list [NAME]         which data sets can be read; of one: where to ask for it, how it must lie, its terms
rppg data check NAME DIR      what a copy holds, what is missing or left out and why, rates and lengths, how good its
                              labels are, how late they come after the face, and what is there twice
rppg data build NAME DIR      cut the faces out and make a clip store, for 'rppg train' and 'rppg evaluate'

NAME 'folder' reads videos of your own. Nothing is copied elsewhere or sent anywhere, and no picture is shown. A store
holds faces: in a checkout of the workbook it is kept in data/cache, which git ignores; elsewhere in build/clips of the
working folder, or clips of $RPPG_OUT. A command that was stopped goes on with what is missing.
With --save, 'check' writes into DIR
  check.json    all that was found     check.csv    a row per recording     check.png    one page of figures
Exit status 1: something could not be read, or is there twice.

examples:
  rppg data list pure
  rppg data check pure data/raw/PURE --save pure-check
  rppg data build pure data/raw/PURE --size-px 72 --jobs 8
"""


def add_options(command: ArgumentParser) -> None:
    """Say what ``rppg data`` takes."""
    command.add_argument("action", choices=ACTIONS, metavar="ACTION", help="list, check or build")
    command.add_argument("name", nargs="?", metavar="NAME", help="of the data set")
    command.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="where the copy lies")
    check = command.add_argument_group("check")
    check.add_argument("--watch", default="10", metavar="N", help="how many recordings are compared with their "
                       "pictures, or all (default: 10)")
    check.add_argument("--seconds", type=float, default=60.0, metavar="S", help="of each of them (default: 60)")
    check.add_argument("--json", action="store_true", help="as JSON")
    check.add_argument("--save", type=Path, metavar="DIR", help="write numbers, a table and figures into DIR")
    build = command.add_argument_group("build")
    build.add_argument("--size-px", type=int, default=72, metavar="N", help="side of the pictures (default: 72)")
    build.add_argument("--box", choices=["first", "follow"], default="first", help="one square for all pictures of a "
                       "recording, or one that moves with the face (default: first)")
    build.add_argument("--every", type=int, default=3, metavar="N", help="look for the face in every n-th picture, and "
                       "follow it in between (default: 3)")
    build.add_argument("--finder", choices=["auto", "landmarks", "haar"], default="auto", help="what looks for faces")
    build.add_argument("--fps", type=float, metavar="N", help="pictures per second (default: the data set's)")
    build.add_argument("--jobs", type=int, metavar="N", help="recordings at a time (default: all cores)")
    build.add_argument("--out", type=Path, metavar="DIR", help="folder for stores (default: data/cache in a checkout, "
                       "else build/clips or $RPPG_OUT/clips)")


def run(args: Namespace, say: Callable[[str], Any]) -> bool:
    """Do what was asked for and say it; return whether all of it went well."""
    if args.action == "list":
        say(described(args.name) if args.name else listed())
        return True
    if not args.name or args.folder is None:
        raise ValueError(f"data: needs the name of a data set and a folder: rppg data {args.action} NAME DIR. "
                         f"'rppg data list' names them.")
    return _check(args, say) if args.action == "check" else _build(args, say)


def listed() -> str:
    """Return the data sets that can be read, a line for each."""
    from .data.readers import DATASETS, dataset

    rows = [dataset(name) for name in DATASETS]
    wide = max(len(row.name) for row in rows)
    return "\n".join([f"{'name':{wide}}  people  recordings  title",
                      *(f"{row.name:{wide}}  {row.people or '':>6}  {row.recordings or '':>10}  {row.title}"
                        for row in rows), "", "rppg data list NAME says where to ask for it and how it must lie."])


def described(name: str) -> str:
    """Return all that is known of a data set."""
    from .data.readers import dataset

    row = dataset(name)
    faces = "may be shown" if row.terms.may_show_faces else "must not be shown"
    parts = [f"{row.title} ({row.name}): {row.recordings} recordings of {row.people} people, {row.weighs}"
             if row.recordings else f"{row.title} ({row.name})", f"get it: {row.ask}",
             f"terms: {row.terms.licence}; faces {faces}" + (f"; {row.terms.note}" if row.terms.note else ""),
             f"cite: {row.terms.cites}" if row.terms.cites else "", f"put it below data/raw/{row.place}:",
             *(f"  {line}" for line in row.layout.splitlines()),
             *(f"note: {line}" for line in row.pitfalls)]
    return "\n".join(part for part in parts if part)


def _check(args: Namespace, say: Callable[[str], Any]) -> bool:
    from .data.readers import read_dataset
    from .evaluation.copy_check import check_copy
    from .evaluation.copy_text import copy_text
    from .measure_command import check_folder

    if args.watch != "all" and not args.watch.isdecimal():
        raise ValueError(f"data: --watch must be a number of recordings, or all; got {args.watch!r}.")
    if not args.seconds >= 10:
        raise ValueError(f"data: --seconds must be 10 or more, for a pulse to be compared; got {args.seconds:g}.")
    if args.save:
        check_folder(args.save)
    listing = read_dataset(args.name, args.folder)
    found = check_copy(listing, watched=None if args.watch == "all" else int(args.watch), seconds=args.seconds,
                       progress=_bar)
    say(json.dumps(to_json(found), indent=1, ensure_ascii=False, allow_nan=False) if args.json else copy_text(found))
    if args.save:
        keep(found, args.save)
        if not args.json:
            say(f"\nsaved in {args.save}: check.json, check.csv, check.png")
    return found.sound


def to_json(found: CopyCheck) -> dict[str, Any]:
    """Return what was found as plain values."""
    rows = json.loads(found.table.to_json(orient="records"))
    return {"dataset": found.what.name, "folder": str(found.listing.folder), "recordings": rows,
            "missing": list(found.listing.missing), "notes": list(found.listing.notes),
            "left_out": [{"what": each.what, "why": each.why} for each in found.listing.left_out],
            "twice": [list(ids) for ids in found.twice], "labels": found.labels.to_json() if found.labels else None}


def keep(found: CopyCheck, folder: Path) -> None:
    """Write numbers, table and page of figures."""
    import matplotlib.pyplot as plt

    from .files import written_whole
    from .plots import use_style
    from .plots.copies import copy_figure

    with written_whole(folder / "check.json") as file:
        file.write(json.dumps(to_json(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    with written_whole(folder / "check.csv") as file:
        found.table.to_csv(file, index=False, float_format="%.6g", lineterminator="\n")
    use_style()
    figure = copy_figure(found)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    plt.close(figure)
    with written_whole(folder / "check.png", "wb") as file:
        file.write(png.getvalue())


def _bar(recordings: Any) -> Any:
    from .labels_command import progress_bar

    return progress_bar(recordings, len(recordings))


def _build(args: Namespace, say: Callable[[str], Any]) -> bool:
    import os

    from .data import build_store
    from .data.readers import read_dataset
    from .data.recorded import RecordingSource
    from .files import output_dir, project_root

    jobs = (os.cpu_count() or 1) if args.jobs is None else args.jobs
    if jobs < 1:
        raise ValueError(f"data: --jobs must be at least 1, got {jobs}.")
    listing = read_dataset(args.name, args.folder)
    sources = [RecordingSource(recording=each, size_px=args.size_px, box=args.box, every=args.every,
                               finder=args.finder, fs=args.fps) for each in listing.recordings]
    root = project_root()
    out = args.out or (root / "data" / FOLDER if root else output_dir("clips"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)                 # what failed is said below
        store = build_store(sources, out, name=args.name, jobs=jobs)
    say(_built(store, len(sources), left_out=len(listing.left_out)))
    return not store.failed


def _built(store: ClipStore, wanted: int, *, left_out: int) -> str:
    frames = sum(record.frames for record in store.records)
    lines = [f"{store.path}", f"  {len(store)} recordings of {len(store.subjects)} people, {frames} pictures, "
             f"{store.bytes / 1e6:.1f} MB"]
    if left_out:
        lines.append(f"  {left_out} entries of the folder were left out: 'rppg data check' says why")
    lost = [record for record in store.records if record.facts.get("face_missing", 0) > 0.05]
    if lost:
        lines.append(f"  {len(lost)} recordings have no face in more than 5 % of their pictures, worst "
                     f"{max(lost, key=lambda record: record.facts['face_missing']).id}")
    if store.failed:
        lines.append(f"  {len(store.failed)} of {wanted} recordings failed; the same command tries them again")
        lines += [f"    {row['id']}: {row['error']}" for row in store.failed[:10]]
        if len(store.failed) > 10:
            lines.append(f"    and {len(store.failed) - 10} more, named in {store.path / 'manifest.json'}")
    return "\n".join(lines)
