"""All that changes during a training, taken apart for a checkpoint and put together again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ..files import revision, written_whole
from ..models.weights import WEIGHTS, load_tensors, read_tensors, save_network, tensors_of
from .checkpoint import AGAIN, Checkpoints, Progress, differences
from .config import FitConfig, TrainingData
from .learner import Learner, own_state
from .objective import Objective

PACKAGES = ("rppg-lib", "torch", "accelerate", "safetensors", "numpy")
SCHEDULE = ("last_epoch", "_step_count", "_last_lr")


@dataclass
class State:
    """The living parts of a training."""

    learner: Learner
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    scaler: Any = None                   # of fp16

    @classmethod
    def new(cls, learner: Learner, config: FitConfig, *, steps: int) -> State:
        """Return optimiser and schedule for everything in ``learner`` that is to be trained."""
        groups = [{"params": [parameter for parameter in module.parameters() if parameter.requires_grad],
                   "weight_decay": decay} for module, decay in ((learner.network, config.weight_decay),
                                                                (learner.objective, 0.0))]
        groups = [group for group in groups if group["params"]]
        if not groups:
            raise ValueError("fit: needs something to train, but all of network and objective is frozen. "
                             "Name fewer parts in frozen.")
        kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[config.optimiser]
        optimiser = kind(groups, lr=config.lr)
        schedules = torch.optim.lr_scheduler
        if config.schedule == "onecycle":
            schedule = schedules.OneCycleLR(optimiser, max_lr=config.lr, total_steps=steps)
        elif config.schedule == "cosine":
            schedule = schedules.CosineAnnealingLR(optimiser, T_max=steps)
        else:
            schedule = schedules.ConstantLR(optimiser, factor=1.0)
        return cls(learner, optimiser, schedule)

    @property
    def learned(self) -> list[Tensor]:
        """What is trained, in the optimiser's order."""
        return [parameter for group in self.optimiser.param_groups for parameter in group["params"]]

    def tensors(self) -> dict[str, Tensor]:
        """Return what objective and optimiser have gathered; the network's weights have a file of their own."""
        found = {f"objective.{name}": tensor for name, tensor in own_state(self.learner.objective).items()}
        for i, gathered in self.optimiser.state_dict()["state"].items():
            found |= {f"optimiser.{i}.{key}": value for key, value in gathered.items()}
        return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in found.items()}

    def numbers(self) -> dict[str, Any]:
        """Return what JSON holds: learning rates, the schedule's place, the scale of fp16."""
        groups = [{key: value for key, value in group.items() if key != "params"}
                  for group in self.optimiser.state_dict()["param_groups"]]
        schedule = {key: value for key, value in self.schedule.state_dict().items() if key in SCHEDULE}
        return {"groups": groups, "schedule": schedule, "scaler": self.scaler.state_dict() if self.scaler else None}

    def restore(self, folder: Path, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Put everything back as it was when the checkpoint in ``folder`` was written."""
        load_tensors(self.learner.network, read_tensors(folder / WEIGHTS), who=str(folder / WEIGHTS))
        mine = own_state(self.learner.objective)
        told = {name.removeprefix("objective."): tensor for name, tensor in tensors.items()
                if name.startswith("objective.")}
        if {name: tensor.shape for name, tensor in mine.items()} != {name: t.shape for name, t in told.items()}:
            raise ValueError("its objective has other weights")
        self.learner.objective.load_state_dict(told, strict=False)   # a teacher is not in it
        self._restore_optimiser(tensors, numbers)
        if set(numbers["schedule"]) != {key for key in SCHEDULE if key in self.schedule.state_dict()}:
            raise ValueError("its schedule has another place")
        self.schedule.load_state_dict(numbers["schedule"])
        if self.scaler is not None:
            self.scaler.load_state_dict(numbers["scaler"])

    def _restore_optimiser(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        gathered: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if not name.startswith("optimiser."):
                continue
            _, number, key = name.split(".", 2)
            if tensor.ndim and tensor.shape != self.learned[int(number)].shape:
                raise ValueError(f"{name} has shape {tuple(tensor.shape)}")
            gathered.setdefault(int(number), {})[key] = tensor
        own = self.optimiser.state_dict()["param_groups"]
        if [set(group) | {"params"} for group in numbers["groups"]] != [set(group) for group in own]:
            raise ValueError("its optimiser has other settings")
        groups = [{key: tuple(value) if isinstance(value, list) else value for key, value in group.items()}
                  for group in numbers["groups"]]
        groups = [{**group, "params": mine["params"]} for group, mine in zip(groups, own)]
        self.optimiser.load_state_dict({"state": gathered, "param_groups": groups})


def restored(checkpoints: Checkpoints, state: State, identity: dict[str, Any]) -> Progress | None:
    """Put the last checkpoint into ``state`` and return where it is; None where there is none.

    Raises:
        ValueError: if it is damaged, or of a training with another identity; the text says in what they differ.
    """
    found = checkpoints.read()
    if found is None:
        return None
    if other := differences(found.identity, identity):
        raise ValueError(f"fit: {checkpoints.folder} holds another training: {'; '.join(other[:4])}. {AGAIN}")
    try:
        state.restore(found.folder, found.tensors, found.state)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, OSError) as error:
        why = " ".join(str(error).split())[:200]
        raise ValueError(f"fit: the checkpoint {found.folder} is damaged: {why}. {AGAIN}") from None
    return found.progress


def save_weights(learner: Learner, folder: Path, *, facts: dict[str, Any]) -> None:
    """Write the network; one that is not registered as its weights alone."""
    if getattr(learner.network, "name", ""):
        save_network(learner.network, folder, facts=facts)
        return
    with written_whole(folder / WEIGHTS, "wb") as file:
        file.write(safetensors.torch.save(tensors_of(learner.network)))


def identity_of(learner: Learner, data: TrainingData, config: FitConfig) -> dict[str, Any]:
    """Return what must be the same for a training to go on: network, objective, data and settings."""
    network, objective = learner.network, learner.objective
    mine = own_state(objective)
    teacher = {name: tensor for name, tensor in objective.state_dict().items() if name not in mine}
    told = {
        "network": {"kind": getattr(network, "name", "") or type(network).__qualname__,
                    "config": getattr(network, "settings", {})},
        "objective": {"kind": type(objective).__qualname__, "is": _bare(repr(objective)),
                      "has": {name: _bare(repr(value)) for name, value in sorted(vars(objective).items())
                              if not name.startswith("_") and name != "training"},
                      "frozen": digest(teacher) if teacher else ""},
        "data": {name: samples.content_hash for name, samples in (("train", data.train),
                                                                  ("validation", data.validation)) if samples},
        "trained": [name for name, parameter in learner.named_parameters() if parameter.requires_grad],
        "config": config.to_json(),
    }
    return json.loads(json.dumps(told))


def training_folder(parent: str | Path, network: nn.Module, objective: Objective, data: TrainingData,
                    config: FitConfig) -> Path:
    """Return a folder of its own below ``parent`` for this training: what differs in anything is in another one.

    Its name holds a digest of network, first weights, objective, data and settings, so that ``fit`` goes on with what
    was stopped there and never meets another training.
    """
    told = identity_of(Learner(network, objective), data, config) | {"begins": digest(network.state_dict())}
    name = getattr(network, "name", "") or type(network).__name__.lower()
    return Path(parent) / f"{name}-{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]}"


def _bare(text: str) -> str:
    """Leave out where in memory something lies."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def digest(tensors: dict[str, Tensor]) -> str:
    """Return a short digest of tensors and their names."""
    return hashlib.sha256(safetensors.torch.save({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
                          ).hexdigest()[:16]


def makers() -> dict[str, str]:
    """Return versions and code revision, for people."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found | {"revision": revision()}
