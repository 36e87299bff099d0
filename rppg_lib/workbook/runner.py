"""Run notebooks, several at a time, each in a process of its own; what has been done and is unchanged is skipped."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..files import OUT_VARIABLE, written_whole
from .fingerprint import changed, fingerprint, record_of
from .notebook import Notebook, find
from .settings import changes

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
              "VECLIB_MAXIMUM_THREADS")
END_WITHIN_S = 5.0
TICK_S = 0.2


@dataclass(frozen=True, eq=False, kw_only=True)
class Job:
    """One notebook with the parameters it is to be run with."""

    notebook: Notebook
    parameters: dict[str, Any]
    profile: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """What a listener is told about a notebook."""

    kind: Literal["skipped", "again", "started", "cell", "done", "failed", "tick"]
    name: str = ""
    title: str = ""
    seconds: float = 0.0
    at: int = 0                          # cell of code that has begun
    of: int = 0
    text: str = ""                       # of "again": what has changed


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a notebook ended; of a failure, where and with what."""

    name: str
    title: str
    state: Literal["done", "skipped", "failed"]
    seconds: float = 0.0
    cell: int = 0                        # counted from 1 over all cells; 0: outside of any
    count: int | None = None             # the number in In [ ]
    source: str = ""
    error: str = ""
    traceback: str = ""
    partial: Path | None = None


def run(jobs: Iterable[Job], *, out: Path, at_a_time: int = 2, fresh: bool = False,
        listen: Callable[[Event], None] = lambda event: None) -> list[Outcome]:
    """Run the notebooks; a failure does not stop the others.

    Args:
        jobs: what to run, in order.
        out: folder for products.
        at_a_time: number of processes.
        fresh: run also what is done already.
        listen: is called with every event, from this thread.

    Returns:
        One outcome per job, in the same order. A KeyboardInterrupt ends all notebooks and is raised again.
    """
    if at_a_time < 1:
        raise ValueError(f"run: needs at least one process, got {at_a_time}.")
    jobs, out = list(jobs), out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, Outcome] = {}
    waiting = []
    for job in jobs:
        orders = _order(job, out)
        skipped = None if fresh else _skipped(job, orders, out, listen)
        if skipped:
            outcomes[job.notebook.name] = skipped
        else:
            waiting.append(_Child(job, orders))
    try:
        for child in _worked_off(waiting, at_a_time, listen):
            outcomes[child.job.notebook.name] = child.outcome()
    finally:
        for child in waiting:
            child.end()
        _remove_if_empty(out / "notebooks" / "partial")
        with contextlib.suppress(OSError):                   # a full disk must not hide what failed because of it
            if jobs:
                write_run_times(jobs[0].notebook.path.parent, out)
    return [outcomes[job.notebook.name] for job in jobs]


def _order(job: Job, out: Path) -> dict[str, Any]:
    """Return what the child process is told: plain values only."""
    notebook, copies = job.notebook, out / "notebooks"
    record = {"title": notebook.title, "profile": job.profile, "machine": _machine(),
              "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
              "parameters": {name: repr(value) for name, value in job.parameters.items()},
              "fingerprint": fingerprint(notebook.cells, job.parameters)}
    return {"notebook": str(notebook.path.resolve()), "out": str(out), "copy": str(copies / f"{notebook.name}.ipynb"),
            "partial": str(copies / "partial" / f"{notebook.name}.ipynb"), "record": record,
            "changes": {name: repr(value) for name, value in changes(notebook, job.parameters).items()}}


def _skipped(job: Job, order: dict[str, Any], out: Path, listen: Callable[[Event], None]) -> Outcome | None:
    """Return the outcome of a notebook that needs no run, or None."""
    record = record_of(Path(order["copy"]))
    if record is None:
        return None
    about = {"name": job.notebook.name, "title": job.notebook.title, "seconds": record["seconds"]}
    if what := changed(record, order["record"]["fingerprint"], out):
        listen(Event(kind="again", **about, text=", ".join(what)))
        return None
    listen(Event(kind="skipped", **about))
    return Outcome(**about, state="skipped")


def _worked_off(children: list[_Child], at_a_time: int, listen: Callable[[Event], None]) -> Iterable[_Child]:
    """Start the children in turn, pass their events on, and yield each when it has ended."""
    events: queue.Queue = queue.Queue()
    waiting, running = list(children), []
    while waiting or running:
        while waiting and len(running) < at_a_time:
            child = waiting.pop(0)
            child.start(events)
            running.append(child)
            listen(child.event("started"))
        try:
            child, message = events.get(timeout=TICK_S)
        except queue.Empty:
            listen(Event(kind="tick"))
            continue
        if message is not None:
            child.last = message
            if message["event"] == "cell":
                listen(child.event("cell", at=message["at"], of=message["of"]))
            continue
        running.remove(child)                                # its output has ended
        child.end()
        listen(child.event(child.outcome().state))
        yield child


class _Child:
    """The process of one notebook."""

    def __init__(self, job: Job, order: dict[str, Any]) -> None:
        self.job, self.order = job, order
        self.process: subprocess.Popen | None = None
        self.last: dict[str, Any] = {}
        self.began = self.seconds = 0.0
        self.errors = ""

    def start(self, events: queue.Queue) -> None:
        self.began = time.monotonic()
        environment = {**dict.fromkeys(ONE_THREAD, "1"), **os.environ, OUT_VARIABLE: self.order["out"],
                       "JUPYTER_PREFER_ENV_PATH": "1"}       # the kernel of this Python, no namesake from elsewhere
        environment.pop("MPLBACKEND", None)                  # figures belong into the notebook
        windows = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(                     # a session of its own: Ctrl-C reaches the runner alone
            [sys.executable, "-m", "rppg_lib.workbook.child"], env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log, start_new_session=os.name == "posix", creationflags=windows)
        order = {**self.order, "began": time.time()}
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        threading.Thread(target=self._listen, args=(events,), daemon=True).start()

    def _listen(self, events: queue.Queue) -> None:
        try:
            for line in self.process.stdout:
                try:
                    message = json.loads(line)
                except ValueError:
                    continue                                 # somebody else's words, such as a site's start-up message
                if isinstance(message, dict) and "event" in message:
                    events.put((self, message))
        finally:
            self.process.stdout.close()
            events.put((self, None))

    def end(self) -> None:
        """End the process if it has not ended: it stops when its input closes."""
        if self.process is None or self.process.stdin.closed:
            return
        try:
            self.process.stdin.close()
        except OSError:
            pass                                             # it was faster
        try:
            self.process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.seconds = time.monotonic() - self.began
        self.log.seek(0)
        self.errors = self.log.read()
        self.log.close()

    def event(self, kind: str, **more: Any) -> Event:
        seconds = self.seconds or time.monotonic() - self.began
        return Event(kind=kind, name=self.job.notebook.name, title=self.job.notebook.title, seconds=seconds, **more)

    def outcome(self) -> Outcome:
        """Return how it ended, from the last thing it said."""
        about = {"name": self.job.notebook.name, "title": self.job.notebook.title, "seconds": self.seconds}
        if self.last.get("event") == "done" and self.process.returncode == 0:
            return Outcome(**about, state="done")
        partial = Path(self.order["partial"])
        about |= {"state": "failed", "partial": partial if partial.is_file() else None}
        if self.last.get("event") == "failed":
            told = {key: self.last[key] for key in ("cell", "count", "source", "traceback")}
            return Outcome(**about, **told, error=f"{self.last['ename']}: {self.last['evalue']}")
        return Outcome(**about, error=f"its process ended with status {self.process.returncode}", traceback=self.errors)


def write_run_times(folder: Path, out: Path) -> Path:
    """Write ``run_times.json`` from what the executed copies say: how long each notebook took, where and when."""
    rows = []
    for path in find(folder):
        if record := record_of(out / "notebooks" / path.name):
            rows.append({"notebook": path.stem, "title": record["title"], "seconds": record["seconds"],
                         "profile": record["profile"], "machine": record["machine"], "when": record["when"]})
    target = out / "run_times.json"
    with written_whole(target) as file:
        json.dump(rows, file, indent=1, ensure_ascii=False)
        file.write("\n")
    return target


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()} {platform.machine()}, {cores} CPU cores"


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        pass                                                 # not there, or it holds what a failure left
