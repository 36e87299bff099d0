"""Executed notebooks made fit for the book: checked, folded where the reader should try first, cleaned of the run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from rppg_lib.workbook import settings
from rppg_lib.workbook.fingerprint import file_digest
from rppg_lib.workbook.notebook import read

_DETAILS = re.compile(r"<details>\s*<summary>(?P<title>.*?)</summary>(?P<body>.*?)</details>", re.DOTALL)
_TAGS = re.compile(r"<[^>]+>")
# In a notebook a citation is a link, for JupyterLab: ([Wang et al. 2017](../book/bibliography.md#wang2017pos)).
_CITATION = re.compile(r"(?P<open>\()?\[[^\]]+\]\(\.\./book/bibliography\.md#(?P<key>\w+)\)(?(open)\))")
_OF_THE_RUN = ("papermill", "rppg", "widgets")       # paths, times; a static page has no kernel for widgets


class BookError(Exception):
    """Something the book cannot be built from, said in one line that tells what to do."""


def read_executed(source: Path, executed: Path) -> NotebookNode:
    """Return the executed copy of the notebook ``source``.

    It must exist, be of the same text, hold no error, and have been run with the parameters of its profile.
    """
    name, again = source.stem, _again(source)
    if not executed.is_file():
        raise BookError(f"book: {name} has not been run: {executed} is missing. {again}")
    notebook = nbformat.read(executed, as_version=4)
    if _texts(notebook) != _texts(nbformat.read(source, as_version=4)):
        raise BookError(f"book: {name} has changed since it was run. {again}")
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            if output.output_type == "error" and "raises-exception" not in _tags(cell):
                raise BookError(f"book: {name} stopped in cell {number}: {output.ename}: {output.evalue}. "
                                f"Mend the cell. {again}")
    return notebook


def check_run(source: Path, notebook: NotebookNode, out: Path) -> list[Path]:
    """Return the results files that the run of ``notebook`` wrote, if it was run with the parameters of its profile.

    Args:
        source: the notebook as it is written; profiles lie beside it.
        notebook: its executed copy, with the record of the run.
        out: folder that the names of the results files are relative to.
    """
    record = notebook.metadata.get("rppg")
    if not record:
        raise BookError(f"book: {source.stem} was not run by rppg: nobody knows its parameters. {_again(source)}")
    profile, again = record["profile"], _again(source, record["profile"])
    wanted = settings.merged(read(source), settings.read_profile(source.parent / "profiles", profile), {})
    if {name: repr(value) for name, value in wanted.items()} != record["parameters"]:
        raise BookError(f"book: {source.stem} was run with other parameters than those of its profile. {again}")
    for name, digest in record["results"].items():
        if not (out / name).is_file() or file_digest(out / name) != digest:
            raise BookError(f"book: {name} is no longer what the run of {source.stem} wrote. {again}")
    return [out / name for name in record["results"]]


def prepare(notebook: NotebookNode) -> NotebookNode:
    """Return ``notebook`` as the book shows it; the argument is changed."""
    notebook.cells = [cell for cell in notebook.cells if not _repeats_parameters(cell, notebook)]
    for key in _OF_THE_RUN:
        notebook.metadata.pop(key, None)
    for cell in notebook.cells:
        for key in ("papermill", "execution", "jupyter"):       # the last folds in JupyterLab; the book does it below
            cell.metadata.pop(key, None)
        if cell.cell_type == "markdown":
            cell.source = _markdown(cell)
        elif cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_empty(output)]
            _fold_code(cell)
    return notebook


def title(notebook: NotebookNode) -> str:
    """Return the notebook's own title: its first heading."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := re.search(r"^# +(.+)$", cell.source, re.MULTILINE)):
            return found[1].strip()
    raise BookError("book: a notebook has no title. Begin its first cell with a line such as: # POS and CHROM")


def _again(source: Path, profile: str = "quick") -> str:
    return f"Run: rppg run {source.stem[:2]} --profile {profile}"


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _texts(notebook: NotebookNode) -> list[str]:
    return [cell.source.strip() for cell in notebook.cells if "injected-parameters" not in _tags(cell)]


def _markdown(cell: NotebookNode) -> str:
    source = _CITATION.sub(lambda found: f"{{cite:{'p' if found['open'] else 't'}}}`{found['key']}`", cell.source)
    source = source.replace("](../book/", "](../")        # pages are neighbours of the notebooks in the book
    source = _DETAILS.sub(lambda found: _dropdown(found["title"], found["body"]), source)
    for tag in ("hint", "solution"):
        if tag in _tags(cell) and "{dropdown}" not in source:
            source = _dropdown(tag.capitalize(), source)
    return source


def _dropdown(title: str, body: str) -> str:
    return f":::::{{dropdown}} {_TAGS.sub('', title).strip()}\n{body.strip()}\n:::::\n"


def _fold_code(cell: NotebookNode) -> None:
    shown = cell.metadata.setdefault("mystnb", {})
    if "solution" in _tags(cell):
        cell.metadata.tags = [*_tags(cell), "hide-cell"]
        shown.update(code_prompt_show="Show the solution", code_prompt_hide="Hide the solution")
    if "alt" in cell.metadata:
        shown.setdefault("image", {}).setdefault("alt", cell.metadata["alt"])


def _is_empty(output: NotebookNode) -> bool:
    """A progress line that was wiped when its work was done."""
    if output.output_type == "stream":
        return not output.text.strip()
    return output.output_type != "error" and not any(output.data.values())


def _repeats_parameters(cell: NotebookNode, notebook: NotebookNode) -> bool:
    """Whether the runner's own cell only says again what the notebook's parameters say."""
    if "injected-parameters" not in _tags(cell):
        return False
    written = [other for other in notebook.cells if "parameters" in _tags(other)]
    return bool(written) and _assigned(cell.source).items() <= _assigned(written[0].source).items()


def _assigned(source: str) -> dict[str, str]:
    return {ast.unparse(target): ast.unparse(line.value) for line in ast.parse(source).body
            if isinstance(line, ast.Assign) for target in line.targets}
