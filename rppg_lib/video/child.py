"""The parent's side of the decoding process: start it, hear it, wait with a limit, end it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from .decoder import HEADER

SILENCE_S = 10.0                         # longest wait for the next message
START_S = 60.0                           # a cold disk or a virus scanner can make Python itself slow to start
LARGEST_MESSAGE = 400_000_000
PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031                      # Linux; the fcntl module names it from Python 3.10 on, other systems lack it


class Stopped(Exception):
    """The child ended or was ended without a word; the text says how."""


class Child:
    """One decoding process. ``hear`` returns its next message, or raises Stopped."""

    def __init__(self, task: dict) -> None:
        package_home = str(Path(__file__).resolve().parents[2])
        paths = [package_home, *filter(None, [os.environ.get("PYTHONPATH")])]
        # -P: a file called numpy.py in the working folder must not be taken for NumPy.
        command = [sys.executable, "-P", "-m", "rppg_lib.video.decoder", json.dumps(task)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1",
                 "OPENBLAS_NUM_THREADS": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0))
        self.owner = os.getpid()
        self.timed_out = False
        self._deadline: float | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._header = bytearray(HEADER.size)
        with contextlib.suppress(ImportError, OSError):
            import fcntl
            fcntl.fcntl(self.process.stdout.fileno(), F_SETPIPE_SZ, PIPE_BYTES)
        threading.Thread(target=self._watch, daemon=True, name="video child watch").start()

    def _watch(self) -> None:
        """Kill the child when a message is overdue; sleeps until then."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                if self._deadline is not None and now >= self._deadline:
                    self.timed_out = True
                    self.process.kill()
                    return
                # The first message may take longer than the next: who sleeps until its deadline misses theirs.
                self._changed.wait(min(SILENCE_S / 2, float("inf") if self._deadline is None else self._deadline - now))

    def go(self) -> None:
        """Ask for the pictures."""
        with contextlib.suppress(OSError):
            self.process.stdin.write(b"g")

    def hear(self, *, limit_s: float | None = None) -> tuple[bytes, tuple[int, int, int], float, np.ndarray]:
        """Return tag, counts, time and payload (uint8) of the next message."""
        self._deadline = time.monotonic() + (limit_s or SILENCE_S)
        try:
            self._fill(memoryview(self._header))
            tag, *counts, time_s, size = HEADER.unpack(self._header)
            if size > LARGEST_MESSAGE:
                raise Stopped(f"the decoder sent {size} bytes where a picture was expected")
            payload = np.empty(size, np.uint8)
            if size:
                self._fill(payload.data)
        finally:
            self._deadline = None
        return tag, tuple(counts), time_s, payload

    def _fill(self, view: memoryview) -> None:
        while view.nbytes:
            try:
                got = self.process.stdout.readinto(view)
            except (OSError, ValueError):                            # closed under our hands
                got = 0
            if not got:
                raise Stopped(self._how_it_ended())
            view = view[got:]

    def _how_it_ended(self) -> str:
        if self.timed_out:
            return f"the decoder stopped answering for {SILENCE_S:g} s"
        try:
            code = self.process.wait(2)
        except subprocess.TimeoutExpired:
            return "the decoder closed its output"
        if code < 0:
            return f"the decoder crashed (signal {-code})"
        return f"the decoder ended without a word (exit code {code})"

    def close(self) -> None:
        """End the child, if it still runs, and leave no zombie. Safe to call twice, and from a forked process."""
        if self.owner != os.getpid() or self._closed:
            return
        self._closed = True
        if self.process.poll() is None:
            self.process.kill()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(OSError):
            self.process.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        with self._changed:
            self._changed.notify_all()
