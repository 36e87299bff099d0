"""What ``rppg labels`` does: an audit of contact labels, as text or JSON, with tables and figures if asked for."""

from __future__ import annotations

import io
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .evaluation import LabelAudit, RecordingAudit

MOST_FIGURES = 20

EPILOG = """\
SOURCE is one of
  .csv      one recording: columns label and time_s (or fs); optional r, g, b: the mean colour of the skin in the video
            at the same times, for the lag; optional subject
  .npz      arrays label, (T,) or (recordings, T), and fs; or label/NAME per recording; optional rgb/NAME, subject/NAME
  folder    of such .csv files, or a store of clips as 'rppg simulate' writes them
A file made for 'rppg score' can be read as it is.

Each segment gets a verdict, good, doubtful or broken, and reasons. Where colours came with the label, the report says
how late it comes after the face, and whether it is upside down. With --save you find in DIR
  labels.json    all numbers        labels.csv    a row per segment        NAME.png    of the 20 worst recordings
Exit status 1: something could not be read. Bad labels are a result, not a failure.

examples:
  rppg labels finger.csv
  rppg labels contact/ --save out
  rppg labels build/clips/simulated-quick-0123456789ab --json
  rppg labels newborns.npz --band 1.2 4 --segment 5
"""


def add_options(command: ArgumentParser) -> None:
    """Say what ``rppg labels`` takes."""
    command.add_argument("source", type=Path, metavar="SOURCE", help=".csv, .npz, a folder of .csv or a store of clips")
    command.add_argument("--fps", type=float, metavar="N", help="values per second, of files that do not say it")
    command.add_argument("--segment", type=float, default=10.0, metavar="S", help="about how long a segment is, in "
                         "seconds (default: 10)")
    command.add_argument("--band", nargs=2, type=float, metavar=("LO", "HI"), help="where heart rates are looked for, "
                         "in Hz (default: 0.67 3)")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.add_argument("--save", type=Path, metavar="DIR", help="write numbers, a table and figures into DIR")


def run(args: Namespace, say: Callable[[str], Any]) -> bool:
    """Audit what was asked for and say it; return whether everything could be read."""
    from .evaluation import audit, read_labels
    from .evaluation.label_files import count_labels
    from .measure_command import check_folder
    from .signal import HR_BAND_HZ

    if args.save:
        check_folder(args.save)
    total = count_labels(args.source)

    report = audit(read_labels(args.source, fs=args.fps), source=args.source.name or str(args.source),
                   segment_s=args.segment, band_hz=tuple(args.band) if args.band else HR_BAND_HZ,
                   progress=lambda labels: progress_bar(labels, total))
    say(json.dumps(report.to_json(), indent=1, ensure_ascii=False, allow_nan=False) if args.json else report.to_text())
    if args.save:
        note = keep(report, args.save)
        if not args.json:
            say(f"\n{note}")
    return not report.unread


def progress_bar(labels: Iterable, total: int | None) -> Iterable:
    """Wrap labels in a progress bar where there are several and somebody looks on."""
    if total is None or not sys.stderr.isatty():
        return labels
    try:
        from tqdm import tqdm
    except ImportError:                                              # it comes with the packages for training
        return labels
    return tqdm(labels, total=total, unit="recording", leave=False)


def keep(report: LabelAudit, folder: Path) -> str:
    """Write numbers, the table of segments and figures of the worst recordings; return a sentence that says so."""
    from .files import file_stem, written_whole

    with written_whole(folder / "labels.json") as file:
        file.write(json.dumps(report.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    with written_whole(folder / "labels.csv") as file:
        report.rows.to_csv(file, index=False, float_format="%.6g", lineterminator="\n")
    worst = report.worst_first()[:MOST_FIGURES]
    for recording in worst:
        with written_whole(folder / f"{file_stem(recording.name)}.png", "wb") as file:
            file.write(picture(recording))
    which = f"the {len(worst)} worst of {len(report.recordings)}" if len(worst) < len(report.recordings) else "each"
    return f"saved in {folder}: labels.json, labels.csv" + (f", and a figure of {which}" if worst else "")


def picture(recording: RecordingAudit) -> bytes:
    """Return the figure of a recording as PNG."""
    import matplotlib.pyplot as plt

    from . import plots

    plots.use_style()
    figure = plots.audit_figure(recording)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    plt.close(figure)
    return png.getvalue()
