"""What a recipe is: stages of a training made for a network, a store and a split of its people."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from torch import Tensor
from tqdm import tqdm

from ..data import Batch, ClipStore, Split, Windows
from ..data.manifest import SAME_RATE
from ..data.pulses import LabelWindows, SimulatedPulses
from ..models import Network, load_network
from ..models.codequery import QueryNetwork
from ..models.heartbeats import Heartbeats
from ..models.learned_labels import LearnedLevels
from ..models.lqrppg import LQrPPG
from ..quantize.labels import LabelFilter, LabelLevels
from ..registry import find
from .codequery import HeartbeatObjective, QueryObjective
from .config import FitConfig, TrainingData
from .device import random_state_kept
from .distill import WEIGHTS as TAUGHT_WEIGHTS
from .distill import DistillObjective, check_settings
from .faces import FaceObjective
from .levels import LearnedLabelsObjective, LevelsObjective
from .objective import WaveObjective
from .stages import Stage

LABELS = FitConfig(epochs=30, batch=16, lr=1e-3)
"""How label quantisers are trained where that is not said."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one network is trained in one profile, in one stage or in several.

    Attributes:
        fits: name of each stage -> how it is trained, in order; the last one trains the network itself.
        settings: name of a stage before, or of a preparation without training -> settings of what only it makes;
            ``may_set`` names those there are.
        losses: what the last stage minimises: name -> weight.
        source: key in the bibliography of where it is from; empty for ours.
        note: what differs from the source.
    """

    may_set: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    fits: Mapping[str, FitConfig]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    losses: Mapping[str, float]
    source: str = ""
    note: str = ""

    @property
    def config(self) -> FitConfig:
        """How the last stage is trained."""
        return list(self.fits.values())[-1]

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        *before, last = self.fits
        told = {"losses": dict(self.losses), "fit": self.fits[last].to_json(), "source": self.source, "note": self.note}
        earlier = {name: {"settings": dict(self.settings.get(name, {}))}
                   for name in dict.fromkeys([*before, *self.settings])}
        for name in before:
            earlier[name]["fit"] = self.fits[name].to_json()
        return told | ({"before": earlier} if earlier else {})

    def stages(self, network: Network, store: ClipStore, split: Split) -> list[Stage]:
        """Return the stages, for :func:`~rppg_lib.training.train_in_stages`.

        Args:
            network: to be trained.
            store: what it learns from and is validated on.
            split: by whom it is trained, and by whom validated.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class WaveRecipe(Recipe):
    """One stage: pictures in, a wave out. ``losses`` are those of :data:`rppg_lib.training.LOSSES`."""

    def stages(self, network: Network, store: ClipStore, split: Split) -> list[Stage]:
        (name, config), = self.fits.items()
        return [Stage(name=name, objective=WaveObjective(self.losses), config=config,
                      data=_pictures(network, store, split, config))]


@dataclass(frozen=True, kw_only=True)
class QueryRecipe(Recipe):
    """Two stages: ``heartbeats`` learns codes from contact waves, ``query`` to ask for them.

    Contact waves are the labels of the people trained on. Where those are simulated, waves of other simulated people
    cost nothing, and there are more of them. ``losses`` are the weights in
    :class:`~rppg_lib.training.codequery.QueryObjective`.

    Attributes:
        waves: about how many contact waves there are to learn from. None: the labels, each value in one wave.
    """

    may_set: ClassVar = {"heartbeats": ("update", "start", "warmup_steps", "revive_after")}

    waves: int | None

    def stages(self, network: QueryNetwork, store: ClipStore, split: Split) -> list[Stage]:
        first, second = self.fits.values()
        with random_state_kept(seed=first.seed):
            heartbeats = Heartbeats(dataclasses.replace(network.heartbeats(), **self.settings.get("heartbeats", {})))
        QueryObjective(heartbeats, like=network, **self.losses)      # wrong weights are found before stage I is trained
        query = Stage(name="query", config=second, data=_pictures(network, store, split, second),
                      objective=partial(QueryObjective, heartbeats, like=network, **self.losses))
        if not network.has("stage_one"):
            return [query]
        data = self._waves(network.config.frames, store, split, seed=first.seed)
        _check_long_enough(first, heartbeats, samples=len(data.train))
        load = {"codebook": "heartbeats", "decoder": "heartbeats"}
        if getattr(network, "prior", None) is not None:
            load["prior"] = ("heartbeats", "encoder")
        return [Stage(name="heartbeats", objective=HeartbeatObjective(), config=first, data=data, network=heartbeats),
                dataclasses.replace(query, load=load)]

    def _waves(self, frames: int, store: ClipStore, split: Split, *, seed: int) -> TrainingData:
        records = store.records
        if self.waves is not None and {record.dataset for record in records} == {"simulated"}:
            make = partial(SimulatedPulses, frames=frames, fs=records[0].fs)
            return TrainingData(make(self.waves, seed=2 * seed), make(max(self.waves // 10, 1), seed=2 * seed + 1))
        step = None
        if self.waves is not None:
            starts = sum(max(record.frames - frames + 1, 0) for record in records if record.subject in split.train)
            step = max(starts // self.waves, 1)
        labels = partial(LabelWindows, store, frames=frames, step=step)
        return TrainingData(labels(subjects=split.train), labels(subjects=split.validation))


@dataclass(frozen=True, kw_only=True)
class LevelsRecipe(Recipe):
    """Labels in steps, then a network that guesses them from coarse to fine.

    Where the steps lie is found in the labels of the people trained on: at once, or, for the kind ``learned``, by
    training small networks (stage ``labels``). ``losses`` are weights in
    :class:`~rppg_lib.training.levels.LevelsObjective`.
    """

    may_set: ClassVar = {"labels": ("kind", "nested", "low_hz", "high_hz", "order")}

    def stages(self, network: LQrPPG, store: ClipStore, split: Split) -> list[Stage]:
        told = {"kind": "lloyd", "nested": False, "low_hz": 0.75, "high_hz": 2.5, "order": 1,
                **self.settings.get("labels", {})}
        bits, frames = network.config.bits, network.config.frames
        before = LabelFilter((told["low_hz"], told["high_hz"]), told["order"])
        labels = [LabelWindows(store, frames=frames, subjects=people) for people in (split.train, split.validation)]
        objective = partial(LevelsObjective, filter=before, bits=bits, weights=self.losses)
        objective(None)                                              # wrong weights are found before anything is done
        last = Stage(name="refine", config=self.config, data=_pictures(network, store, split, self.config),
                     objective=objective)
        if told["kind"] != "learned":
            whole = labels[0].batch(range(len(labels[0])))
            levels = LabelLevels.fit(_changing(before(whole.label, whole.fs), whole), kind=told["kind"], bits=bits,
                                     nested=told["nested"])
            network.levels.load_state_dict(levels.state_dict())
            return [dataclasses.replace(last, objective=objective(levels))]
        first = self.fits.get("labels", LABELS)
        with random_state_kept(seed=first.seed):
            learned = LearnedLevels(bits)

        def refine() -> LevelsObjective:
            levels = learned.as_codes()
            network.levels.load_state_dict(levels.state_dict())
            return objective(learned)

        return [Stage(name="labels", objective=LearnedLabelsObjective(filter=before), config=first, network=learned,
                      data=TrainingData(*labels)), dataclasses.replace(last, objective=refine)]


@dataclass(frozen=True, kw_only=True)
class DistillRecipe(Recipe):
    """A teacher, trained by its own recipe, then a student that learns from labels and from it.

    ``losses`` are settings of :class:`~rppg_lib.training.distill.DistillObjective`, its
    weights among them. Stage ``teacher`` is left out where
    all weights of what it says are 0, or where the setting ``checkpoint`` names one that is trained.

    Attributes:
        profile: of the teacher's size.
        recipe_of: the recipe of a teacher of that name.
    """

    may_set: ClassVar = {"teacher": ("name", "checkpoint")}

    profile: str
    recipe_of: Callable[[str], Recipe]

    def __post_init__(self) -> None:
        check_settings(**self._of_objective())                       # before films are made and a teacher is trained

    def _of_objective(self) -> dict[str, Any]:
        weights = {name: self.losses[name] for name in TAUGHT_WEIGHTS}
        return {name: value for name, value in self.losses.items() if name not in weights} | {"weights": weights}

    def stages(self, network: Network, store: ClipStore, split: Split) -> list[Stage]:
        told = {"name": None, "checkpoint": None, **self.settings.get("teacher", {})}
        settings = self._of_objective()
        objective = partial(DistillObjective, **settings)
        student = Stage(name="student", config=self.config, data=_pictures(network, store, split, self.config),
                        objective=objective)
        if not any(settings["weights"].values()):
            return [dataclasses.replace(student, objective=objective(None))]
        if told["checkpoint"] is not None:
            return [dataclasses.replace(student, objective=objective(_trained_teacher(**told, store=store)))]
        entry = find(told["name"] or "physnet")
        if entry.kind != "network":
            raise ValueError(f"recipe: the teacher must be a network, {entry.name} is a method. See 'rppg models'.")
        how = self.recipe_of(entry.name)
        if isinstance(how, DistillRecipe):
            raise ValueError(f"recipe: {entry.name} has a teacher of its own. Take another network, or train it first "
                             f"and give its checkpoint.")
        how = dataclasses.replace(how, fits={**how.fits, list(how.fits)[-1]: self._fit_of(entry.name, how.config)})
        with random_state_kept(seed=how.config.seed):
            teacher = entry.made_of(network_config(entry.made_of, self.profile, store,
                                                   {"frames": network.config.frames}, people=len(split.train)))
        objective(teacher)                                           # wrong weights are found before it is trained
        *before, last = how.stages(teacher, store, split)
        teaching = [*before, dataclasses.replace(last, name="teacher")]
        return [*(dataclasses.replace(stage, network=stage.network or teacher) for stage in teaching),
                dataclasses.replace(student, objective=partial(objective, teacher))]

    def _fit_of(self, name: str, own: FitConfig) -> FitConfig:
        """Return how a teacher is trained: as published, if it is another than PhysNet, but for what was asked for."""
        asked = self.fits["teacher"]
        if self.profile != "paper" or name == "physnet":
            return asked
        usual = self.recipe_of("kdphys").fits["teacher"]
        changed = {field.name: getattr(asked, field.name) for field in dataclasses.fields(asked)
                   if getattr(asked, field.name) != getattr(usual, field.name)}
        return dataclasses.replace(own, **changed)


def _trained_teacher(*, name: str | None, checkpoint: str, store: ClipStore) -> Network:
    teacher = load_network(checkpoint)
    if name is not None and find(name).name != teacher.name:
        raise ValueError(f"recipe: the teacher was to be {name}, and {checkpoint} holds {teacher.name}. Leave one of "
                         f"them out.")
    learned, fs = getattr(teacher, "facts", {}).get("fs"), store.records[0].fs
    if learned is not None and abs(learned - fs) > SAME_RATE * fs:
        raise ValueError(f"recipe: the teacher in {checkpoint} learned from {learned:g} frames per second, and the "
                         f"films have {fs:g}. Take films at its rate, or train another teacher.")
    return teacher


@dataclass(frozen=True, kw_only=True)
class FaceRecipe(Recipe):
    """One stage that learns the pulse, its rate and who it is: ``losses`` are settings of
    :class:`~rppg_lib.training.faces.FaceObjective`.
    """

    def stages(self, network: Network, store: ClipStore, split: Split) -> list[Stage]:
        (name, config), = self.fits.items()
        objective = FaceObjective(split.train, **self.losses)
        objective.check(network)
        return [Stage(name=name, objective=objective, config=config, data=_pictures(network, store, split, config))]


def network_config(kind: type[Network], profile: str, store: ClipStore, given: Mapping[str, Any], *,
                   people: int) -> Network.Config:
    """Return the config of a network for the pictures of a store: its published size, or in quick its small one.

    Pictures may be larger than the network wants them; they are averaged. Smaller ones it takes as they are.

    Args:
        given: settings in place of the config's.
        people: so many are trained on: a network that tells people apart has a place for each.
    """
    sizes = {record.size_px for record in store.records}
    width, height = sizes.pop()
    if sizes or width != height:
        raise ValueError(f"train: needs square pictures of one size, {store.path} has others. "
                         f"Build it with one size_px.")
    config = kind.small() if profile == "quick" else kind.Config()
    if hasattr(config, "people"):
        given = {"people": max(people, 2), **given}
    size_px = given.get("size_px", width if profile == "quick" else min(width, config.size_px))
    if isinstance(size_px, int) and size_px > width:
        raise ValueError(f"train: pictures of the store have {width} px and cannot become larger; got "
                         f"size_px={size_px}. Make a store with 'rppg simulate --size-px'.")
    return dataclasses.replace(config, **{**given, "size_px": size_px})


def _changing(waves: Tensor, whole: Batch) -> Tensor:
    """Return the waves that are not flat; say of whom those are that do not count where codes lie."""
    flat = waves.std(-1) == 0
    if flat.any():
        whose = sorted({whole.subject[number] for number in flat.nonzero().flatten().tolist()})
        tqdm.write(f"labels: {int(flat.sum())} of {len(waves)} samples are flat, of {', '.join(whose[:5])}"
                   f"{' ...' if len(whose) > 5 else ''}: they do not count where codes lie. 'rppg labels' says more.",
                   file=sys.stderr)
    return waves[~flat]


def _pictures(network: Network, store: ClipStore, split: Split, config: FitConfig) -> TrainingData:
    frames = network.config.frames
    margin = config.augment.margin(frames) if config.augment else 0
    return TrainingData(Windows(store, frames=frames, subjects=split.train, margin=margin),
                        Windows(store, frames=frames, subjects=split.validation))


def _check_long_enough(config: FitConfig, heartbeats: Heartbeats, *, samples: int) -> None:
    """Refuse a training that ends before the codebook has begun."""
    per_epoch = math.ceil(math.ceil(samples / config.batch) / config.accumulate)
    if (needed := heartbeats.config.warmup_steps + 1) > per_epoch * config.epochs:
        raise ValueError(f"recipe: the codebook begins after {needed - 1} steps, and stage heartbeats has only "
                         f"{per_epoch * config.epochs} ({samples} waves in batches of {config.batch}, {config.epochs} "
                         f"epochs). Give it more epochs: -p heartbeats.epochs={math.ceil(2 * needed / per_epoch)}.")
