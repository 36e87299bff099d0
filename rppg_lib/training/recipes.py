"""How each network is trained by ``rppg train``: as published, and as we do it on simulated people."""

from __future__ import annotations

from dataclasses import dataclass

from ..data import Augment
from ..registry import near_miss
from .config import FitConfig

PROFILES = ("quick", "full", "paper")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one network is trained in one profile.

    Attributes:
        losses: name -> weight, see :data:`rppg_lib.training.LOSSES`.
        config: everything else.
        source: key in the bibliography of where it is from; empty for ours.
        note: what differs from the source.
    """

    losses: dict[str, float]
    config: FitConfig
    source: str = ""
    note: str = ""


_WAVE, _STEPS = {"pearson": 1.0}, {"mse": 1.0}
_TOOLBOX = "liu2023rppgtoolbox"

PAPER = {
    **{name: Recipe(losses=_STEPS, config=FitConfig(epochs=30, batch=4, lr=9e-3), source=_TOOLBOX)
       for name in ("deepphys", "tscan", "efficientphys")},
    "physnet": Recipe(losses=_WAVE, config=FitConfig(epochs=30, batch=4, lr=9e-3, optimiser="adam"), source=_TOOLBOX),
    "physformer": Recipe(
        losses={"pearson": 1.0, "spectral_field": 1.0, "label_distribution": 1.0}, source=_TOOLBOX,
        config=FitConfig(epochs=10, batch=4, lr=1e-4, weight_decay=5e-5, optimiser="adam", schedule="constant"),
        note="public code raises the weight of the two spectral terms from epoch to epoch, to 1.7 in 10; here it is 1"),
    "rhythmmamba": Recipe(
        losses={"pearson": 0.2, "spectral_field": 1.0}, source="zou2025rhythmmamba",
        config=FitConfig(epochs=30, batch=16, lr=3e-4)),
    "factorizephys": Recipe(losses=_WAVE, config=FitConfig(epochs=10, batch=4, lr=1e-3), source=_TOOLBOX),
}
"""As published, for real data sets."""

FULL = FitConfig(epochs=20, batch=8, lr=1e-3, weight_decay=1e-4, clip_norm=1.0, augment=Augment(), patience=6)
QUICK = FitConfig(epochs=8, batch=4, lr=5e-3, clip_norm=1.0)


def recipe(name: str, profile: str) -> Recipe:
    """Return how to train a network.

    A network without a recipe of its own is trained with ours, by correlation of the waves.

    >>> recipe("physnet", "paper").config.lr
    0.009
    >>> recipe("my_own", "quick").losses
    {'pearson': 1.0}
    """
    if profile not in PROFILES:
        raise ValueError(f"recipe: there is no profile {profile!r}.{near_miss(profile, PROFILES)} "
                         f"Profiles: {', '.join(PROFILES)}.")
    if profile == "paper":
        if name not in PAPER:
            raise ValueError(f"recipe: nothing was published on training {name!r}. Use profile full, or quick. "
                             f"With a published recipe: {', '.join(sorted(PAPER))}.")
        return PAPER[name]
    return Recipe(losses=_WAVE, config=QUICK if profile == "quick" else FULL)
