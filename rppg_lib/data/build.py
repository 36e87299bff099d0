"""A clip store is made: recordings in parallel, each whole or not at all, the manifest last."""

from __future__ import annotations

import contextlib
import json
import platform
import re
import shutil
import sys
import time
import uuid
import warnings
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..files import locked, written_whole
from ..types import Clip
from .arrays import TYPES, file_digest, mapped, write_array, write_frames
from .manifest import FORMAT, KIND, MANIFEST, RECORD, RECORDINGS, Broken, Record, digest_of, read_json
from .sources import DECIDE_PIXELS, Source
from .store import ClipStore

LOCK = ".lock"
LOOK_EVERY_S = 0.2
PART = ".part"
LINE = "{desc}: {n_fmt} of {total_fmt} recordings after {elapsed}, about {remaining} to go{postfix}\n"
LINE_EVERY_S = 30.0                      # in a log, where nothing can be drawn again


def build_store(sources: Iterable[Source], folder: str | Path, *, name: str, jobs: int | None = 2,
                progress: bool = True) -> ClipStore:
    """Make the recordings and keep them in ``folder/name-digest``; what is there already is not made again.

    The digest is that of all settings, and of the code where recordings are simulated: other settings are another
    store. If the process is killed, the same call goes on where it was. What fails is named in ``store.failed`` and a
    warning; the next call tries it again. Another process that builds the same store waits for this one.

    The work is joblib's, and so goes wherever joblib is told to send it, for example to a Dask cluster whose workers
    see the same folder and have the same version of this library::

        client = dask.distributed.Client(...)
        with joblib.parallel_config(backend="dask"):
            build_store(sources, folder, name="train")

    Args:
        sources: what to make; their ids must differ.
        folder: for stores.
        name: what to call this one.
        jobs: recordings at a time; None: as many as joblib's configuration says.
        progress: draw a bar on stderr.

    Raises:
        RuntimeError: if not one recording could be made.
    """
    sources = _check_sources(sources)
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.+-]{0,80}", name):
        raise ValueError(f"build_store: name must be letters, digits and . + - _, for it names a folder; got {name!r}.")
    wanted = [{"id": source.id, "subject": source.subject, "settings": source.settings()} for source in sources]
    digests = [digest_of(each, who=f"build_store: source {each['id']!r}") for each in wanted]
    path = Path(folder) / f"{name}-{digest_of([FORMAT, digests], who='build_store')[:12]}"
    recordings, start = path / RECORDINGS, time.perf_counter()
    recordings.mkdir(parents=True, exist_ok=True)
    with _only_one(path):
        with contextlib.suppress(FileNotFoundError, ValueError):
            if not (store := ClipStore.open(path)).failed:
                return store
        for left in recordings.glob(f".*{PART}"):                    # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        made = {row["digest"]: row for row in _all_made(sources, digests, recordings, name, jobs, progress)}
        rows = [made[digest] for digest in digests]
        failed = [{key: row[key] for key in ("id", "subject", "error")} for row in rows if "error" in row]
        if len(failed) == len(rows):
            raise RuntimeError(f"build_store: none of {len(rows)} recordings could be made. "
                               f"The first, {failed[0]['id']}: {failed[0]['error']}")
        manifest = {"kind": KIND, "format": FORMAT, "name": name, "recordings": [r for r in rows if "error" not in r],
                    "failed": failed, "making": _making(time.perf_counter() - start)}
        with written_whole(path / MANIFEST) as file:
            file.write(json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        store = ClipStore.open(path)
    if failed:
        warnings.warn(f"build_store: {len(failed)} of {len(rows)} recordings failed and are named in store.failed. "
                      f"The first, {failed[0]['id']}: {failed[0]['error']}", stacklevel=2)
    return store


def _check_sources(sources: Iterable[Source]) -> list[Source]:
    sources = list(sources)
    if not sources:
        raise ValueError("build_store: needs at least one source, got none.")
    seen: set[str] = set()
    for source in sources:
        if not isinstance(source, Source):
            raise TypeError(f"build_store: needs sources (id, subject, settings, play), got {type(source).__name__}. "
                            f"Wrap a clip in ClipSource.")
        if source.id in seen:
            raise ValueError(f"build_store: two sources have the id {source.id!r}. Give one another seed or id.")
        seen.add(source.id)
    return sources


def _all_made(sources: list[Source], digests: list[str], recordings: Path, name: str, jobs: int | None,
              progress: bool) -> Iterator[dict[str, Any]]:
    """Yield what became of each recording, as they finish."""
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError
    from tqdm import tqdm

    # One at a time to a worker, and no long queue: a clip at hand is copied for each recording that waits.
    parallel = joblib.Parallel(n_jobs=jobs and min(jobs, len(sources)), batch_size=1, pre_dispatch="n_jobs",
                               return_as="generator_unordered")
    tasks = (joblib.delayed(make_recording)(*pair, recordings) for pair in zip(sources, digests))
    look = {} if sys.stderr.isatty() else {"bar_format": LINE, "mininterval": LINE_EVERY_S, "miniters": 1}
    with tqdm(total=len(sources), desc=name, unit="clip", disable=not progress, file=sys.stderr, **look) as bar:
        try:
            for row in parallel(tasks):
                if "error" in row:
                    bar.set_postfix_str("some failed")
                bar.update()
                yield row
        except TerminatedWorkerError as error:
            raise RuntimeError("build_store: a worker died, probably for want of memory. What is finished is kept: the "
                               "same call goes on; use fewer jobs.") from error


def make_recording(source: Source, digest: str, recordings: Path) -> dict[str, Any]:
    """Make one recording unless it is there; return its row for the manifest, or one with an ``error``."""
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", source.id)[:60].strip("._-") or "recording"
    final = recordings / f"{stem}-{digest[:12]}"
    if (there := _already(final, digest)) is not None:
        return there.to_json()
    part = None
    try:
        told = {"id": source.id, "subject": source.subject, "settings": source.settings()}
        if digest_of(told, who="build_store") != digest:
            raise RuntimeError("the worker's version of the code or of a package is not that of the process that asked")
        part = recordings / f".{final.name}.{uuid.uuid4().hex}{PART}"
        part.mkdir()
        record = _written(source, part, folder=final.name, digest=digest, settings=told["settings"])
        with written_whole(part / RECORD) as file:
            file.write(json.dumps(record.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        _move(part, final, digest)
        return record.to_json()
    except Exception as error:
        return {"id": source.id, "subject": source.subject, "digest": digest,
                "error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _written(source: Source, part: Path, *, folder: str, digest: str, settings: dict[str, Any]) -> Record:
    """Play a recording into a folder; return what was written."""
    playing, colours = source.play(), []

    def pictures() -> Iterator[np.ndarray]:
        for picture, colour in playing.pictures:
            if colour is not None:
                colours.append(colour)
            yield picture

    frames = write_frames(part / "frames.npy", pictures(), size_px=playing.size_px)
    ending = playing.ending()
    small = {"rgb": np.array(colours) if colours else None, "label": ending.label, "clean": ending.clean}
    small = {name: np.asarray(value, dtype=TYPES[name]) for name, value in small.items() if value is not None}
    for name, value in small.items():
        write_array(part / f"{name}.npy", value, name=name)
    names = [name for name in TYPES if name == "frames" or name in small]
    record = Record.from_json({
        "folder": folder, "id": source.id, "subject": source.subject, "dataset": playing.dataset,
        "condition": playing.condition, "fs": float(playing.fs), "frames": frames, "size_px": playing.size_px,
        "facts": ending.facts, "settings": settings, "digest": digest,
        "sha256": {name: file_digest(part / f"{name}.npy") for name in names}})
    shown = mapped(part / "frames.npy", name="frames", shape=record.shape("frames"))
    for pulse in {"label", "clean"} & small.keys() or {None}:         # Clip says what does not fit
        Clip(id=source.id, fs=record.fs, frames=shown, rgb=small.get("rgb"), label=small.get(pulse))
    return record


def _already(final: Path, digest: str) -> Record | None:
    """Return the record of a recording that is there and whole."""
    try:
        record = Record.from_json(read_json(final / RECORD))
    except (OSError, Broken):
        return None
    whole = record.digest == digest and record.folder == final.name and not record.misplaced(final.parent)
    return record if whole else None


def _move(part: Path, final: Path, digest: str) -> None:
    """Give a finished folder its name, unless a worker that outlived its process has been faster."""
    if final.exists() and _already(final, digest) is None:
        shutil.rmtree(final)
    try:
        part.rename(final)
    except OSError:
        if _already(final, digest) is None:
            raise


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold a store for this process; wait while another holds it. The lock falls with the process."""
    with open(path / LOCK, "a+b") as file:
        while not locked(file):
            time.sleep(LOOK_EVERY_S)
        yield


def _making(seconds: float) -> dict[str, Any]:
    """Return when, where and with what a store was made; nothing that the content depends on."""
    versions = {"python": platform.python_version()}
    for package in ("rppg-lib", *DECIDE_PIXELS, "joblib"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {"made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "seconds": round(seconds, 1),
            "system": f"{platform.system()} {platform.machine()}", "versions": versions}
