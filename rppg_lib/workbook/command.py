"""``rppg run``: find, check everything, run, report."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from ..files import output_dir, project_root
from . import settings
from .lock import only_run
from .notebook import Notebook, find, passed_over, read, select
from .progress import Display, report
from .runner import Job, Outcome
from .runner import run as run_jobs
from .verdicts import exercises

DEFAULT_PROFILE = "quick"


def run(wanted: Iterable[str], *, profile: str, given: Iterable[str], out: Path | None, fresh: bool, at_a_time: int,
        notebooks: Path | None, stream: TextIO) -> list[Outcome]:
    """Run the notebooks that ``wanted`` names and write progress and failures to ``stream``."""
    folder, given = notebooks or notebooks_folder(), list(given)
    jobs = plan(folder, wanted, profile=profile, given=given)
    out = (out or output_dir()).resolve()
    if (out / "notebooks").resolve() == folder.resolve():
        raise ValueError(f"run: --out {_short(out)} would write the executed copies over the notebooks themselves. "
                         f"Choose another folder, such as build.")
    if _has_no_profiles(folder, profile):
        stream.write(f"{folder} has no folder profiles/: the notebooks run with the parameters written in them.\n")
        stream.flush()
    if others := passed_over(folder):
        stream.write(f"Passed over, for a notebook here is called NN_name.ipynb, in letters, digits and _: "
                     f"{', '.join(others)}\n")
        stream.flush()
    if profile != DEFAULT_PROFILE or given:
        stream.write("What a notebook's text says of numbers was written for profile quick as it is: with other "
                     "parameters believe the tables.\n")
        stream.flush()
    out.mkdir(parents=True, exist_ok=True)
    with only_run(out):
        outcomes = run_jobs(jobs, out=out, at_a_time=at_a_time, fresh=fresh, listen=Display(stream))
    if failures := report(outcomes):
        stream.write("\n" + failures + "\n")
    for line in [*exercises(outcomes, out / "notebooks"), *_places(outcomes, out)]:
        stream.write(line + "\n")
    stream.flush()
    return outcomes


def plan(folder: Path, wanted: Iterable[str], *, profile: str, given: Iterable[str]) -> list[Job]:
    """Return the jobs, all names and values checked; nothing has run."""
    if not folder.is_dir():
        raise FileNotFoundError(f"run: there is no folder {folder}.")
    paths = find(folder)
    chosen = select(paths, wanted)
    known = [read(path) if path in chosen else _read_if_sound(path) for path in paths]
    sections = {} if _has_no_profiles(folder, profile) else settings.read_profile(folder / "profiles", profile)
    settings.check_profile(sections, [notebook for notebook in known if notebook], file=f"{profile}.yaml")
    selected = [notebook for notebook in known if notebook and notebook.path in chosen]
    values = settings.split_given(given)
    settings.check_given(values, selected)
    return [Job(notebook=notebook, parameters=settings.merged(notebook, sections, values), profile=profile)
            for notebook in selected]


def _has_no_profiles(folder: Path, profile: str) -> bool:
    """Whether the notebooks' own parameters are the profile: collected notebooks come without a folder of profiles."""
    return profile == DEFAULT_PROFILE and not (folder / "profiles").is_dir()


def _places(outcomes: list[Outcome], out: Path) -> list[str]:
    """Return the line that says where the products are, if there are any."""
    if not any(outcome.state != "failed" for outcome in outcomes):
        return []
    results = f", results in {_short(out / 'results')}" if (out / "results").is_dir() else ""
    return [f"Executed notebooks are in {_short(out / 'notebooks')}{results}."]


def _short(path: Path) -> str:
    """Return the path seen from the working folder, or whole where that is shorter."""
    try:
        return min(os.path.relpath(path), str(path), key=len)
    except ValueError:                                       # on another drive
        return str(path)


def _read_if_sound(path: Path) -> Notebook | None:
    """A notebook that is not asked for may be broken: it only lends its names to the check of the profile."""
    try:
        return read(path)
    except (ValueError, OSError):
        return None


def notebooks_folder() -> Path:
    """Return the notebooks of the checkout that holds the working folder."""
    root = project_root()
    if root is None:
        raise FileNotFoundError(f"run: {Path.cwd()} is in no checkout of the workbook (a folder with notebooks/ and "
                                f"rppg_lib/). Change into one, or name the notebooks' folder with --notebooks.")
    return root / "notebooks"
