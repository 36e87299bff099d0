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

NAMED = 5
FEW_SUBJECTS = 5


@dataclass(frozen=True, eq=False)
class ScoreReport:
    """Rows per window, their summary, how they were read, and what a reader of the numbers has to know."""

    source: str
    rows: pd.DataFrame
    summary: dict[str, float]
    readout: ReadOut
    window_s: float | None
    notes: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Return a table a person reads."""
        line = self.summary
        whole = self.window_s is None or (self.rows.seconds < self.window_s).all() and not self.rows.start_s.any()
        window = "whole records" if whole else f"windows of {self.window_s:g} s"
        out = [f"{self.source}: {_count(self.rows.clip_id.nunique(), 'record')}, "
               f"{_count(self.rows.subject.nunique(), 'subject')}, {line['n']} read over {window}",
               f"read-out: {self.readout.label}"]
        if line["n"]:
            out += ["", *self._table()]
        for note in self.notes:
            out += ["", note]
        return "\n".join([*out, *self._unread()])

    def _table(self) -> list[str]:
        out = [f"{'metric':8}{'value':>10}{'± SE':>10}   95 % interval over subjects"]
        for name, meaning in METRICS.items():
            low, high = self.summary[f"{name}_low"], self.summary[f"{name}_high"]
            interval = f"{low:8.3f} to {high:.3f}" if np.isfinite(low) else "       -"
            value, error = (f"{x:10.3f}" if np.isfinite(x) else f"{'-':>10}"
                            for x in (self.summary[name], self.summary[f"{name}_se"]))
            out.append(f"{name:8}{value}{error}  {interval:24}  {meaning}")
        return [*out, "± SE (field's formula) counts every window as independent; the interval does not."]

    def _unread(self) -> list[str]:
        """Return the windows that were not read, by reason, the most frequent first."""
        failed = self.rows[self.rows.note != ""]
        if failed.empty:
            return []
        out = ["", f"{_count(len(failed), 'window')} could not be read and count in nothing above:"]
        reasons = failed.note.value_counts()
        for reason, count in reasons.head(NAMED).items():
            same = failed[failed.note == reason].head(NAMED)
            named = ", ".join(f"{row.clip_id} at {row.start_s:.1f} s" for row in same.itertuples())
            more = f" and {count - len(same)} more" if count > len(same) else ""
            out.append(f"  {named}{more}: {reason}")
        if rest := reasons.iloc[NAMED:].sum():
            out.append(f"  {_count(rest, 'window')} for other reasons; --json names them all")
        return out

    def to_json(self) -> dict:
        """Return the same as plain values; NaN becomes None."""
        return {"source": self.source, "readout": asdict(self.readout) | {"label": self.readout.label},
                "window_s": self.window_s, "notes": list(self.notes), "summary": _plain(self.summary),
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
    records = read_predictions(path)
    rows = [_score(record, readout, window_s) for record in records]
    table = pd.DataFrame([asdict(row) for of_record in rows for row in of_record])
    summary = summarise(table).to_dict("records")[0]
    notes = [*_notes_on_windows(records, rows, window_s), *_notes_on_trust(table, summary)]
    return ScoreReport(Path(path).name, table, summary, readout, window_s, tuple(notes))


def _score(record: Prediction, readout: ReadOut, window_s: float | None) -> list[Score]:
    return score_waves("prediction", record.pred, record.label, fs=record.fs,
                       where={"clip_id": record.name, "subject": record.subject}, readout=readout, window_s=window_s)


def _notes_on_windows(records: list[Prediction], rows: list[list[Score]], window_s: float | None) -> list[str]:
    """Say where windows do not cover the records as they were asked for."""
    if window_s is None:
        return []
    notes = []
    shorter = sum(len(record.pred) < round(window_s * record.fs) for record in records)
    if shorter:
        which = "Every record is" if shorter == len(records) else f"{shorter} of {len(records)} records are"
        notes.append(f"{which} shorter than a window of {window_s:g} s and read whole.")
    ends = [max(row.start_s + row.seconds for row in of_record) for of_record in rows]
    left = [len(record.pred) / record.fs - end for record, end in zip(records, ends)]
    left = [rest for rest, record in zip(left, records) if rest > 0.5 / record.fs]
    if left:
        longest = f"{max(left):.2g}" if max(left) - min(left) < 0.05 else f"up to {max(left):.2g}"
        verb = "does" if len(left) == 1 else "do"
        notes.append(f"The last {longest} s of {_count(len(left), 'record')} {verb} not fill a window and are left "
                     f"out.")
    return notes


def _notes_on_trust(table: pd.DataFrame, summary: dict[str, float]) -> list[str]:
    notes = []
    if 1 < summary["subjects"] < FEW_SUBJECTS:
        notes.append(f"With {summary['subjects']} subjects the interval is not to be relied on.")
    doubtful = (table.quality < TRUST).sum()
    if doubtful:
        notes.append(f"{doubtful} of {_count(len(table), 'window')} {'has' if doubtful == 1 else 'have'} a quality "
                     f"below {TRUST:g}: no clear pulse in the prediction.")
    return notes


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _plain(values: dict) -> dict:
    return {key: _plain_value(value) for key, value in values.items()}


def _plain_value(value):
    if isinstance(value, str):
        return value
    number = float(value)
    if not np.isfinite(number):
        return None
    return int(number) if number.is_integer() and not isinstance(value, float) else number
