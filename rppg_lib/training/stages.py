"""Training in stages: each freezes parts, loads parts that others have learned, and has its own objective."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn
from tqdm import tqdm

from ..files import written_whole
from ..models import weights
from ..registry import near_miss
from .checkpoint import AGAIN, Checkpoints, differences
from .config import FitConfig, Fitted, TrainingData
from .device import accelerator_for, random_state_kept
from .fit import fit
from .objective import Objective

Place = str | Path | tuple[str | Path, str]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of a training.

    Attributes:
        name: of its folder.
        objective: what it minimises, and what it feeds the network; or a function without arguments that makes it when
            the stages before have ended, for an objective that is built on what they have learned.
        config: how it trains; ``config.frozen`` names the parts that stay as they are.
        load: part of the network -> where the same part is taken from at the beginning; or (where, name of the part
            there). ``""`` is the whole network. Where: the name of a stage before this one, or else the folder of a
            checkpoint or of a training; one that has the name of a stage is written ``./name``.
        data: samples of this stage, where they differ from those of the others.
        network: trained in this stage instead of the network that the others share.
    """

    name: str
    objective: Objective | Callable[[], Objective]
    config: FitConfig
    load: Mapping[str, Place] = field(default_factory=dict)
    data: TrainingData | None = None
    network: nn.Module | None = None

    def __post_init__(self) -> None:
        if not self.name or Path(self.name).name != self.name or self.name.startswith("."):
            raise ValueError(f"Stage: name must do as the name of a folder, got {self.name!r}.")

    def begin(self, shared: nn.Module, ended: Mapping[str, dict[str, Tensor]]) -> tuple[nn.Module, Objective]:
        """Return network and objective as they are before the first step.

        Args:
            shared: the network of all stages that bring none of their own.
            ended: the weights with which each stage before this one has ended.
        """
        network = shared if self.network is None else self.network
        for part, place in self.load.items():
            where, there = place if isinstance(place, tuple) else (place, part)
            if where in ended:
                _fill(network, part, ended[where], there, who=f"stage {where}")
            else:
                load_part(network, part, (where, there))
        if isinstance(self.objective, Objective):
            return network, self.objective
        with random_state_kept(seed=self.config.seed):               # new layers are the same whenever it is begun
            return network, self.objective()


def train_in_stages(network: nn.Module, stages: Sequence[Stage], data: TrainingData | None = None, *,
                    folder: str | Path | None = None, resume: bool = True, progress: bool = True) -> list[Fitted]:
    """Train stage after stage; each begins with the weights the one before ended with (its ``config.keep``).

    Args:
        network: trained in place, by all stages that bring none of their own.
        stages: in order; their names differ.
        data: samples, for the same.
        folder: for checkpoints. Each of several stages has its own below it, ``1-name`` and so on; the file ``stages``
            names them. If the process is killed, the same call goes on where it was: stages that are finished are
            read, not trained again.
        resume: go on with the training in ``folder``; otherwise all its stages are deleted.
        progress: as for :func:`~rppg_lib.training.fit`.

    Returns:
        What each stage gave. Stages that share the network all have the one, with the weights of the last stage; those
        of an earlier one are in its folder.
    """
    names = [stage.name for stage in stages]
    if not stages or len(set(names)) < len(names):
        raise ValueError(f"train_in_stages: needs stages whose names differ, got {', '.join(names) or 'none'}.")
    if without := [stage.name for stage in stages if stage.data is None and data is None]:
        raise ValueError(f"train_in_stages: stage {without[0]} has no samples. Pass data, or give the stage its own.")
    accelerator = accelerator_for(stages[0].config)
    if folder is not None and accelerator.is_main_process:
        _prepare(Path(folder), names, resume=resume)
    accelerator.wait_for_everyone()
    fitted: list[Fitted] = []
    ended: dict[str, dict[str, Tensor]] = {}
    for stage, place in zip(stages, _folders(folder, names)):
        trained, objective = stage.begin(network, ended)
        if progress and len(stages) > 1 and accelerator.is_main_process:
            tqdm.write(f"stage {len(fitted) + 1} of {len(stages)}: {stage.name}", file=sys.stderr)
        fitted.append(fit(trained, objective, stage.data or data, stage.config, resume=resume, progress=progress,
                          folder=place, stage=stage.name if len(stages) > 1 else ""))
        ended[stage.name] = weights.tensors_of(trained)
    return fitted


def load_part(network: nn.Module, part: str, place: Place) -> None:
    """Put what another network has learned into a part of this one. Every weight must be there and fit.

    Args:
        network: to be changed.
        part: name of a module in it; ``""`` is all of it.
        place: folder of a checkpoint or of a training (the weights that it kept), or (folder, name of the part
            there).

    >>> import tempfile; folder = tempfile.TemporaryDirectory()
    >>> from rppg_lib.models import save_network
    >>> from rppg_lib.registry import find
    >>> PhysNet = find("physnet").made_of
    >>> _ = save_network(PhysNet(), folder.name)
    >>> load_part(nn.ModuleDict({"teacher": PhysNet()}), "teacher", (folder.name, ""))
    """
    folder, there = place if isinstance(place, tuple) else (place, part)
    folder = weights.checkpoint_folder(folder)
    _fill(network, part, weights.read_tensors(folder / weights.WEIGHTS), there, who=str(folder))


def _fill(network: nn.Module, part: str, tensors: dict[str, Tensor], there: str, *, who: str) -> None:
    """Put the tensors of the part ``there`` into ``part`` of a network."""
    modules = dict(network.named_modules())
    if part not in modules:
        known = [name for name in modules if "." not in name and name]
        raise ValueError(f"load_part: the network has no part {part!r}.{near_miss(part, modules)} "
                         f"Its parts: {', '.join(known)}.")
    start = f"{there}." if there else ""
    found = {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
    if not found:
        known = sorted({name.split(".")[0] for name in tensors})
        raise ValueError(f"load_part: {who} has no part {there!r}.{near_miss(there, known)} "
                         f"Its parts: {', '.join(known)}.")
    try:
        weights.load_tensors(modules[part], found, who=f"{there or 'the network'} in {who}")
    except ValueError as error:
        raise ValueError(f"{error}{_other_settings(network, Path(who))}") from None


def _other_settings(network: nn.Module, folder: Path) -> str:
    """Return in which settings that both have the network of a checkpoint differs from this one, if that is known."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        there = dict(json.loads((folder / weights.FACTS).read_text(encoding="utf-8"))["config"])
        here = json.loads(json.dumps(getattr(network, "settings", {})))
        shared = there.keys() & here.keys()
        if lines := differences({name: there[name] for name in shared}, {name: here[name] for name in shared}):
            return f" Give both the same settings: {'; '.join(lines)}."
    return ""


def _folders(folder: str | Path | None, names: list[str]) -> list[Path | None]:
    if folder is None:
        return [None] * len(names)
    return [Path(folder) / name for name in _below(names)] or [Path(folder)]


def _below(names: list[str]) -> list[str]:
    """Return the names of the stages' folders; a single stage has none below that of the training."""
    return [f"{number}-{name}" for number, name in enumerate(names, start=1)] if len(names) > 1 else []


def _prepare(folder: Path, names: list[str], *, resume: bool) -> None:
    """Write down which stages there will be; refuse a folder of a training in others, or empty it."""
    here, there = _below(names), weights.stages_in(folder)
    of_one = any((folder / pointer).is_file() for pointer in weights.POINTERS)
    if resume and (here[:len(there)] != there or (here and of_one)):
        told = [", ".join(stages) or "a single one" for stages in (there, here)]
        raise ValueError(f"train_in_stages: {folder} holds a training in other stages: {told[0]} there, {told[1]} "
                         f"here. {AGAIN}")
    if not resume:
        for each in [folder, *(folder / name for name in {*here, *there})]:
            Checkpoints(each).clear()
    if here:
        with written_whole(folder / weights.STAGES) as file:
            file.write("".join(f"{name}\n" for name in here))
    else:
        (folder / weights.STAGES).unlink(missing_ok=True)
