"""A label of one's own: a pulse wave and its times, or its rate, in a CSV beside the film."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ...types import Reference
from .base import in_order, pictures_in
from .clocks import DAY_S, HOURS, NUMBER, ZONED, moment, stamps
from .texts import LOOKS, Table

WAVES = ("label", "ppg", "bvp", "pulse")
RATES = ("fs", "fs_hz", "rate_hz", "rate")
UNITS = {"time_s": 1.0, "time_ms": 1e-3, "time_us": 1e-6, "time_ns": 1e-9}
UNSAID = ("time", "timestamp", "t")
SLOWEST_HZ, FASTEST_HZ = 10.0, 2000.0
"""Values per second that a pulse wave may have; in seconds, milli-, micro- and nanoseconds the steps then differ."""
EPOCH_S = 1e8
"""Times beyond it, three years, are dates: counted from 1970 and not from the first picture."""
FEW = 0.05
"""Share of a length by which label and video may differ without a word."""
PREAMBLE = 30
"""Lines in which a header is looked for, to say where it is."""


def reference(path: Path, film_path: Path | None = None, *, fs: float | None = None,
              start_s: float | str | None = None) -> Reference:
    """Read a label: a wave in ``label``, ``ppg``, ``bvp`` or ``pulse``, and its times or its rate.

    Args:
        film_path: the video or folder of pictures, to see whether the lengths agree; None: not looked at.
        fs: pictures per second of a folder whose names hold no times.
        start_s: when the first picture was taken, on the clock of the label: seconds, or written as its times are.
    """
    table = Table(path)
    notes = [] if table.encoding.startswith("utf") else [f"is not in UTF-8: letters are read as {table.encoding}"]
    there = [name for name in WAVES if name in table.names]
    if not there:
        raise ValueError(f"{path.name}: needs a column {', '.join(WAVES[:-1])} or {WAVES[-1]}, got "
                         f"{', '.join(table.names)[:100]}. {_where_from(table)}")
    if len(there) > 1 or there[0] == "pulse":
        notes.append(f"column {there[0]!r} is taken for the wave, of {', '.join(there)}")
    wave = table.numbers(there[0], notes)
    if lost := int((~np.isfinite(wave)).sum()):
        notes.append(f"{lost} of {len(wave)} values are missing")
    length_s = None if film_path is None else film_s(film_path, fs)
    clock = next((name for name in (*UNITS, *UNSAID) if name in table.names), None)
    if clock is None:
        times = _by_rate(table, len(wave), length_s, notes)
    else:
        times, kind = stamps(table, clock, notes)
        times = _in_seconds(path.name, clock, times, notes) if kind == NUMBER else times
        beginning = _given(path.name, times, kind, start_s, notes)
        times -= _found(path.name, times, kind, film_path, length_s, notes) if beginning is None else beginning
    label = in_order(path.name, times, wave)
    rate = (len(label.wave) - 1) / (label.times_s[-1] - label.times_s[0])
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        raise ValueError(f"{path.name}: has {rate:.4g} values per second; a pulse wave has {SLOWEST_HZ:g} to "
                         f"{FASTEST_HZ:g}. Give the wave, not heart rates, and times in seconds as time_s.")
    notes += length_notes(path.name, label, length_s)
    return Reference(wave=label.wave, times_s=label.times_s, notes=(*notes, *label.notes))


def _where_from(table: Table) -> str:
    """Say what to do about a table without a wave: the header may stand below what a device tells of itself."""
    for number, line in enumerate(table.lines(), start=1):
        words = {word.strip(' "\r\n').lower() for word in line.replace("\t", ";").replace(",", ";").split(";")}
        if len(words) > 1 and words & set(WAVES):
            return f"Line {number} looks like its header: delete the lines above it."
        if number == PREAMBLE:
            break
    return f"Name the column of the wave 'label'; heart rates and oxygen alone are no wave. {LOOKS}"


def _by_rate(table: Table, count: int, length_s: float | None, notes: list[str]) -> np.ndarray:
    """Return times from a column that holds the rate: one number, in every line or in the first."""
    who, name = table.who, next((name for name in RATES if name in table.names), None)
    if name is None:
        raise ValueError(f"{who}: needs times or a rate, got columns {', '.join(table.names)[:100]}. Add a column "
                         f"time_s, seconds since the first picture, or fs, values per second. {LOOKS}")
    told = table.numbers(name, notes)
    found = np.unique(told[~np.isnan(told)])
    rate = float(found[0]) if len(found) == 1 else math.nan
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        raise ValueError(f"{who}: column {name!r} needs one rate, {SLOWEST_HZ:g} to {FASTEST_HZ:g} values per second, "
                         f"in all lines. Is it the heart rate? Then add a column time_s or fs.")
    if name == "rate" and length_s and abs(count / rate - length_s) > FEW * length_s:
        raise ValueError(f"{who}: column 'rate' says {rate:g}; as values per second that makes {count / rate:.1f} s, "
                         f"and the video has {length_s:.1f} s. Name the column fs, or add time_s.")
    notes.append(f"no times: {rate:g} values per second from the first picture on, as column {name!r} says")
    return np.arange(count) / rate


def _in_seconds(who: str, name: str, times: np.ndarray, notes: list[str]) -> np.ndarray:
    """Return times in seconds, by what the column's name says, or else by the size of its steps."""
    if name in UNITS:
        return times * UNITS[name]
    steps = np.diff(times[np.isfinite(times)])
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else math.nan
    fits = [unit for unit, size in UNITS.items() if 1 / FASTEST_HZ <= step * size <= 1 / SLOWEST_HZ]
    if len(fits) != 1:
        raise ValueError(f"{who}: the unit of column {name!r} is not known: its usual step is {step:.4g}. "
                         f"Name it time_s, time_ms, time_us or time_ns.")
    notes.append(f"column {name!r} is read as {fits[0]}: its usual step is {step:.4g}")
    return times * UNITS[fits[0]]


def _given(who: str, times: np.ndarray, kind: str, start_s: float | str | None, notes: list[str]) -> float | None:
    """Return when the first picture was taken, on the clock of the label, if people.csv says so."""
    if start_s is None:
        return None
    start, said = moment(start_s) if isinstance(start_s, str) else (start_s, NUMBER)
    if said not in (NUMBER, kind) and (said, kind) != (ZONED, NUMBER):
        raise ValueError(f"{who}: its times are each {kind}, and start_s in people.csv is {said}, {start_s}. Write "
                         f"start_s as the label writes its times.")
    if kind == HOURS and np.isfinite(times).any():
        start -= DAY_S * round((start - np.nanmin(times)) / DAY_S)       # midnight may lie between
    notes.append(f"the first picture is at {start:.3f} s of the label's clock, as people.csv says")
    return start


def _found(who: str, times: np.ndarray, kind: str, film_path: Path | None, length_s: float | None,
           notes: list[str]) -> float:
    """Return when the first picture was taken where people.csv does not say: at 0, or as the pictures' names do."""
    known = times[np.isfinite(times)]
    first, usual = (float(known.min()), float(np.median(known))) if len(known) else (0.0, 0.0)
    if kind == HOURS and length_s and first >= length_s:
        raise ValueError(f"{who}: its times are those of a day, {first / 3600:.2f} hours the first, and when the first "
                         f"picture was taken is not known. Give that in people.csv as start_s, written as the label "
                         f"writes its times, or subtract it, so that times count from the first picture.")
    if not usual > EPOCH_S:
        return 0.0
    names = pictures_in(film_path) if film_path is not None and film_path.is_dir() else []
    digits = [int("".join(filter(str.isdecimal, Path(name).stem)) or 0) for name in names]
    if not digits or min(digits) * 1e-9 < EPOCH_S:
        raise ValueError(f"{who}: its times are dates, and when the first picture was taken is not known. Subtract "
                         f"that time, or give it in people.csv as start_s, in seconds or written as the label writes "
                         f"its times.")
    notes.append("times are dates, and so are the names of the pictures: set beside each other")
    return min(digits) * 1e-9


def film_s(path: Path, fs: float | None = None) -> float | None:
    """Return how many seconds a video or a folder of pictures has, as its header says."""
    from ...video import open_video

    with open_video(path, fs=fs) as video:
        return video.info.duration_s


def length_notes(who: str, label: Reference, length_s: float | None) -> list[str]:
    """Say where a label and its film do not cover the same time; refuse them where they have nothing in common."""
    if length_s is None:
        return []
    first_s, last_s = label.times_s[[0, -1]]
    if min(last_s, length_s) - max(first_s, 0.0) <= 0:
        raise ValueError(f"{who}: its values lie between {first_s:.1f} and {last_s:.1f} s, and the video between 0 and "
                         f"{length_s:.1f} s. Times must count from the first picture.")
    if max(abs(first_s), abs(last_s - length_s)) <= max(FEW * length_s, 0.5):
        return []
    return [f"label from {first_s:.1f} to {last_s:.1f} s, video from 0 to {length_s:.1f} s"]
