"""Many small steps on a GPU, recorded once as a CUDA graph and from then on launched as one.

A recording repeats the same kernels on the same memory, so it holds for one shape, type and set of options. It must
hold no step that depends on a number or waits for the processor. Nothing here touches work on a processor.
"""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper

import torch
from torch import Tensor

KEEP = 8                                 # recordings per function: a training and a validation batch, and odd last ones


class Replayed:
    """A function ``f(*tensors, **options) -> tuple of tensors`` that replays a recording of itself on a GPU.

    Decorate with it. The first call of each shape, type, stream and set of options records, which takes about three
    calls' time; the latest :data:`KEEP` are held, each with the memory that one call needs. Inside somebody else's
    recording the function runs as it is and becomes part of that one. Where CUDA refuses to record it warns once for
    these shapes and options, and runs as it is.

    Args:
        compute: takes tensors of one device, and options that can be hashed; reads no number back from the GPU.

    >>> @Replayed
    ... def scaled(wave, *, by):
    ...     return (wave * by,)
    >>> scaled(torch.ones(3), by=2.0)                                    # on a processor it is just called
    (tensor([2., 2., 2.]),)
    """

    def __init__(self, compute: Callable[..., tuple[Tensor, ...]]):
        update_wrapper(self, compute)
        self.compute = compute
        self.recordings: OrderedDict[tuple, _Recording | None] = OrderedDict()   # least recently used first
        self._one_at_a_time = threading.Lock()   # between the copy into a recording and the copy out of it

    def __call__(self, *tensors: Tensor, **options) -> tuple[Tensor, ...]:
        if not _on_gpu(tensors) or torch.cuda.is_current_stream_capturing():
            return self.compute(*tensors, **options)
        device = tensors[0].device
        with torch.cuda.device(device), self._one_at_a_time:
            # Streams do not wait for each other, so that each has memory of its own.
            key = (device, torch.cuda.current_stream().cuda_stream, *((t.shape, t.dtype) for t in tensors),
                   *sorted(options.items()))
            if key not in self.recordings:
                self.recordings[key] = self._record(tensors, options)
            self.recordings.move_to_end(key)
            while len(self.recordings) > KEEP:
                self.recordings.popitem(last=False)
            recording = self.recordings[key]
            return recording.play(tensors) if recording else self.compute(*tensors, **options)

    # Memory made in inference mode could not be written to outside of it.
    @torch.inference_mode(False)
    @torch.no_grad()
    def _record(self, tensors: tuple[Tensor, ...], options: dict) -> _Recording | None:
        inputs = [tensor.clone(memory_format=torch.contiguous_format) for tensor in tensors]
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            self.compute(*inputs, **options)     # what CUDA sets up at a first call must not be in the recording
        current.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            # thread_local: a data loader's thread may pin memory meanwhile
            with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
                outputs = self.compute(*inputs, **options)
        except RuntimeError as error:
            warnings.warn(f"{self.__name__.strip('_')}: CUDA refused to record it as a graph ({error}). It runs step "
                          f"by step instead, which is right but slow.", RuntimeWarning, stacklevel=4)
            return None
        return _Recording(graph, inputs, outputs)


@dataclass(eq=False)
class _Recording:
    """A CUDA graph with the memory it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    outputs: tuple[Tensor, ...]

    def play(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        for inside, tensor in zip(self.inputs, tensors):
            inside.copy_(tensor)
        self.graph.replay()
        return tuple(output.clone() for output in self.outputs)          # the next call overwrites them


def _on_gpu(tensors: tuple[Tensor, ...]) -> bool:
    return all(tensor.is_cuda for tensor in tensors)
