"""The parameters of a run: literals in the notebook < profile, all < profile, notebook < ``-p``.

A profile is a file ``profiles/NAME.yaml`` beside the notebooks::

    all: {profile: quick}          # for every notebook that has these parameters
    "02": {people: 8}              # for one notebook

All names and types are checked before anything runs.
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .notebook import Notebook, did_you_mean

EVERY = "all"
OWN_LENGTH = 60
"""Longest name of a profile that ``-p`` changed; results files are named after it."""

Profile = dict[str, dict[str, Any]]      # section -> name -> value


def read_profile(folder: Path, name: str) -> Profile:
    """Read ``folder/NAME.yaml``: a table of sections, each a table of parameters."""
    import yaml

    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(other.stem for other in folder.glob("*.yaml"))
        raise FileNotFoundError(f"run: there is no profile {name!r}.{did_you_mean(name, known)} "
                                f"Profiles in {folder}: {', '.join(known) or 'none'}.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"run: {path.name}{line}: is not valid YAML ({getattr(error, 'problem', error)}).") from None
    if not isinstance(content, dict):
        raise ValueError(f"run: {path.name}: needs sections such as '{EVERY}: {{profile: {name}}}', got {content!r}.")
    for section, values in content.items():
        if not isinstance(section, str):
            raise ValueError(f'run: {path.name}: section {section!r} is read as a number. Quote it: "{section:02}":')
        if not isinstance(values or {}, dict):
            raise ValueError(f"run: {path.name}, section {section!r}: needs names with values, got {values!r}.")
    return {section: values or {} for section, values in content.items()}


def check_profile(profile: Profile, notebooks: Iterable[Notebook], *, file: str) -> None:
    """Check a whole profile against the notebooks there are: sections, names and types."""
    notebooks = list(notebooks)
    for section, values in profile.items():
        if section != EVERY and not any(section in (notebook.number, notebook.name) for notebook in notebooks):
            known = [EVERY, *(notebook.number for notebook in notebooks)]
            raise ValueError(f"run: {file}: section {section!r} is no notebook.{did_you_mean(section, known)} "
                             f"Sections: {', '.join(known)}.")
        for name, value in values.items():
            where = f"{file}, section {section!r}"
            having = [notebook for notebook in _meant(section, notebooks) if name in notebook.parameters]
            if not having:
                raise _unknown(where, str(name), _meant(section, notebooks))
            for notebook in having:
                fitted(value, notebook.parameters[name], f"{where}, {name}")


def merged(notebook: Notebook, profile: Profile, given: dict[str, str]) -> dict[str, Any]:
    """Return the parameters of one notebook; ``given`` are the texts of ``-p name=value``."""
    values = dict(notebook.parameters)
    for section in (EVERY, notebook.number, notebook.name):
        for name, value in profile.get(section, {}).items():
            if name in values:
                values[name] = fitted(value, notebook.parameters[name], f"profile, {name}")
    of_profile = dict(values)
    for name, text in given.items():
        if name in values:
            values[name] = fitted(from_text(text, notebook.parameters[name]), notebook.parameters[name], f"-p {name}")
    if values != of_profile and "profile" in values and "profile" not in given:
        changed = {name: value for name, value in values.items() if value != of_profile[name]}
        values["profile"] = own_name(values["profile"], changed)     # other parameters, other results file
    return values


def own_name(profile: str, changed: dict[str, Any]) -> str:
    """Return the name of a profile with parameters of one's own: it says what changed, and is fit for a file.

    >>> own_name("quick", {"people": 4, "band_hz": (0.7, 2.0)})
    'quick+people=4+band_hz=0.7_2.0'
    """
    texts = {name: value if isinstance(value, str) else repr(value) for name, value in changed.items()}
    words = {name: re.sub(r"[^A-Za-z0-9.=+-]+", "_", text).strip("_") for name, text in texts.items()}
    name = "+".join([profile, *(f"{key}={word}" for key, word in words.items())])
    altered = any(words[key] != value for key, value in changed.items() if isinstance(value, str))
    if len(name) <= OWN_LENGTH and not altered:
        return name
    digest = hashlib.sha256(repr(changed).encode()).hexdigest()[:6]  # what was cut or replaced still tells apart
    return f"{name[:OWN_LENGTH - 7]}-{digest}"


def check_given(given: Iterable[str], notebooks: Iterable[Notebook]) -> None:
    """Each name given with ``-p`` must be a parameter of a selected notebook."""
    notebooks = list(notebooks)
    for name in given:
        if not any(name in notebook.parameters for notebook in notebooks):
            raise _unknown("-p", name, notebooks)


def changes(notebook: Notebook, values: dict[str, Any]) -> dict[str, Any]:
    """Return those of ``values`` that are not what the notebook says anyway."""
    return {name: value for name, value in values.items() if repr(value) != repr(notebook.parameters[name])}


def split_given(pairs: Iterable[str]) -> dict[str, str]:
    """Split ``name=value``; the last one counts.

    >>> split_given(["people=4", "note=a=b"])
    {'people': '4', 'note': 'a=b'}
    """
    given = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ValueError(f"run: -p needs name=value, got {pair!r}.")
        given[name.strip()] = text.strip()
    return given


def from_text(text: str, literal: Any) -> Any:
    """Read a value from the command line as Python or YAML; where a word is expected, the text itself.

    >>> from_text("[1, 2]", []), from_text("yes", False), from_text("02", "a")
    ([1, 2], True, '02')
    """
    import yaml

    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
        if not isinstance(literal, str):
            try:
                value = yaml.safe_load(text)
            except yaml.YAMLError:
                pass
    return text if isinstance(literal, str) and not isinstance(value, str) else value


def fitted(value: Any, literal: Any, who: str) -> Any:
    """Return ``value`` in the type of the notebook's ``literal``, or say that it does not fit.

    >>> fitted(2, 1.5, "speed"), fitted([1, 2], (0.5, 3.0), "band_hz")
    (2.0, (1.0, 2.0))
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"run: {who} must be finite, got {value}.")
    if literal is None or (type(value) is type(literal) and not isinstance(literal, (list, tuple))):
        return value
    if isinstance(literal, float) and not isinstance(value, bool):
        try:
            return float(value)                              # of a word too: YAML takes 1e-3 for one
        except (TypeError, ValueError, OverflowError):
            pass
    if isinstance(literal, (list, tuple)) and isinstance(value, (list, tuple)):
        kinds = {type(item) for item in literal}
        if len(kinds) == 1:
            value = [fitted(item, literal[0], f"{who}[{k}]") for k, item in enumerate(value)]
        return type(literal)(value)
    raise ValueError(f"run: {who} must be of type {type(literal).__name__} like {literal!r} in the notebook, "
                     f"got {value!r} ({type(value).__name__}).")


def _meant(section: str, notebooks: list[Notebook]) -> list[Notebook]:
    return [notebook for notebook in notebooks if section in (EVERY, notebook.number, notebook.name)]


def _unknown(where: str, name: str, notebooks: list[Notebook]) -> ValueError:
    known = {parameter: None for notebook in notebooks for parameter in notebook.parameters}
    lists = "; ".join(f"{notebook.number}: {', '.join(notebook.parameters) or 'none'}" for notebook in notebooks)
    return ValueError(f"run: {where}: no parameter is called {name!r}.{did_you_mean(name, known)} "
                      f"Parameters of {lists}.")
