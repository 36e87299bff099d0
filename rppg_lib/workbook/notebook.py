"""Find the notebooks, and read of each what the runner needs: title, cells and parameters."""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(r"(\d\d)_\w+")
_HEADING = re.compile(r"^# +(?:\d\d[ .:]+)?(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """A cell as it is written, without what a run adds."""

    kind: str                            # code, markdown or raw
    source: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Notebook:
    """A notebook file; ``parameters`` are the literals of its one cell tagged so."""

    path: Path
    cells: tuple[Cell, ...]
    parameters: dict[str, Any]

    @property
    def name(self) -> str:
        """File name without ending: ``02_pos_chrom``."""
        return self.path.stem

    @property
    def number(self) -> str:
        """``02``."""
        return self.name[:2]

    @property
    def title(self) -> str:
        """First heading, without the number."""
        headings = (_HEADING.search(cell.source) for cell in self.cells if cell.kind == "markdown")
        return next((found[1].strip() for found in headings if found), self.name)


def find(folder: Path) -> list[Path]:
    """Return the notebooks ``NN_name.ipynb`` in ``folder``, in order."""
    found = sorted(path for path in folder.glob("*.ipynb") if _NAME.fullmatch(path.stem))
    if not found:
        raise FileNotFoundError(f"run: there is no notebook NN_name.ipynb in {folder}. "
                                f"Name the right folder with --notebooks.")
    return found


def passed_over(folder: Path) -> list[str]:
    """Return the names of notebooks in ``folder`` that :func:`find` does not take, for they are not ``NN_name``."""
    return sorted(path.name for path in folder.glob("*.ipynb") if not _NAME.fullmatch(path.stem))


def select(paths: Iterable[Path], wanted: Iterable[str]) -> list[Path]:
    """Return the notebooks that ``wanted`` names by number (``2``, ``02``) or by the beginning of a name; all for none.

    >>> paths = [Path("01_light.ipynb"), Path("02_pos_chrom.ipynb")]
    >>> [path.name for path in select(paths, ["2"])]
    ['02_pos_chrom.ipynb']
    """
    paths, chosen = list(paths), []
    for word in wanted:
        matches = [path for path in paths if _means(word, path.stem)]
        if len(matches) > 1:
            raise ValueError(f"run: {word!r} may mean {' or '.join(path.stem for path in matches)}. "
                             f"Write more of the name.")
        if not matches:
            known = [path.stem for path in paths]
            near = [part for stem in known for part in (stem, stem[:2], stem[3:])]
            raise ValueError(f"run: there is no notebook {word!r}.{did_you_mean(word, near)} "
                             f"Notebooks: {', '.join(known)}.")
        chosen += matches
    return [path for path in paths if path in chosen] if chosen else paths


def _means(word: str, name: str) -> bool:
    word = word.removesuffix(".ipynb")
    if word.isdecimal():
        return int(word) == int(name[:2])
    return bool(word) and (name.startswith(word) or name[3:].startswith(word))


def read(path: Path) -> Notebook:
    """Read a notebook, or say what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells = tuple(_cell(cell) for cell in content["cells"])
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"run: {path.name} is no notebook of format 4 ({type(error).__name__}: {error}). "
                         f"Open it in JupyterLab and save it again.") from None
    return Notebook(path, cells, _parameters(path.name, cells))


def _cell(cell: dict[str, Any]) -> Cell:
    source = cell["source"]
    return Cell(cell["cell_type"], source if isinstance(source, str) else "".join(source),
                tuple(cell.get("metadata", {}).get("tags", ())))


def _parameters(name: str, cells: Iterable[Cell]) -> dict[str, Any]:
    tagged = [cell for cell in cells if "parameters" in cell.tags]
    if len(tagged) > 1:
        raise ValueError(f"run: {name} has {len(tagged)} cells tagged 'parameters'. Leave the tag on one of them.")
    return literals(tagged[0].source, f"run: {name}, parameters cell") if tagged else {}


def literals(source: str, who: str) -> dict[str, Any]:
    """Return the assignments of literals that ``source`` consists of.

    >>> literals("people = 8   # how many" + chr(10) + "band_hz = (0.7, 3.0)", "example")
    {'people': 8, 'band_hz': (0.7, 3.0)}
    """
    found = {}
    try:
        for line in ast.parse(source).body:
            if isinstance(line, ast.Assign) and len(line.targets) == 1:
                target = line.targets[0]
            elif isinstance(line, ast.AnnAssign) and line.value is not None:
                target = line.target
            else:
                raise ValueError
            if not isinstance(target, ast.Name):
                raise ValueError
            found[target.id] = ast.literal_eval(line.value)
    except SyntaxError as error:
        raise ValueError(f"{who}, line {error.lineno}: {error.msg}.") from None
    except ValueError:
        raise ValueError(f"{who}: needs lines like 'people = 8', got {ast.unparse(line)!r}. "
                         f"Compute in the next cell.") from None
    return found


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint with the known word that is nearest, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""
