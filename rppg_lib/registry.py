"""Everything that estimates a pulse, reachable by name.

A classical method is a function ``(rgb (..., T, 3), *, fs, **options) -> (..., T)``. Registered with
:func:`register` it becomes available to tables, notebooks and the command line:

>>> from rppg_lib.registry import available, build
>>> "pos" in available()
True
>>> build("chrm")
Traceback (most recent call last):
    ...
ValueError: registry: no estimator is called 'chrm'. Did you mean 'chrom'?
    Known: chrom, green, ica, lgi, omit, pbv, pos.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .types import Clip, Pulse

HOMES = ("rppg_lib.signal.methods",)
"""Modules that register estimators when imported; loaded when a name is first asked for."""


@runtime_checkable
class Estimator(Protocol):
    """What evaluation needs of a method or a network."""

    name: str
    cites: str

    def predict(self, clip: Clip) -> Pulse: ...


@dataclass(frozen=True)
class TraceEstimator:
    """A function of the colour trace, with its options, as an estimator."""

    name: str
    cites: str
    function: Callable[..., np.ndarray]
    options: dict[str, Any] = field(default_factory=dict)

    def predict(self, clip: Clip) -> Pulse:
        if clip.rgb is None:
            raise ValueError(f"{self.name}: needs a colour trace, but clip {clip.id!r} has frames only. "
                             f"Take the mean skin colour per frame first and pass it as rgb.")
        return Pulse(wave=self.function(clip.rgb, fs=clip.fs, **self.options), fs=clip.fs)


@dataclass(frozen=True)
class Entry:
    """A name in the registry."""

    name: str
    cites: str                           # key in book/refs.bib
    summary: str
    make: Callable[..., Estimator]


_entries: dict[str, Entry] = {}


def register(name: str, *, cites: str) -> Callable[[Callable], Callable]:
    """Make a trace function available under ``name``; ``cites`` is its key in the bibliography.

    The function itself is returned unchanged, so it can still be called on arrays.
    """
    for what, value in (("a name", name), ("a citation, cites=", cites)):
        if not isinstance(value, str) or not value.strip():
            raise TypeError(f"registry: needs {what} in words, got {value!r}.")

    def add(function: Callable) -> Callable:
        if not hasattr(function, "__qualname__"):
            raise TypeError(f"registry: {name!r} must be a function written with def, got {function!r}.")
        known = _entries.get(name)
        if known is not None and _origin(known.make.function) != _origin(function):
            raise ValueError(f"registry: {name!r} is already taken by {'.'.join(_origin(known.make.function))}. "
                             f"Choose another name.")
        summary = (inspect.getdoc(function) or name).splitlines()[0]
        _entries[name] = Entry(name, cites, summary, _TraceFactory(name, cites, function))
        return function

    return add


def _origin(function: Callable) -> tuple[str, str]:
    """Return where a function was written. A cell or module that runs again writes the same one again."""
    return function.__module__, function.__qualname__


@dataclass(frozen=True)
class _TraceFactory:
    name: str
    cites: str
    function: Callable[..., np.ndarray]

    def __call__(self, **options: Any) -> TraceEstimator:
        allowed = [p.name for p in inspect.signature(self.function).parameters.values()
                   if p.kind is p.KEYWORD_ONLY and p.name != "fs"]
        for option in options:
            if option not in allowed:
                raise TypeError(f"{self.name}: has no option {option!r}.{_hint(option, allowed)} "
                                f"Options: {', '.join(allowed) or 'none'}.")
        return TraceEstimator(self.name, self.cites, self.function, options)


def build(name: str, **options: Any) -> Estimator:
    """Return the estimator called ``name``, with its options set.

    >>> build("pos", window_s=2.0).name
    'pos'
    """
    _load()
    if name not in _entries:
        raise ValueError(f"registry: no estimator is called {name!r}.{_hint(name, _entries)} "
                         f"Known: {', '.join(sorted(_entries))}.")
    return _entries[name].make(**options)


def available() -> dict[str, Entry]:
    """Return all registered names, in alphabetical order, with citation and one-line summary."""
    _load()
    return dict(sorted(_entries.items()))


def _load() -> None:
    for home in HOMES:
        importlib.import_module(home)


def _hint(word: str, known: Any) -> str:
    near = difflib.get_close_matches(str(word).lower(), list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
