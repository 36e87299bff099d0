"""What a sweep is asked to do: a YAML file, checked as a whole, becomes a list of points before anything runs."""

from __future__ import annotations

import ast
import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import settings
from .notebook import Notebook, did_you_mean
from .runner import Job

MOST_POINTS = 200
"""More points than this are seldom meant; who means them says so."""
MOST_AT_ALL = 100_000

OWN_COLUMNS = ("table", "data_kind", "run_seconds", "status", "error", "point")
"""What the table of a sweep says about each row itself; parameters that vary must have other names."""

_NAME = re.compile(r"\w[\w.+-]{0,60}")
_READABLE = 40                           # letters of a folder's name that a person reads; Windows limits whole paths


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A sweep as it was written. Values have been looked at for their form only; :func:`points` compares them with
    the notebook.

    Attributes:
        name: names the folder of its products.
        notebook: number or beginning of the name.
        profile: what the points start from.
        grid: parameter -> its values; every combination is a point.
        set: parameters that are the same in all points.
        also: more points, by what they change in the profile and ``set``.
        skip: parts of points that are left out.
        table: titles of the result tables to collect; empty: all.
        jobs: points at a time; None: as joblib is configured.
        file: where it was written, for messages.
    """

    name: str
    notebook: str
    profile: str = "quick"
    grid: dict[str, list[Any]] = field(default_factory=dict)
    set: dict[str, Any] = field(default_factory=dict)
    also: list[dict[str, Any]] = field(default_factory=list)
    skip: list[dict[str, Any]] = field(default_factory=list)
    table: tuple[str, ...] = ()
    jobs: int | None = None
    file: str = "spec"

    @classmethod
    def read(cls, path: str | Path) -> Spec:
        """Read a YAML file."""
        import yaml

        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"sweep: there is no file {path}. 'rppg sweep --help' shows what one looks like.")
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or error
            raise ValueError(f"sweep: {path.name}{line}: is not valid YAML ({problem}).") from None
        return cls.of(content, file=path.name)

    @classmethod
    def of(cls, content: Any, *, file: str = "spec") -> Spec:
        """Return the spec that a mapping says, with the name of ``file`` where it has none of its own.

        >>> Spec.of({"notebook": "03", "grid": {"seed": [1, 2, 3]}}, file="seeds.yaml").name
        'seeds'
        """
        if not isinstance(content, Mapping):
            raise ValueError(f"sweep: {file}: needs keys such as 'notebook' and 'grid', got {_short(content)}.")
        known = [name for name in cls.__dataclass_fields__ if name != "file"]
        for key in content:
            if key not in known:
                raise ValueError(f"sweep: {file}: {key!r} is no key of a sweep.{did_you_mean(str(key), known)} "
                                 f"Keys: {', '.join(known)}.")
        got = {key: value for key, value in content.items() if value is not None}
        notebook = got.get("notebook")
        if type(notebook) not in (str, int) or not str(notebook):
            raise ValueError(f'sweep: {file}: needs the notebook, such as notebook: "03", got {_short(notebook)}.')
        name = got.get("name", Path(file).stem)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"sweep: {file}: name must be letters, digits and . + - _, for it names a folder; "
                             f"got {_short(name)}.")
        profile = got.get("profile", "quick")
        if not isinstance(profile, str):
            raise ValueError(f"sweep: {file}: profile must be the name of one, got {_short(profile)}.")
        parts = {"grid": _grid(got.get("grid", {}), file), "set": _named(got.get("set", {}), f"{file}, set")}
        parts |= {key: _list(got.get(key, []), f"{file}, {key}") for key in ("also", "skip")}
        if not parts["grid"] and not parts["also"]:
            raise ValueError(f"sweep: {file}: needs a grid, such as grid: {{seed: [1, 2, 3]}}, or points under 'also'.")
        return cls(name=name, notebook=str(notebook), profile=profile, file=file, table=_titles(got.get("table"), file),
                   jobs=check_jobs(got.get("jobs"), f"{file}: jobs"), **parts)


@dataclass(frozen=True, eq=False, kw_only=True)
class Point:
    """One run of the notebook.

    Attributes:
        values: of the parameters in which the points differ.
        job: what is run.
    """

    values: dict[str, Any]
    job: Job

    @property
    def label(self) -> str:
        """For people: ``seed=1 lr=0.003``."""
        return " ".join(f"{name}={_word(value)}" for name, value in self.values.items())

    @property
    def folder(self) -> str:
        """Name of its folder: what a person reads, and a digest of all parameters."""
        readable = re.sub(r"[^A-Za-z0-9.=+-]+", "_", self.label.replace(" ", "+"))[:_READABLE].strip("._+-")
        told = [self.job.notebook.name, {name: repr(value) for name, value in self.job.parameters.items()}]
        return f"{readable}-{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]}"


def points(spec: Spec, job: Job, *, limit: int = MOST_POINTS) -> list[Point]:
    """Return the points of a sweep, in the order of the grid, all names and values checked.

    Args:
        spec: what was asked for.
        job: the notebook with the parameters of the profile.
        limit: more points than this are an error.
    """
    notebook, parameters = job.notebook, job.parameters
    fixed = _fitted(spec.set, notebook, f"{spec.file}, set")
    grid = {name: [_value(value, name, notebook, f"{spec.file}, grid, {name}[{k}]") for k, value in enumerate(values)]
            for name, values in spec.grid.items()}
    also = [_fitted(point, notebook, f"{spec.file}, also[{k}]") for k, point in enumerate(spec.also)]
    skip = [_fitted(part, notebook, f"{spec.file}, skip[{k}]") for k, part in enumerate(spec.skip)]
    varied = list(dict.fromkeys([*grid, *(name for point in also for name in point)]))
    _check_names(spec, grid, fixed, varied)
    count = (math.prod(len(values) for values in grid.values()) if grid else 0) + len(also)
    if count > min(limit, MOST_AT_ALL):
        more = " Say --yes if you mean it." if limit < count <= MOST_AT_ALL else ""
        raise ValueError(f"sweep: {spec.file}: asks for {count} points, more than {min(limit, MOST_AT_ALL)}.{more}")
    crossed = [dict(zip(grid, values)) for values in itertools.product(*grid.values())] if grid else []
    found: dict[str, Point] = {}
    unused = set(range(len(skip)))
    for changed in (*crossed, *also):
        point = _point(spec, job, {**fixed, **changed}, varied)
        matching = {k for k, part in enumerate(skip) if all(_same(point.job.parameters[name], value)
                                                            for name, value in part.items())}
        unused -= matching
        if matching:
            continue
        if point.folder in found:
            raise ValueError(f"sweep: {spec.file}: the point {point.label} is there twice. Leave one of them out.")
        found[point.folder] = point
    if unused:
        part = skip[min(unused)]
        raise ValueError(f"sweep: {spec.file}, skip[{min(unused)}]: no point has {_text(part)}. "
                         f"Is a value misspelt? Parameters of the profile: "
                         f"{_text({name: parameters[name] for name in part})}.")
    if not found:
        raise ValueError(f"sweep: {spec.file}: 'skip' leaves no point to run.")
    return list(found.values())


def check_jobs(jobs: Any, who: str) -> int | None:
    """Return how many points may run at a time, or say that it is no such number."""
    if jobs is not None and (type(jobs) is not int or jobs < 1):
        raise ValueError(f"sweep: {who} must be a whole number from 1, got {_short(jobs)}.")
    return jobs


def _point(spec: Spec, job: Job, changed: dict[str, Any], varied: list[str]) -> Point:
    given = {name: repr(value) for name, value in changed.items()}
    parameters = settings.merged(job.notebook, {job.notebook.name: job.parameters}, given)
    return Point(values={name: parameters[name] for name in varied},
                 job=Job(notebook=job.notebook, parameters=parameters, profile=spec.profile))


def _check_names(spec: Spec, grid: Iterable[str], fixed: Iterable[str], varied: Iterable[str]) -> None:
    if both := [name for name in grid if name in fixed]:
        raise ValueError(f"sweep: {spec.file}: {both[0]!r} stands under 'grid' and under 'set'. "
                         f"Leave it under one of them.")
    for name in varied:
        if name in OWN_COLUMNS:
            raise ValueError(f"sweep: {spec.file}: a parameter that varies cannot be called {name!r}, for the table "
                             f"has a column of that name. Rename it in the notebook.")


def _fitted(values: dict[str, Any], notebook: Notebook, where: str) -> dict[str, Any]:
    return {name: _value(value, name, notebook, f"{where}, {name}") for name, value in values.items()}


def _value(value: Any, name: str, notebook: Notebook, where: str) -> Any:
    """Return a value in the type that the notebook gives its parameter, or say what does not fit."""
    if name not in notebook.parameters:
        raise ValueError(f"sweep: {where}: notebook {notebook.number} has no parameter {name!r}."
                         f"{did_you_mean(name, notebook.parameters)} "
                         f"Parameters: {', '.join(notebook.parameters) or 'none'}.")
    if name == "profile":
        raise ValueError(f"sweep: {where}: the name of the profile is made from the others. Name the profile to start "
                         f"from beside 'grid': profile: full.")
    try:
        value = settings.fitted(value, notebook.parameters[name], where)
    except ValueError as error:
        raise ValueError(f"sweep: {str(error).removeprefix('run: ')}") from None
    try:
        plain = ast.literal_eval(repr(value)) == value           # the notebook gets it as Python source
    except (ValueError, SyntaxError):
        plain = False
    if not plain:
        raise ValueError(f"sweep: {where} must be made of numbers, words and lists, got {_short(value)} "
                         f"({type(value).__name__}). Quote it.")
    return value


def _grid(grid: Any, file: str) -> dict[str, list[Any]]:
    for name, values in _named(grid, f"{file}, grid").items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"sweep: {file}, grid, {name}: needs a list of values such as [1, 2, 3], "
                             f"got {_short(values)}.")
        for k, value in enumerate(values):
            if any(_same(value, other) for other in values[:k]):
                raise ValueError(f"sweep: {file}, grid, {name}: {value!r} is there twice. Leave one of them out.")
    return dict(grid)


def _named(values: Any, where: str) -> dict[str, Any]:
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise ValueError(f"sweep: {where}: needs names of parameters with values, got {_short(values)}.")
    return dict(values)


def _list(values: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(values, list) or not all(isinstance(one, Mapping) and one for one in values):
        raise ValueError(f"sweep: {where}: needs a list of parameters with values, such as [{{seed: 1, lr: 0.003}}], "
                         f"got {_short(values)}.")
    return [_named(one, f"{where}[{k}]") for k, one in enumerate(values)]


def _titles(titles: Any, file: str) -> tuple[str, ...]:
    titles = [titles] if isinstance(titles, str) else titles
    if titles is not None and (not isinstance(titles, list) or not all(isinstance(one, str) and one for one in titles)):
        raise ValueError(f"sweep: {file}: table must be the title of a result table or a list of them, "
                         f"got {_short(titles)}.")
    return tuple(titles or ())


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one: 1 and 1.0 are, True and 1 are not."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _word(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _text(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
