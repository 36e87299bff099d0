"""How each network is trained by ``rppg train``: as published, and as we do it on simulated people."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from torch import Tensor
from tqdm import tqdm

from ..data import Augment, Batch, ClipStore, Split, Windows
from ..data.pulses import LabelWindows, SimulatedPulses
from ..models import Network
from ..models.codequery import QueryNetwork
from ..models.heartbeats import Heartbeats
from ..models.learned_labels import LearnedLevels
from ..models.lqrppg import LQrPPG
from ..quantize.labels import LabelFilter, LabelLevels
from ..registry import find, near_miss
from .codequery import HeartbeatObjective, QueryObjective
from .config import FitConfig, TrainingData
from .device import random_state_kept
from .levels import WEIGHTS, LearnedLabelsObjective, LevelsObjective
from .objective import WaveObjective
from .stages import Stage

PROFILES = ("quick", "full", "paper")


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


_WAVE, _STEPS = {"pearson": 1.0}, {"mse": 1.0}
_QUERY = {"alpha": 2.0, "beta": 0.1, "distill": 1.0, "shape": 0.1, "form": "field", "temperature": 1.0}
_QUERY_OURS = _QUERY | {"alpha": 0.5, "shape": 1.0}      # with few films the spectrum must not outweigh the wave
_TOOLBOX = "liu2023rppgtoolbox"


def _wave(losses: Mapping[str, float], config: FitConfig, **more: str) -> WaveRecipe:
    return WaveRecipe(losses=losses, fits={"network": config}, **more)


def _query(waves: int | None, heartbeats: FitConfig, query: FitConfig, settings: Mapping[str, Any], *,
           losses: Mapping[str, float] = _QUERY_OURS, **more: str) -> QueryRecipe:
    return QueryRecipe(waves=waves, losses=losses, fits={"heartbeats": heartbeats, "query": query},
                       settings={"heartbeats": settings}, **more)


_CODES = _query(
    None, FitConfig(epochs=15, batch=8, lr=5e-3, optimiser="adam", schedule="constant"),
    FitConfig(epochs=20, batch=4, lr=1e-4, weight_decay=5e-5, optimiser="adam", schedule="constant"),
    {"update": "gradient", "start": "normal", "warmup_steps": 0, "revive_after": None},
    losses=_QUERY, source="chu2025codephys",
    note="codes begin at random and learn by gradient, as published; few of them stay in use")
LABELS = FitConfig(epochs=30, batch=16, lr=1e-3)
PAPER: dict[str, Recipe] = {
    **{name: _wave(_STEPS, FitConfig(epochs=30, batch=4, lr=9e-3), source=_TOOLBOX)
       for name in ("deepphys", "tscan", "efficientphys")},
    "physnet": _wave(_WAVE, FitConfig(epochs=30, batch=4, lr=9e-3, optimiser="adam"), source=_TOOLBOX),
    "physformer": _wave(
        {"pearson": 1.0, "spectral_field": 1.0, "label_distribution": 1.0},
        FitConfig(epochs=10, batch=4, lr=1e-4, weight_decay=5e-5, optimiser="adam", schedule="constant"),
        source=_TOOLBOX, note="public code raises the weight of the two spectral terms from epoch to epoch, to 1.7 in "
                              "10; here it is 1"),
    "rhythmmamba": _wave({"pearson": 0.2, "spectral_field": 1.0}, FitConfig(epochs=30, batch=16, lr=3e-4),
                         source="zou2025rhythmmamba"),
    "factorizephys": _wave(_WAVE, FitConfig(epochs=10, batch=4, lr=1e-3), source=_TOOLBOX),
    "codephys": _CODES,
    "codequery": _CODES,
    "lqrppg": LevelsRecipe(
        losses=WEIGHTS, settings={"labels": {"kind": "learned"}}, source="sung2026lqrppg",
        fits={"labels": LABELS, "refine": FitConfig(epochs=50, batch=16, lr=3e-4, weight_decay=1e-5, seed=100)},
        note="rate 3e-4 as for UBFC-rPPG, COHFACE and V4V; 6e-5 for PURE, 5e-3 for MMPD: -p lr=...; the best epoch is "
             "chosen on validation people, in some of the released configurations on the test split"),
}
"""As published, for real data sets."""

FULL = FitConfig(epochs=20, batch=8, lr=1e-3, weight_decay=1e-4, clip_norm=1.0, augment=Augment(), patience=6)
QUICK = FitConfig(epochs=8, batch=4, lr=5e-3, clip_norm=1.0)
VARIED = dataclasses.replace(QUICK, epochs=12, batch=2, lr=6e-3, keep="last", augment=Augment())
HEARTBEATS = FitConfig(batch=8, lr=1e-3, optimiser="adam", schedule="cosine")
OURS: dict[str, dict[type, Recipe]] = {
    "quick": {QueryNetwork: _query(2000, dataclasses.replace(HEARTBEATS, epochs=2, lr=4e-3),
                                   VARIED,
                                   {"warmup_steps": 50, "revive_after": 50}),
              LQrPPG: LevelsRecipe(losses=WEIGHTS, fits={"refine": VARIED}),
              Network: _wave(_WAVE, QUICK)},
    "full": {QueryNetwork: _query(8000, dataclasses.replace(HEARTBEATS, epochs=5),
                                  dataclasses.replace(FULL, keep="last", patience=None), {}),
             LQrPPG: LevelsRecipe(losses=WEIGHTS, fits={"refine": FULL}),
             Network: _wave(_WAVE, FULL)},
}
"""Ours, by kind of network, the first that fits: of networks that ask a codebook, of the one that guesses labels from
coarse to fine, of all others. Those that ask keep the last weights: their distillation has a target that itself learns
and grows, so the smallest loss is an early one and says little."""


def recipe(name: str, profile: str) -> Recipe:
    """Return how to train a network.

    A network without a recipe of its own is trained with ours: by correlation of the waves; in two stages, if it asks a
    codebook of heartbeats; by labels in steps, if it guesses from coarse to fine.

    >>> recipe("physnet", "paper").config.lr
    0.009
    >>> recipe("deepphys", "quick").losses
    {'pearson': 1.0}
    >>> list(recipe("codephys", "quick").fits)
    ['heartbeats', 'query']
    """
    if profile not in PROFILES:
        raise ValueError(f"recipe: there is no profile {profile!r}.{near_miss(profile, PROFILES)} "
                         f"Profiles: {', '.join(PROFILES)}.")
    if profile == "paper":
        if name not in PAPER:
            raise ValueError(f"recipe: nothing was published on training {name!r}. Use profile full, or quick. "
                             f"With a published recipe: {', '.join(sorted(PAPER))}.")
        return PAPER[name]
    made_of = find(name).made_of
    made_of = made_of if isinstance(made_of, type) else Network
    return next(how for kind, how in OURS[profile].items() if issubclass(made_of, kind))
