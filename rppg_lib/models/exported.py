"""Networks that ``rppg export`` wrote, run by onnxruntime: for checks, and for those who want to look.

onnxruntime from 1.29 on reports how it is used to its maker, on every system. So the extra ``export`` stays below; and
here reports are switched off before it is loaded, for those who have another version.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.normalise import NORMALISERS
from ..signal import HR_BAND_HZ, bandpass, hr_from_spectrum
from ..signal.filters import widened
from ..types import Clip, check_fs
from .estimator import NetworkEstimator
from .stream import Stream

TOLD = "export.json"
WHOLE, LIVE = "model.onnx", "stream.onnx"
PACKAGES = ("onnx", "onnxruntime", "onnxscript")
INSTALL = 'In a checkout: python -m pip install -c requirements/lock.txt -e ".[export]"'
SILENT = "ORT_DISABLE_TELEMETRY"


def check_packages(who: str, needed: tuple[str, ...] = PACKAGES) -> None:
    """Refuse where a package for exporting is missing."""
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise ModuleNotFoundError(f"{who}: needs {', '.join(missing)}, not installed. {INSTALL}")


def runtime(who: str = "export") -> ModuleType:
    """Return onnxruntime, loaded so that it reports nothing to anybody."""
    check_packages(who, ("onnxruntime",))
    os.environ[SILENT] = "1"                                         # it is read once, when onnxruntime starts
    import onnxruntime

    onnxruntime.disable_telemetry_events()                           # Windows
    return onnxruntime


def session(source: bytes | Path, *, threads: int = 1) -> Any:
    """Return an onnxruntime session on the CPU for a graph, as bytes or in a file."""
    ort = runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    return ort.InferenceSession(source if isinstance(source, bytes) else str(source), options,
                                providers=["CPUExecutionProvider"])


def at_int8(name: str) -> str:
    """Return the name of the quantised file beside a file.

    >>> at_int8("stream.onnx")
    'stream.int8.onnx'
    """
    return name.replace(".onnx", ".int8.onnx")


class ExportedNetwork(nn.Module):
    """A whole-clip graph in place of a network: :class:`~rppg_lib.models.NetworkEstimator` takes it for one.

    Args:
        graph: bytes, or the file.
        told: what ``export.json`` says of the network.
    """

    def __init__(self, graph: bytes | Path, told: dict[str, Any]) -> None:
        super().__init__()
        self.name, self.cites, self.facts = told["name"], "", {"fs": told["fs"]}
        self.config = SimpleNamespace(size_px=told["size_px"], frames=told["frames"])
        self.normalise, self.target = tuple(told["normalise"]), told["target"]
        self.min_frames, self.multiple_of = told["frames"], 1        # the graph has one length
        self.session = session(graph)
        self.any_batch = not isinstance(self.session.get_inputs()[0].shape[0], int)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the pulse ``(B, T)`` of normalised pictures ``(B, C, T, H, W)``."""
        fed = frames.detach().cpu().numpy()
        parts = [fed] if self.any_batch else [fed[k:k + 1] for k in range(len(fed))]
        return torch.from_numpy(np.concatenate([self.session.run(None, {"frames": part})[0] for part in parts]))


class ExportedSteps:
    """A stream graph, and where it is: for :meth:`rppg_lib.models.stream.Stream.of`."""

    def __init__(self, graph: bytes | Path) -> None:
        self._session = session(graph)
        self._names = [each.name for each in self._session.get_inputs()[1:]]
        self._shapes = [each.shape for each in self._session.get_inputs()[1:]]
        self.reset()

    def reset(self) -> None:
        """Forget all pictures."""
        self._state: list[np.ndarray] | None = None

    def step(self, picture: Tensor) -> float | None:
        """Return the change from the picture before to this one ``(1, 3, H, W)``; None for the first."""
        fed = np.asarray(picture)
        if self._state is None:
            self._state = [fed, *(np.zeros(shape, np.float32) for shape in self._shapes[1:])]
            return None
        value, *self._state = self._session.run(None, {"picture": fed, **dict(zip(self._names, self._state))})
        return float(value[0])


def told_of(folder: str | Path, name: str) -> dict[str, Any]:
    """Return what the folder of an export says of itself, or say that ``name`` is not there, or another one."""
    path = Path(folder) / TOLD
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        check_fs("export", told["fs"])
        for key, low in (("size_px", 1), ("frames", 2)):
            if type(told[key]) is not int or told[key] < low:
                raise ValueError(f"{key} is {told[key]!r}")
        if told["target"] not in ("wave", "change") or not set(told["normalise"]) <= set(NORMALISERS):
            raise ValueError(f"target is {told['target']!r}, normalise {told['normalise']!r}")
        wanted = {str(file): str(facts["sha256"]) for file, facts in told["files"].items()}
        told["name"] = str(told["name"])
    except FileNotFoundError:
        raise FileNotFoundError(f"export: {folder} holds no {TOLD}. Name a folder that 'rppg export' wrote.") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"export: {path} cannot be read. Export again.") from None
    if name not in wanted or not (Path(folder) / name).is_file():
        raise FileNotFoundError(f"export: {folder} holds no {name}. Export again, with "
                                f"{' and '.join(_asked_for(name)) or 'its checkpoint'}.")
    if hashlib.sha256((Path(folder) / name).read_bytes()).hexdigest() != wanted[name]:
        raise ValueError(f"export: {Path(folder) / name} is not the file that {TOLD} tells of: it was damaged, or an "
                         f"export was interrupted. Export again.")
    return told


def load_exported(folder: str | Path, *, int8: bool = False) -> ExportedNetwork:
    """Return the whole-clip form of an export."""
    name = at_int8(WHOLE) if int8 else WHOLE
    return ExportedNetwork(Path(folder) / name, told_of(folder, name))


def load_stream(folder: str | Path, *, int8: bool = False, seconds: float = 10.0) -> Stream:
    """Return the frame-by-frame form of an export as a stream; onnxruntime takes about half of PyTorch's time."""
    name = at_int8(LIVE) if int8 else LIVE
    told = told_of(folder, name)
    return Stream.of(ExportedSteps(Path(folder) / name), size_px=told["size_px"], fs=told["fs"], target=told["target"],
                     seconds=seconds)


def compared(folder: str | Path, clips: Sequence[Clip]) -> list[dict[str, Any]]:
    """Return what 8-bit numbers change, for each graph and clip: a row with rates and the correlation of the waves."""
    folder, rows = Path(folder), []
    for name, wave_of in ((WHOLE, _by_clip), (LIVE, _by_picture)):
        if not (folder / at_int8(name)).is_file() or not (folder / name).is_file():
            continue
        for clip in clips:
            exact, coarse = (wave_of(folder, clip, int8=int8) for int8 in (False, True))
            rate, changed = (hr_from_spectrum(bandpass(wave, fs=clip.fs, band_hz=widened(HR_BAND_HZ, fs=clip.fs)),
                                              fs=clip.fs) for wave in (exact, coarse))
            rows.append({"graph": name, "clip": clip.id, "condition": clip.condition,
                         "r": float(np.corrcoef(exact, coarse)[0, 1]),
                         "largest_error_over_spread": float(abs(coarse - exact).max() / exact.std()),
                         "rate_bpm": rate, "rate_at_int8_bpm": changed, "change_bpm": abs(changed - rate)})
    return rows


def _by_clip(folder: Path, clip: Clip, *, int8: bool) -> np.ndarray:
    return NetworkEstimator(load_exported(folder, int8=int8), device="cpu").predict(clip).wave


def _by_picture(folder: Path, clip: Clip, *, int8: bool) -> np.ndarray:
    stream = load_stream(folder, int8=int8, seconds=len(clip) / clip.fs)
    for picture in clip.frames:
        stream.push(picture)
    return stream.recent().wave


def _asked_for(name: str) -> list[str]:
    return [option for word, option in (("stream", "--stream"), ("int8", "--int8")) if word in name]
