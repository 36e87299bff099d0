"""One run at a time in one folder of products."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

NAME = ".rppg-run.lock"


@contextlib.contextmanager
def only_run(out: Path) -> Iterator[None]:
    """Hold the folder for this run; another run that holds it is an error. The lock falls with the process."""
    with open(out / NAME, "a+", encoding="utf-8") as file:
        if not _taken(file):
            raise FileExistsError(f"run: another 'rppg run' is writing to {out}. Wait for it, or choose another --out.")
        yield


def _taken(file) -> bool:
    """Lock an open file, and return whether that was possible."""
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True
