"""Where a training runs: accelerate's choice of device, processes and precision, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from .config import FitConfig


def accelerator_for(config: FitConfig) -> Accelerator:
    """Return accelerate's view of this process; a second training may differ in device and precision from the first."""
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
