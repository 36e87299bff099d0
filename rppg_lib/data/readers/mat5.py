"""Files of MATLAB's fifth version: arrays of numbers and texts, a slab at a time.

SciPy reads them too, but only whole arrays as the file's numbers: four times the memory that a clip needs as bytes.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from ...video.decoder import Refusal

PIECE_BYTES = 1 << 20
SLAB_BYTES = 1 << 24
MOST_NAMES = 200
LONGEST_PART = 256                       # bytes of an array's shape or name
LONGEST_TEXT = 1000
MATRIX, PACKED = 14, 15
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8", 16: "u1",
          17: "u2", 18: "u4"}            # how the values lie in the file; the last three are texts
MEANT = {4: "text", 6: "float", 7: "float", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32",
         13: "uint32", 14: "int64", 15: "uint64"}      # what they were in MATLAB, which stores them as small as it can


def is_mat5(path: str) -> bool:
    """Tell by its head whether a file is of version 5; version 7.3 has such a head too, and is HDF5."""
    with open(path, "rb") as file:
        return file.read(128)[124:] in (b"\x00\x01IM", b"\x01\x00MI")


def _damaged(why: str) -> Refusal:
    return Refusal(f"is damaged: {why}. Copy it again.", "ValueError")


class _Plain:
    """The next bytes of a file, up to the end of an element."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left = file, size

    def read(self, size: int) -> bytes:
        got = self.file.read(size) if size <= self.left else b""
        if len(got) != size:
            raise _damaged("an array ends early")
        self.left -= size
        return got

    def finish(self) -> None:
        """There is no sum to check."""


class _Packed:
    """The same of an element that is compressed; no more is unpacked than is asked for."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left, self.packer = file, size, zlib.decompressobj()

    def read(self, size: int) -> bytes:
        parts = []
        while size:
            if self.packer.eof:
                raise _damaged("an array ends early")
            parts.append(self._unpacked(size))
            size -= len(parts[-1])
        return b"".join(parts)

    def finish(self) -> None:
        """Unpack the little that is left: the check sum of the whole lies at the end."""
        while not self.packer.eof:
            self._unpacked(PIECE_BYTES)

    def _unpacked(self, most: int) -> bytes:
        packed = self.packer.unconsumed_tail
        if not packed:
            packed = self.file.read(min(self.left, PIECE_BYTES))
            self.left -= len(packed)
        part = self.packer.decompress(packed, most)
        if not (part or packed or self.packer.eof):
            raise _damaged("an array ends early")
        return part


@dataclass(frozen=True)
class _Array:
    shape: tuple[int, ...]
    told: str
    place: int                           # of its element in the file


class Mat5:
    """The arrays of a file; what else it holds, as structures and cells, has no shape here and is not read."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "rb")     # closed when it is dropped, at the end of a task
        self.size = os.fstat(self.file.fileno()).st_size
        self.file.seek(126)
        self.order = "<" if self.file.read(2) == b"IM" else ">"
        self.arrays: dict[str, _Array] = {}
        self.damaged: set[str] = set()   # what is damaged here is damaged as a whole
        place = 128
        while place < self.size and len(self.arrays) < MOST_NAMES:
            name, array, after = self._head(place)
            if array is not None:
                self.arrays.setdefault(name, array)
            place = after

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: array.shape for name, array in self.arrays.items()}

    def told(self, name: str) -> str:
        return self.arrays[name].told

    def value(self, name: str) -> np.ndarray | str:
        """Return an array of numbers, or a text."""
        array = self.arrays[name]
        if not math.prod(array.shape):
            return "" if array.told == "text" else np.empty(array.shape)
        values = np.concatenate([values for _, values in self.clip(name)])
        if array.told == "text":
            rows = values[:LONGEST_TEXT].reshape(array.shape[0], -1, order="F")
            return " ".join("".join(chr(sign) for sign in row).strip() for row in rows.tolist())
        return values.astype("<f8").reshape(array.shape, order="F")

    def clip(self, name: str) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield an array in slabs, with their places in the order of the file: its first axis runs fastest."""
        array = self.arrays[name]
        source, _ = self._element(array.place)
        self._parts(source)
        kind, size, small = self._tag(source)
        if kind not in STORED:
            raise _damaged("an array's values are something else")
        stored = np.dtype(self.order + STORED[kind])
        if size != math.prod(array.shape) * stored.itemsize:
            raise _damaged(f"{size} bytes of values for an array of shape {array.shape}")
        for start in range(0, size, SLAB_BYTES):
            stop = min(start + SLAB_BYTES, size)
            content = source.read(stop - start) if small is None else small[:size]
            yield slice(start // stored.itemsize, stop // stored.itemsize), np.frombuffer(content, stored)
        source.finish()

    def _head(self, place: int) -> tuple[str, _Array | None, int]:
        """Return name and array of the element at a place, and the place of the next one."""
        source, after = self._element(place)
        size, flags, lengths, letters = self._parts(source)
        kind, is_complex = int(flags[0]) & 0xFF, int(flags[0]) & 0x0800
        shape = tuple(int(length) for length in lengths)
        name = bytes(letters).decode("ascii", "replace")
        if kind not in MEANT or is_complex:
            return name, None, after
        if min(shape, default=-1) < 0 or math.prod(shape) > size:
            raise _damaged(f"an array of shape {shape} does not fit into it")
        return name, _Array(shape, MEANT[kind], place), after

    def _element(self, place: int) -> tuple[Any, int]:
        self.file.seek(place)
        head = self.file.read(8)
        if len(head) < 8:
            raise _damaged("it ends early")
        kind, size = struct.unpack(f"{self.order}II", head)
        if kind not in (MATRIX, PACKED):
            raise _damaged("an array begins with something else")
        after = place + 8 + size
        if after > self.size:
            raise _damaged(f"it ends {after - self.size} bytes early")
        if kind == PACKED:
            return _Packed(self.file, size), after
        self.file.seek(place)
        return _Plain(self.file, size + 8), after

    def _tag(self, source: Any) -> tuple[int, int, bytes | None]:
        """Return kind and size of a part; of one that is up to four bytes small, the bytes too."""
        first = source.read(8)
        kind, size = struct.unpack(f"{self.order}II", first)
        if kind >> 16:
            return kind & 0xFFFF, min(kind >> 16, 4), first[4:]
        return kind, size, None

    def _parts(self, source: Any) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
        """Return size, flags, shape and name, after which the values follow; of no array, the flags."""
        kind, whole, _ = self._tag(source)
        none = np.empty(0, np.uint8)
        parts: list[np.ndarray] = []
        for wanted, dtype, least in ((6, "u4", 8), (5, "i4", 8), (1, "u1", 0)):
            if parts and int(parts[0][0]) & 0xFF not in MEANT:
                return whole, parts[0], none, none
            part, size, small = self._tag(source)
            if kind != MATRIX or part != wanted or not least <= size <= LONGEST_PART:
                raise _damaged("an array's head is something else")
            content = small[:size] if small is not None else source.read(size + -size % 8)[:size]
            parts.append(np.frombuffer(content[:size - size % int(dtype[1])], self.order + dtype))
        return whole, *parts
