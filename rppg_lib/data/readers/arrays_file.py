"""Files of arrays, HDF5 and MATLAB's: opened in a process of their own, for a damaged one can crash its library.

The child, :mod:`.arrays_child`, is asked in lines of JSON and answers in messages. It has a limit of memory, and it is
ended when it says nothing for too long, so a hostile file costs one clear error.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...types import Reference
from ...video.decoder import HEADER
from .base import in_order

CHILD = "rppg_lib.data.readers.arrays_child"
LIMIT_S = 20.0                           # longest wait for the next message
START_S = 60.0                           # and for the first: a cold disk can make Python itself slow to start
LARGEST_MESSAGE = 400_000_000
MOST_APART = 0.05
"""Share by which a label's length may differ from its pictures' before nothing is known of when it was taken."""


class Worker:
    """A process that opens files of arrays; started when first asked, and again after a file has ended it.

    Args:
        limit_s: seconds it may be silent.
    """

    def __init__(self, *, limit_s: float = LIMIT_S) -> None:
        self.limit_s = limit_s
        self._process: subprocess.Popen | None = None
        self._overdue = False
        self.busy = False                # with a task whose answer was not heard to its end

    def ask(self, path: Path, task: dict[str, Any]) -> None:
        """Send a task; what it answers is heard by :meth:`hear`."""
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path.name}: is no file in {path.parent}. Copy it again.")
        if self._process is None or self._process.poll() is not None or self.busy:
            self.close()
            self._start(path)
        self.busy = True
        with contextlib.suppress(OSError):                  # one that has just ended is noticed when it is heard
            self._process.stdin.write(json.dumps({"path": os.path.abspath(path), **task}).encode() + b"\n")

    def _start(self, path: Path) -> None:
        home = str(Path(__file__).resolve().parents[3])
        told = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")])),
                "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                "HDF5_PLUGIN_PRELOAD": "::"}                # no code is loaded because a file names it
        # -P: a file called numpy.py in the working folder must not be taken for NumPy.
        self._process = subprocess.Popen([sys.executable, "-P", "-m", CHILD], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0, env=told,
                                         creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0))
        self._overdue = False
        self.hear(path, limit_s=START_S)

    def hear(self, path: Path, *, limit_s: float | None = None) -> tuple[bytes, np.ndarray]:
        """Return tag and payload (uint8) of the next message.

        Raises:
            ValueError: if the file is refused, or has ended the process.
        """
        process = self._process
        late = threading.Timer(limit_s or self.limit_s, self._end_late, [process])
        late.daemon = True
        late.start()
        try:
            tag, *_, size = HEADER.unpack(self._read(path, HEADER.size))
            if size > LARGEST_MESSAGE:
                self.close()
                raise ValueError(f"{path.name}: ended its reader with a message of {size} bytes. Copy it again.")
            payload = self._read(path, size)
        finally:
            late.cancel()
        if tag in (b"FAIL", b"DONE"):
            self.busy = False
        if tag == b"FAIL":
            told = json.loads(bytes(payload))
            kind = {"ImportError": ImportError, "OSError": OSError}.get(told["kind"], ValueError)
            raise kind(f"{path.name}: {told['text']}")
        return tag, payload

    def _end_late(self, process: subprocess.Popen) -> None:
        self._overdue = True
        process.kill()

    def _read(self, path: Path, size: int) -> np.ndarray:
        got = np.empty(size, np.uint8)
        view = memoryview(got)
        while view.nbytes:
            count = self._process.stdout.readinto(view)
            if not count:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(2)
                code = self._process.poll()
                how = f"{self.limit_s:g} s passed without a word from it" if self._overdue else \
                    f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
                self.close()
                raise ValueError(f"{path.name}: ended the process that read it ({how}), so it is damaged. "
                                 f"Copy it again.")
            view = view[count:]
        return got

    def close(self) -> None:
        """End the process, if there is one, and leave no zombie."""
        process, self._process, self.busy = self._process, None, False
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, kw_only=True, eq=False)
class Held:
    """What was read of a file of arrays."""

    values: dict[str, Any]               # arrays of float, and texts
    shapes: dict[str, tuple[int, ...]]   # of all arrays in the file, read or not; HDF5 tells MATLAB's axes reversed


def read_arrays(path: Path, names: tuple[str, ...], *, optional: tuple[str, ...] = (),
                worker: Worker | None = None) -> Held:
    """Read small arrays and texts of an HDF5 or MATLAB file.

    Args:
        path: the file; its content says which of the two it is.
        names: what must be there.
        optional: what is read too where it is there.
        worker: one that is used for many files; None: a process for this file.
    """
    with contextlib.nullcontext(worker) if worker else Worker() as mine:
        mine.ask(path, {"names": names, "optional": optional})
        _, payload = mine.hear(path)
        told, values = json.loads(bytes(payload)), {}
        for name, what in told["values"].items():
            values[name] = what if isinstance(what, str) else mine.hear(path)[1].view("<f8").reshape(what)
        mine.hear(path)                                     # that this was all
    return Held(values=values, shapes={name: tuple(shape) for name, shape in told["shapes"].items()})


def clip_of(path: Path, names: tuple[str, ...], fs: float,
            worker: Worker | None = None) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the pictures of a clip, (H, W, 3) uint8 R-G-B, with their times.

    Args:
        path: a file that holds a clip as MATLAB's (time, height, width, colour), from 0 to 1 or as bytes.
        names: of the array; the first that is there.
        fs: pictures per second.
        worker: one that is used for many files; None: a process for this pass.
    """
    mine = worker or Worker()
    try:
        mine.ask(path, {"clip": names})
        shape, count = None, 0
        while True:
            tag, payload = mine.hear(path)
            if tag == b"INFO":
                shape = tuple(json.loads(bytes(payload))["shape"])
            elif tag == b"PICT":
                yield payload.reshape(shape), count / fs
                count += 1
            elif tag == b"DONE":
                return
    finally:
        if worker is None or mine.busy:                     # left in the midst of a clip
            mine.close()


def one_line(who: str, values: Any) -> np.ndarray:
    """Return a row or a column as (N,), or say what it is instead.

    >>> one_line("a.mat", np.zeros((1, 5))).shape
    (5,)
    """
    if isinstance(values, str) or values.size != max(values.shape, default=0):
        what = "text" if isinstance(values, str) else f"shape {values.shape}"
        raise ValueError(f"{who}: needs one row or column of numbers, got {what}. Copy the file again.")
    return values.reshape(-1)


def beside_pictures(who: str, values: Any, *, pictures: int, fs: float, notes: tuple[str, ...] = ()) -> Reference:
    """Return a label with one value for each picture of a clip; it is never stretched where they are not as many.

    >>> beside_pictures("a.mat", np.zeros(99), pictures=100, fs=30).notes
    ('99 values for 100 pictures: both are taken to begin together, at 30 a second',)
    """
    wave = one_line(who, values)
    if abs(len(wave) - pictures) > MOST_APART * pictures:
        raise ValueError(f"{who}: needs one value for each of {pictures} pictures, got {len(wave)}, so when they were "
                         f"taken is not known. Copy the file again, or leave this recording out.")
    if len(wave) != pictures:
        notes = (*notes, f"{len(wave)} values for {pictures} pictures: both are taken to begin together, "
                         f"at {fs:g} a second")
    return in_order(who, np.arange(len(wave)) / fs, wave, notes=notes)
