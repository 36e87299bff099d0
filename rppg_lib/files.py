"""Where the project's files are, and how one is written: whole or not at all, by one process at a time."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

OUT_VARIABLE = "RPPG_OUT"
LONGEST_BYTES = 180                      # of a file name; systems allow 255, and endings are added


def output_dir(*parts: str) -> Path:
    """Return a folder for products: below ``$RPPG_OUT`` if set, else ``build`` of the checkout or working folder."""
    base = os.environ.get(OUT_VARIABLE)
    folder = Path(base) if base else (project_root() or Path.cwd()) / "build"
    return folder.joinpath(*parts)


def project_root(start: Path | None = None) -> Path | None:
    """Return the checkout that holds ``start`` (default: the working folder), or None outside of one."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "rppg_lib").is_dir():
            return folder
    return None


def revision() -> str:
    """Return the revision of the code in the checkout, with ``-dirty`` where it was changed since; or ``unknown``."""
    root = project_root()
    try:
        command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 and root else "unknown"


def cache_dir() -> Path:
    """Return this user's folder for files that can be fetched again; it need not exist."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")


def file_stem(name: str) -> str:
    """Return a name for a file; one that had to be changed gets a few figures of its own, so that no two are one.

    >>> file_stem("finger"), file_stem("sim0000 still 0"), file_stem("..")
    ('finger', 'sim0000_still_0-7220da73', 'file-9608161c')
    """
    stem = re.sub(r"[^\w.-]+", "_", name).strip("._")
    while len(stem.encode()) > LONGEST_BYTES:
        stem = stem[:-1]
    return stem if stem and stem == name else f"{stem or 'file'}-{zlib.crc32(name.encode('utf-8', 'replace')):08x}"


@contextlib.contextmanager
def written_whole(path: str | Path, mode: str = "w") -> Iterator[IO]:
    """Open a file that appears under its name only when the block ends without an error.

    >>> import tempfile; folder = tempfile.TemporaryDirectory()
    >>> with written_whole(Path(folder.name) / "a.txt") as file:
    ...     _ = file.write("all of it")
    >>> (Path(folder.name) / "a.txt").read_text()
    'all of it'
    """
    path = Path(path)
    if path.is_symlink():
        path = path.resolve()                                        # the file itself, not the link to it
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():                         # a device or a pipe is written to, never replaced
        with open(path, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
        return
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise


def locked(file: IO) -> bool:
    """Lock an open file for this process, and return whether that was possible. The lock falls with the process."""
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
