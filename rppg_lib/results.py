"""Numbers that a run made, with what is needed to make them again. Written whole or not at all.

A result is one JSON file ``NN_name.profile.json``: the tables, and a stamp that says which data, seed, parameters,
versions, machine and revision made them. Each table is also written as CSV beside it.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .files import output_dir, project_root, revision, written_whole

PACKAGES = ("rppg-lib", "numpy", "scipy", "pandas", "matplotlib", "torch")
STARTED = time.perf_counter()
KINDS = ("simulated", "recorded", "mixed")


@dataclass(frozen=True, kw_only=True)
class Result:
    """One results file.

    Attributes:
        name: of the notebook, for example ``02_pos_chrom``.
        profile: which parameters were used.
        data: ``simulated``, ``recorded`` or ``mixed``, and which.
        seed: of everything random.
        config: all parameters.
        tables: title -> list of rows (plain values).
    """

    name: str
    profile: str
    data: str
    seed: int
    config: dict[str, Any]
    tables: dict[str, list[dict[str, Any]]]
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""
    seconds: float = 0.0
    revision: str = ""
    made: str = ""

    @property
    def stamp(self) -> str:
        """One line for below a table."""
        return (f"{self.data}; profile {self.profile}, seed {self.seed}; {self.device}; "
                f"rppg-lib {self.versions.get('rppg-lib', '?')} at {self.revision}, {self.made[:10]}")


def save(name: str, tables: dict[str, Any], *, profile: str, data: str, seed: int, config: dict[str, Any],
         folder: str | Path | None = None) -> Path:
    """Write ``name.profile.json`` and one CSV per table; return the path of the JSON file.

    Args:
        name: of the notebook.
        tables: title -> data frame or list of rows. A named index becomes columns.
        profile: ``quick``, ``full``, ``paper`` or a name of your own.
        data: begins with ``simulated``, ``recorded`` or ``mixed``; then say which.
        seed: of everything random.
        config: the parameters.
        folder: default ``results`` below the output folder (``build``, or what ``rppg run --out`` says).
    """
    for what, text in (("name", name), ("profile", profile)):
        if not re.fullmatch(r"[\w-][\w.=+-]*", str(text)):
            raise ValueError(f"results.save: {what} must be letters, digits and . = + - _, for it names a file; "
                             f"got {text!r}.")
    if not isinstance(data, str) or not data.startswith(KINDS):
        raise ValueError(f"results.save: data must begin with one of {', '.join(KINDS)}, got {data!r}. "
                         f"Readers must see at a glance whether a number comes from real people.")
    if not tables:
        raise ValueError("results.save: needs at least one table, got none.")
    rows = {title: _rows(title, table) for title, table in tables.items()}
    # A title may hold what a path must not; and some systems do not tell a from A.
    files = {re.sub(r"[^\w.-]+", "_", title).lower(): title for title in rows}
    if len(files) < len(rows):
        raise ValueError(f"results.save: two of the titles {', '.join(rows)} would give one file. Rename one.")
    result = {"name": name, "profile": profile, "data": data, "seed": _plain(seed), "config": _plain(config),
              "tables": rows, "versions": _versions(), "device": _device(),
              "seconds": round(time.perf_counter() - STARTED, 1),
              "revision": revision(), "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    folder = Path(folder) if folder else output_dir("results")
    path = folder / f"{name}.{profile}.json"
    texts = {folder / f"{name}.{profile}.{file_name}.csv": _csv(rows[title]) for file_name, title in files.items()}
    texts[path] = json.dumps(result, indent=1, allow_nan=False) + "\n"         # last: where it is, all is
    for target, text in texts.items():
        with written_whole(target) as file:
            file.write(text)
    return path


def load(path: str | Path) -> Result:
    """Read a results file, or say what is wrong with it."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Result(**content)
    except FileNotFoundError:
        raise FileNotFoundError(f"results.load: there is no {path}. Make it with 'rppg run {path.name[:2]}'.") from None
    except (json.JSONDecodeError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"results.load: {path.name} is no results file ({error}). Make it again with "
                         f"'rppg run {path.name[:2]} --fresh'.") from None


def kept(name: str) -> list[Result]:
    """Return the results of a notebook or a tool that the checkout keeps in its folder ``results``, profile by profile.

    Those of a run on this machine are elsewhere, below :func:`rppg_lib.files.output_dir`.
    """
    folder = (project_root() or Path.cwd()) / "results"
    return [load(path) for path in sorted(folder.glob(f"{name}.*.json"))]


def _rows(title: str, table: Any) -> list[dict[str, Any]]:
    if hasattr(table, "to_dict"):
        if not hasattr(table, "columns") or not table.columns.is_unique:
            raise ValueError(f"results.save: table {title!r} needs to be a data frame whose columns differ.")
        counted = table.index.names == [None] and table.index.dtype.kind in "iu"
        table = (table if counted else table.reset_index()).to_dict("records")
    rows = [_plain(row) for row in table]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"results.save: table {title!r} must be a data frame or a list of rows, each a dict.")
    if not rows:
        raise ValueError(f"results.save: table {title!r} has no rows. "
                         f"Leave it out, or look at why nothing was computed.")
    return rows


def _plain(value: Any) -> Any:
    """Return JSON's own types; NaN, which JSON has not, becomes None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return _plain(value.item())
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return None if value is None else str(value)


def _csv(rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns] + [["" if row.get(key) is None else row.get(key) for key in columns] for row in rows]
    return "".join(",".join(_cell(value) for value in line) + "\n" for line in lines)


def _cell(value: Any) -> str:
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _device() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"
