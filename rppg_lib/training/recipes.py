"""How each network is trained by ``rppg train``: as published, and as we do it on simulated people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..data import Augment
from ..models import Network
from ..models.codequery import QueryNetwork
from ..models.kdphys import KDPhys
from ..models.lqrppg import LQrPPG
from ..models.rfacenet import RFaceNet
from ..registry import find, near_miss
from .config import FitConfig
from .distill import WEIGHTS as TAUGHT_WEIGHTS
from .levels import WEIGHTS
from .plans import LABELS, DistillRecipe, FaceRecipe, LevelsRecipe, QueryRecipe, Recipe, WaveRecipe

PROFILES = ("quick", "full", "paper")

_WAVE, _STEPS = {"pearson": 1.0}, {"mse": 1.0}
_QUERY = {"alpha": 2.0, "beta": 0.1, "distill": 1.0, "shape": 0.1, "form": "field", "temperature": 1.0}
_QUERY_OURS = _QUERY | {"alpha": 0.5, "shape": 1.0}      # with few films the spectrum must not outweigh the wave
_TAUGHT = {"wave": "dilate", "alpha": 0.5, "gamma": 0.3, **TAUGHT_WEIGHTS, "gate": False, "warmup": 2}
_TAUGHT_OURS = _TAUGHT | {"wave": "pearson"}             # a student learns more from correlation, see notebook 07
_FACES = {"rate": True, "rate_bpm": 100.0, "smoothing": 0.1}
_TOOLBOX = "liu2023rppgtoolbox"


def _wave(losses: Mapping[str, float], config: FitConfig, **more: str) -> WaveRecipe:
    return WaveRecipe(losses=losses, fits={"network": config}, **more)


def _query(waves: int | None, heartbeats: FitConfig, query: FitConfig, settings: Mapping[str, Any], *,
           losses: Mapping[str, float] = _QUERY_OURS, **more: str) -> QueryRecipe:
    return QueryRecipe(waves=waves, losses=losses, fits={"heartbeats": heartbeats, "query": query},
                       settings={"heartbeats": settings}, **more)


def _distill(profile: str, teacher: FitConfig, student: FitConfig, *,
             losses: Mapping[str, Any] = _TAUGHT_OURS, **more: str) -> DistillRecipe:
    return DistillRecipe(losses=losses, fits={"teacher": teacher, "student": student}, profile=profile,
                         recipe_of=lambda name: recipe(name, profile), **more)


_CODES = _query(
    None, FitConfig(epochs=15, batch=8, lr=5e-3, optimiser="adam", schedule="constant"),
    FitConfig(epochs=20, batch=4, lr=1e-4, weight_decay=5e-5, optimiser="adam", schedule="constant"),
    {"update": "gradient", "start": "normal", "warmup_steps": 0, "revive_after": None},
    losses=_QUERY, source="chu2025codephys",
    note="codes begin at random and learn by gradient, as published; few of them stay in use")
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
    "kdphys": _distill(
        "paper", FitConfig(epochs=30, batch=4, lr=9e-3, optimiser="adam"),
        FitConfig(epochs=30, batch=16, lr=1e-3, keep="last"), losses=_TAUGHT, source="sahoo2025kdphys",
        note="only the abstract could be read: the teacher is trained as public code trains PhysNet, all else is ours"),
    "rfacenet": FaceRecipe(
        losses={"rate": True, "rate_bpm": 1.0, "smoothing": 0.0}, source="zhu2024rfacenet",
        fits={"network": FitConfig(epochs=30, batch=16, lr=1e-5, weight_decay=5e-5, optimiser="adam",
                                   schedule="constant", keep="last")},
        note="as for VIPL-HR, but for the length of its clips, -p frames=64; how many epochs is not told"),
}
"""As published, for real data sets."""

FULL = FitConfig(epochs=20, batch=8, lr=1e-3, weight_decay=1e-4, clip_norm=1.0, augment=Augment(), patience=6)
LAST = dataclasses.replace(FULL, keep="last", patience=None)
QUICK = FitConfig(epochs=8, batch=4, lr=5e-3, clip_norm=1.0)
VARIED = dataclasses.replace(QUICK, epochs=12, batch=2, lr=6e-3, keep="last", augment=Augment())
HEARTBEATS = FitConfig(batch=8, lr=1e-3, optimiser="adam", schedule="cosine")
OURS: dict[str, dict[type, Recipe]] = {
    "quick": {QueryNetwork: _query(2000, dataclasses.replace(HEARTBEATS, epochs=2, lr=4e-3),
                                   VARIED,
                                   {"warmup_steps": 50, "revive_after": 50}),
              LQrPPG: LevelsRecipe(losses=WEIGHTS, fits={"refine": VARIED}),
              KDPhys: _distill("quick", VARIED, VARIED),
              RFaceNet: FaceRecipe(losses=_FACES, fits={"network": VARIED}),
              Network: _wave(_WAVE, QUICK)},
    "full": {QueryNetwork: _query(8000, dataclasses.replace(HEARTBEATS, epochs=5), LAST, {}),
             LQrPPG: LevelsRecipe(losses=WEIGHTS, fits={"refine": FULL}),
             KDPhys: _distill("full", FULL, LAST),
             RFaceNet: FaceRecipe(losses=_FACES, fits={"network": LAST}),
             Network: _wave(_WAVE, FULL)},
}
"""Ours, by kind of network, the first that fits: of networks that ask a codebook, of the one that guesses labels from
coarse to fine, of the student, of the one that learns faces, of all others. Those that ask keep the last weights: their
distillation has a target that itself learns and grows, so the smallest loss is an early one and says little. So do the
student, whose first epochs minimise another loss, and the one that learns faces, whose loss is always weighed anew."""


def recipe(name: str, profile: str) -> Recipe:
    """Return how to train a network.

    A network without a recipe of its own is trained with ours: by correlation of the waves; in two stages, if it asks a
    codebook of heartbeats; by labels in steps, if it guesses from coarse to fine; with a teacher, if it is a student.

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
