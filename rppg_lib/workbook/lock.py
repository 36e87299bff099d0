"""One run at a time in one folder of products."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..files import locked

NAME = ".rppg-run.lock"


@contextlib.contextmanager
def only_run(out: Path) -> Iterator[None]:
    """Hold the folder for this run; another run that holds it is an error. The lock falls with the process."""
    with open(out / NAME, "a+", encoding="utf-8") as file:
        if not locked(file):
            raise FileExistsError(f"run: another 'rppg run' is writing to {out}. Wait for it, or choose another --out.")
        yield
