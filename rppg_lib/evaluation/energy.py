"""Energy that a computer says it used: of its processors from Linux, of a GPU from NVIDIA's tool; never estimated.

Both count everything that ran meanwhile, and what an idle machine takes: measure while nothing else runs.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

POWERCAP = Path("/sys/class/powercap")
LEAST_S = 1.0
"""Counters move in steps of milliseconds: what is shorter is repeated for as long."""
ASK_GPU = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits", "--loop-ms=50")


class Energy(NamedTuple):
    """Joules for one call; NaN where it cannot be read, and why."""

    joules: float
    why_not: str = ""


def processor_energy(call: Callable[[], Any], *, least_s: float = LEAST_S, powercap: Path = POWERCAP) -> Energy:
    """Return the energy of all processor packages for one call, from the counters of Linux (RAPL).

    >>> processor_energy(lambda: None, powercap=Path("no such folder")).why_not
    'energy not known: no such folder is not there (needs Linux on a real machine with RAPL)'
    """
    counters, why_not = _counters(powercap)
    if why_not:
        return Energy(float("nan"), f"energy not known: {why_not}")
    try:
        before = [_number(counter / "energy_uj") for counter in counters]
        calls, _ = _repeated(call, least_s)
        after = [_number(counter / "energy_uj") for counter in counters]
        # A counter begins again at 0 when it is full.
        used = [end - start if end >= start else end - start + _number(counter / "max_energy_range_uj") + 1
                for counter, start, end in zip(counters, before, after)]
    except (OSError, ValueError) as error:
        return Energy(float("nan"), f"energy not known: {_reason(error)}")
    if not any(used):
        return Energy(float("nan"), "energy not known: the counters do not move")
    return Energy(sum(used) / 1e6 / calls)


def gpu_energy(call: Callable[[], Any], *, least_s: float = LEAST_S, ask: Sequence[str] = ASK_GPU) -> Energy:
    """Return the energy of the first GPU for one call: its mean power, as NVIDIA's tool tells it, times the seconds."""
    try:
        asked = subprocess.Popen(ask, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError as error:
        return Energy(float("nan"), f"energy of the GPU not known: {ask[0]} cannot be run ({type(error).__name__})")
    try:
        calls, seconds = _repeated(call, least_s)
    finally:
        asked.terminate()
        told = asked.communicate()[0].splitlines()
    try:
        watts = [float(line) for line in told]
    except ValueError:
        return Energy(float("nan"), f"energy of the GPU not known: {ask[0]} says {told[0].strip()!r} for its power")
    if not watts:
        return Energy(float("nan"), f"energy of the GPU not known: {ask[0]} says nothing of its power")
    return Energy(sum(watts) / len(watts) * seconds / calls)


def _counters(powercap: Path) -> tuple[list[Path], str]:
    """Return the folders of the packages' counters, or why there are none. Parts of packages would count twice."""
    if not powercap.is_dir():
        return [], f"{powercap} is not there (needs Linux on a real machine with RAPL)"
    try:
        found = [folder for folder in sorted(powercap.iterdir())
                 if (folder / "name").is_file() and (folder / "name").read_text().startswith("package")]
        for folder in found:
            _number(folder / "energy_uj")
    except (OSError, ValueError) as error:
        return [], _reason(error)
    return found, "" if found else f"{powercap} holds no counter of a processor package"


def _number(path: Path) -> int:
    return int(path.read_text())


def _reason(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"{error.filename} may be read by the administrator only"
    return " ".join(str(error).split()) or type(error).__name__


def _repeated(call: Callable[[], Any], least_s: float) -> tuple[int, float]:
    """Call until some time has passed; return how often, and the seconds."""
    start, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - start < least_s:
        call()
        calls += 1
    return calls, time.perf_counter() - start
