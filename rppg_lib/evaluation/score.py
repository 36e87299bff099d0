"""Score a file of predictions; what ``rppg score`` prints."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..signal import TRUST
from ..types import Score
from .predictions import Prediction, read_predictions
from .readout import FIELD, FINE, ReadOut
from .run import score_waves
from .summary import METRICS, summarise


@dataclass(frozen=True, eq=False)
class ScoreReport:
    """Rows per window, their summary, and how they were read."""

    source: str
    rows: pd.DataFrame
    summary: dict[str, float]
    readout: ReadOut
    window_s: float | None

    def to_text(self) -> str:
        """Return a table a person reads."""
        line = self.summary
        window = "whole records" if self.window_s is None else f"windows of {self.window_s:g} s"
        out = [f"{self.source}: {self.rows.clip_id.nunique()} records, {line['subjects']} subjects, "
               f"{line['n']} read over {window}",
               f"read-out: {self.readout.label}", "",
               f"{'metric':8}{'value':>10}{'± SE':>10}   95 % interval over subjects"]
        for name, meaning in METRICS.items():
            low, high = line[f"{name}_low"], line[f"{name}_high"]
            interval = f"{low:8.3f} to {high:.3f}" if np.isfinite(low) else "       -"
            out.append(f"{name:8}{line[name]:10.3f}{line[name + '_se']:10.3f}  {interval:24}  {meaning}")
        failed = self.rows[self.rows.note != ""]
        if len(failed):
            out += ["", f"{len(failed)} windows could not be read and count in nothing above:"]
            out += [f"  {row.clip_id} at {row.start_s:.1f} s: {row.note}" for row in failed.itertuples()]
        doubtful = self.rows[self.rows.quality < TRUST]
        if len(doubtful):
            out += ["", f"{len(doubtful)} of {len(self.rows)} windows have a quality below {TRUST:g}: "
                        f"no clear pulse in the prediction."]
        return "\n".join(out)

    def to_json(self) -> dict:
        """Return the same as plain values; NaN becomes None."""
        return {"source": self.source, "readout": asdict(self.readout) | {"label": self.readout.label},
                "window_s": self.window_s, "summary": _plain(self.summary),
                "rows": [_plain(row) for row in self.rows.to_dict("records")]}


def score_file(path: str | Path, *, band_hz: tuple[float, float] | None = None, window_s: float | None = None,
               read: str | None = None, compatible: bool = False) -> ScoreReport:
    """Score a file of predictions (layout: :mod:`rppg_lib.evaluation.predictions`).

    Args:
        path: ``.npz``, ``.csv`` or a folder of ``.csv``.
        band_hz: where rates are looked for; default: of the read-out.
        window_s: window length; default: whole records.
        read: ``fine``, ``fft`` or ``peaks``; default: of the read-out.
        compatible: the field's read-out instead of ours.
    """
    base = FIELD if compatible else FINE
    readout = replace(base, band_hz=tuple(band_hz or base.band_hz), read=read or base.read)
    rows = [row for record in read_predictions(path) for row in _score(record, readout, window_s)]
    table = pd.DataFrame([asdict(row) for row in rows])
    return ScoreReport(Path(path).name, table, summarise(table).to_dict("records")[0], readout, window_s)


def _score(record: Prediction, readout: ReadOut, window_s: float | None) -> list[Score]:
    return score_waves("prediction", record.pred, record.label, fs=record.fs,
                       where={"clip_id": record.name, "subject": record.subject}, readout=readout, window_s=window_s)


def _plain(values: dict) -> dict:
    return {key: _plain_value(value) for key, value in values.items()}


def _plain_value(value):
    if isinstance(value, str):
        return value
    number = float(value)
    if not np.isfinite(number):
        return None
    return int(number) if number.is_integer() and not isinstance(value, float) else number
