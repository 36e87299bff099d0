"""What a network costs: parameters, multiplications, and time on this machine.

Two counts stand side by side, because published figures were made by two kinds of counter.

- **All**: PyTorch's own counter watches every matrix product and convolution, also those written as functions
  (attention, weights computed on the way). One multiplication with its addition is one MAC.
- **Visible**: what a counter that hooks into calls sees, such as thop: the layers of ``torch.nn`` that are called.
  Weights used without calling their layer, and parameters that belong to no such layer, are invisible to it.

Neither counts what is done number by number: normalisation, activations, pooling, Fourier transforms, and the selective
scan of Mamba. On a real machine these take time too. Scans are told apart.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from . import scan  # noqa: F401  it makes the operation that is counted below
from .network import Network

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
MATRIX_TIMES_VECTOR = {torch.ops.aten.mv: lambda matrix, vector, **_: 2 * matrix[0] * matrix[1]}
"""PyTorch's counter leaves these out."""
SCANS = {torch.ops.rppg_lib.selective_scan: lambda u, step, decay, *_, **__: u[0] * u[1] * decay[0] * decay[1]}
"""Not in operations, but in numbers of memory: ``B x T x D x N``."""
SCAN_OPERATIONS = 5
"""For each number of memory in a selective scan: how much of it stays (a product, its exponential), two to change it,
one to read it.
"""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Sizes of a network for one clip.

    Attributes:
        params: all parameters.
        trainable: those that training may change.
        macs: multiplications with additions, for the whole clip.
        params_visible, macs_visible: what a counter with hooks sees.
        scanned: numbers of memory that selective scans go through, with :data:`SCAN_OPERATIONS` each; not in ``macs``.
    """

    params: int
    trainable: int
    macs: int
    params_visible: int
    macs_visible: int
    scanned: int


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a network is run when it is timed.

    Attributes:
        device: ``cpu``, ``cuda`` ...
        threads: of a CPU; None: as PyTorch is set.
        precision: ``float32``, or ``bfloat16`` or ``float16`` under autocast, as in training.
        compile: with ``torch.compile``.
        channels_last: pictures and kernels in memory with their channels last.
    """

    device: str = "cpu"
    threads: int | None = None
    precision: str = "float32"
    compile: bool = False
    channels_last: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"Setting: precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}.")


@dataclass(frozen=True, kw_only=True)
class Latency:
    """How long one clip takes, in milliseconds."""

    min_ms: float
    median_ms: float
    frames: int
    clock: str                               # ``wall``, or ``cpu``: time of this process alone

    @property
    def ms_per_frame(self) -> float:
        return self.min_ms / self.frames


def count(network: Network, *, frames: int, size_px: int) -> Cost:
    """Return what one clip costs. Nothing is computed: only shapes travel through the network (PyTorch's meta device).

    Where a network cannot do that, it runs once on the CPU instead.

    >>> from rppg_lib.models.physformer import PhysFormer
    >>> cost = count(PhysFormer(), frames=160, size_px=128)
    >>> cost.params, round(cost.macs / 1e9, 2), round(cost.macs_visible / 1e9, 2)
    (7380865, 51.23, 50.14)
    """
    params = list(network.parameters())
    try:
        counted = _counted(network, "meta", frames, size_px)
    except (NotImplementedError, RuntimeError):                      # an operation without a rule for shapes
        counted = _counted(network, "cpu", frames, size_px)
    return Cost(params=sum(p.numel() for p in params), trainable=sum(p.numel() for p in params if p.requires_grad),
                **counted)


def latency(network: Network, *, frames: int, size_px: int, repeats: int = 5,
            setting: Setting = Setting()) -> Latency:
    """Return how long one clip takes: fastest and median of several runs. See :func:`latencies`."""
    took, = latencies([network], frames=frames, size_px=size_px, repeats=repeats, setting=setting)
    return took


def latencies(networks: Sequence[Network], *, frames: int, size_px: int, repeats: int = 5,
              setting: Setting = Setting()) -> list[Latency]:
    """Return how long one clip takes each network. They take turns, so that what slows the machine slows them all.

    A single CPU thread is timed by the processor time of this process, which other programs do not lengthen; several
    threads and GPUs by the clock on the wall. Networks are copied and in eval mode; no gradients. The first run (on
    a GPU the first three) does not count.
    """
    device = torch.device(setting.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("latency: needs a GPU for device 'cuda', but PyTorch finds none. Use device='cpu'.")
    runs = [_ready(network, frames, size_px, setting) for network in networks]
    with _threads(setting.threads), torch.no_grad(), torch.autocast(
            device.type, PRECISIONS[setting.precision], enabled=setting.precision != "float32"):
        clock = "cpu" if device.type == "cpu" and torch.get_num_threads() == 1 else "wall"
        tick = time.process_time if clock == "cpu" else time.perf_counter
        for _ in range(1 if device.type == "cpu" else 3):
            for call, clip in runs:
                call(clip)
        turns = [[_timed(call, clip, tick) for call, clip in runs] for _ in range(repeats)]
    return [Latency(min_ms=1e3 * min(times), median_ms=1e3 * statistics.median(times), frames=frames, clock=clock)
            for times in zip(*turns)]


def untrained(kind: type[Network], *, frames: int, size_px: int) -> Network:
    """Return a network for an input, its weights random but the same each time: what it costs needs no training.

    >>> from rppg_lib.models.physnet import PhysNet
    >>> untrained(PhysNet, frames=64, size_px=32).config.frames
    64
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return kind(dataclasses.replace(kind.Config(), frames=frames, size_px=size_px)).eval()


def has_gpu() -> bool:
    """Whether PyTorch can use a GPU here."""
    return torch.cuda.is_available()


def gpu_peak_bytes(call: Callable[[], Any]) -> int:
    """Return the most memory that PyTorch held on the GPU during a call, weights that lay there before with it."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated()


def _ready(network: Network, frames: int, size_px: int, setting: Setting) -> tuple[Callable, Tensor]:
    """Return a copy of a network as it is timed, and its clip."""
    clip = torch.randn(1, 3 * len(network.normalise), frames, size_px, size_px,
                       generator=torch.Generator().manual_seed(0)).to(setting.device)
    copied = copy.deepcopy(network).eval().to(setting.device)
    if setting.channels_last:
        clip, copied = clip.to(memory_format=torch.channels_last_3d), _channels_last(copied)
    return torch.compile(copied) if setting.compile else copied, clip


def _timed(call, clip: Tensor, tick) -> float:
    wait = torch.cuda.synchronize if clip.is_cuda else lambda: None
    wait()
    begin = tick()
    call(clip)
    wait()
    return tick() - begin


def _counted(network: Network, device: str, frames: int, size_px: int) -> dict[str, int]:
    """Return all MACs, those seen by hooks, the parameters of the layers that were called, and the scans."""
    copied = copy.deepcopy(network).to(device).eval()
    clip = torch.zeros(1, 3 * len(network.normalise), frames, size_px, size_px, device=device)
    with _hooked(copied) as seen, FlopCounterMode(display=False, custom_mapping=MATRIX_TIMES_VECTOR | SCANS) as counter:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):          # fused attention has no rule on every device
            copied(clip)
    scanned = sum(counter.get_flop_counts().get("Global", {}).get(each, 0) for each in SCANS)
    return {"macs": (counter.get_total_flops() - scanned) // 2, "macs_visible": sum(macs for _, macs in seen),
            "params_visible": _sizes({layer for layer, _ in seen}), "scanned": scanned}


@contextlib.contextmanager
def _hooked(network: nn.Module) -> Iterator[list[tuple[nn.Module, int]]]:
    """Collect every call of a layer of ``torch.nn``, with its MACs."""
    seen: list[tuple[nn.Module, int]] = []
    layers = [layer for layer in network.modules()
              if type(layer).__module__.startswith("torch.nn.") and not any(layer.children())]
    handles = [layer.register_forward_hook(lambda layer, given, out: seen.append((layer, _macs(layer, given[0], out))))
               for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _macs(layer: nn.Module, given: Tensor, out: Tensor) -> int:
    if isinstance(layer, CONVOLUTIONS):
        return out.numel() * layer.weight[0].numel()                 # each output: one kernel
    if isinstance(layer, TRANSPOSED):
        return given.numel() * layer.weight[0].numel()               # each input: spread by one kernel
    return out.numel() * layer.in_features if isinstance(layer, nn.Linear) else 0


def _sizes(layers: set[nn.Module]) -> int:
    return sum(p.numel() for layer in layers for p in layer.parameters())


def _channels_last(network: nn.Module) -> nn.Module:
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in network.parameters():
        if parameter.ndim in formats:
            parameter.data = parameter.data.contiguous(memory_format=formats[parameter.ndim])
    return network


@contextlib.contextmanager
def _threads(number: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
