"""Training in stages: each freezes parts, loads parts that others have learned, and has its own objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from ..models.weights import WEIGHTS, checkpoint_folder, load_tensors, read_tensors
from ..registry import near_miss
from .config import FitConfig, Fitted, TrainingData
from .fit import fit
from .objective import Objective

Place = str | Path | tuple[str | Path, str]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of a training.

    Attributes:
        name: of its folder.
        objective: what it minimises, and what it feeds the network.
        config: how it trains; ``config.frozen`` names the parts that stay as they are.
        load: part of the network -> folder of a checkpoint or of a training, of which the same part is loaded at the
            beginning; or (folder, name of the part there). ``""`` is the whole network.
        data: samples of this stage, where they differ from those of the others.
    """

    name: str
    objective: Objective
    config: FitConfig
    load: Mapping[str, Place] = field(default_factory=dict)
    data: TrainingData | None = None

    def __post_init__(self) -> None:
        if not self.name or Path(self.name).name != self.name or self.name.startswith("."):
            raise ValueError(f"Stage: name must do as the name of a folder, got {self.name!r}.")


def train_in_stages(network: nn.Module, stages: Sequence[Stage], data: TrainingData | None = None, *,
                    folder: str | Path | None = None, resume: bool = True, progress: bool = True) -> list[Fitted]:
    """Train stage after stage; each begins with the weights the one before ended with (its ``config.keep``).

    Args:
        network: trained in place.
        stages: in order; their names differ.
        data: samples, for all stages that bring none of their own.
        folder: each stage has its own below it, ``1-name`` and so on. If the process is killed, the same call goes on
            where it was: stages that are finished are read, not trained again.
        resume, progress: as for :func:`~rppg_lib.training.fit`.

    Returns:
        What each stage gave. All have the one network, with the weights of the last stage; those of an earlier one are
        in its folder.
    """
    names = [stage.name for stage in stages]
    if not stages or len(set(names)) < len(names):
        raise ValueError(f"train_in_stages: needs stages whose names differ, got {', '.join(names) or 'none'}.")
    if without := [stage.name for stage in stages if stage.data is None and data is None]:
        raise ValueError(f"train_in_stages: stage {without[0]} has no samples. Pass data, or give the stage its own.")
    fitted = []
    for number, stage in enumerate(stages, start=1):
        for part, place in stage.load.items():
            load_part(network, part, place)
        fitted.append(fit(network, stage.objective, stage.data or data, stage.config, resume=resume, progress=progress,
                          folder=Path(folder) / f"{number}-{stage.name}" if folder is not None else None))
    return fitted


def load_part(network: nn.Module, part: str, place: Place) -> None:
    """Put what another network has learned into a part of this one. Every weight must be there and fit.

    Args:
        network: to be changed.
        part: name of a module in it; ``""`` is all of it.
        place: folder of a checkpoint or of a training (of which the best is taken), or (folder, name of the part
            there).

    >>> import tempfile; folder = tempfile.TemporaryDirectory()
    >>> from rppg_lib.models import save_network
    >>> from rppg_lib.registry import find
    >>> PhysNet = find("physnet").made_of
    >>> _ = save_network(PhysNet(), folder.name)
    >>> load_part(nn.ModuleDict({"teacher": PhysNet()}), "teacher", (folder.name, ""))
    """
    folder, there = place if isinstance(place, tuple) else (place, part)
    modules = dict(network.named_modules())
    if part not in modules:
        known = [name for name in modules if "." not in name and name]
        raise ValueError(f"load_part: the network has no part {part!r}.{near_miss(part, modules)} "
                         f"Its parts: {', '.join(known)}.")
    folder = checkpoint_folder(folder)
    tensors = read_tensors(folder / WEIGHTS)
    start = f"{there}." if there else ""
    found = {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
    if not found:
        known = sorted({name.split(".")[0] for name in tensors})
        raise ValueError(f"load_part: {folder} has no part {there!r}.{near_miss(there, known)} "
                         f"Its parts: {', '.join(known)}.")
    load_tensors(modules[part], found, who=f"{there or 'the network'} in {folder}")
