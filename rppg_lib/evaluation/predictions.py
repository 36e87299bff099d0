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

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..types import check_fs

PARTS = ("pred", "label", "fs", "subject")


@dataclass(frozen=True, eq=False)
class Prediction:
    """An estimated waveform beside its label, both ``(T,)`` at ``fs``; may hold NaN."""

    name: str
    subject: str
    fs: float
    pred: np.ndarray
    label: np.ndarray


def read_predictions(path: str | Path) -> list[Prediction]:
    """Return the records of an ``.npz``, a ``.csv`` or a folder of ``.csv`` files (layout: see the module)."""
    path = Path(path)
    if path.is_dir():
        files = sorted(path.glob("*.csv"))
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
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise ValueError(f"score: {path.name} cannot be read as .npz with plain arrays ({str(error).rstrip('.')}). Save it "
                         f"with np.savez; records of different lengths go into arrays of their own, pred/NAME and label/NAME.") from None
    names = [key[5:] for key in arrays if key.startswith(("pred/", "pred_"))]
    if names:
        return [_record(path, name, {part: _part(arrays, part, name) for part in PARTS}) for name in names]
    missing = [part for part in PARTS[:3] if part not in arrays]
    if missing:
        raise ValueError(f"score: {path.name} has no array {' and no '.join(map(repr, missing))}; it has {', '.join(arrays) or 'nothing'}. "
                         f"Needed: pred, label and fs.")
    pred, label = (np.atleast_2d(arrays[part]) for part in ("pred", "label"))
    if pred.shape != label.shape or pred.ndim != 2:
        raise ValueError(f"score: {path.name}: pred and label must both be (T,) or (records, T), got {arrays['pred'].shape} "
                         f"and {arrays['label'].shape}. Resample the label onto the frames.")
    rates = np.broadcast_to(np.ravel(arrays["fs"]), (len(pred),)) if np.size(arrays["fs"]) in (1, len(pred)) else arrays["fs"]
    if len(rates) != len(pred):
        raise ValueError(f"score: {path.name}: fs must be one number, or one per record ({len(pred)}), got {np.size(arrays['fs'])}.")
    subjects = np.ravel(arrays["subject"]) if "subject" in arrays else [None] * len(pred)
    if len(subjects) != len(pred):
        raise ValueError(f"score: {path.name}: subject must have one name per record ({len(pred)}), got {len(subjects)}.")
    return [_record(path, f"{path.stem}[{i}]", {"pred": pred[i], "label": label[i], "fs": rates[i], "subject": subjects[i]})
            for i in range(len(pred))]


def _part(arrays: dict, part: str, name: str):
    for key in (f"{part}/{name}", f"{part}_{name}", part):
        if key in arrays and (key != part or part in ("fs", "subject") and np.size(arrays[key]) == 1):
            return arrays[key]
    return None


def _from_csv(path: Path) -> Prediction:
    try:
        table = pd.read_csv(path, skipinitialspace=True)
    except (ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise ValueError(f"score: {path.name} cannot be read as a table ({error}). It needs a header and the columns "
                         f"time_s, pred, label.") from None
    table.columns = [str(column).strip() for column in table.columns]
    missing = [column for column in ("pred", "label") if column not in table]
    if missing or not {"time_s", "fs"} & set(table):
        raise ValueError(f"score: {path.name} needs the columns pred, label and time_s (or fs), got {', '.join(table)}.")
    if "time_s" in table:
        steps = np.diff(pd.to_numeric(table.time_s, errors="coerce").to_numpy(dtype=float))
        typical = np.median(steps) if len(steps) else np.nan
        if not typical > 0 or abs(steps - typical).max() > 0.5 * typical:
            raise ValueError(f"score: {path.name}: time_s must rise in even steps (they range from {steps.min(initial=np.nan):g} to "
                             f"{steps.max(initial=np.nan):g} s). Resample with rppg_lib.signal.resample.")
        fs = len(steps) / float(table.time_s.iloc[-1] - table.time_s.iloc[0])
    else:
        fs = table.fs.iloc[0] if len(table) else np.nan
    subject = str(table.subject.iloc[0]) if "subject" in table and len(table) else None
    return _record(path, path.stem, {"pred": table.pred, "label": table.label, "fs": fs, "subject": subject})


def _record(path: Path, name: str, parts: dict) -> Prediction:
    for part in PARTS[:3]:
        if parts[part] is None:
            raise ValueError(f"score: {path.name}, record {name}: no {part!r} came with it. Needed: pred, label and fs.")
    if np.size(parts["fs"]) != 1:
        raise ValueError(f"score: {path.name}, record {name}: fs must be one number, got {np.size(parts['fs'])}.")
    fs = check_fs(f"score: {path.name}, record {name}", np.ravel(parts["fs"])[0])
    try:
        pred, label = (np.asarray(parts[part], dtype=float) for part in ("pred", "label"))
    except (TypeError, ValueError):
        raise ValueError(f"score: {path.name}, record {name}: pred and label must be numbers.") from None
    if pred.ndim != 1 or pred.shape != label.shape:
        raise ValueError(f"score: {path.name}, record {name}: pred and label must be equally long (T,), got {pred.shape} and "
                         f"{label.shape}. Resample the label onto the frames.")
    subject = parts["subject"]
    return Prediction(name, name if subject is None else str(np.ravel(subject)[0]), fs, pred, label)
