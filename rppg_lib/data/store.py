"""Clips on disk for training: pictures as uint8, traces and labels beside them, a manifest that vouches for all."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..types import Clip, Lent
from .arrays import file_digest, mapped, read_into
from .manifest import FORMAT, KIND, MANIFEST, RECORDINGS, Broken, Record, digest_of, read_json

AGAIN = "Build the store again: what is whole in it is kept."


class ClipStore:
    """A store of clips that :func:`~rppg_lib.data.build_store` has made. Open one with :meth:`open`.

    >>> import tempfile; folder = tempfile.TemporaryDirectory()
    >>> from rppg_lib.data import build_store, simulated_sources
    >>> sources = simulated_sources(2, scenes=["still"], seconds=2, size_px=16)
    >>> store = build_store(sources, folder.name, name="tiny", jobs=1, progress=False)
    >>> store
    ClipStore('tiny-...', 2 recordings of 2 people, 120 frames, 0.1 MB)
    >>> store.clip(0)
    Clip('sim0000 still 0', 2.0 s at 30 fps, rgb (60, 3), frames (60, 16, 16, 3))
    >>> ClipStore.open(store.path).subjects
    ('sim0000', 'sim0001')

    Attributes:
        path: its folder.
        manifest: all that it says about itself.
        records: one :class:`~rppg_lib.data.Record` per recording, in the order of the sources.
        failed: what could not be made: ``id``, ``subject`` and ``error`` of each.
    """

    def __init__(self, path: Path, manifest: dict[str, Any], records: tuple[Record, ...]) -> None:
        self.path, self.manifest, self.records = path, manifest, records
        self.failed: list[dict[str, str]] = manifest["failed"]

    @classmethod
    def open(cls, path: str | Path) -> ClipStore:
        """Open a store. Sizes of files are compared with the manifest; :meth:`verify` reads them.

        Raises:
            FileNotFoundError: if there is none, or one that was never finished.
            ValueError: if it is broken, or of another format.
        """
        path = Path(path)
        if not (path / MANIFEST).is_file():
            raise FileNotFoundError(f"ClipStore.open: needs the folder of a clip store, {path} {_instead(path)}")
        try:
            return cls(path, *_checked(path))
        except Broken as error:
            raise ValueError(f"ClipStore.open: {path / MANIFEST} cannot be trusted: {error}. {AGAIN}") from None

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        lost = f"; {len(self.failed)} failed" if self.failed else ""
        return (f"ClipStore({self.path.name!r}, {len(self)} recordings of {len(self.subjects)} people, "
                f"{sum(record.frames for record in self.records)} frames, {self.bytes / 1e6:.1f} MB{lost})")

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Everybody in it, in alphabetical order."""
        return tuple(sorted({record.subject for record in self.records}))

    @property
    def bytes(self) -> int:
        """What its arrays take on disk."""
        return sum(record.bytes(name) for record in self.records for name in record.sha256)

    @cached_property
    def content_hash(self) -> str:
        """One digest of everything that the recordings hold."""
        return digest_of([[r.id, r.subject, r.fs, r.sha256] for r in self.records], who="ClipStore")

    def clip(self, which: int | str | Record, *, clean: bool = False) -> Clip:
        """Return a recording as a clip whose pictures stay on disk until they are touched.

        Args:
            which: a number, an id or a record.
            clean: with the true pulse as label, where the label is that of a faulty sensor.
        """
        record = self._record(which)
        names = [name for name in record.sha256 if name != "clean"]
        arrays = {name: self._array(record, name) for name in names}
        if clean and "clean" in record.sha256:
            arrays["label"] = self._array(record, "clean")
        if not record.may_show_faces:
            arrays["frames"] = arrays["frames"].view(Lent)
        return Clip(id=record.id, subject=record.subject, dataset=record.dataset, condition=record.condition,
                    fs=record.fs, **arrays)

    def label(self, which: int | str | Record) -> np.ndarray | None:
        """Return the label ``(T,)`` alone, in memory; None where there is none."""
        record = self._record(which)
        return np.array(self._array(record, "label")) if "label" in record.sha256 else None

    def read_frames(self, which: int | str | Record, out: np.ndarray, *, start: int) -> None:
        """Fill ``out`` ``(n, H, W, 3)`` uint8 with the pictures from number ``start`` on."""
        read_into(self._file(self._record(which), "frames"), out, start=start)

    def verify(self) -> None:
        """Read every file and compare it with its digest.

        Raises:
            ValueError: naming the recordings that are not what they were.
        """
        damaged = [record.id for record in self.records
                   if any(file_digest(self._file(record, name)) != told for name, told in record.sha256.items())]
        if damaged:
            raise ValueError(f"ClipStore.verify: {len(damaged)} of {len(self)} recordings in {self.path} are not what "
                             f"they were when made: {', '.join(damaged[:10])}{' ...' if len(damaged) > 10 else ''}. "
                             f"Delete the folder and build the store again.")

    def _record(self, which: int | str | Record) -> Record:
        if isinstance(which, Record):
            return which
        if isinstance(which, str):
            if which not in self._by_id:
                raise KeyError(f"ClipStore: has no recording {which!r}. The first are "
                               f"{', '.join(record.id for record in self.records[:3])}.")
            return self._by_id[which]
        return self.records[which]

    @cached_property
    def _by_id(self) -> dict[str, Record]:
        return {record.id: record for record in self.records}

    def _file(self, record: Record, name: str) -> Path:
        return self.path / RECORDINGS / record.folder / f"{name}.npy"

    def _array(self, record: Record, name: str) -> np.ndarray:
        try:
            return mapped(self._file(record, name), name=name, shape=record.shape(name))
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(f"ClipStore: recording {record.id!r} in {self.path} is damaged: {error}. "
                             f"{AGAIN}") from None


def _checked(path: Path) -> tuple[dict[str, Any], tuple[Record, ...]]:
    """Return manifest and records of a store, each of whose files is where it should be and as long as it should."""
    manifest = read_json(path / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise Broken("it is not the manifest of a clip store")
    if manifest.get("format") != FORMAT:
        raise Broken(f"it has format {manifest.get('format')!r}, and this version reads format {FORMAT}")
    told, failed = manifest.get("recordings"), manifest.get("failed")
    if not isinstance(told, list) or not isinstance(failed, list) or not all(
            isinstance(row, dict) and {"id", "error"} <= row.keys() for row in failed):
        raise Broken("it has no lists of recordings and of failures")
    records = tuple(Record.from_json(row) for row in told)
    if not records:
        raise Broken("it names no recording")
    if len({record.id for record in records}) < len(records):
        raise Broken("two recordings have the same id")
    for record in records:
        if problem := record.misplaced(path / RECORDINGS):
            raise Broken(problem)
    return manifest, records


def _instead(path: Path) -> str:
    """Say what is there instead of a store, and what to do."""
    if not path.is_dir():
        return "does not exist. Build one with build_store, or with 'rppg simulate'."
    if (path / RECORDINGS).is_dir():
        return "is one that was not finished. Build it again: what is whole in it is kept."
    if inside := sorted(child.name for child in path.iterdir() if (child / MANIFEST).is_file()):
        return f"holds {len(inside)} of them: {', '.join(inside[:5])}. Name one."
    return "holds none. Build one with build_store, or with 'rppg simulate'."
