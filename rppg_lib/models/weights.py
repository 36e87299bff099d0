"""A network on disk: its weights as safetensors, and as JSON what it takes to build it again. Nothing is unpickled."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from .. import __version__
from ..files import written_whole
from ..registry import find
from ..types import check_fs
from .network import Network

WEIGHTS, FACTS = "weights.safetensors", "network.json"
POINTERS = ("best", "last")
"""In a folder that training wrote, small files that name the folder of a checkpoint in it."""
STAGES = "stages"
"""In the folder of a training in stages, a small file that names the stages' folders in it, in order."""


def save_network(network: Network, folder: str | Path, *, facts: dict[str, Any] | None = None) -> Path:
    """Write a registered network into ``folder``; return it.

    Args:
        facts: what to remember beside, such as the frame rate ``fs`` it was trained at, seed, data and revision.
    """
    folder = Path(folder)
    if not network.name:
        raise ValueError(f"save_network: {type(network).__name__} is not registered, so nobody could load it again. "
                         f"Decorate it with rppg_lib.registry.register.")
    told = {"name": network.name, "config": network.settings, "facts": facts or {}, "rppg-lib": __version__}
    text = json.dumps(told, indent=1, allow_nan=False)
    with written_whole(folder / WEIGHTS, "wb") as file:
        file.write(safetensors.torch.save(tensors_of(network)))
    with written_whole(folder / FACTS) as file:                      # last: where it is, all is
        file.write(text + "\n")
    return folder


def load_network(folder: str | Path) -> Network:
    """Return the network of a folder, in eval mode, on the CPU, with ``facts`` about its training.

    Args:
        folder: that :func:`save_network` wrote, or one that training wrote: the weights that it kept.
    """
    folder = checkpoint_folder(folder)
    told = described(folder)
    entry = find(told["name"])
    if entry.kind != "network":
        raise ValueError(f"load_network: {folder / FACTS} names {entry.name!r}, which is a method without weights.")
    try:
        network = entry.made_of(config_of(entry.made_of.Config, told["config"], folder))
        fs = told["facts"].get("fs")
        fs is None or check_fs("fs", fs)
    except (TypeError, RuntimeError, ArithmeticError, ValueError, MemoryError) as error:
        raise ValueError(f"load_network: {folder / FACTS} describes no network that can be built: {error}") from None
    load_tensors(network, read_tensors(folder / WEIGHTS), who=str(folder / WEIGHTS))
    network.facts = told["facts"]
    return network.eval()


def checkpoint_folder(folder: str | Path, *, which: str = "best") -> Path:
    """Return where the weights lie: ``folder``, or what its file ``best`` (or ``last``) names; after a training in
    stages, what that of the last stage names.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"load_network: there is no folder {folder}. Train a network with 'rppg train NAME'.")
    pointer = folder / which
    if not pointer.is_file() and (stages := stages_in(folder)):
        return checkpoint_folder(_last_stage(folder, stages, which), which=which)
    if (folder / FACTS).is_file() or not pointer.is_file():
        return folder
    name = pointer.read_text(encoding="utf-8", errors="replace").strip()
    if name != Path(name).name or name in ("", ".", "..") or not (folder / name).is_dir():
        raise ValueError(f"load_network: {pointer} must name a folder beside it, got {name[:60]!r}. Train again.")
    return folder / name


def stages_in(folder: Path) -> list[str]:
    """Return the names of the stages' folders in that of a training, in order; none where it has no stages."""
    if not (folder / STAGES).is_file():
        return []
    names = (folder / STAGES).read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    if not names or any(name != Path(name).name or name in ("", ".", "..") or "\0" in name for name in names):
        raise ValueError(f"load_network: {folder / STAGES} must name folders beside it. Train again.")
    return names


def _last_stage(folder: Path, stages: list[str], which: str) -> Path:
    if (folder / stages[-1] / which).is_file():
        return folder / stages[-1]
    begun = [stage.replace("-", " (", 1) + ")" for stage in stages if (folder / stage / which).is_file()]
    there = f"only stage {' and '.join(begun)} is there" if begun else "none has a checkpoint yet"
    raise ValueError(f"load_network: {folder} holds a training of {len(stages)} stages; {there}. Go on with the "
                     f"'rppg train' that began it.")


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Return all weights and buffers, each with memory of its own, on the CPU."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, or say what is wrong with it."""
    if not path.is_file():
        raise FileNotFoundError(f"load_network: there is no {path}. The folder of a checkpoint holds {WEIGHTS} and "
                                f"{FACTS}.")
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, ValueError, OverflowError) as error:
        raise ValueError(f"load_network: {path} is no whole safetensors file ({error}). Train again.") from None


def load_tensors(module: nn.Module, tensors: dict[str, Tensor], *, who: str) -> None:
    """Put ``tensors`` into a module; all must be there and fit, none may be left over."""
    own = module.state_dict()
    wrong = [f"no {name}" for name in own if name not in tensors]
    wrong += [f"{name} of no layer" for name in tensors if name not in own]
    wrong += [f"{name} {tuple(tensors[name].shape)} for {tuple(own[name].shape)}" for name in own
              if name in tensors and tensors[name].shape != own[name].shape]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError(f"load_network: {who} does not fit {type(module).__name__}: {'; '.join(wrong[:3])}{more}. "
                         f"It was written by another version or config.")
    module.load_state_dict(tensors)


def described(folder: Path) -> dict[str, Any]:
    """Return what a checkpoint says of its network: ``name``, ``config``, ``facts``."""
    path = folder / FACTS
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"load_network: {folder} holds no {FACTS}, so it is no checkpoint. "
                                f"Name the folder that training wrote.") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"load_network: {path} is no whole JSON ({error}). Train again.") from None
    kinds = {"name": str, "config": dict, "facts": dict}
    if not isinstance(told, dict) or not all(isinstance(told.get(key), kind) for key, kind in kinds.items()):
        raise ValueError(f"load_network: {path} needs {', '.join(kinds)}. Train again.")
    return told


def config_of(kind: type, given: dict[str, Any], folder: Path) -> Any:
    """Return a config from plain values, as a checkpoint in ``folder`` gives them."""
    known = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"load_network: {folder / FACTS} sets {', '.join(unknown)}, which {kind.__qualname__} does "
                         f"not have. It was written by another version.")
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return kind(**plain)
