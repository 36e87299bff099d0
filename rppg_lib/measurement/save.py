"""A measurement as files: its numbers, its windows and its waves. No picture, no box, nothing that shows who it was."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from .. import files
from .result import Measurement, plain


def save(measurement: Measurement, folder: str | Path) -> dict[str, Path]:
    """Write the measurement into ``folder``; return what was written, by kind.

    ``NAME.json`` holds all numbers, ``NAME.windows.csv`` a row per window, ``NAME.pulse.csv`` the wave frame by
    frame, with a column that says whether it lies in a trusted window.
    """
    stem = Path(folder) / file_stem(measurement)
    paths = {"numbers": stem.with_name(stem.name + ".json")}
    with files.written_whole(paths["numbers"]) as file:
        file.write(json.dumps(measurement.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    if measurement.windows:
        paths["windows"] = stem.with_name(stem.name + ".windows.csv")
        names = ("start_s", "seconds", "hr_bpm", "reading_bpm", "quality", "trusted", "note")
        _table(paths["windows"], names, ([getattr(w, name) for name in names] for w in measurement.windows))
    if measurement.stretches:
        paths["pulse"] = stem.with_name(stem.name + ".pulse.csv")
        _table(paths["pulse"], ("time_s", "pulse", "trusted"), _samples(measurement))
    return paths


def file_stem(measurement: Measurement) -> str:
    """Return a name for files from the name of the video, its ending included: ``a.mp4`` and ``a.avi`` differ."""
    name = files.file_stem(measurement.source)
    return f"{name}.face{measurement.face + 1}" if measurement.face else name


def _samples(measurement: Measurement):
    for stretch in measurement.stretches:
        fs = stretch.pulse.fs
        trusted = np.zeros(len(stretch.pulse.wave), dtype=bool)
        for window in (w for w in measurement.windows if w.trusted and stretch.start_s <= w.start_s < stretch.end_s):
            first = round((window.start_s - stretch.start_s) * fs)
            trusted[first:first + round(window.seconds * fs)] = True
        for index, value in enumerate(stretch.pulse.wave):
            yield [round(stretch.start_s + index / fs, 4), value, trusted[index]]


def _table(path: Path, header, rows) -> None:
    with files.written_whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            values = [plain(value) for value in row]
            writer.writerow(["" if value is None else int(value) if isinstance(value, bool) else value
                             for value in values])
