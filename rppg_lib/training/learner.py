"""Network and objective as one module, and which parts of it learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..data import Batch
from ..data.normalise import target
from ..models import pulse_of
from ..registry import near_miss
from .objective import Objective, check_terms


class Learner(nn.Module):
    """Network and objective as one module: then several processes add up the gradients of both."""

    def __init__(self, network: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.network = network
        self.objective = objective

    def forward(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return the objective's terms, the estimated pulse and what it should be, both ``(B, T)``."""
        exact = {"device_type": batch.label.device.type, "enabled": False}     # spectra would suffer from bfloat16
        with torch.autocast(**exact):
            fed = self.objective.feed(self.network, batch)
            truth = target(batch.label, self.network.target)
        output = self.objective.run(self.network, fed)
        with torch.autocast(**exact):
            output = as_float(output)
            pulse = pulse_of(output)
            if pulse.shape != truth.shape:
                raise ValueError(f"fit: the network must give one value per frame, labels are {tuple(truth.shape)}, "
                                 f"its pulse is {tuple(pulse.shape)}. Look at the last layer, or at the length of "
                                 f"samples it can take.")
            terms = self.objective(output, truth, batch)
            check_terms(terms, self.objective)
            return terms, pulse, truth


def as_float(output: Any) -> Any:
    """Return a tensor, or the tensors of a named output, as float32 where they are shorter floats."""
    if isinstance(output, Tensor):
        return output.float() if output.is_floating_point() and output.dtype != torch.float64 else output
    if isinstance(output, list | tuple):
        parts = [as_float(part) for part in output]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    if isinstance(output, dict):
        return {name: as_float(part) for name, part in output.items()}
    if dataclasses.is_dataclass(output):
        fields = [field.name for field in dataclasses.fields(output) if field.init]
        return dataclasses.replace(output, **{name: as_float(getattr(output, name)) for name in fields})
    return output


@contextmanager
def frozen_parts(network: nn.Module, names: tuple[str, ...]) -> Iterator[list[nn.Module]]:
    """Let the named parts of a network have no gradient while the block runs; give the modules among them."""
    parameters, modules = dict(network.named_parameters()), dict(network.named_modules())
    for name in names:
        if not name or (name not in parameters and name not in modules):
            known = [part for part in modules if "." not in part and part]
            raise ValueError(f"fit: the network has no part {name!r} that could be frozen."
                             f"{near_miss(name, [*modules, *parameters])} Its parts: {', '.join(known)}.")
    held = [parameter for name, parameter in parameters.items()
            if parameter.requires_grad and any(name == part or name.startswith(f"{part}.") for part in names)]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield [modules[name] for name in names if name in modules]
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


def is_frozen(module: nn.Module) -> bool:
    """Say whether a module has parameters, and none of them is trained."""
    trained = [parameter.requires_grad for parameter in module.parameters()]
    return bool(trained) and not any(trained)


def frozen_modules(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the outermost modules of which nothing is trained, with their names."""
    for name, child in module.named_children():
        if is_frozen(child):
            yield prefix + name, child
        else:
            yield from frozen_modules(child, f"{prefix}{name}.")


def train_mode(learner: Learner, frozen: list[nn.Module]) -> None:
    """Put everything that learns into training mode and everything frozen into eval mode, statistics included."""
    learner.train()
    for module in [*frozen, *(module for _, module in frozen_modules(learner))]:
        module.eval()


def own_state(objective: Objective) -> dict[str, Tensor]:
    """Return what an objective has learned: its state without frozen parts, such as a teacher."""
    teachers = tuple(f"{name}." for name, _ in frozen_modules(objective))
    return {name: tensor for name, tensor in objective.state_dict().items() if not name.startswith(teachers)}
