"""Read anyone's predictions from a file.

``.npz``
    ``fs`` is one number. Either ``pred`` and ``label`` are ``(T,)`` or ``(records, T)``; or each record has its own
    arrays ``pred/NAME`` and ``label/NAME`` (``pred_NAME`` works too), which may differ in length, and, where rates
    differ, ``fs/NAME``. ``subject`` (one per record) or ``subject/NAME`` say who it is; without them every record
    counts as its own subject.

``.csv``
    One record per file; a folder of them is a set. A header names the columns ``pred``, ``label`` and ``time_s``
    (even steps), or ``fs`` instead of ``time_s``; ``subject`` is optional.

Nothing is unpickled: a file cannot run code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..types import check_fs
from .wave_files import check_way_round, only_value, rate_of, read_arrays, read_table

PARTS = ("pred", "label", "fs", "subject")


@dataclass(frozen=True, eq=False)
class Prediction:
    """An estimated waveform beside its label, both ``(T,)`` at ``fs``; they may hold NaN."""

    name: str
    subject: str
    fs: float
    pred: np.ndarray
    label: np.ndarray


def read_predictions(path: str | Path) -> list[Prediction]:
    """Return the records of an ``.npz``, a ``.csv`` or a folder of ``.csv`` files (layout: see the module)."""
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".csv" and file.is_file()
                       and not file.name.startswith("."))
        if not files:
            raise FileNotFoundError(f"score: folder {path} holds no .csv file. One record per file is expected.")
        return [_from_csv(file) for file in files]
    if not path.exists():
        raise FileNotFoundError(f"score: there is no file {path}. Expected an .npz, a .csv or a folder of .csv files.")
    readers = {".npz": _from_npz, ".csv": lambda file: [_from_csv(file)]}
    if path.suffix.lower() not in readers:
        raise ValueError(f"score: {path.name} is neither .npz nor .csv. Save your predictions as one of them; "
                         f"'rppg score --help' shows the layout.")
    return readers[path.suffix.lower()](path)


def _from_npz(path: Path) -> list[Prediction]:
    arrays = read_arrays(f"score: {path.name}", path, advice="Save it with np.savez; records of different lengths go "
                         "into arrays of their own, pred/NAME and label/NAME.")
    names = _names(path, arrays)
    if names:
        parts = {part: _parts(path, arrays, part, names) for part in PARTS}
        return [_record(path, name, {part: parts[part][k] for part in PARTS}) for k, name in enumerate(names)]
    missing = [part for part in PARTS[:3] if part not in arrays]
    if missing:
        raise ValueError(f"score: {path.name} has no array {' and no '.join(map(repr, missing))}; "
                         f"it has {', '.join(arrays) or 'nothing'}. Needed: pred, label and fs.")
    return _from_matrix(path, arrays)


def _from_matrix(path: Path, arrays: dict[str, np.ndarray]) -> list[Prediction]:
    pred, label = (np.atleast_2d(arrays[part]) for part in ("pred", "label"))
    if pred.shape != label.shape or pred.ndim != 2 or not pred.size:
        raise ValueError(f"score: {path.name}: pred and label must both be (T,) or (records, T), "
                         f"got {arrays['pred'].shape} and {arrays['label'].shape}. "
                         f"Reshape them, or resample the label onto the frames.")
    rates = np.ravel(arrays["fs"])
    if len(rates) not in (1, len(pred)):
        raise ValueError(f"score: {path.name}: fs must be one number, or one per record ({len(pred)}), "
                         f"got {len(rates)}.")
    subjects = np.ravel(arrays["subject"]) if "subject" in arrays else [None] * len(pred)
    if len(subjects) != len(pred):
        raise ValueError(f"score: {path.name}: subject must have one name per record ({len(pred)}), "
                         f"got {len(subjects)}.")
    records = zip(pred, label, np.broadcast_to(rates, len(pred)), subjects)
    found = [_record(path, f"{path.stem}[{i}]", dict(zip(PARTS, parts))) for i, parts in enumerate(records)]
    check_way_round(f"score: {path.name}, pred and label", np.stack([record.label for record in found]),
                    fs=min(record.fs for record in found))
    return found


def _names(path: Path, arrays: dict[str, np.ndarray]) -> list[str]:
    """Return the names of records that have arrays of their own, in order; none for the plain layout."""
    plain = {"pred", "label"} <= set(arrays)
    marks = ("/",) if plain else ("/", "_")                          # beside a plain pair, pred_x is something else
    found = {part: [key[len(part) + 1:] for key in arrays if key.startswith(tuple(part + mark for mark in marks))]
             for part in ("pred", "label")}
    if plain and any(found.values()):
        raise ValueError(f"score: {path.name} has pred and label beside arrays of single records "
                         f"({', '.join(found['pred'] or found['label'])}). Use one layout or the other.")
    names = found["pred"]
    twice = {name for part in found.values() for name in part if part.count(name) > 1}
    alone = set(names) ^ set(found["label"])
    if twice or alone:
        what = "two arrays for" if twice else "only one of pred and label for"
        what += f" {', '.join(sorted(twice or alone))}"
        raise ValueError(f"score: {path.name} has {what}. Each record needs pred/NAME and label/NAME, once.")
    return names


def _parts(path: Path, arrays: dict[str, np.ndarray], part: str, names: list[str]) -> list:
    """Return one part of each record: its own array, or of one that is shared by all or lists them in order."""
    shared = np.ravel(arrays[part]) if part in arrays else np.zeros(0)
    if len(shared) not in (0, 1, len(names)):
        raise ValueError(f"score: {path.name}: {part} must have one value, or one per record ({len(names)}), "
                         f"got {len(shared)}.")
    values = []
    for k, name in enumerate(names):
        own = [arrays[key] for key in (f"{part}/{name}", f"{part}_{name}") if key in arrays]
        values.append(own[0] if own else shared[min(k, len(shared) - 1)] if len(shared) else None)
    return values


def _from_csv(path: Path) -> Prediction:
    who = f"score: {path.name}"
    table = read_table(who, path, needed="time_s, pred, label")
    again = [column for column in table if column.removesuffix(".1") in PARTS and column.endswith(".1")]
    if again:
        raise ValueError(f"{who} names the column {again[0][:-2]} twice. Leave one.")
    missing = [column for column in ("pred", "label") if column not in table]
    if missing or not {"time_s", "fs"} & set(table):
        raise ValueError(f"{who} needs the columns pred, label and time_s (or fs), "
                         f"got {', '.join(table)}.")
    fs = rate_of(who, table.time_s) if "time_s" in table else only_value(who, table.fs)
    subject = only_value(who, table.subject) if "subject" in table else None
    return _record(path, path.stem, {"pred": table.pred, "label": table.label, "fs": fs, "subject": subject})


def _record(path: Path, name: str, parts: dict) -> Prediction:
    who = f"score: {path.name}, record {name}"
    for part in PARTS[:3]:
        if parts[part] is None:
            raise ValueError(f"{who}: no {part!r} came with it. Needed: pred, label and fs.")
    if np.size(parts["fs"]) != 1:
        raise ValueError(f"{who}: fs must be one number, got {np.size(parts['fs'])}.")
    fs = check_fs(who, np.ravel(parts["fs"])[0])
    try:
        pred, label = (np.asarray(parts[part]).astype(float, casting="same_kind") for part in ("pred", "label"))
    except (TypeError, ValueError):
        raise ValueError(f"{who}: pred and label must be real numbers.") from None
    if pred.ndim != 1 or pred.shape != label.shape or not len(pred):
        raise ValueError(f"{who}: pred and label must be equally long (T,), got {pred.shape} and {label.shape}. "
                         f"Resample the label onto the frames.")
    subject = parts["subject"]
    return Prediction(name, name if subject is None else str(np.ravel(subject)[0]), fs, pred, label)
