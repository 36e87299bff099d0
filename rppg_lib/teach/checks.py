"""Checks of exercises: the reader's own function on named cases, and a verdict that says what differs.

A notebook's checks are functions that get ``case`` and call it once for each case:

>>> @exercise("2.3", stars=2, minutes=10)
... def alpha(case):
...     '''How many times stronger x is than y.'''
...     x = np.array([1.0, -1.0, 1.0, -1.0])
...     case("x and y alike", x, x).gives(1.0)
...     case("x three times as strong", 3 * x, x).gives(3.0, traps=[(1 / 3, "That is y over x.")])

The reader hands over a function and sees the verdict as the output of the cell:

>>> def my_alpha(x, y):                      # Exercise 2.3  ★★☆  10 min
...     raise NotImplementedError            # your code here
>>> alpha(my_alpha)
2.3: not tried yet
>>> alpha(lambda x, y: y.std() / x.std())
2.3 ✗ Case 'x three times as strong': should be 3, yours is 0.333333. That is y over x.
>>> alpha(lambda x, y: x.std() / y.std())
2.3 ✓ Right in 2 cases: x and y alike; x three times as strong.

The folded solution checks itself in every run: ``alpha(solution).must_be_right()``.
"""

from __future__ import annotations

import copy
import html
import re
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

NOT_TRIED, WRONG, RIGHT = "not tried yet", "wrong", "right"
MOST_STARS = 3

_MARKS = {NOT_TRIED: "○", WRONG: "✗", RIGHT: "✓"}
_COLOURS = {NOT_TRIED: "128,128,128", WRONG: "213,94,0", RIGHT: "0,158,115"}   # safe for colour-blind readers
_BOX = ("margin:0.3em 0;padding:0.4em 0.8em;border-left:0.35em solid rgb({0});background:rgba({0},0.13);"
        "color:inherit;max-width:60em;overflow-wrap:anywhere")       # the tint lies over a light or a dark page


@dataclass(frozen=True)
class Verdict:
    """What a check found. True only when the answer is right; shows itself as the last line of a cell."""

    exercise: str
    status: Literal["not tried yet", "wrong", "right"]
    message: str = ""

    def __bool__(self) -> bool:
        return self.status == RIGHT

    def __repr__(self) -> str:
        if self.status == NOT_TRIED:
            return f"{self.exercise}: {NOT_TRIED}"
        return f"{self.exercise} {_MARKS[self.status]} {self.message}"

    def _repr_html_(self) -> str:
        head = f"<strong>{html.escape(self.exercise)}</strong> {_MARKS[self.status]} "
        text = html.escape(self.message or self.status)
        return f'<div role="status" style="{_BOX.format(_COLOURS[self.status])}">{head}{text}</div>'

    def must_be_right(self) -> Verdict:
        """Return the verdict, or fail with its words: for solutions, which nobody reads when they are right."""
        if not self:
            raise AssertionError(repr(self))
        return self


@dataclass(frozen=True, eq=False)
class Exercise:
    """A check with its number, difficulty and time. Call it with the reader's function."""

    number: str
    stars: int
    minutes: int
    check: Callable[[Callable[..., Answer]], None]

    @property
    def label(self) -> str:
        """What the first line of the stub says: ``Exercise 2.3  ★★☆  10 min``."""
        return f"Exercise {self.number}  {'★' * self.stars}{'☆' * (MOST_STARS - self.stars)}  {self.minutes} min"

    def __repr__(self) -> str:
        return self.label

    def __call__(self, attempt: Callable) -> Verdict:
        """Run ``attempt`` on all cases up to the first that fails."""
        if not callable(attempt):
            return Verdict(self.number, WRONG, f"Needs your function itself, got {_words(attempt)}. "
                                               f"Write its name without brackets.")
        names: list[str] = []

        def case(name: str, /, *args: Any, **options: Any) -> Answer:
            names.append(name)
            return Answer(name, _call(attempt, name, args, options))

        try:
            self.check(case)
        except _NotTried:
            return Verdict(self.number, NOT_TRIED)
        except _Wrong as wrong:
            return Verdict(self.number, WRONG, str(wrong))
        if not names:
            raise ValueError(f"exercise {self.number}: its check has looked at no case. Call case(...) in it.")
        return Verdict(self.number, RIGHT, f"Right in {len(names)} case{'s' * (len(names) > 1)}: {'; '.join(names)}.")


def exercise(number: str, *, stars: int, minutes: int) -> Callable[[Callable], Exercise]:
    """Make an exercise of a function that gets ``case`` and looks at the answers.

    ``case(name, *args, **options)`` calls the reader's function with copies of the arguments and returns an
    :class:`Answer`. An error in the check itself is raised as it is: it is not the reader's.

    Args:
        number: chapter and exercise, ``"2.3"``.
        stars: difficulty, 1 to 3.
        minutes: how long a reader who has followed so far will need.
    """
    if not re.fullmatch(r"\d+\.\d+", number):
        raise ValueError(f"exercise: number must be like '2.3', got {number!r}.")
    if stars not in range(1, MOST_STARS + 1):
        raise ValueError(f"exercise {number}: stars must be 1 to {MOST_STARS}, got {stars!r}.")
    return lambda check: Exercise(number, stars, minutes, check)


class _NotTried(Exception):
    """The stub is as it was."""


class _Wrong(Exception):
    """What is wrong, in words for the reader."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What the reader's function returned in one case. Its methods say what must hold, and can be chained."""

    case: str
    value: Any

    def gives(self, expected: Any, *, rtol: float = 1e-6, atol: float = 1e-9, unit: str = "",
              traps: Iterable[tuple[Any, str]] = ()) -> Answer:
        """The value must equal ``expected``: a number, an array, a word, or a tuple of these.

        Args:
            rtol: tolerance as a part of the largest expected value.
            atol: tolerance as it is; the larger of the two holds.
            unit: written after the numbers.
            traps: wrong values that have a well-known cause, each with a sentence about it.
        """
        problem = _difference(self.value, expected, (rtol, atol), unit)
        if problem:
            known = [text for wrong, text in traps if not _difference(self.value, wrong, (rtol, atol), unit)]
            self.must(False, " ".join([problem, *known]))
        return self

    def follows(self, expected: np.ndarray, *, above: float = 0.999) -> Answer:
        """The wave must have the shape of ``expected``, on any scale: correlation at least ``above``."""
        expected = np.asarray(expected, dtype=float)
        self.must(not (problem := _not_like(self.value, expected)), problem)
        wave = np.asarray(self.value, dtype=float)
        self.must(np.ptp(wave) > 0, "is flat: one value everywhere.")
        r = float(np.corrcoef(wave.ravel(), expected.ravel())[0, 1])
        upside = " It is upside down: check the sign." if -r >= above else ""
        self.must(r >= above, f"should follow the expected wave with a correlation of {above:g} or more, "
                              f"yours has {r:.4f}.{upside}")
        return self

    def has_shape(self, *shape: int) -> Answer:
        """The value must be finite numbers of this shape; no shape stands for one number."""
        self.must(not (problem := _not_like(self.value, np.zeros(shape))), problem)
        return self

    def must(self, holds: bool, message: str) -> Answer:
        """Any other property, with the sentence for the reader for whom it does not hold."""
        if not holds:
            raise _Wrong(f"Case {self.case!r}: {message}")
        return self


def _call(attempt: Callable, case: str, args: tuple, options: dict[str, Any]) -> Any:
    """Return what the reader's function returns; its errors become the reader's, in words."""
    given = copy.deepcopy((args, options))
    try:
        value = attempt(*given[0], **given[1])
    except NotImplementedError:
        raise _NotTried from None
    except Exception as error:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == _file_of(attempt)]
        where = f" (line {own[-1].lineno} of your cell: {own[-1].line})" if own and own[-1].line else ""
        raise _Wrong(f"Case {case!r}: stops with {type(error).__name__}: {error}{where}.") from None
    if value is None:
        raise _Wrong(f"Case {case!r}: gives None. Does the function end with return?")
    if not _same(given, (args, options)):
        raise _Wrong(f"Case {case!r}: your function changes what it is given. "
                     f"Make a new array: x = x - x.mean(), not x -= x.mean().")
    return value


def _file_of(attempt: Callable) -> str | None:
    code = getattr(attempt, "__code__", None)
    return code.co_filename if code else None


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        return np.array_equal(first, second, equal_nan=first.dtype.kind in "fc")
    if isinstance(first, dict):
        return all(_same(first[key], second[key]) for key in second)
    if isinstance(first, (tuple, list)):
        return len(first) == len(second) and all(map(_same, first, second))
    return True                                                     # other objects: not looked into


def _difference(value: Any, expected: Any, tolerance: tuple[float, float], unit: str) -> str:
    """Return what is different, or nothing."""
    if isinstance(expected, tuple):
        value = tuple(value) if isinstance(value, np.ndarray) and value.ndim == 1 else value
        if not isinstance(value, (tuple, list)) or len(value) != len(expected):
            return f"should be {len(expected)} values, yours is {_words(value)}."
        for k, (part, wanted) in enumerate(zip(value, expected), start=1):
            if problem := _difference(part, wanted, tolerance, unit):
                return f"value {k} of {len(expected)} {problem}"
        return ""
    if isinstance(expected, str):
        equal = isinstance(value, str) and value == expected
        return "" if equal else f"should be {expected!r}, yours is {_words(value)}."
    wanted = np.asarray(expected, dtype=float)
    if not np.isfinite(wanted).all():
        raise ValueError("exercise: an expected value is NaN or infinite. Mend the check.")
    return _not_like(value, wanted) or _numbers_differ(np.asarray(value, dtype=float), wanted, tolerance, unit)


def _not_like(value: Any, wanted: np.ndarray) -> str:
    """Return why ``value`` is not finite numbers of the shape of ``wanted``, or nothing."""
    kind = f"an array of shape {wanted.shape}" if wanted.ndim else "one number"
    try:
        array = np.asarray(value)
        array = array if array.dtype.kind == "c" else array.astype(float)
    except (TypeError, ValueError):
        return f"should be {kind}, yours is {_words(value)}."
    if array.dtype.kind == "c":
        return f"should be {kind}, yours is complex. Take the real part or the magnitude, whichever is meant."
    if array.shape != wanted.shape:
        return f"should be {kind}, yours is {_words(value)}."
    bad = ~np.isfinite(array)
    if bad.any():
        return f"has NaN or infinite values: {bad.sum()} of {array.size}{_at(np.argwhere(bad)[0], 'the first ')}." \
            if array.ndim else f"should be a finite number, yours is {array}."
    return ""


def _numbers_differ(value: np.ndarray, wanted: np.ndarray, tolerance: tuple[float, float], unit: str) -> str:
    rtol, atol = tolerance
    unit = f" {unit}" if unit else ""
    error = np.abs(value - wanted)
    wrong = error > max(atol, rtol * np.abs(wanted).max(initial=0))
    if not wrong.any():
        return ""
    if not wanted.ndim:
        return f"should be {_digits(wanted, value)}{unit}, yours is {_digits(value, wanted)}{unit}."
    worst = np.unravel_index(error.argmax(), error.shape)
    return (f"differs in {wrong.sum()} of {wrong.size} values, most{_at(worst)}: should be "
            f"{_digits(wanted[worst], value[worst])}{unit}, yours is {_digits(value[worst], wanted[worst])}{unit}.")


def _digits(number: Any, other: Any) -> str:
    """Return ``number`` with as many digits as tell it from ``other``."""
    for digits in (6, 9, 12):
        if f"{float(number):.{digits}g}" != f"{float(other):.{digits}g}":
            break
    return f"{float(number):.{digits}g}"


def _at(index: Any, before: str = "") -> str:
    place = ", ".join(str(int(k)) for k in index)
    return f"{', ' if before else ' '}{before}at index {place}" if place else ""


def _words(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}" if value.ndim else f"the number {value}"
    text = repr(value)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(value).__name__})"
