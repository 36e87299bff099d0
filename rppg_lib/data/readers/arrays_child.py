"""The child process that opens files of arrays for :mod:`.arrays_file`, and nothing else.

Clips are stored with time running fastest, so no picture is complete before nearly all of the file was read. A file is
therefore taken in slabs, and each turned into bytes at once: a minute of MMPD is 1.7 GB as the file's numbers, and 0.4
GB as bytes. Then picture after picture is sent.

A task is a line of JSON. Messages look like those of :mod:`rppg_lib.video.decoder`. ``HELO`` comes after the start. A
label is ``INFO``, and ``ARRY`` for each array of numbers; a clip is ``WAIT`` while it is read, ``INFO``, and ``PICT``
for each picture. Both end with ``DONE``, or at any time with ``FAIL``.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...video.decoder import Refusal, limit_memory, send, send_json
from .mat5 import Mat5, is_mat5

MOST_VALUES = 20_000_000                 # of a label
MOST_BYTES = 1_500_000_000               # of a clip, one byte for each colour of each pixel
MOST_NAMES = 200
BLOCK_VALUES = 4_000_000
ORDERED_BYTES = 16_000_000               # pictures are put in order so many at a time, for the sake of the cache


class Hdf5:
    """Arrays at the root of an HDF5 file, MATLAB's from version 7.3 on among them."""

    def __init__(self, file: Any) -> None:
        import h5py

        self.arrays: dict[str, Any] = {}
        self.damaged: set[str] = set()
        for name in itertools.islice(file, MOST_NAMES):
            # Links, and arrays whose values lie in other files, could point anywhere.
            if not isinstance(file.get(name, getlink=True), h5py.HardLink):
                continue
            try:
                found = file[name]
            except (KeyError, OSError, RuntimeError):
                self.damaged.add(name)
                continue
            if isinstance(found, h5py.Dataset) and not (found.external or found.is_virtual):
                self.arrays[name] = found

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: each.shape or () for name, each in self.arrays.items()}

    def told(self, name: str) -> str:
        kind = self.arrays[name].dtype
        return "float" if kind.kind == "f" else str(kind)

    def value(self, name: str) -> np.ndarray:
        found = self.arrays[name]
        if found.dtype.kind not in "iufb":
            raise Refusal(f"needs numbers in {name}, got {str(found.dtype)[:60]}. Copy it again.", "ValueError")
        return np.asarray(found[()], dtype="<f8")

    def clip(self, name: str) -> Iterator[tuple[tuple[slice, ...], np.ndarray]]:
        """Yield an array in blocks, with their places; each chunk of the file is unpacked once."""
        found = self.arrays[name]
        block = [min(length, size) for length, size in zip(found.chunks or [1] * found.ndim, found.shape)]
        for axis in reversed(range(found.ndim)):            # by whole chunks, what lies together first
            block[axis] = min(block[axis] * max(1, BLOCK_VALUES // math.prod(block)), found.shape[axis])
        for starts in itertools.product(*map(range, [0] * found.ndim, found.shape, block)):
            place = tuple(slice(start, start + length) for start, length in zip(starts, block))
            yield place, found[place]


def _opened(path: str) -> Mat5 | Hdf5:
    """Return what reads a file, by its content."""
    if is_mat5(path):
        return Mat5(path)
    try:
        import h5py
    except ImportError:
        raise Refusal("is HDF5 or no file of arrays, and h5py is missing to tell. Install it with: "
                      "pip install 'rppg-lib[data]'", "ImportError") from None
    if not h5py.is_hdf5(path):
        raise Refusal("is neither HDF5 nor a MATLAB file of version 5. Copy it again.", "ValueError")
    return Hdf5(h5py.File(path, "r", locking=False))


def in_bytes(values: np.ndarray, *, told: str) -> np.ndarray:
    """Return colours as bytes: bytes as they are, figures from 0 to 1 times 255; else refuse them.

    >>> in_bytes(np.array([0, 0.5, 1]), told="float").tolist()
    [0, 128, 255]
    """
    if told == "uint8" and values.dtype == np.uint8:
        return values
    values = values.astype(np.float32, copy=False)          # bytes, too, where all of a float array are whole numbers
    low, high = float(values.min()), float(values.max())
    if told != "float" or not (low > -0.01 and high < 1.01):            # NaN, too
        raise Refusal(f"needs colours as bytes or from 0 to 1, got {told} from {low:g} to {high:g}. Copy it again.",
                      "ValueError")
    bounded = np.clip(values, 0, 1)
    bounded *= 255
    return np.rint(bounded, out=bounded).astype(np.uint8)


def _answer(task: dict[str, Any], pipe: int) -> None:
    file = _opened(task["path"])
    shapes = file.shapes()
    if "clip" in task:
        return _send_clip(file, task["clip"], shapes, pipe)
    values = {}
    for name in (*task["names"], *task["optional"]):
        if name not in shapes:
            if name in task["names"]:
                raise _lacking(file, [name])
            continue
        if math.prod(shapes[name]) > MOST_VALUES:
            raise Refusal(f"{name} has {math.prod(shapes[name])} values, more than a label has. Copy it again.",
                          "ValueError")
        values[name] = file.value(name)
    told = {name: value if isinstance(value, str) else value.shape for name, value in values.items()}
    send_json(pipe, b"INFO", {"values": told, "shapes": shapes})
    for value in values.values():
        if not isinstance(value, str):
            send(pipe, b"ARRY", np.ascontiguousarray(value, "<f8").reshape(-1).view(np.uint8))
    send(pipe, b"DONE")


def _lacking(file: Any, names: list[str]) -> Refusal:
    if broken := [name for name in names if name in file.damaged]:
        return Refusal(f"{broken[0]} is there and damaged. Copy it again.", "ValueError")
    has = ", ".join([*file.shapes()][:8])[:120] or "no arrays"
    return Refusal(f"needs {' or '.join(names)}, has {has}. Copy it again.", "ValueError")


def _send_clip(file: Any, names: list[str], shapes: dict[str, tuple[int, ...]], pipe: int) -> None:
    name = next((each for each in names if each in shapes), None)
    if name is None:
        raise _lacking(file, names)
    stored = shapes[name][::-1] if isinstance(file, Mat5) else shapes[name]
    if len(stored) != 4 or stored[0] != 3 or not 0 < math.prod(stored) <= MOST_BYTES:
        raise Refusal(f"needs {name} as (time, height, width, 3), got {tuple(stored[::-1])}. Copy it again.",
                      "ValueError")
    held = np.empty(stored, np.uint8)                       # (colour, width, height, time)
    target = held.reshape(-1) if isinstance(file, Mat5) else held
    for place, values in file.clip(name):
        target[place] = in_bytes(values, told=file.told(name))
        send(pipe, b"WAIT")                                 # at work, not hanging
    _, wide, high, count = stored
    send_json(pipe, b"INFO", {"shape": (high, wide, 3)})
    step = max(1, ORDERED_BYTES // (3 * wide * high))
    for start in range(0, count, step):
        block = np.ascontiguousarray(held[..., start:start + step].transpose(3, 2, 1, 0))
        for picture in block:
            send(pipe, b"PICT", picture.reshape(-1))
    send(pipe, b"DONE")


def _listen(tasks: queue.Queue) -> None:
    """Take in tasks; when the parent has gone, go."""
    for line in sys.stdin.buffer:
        tasks.put(line)
    os._exit(0)


def main() -> None:
    """Answer tasks until the parent ends; whatever goes wrong becomes a message."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)            # an interrupt is the parent's to handle
    # What libraries print must not get among the messages.
    pipe = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if sys.platform == "win32":
        import msvcrt
        msvcrt.setmode(pipe, os.O_BINARY)
    limit_memory()
    tasks: queue.Queue = queue.Queue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    send(pipe, b"HELO")
    while True:
        line = tasks.get()
        try:
            _answer(json.loads(line), pipe)
        except BrokenPipeError:
            os._exit(0)
        except Refusal as refusal:
            send_json(pipe, b"FAIL", {"text": str(refusal), "kind": refusal.kind})
        except MemoryError:
            send_json(pipe, b"FAIL", {"text": "asks for more memory than a recording should need (about 2 GB). "
                                              "Copy it again.", "kind": "ValueError"})
        except Exception as error:                          # libraries answer damage with errors of any kind
            send_json(pipe, b"FAIL", {"text": f"cannot be read: {' '.join(str(error).split())[:200]} "
                                              f"({type(error).__name__}). Copy it again.", "kind": "ValueError"})


if __name__ == "__main__":
    main()
