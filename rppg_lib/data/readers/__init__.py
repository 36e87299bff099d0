"""Readers of public data sets: what a copy holds, listed without opening a video, and what was left out of it.

>>> from rppg_lib.data.readers import DATASETS, dataset
>>> dataset("pure").people
10
>>> dataset("pur")
Traceback (most recent call last):
    ...
ValueError: data: there is no reader for 'pur'. Did you mean 'pure'? Known: ...

A reader is one file: a function that lists a folder, and a :class:`DataSet` that says what the data set is. A new one
is added to ``DATASETS``.
"""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path

from .base import DataSet, LeftOut, Listing

DATASETS = ("ubfc1", "ubfc2", "pure", "cohface", "vipl", "mmpd", "scamps", "ubfcphys", "ibvp", "lgi", "mcd",
            "v4v", "folder")
"""Modules of this package, one per data set."""

__all__ = ["DATASETS", "DataSet", "LeftOut", "Listing", "dataset", "read_dataset"]


def dataset(name: str) -> DataSet:
    """Return what is known of a data set."""
    if name not in DATASETS:
        near = difflib.get_close_matches(str(name).lower(), DATASETS, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"data: there is no reader for {name!r}.{hint} Known: {', '.join(DATASETS)}. "
                         f"A folder of your own videos is read as 'folder'.")
    return importlib.import_module(f".{name}", __name__).DATASET


def read_dataset(name: str, folder: str | Path) -> Listing:
    """List the recordings of a copy of a data set; no video is opened.

    Args:
        name: one of ``DATASETS``.
        folder: where the copy lies.
    """
    return dataset(name).list(Path(folder))
