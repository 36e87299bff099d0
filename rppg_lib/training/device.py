"""Where a training runs: accelerate's choice of device, processes and precision, and nothing left behind."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from .config import FitConfig

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3          # of glibc's malloc.h
MMAP_BYTES, KEPT_BYTES = 32 << 20, 256 << 20


def accelerator_for(config: FitConfig) -> Accelerator:
    """Return accelerate's view of this process; a second training may differ in device and precision from the first."""
    keep_freed_memory()
    if config.precision == "fp16" and (config.device == "cpu" or not torch.cuda.is_available()):
        raise ValueError("fit: precision fp16 needs a GPU. Use bf16, or no.")
    if AcceleratorState._shared_state:                               # accelerate keeps the first one's for the process
        AcceleratorState._reset_state(reset_partial_state=PartialState().num_processes == 1)
    return Accelerator(cpu=config.device == "cpu", mixed_precision=config.precision)


@contextmanager
def random_state_kept(device: torch.device | None = None, *, seed: int) -> Iterator[None]:
    """Seed torch's global random numbers while the block runs; leave them, on CPU and ``device``, as they were.

    >>> with random_state_kept(seed=1):
    ...     one = torch.nn.Linear(2, 2)
    >>> with random_state_kept(seed=1):
    ...     other = torch.nn.Linear(2, 2)
    >>> bool((one.weight == other.weight).all())
    True
    """
    with torch.random.fork_rng([device] if device is not None and device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def keep_freed_memory() -> None:
    """Have this process keep up to 256 MB of what it frees: each step of a training asks for the same again.

    On Linux, maps of a few megabytes go back to the system when they are freed, and a new page must be cleared for
    every 4 kB of the next. Without that, small networks learn a fifth faster on a CPU. Elsewhere nothing changes.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
