"""``rppg run``: find, check everything, run, report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from ..files import output_dir, project_root
from . import settings
from .notebook import Notebook, find, read, select
from .progress import Display, report
from .runner import Job, Outcome
from .runner import run as run_jobs


def run(wanted: Iterable[str], *, profile: str, given: Iterable[str], out: Path | None, fresh: bool, at_a_time: int,
        notebooks: Path | None, stream: TextIO) -> list[Outcome]:
    """Run the notebooks that ``wanted`` names and write progress and failures to ``stream``."""
    jobs = plan(notebooks or _folder(), wanted, profile=profile, given=given)
    out = (out or output_dir()).resolve()
    outcomes = run_jobs(jobs, out=out, at_a_time=at_a_time, fresh=fresh, listen=Display(stream))
    if failures := report(outcomes):
        stream.write("\n" + failures + "\n")
    stream.flush()
    return outcomes


def plan(folder: Path, wanted: Iterable[str], *, profile: str, given: Iterable[str]) -> list[Job]:
    """Return the jobs, all names and values checked; nothing has run."""
    if not folder.is_dir():
        raise FileNotFoundError(f"run: there is no folder {folder}.")
    paths = find(folder)
    chosen = select(paths, wanted)
    known = [read(path) if path in chosen else _read_if_sound(path) for path in paths]
    sections = settings.read_profile(folder / "profiles", profile)
    settings.check_profile(sections, [notebook for notebook in known if notebook], file=f"{profile}.yaml")
    selected = [notebook for notebook in known if notebook and notebook.path in chosen]
    values = settings.split_given(given)
    settings.check_given(values, selected)
    return [Job(notebook=notebook, parameters=settings.merged(notebook, sections, values), profile=profile)
            for notebook in selected]


def _read_if_sound(path: Path) -> Notebook | None:
    """A notebook that is not asked for may be broken: it only lends its names to the check of the profile."""
    try:
        return read(path)
    except ValueError:
        return None


def _folder() -> Path:
    root = project_root()
    if root is None:
        raise FileNotFoundError(f"run: {Path.cwd()} is in no checkout of the workbook (a folder with notebooks/ and "
                                f"rppg_lib/). Change into one, or name the notebooks' folder with --notebooks.")
    return root / "notebooks"
