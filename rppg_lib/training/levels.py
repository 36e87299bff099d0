"""Objectives of LQ-rPPG: labels in steps for each of its guesses, and the controls that could explain their effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ..data import Batch
from ..losses import mse, negative_pearson, spectral_cross_entropy
from ..models.learned_labels import LearnedLevels
from ..models.lqrppg import Refined
from ..quantize.labels import LabelFilter, LabelLevels
from ..registry import near_miss
from .objective import Objective

SUPERVISED = ("all", "last")
WEIGHTS = MappingProxyType({"cross_entropy": 1.0, "pearson": 0.2, "spectral": 1.0, "sample": 0.0})


class LevelsObjective(Objective):
    """Each guess is asked for the label at its own number of steps; from coarse to fine.

    ===================  =========================================================================
    term                 what it asks of the guess with that many bits
    ===================  =========================================================================
    ``codes_BITS``       the code that the label has in each frame: cross-entropy on the scalar
    ``pearson_BITS``     the shape of the label made of codes
    ``spectral_BITS``    its rate, in the form of published code
    ``sample_BITS``      its value in each frame: mean absolute error of the scalar. No part of LQ-rPPG, but what the
                         cross-entropy becomes where there are no steps
    ===================  =========================================================================

    Args:
        labels: quantisers of the labels, one per guess, which stay as they are; None: labels as they are, and no
            ``codes_``. They must have the codes that the network's guesses are made of.
        filter: what labels go through before anything else.
        bits: of the guesses.
        supervise: ``all`` guesses, or the ``last`` alone, which is the pulse.
        weights: of the terms: ``cross_entropy``, ``pearson``, ``spectral``, ``sample``; those not named keep 1, 0.2, 1
            and 0. 0 leaves one out.
        shares: weights of the levels, coarse to fine; default 1 each.
        temperature: of the choice among codes.

    Reference: Sung et al. 2026 (``sung2026lqrppg``). Training is not part of what they released; the weights of the
    three terms are those of the configuration's names, and the sum over the levels is our reading.
    """

    def __init__(self, labels: LabelLevels | LearnedLevels | None, *, filter: LabelFilter,
                 bits: Sequence[int] = (1, 2, 3, 4, 5), supervise: str = "all",
                 weights: Mapping[str, float] = WEIGHTS, shares: Sequence[float] | None = None,
                 temperature: float = 1.0) -> None:
        super().__init__()
        bits = tuple(bits)
        if labels is not None and tuple(labels.bits) != bits:
            raise ValueError(f"LevelsObjective: needs labels at {bits} bits, as the guesses are, got "
                             f"{tuple(labels.bits)}. Fit them with bits={bits}.")
        if supervise not in SUPERVISED:
            raise ValueError(f"LevelsObjective: supervise must be one of {', '.join(SUPERVISED)}, got {supervise!r}.")
        shares = (1.0,) * len(bits) if shares is None else tuple(shares)
        if len(shares) != len(bits):
            raise ValueError(f"LevelsObjective: needs {len(bits)} shares, one per level, got {shares!r}.")
        self.weights = _checked(weights, shares, temperature)
        self.labels = None if labels is None else labels.requires_grad_(False)
        self.filter, self.bits, self.temperature = filter, bits, temperature
        first = len(bits) - 1 if supervise == "last" else 0
        self.shares = {number: share for number, share in enumerate(shares) if number >= first and share}
        asked = {name for name, weight in self.weights.items() if weight}
        if not self.shares or not (asked if labels is not None else asked - {"cross_entropy"}):
            raise ValueError("LevelsObjective: nothing is asked for: all weights are 0. Give one term a weight.")

    def forward(self, output: Refined, truth: Tensor, batch: Batch) -> dict[str, Tensor]:
        wave = self.filter(batch.label, batch.fs)
        terms: dict[str, Tensor] = {}
        for number, share in self.shares.items():
            terms |= {f"{name}_{self.bits[number]}": share * term
                      for name, term in self._of_one(output, number, wave, batch.fs).items()}
        return terms

    def _of_one(self, output: Refined, number: int, wave: Tensor, fs: float) -> dict[str, Tensor]:
        guess, scalar, terms = output.guesses[number], output.scalars[number], {}
        if self.labels is not None:
            level = self.labels[self.bits[number]]
            right = level.query(wave)
            wave = level.lookup(right).to(guess.dtype)
            if weight := self.weights["cross_entropy"]:
                logits = level.logits(scalar, temperature=self.temperature)              # (B,T,K)
                terms["codes"] = weight * functional.cross_entropy(logits.flatten(0, 1), right.flatten())
        if weight := self.weights["pearson"]:
            terms["pearson"] = weight * negative_pearson(guess, wave).mean()
        if weight := self.weights["spectral"]:
            terms["spectral"] = weight * spectral_cross_entropy(guess, wave, fs=fs, form="field").mean()
        if weight := self.weights["sample"]:
            terms["sample"] = weight * (scalar - wave).abs().mean()
        return terms

    def extra_repr(self) -> str:
        return (f"bits={self.bits}, shares={self.shares}, weights={self.weights}, temperature={self.temperature}, "
                f"quantised={self.labels is not None}")


def _checked(weights: Mapping[str, float], shares: Sequence[float], temperature: float) -> dict[str, float]:
    """Return all weights of terms, or say which number is none."""
    for name in weights:
        if name not in WEIGHTS:
            raise ValueError(f"LevelsObjective: there is no term {name!r}.{near_miss(name, WEIGHTS)} "
                             f"Terms: {', '.join(WEIGHTS)}.")
    every = {**WEIGHTS, **weights}
    numbers = every | {f"share {number}": share for number, share in enumerate(shares)} | {"temperature": temperature}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf") \
                or (name == "temperature" and not value):
            least = "above 0" if name == "temperature" else "of 0 or more"
            raise ValueError(f"LevelsObjective: {name} must be a number {least}, got {value!r}.")
    return every


class LearnedLabelsObjective(Objective):
    """Learn quantisers of labels: their steps close to the band-passed label, at its rate, and codes where values lie.

    Reference: Sung et al. 2026 (``sung2026lqrppg``).
    """

    def __init__(self, *, filter: LabelFilter) -> None:
        super().__init__()
        self.filter = filter

    def feed(self, network: nn.Module, batch: Batch) -> Tensor:
        return self.filter(batch.label, batch.fs)

    def forward(self, output: Any, truth: Tensor, batch: Batch) -> dict[str, Tensor]:
        wave = self.filter(batch.label, batch.fs)
        terms = {}
        for bits, said in output.levels.items():
            terms[f"mse_{bits}"] = mse(said.values, wave).mean()
            terms[f"spectral_{bits}"] = spectral_cross_entropy(said.values, wave, fs=batch.fs, form="field").mean()
            terms[f"codes_{bits}"] = said.loss
        return terms
