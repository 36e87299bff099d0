"""What this machine has and lacks, in plain words, with the line that mends it: ``rppg doctor``."""

from __future__ import annotations

import ctypes.util
import importlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from .files import cache_dir, project_root
from .video.model import GET_IT, VARIABLE, default_place, face_model_path

OURS = "rppg-lib"
OLDEST_PYTHON = (3, 11)
MEDIAPIPE_THAT_CALLS_HOME = (0, 10, 35)
ONNXRUNTIME_THAT_CALLS_HOME = (1, 29)
LOW_DISK_GB = 5.0
INSTALL = 'In a checkout: python -m pip install -c requirements/lock.txt -e ".[{}]"'

LIBRARIES = {"GL": "libgl1", "EGL": "libegl1", "GLESv2": "libgles2", "glib-2.0": "libglib2.0-0"}
"""Shared libraries that cv2 and mediapipe open on Linux, and their Debian packages."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
BROWSER_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
BROWSER_REMEDY = "Debian: sudo apt-get install chromium; elsewhere: install Chrome, or set RPPG_CHROMIUM to a Chromium."


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. A ``note`` is worth knowing, a ``problem`` stops something."""

    topic: str
    state: Literal["ok", "note", "problem"]
    text: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at everything the project depends on, and change nothing."""
    return [_python(), *_packages(), _device(), _threads(), _one_cv2(), _silence(), _silent_runtime(), _libraries(),
            _face_model(), _real_data(), _browser(), _disk()]


def report(findings: Iterable[Finding]) -> str:
    """Return the findings as lines of text, each with its remedy below, and a closing count.

    >>> print(report([Finding(topic="disk", state="problem", text="0.1 GB free", remedy="Make room.")]))
    problem  disk           0.1 GB free
                            -> Make room.
    1 problem, 0 notes.
    """
    findings = list(findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<8} {finding.topic:<14} {finding.text}")
        if finding.remedy:
            lines.append(f"{'':<23} -> {finding.remedy}")
    counts = {state: sum(finding.state == state for finding in findings) for state in ("problem", "note")}
    lines.append(", ".join(f"{n} {state}{'' if n == 1 else 's'}" for state, n in counts.items()) + ".")
    return "\n".join(lines)


def find_browser() -> str | None:
    """Return the path of a Chromium-like browser: ``$RPPG_CHROMIUM``, one on the PATH, an app, or Playwright's own."""
    if named := os.environ.get("RPPG_CHROMIUM"):
        return named if Path(named).is_file() else None
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    own = sorted(cache_dir().glob("ms-playwright/chromium-*/chrome-*/chrome*"), reverse=True)
    places = [Path(place) for place in BROWSER_PLACES] + [path for path in own if path.stem == "chrome"]
    return next((str(place) for place in places if place.is_file()), None)


def real_data_folder() -> Path | None:
    """Return the folder of real recordings: ``$RPPG_REALDATA``, else ``../shared/realdata`` beside the checkout."""
    named = os.environ.get("RPPG_REALDATA")
    folder = Path(named) if named else _checkout() / ".." / "shared" / "realdata"
    return folder.resolve() if folder.is_dir() else None


def _checkout() -> Path:
    return project_root() or project_root(Path(__file__).parent) or Path.cwd()


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < OLDEST_PYTHON:
        return Finding(topic="Python", state="problem", text=f"{version} is too old",
                       remedy="Make a new environment with Python {}.{} or later.".format(*OLDEST_PYTHON))
    return Finding(topic="Python", state="ok", text=f"{version} at {sys.executable}")


def _packages() -> list[Finding]:
    """Compare what is installed with what our own metadata asks for, extra by extra."""
    try:
        from packaging.requirements import Requirement  # absent from the bare package, present with any extra

        requirements = [Requirement(text) for text in metadata.requires(OURS) or []]
    except (ImportError, metadata.PackageNotFoundError):
        return [Finding(topic="packages", state="note", text="not compared: rppg-lib is not installed with its extras",
                        remedy=INSTALL.format("all"))]
    findings = []
    for extra in ("", "torch", "video", "notebooks", "book", "test"):
        wanted = [r for r in requirements if r.name != OURS
                  and (r.marker is None if not extra else r.marker is not None and f'"{extra}"' in str(r.marker))]
        findings.append(_compare(extra, {r.name: r.specifier for r in wanted}))
    return findings


def _compare(extra: str, wanted: dict) -> Finding:
    topic = f"for {extra}" if extra else "core"
    found = {name: _version(name) for name in wanted}
    missing = [name for name, version in found.items() if version is None]
    unfit = [f"{name} {version} (asked for: {wanted[name]})" for name, version in found.items()
             if version is not None and not wanted[name].contains(version, prereleases=True)]
    if unfit:
        return Finding(topic=topic, state="problem", text="; ".join(unfit),
                       remedy=INSTALL.format(extra or "all"))
    if missing:
        return Finding(topic=topic, state="note" if extra else "problem", text=f"not installed: {', '.join(missing)}",
                       remedy=INSTALL.format(extra or "all"))
    return Finding(topic=topic, state="ok", text=", ".join(f"{name} {version}" for name, version in found.items()))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _device() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding(topic="device", state="note", remedy=INSTALL.format("torch"),
                       text="torch is not installed: classical methods work, networks do not")
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        return Finding(topic="device", state="problem", text=f"torch is installed and does not load: {error}",
                       remedy="Reinstall it: python -m pip install --force-reinstall torch")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Finding(topic="device", state="ok", text=f"CUDA: {', '.join(names)}")
    if torch.backends.mps.is_available():
        return Finding(topic="device", state="ok", text="MPS (Apple), or CPU")
    return Finding(topic="device", state="ok", text="CPU: enough for the quick profile of every notebook")


def _threads() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limit = os.environ.get("OMP_NUM_THREADS")
    return Finding(topic="cores", state="ok",
                   text=f"{cores} for this process; threads of one computation: {limit or 'as many'}")


def _one_cv2() -> Finding:
    """Several distributions write the same folder cv2/ without a warning; the last one installed wins in part."""
    givers = sorted(set(metadata.packages_distributions().get("cv2", [])))
    if len(givers) > 1:
        keep = "opencv-contrib-python"
        return Finding(topic="cv2", state="problem", text=f"provided by {' and '.join(givers)}, over one another",
                       remedy=f"python -m pip uninstall -y {' '.join(givers)} && python -m pip install {keep}")
    if not givers:
        return Finding(topic="cv2", state="note", text="not installed: no video, no simulated faces",
                       remedy=INSTALL.format("video"))
    return Finding(topic="cv2", state="ok", text=f"{givers[0]} {_version(givers[0])}")


def _libraries() -> Finding:
    if not sys.platform.startswith("linux"):
        return Finding(topic="libraries", state="ok", text="come with the packages on this system")
    missing = [name for name in LIBRARIES if ctypes.util.find_library(name) is None]
    if not missing:
        return Finding(topic="libraries", state="ok", text=", ".join(f"lib{name}" for name in LIBRARIES))
    users = [name for name in ("cv2", "mediapipe") if importlib.util.find_spec(name)]
    return Finding(topic="libraries", state="problem" if users else "note",
                   text=f"missing: {', '.join(f'lib{name}' for name in missing)}; "
                        + (f"{' and '.join(users)} may fail to load" if users else "needed for video only"),
                   remedy=f"Debian: sudo apt-get install {' '.join(LIBRARIES[name] for name in missing)}")


def _face_model() -> Finding:
    try:
        path = face_model_path()
    except OSError as error:
        return Finding(topic="face model", state="problem", text=str(error),
                       remedy=f"Correct or unset {VARIABLE}, or delete {default_place()} and: rppg face-model")
    if path is None:
        return Finding(topic="face model", state="note", text="none: faces are found by the older Haar detector",
                       remedy=GET_IT)
    return Finding(topic="face model", state="ok", text=str(path))


def _silence() -> Finding:
    """Later versions of mediapipe send usage metrics to their maker: not with videos of faces."""
    return _calls_home("mediapipe", since=MEDIAPIPE_THAT_CALLS_HOME, extra="video",
                       without="faces are found by the older Haar detector")


def _silent_runtime() -> Finding:
    """Later versions of onnxruntime do, too."""
    return _calls_home("onnxruntime", since=ONNXRUNTIME_THAT_CALLS_HOME, extra="export",
                       without="networks cannot be exported")


def _calls_home(name: str, *, since: tuple[int, ...], extra: str, without: str) -> Finding:
    version = _version(name)
    if version is None:
        return Finding(topic=name, state="note", remedy=INSTALL.format(extra), text=f"not installed: {without}")
    if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) >= since:
        return Finding(topic=name, state="problem", text=f"{version} sends usage metrics to its maker",
                       remedy=INSTALL.format(extra))
    return Finding(topic=name, state="ok", text=f"{version}, makes no network call")


def _real_data() -> Finding:
    named = os.environ.get("RPPG_REALDATA")
    if named and not Path(named).is_dir():
        return Finding(topic="real data", state="problem", text=f"RPPG_REALDATA names {named}, which is no folder",
                       remedy="Correct the variable or unset it.")
    places = [place for place in (real_data_folder(), _checkout() / "data" / "raw") if place and place.is_dir()]
    found = [f"{place}: {', '.join(names)}" for place in places
             if (names := sorted(folder.name for folder in place.iterdir() if folder.is_dir()))]
    return Finding(topic="real data", state="ok", text="; ".join(found) or "none found: the simulator is used")


def _browser() -> Finding:
    path = find_browser()
    if path is None:
        return Finding(topic="browser", state="note", text="none found: the browser tests are skipped",
                       remedy=BROWSER_REMEDY)
    return Finding(topic="browser", state="ok", text=path)


def _disk() -> Finding:
    place = _checkout()
    free_gb = shutil.disk_usage(place).free / 1e9
    if free_gb < LOW_DISK_GB:
        return Finding(topic="disk", state="note" if free_gb > 0.5 else "problem",
                       text=f"{free_gb:.1f} GB free at {place}", remedy="Make room before training or caching video.")
    return Finding(topic="disk", state="ok", text=f"{free_gb:.0f} GB free at {place}")
