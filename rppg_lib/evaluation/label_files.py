"""Read anyone's contact labels: from files, or from a store of clips. What cannot be read is named, not fatal.

``.csv``
    One recording per file; a folder of them is a set. A header names the column ``label`` and ``time_s`` (even
    steps) or ``fs``; ``subject`` is optional, and so are ``r``, ``g``, ``b`` (``R``, ``red`` ...): the mean colour of
    the skin in the video frames of the same times.

``.npz``
    ``label`` is ``(T,)`` or ``(recordings, T)``, or each recording has an array ``label/NAME``; ``fs`` is one number,
    or ``fs/NAME``; optional ``rgb`` or ``rgb/NAME`` ``(T, 3)``, ``subject`` or ``subject/NAME``.

A store of clips
    The folder that ``rppg simulate`` or :func:`rppg_lib.data.build_store` made.

Nothing is unpickled: a file cannot run code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..data.manifest import MANIFEST
from ..types import Clip, check_fs
from .wave_files import check_way_round, only_value, rate_of, read_arrays, read_table

COLOURS = ({"r", "red"}, {"g", "green"}, {"b", "blue"})
PARTS = ("label", "fs", "rgb", "subject")
PICTURES_AT_ONCE = 64


@dataclass(frozen=True, eq=False, kw_only=True)
class Labelled:
    """A contact wave ``(T,)``, which may hold NaN, and the skin colours ``(T, 3)`` of the same frames if known."""

    name: str
    fs: float
    label: np.ndarray
    rgb: np.ndarray | None = None
    subject: str = ""                    # who it is; by default somebody of their own

    def __post_init__(self) -> None:
        who = f"labels: {self.name}"
        object.__setattr__(self, "subject", self.subject or self.name)
        object.__setattr__(self, "fs", check_fs(who, self.fs))
        object.__setattr__(self, "label", _numbers(f"{who}, label", self.label))
        if self.label.ndim != 1 or not len(self.label):
            raise ValueError(f"{who}: needs one wave (T,), got shape {self.label.shape}.")
        if self.rgb is not None:
            object.__setattr__(self, "rgb", _numbers(f"{who}, rgb", self.rgb))
            if self.rgb.shape != (len(self.label), 3):
                raise ValueError(f"{who}: needs one colour (T, 3) per value of the label, {len(self.label)}, got shape "
                                 f"{self.rgb.shape}. Resample the label onto the frames.")

    @classmethod
    def of(cls, clip: Clip) -> Labelled:
        """Return the label of a clip beside its colour trace, or beside the mean colour of its pictures."""
        if clip.label is None:
            raise ValueError(f"labels: {clip.id} has no label.")
        rgb = clip.rgb if clip.rgb is not None else _mean_colours(clip.frames)
        return cls(name=clip.id, fs=clip.fs, label=clip.label, rgb=rgb, subject=clip.subject)


@dataclass(frozen=True)
class Unread:
    """A recording that could not be read, and why."""

    name: str
    why: str


def read_labels(path: str | Path, *, fs: float | None = None) -> Iterator[Labelled | Unread]:
    """Yield the recordings of a file, a folder of files or a store (layout: see the module), one at a time.

    Args:
        path: an ``.npz``, a ``.csv``, a folder of ``.csv`` or a store of clips.
        fs: of files that do not say it.
    """
    path = Path(path)
    if is_store(path):
        return _from_store(path)
    if path.is_dir():
        files = _tables(path)
        if not files:
            stores = sorted(child.name for child in path.iterdir() if is_store(child))
            raise FileNotFoundError(f"labels: folder {path} holds no .csv file, and is no store of clips. "
                                    + (f"It holds {len(stores)} of them: {', '.join(stores[:5])}. Name one." if stores
                                       else "One recording per file is expected."))
        return (_or_unread(file.stem, lambda file=file: _from_csv(file, fs)) for file in files)
    if not path.exists():
        raise FileNotFoundError(f"labels: there is no file {path}. Expected an .npz, a .csv, a folder of .csv files "
                                f"or a store of clips.")
    if path.suffix.lower() == ".npz":
        return _from_npz(path, fs)
    if path.suffix.lower() == ".csv":
        return iter([_from_csv(path, fs)])
    raise ValueError(f"labels: {path.name} is neither .npz nor .csv nor a folder. 'rppg labels --help' shows the "
                     f"layout.")


def count_labels(path: str | Path) -> int | None:
    """Return how many recordings a folder or a store holds; None for one file."""
    path = Path(path)
    if is_store(path):
        from ..data import ClipStore

        store = ClipStore.open(path)
        return len(store) + len(store.failed)
    return len(_tables(path)) if path.is_dir() else None


def _tables(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir()
                  if file.suffix.lower() == ".csv" and file.is_file() and not file.name.startswith("."))


def is_store(path: Path) -> bool:
    """Say whether a folder is a finished store of clips."""
    return (path / MANIFEST).is_file()


def _or_unread(name: str, read) -> Labelled | Unread:
    try:
        return read()
    except (ValueError, TypeError, OSError) as error:
        return Unread(name, " ".join(str(error).removeprefix("labels: ").split()))


def _from_store(path: Path) -> Iterator[Labelled | Unread]:
    from ..data import ClipStore

    store = ClipStore.open(path)
    for failed in store.failed:
        yield Unread(failed["id"], f"was not made when the store was built: {failed['error']}")
    for record in store.records:
        yield _or_unread(record.id, lambda record=record: Labelled.of(store.clip(record)))


def _from_csv(path: Path, fs: float | None) -> Labelled:
    who = f"labels: {path.name}"
    table = read_table(who, path, needed="label and time_s")
    if "label" not in table:
        raise ValueError(f"{who} needs a column label, got {', '.join(table)}.")
    if "time_s" in table:
        fs = rate_of(who, table["time_s"])
    elif "fs" in table:
        fs = only_value(who, table["fs"])
    elif fs is None:
        raise ValueError(f"{who} needs a column time_s or fs, got {', '.join(table)}. Or say --fps.")
    subject = only_value(who, table["subject"]) if "subject" in table else None
    found = [[column for column in table if column.lower() in names] for names in COLOURS]
    rgb = table[[names[0] for names in found]].to_numpy() if all(len(names) == 1 for names in found) else None
    return Labelled(name=path.stem, fs=fs, label=table["label"].to_numpy(), rgb=rgb,
                    subject="" if subject is None else str(subject))


def _from_npz(path: Path, fs: float | None) -> Iterator[Labelled | Unread]:
    arrays = read_arrays(f"labels: {path.name}", path, advice="Save it with np.savez.")
    mark = "/" if "label" in arrays or any(key.startswith("label/") for key in arrays) else "_"
    names = [key[len("label" + mark):] for key in arrays if key.startswith("label" + mark)]
    if not names and "label" not in arrays:
        raise ValueError(f"labels: {path.name} has no array label and none label/NAME; it has "
                         f"{', '.join(arrays) or 'nothing'}.")
    if names and "label" in arrays:
        raise ValueError(f"labels: {path.name} has label beside arrays of single recordings ({', '.join(names[:5])}). "
                         f"Use one layout or the other.")
    if names:
        found = [{part: _of_record(arrays, part, mark + name, k, len(names)) for part in PARTS}
                 for k, name in enumerate(names)]
    elif np.ndim(arrays["label"]) == 2:
        count = len(arrays["label"])
        _check_matrix(path, arrays, fs)
        names = [f"{path.stem}[{k}]" for k in range(count)]
        found = [{part: _one_of(arrays.get(part), k, count) for part in PARTS} for k in range(count)]
    else:
        names, found = [path.stem], [{part: arrays.get(part) for part in PARTS}]
    return (_or_unread(name, lambda name=name, parts=parts: _labelled(path, name, parts, fs))
            for name, parts in zip(names, found))


def _check_matrix(path: Path, arrays: dict[str, np.ndarray], fs: float | None) -> None:
    """Refuse labels ``(T, recordings)``. Anything else is left to each recording."""
    who = f"labels: {path.name}, label"
    rates = pd.to_numeric(np.ravel(arrays.get("fs", np.nan if fs is None else fs)), errors="coerce")
    if np.isfinite(rates).any():
        check_way_round(who, _numbers(who, arrays["label"]), fs=float(np.nanmin(rates)))


def _of_record(arrays: dict[str, np.ndarray], part: str, ending: str, k: int, count: int) -> np.ndarray | None:
    """Return a part of a recording: its own array, or of one that is shared by all or lists them in order."""
    own = arrays.get(part + ending)
    return own if own is not None else _one_of(arrays.get(part), k, count)


def _one_of(values: np.ndarray | None, k: int, count: int) -> np.ndarray | None:
    return values[k] if values is not None and np.ndim(values) and len(values) == count else values


def _labelled(path: Path, name: str, parts: dict[str, np.ndarray | None], fs: float | None) -> Labelled:
    rate = fs if parts["fs"] is None else parts["fs"]
    if rate is None:
        raise ValueError(f"labels: {path.name} has no fs, the values per second. Add it, or say --fps.")
    if np.size(rate) != 1:
        raise ValueError(f"labels: {path.name}, {name}: fs must be one number, got {np.size(rate)}.")
    subject = name if np.size(parts["subject"]) != 1 or parts["subject"] is None else str(np.ravel(parts["subject"])[0])
    return Labelled(name=name, fs=np.ravel(rate)[0], label=parts["label"], rgb=parts["rgb"], subject=subject)


def _numbers(who: str, values: np.ndarray) -> np.ndarray:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            array = np.asarray(pd.to_numeric(np.ravel(array))).reshape(array.shape)
        return array.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{who}: needs real numbers ({error}).") from None


def _mean_colours(frames: np.ndarray) -> np.ndarray:
    """Return the mean colour of each picture ``(T, H, W, 3) -> (T, 3)``, a few pictures in memory at a time."""
    starts = range(0, len(frames), PICTURES_AT_ONCE)
    return np.concatenate([np.asarray(frames[k:k + PICTURES_AT_ONCE]).mean((1, 2)) for k in starts])
