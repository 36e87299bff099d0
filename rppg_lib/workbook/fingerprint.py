"""What a run depends on, kept in the executed copy, so that a finished notebook is not run again for nothing."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from ..files import OUT_VARIABLE
from ..results import PACKAGES
from .notebook import Cell

KEY = "rppg"
"""Name of the record in the metadata of an executed notebook."""

_LIBRARY = Path(__file__).resolve().parents[1]
_NEEDED = {"title", "profile", "machine", "when", "seconds", "results", "fingerprint"}
_NOT_CODE = {"__pycache__"}


def fingerprint(cells: Iterable[Cell], parameters: dict[str, Any]) -> dict[str, str]:
    """Return one digest for each thing a run depends on; the names are those that a reader is told."""
    values = {name: repr(value) for name, value in parameters.items()}
    parts = {"notebook": cells_digest(cells), "parameters": _digest(values), "library": library_digest(),
             "packages": _digest(_versions()), "environment": _digest(_environment())}
    return parts | {"recordings": _recordings(parameters["data"])} if "data" in parameters else parts


def cells_digest(cells: Iterable[Cell]) -> str:
    """Digest of what is written in the cells."""
    return _digest([[cell.kind, cell.source, list(cell.tags)] for cell in cells])


def library_digest(folder: Path = _LIBRARY) -> str:
    """Digest of every file of the library, its data files too."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _NOT_CODE & set(path.parts))
    return _digest({path.relative_to(folder).as_posix(): file_digest(path) for path in files})


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def times_of(name: str, out: Path) -> dict[str, int]:
    """Return when each results file of a notebook was last written; names are relative to ``out``."""
    return {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in (out / "results").glob(f"{name}.*")}


def record_of(copy: Path) -> dict[str, Any] | None:
    """Return what an executed copy says about its run; None for no copy, or one that was not finished."""
    try:
        record = json.loads(copy.read_text(encoding="utf-8"))["metadata"].get(KEY)
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return None
    return record if isinstance(record, dict) and record.keys() >= _NEEDED else None


def changed(record: dict[str, Any], now: dict[str, str], out: Path) -> list[str]:
    """Return what is no longer as it was when the record was made: parts of the fingerprint, results files."""
    then = record["fingerprint"]
    parts = [part for part in now if then.get(part) != now[part]]
    for name, digest in record["results"].items():
        if not (out / name).is_file() or file_digest(out / name) != digest:
            parts.append(name)
    return parts


def _recordings(data: Any) -> str:
    """Digest of the store that a notebook's parameter names or, as ``auto``, finds; nothing if there is none."""
    from ..data import find_store

    try:
        store = find_store(str(data))
    except (OSError, ValueError):                            # the notebook says what is wrong with it
        return ""
    return store.content_hash if store else ""


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _environment() -> dict[str, str]:
    """Our own variables change what a notebook finds; where products go does not."""
    return {name: value for name, value in sorted(os.environ.items())
            if name.startswith("RPPG_") and name != OUT_VARIABLE}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
