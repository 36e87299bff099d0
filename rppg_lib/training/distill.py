"""Objective of a student: its label, and what a trained network sees in the same pictures."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..data import Batch
from ..data.normalise import normalise, resized, target
from ..losses import dilate, mse, negative_pearson, standardise
from ..losses.distill import attention_transfer, similarity_transfer, steadiness
from ..models import Network, pulse_of
from ..models.maps import with_maps
from ..registry import available, near_miss
from .objective import Objective

WAVES = ("dilate", "pearson", "mse")
WEIGHTS = MappingProxyType({"attention": 0.5, "similarity": 0.5, "imitate": 0.5})
"""Of what a teacher says."""


def check_settings(*, weights: Mapping[str, float] = WEIGHTS, wave: str = "dilate", gate: bool = False,
                   **numbers: float) -> None:
    """Refuse settings that a :class:`DistillObjective` cannot have, before its teacher is trained.

    Args:
        weights, wave, gate: as there.
        numbers: its ``alpha``, ``gamma``, ``warmup``, those that are known.

    >>> check_settings(wave="dilat")
    Traceback (most recent call last):
    ValueError: DistillObjective: wave must be one of dilate, pearson, mse, got 'dilat'. Did you mean 'dilate'?
    """
    if unknown := [name for name in weights if name not in WEIGHTS]:
        raise ValueError(f"DistillObjective: there is no weight {unknown[0]!r}.{near_miss(unknown[0], WEIGHTS)} "
                         f"Weights: {', '.join(WEIGHTS)}.")
    if wave not in WAVES:
        raise ValueError(f"DistillObjective: wave must be one of {', '.join(WAVES)}, got {wave!r}."
                         f"{near_miss(wave, WAVES)}")
    if not isinstance(gate, bool):
        raise ValueError(f"DistillObjective: gate must be true or false, got {gate!r}.")
    for name, number in {**weights, **numbers}.items():
        wrong = isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < float("inf")
        if wrong or (name == "gamma" and not number) or (name == "alpha" and number > 1):
            least = {"gamma": "above 0", "alpha": "from 0 to 1"}.get(name, "of 0 or more")
            raise ValueError(f"DistillObjective: {name} must be a number {least}, got {number!r}.")


class Watched(NamedTuple):
    """What a network gave, and its maps."""

    pulse: Tensor
    maps: list[Tensor]


class DistillObjective(Objective):
    """Learn the label's wave, and look at the pictures as the teacher does.

    ==============  =========  ===============================================================================
    term            weight     what it asks for
    ==============  =========  ===============================================================================
    ``dilate``      1          shape and time of the label's wave; or the loss that ``wave`` names
    ``attention``   attention  to look, in each frame, where the teacher does
    ``similarity``  similarity to see the same moments of the clip as alike
    ``imitate``     imitate    the teacher's wave
    ==============  =========  ===============================================================================

    The maps compared are those that both networks name, the last with the last, averaged over the pairs. At
    weight 0 a term is left out; with all three at 0 no teacher is needed, or asked.

    Args:
        teacher: trained; any network that names maps. It stays as it is and is not saved. None: learn alone.
        weights: of what the teacher says: ``attention``, ``similarity``, ``imitate``; those not named keep 0.5.
        wave: ``dilate``, ``pearson`` or ``mse``, of standardised waves. DILATE is per frame.
        alpha, gamma: of DILATE, see :func:`rppg_lib.losses.dilate`.
        gate: weigh what the teacher says of a clip by how steady its own wave is.
        warmup: epochs at the beginning that learn by correlation instead of DILATE, which is blind far from its goal.

    Reference: Sahoo et al. 2025 (``sahoo2025kdphys``). Its text could not be read: terms and weights are ours.
    """

    def __init__(self, teacher: Network | None, *, weights: Mapping[str, float] = WEIGHTS, wave: str = "dilate",
                 alpha: float = 0.5, gamma: float = 0.3, gate: bool = False, warmup: int = 2) -> None:
        super().__init__()
        check_settings(weights=weights, wave=wave, gate=gate, alpha=alpha, gamma=gamma, warmup=warmup)
        self.weights = {**WEIGHTS, **weights}
        told = any(self.weights.values())
        self.looks = bool(self.weights["attention"] or self.weights["similarity"])
        if told and teacher is None:
            raise ValueError("DistillObjective: needs a teacher for attention, similarity and imitate. Give one, or "
                             "set all three to 0 to learn alone.")
        if self.looks and not teacher.map_layers:
            raise ValueError(f"DistillObjective: the teacher {teacher.name or type(teacher).__name__} names no maps to "
                             f"look at. Set attention and similarity to 0, or take one that does: "
                             f"{', '.join(_with_maps())}.")
        self.wave, self.alpha, self.gamma, self.gate, self.warmup = wave, alpha, gamma, gate, warmup
        self.teacher = copy.deepcopy(teacher).requires_grad_(False) if told else None
        self._now, self._target = wave, "wave"

    def begin(self, epoch: int) -> None:
        self._now = "pearson" if self.wave == "dilate" and epoch < self.warmup else self.wave

    def feed(self, network: nn.Module, batch: Batch) -> Tensor:
        self._target = network.target
        if self.weights["imitate"] and self.teacher.target == "change" != network.target:
            raise ValueError(f"DistillObjective: {network.name} estimates the wave, its teacher {self.teacher.name} "
                             f"only changes, which cannot be summed up within a clip. Take a teacher of waves, or set "
                             f"imitate to 0.")
        return super().feed(network, batch)

    def run(self, network: nn.Module, fed: Tensor) -> Watched:
        if not self.looks:
            return Watched(pulse_of(network(fed)), [])
        output, maps = with_maps(network, fed)
        return Watched(pulse_of(output), maps)

    def forward(self, output: Watched, truth: Tensor, batch: Batch) -> dict[str, Tensor]:
        terms = {self._now: self._wave_loss(output.pulse, truth)}
        if self.teacher is None:
            return terms
        wave, maps = self._told(batch)
        trust = steadiness(wave, fs=batch.fs) if self.gate else torch.ones_like(wave[:, 0])
        pairs = list(zip(reversed(output.maps), reversed(maps)))     # the last with the last
        for name, transfer in (("attention", attention_transfer), ("similarity", similarity_transfer)):
            if weight := self.weights[name]:
                apart = sum(transfer(mine, its) for mine, its in pairs) / len(pairs)
                terms[name] = weight * (trust * apart).mean()
        if weight := self.weights["imitate"]:
            asked = wave if self.teacher.target == self._target else target(wave, self._target)
            terms["imitate"] = weight * (trust * negative_pearson(output.pulse, asked)).mean()
        return terms

    @torch.no_grad()
    def _told(self, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """Return the teacher's wave ``(B, T)`` and its maps."""
        teacher = self.teacher
        fed = normalise(resized(batch.frames, teacher.config.size_px), teacher.normalise)
        if not self.looks:
            return pulse_of(teacher(fed)), []
        output, maps = with_maps(teacher, fed)
        return pulse_of(output), maps

    def _wave_loss(self, pulse: Tensor, truth: Tensor) -> Tensor:
        if self._now == "pearson":
            return negative_pearson(pulse, truth).mean()
        pulse, truth = standardise(pulse), standardise(truth)
        if self._now == "mse":
            return mse(pulse, truth).mean()
        return dilate(pulse, truth, alpha=self.alpha, gamma=self.gamma).mean() / pulse.shape[-1]

    def extra_repr(self) -> str:
        told = ", ".join(f"{name}={weight}" for name, weight in self.weights.items())
        return (f"wave={self.wave}, alpha={self.alpha}, gamma={self.gamma}, {told}, gate={self.gate}, "
                f"warmup={self.warmup}")


def _with_maps() -> list[str]:
    """Return the names of the networks that name maps."""
    return [entry.name for entry in available("network").values() if getattr(entry.made_of, "map_layers", ())]
