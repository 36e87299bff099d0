"""``rppg sweep``: one notebook at many points of its parameters, through joblib, and one tidy table at the end.

Below the folder of products::

    clips/                            stores of clips, shared by all points and with ``rppg run``
    sweeps/NAME/points/POINT/         products of one point, as ``rppg run`` lays them out
    sweeps/NAME/table.csv             a row per row of the points' result tables; there when the sweep has ended
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pandas as pd

from ..files import locked, output_dir, written_whole
from ..simulate_command import FOLDER as CLIPS
from .command import notebooks_folder, plan
from .fingerprint import changed, fingerprint, library_digest, record_of
from .runner import Outcome
from .sweep_point import Order, run_point
from .sweep_spec import MOST_POINTS, Point, Spec, check_jobs, points
from .sweep_table import Ended, collected, copy_of, last_line, table_of

SWEEPS, POINTS, TABLE = "sweeps", "points", "table.csv"
LOCK, ASKED_BY = ".rppg-sweep.lock", ".asked-by"


@dataclass(frozen=True, eq=False, kw_only=True)
class Swept:
    """A sweep that has ended.

    Attributes:
        name: of the sweep.
        folder: of its products.
        ended: one entry per point, in the order of the spec.
        table: a row per row of the result tables, or one per point that failed.
        strays: folders of points that are not in the spec any more; they are in no table.
    """

    name: str
    folder: Path
    ended: list[Ended]
    table: pd.DataFrame
    strays: list[str]

    @property
    def failed(self) -> list[Ended]:
        """The points that failed."""
        return [one for one in self.ended if one.state == "failed"]

    def to_text(self) -> str:
        """Return the summary for people: counts, failures with their error, where the table is."""
        before = sum(one.state == "skipped" for one in self.ended)
        done = len(self.ended) - len(self.failed)
        lines = [f"{self.name}: {_count(len(self.ended), 'point')}, {done} done"
                 + (f" ({before} of them before)" if before else "")
                 + (f", {len(self.failed)} failed" if self.failed else "")]
        for one in self.failed:
            lines.append(f"  {one.point.label} failed: {one.error}")
            lines += [f"    the notebook up to there: {one.partial}"] if one.partial else []
        if self.strays:
            lines.append(f"{_count(len(self.strays), 'folder')} in {self.folder / POINTS} of other points, not in the "
                         f"table: {', '.join(self.strays[:3])}{', ...' if len(self.strays) > 3 else ''}")
        return "\n".join([*lines, f"{_count(len(self.table), 'row')} in {self.folder / TABLE}"])


def sweep(spec: Spec | str | Path, *, out: Path | None = None, notebooks: Path | None = None, jobs: int | None = None,
          fresh: bool = False, limit: int = MOST_POINTS, stream: TextIO | None = None) -> Swept:
    """Run every point of a sweep that is not done yet, and write the table.

    Each point is a notebook in a process of its own, as ``rppg run`` runs it. The work is joblib's: threads of this
    process that wait for the notebooks, or wherever joblib is told to send it, such as to a Dask cluster whose
    workers see the same folders and have the same version of this library::

        client = dask.distributed.Client(...)
        with joblib.parallel_config(backend="dask"):
            sweep("seeds.yaml")

    If the process is killed, the same call goes on with the points that are missing, and inside of these with the last
    checkpoint of a training.

    Args:
        spec: a :class:`Spec`, or the YAML file that says one.
        out: folder for products; default ``build`` of the checkout.
        notebooks: folder of the notebooks; default that of the checkout.
        jobs: points at a time; default what the spec says, then what joblib's configuration says: one, or all of a
            cluster.
        fresh: run also what is done already.
        limit: more points than this are an error.
        stream: where to write a line for each point that has ended.

    Raises:
        ValueError: if anything in the spec is wrong; nothing has run then.
        FileExistsError: if another sweep is at work in the same folder.
    """
    spec = spec if isinstance(spec, Spec) else Spec.read(spec)
    jobs = check_jobs(jobs, "jobs") or spec.jobs
    wanted = asked_for(spec, notebooks=notebooks, limit=limit)
    out = (out or output_dir()).resolve()
    folder = out / SWEEPS / spec.name
    folder.mkdir(parents=True, exist_ok=True)
    with _only_sweep(folder), _asking(folder / ASKED_BY) as token:
        with contextlib.suppress(FileNotFoundError):
            (folder / TABLE).unlink()                        # of another grid, perhaps; a table says: all has ended
        orders = [Order(number=number, job=point.job, folder=folder / POINTS / point.folder, clips=out / CLIPS,
                        asked_by=folder / ASKED_BY, token=token, library=library_digest(), fresh=fresh)
                  for number, point in enumerate(wanted)]
        outcomes = _worked_off(orders, jobs, _Progress(wanted, stream))
        rows, ended = [], []
        for point, order, outcome in zip(wanted, orders, outcomes):
            one, its_rows = collected(point, order.folder, outcome, spec.table)
            ended.append(one)
            rows += its_rows
        table = table_of(rows, list(wanted[0].values))
        with written_whole(folder / TABLE) as file:
            table.to_csv(file, index=False, lineterminator="\n")
    there = {path.name for path in (folder / POINTS).iterdir() if path.is_dir()}
    return Swept(name=spec.name, folder=folder, ended=ended, table=table.infer_objects(),
                 strays=sorted(there - {point.folder for point in wanted}))


def asked_for(spec: Spec, *, notebooks: Path | None = None, limit: int = MOST_POINTS) -> list[Point]:
    """Return the points of a sweep, everything checked; nothing has run."""
    try:
        jobs = plan(notebooks or notebooks_folder(), [spec.notebook], profile=spec.profile, given=())
    except (ValueError, FileNotFoundError) as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(f"sweep: {spec.file}: {str(error).removeprefix('run: ')}") from None
    return points(spec, jobs[0], limit=limit)


def is_done(point: Point, spec: Spec, *, out: Path) -> bool:
    """Whether a point has been run and depends on nothing that has changed since."""
    folder, job = out / SWEEPS / spec.name / POINTS / point.folder, point.job
    record = record_of(copy_of(point, folder))
    return record is not None and not changed(record, fingerprint(job.notebook.cells, job.parameters), folder)


def _worked_off(orders: list[Order], jobs: int | None, progress: _Progress) -> list[Outcome]:
    """Run the points; return their outcomes in the order of the orders."""
    import joblib

    # Threads unless joblib is told otherwise: they only wait for the notebooks' own processes. No long queue: what is
    # not begun can be taken back.
    parallel = joblib.Parallel(n_jobs=jobs, prefer="threads", batch_size=1, pre_dispatch="n_jobs",
                               return_as="generator_unordered")
    outcomes: dict[int, Outcome] = {}
    try:
        for number, outcome in parallel(joblib.delayed(run_point)(order) for order in orders):
            outcomes[number] = outcome
            progress.ended(number, outcome)
    except Exception as error:                               # run_point raises nothing: it is the workers
        raise RuntimeError(f"sweep: the workers failed ({type(error).__name__}: {last_line(str(error))}). What is "
                           f"finished is kept: the same command continues.") from error
    return [outcomes[order.number] for order in orders]


class _Progress:
    """A line for each point that has ended, with the time that is left."""

    def __init__(self, wanted: list[Point], stream: TextIO | None) -> None:
        self.wanted, self.stream = wanted, stream
        self.began, self.count, self.run = time.monotonic(), 0, 0

    def ended(self, number: int, outcome: Outcome) -> None:
        self.count += 1
        self.run += outcome.state != "skipped"
        if self.stream is None:
            return
        how = (f"done already ({_duration(outcome.seconds)}, unchanged)" if outcome.state == "skipped" else
               f"{outcome.state} after {_duration(outcome.seconds)}")
        left = len(self.wanted) - self.count
        if left and self.run:
            how += f"; {left} to go, about {_duration((time.monotonic() - self.began) / self.run * left)}"
        self.stream.write(f"{self.count}/{len(self.wanted)} {self.wanted[number].label}: {how}\n")
        self.stream.flush()


@contextlib.contextmanager
def _only_sweep(folder: Path) -> Iterator[None]:
    """Hold the folder for this sweep; another one that holds it is an error. The lock falls with the process."""
    with open(folder / LOCK, "a+b") as file:
        if not locked(file):
            raise FileExistsError(f"sweep: another 'rppg sweep' is at work in {folder}. Wait for it, or give this one "
                                  f"another name.")
        yield


@contextlib.contextmanager
def _asking(file: Path) -> Iterator[str]:
    """Say that this sweep asks now: workers of a former one end, and those of this one when the block ends."""
    token = uuid.uuid4().hex
    file.write_text(token, encoding="utf-8")                 # not replaced: on Windows a reader would forbid that
    try:
        yield token
    finally:
        file.write_text("", encoding="utf-8")


def _duration(seconds: float) -> str:
    """Return a duration for people.

    >>> _duration(8.2), _duration(200), _duration(9000)
    ('8 s', '3 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
