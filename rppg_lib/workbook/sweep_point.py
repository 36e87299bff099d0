"""One point of a sweep, on whatever machine it lands: the runner, in a folder of the point's own.

The points may run in threads, in processes or on a cluster, and whoever asked for them may be killed while they go on.
So they speak through files alone: a lock keeps two from running in one folder, and a file says who asks now.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..files import locked
from ..simulate_command import FOLDER as CLIPS
from .fingerprint import library_digest
from .runner import Event, Job, Outcome, run

LOCK = ".rppg-point.lock"
LOOK_EVERY_S = 2.0
WAIT_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a worker is told; it may be another machine that sees the same folders.

    Attributes:
        number: of the point.
        job: notebook and parameters.
        folder: of the point's products.
        clips: folder of the stores that all points share.
        asked_by: file with the token of the sweep that asks.
        token: of the sweep that gave this order.
        library: digest of the library that the sweep was started with.
        fresh: run also what is done already.
    """

    number: int
    job: Job
    folder: Path
    clips: Path
    asked_by: Path
    token: str
    library: str
    fresh: bool


class Stopped(Exception):
    """Nobody asks for this point any more."""


def run_point(order: Order) -> tuple[int, Outcome]:
    """Run a point unless it is done already; return its number and how it ended. Nothing is raised."""
    try:
        if library_digest() != order.library:
            raise RuntimeError("rppg_lib here is not what it was when the sweep began. Start the sweep again when its "
                               "code is the same everywhere and at rest")
        order.folder.mkdir(parents=True, exist_ok=True)
        share_clips(order.folder, order.clips)
        wanted = Wanted(order.asked_by, order.token)
        with _only_one(order.folder / LOCK, wanted):
            (outcome,) = run([order.job], out=order.folder, at_a_time=1, fresh=order.fresh, listen=wanted)
    except Exception as error:                               # of the disk, of the machine: the other points go on
        outcome = Outcome(name=order.job.notebook.name, title=order.job.notebook.title, state="failed",
                          error=f"{type(error).__name__}: {error}")
    return order.number, outcome


def share_clips(folder: Path, clips: Path) -> None:
    """Let the stores of a point be those of all: a store's name says what is in it, and building one is locked.

    Trainings are not shared: of two that are the same, the second is refused for as long as the first goes on.
    """
    link = folder / CLIPS
    if link.is_symlink() or link.exists():
        return
    clips.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):                       # Windows may forbid links: then it makes its own clips
        link.symlink_to(os.path.relpath(clips, folder), target_is_directory=True)


class Wanted:
    """Listens to the runner; ends the point when another sweep asks, or none any more."""

    def __init__(self, asked_by: Path, token: str) -> None:
        self.asked_by, self.token = asked_by, token
        self.seen = False                                    # a network folder may show an old state for a while
        self.next = 0.0

    def __call__(self, event: Event | None = None) -> None:
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + LOOK_EVERY_S
        try:
            asked = self.asked_by.read_text(encoding="utf-8")
        except OSError:
            return
        if asked == self.token:
            self.seen = True
        elif self.seen:
            raise Stopped("the sweep that asked for this point has ended")


@contextlib.contextmanager
def _only_one(lock: Path, wanted: Callable[[], None]) -> Iterator[None]:
    """Hold a point's folder; wait while a worker that outlived its sweep still has it."""
    with open(lock, "a+b") as file:
        while not locked(file):
            wanted()
            time.sleep(WAIT_S)
        yield
