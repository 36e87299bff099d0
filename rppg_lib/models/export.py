"""A network as ONNX, for machines without PyTorch: the whole clip, one picture at a time, and both with 8-bit numbers.

A graph is written only after onnxruntime has run it and agreed with PyTorch to :data:`TOLERANCE` of the largest value.

Quantised, weights are 8-bit whole numbers with a scale for each output channel, and what goes into a layer is brought
to 8 bit by its own smallest and largest value at that moment (dynamic). Weights are unsigned: onnxruntime has no fast
convolution of unsigned by signed numbers, on the CPU it takes 3.5 times as long. The first layer stays as it is: it
sees changes of the picture, of which motion makes large ones and a pulse small ones, and it has few weights.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import logging
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from .. import __version__
from ..files import written_whole
from .estimator import FS
from .exported import LIVE, TOLD, WHOLE, ExportedNetwork, ExportedSteps, at_int8, check_packages, session
from .network import Network, pulse_of
from .stream import check_can_stream

TOLERANCE = 1e-4
CHECKED_FRAMES = 64
REPEATS = 5
HOW = {
    WHOLE: "frames: a clip (batch, channels, frames, height, width), normalised as 'normalise' says (raw: 0 to 1). "
           "pulse: (batch, frames), 'target' says whether it is the wave or its change from each frame to the next.",
    LIVE: "picture: (1, 3, height, width), R-G-B from 0 to 1. value: the change from the picture before to this one. "
          "Each next_state_N goes in again as state_N. To begin, state_0 is the first picture and all others are 0; "
          "the second picture is the first that is run.",
}


def export(network: Network, folder: str | Path, *, stream: bool = False, int8: bool = False,
           progress: bool = False) -> dict[str, Any]:
    """Write a network as ONNX into a folder; return what is told of it there, in ``export.json``.

    Of an earlier export in the folder nothing is left.

    Args:
        network: trained.
        folder: new, empty, or one that an export wrote before.
        stream: write it frame by frame too, ``stream.onnx``; for networks that can ``resume``, such as KDPhys.
        int8: write each graph with 8-bit numbers too, ``model.int8.onnx`` and ``stream.int8.onnx``.
        progress: show a bar on standard error.
    """
    check_packages("export")
    folder = _free(folder)
    if stream:
        check_can_stream("export", network)
    network = copy.deepcopy(network).cpu().float().eval()
    told = {"name": network.name or type(network).__name__, "config": network.settings,
            "fs": float(getattr(network, "facts", {}).get("fs", FS)), "size_px": network.config.size_px,
            "frames": network.config.frames, "normalise": list(network.normalise), "target": network.target,
            "rppg-lib": __version__, "files": {}}
    graphs: dict[str, bytes] = {}
    forms = {WHOLE: _whole, **({LIVE: _live} if stream else {})}
    with tqdm(total=len(forms) * (2 if int8 else 1), unit="file", file=sys.stderr, disable=not progress) as bar:
        for name, make in forms.items():
            bar.set_description(name)
            graphs[name], told["files"][name] = make(network, told)
            bar.update()
            if int8:
                small = at_int8(name)
                bar.set_description(small)
                graphs[small] = quantised(graphs[name])
                told["files"][small] = told["files"][name] | _judged(name, network, graphs[small], told)
                bar.update()
    _write(folder, graphs, told)
    return told


def _write(folder: Path, graphs: dict[str, bytes], told: dict[str, Any]) -> None:
    """Write graphs, then what is told of them. Stopped in between, the old text does not fit the new graphs: that is
    found when they are loaded.
    """
    for name, graph in graphs.items():
        told["files"][name] |= {"bytes": len(graph), "sha256": hashlib.sha256(graph).hexdigest()}
        with written_whole(folder / name, "wb") as file:
            file.write(graph)
    text = json.dumps(told, indent=1, allow_nan=False)
    with written_whole(folder / TOLD) as file:
        file.write(text + "\n")
    for name in (WHOLE, LIVE, at_int8(WHOLE), at_int8(LIVE)):
        if name not in graphs:
            (folder / name).unlink(missing_ok=True)


def quantised(graph: bytes) -> bytes:
    """Return a graph with weights of 8 bit, all but those of the first convolution."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    first = next((node.name for node in onnx.load_from_string(graph).graph.node if node.op_type == "Conv"), None)
    with tempfile.TemporaryDirectory() as place, _quiet():
        exact, made = Path(place) / "exact.onnx", Path(place) / "made.onnx"
        exact.write_bytes(graph)
        quantize_dynamic(exact, made, per_channel=True, weight_type=QuantType.QUInt8,
                         nodes_to_exclude=[first] if first else [])
        return made.read_bytes()


class NotInONNX(ValueError):
    """A network does what ONNX cannot say."""


class _Whole(nn.Module):
    """From pictures to the pulse and nothing else."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        return pulse_of(self.network(frames))


class _Step(nn.Module):
    """One picture, and what is known of those before."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        values, after = self.network.resume(picture[:, :, None], state)
        return values[:, 0], *after


def _whole(network: Network, told: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Return the graph for whole clips, for any number of them where that can be, and what is told of it."""
    three = _clips(network, 3)
    try:
        any_number = {"frames": {0: torch.export.Dim("batch", min=1, max=1024)}}
        graph = _graph(network, _Whole(network), (three[:2],), ["frames"], ["pulse"], dynamic_shapes=any_number)
        facts = _judged(WHOLE, network, graph, told, clips=three)
        if not ExportedNetwork(graph, told).any_batch:
            raise ValueError("the graph has a fixed number of clips")
    except NotInONNX:
        raise
    except Exception:                                                # layers that count their clips: then one at a time
        graph = _graph(network, _Whole(network), (three[:1],), ["frames"], ["pulse"])
        facts = _judged(WHOLE, network, graph, told)
    return graph, _agreed(network, facts)


def _live(network: Network, told: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Return the graph for one picture, and what is told of it."""
    picture = _clips(network, 1)[:, :, 0]
    state = network.start(picture.clone())                           # the same tensor twice would become one input
    if not torch.equal(state[0], picture) or any(part.any() for part in state[1:]):
        raise ValueError(f"export: {network.name} starts from something else than its first picture and zeros, which "
                         f"{LIVE} could not tell. Export it without the stream.")
    names = [f"state_{number}" for number in range(len(state))]
    graph = _graph(network, _Step(network), (picture, *state), ["picture", *names],
                   ["value", *(f"next_{name}" for name in names)])
    return graph, _agreed(network, _judged(LIVE, network, graph, told))


def _graph(network: Network, module: nn.Module, example: tuple[Tensor, ...], inputs: list[str], outputs: list[str],
           **options: Any) -> bytes:
    """Return a module as ONNX."""
    try:
        with _quiet(), torch.enable_grad():                          # without, layers work in place, which ONNX cannot
            made = torch.onnx.export(module.eval(), example, None, input_names=inputs, output_names=outputs,
                                     dynamo=True, verbose=False, **options)
        return made.model_proto.SerializeToString()
    except Exception as error:                                       # whatever PyTorch makes of a network
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        lacks = re.search(r"No ONNX function found for <OpOverload\(op='([^']+)'", str(first))
        why = (f"ONNX has nothing for its operation {lacks[1]}" if lacks else
               f"{type(first).__name__}: {' '.join(str(first).split()) or 'no reason given'}"[:200].rstrip("."))
        raise (NotInONNX if lacks else ValueError)(
            f"export: {network.name or type(network).__name__} cannot be written as ONNX: {why}. Use it with PyTorch, "
            f"or export another network.") from error


def _judged(name: str, network: Network, graph: bytes, told: dict[str, Any], *,
            clips: Tensor | None = None) -> dict[str, Any]:
    """Return what a graph takes and gives, how far it is from PyTorch, and how long one frame takes."""
    if name == WHOLE:
        clips = _clips(network, 1) if clips is None else clips
        run = ExportedNetwork(graph, told)
        with torch.inference_mode():
            want = pulse_of(network(clips)).numpy()
        got = run(clips).numpy()
        ms = min(_timed(lambda: run(clips[:1]), REPEATS)) / clips.shape[2]
    else:
        pictures = _clips(network, 1, frames=CHECKED_FRAMES)
        steps, state = ExportedSteps(graph), network.start(pictures[:, :, 0])
        steps.step(pictures[:, :, 0])
        got = np.array([steps.step(pictures[:, :, k]) for k in range(1, CHECKED_FRAMES)])
        with torch.inference_mode():
            want = network.resume(pictures[:, :, 1:], state)[0][0].numpy()
        ms = float(np.median(_timed(lambda: steps.step(pictures[:, :, 0]), 20 * REPEATS)))
    spread = float(want.std()) or 1.0
    opened = session(graph)
    return {"how": HOW[name], "inputs": _listed(opened.get_inputs()), "outputs": _listed(opened.get_outputs()),
            "largest_error": float(abs(got - want).max()), "largest_value": float(abs(want).max()),
            "error_over_spread": float(np.sqrt(((got - want) ** 2).mean()) / spread), "ms_per_frame": round(ms, 4)}


def _agreed(network: Network, facts: dict[str, Any]) -> dict[str, Any]:
    error, largest = facts["largest_error"], facts["largest_value"]
    if not error <= TOLERANCE * (largest or 1.0):                    # NaN is no agreement
        raise ValueError(f"export: {network.name} as ONNX differs from PyTorch by {error:.2g}, more than {TOLERANCE:g}"
                         f" of its largest value, {largest:.2g}; nothing was written. Use it with PyTorch.")
    return facts


def _clips(network: Network, number: int, *, frames: int | None = None) -> Tensor:
    """Return clips that a network can be checked with: one picture that trembles, normalised as it wants them."""
    from ..data.normalise import normalise

    random, side = np.random.default_rng(0), network.config.size_px
    still = random.uniform(40, 200, (number, 1, side, side, 3))
    light = 3 * np.sin(np.arange(frames or network.config.frames) / 4)[:, None, None, None]
    pixels = still + light + random.normal(0, 4, (*still.shape[:1], light.shape[0], *still.shape[2:]))
    return normalise(torch.from_numpy(pixels.round().astype(np.uint8)), network.normalise)


def _timed(call: Callable[[], Any], repeats: int) -> list[float]:
    """Return milliseconds of processor time of each call, after a first one."""
    call()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        call()
        times.append(1e3 * (time.process_time() - began))
    return times


def _listed(ends: list[Any]) -> list[dict[str, Any]]:
    return [{"name": end.name, "shape": [side if isinstance(side, int) else str(side) for side in end.shape],
             "type": end.type} for end in ends]


def _free(folder: str | Path) -> Path:
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / TOLD).is_file())):
        raise ValueError(f"export: needs a new or an empty folder, or one of an earlier export, and {folder} is none. "
                         f"Name another one.")
    return folder


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on what is not installed, and on itself, from the user."""
    loggers = [logging.getLogger(), logging.getLogger("torch.onnx"), logging.getLogger("onnxscript")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before):
            logger.setLevel(level)
