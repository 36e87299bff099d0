"""What an estimate costs: sizes, multiplications, time, memory and energy; one row for each method and network.

Counts are those of :mod:`rppg_lib.models.cost`: all multiplications, and those that the usual counters see. Everything
else is measured in processes of their own, so that neither what this one did before nor how many threads it has changes
a number.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import registry
from ..types import Clip
from .energy import Energy, gpu_energy, processor_energy

FS = 30.0
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
UNKNOWN = dict.fromkeys((
    "frames", "size_px", "params", "params_visible", "gmacs", "gmacs_visible", "gscans", "reported_params",
    "reported_gmacs", "ms_per_frame", "ms_per_frame_trace", "memory_mb", "energy_mj_per_frame", "gpu_ms_per_frame",
    "gpu_memory_mb", "gpu_energy_mj_per_frame"), np.nan)

Told = Callable[[str], Any]


def efficiency(names: Sequence[str | registry.Estimator] | None = None, *, frames: int = 160, size_px: int = 128,
               threads: int = 1, repeats: int = 3, memory: bool = True,
               progress: Told = lambda text: None) -> pd.DataFrame:
    """Return what one clip costs each, by name.

    ============================  ==================================================================================
    ``params``, ``gmacs``         all parameters; 10^9 multiplications with additions for one window
    ``..._visible``               the same, as counters see it that most published figures were made with
    ``gscans``                    10^9 operations of selective scans, which are in neither
    ``reported_...``              what paper or public code says; multiplications where the window is that of the paper
    ``ms_per_frame``              from pictures to pulse: the fastest of several runs, all in turns
    ``ms_per_frame_trace``        of a method, from a colour trace that is there already
    ``memory_mb``                 by how much a process grows at most to estimate once, weights with it, clip without
    ``energy_mj_per_frame``       of the processors, where the machine says it
    ``gpu_...``                   the same on a GPU, if there is one
    ``note``                      what is not known, and why
    ============================  ==================================================================================

    What is not known is NaN. A method has no parameters, and nobody counts its multiplications. One thread is timed by
    the processor time of its process, which other programs hardly lengthen; more threads by the clock on the wall.

    Args:
        names: registered names, whose networks are then without training, or estimators; None: everything registered.
        frames: length of the clip, and of the window of networks that are named.
        size_px: height and width of its pictures.
        threads: of the processor.
        repeats: runs that count, after one that does not.
        memory: measure it; each needs a new process, which takes seconds.
        progress: told what is being measured.
    """
    _check_numbers(frames=frames, size_px=size_px, threads=threads, repeats=repeats)
    rows: dict[str, dict[str, Any]] = {}
    estimators: dict[str, registry.Estimator] = {}
    for each in registry.available() if names is None else [names] if isinstance(names, str) else names:
        row, estimator = _entered(each, frames, size_px)
        if row["name"] in rows:
            raise ValueError(f"efficiency: two estimators are called {row['name']}. Rename one.")
        rows[row["name"]] = row
        if estimator is not None:
            estimators[row["name"]] = estimator
    if not rows:
        raise ValueError("efficiency: needs at least one name, got none. See rppg_lib.registry.available().")
    if estimators:
        progress(f"timing {', '.join(estimators)} in turns")
        for name, told in zip(estimators, _times_of(list(estimators.values()), frames, size_px, repeats, threads)):
            _put(rows[name], told)
    for name in estimators if memory else ():
        progress(f"memory of {name}")
        _put(rows[name], _memory_of(estimators[name], frames, size_px, threads))
    return pd.DataFrame([row | {"note": "; ".join(dict.fromkeys(row["note"]))} for row in rows.values()]
                        ).set_index("name")


def _check_numbers(**numbers: int) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"efficiency: {name} must be a whole number from 1 on, got {value!r}.")


def _entered(each: str | registry.Estimator, frames: int, size_px: int) -> tuple[dict, registry.Estimator | None]:
    """Return the first half of a row, and the estimator; None where its design does not allow such a clip."""
    row = {"name": each, "kind": "method"} | UNKNOWN | {"clock": "", "note": []}
    if isinstance(each, str):
        entry = registry.find(each)
        row |= {"name": entry.name, "kind": entry.kind}
        if entry.kind == "method":
            return row | {"params": 0}, entry.make()
        from ..models import NetworkEstimator
        from ..models.cost import untrained

        try:
            network = untrained(entry.made_of, frames=frames, size_px=size_px)
            return row | _counted(network), NetworkEstimator(network, device="cpu")
        except ValueError as error:
            return row | {"note": [str(error)]}, None
    if not isinstance(each, registry.Estimator):
        raise TypeError(f"efficiency: needs names or estimators (name, cites, predict), got {each!r}. "
                        f"Register a function first, or give its name.")
    row |= {"name": each.name}
    if isinstance(each, registry.TraceEstimator):
        return row | {"params": 0}, each
    if not hasattr(each, "network"):
        return row | {"kind": "other", "note": ["sizes not known: it has no network that can be counted"]}, each
    return row | {"kind": "network"} | _counted(each.network), each


def _counted(network: Any) -> dict[str, Any]:
    """Return sizes for one window of a network, and what was reported of it."""
    from ..models.cost import SCAN_OPERATIONS, count

    frames, size_px, known = network.config.frames, network.config.size_px, type(network).published
    cost = count(network, frames=frames, size_px=size_px)
    same = (known.frames, known.size_px) == (frames, size_px)
    return {"frames": frames, "size_px": size_px, "params": cost.params, "params_visible": cost.params_visible,
            "gmacs": cost.macs / 1e9, "gmacs_visible": cost.macs_visible / 1e9,
            "gscans": SCAN_OPERATIONS * cost.scanned / 1e9,
            "reported_params": np.nan if known.params is None else known.params,
            "reported_gmacs": known.gmacs if same and known.gmacs is not None else np.nan}


def _put(row: dict[str, Any], told: dict[str, Any]) -> None:
    row["note"] += told.pop("note", [])
    row.update(told)


def _elsewhere(threads: int, work: Callable, *given: Any) -> Any:
    """Call a function of this module in a new process with so many threads."""
    from joblib.externals.loky.process_executor import ProcessPoolExecutor

    with ProcessPoolExecutor(max_workers=1, env=dict.fromkeys(THREADS, str(threads))) as process:
        return process.submit(work, *given).result()


def _clip(frames: int, size_px: int) -> Clip:
    """Return noise that beats: what is fed does not change what is computed."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(90, 160, (frames, size_px, size_px, 3), dtype=np.uint8)
    pictures += np.rint(8 + 8 * np.sin(np.arange(frames) / 4)).astype(np.uint8)[:, None, None, None]
    return Clip(id="noise", frames=pictures, fs=FS)


def _from_pictures(estimator: registry.Estimator, clip: Clip) -> Any:
    """Estimate as from a film of a face: a method takes the mean colour of each picture first."""
    if isinstance(estimator, registry.TraceEstimator):
        clip = dataclasses.replace(clip, rgb=_colours(clip))
    return estimator.predict(clip)


def _colours(clip: Clip) -> np.ndarray:
    return clip.frames.reshape(len(clip), -1, 3).mean(1)


def _times_of(estimators: list[registry.Estimator], frames: int, size_px: int, repeats: int,
              threads: int) -> list[dict[str, Any]]:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        return _elsewhere(threads, _timed, estimators, frames, size_px, repeats, threads == 1)
    except TerminatedWorkerError:
        raise RuntimeError(f"efficiency: the process in which all are timed was ended, probably for want of memory. "
                           f"Use fewer frames than {frames} or smaller pictures than {size_px} px.") from None


def _timed(estimators: list[registry.Estimator], frames: int, size_px: int, repeats: int,
           one_thread: bool) -> list[dict[str, Any]]:
    """Return times and energy of each; they take turns, so that what slows the machine slows them all."""
    clip, tick = _clip(frames, size_px), time.process_time if one_thread else time.perf_counter
    trace = Clip(id="noise", rgb=_colours(clip), fs=FS)
    found: list[dict[str, Any]] = [{"note": [], "clock": "cpu" if one_thread else "wall"} for _ in estimators]
    ways: list[tuple[dict, str, Callable[[], Any]]] = []
    for row, estimator in zip(found, estimators):
        ways.append((row, "ms_per_frame", lambda estimator=estimator: _from_pictures(estimator, clip)))
        if isinstance(estimator, registry.TraceEstimator):
            ways.append((row, "ms_per_frame_trace", lambda estimator=estimator: estimator.predict(trace)))
    for turn in range(repeats + 1):                                  # in the first one, libraries warm up
        for row, column, call in ways:
            if "failed" in row:
                continue
            try:
                begin = tick()
                call()
                took = 1e3 * (tick() - begin) / frames
            except Exception as error:                               # one that fails costs the others nothing
                row["failed"] = f"{type(error).__name__}: {' '.join(str(error).split())}"
                continue
            if turn:
                row[column] = min(took, row.get(column, np.inf))
    for row, estimator in zip(found, estimators):
        if "failed" in row:
            row["note"].append(row.pop("failed"))
            continue
        used = processor_energy(lambda estimator=estimator: _from_pictures(estimator, clip))
        _use(row, "energy_mj_per_frame", used, frames)
        if hasattr(estimator, "network"):
            _add_gpu(row, estimator, clip, repeats)
    return found


def _use(row: dict[str, Any], column: str, used: Energy, frames: int) -> None:
    row[column] = 1e3 * used.joules / frames
    if used.why_not:
        row["note"].append(used.why_not)


def _add_gpu(row: dict[str, Any], estimator: registry.Estimator, clip: Clip, repeats: int) -> None:
    """Fill in what a network costs on the GPU, if there is one."""
    from ..models import NetworkEstimator
    from ..models.cost import gpu_peak_bytes, has_gpu

    if not has_gpu():
        return
    try:
        there = NetworkEstimator(copy.deepcopy(estimator.network), name=estimator.name, device="cuda")
        row["gpu_memory_mb"] = gpu_peak_bytes(lambda: there.predict(clip)) / 1e6
        seconds = []
        for _ in range(2 + repeats):
            begin = time.perf_counter()
            there.predict(clip)                                      # its last step waits for the GPU
            seconds.append(time.perf_counter() - begin)
        row["gpu_ms_per_frame"] = 1e3 * min(seconds[2:]) / len(clip)
        _use(row, "gpu_energy_mj_per_frame", gpu_energy(lambda: there.predict(clip)), len(clip))
    except RuntimeError as error:                                    # an operation that it lacks, or no memory left
        row["note"].append(f"on the GPU: {' '.join(str(error).split())[:200]}")


def _memory_of(estimator: registry.Estimator, frames: int, size_px: int, threads: int) -> dict[str, Any]:
    """Return the peak of a new process in which an estimator estimates once."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        return _elsewhere(threads, _grown, estimator, frames, size_px)
    except TerminatedWorkerError:
        return {"note": ["memory not known: the process was ended, probably for want of it"]}


def _grown(estimator: registry.Estimator, frames: int, size_px: int) -> dict[str, Any]:
    """Return by how much this process grows at most while an estimator is made once more and estimates once.

    Libraries and the estimator that came are there before, and do not count; its copy's weights do.
    """
    clip = _clip(frames, size_px)
    before, why_not = _held_mb()
    if why_not:
        return {"note": [f"memory not known: {why_not}"]}
    try:
        _from_pictures(copy.deepcopy(estimator), clip)
    except Exception:                                                # timing said it already
        return {}
    return {"memory_mb": max(_peak_mb() - before, 0.0)}


def _held_mb() -> tuple[float, str]:
    """Return what this process holds now and make it the peak, where Linux can; elsewhere the peak up to now."""
    with contextlib.suppress(OSError, StopIteration):
        CLEAR.write_text("5")
        return _status_mb("VmRSS"), ""
    try:
        return _peak_mb(), ""
    except ImportError:
        return np.nan, "this system does not say what a process held"


def _peak_mb() -> float:
    with contextlib.suppress(OSError, StopIteration):
        return _status_mb("VmHWM")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def _status_mb(key: str) -> float:
    lines: Iterator[str] = iter(STATUS.read_text().splitlines())
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{key}:"))
