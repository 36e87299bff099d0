"""What all tests share: one thread, no window, and fixtures for what a machine may lack."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")        # before NumPy is first imported
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

from rppg_lib import doctor


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
        reason = f"no Chromium-like browser found. {doctor.BROWSER_REMEDY}"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
