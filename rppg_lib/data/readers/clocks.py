"""Times of a table as people write them: numbers, hours of a day, dates; and when the first picture was taken."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

import numpy as np

from .texts import Table

DAY_S = 86400.0
NUMBER, HOURS, DATE, ZONED = "a number", "hours, minutes and seconds", "a date without a zone", "a date with a zone"
CLOCK = r"([01]?\d|2[0-3]):([0-5]\d):([0-5]\d(?:[.,]\d{1,9})?)"
HOURS_LIKE = re.compile(CLOCK)
DATE_LIKE = re.compile(rf"(\d{{4}}-\d\d-\d\d)[T ]{CLOCK}(?:Z|(?:([+-])(\d\d):?(\d\d)))?", re.IGNORECASE)
FORMS = "numbers, 10:15:00.250 or 2024-03-01T10:15:00.250"
MOST_REPEATED = 0.5


def moment(word: str) -> tuple[float, str]:
    """Return a time in seconds, and how it is written: since 1970 a date, since midnight hours, as it is a number.

    A date without a zone counts as if its clock told universal time.

    >>> moment("00:01:00,5"), moment("1970-01-02T01:00:00+01:00"), moment("12.5")
    ((60.5, 'hours, minutes and seconds'), (86400.0, 'a date with a zone'), (12.5, 'a number'))
    """
    if found := HOURS_LIKE.fullmatch(word):
        return _seconds(*found.groups()), HOURS
    if found := DATE_LIKE.fullmatch(word):
        day, hours, minutes, seconds, sign, off_h, off_min = found.groups()
        away_s = _seconds(off_h, off_min, "0") if sign else 0.0
        zoned = ZONED if sign or word[-1] in "Zz" else DATE
        return _day_s(day) + _seconds(hours, minutes, seconds) + (away_s if sign == "-" else -away_s), zoned
    return float(word.replace(",", ".")), NUMBER


def _seconds(hours: str, minutes: str, seconds: str) -> float:
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds.replace(",", "."))


@lru_cache(maxsize=8)
def _day_s(day: str) -> float:
    return DAY_S * (date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal())


def stamps(table: Table, name: str, notes: list[str]) -> tuple[np.ndarray, str]:
    """Return a column of times, NaN where a field is empty, and how they are written.

    Numbers come as they are. Hours and dates come in seconds, and where midnight passes the hours go on.
    """
    first = next((word for _, word in table.words(name) if word), "")
    if ":" not in first:
        return table.numbers(name, notes), NUMBER
    kinds: set[str] = set()

    def seconds(at: int, word: str) -> float:
        if not word:
            return np.nan
        try:
            value, kind = moment(word)
        except ValueError:
            kinds.add(word)
        else:
            kinds.add(kind)
        if len(kinds) > 1 or not kinds <= {HOURS, DATE, ZONED}:
            raise ValueError(f"{table.who}: line {at}, column {name!r}: {word[:40]!r} is not read as a time; times are "
                             f"{FORMS}, all lines alike. Write them so, or as seconds in a column time_s.")
        return value

    times = np.fromiter((seconds(at, word) for at, word in table.words(name)), dtype=float)
    steps = np.diff(times[np.isfinite(times)])
    if len(steps) and (steps == 0).mean() > MOST_REPEATED:
        raise ValueError(f"{table.who}: column {name!r} has the same time in many lines, as {first[:40]!r} without "
                         f"fractions of a second. Export times with milliseconds, or put a column fs, values per "
                         f"second, in its place.")
    kind = kinds.pop()
    if kind == HOURS:
        good = np.flatnonzero(np.isfinite(times))
        times[good] += DAY_S * np.append(0, np.cumsum(steps < -DAY_S / 2))
    notes.append(f"column {name!r} is read as {kind}" + (", as if in universal time" if kind == DATE else ""))
    return times, kind
