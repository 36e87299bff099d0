"""What all tests share: one thread, no window, and fixtures for what a machine may lack."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")        # before NumPy is first imported
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

from rppg_lib import doctor
from rppg_lib.video.model import GET_IT, face_model_path

LONGEST = ("notebooks/test_reproduces.py", "notebooks/test_run.py", "browser/test_lab.py", "browser/test_book_pages.py",
           "video/test_hostile_files.py", "models/test_heartbeats_learns.py", "test_book.py", "models/test_export.py",
           "training/test_real_processes.py", "data/test_build.py")
"""Files that take a minute and more. They begin first, or one process would be left alone with them at the end."""


def pytest_collection_modifyitems(items):
    """Put the longest files first, and leave all else as it was."""
    place = {Path(__file__).parent / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_runtest_setup(item):
    """Skip a test marked ``realdata("folder", ...)`` where one of its folders is absent."""
    for marker in item.iter_markers("realdata"):
        if absent := _absent(marker.args):
            pytest.skip(absent)


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real recordings."""
    if absent := _absent():
        pytest.skip(absent)
    return doctor.real_data_folder()


def _absent(names=()) -> str | None:
    home = doctor.real_data_folder()
    if home is None:
        return "no real recordings here: set RPPG_REALDATA to the folder that holds them"
    missing = [name for name in names if not (home / name).is_dir()]
    return f"real recordings not found in {home}: {', '.join(missing)}" if missing else None


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium-like browser; its absence skips the test, or fails it in continuous integration."""
    path = doctor.find_browser()
    if path is None:
        _lacking(f"no Chromium-like browser found. {doctor.BROWSER_REMEDY}")
    return path


@pytest.fixture(scope="session")
def face_model() -> Path:
    """The path of the face model; its absence skips the test, or fails it in continuous integration."""
    path = face_model_path()
    if path is None:
        _lacking(f"no face model. {GET_IT}")
    return path


def _lacking(reason: str) -> None:
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)
