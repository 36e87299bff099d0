"""Objective of rFaceNet: the pulse, its rate, and whose face it is; how much each counts is learned along."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data import Batch
from ..losses import UncertaintyWeights, mse, soft_rate, standardise
from ..losses.spectral import rates_of
from ..models import pulse_of
from ..models.rfacenet import Faced
from .objective import WATCHED, Objective

KINDS = {"pulse": "regression", "rate": "regression", "person": "classification"}


class FaceObjective(Objective):
    """Three tasks, each with a scale that is learned; none drowns the others.

    ==========  ================================================================================================
    term        what it asks for
    ==========  ================================================================================================
    ``pulse``   the label's wave: mean squared error of standardised waves, which is twice 1 minus their correlation
    ``rate``    its heart rate: squared error in bpm, of the peak of its spectrum (``soft_rate``, 40 to 180 bpm)
    ``person``  whose face it is, among those trained on: cross-entropy. Not asked of a network without the branch
    ==========  ================================================================================================

    The history tells their scales, and how many people were recognised, in columns that begin with ``watched_``.
    Validation people are nobody the network could know, so of them ``person`` is not asked. Of a label that is flat
    there is neither wave nor rate to ask for; ``watched_flat_labels`` tells which share they were.

    Args:
        people: whom it is trained on.
        rate: whether the rate is asked for. Of 2 s of a pulse there is hardly one.
        rate_bpm: the rate's scale at the start. At 1, as if a network knew the rate to one beat, errors of tens of
            beats drown all else until the scale has grown: a thousand steps at a learning rate of 0.006. Our recipes
            start at 100, so that the wave is learned first: before that a rate's slope is noise.
        smoothing: of the people's labels, from 0 to 1.

    Reference: Zhu et al. 2024 (``zhu2024rfacenet``), equation 4; Kendall et al. 2018 (``kendall2018uncertainty``).
    """

    def __init__(self, people: Collection[str], *, rate: bool = True, rate_bpm: float = 1.0,
                 smoothing: float = 0.0) -> None:
        super().__init__()
        if not isinstance(rate, bool):
            raise ValueError(f"FaceObjective: rate must be true or false, got {rate!r}.")
        if isinstance(rate_bpm, bool) or not isinstance(rate_bpm, int | float) or not 0 < rate_bpm < float("inf"):
            raise ValueError(f"FaceObjective: rate_bpm must be a number above 0, got {rate_bpm!r}.")
        if isinstance(smoothing, bool) or not isinstance(smoothing, int | float) or not 0 <= smoothing < 1:
            raise ValueError(f"FaceObjective: smoothing must be a number from 0 to below 1, got {smoothing!r}.")
        if isinstance(people, str) or not people:
            raise ValueError(f"FaceObjective: needs the names of the people trained on, got {people!r}.")
        self.people = tuple(sorted(people))
        self.rate, self.rate_bpm, self.smoothing = rate, rate_bpm, smoothing
        self.weigh = UncertaintyWeights({name: kind for name, kind in KINDS.items() if rate or name != "rate"},
                                        starts={"rate": float(rate_bpm)} if rate else {})
        self._numbers = {name: number for number, name in enumerate(self.people)}

    def check(self, network: nn.Module) -> None:
        """Refuse a network that has too few places for the people."""
        places = getattr(getattr(network, "config", None), "people", None)
        if places is not None and getattr(network, "identity", None) is not None and places < len(self.people):
            raise ValueError(f"FaceObjective: {len(self.people)} people are trained on, and the network tells "
                             f"{places} apart. Build it with people={len(self.people)}.")

    def feed(self, network: nn.Module, batch: Batch) -> Tensor:
        self.check(network)
        return super().feed(network, batch)

    def forward(self, output: Faced, truth: Tensor, batch: Batch) -> dict[str, Tensor]:
        pulse = standardise(pulse_of(output))
        beats = batch.label.std(-1) != 0                             # (B,); NaN stays
        losses = {"pulse": _mean_where(mse(pulse, standardise(truth)), beats)}
        if self.rate:
            rate = rates_of("FaceObjective", batch.label, pulse, fs=batch.fs)
            losses["rate"] = _mean_where((soft_rate(pulse, fs=batch.fs) - rate).square(), beats)
        watched = {"flat_labels": (~beats).float().mean()}           # a share: of them only the person was asked
        person = getattr(output, "person", None)
        if person is not None:
            known = [place for place, name in enumerate(batch.subject) if name in self._numbers]
            if self.training and len(known) < len(batch.subject):
                strangers = sorted(set(batch.subject) - set(self.people))
                raise ValueError(f"FaceObjective: {', '.join(strangers[:5])} is trained on, and not among the "
                                 f"{len(self.people)} people named. Name everybody.")
            if known:
                who = torch.tensor([self._numbers[batch.subject[place]] for place in known], device=person.device)
                losses["person"] = functional.cross_entropy(person[known], who, label_smoothing=self.smoothing)
                watched["recognised"] = (person[known].argmax(-1) == who).float().mean()
        watched |= {f"scale_{name}": self.weigh.log_variance[name].detach().div(2).exp() for name in losses}
        return self.weigh(losses) | {f"{WATCHED}{name}": value for name, value in watched.items()}

    def extra_repr(self) -> str:
        return f"people={self.people}, rate={self.rate}, rate_bpm={self.rate_bpm}, smoothing={self.smoothing}"


def _mean_where(values: Tensor, chosen: Tensor) -> Tensor:
    """Return the mean of the values chosen; without any, 0 with a slope of 0."""
    return values[chosen].mean() if chosen.any() else 0 * values.sum()
