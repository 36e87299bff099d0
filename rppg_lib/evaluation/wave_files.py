"""What files of labels and files of predictions have in common: arrays, tables, rates, and which way round they lie."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..types import MIN_S

RUNS_ON = 2.0
"""Values differ by so many times more along a row than down a column where time runs down."""


def read_arrays(who: str, path: Path, *, advice: str) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz``. Nothing is unpickled: a file cannot run code."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:           # whatever a broken archive makes of NumPy, zipfile and zlib
        raise ValueError(f"{who} cannot be read as .npz with plain arrays ({str(error).rstrip('.')}). "
                         f"{advice}") from None


def read_table(who: str, path: Path, *, needed: str) -> pd.DataFrame:
    """Return a ``.csv`` as a table; subjects stay as they are written."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header would lose values
            table = pd.read_csv(path, skipinitialspace=True, dtype={"subject": str}, index_col=False)
    except (ValueError, pd.errors.ParserWarning) as error:
        raise ValueError(f"{who} cannot be read as a table ({str(error).strip()}). It needs a header and the columns "
                         f"{needed}, separated by commas, with decimal points.") from None
    table.columns = [str(column).strip() for column in table.columns]
    return table


def rate_of(who: str, times: pd.Series) -> float:
    """Return how many values per second there are, from times that rise in even steps."""
    times_s = pd.to_numeric(times, errors="coerce").to_numpy(dtype=float)
    steps = np.diff(times_s)
    if len(steps) and np.isfinite(steps).all():
        typical = np.median(steps)
        if typical > 0 and abs(steps - typical).max() <= 0.5 * typical:
            fs = len(steps) / (times_s[-1] - times_s[0])
            if fs < 1:
                raise ValueError(f"{who}: time_s means {fs:.3g} values per second: are these milliseconds? Give "
                                 f"seconds.")
            return fs
        found = f"they range from {steps.min():g} to {steps.max():g} s"
        found += "; are these milliseconds?" if typical > 1 else ""
    else:
        found = f"{np.isfinite(times_s).sum()} of {len(times_s)} rows have a time"
    raise ValueError(f"{who}: time_s must rise in even steps ({found}). Resample with rppg_lib.signal.resample.")


def only_value(who: str, column: pd.Series):
    """Return the one value that a column repeats, None if it is empty."""
    values = column.dropna().unique()
    if len(values) > 1:
        raise ValueError(f"{who}: column {column.name} must hold one value, the recording's, got {len(values)} "
                         f"different ones. Write one recording per file.")
    return values[0] if len(values) else None


def check_way_round(who: str, waves: np.ndarray, *, fs: float) -> None:
    """Refuse waves ``(T, recordings)``: taken as ``(recordings, T)``, each would be a crumb of everybody's.

    They are known by rows of one value; by rows that are shorter than a beat, and more of them than values in a row;
    or by values that run on down the columns and jump along the rows.

    >>> check_way_round("labels: set.npz", np.ones((1800, 2)), fs=30)
    Traceback (most recent call last):
    ValueError: labels: set.npz: got (1800, 2), that is 1800 recordings of 2 values, 0.067 s each: did you pass \
(T, recordings)? Recordings come first: transpose it.
    """
    count, frames = waves.shape
    if count > frames and (frames == 1 or frames < MIN_S * fs or _runs_down(waves)):
        raise ValueError(f"{who}: got {waves.shape}, that is {count} recordings of {frames} "
                         f"value{'s' * (frames > 1)}, {frames / fs:.2g} s each: did you pass (T, recordings)? "
                         f"Recordings come first: transpose it.")


def _runs_down(waves: np.ndarray) -> bool:
    down, along = (np.abs(np.diff(waves, axis=axis)) for axis in (0, 1))
    down, along = (steps[np.isfinite(steps)] for steps in (down, along))
    return bool(len(down) and len(along) and 0 < RUNS_ON * down.mean() < along.mean())
