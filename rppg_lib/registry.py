"""Everything that estimates a pulse, reachable by name.

A classical method is a function ``(rgb (..., T, 3), *, fs, **options) -> (..., T)``; a network is a class with
``estimator(*, name, cites, **options)``. Registered with :func:`register` they become available to tables, notebooks
and the command line:

>>> from rppg_lib.registry import available, build
>>> list(available("method"))
['chrom', 'green', 'ica', 'lgi', 'omit', 'pbv', 'pos']
>>> build("chrm")
Traceback (most recent call last):
    ...
ValueError: registry: no estimator is called 'chrm'. Did you mean 'chrom'?
    Known: chrom, ...
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .types import Clip, Pulse

HOMES = {"method": "rppg_lib.signal.methods", "network": "rppg_lib.models"}
"""Where estimators register when imported. Networks, which need torch, are loaded when no method has the name."""
OWN_FILES = "RPPG_MODELS"
"""Environment variable: files of one's own that register something, separated as in PATH."""


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
    made_of: Callable                    # the function, or the network's class

    @property
    def kind(self) -> str:
        """``method`` or ``network``."""
        return "network" if inspect.isclass(self.made_of) else "method"


_entries: dict[str, Entry] = {}


def register(name: str, *, cites: str) -> Callable[[Callable], Callable]:
    """Make a trace function or a network's class available under ``name``; ``cites`` is its key in the bibliography.

    What is decorated is returned unchanged, so it can still be called by itself. A class learns its ``name`` and
    ``cites``.
    """
    for what, value in (("a name", name), ("a citation, cites=", cites)):
        if not isinstance(value, str) or not value.strip():
            raise TypeError(f"registry: needs {what} in words, got {value!r}.")

    def add(made_of: Callable) -> Callable:
        if not hasattr(made_of, "__qualname__"):
            raise TypeError(f"registry: {name!r} must be a function written with def, or a class, got {made_of!r}.")
        known = _entries.get(name)
        if known is not None and _origin(known.made_of) != _origin(made_of):
            raise ValueError(f"registry: {name!r} is already taken by {'.'.join(_origin(known.made_of))}. "
                             f"Choose another name.")
        summary = (inspect.getdoc(made_of) or name).splitlines()[0]
        _entries[name] = Entry(name, cites, summary, _factory(name, cites, made_of), made_of)
        return made_of

    return add


def _factory(name: str, cites: str, made_of: Callable) -> Callable[..., Estimator]:
    if not inspect.isclass(made_of):
        return _TraceFactory(name, cites, made_of)
    if not callable(getattr(made_of, "estimator", None)):
        raise TypeError(f"registry: the class {made_of.__qualname__} needs a classmethod estimator(*, name, cites, "
                        f"**options). Derive it from rppg_lib.models.Network, which has one.")
    made_of.name, made_of.cites = name, cites
    return _NetworkFactory(name, cites, made_of)


def _origin(made_of: Callable) -> tuple[str, str]:
    """Return where something was written. A cell or module that runs again writes the same one again."""
    return made_of.__module__, made_of.__qualname__


@dataclass(frozen=True)
class _TraceFactory:
    name: str
    cites: str
    function: Callable[..., np.ndarray]

    def __call__(self, **options: Any) -> TraceEstimator:
        allowed = [p.name for p in inspect.signature(self.function).parameters.values()
                   if p.kind is p.KEYWORD_ONLY and p.name != "fs"]
        _check_options(self.name, options, allowed)
        return TraceEstimator(self.name, self.cites, self.function, options)


@dataclass(frozen=True)
class _NetworkFactory:
    name: str
    cites: str
    network: type

    def __call__(self, **options: Any) -> Estimator:
        allowed = [p.name for p in inspect.signature(self.network.estimator).parameters.values()
                   if p.kind is p.KEYWORD_ONLY and p.name not in ("name", "cites")]
        _check_options(self.name, options, allowed)
        return self.network.estimator(name=self.name, cites=self.cites, **options)


def _check_options(name: str, options: dict[str, Any], allowed: list[str]) -> None:
    for option in options:
        if option not in allowed:
            raise TypeError(f"{name}: has no option {option!r}.{near_miss(option, allowed)} "
                            f"Options: {', '.join(allowed) or 'none'}.")


def build(name: str, **options: Any) -> Estimator:
    """Return the estimator called ``name``, with its options set.

    >>> build("pos", window_s=2.0).name
    'pos'
    """
    return find(name).make(**options)


def find(name: str) -> Entry:
    """Return the entry called ``name``, with the function or class behind it."""
    for kind in HOMES:
        if name in _entries:
            break
        _load(kind)
    if name not in _entries:
        _load_own()
    if name not in _entries:
        missing = "" if has_networks() else " Networks are not among them, for torch is not installed."
        raise ValueError(f"registry: no estimator is called {name!r}.{near_miss(name, _entries)} "
                         f"Known: {', '.join(sorted(_entries))}.{missing}")
    return _entries[name]


def available(kind: str | None = None) -> dict[str, Entry]:
    """Return all registered names, in alphabetical order, with citation and one-line summary.

    Args:
        kind: ``method`` or ``network``; default both. Without torch there are no networks.
    """
    if kind is not None and kind not in HOMES:
        raise ValueError(f"registry: kind must be one of {', '.join(HOMES)}, got {kind!r}.")
    for home in HOMES if kind is None else (kind,):
        _load(home)
    _load_own()
    return {name: entry for name, entry in sorted(_entries.items()) if kind in (None, entry.kind)}


def has_networks() -> bool:
    """Whether networks can be loaded here."""
    return importlib.util.find_spec("torch") is not None


def _load(kind: str) -> None:
    if kind != "network" or has_networks():
        importlib.import_module(HOMES[kind])


def _load_own() -> None:
    """Load the files that ``RPPG_MODELS`` names, each once; one that cannot be loaded is named."""
    paths = [Path(given).expanduser().resolve() for given in os.environ.get(OWN_FILES, "").split(os.pathsep) if given]
    for kind in HOMES if paths else ():
        _load(kind)                                                  # names of the library are taken first
    for path in paths:
        if path.suffix != ".py" or not path.stem.isidentifier() or not path.is_file():
            raise FileNotFoundError(f"registry: {OWN_FILES} must name files of Python, separated by {os.pathsep!r}; "
                                    f"there is no {path} that could be imported.")
        loaded = sys.modules.get(path.stem)
        found = getattr(loaded, "__spec__", None) if loaded else importlib.util.find_spec(path.stem)
        if (loaded or found) and Path(getattr(found, "origin", None) or "").resolve() != path:
            raise ImportError(f"registry: {path} of {OWN_FILES} has the name of another module, {path.stem}. "
                              f"Rename it.")
        if not loaded:
            _load_file(path)


def _load_file(path: Path) -> None:
    """Import one file under its own name; nothing of one that stops half-way stays registered."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module, before = importlib.util.module_from_spec(spec), dict(_entries)
    sys.modules[path.stem] = module                                  # dataclasses and pickle look a module up by name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[path.stem]
        _entries.clear()
        _entries.update(before)
        raise ImportError(f"registry: {path} of {OWN_FILES} cannot be loaded ({type(error).__name__}: {error}). Mend "
                          f"it, or unset {OWN_FILES}; methods work without it.") from error


def near_miss(word: Any, known: Any) -> str:
    """Return a hint at the name that was meant, or nothing.

    >>> near_miss("chorm", ["chrom", "pos"])
    " Did you mean 'chrom'?"
    """
    near = difflib.get_close_matches(str(word).lower(), list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
