"""What a clip store says about itself: a manifest in JSON that is checked, since others may have written it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..types import check_fs
from .arrays import TYPES, size_in_bytes

FORMAT = 1
KIND = "rppg clip store"
SAME_RATE = 1.01e-3
"""Rates that differ by no more than this share are one: 30000/1001, called 29.97, and 30 are, whichever comes first."""
MANIFEST, RECORDINGS, RECORD = "manifest.json", "recordings", "recording.json"

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Broken(ValueError):
    """What a manifest says cannot be."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One recording of a store, without its arrays."""

    folder: str                          # its name below ``recordings``
    id: str
    subject: str
    dataset: str
    condition: str
    fs: float
    frames: int                          # how many
    size_px: tuple[int, int]             # width and height
    facts: dict[str, Any]                # what is known of it: of simulated ones the true heart rate
    settings: dict[str, Any]             # all that decided its content
    digest: str                          # of id, subject and settings
    sha256: dict[str, str]               # of each array's file: frames, and rgb, label, clean where there are such

    @property
    def may_show_faces(self) -> bool:
        """Whether figures may show its pictures: simulated people's, and those of whom it is told."""
        return self.dataset == "simulated" or self.facts.get("may_show_faces") is True

    @property
    def seconds(self) -> float:
        return self.frames / self.fs

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of one of its arrays."""
        width, height = self.size_px
        return {"frames": (self.frames, height, width, 3), "rgb": (self.frames, 3)}.get(name, (self.frames,))

    def bytes(self, name: str) -> int:
        """Return how long the file of one of its arrays is."""
        return size_in_bytes(TYPES[name], self.shape(name))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: Any) -> Record:
        """Return the record that a manifest tells of, or say what cannot be."""
        try:
            record = cls(**{**told, "size_px": tuple(told["size_px"]), "fs": check_fs("fs", told["fs"])})
            counts = (record.frames, *record.size_px)
            texts = (record.folder, record.id, record.subject, record.dataset, record.condition, record.digest)
            hashes = record.sha256.values()
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise Broken(f"a recording's entry is not one ({_short(error)})") from None
        who = f"recording {str(record.id)[:60]!r}"
        if not all(isinstance(text, str) for text in (*texts, *hashes)):
            raise Broken(f"{who}: names and digests must be text")
        if not _FOLDER.fullmatch(record.folder):
            raise Broken(f"{who}: {record.folder[:60]!r} is no name of a folder inside the store")
        if len(counts) != 3 or not all(type(count) is int and 0 < count < 2**31 for count in counts):
            raise Broken(f"{who}: frames, width and height must be whole numbers above 0, got {str(counts)[:60]}")
        if "frames" not in record.sha256 or not record.sha256.keys() <= TYPES.keys():
            raise Broken(f"{who}: arrays must be frames and some of {', '.join(TYPES)}, "
                         f"got {', '.join(record.sha256)[:60]}")
        if not all(_SHA256.fullmatch(text) for text in hashes):
            raise Broken(f"{who}: a digest is not a SHA-256")
        if not isinstance(record.facts, dict) or not isinstance(record.settings, dict):
            raise Broken(f"{who}: facts and settings must be tables")
        return record

    def misplaced(self, recordings: Path) -> str:
        """Return what is wrong with its files, judged by where they are and how long; empty if nothing is."""
        inside = recordings.resolve()
        for name in self.sha256:
            path = recordings / self.folder / f"{name}.npy"
            if not path.is_file():
                return f"{self.folder}/{path.name} is missing"
            if not path.resolve().is_relative_to(inside):
                return f"{self.folder}/{path.name} is a link to a place outside of the store"
            if (size := path.stat().st_size) != self.bytes(name):
                return f"{self.folder}/{path.name} has {size} bytes instead of {self.bytes(name)}"
        return ""


def digest_of(value: Any, *, who: str) -> str:
    """SHA-256 of a value as JSON, whose tables have no order.

    >>> digest_of({"a": 1, "b": (2, 3)}, who="me") == digest_of({"b": [2, 3], "a": 1}, who="me")
    True
    """
    try:
        return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=False).encode()).hexdigest()
    except (TypeError, ValueError) as error:
        raise TypeError(f"{who}: settings must be what JSON can hold, so that they can be compared; {error}. "
                        f"Use numbers, text, lists and dicts.") from None


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, or say that it holds none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Broken(f"it is not JSON ({_short(error)})") from None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
