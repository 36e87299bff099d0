"""Arrays as files: ``.npy`` with a header of fixed length, so that any part can be read or written without the rest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

HEADER_BYTES = 128
TYPES = {"frames": "|u1", "rgb": "<f8", "label": "<f8", "clean": "<f8"}
"""The arrays that a recording may have, and their types."""


def header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return the first bytes of a ``.npy`` file (format 1.0), always 128 of them.

    >>> header("|u1", (300, 72, 72, 3))[10:72]
    b"{'descr': '|u1', 'fortran_order': False, 'shape': (300, 72, 72"
    """
    told = repr({"descr": dtype, "fortran_order": False, "shape": tuple(map(int, shape))}).encode("latin1")
    return b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little") + told.ljust(HEADER_BYTES - 11) + b"\n"


def size_in_bytes(dtype: str, shape: tuple[int, ...]) -> int:
    """Return how long the file of such an array is."""
    length = HEADER_BYTES + np.dtype(dtype).itemsize
    for extent in shape:                                     # Python's integers: those of NumPy overflow
        length = HEADER_BYTES + (length - HEADER_BYTES) * extent
    return length


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def array_digest(array: np.ndarray, *, name: str) -> str:
    """SHA-256 of the file that an array would make, without making it.

    Args:
        name: one of ``TYPES``.
    """
    array = np.ascontiguousarray(array, dtype=TYPES[name])
    digest = hashlib.sha256(header(TYPES[name], array.shape))
    digest.update(array)
    return digest.hexdigest()


def write_array(path: Path, array: np.ndarray, *, name: str) -> None:
    """Write a whole array."""
    array = np.ascontiguousarray(array, dtype=TYPES[name])
    with path.open("wb") as file:
        file.write(header(TYPES[name], array.shape))
        file.write(array.data)
        _to_disk(file)


def write_frames(path: Path, frames: Iterable[np.ndarray], *, size_px: tuple[int, int]) -> int:
    """Write pictures one by one as they come, and return how many there were. Never are two of them in memory.

    Args:
        path: of the file.
        frames: each ``(H, W, 3)`` uint8.
        size_px: width and height.
    """
    shape, count = (size_px[1], size_px[0], 3), 0
    with path.open("wb") as file:
        file.write(header(TYPES["frames"], (0, *shape)))
        for frame in frames:
            if frame.shape != shape or frame.dtype != np.uint8:
                raise ValueError(f"needs pictures (H, W, 3) = {shape} of uint8, got {frame.shape} of {frame.dtype} "
                                 f"at frame {count}.")
            file.write(np.ascontiguousarray(frame).data)
            count += 1
        file.seek(0)
        file.write(header(TYPES["frames"], (count, *shape)))
        _to_disk(file)
    return count


def mapped(path: Path, *, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array that stays on disk and is read where it is touched. Nothing is unpickled.

    Raises:
        ValueError: if the file is not this array's.
    """
    expected = size_in_bytes(TYPES[name], shape)
    with path.open("rb") as file:
        found = file.read(HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
    if size != expected or found != header(TYPES[name], shape):
        raise ValueError(f"{path.name} is not the array {shape} of {TYPES[name]} that it should be "
                         f"({size} bytes instead of {expected}, or another header)")
    return np.memmap(path, dtype=TYPES[name], mode="r", offset=HEADER_BYTES, shape=shape)


def read_into(path: Path, out: np.ndarray, *, start: int) -> None:
    """Fill ``out`` with the pictures of a file from number ``start`` on, straight from the file.

    A map of the file would need one open file per recording, and training touches thousands of them.
    """
    with path.open("rb", buffering=0) as file:
        file.seek(HEADER_BYTES + start * out[0].nbytes)
        view, got = memoryview(out).cast("B"), 0
        while got < len(view):
            more = file.readinto(view[got:])
            if not more:
                raise ValueError(f"{path} ends too early: it was cut off after it was opened. Build the store again.")
            got += more


def _to_disk(file) -> None:
    file.flush()
    os.fsync(file.fileno())
