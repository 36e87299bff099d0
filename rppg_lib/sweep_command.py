"""What ``rppg sweep`` does: checks a spec, runs its points here or on a cluster, and says where the table is."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CONNECT_WITHIN_S = 30

EPILOG = """\
SPEC is a YAML file. Every combination of the values under 'grid' is a point; 'notebook' and one of 'grid' and 'also'
are all that it needs:
  notebook: "03"                          number or beginning of the name
  profile: quick                          what the points start from (default: quick)
  grid: {seed: [1, 2, 3], lr: [0.003, 0.006]}     any parameters of the notebook
  set: {epochs: 4}                        the same in all points
  also: [{seed: 1, lr: 0.1}]              more points
  skip: [{seed: 3, lr: 0.006}]            points, or parts of points, to leave out
  table: errors                           which result table to collect, or a list (default: all)
  jobs: 2                                 points at a time (default: 1)
  name: seeds                             of the folder (default: the file's name)

Everything is checked before anything runs. In DIR you find afterwards
  sweeps/NAME/table.csv                   a row per row of the result tables, the point's parameters in front
  sweeps/NAME/points/POINT/               what 'rppg run' writes, for each point
A point that is done and depends on nothing that has changed since is skipped: a sweep that was stopped, or killed, goes
on with the same command. A point that fails does not stop the others; it is named in the end and in the table, and the
exit status is 1.

examples:
  rppg sweep seeds.yaml --dry-run                 what would run
  rppg sweep seeds.yaml --jobs 4
  rppg sweep seeds.yaml --dask tcp://head:8786    on a Dask cluster whose workers see the same folders
"""


def add_options(command: ArgumentParser) -> None:
    """Say what ``rppg sweep`` takes."""
    command.add_argument("spec", type=Path, metavar="SPEC", help="YAML file: notebook, grid, ...; see below")
    command.add_argument("--dry-run", action="store_true", help="check everything and list the points; run nothing")
    command.add_argument("--jobs", type=int, metavar="N", help="points at a time (default: what SPEC says, else 1, or "
                         "with --dask as many as the cluster takes)")
    command.add_argument("--dask", metavar="ADDRESS", help="scheduler of a Dask cluster to send the points to")
    command.add_argument("--yes", action="store_true", help="run more than 200 points, too")
    command.add_argument("--fresh", action="store_true", help="run also what is done already")
    command.add_argument("--out", type=Path, metavar="DIR", help="where products go (default: build)")
    command.add_argument("--notebooks", type=Path, metavar="DIR", help="folder of the notebooks (default: notebooks)")


def run(args: Namespace, say: Callable[[str], Any]) -> bool:
    """Run a sweep and say what came of it; return whether every point is done."""
    from .files import output_dir
    from .workbook.sweep import asked_for, is_done, sweep
    from .workbook.sweep_spec import MOST_AT_ALL, MOST_POINTS, Spec

    spec, limit = Spec.read(args.spec), MOST_AT_ALL if args.yes else MOST_POINTS
    if args.dry_run:
        out = (args.out or output_dir()).resolve()
        wanted = asked_for(spec, notebooks=args.notebooks, limit=limit)
        done = [is_done(point, spec, out=out) for point in wanted]
        for point, already in zip(wanted, done):
            say(f"{point.label}{' (done already)' if already else ''}")
        say(f"{spec.name}: {len(wanted)} points of {wanted[0].job.notebook.name}, {len(wanted) - sum(done)} to run")
        return True
    with _ends_as_by_ctrl_c(), _cluster(args.dask) if args.dask else contextlib.nullcontext():
        swept = sweep(spec, out=args.out, notebooks=args.notebooks, jobs=args.jobs, fresh=args.fresh, limit=limit,
                      stream=sys.stderr)
    say(swept.to_text())
    return not swept.failed


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[None]:
    """Send what joblib does to a Dask cluster."""
    import joblib

    try:
        from distributed import Client
    except ImportError:
        raise ModuleNotFoundError("sweep: --dask needs the package distributed, not installed. "
                                  "python -m pip install distributed") from None
    try:
        client = Client(address, timeout=CONNECT_WITHIN_S)
    except (OSError, ValueError, TypeError) as error:        # a wrong word, a port that nobody listens on
        raise ConnectionError(f"sweep: no Dask scheduler answers at {address} ({type(error).__name__}). It is started "
                              f"with 'dask scheduler', which says its address.") from None
    with client, joblib.parallel_config(backend="dask"):
        if not client.scheduler_info(n_workers=-1)["workers"]:
            warnings.warn(f"sweep: the cluster at {address} has no workers yet; the points wait for some.",
                          stacklevel=2)
        yield


@contextlib.contextmanager
def _ends_as_by_ctrl_c() -> Iterator[None]:
    """Let a polite request to end (SIGTERM) end the notebooks, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
