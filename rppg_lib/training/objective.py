"""What a training minimises: named terms. It also says what the network is fed, so that a stage may feed it labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from .. import losses
from ..data import Batch
from ..data.normalise import normalise, resized
from ..models import pulse_of
from ..registry import near_miss

Loss = Callable[[Tensor, Tensor, float], Tensor]


def _timeless(loss: Callable[[Tensor, Tensor], Tensor], pred: Tensor, truth: Tensor, fs: float) -> Tensor:
    return loss(pred, truth)


def _rated(loss: Callable[..., Tensor], pred: Tensor, truth: Tensor, fs: float, **options: Any) -> Tensor:
    return loss(pred, truth, fs=fs, **options)


def _dilate(pred: Tensor, truth: Tensor, fs: float) -> Tensor:
    # At gamma 0.01 frames snap onto frames, and along a pure lag the slope often points the wrong way.
    return losses.dilate(losses.standardise(pred), losses.standardise(truth), gamma=0.3) / pred.shape[-1]


LOSSES: dict[str, Loss] = {
    "pearson": partial(_timeless, losses.negative_pearson),
    "mse": partial(_timeless, losses.mse),
    "spectral": partial(_rated, losses.spectral_cross_entropy),
    "spectral_field": partial(_rated, losses.spectral_cross_entropy, form="field"),
    "label_distribution": partial(_rated, losses.label_distribution),
    "snr": partial(_rated, losses.snr_loss),
    "dilate": _dilate,
}
"""Losses by name: ``(pred (B, T), truth (B, T), fs) -> (B,)``. DILATE is of standardised waves, and per frame."""


WATCHED = "watched_"
"""Begins the names of terms that are only looked at: they are in the history, and no part of the loss."""

RESERVED = ("epoch", "step", "lr", "loss", "hr_error_bpm", "wave_r", "unread")
"""Columns of the history that terms may not take."""


class Objective(nn.Module):
    """What is minimised: the sum of named terms, each a mean over the clips of the batch.

    Terms whose names begin with ``watched_`` are no part of the sum: a share of right answers, for example.

    Write ``forward``. Everything else has a sensible beginning:

    - Parameters of the objective (weights of terms that are learned) are trained and saved with the network.
      Weight decay leaves them alone.
    - A part of which nothing is to be trained (a teacher, ``requires_grad_(False)``) runs in eval mode, gets no
      gradient and is not saved.
    - The objective is computed in float32, whatever the network's precision.
    - What it prints and its attributes say which objective it is: with others a training does not go on. State of its
      own that changes goes under names with an underscore.

    >>> class Imitate(Objective):
    ...     '''Do as the teacher does.'''
    ...     def __init__(self, teacher):
    ...         super().__init__()
    ...         self.teacher = teacher.requires_grad_(False)
    ...     def forward(self, output, truth, batch):
    ...         taught = pulse_of(self.teacher(normalise(batch.frames, self.teacher.normalise)))
    ...         return {"imitate": (pulse_of(output) - taught).square().mean()}
    """

    def feed(self, network: nn.Module, batch: Batch) -> Any:
        """Return what the network is fed; here pictures no larger than its own, normalised as it wants them.

        An autoencoder of labels is fed ``batch.label``.
        """
        size_px = getattr(getattr(network, "config", None), "size_px", None)
        larger = size_px is not None and min(batch.frames.shape[2:4]) > size_px
        return normalise(resized(batch.frames, size_px) if larger else batch.frames, network.normalise)

    def run(self, network: nn.Module, fed: Any) -> Any:
        """Return what the network gives; an objective that needs more of it, such as maps on the way, asks here."""
        return network(fed)

    def begin(self, epoch: int) -> None:
        """Called before each epoch, from 0 on: for terms whose weight depends on it."""

    def forward(self, output: Any, truth: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Return the terms.

        Args:
            output: what :meth:`run` returned: the pulse ``(B, T)``, or an object that has it as ``pulse``.
            truth: ``(B, T)`` label, standardised, or as change from frame to frame if that is the network's target.
            batch: where these come from, with ``fs``, ``label``, ``subject``.
        """
        raise NotImplementedError(f"{type(self).__name__}: needs forward(output, truth, batch) -> dict of terms. "
                                  f"Write it.")


def loss_of(terms: Mapping[str, Any]) -> Any:
    """Return the sum of the terms, without those that are only watched."""
    return sum(term for name, term in terms.items() if not name.startswith(WATCHED))


def check_terms(terms: Any, objective: nn.Module) -> None:
    """Say what is wrong with what an objective returned."""
    who = f"{type(objective).__name__}: forward must return a dict of named terms, each one number as a tensor"
    if not isinstance(terms, dict) or not terms:
        raise TypeError(f"{who}, got {type(terms).__name__}{' without terms' if terms == {} else ''}. "
                        f"Return {{'error': loss.mean()}}, for example.")
    for name, term in terms.items():
        if not isinstance(name, str) or name in RESERVED or name.startswith("validation_"):
            raise ValueError(f"{type(objective).__name__}: a term may not be called {name!r}: the history has a column "
                             f"of that name. Taken: {', '.join(RESERVED)}.")
        if not isinstance(term, Tensor) or term.ndim or not term.is_floating_point():
            came = f"a tensor {tuple(term.shape)} of {term.dtype}" if isinstance(term, Tensor) else repr(term)[:60]
            raise TypeError(f"{who}, but {name!r} is {came}. Take the mean over the clips.")


class WaveObjective(Objective):
    """A weighted sum of losses by name between the pulse and its label; the names are in ``LOSSES``.

    >>> objective = WaveObjective({"pearson": 1.0, "spectral": 0.1})
    >>> objective
    WaveObjective(pearson: 1.0, spectral: 0.1)
    >>> WaveObjective({"pearsn": 1.0})
    Traceback (most recent call last):
        ...
    ValueError: WaveObjective: there is no loss 'pearsn'. Did you mean 'pearson'? Losses: dilate, label_distribution,
        mse, pearson, snr, spectral, spectral_field.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        for name, weight in weights.items():
            if name not in LOSSES:
                raise ValueError(f"WaveObjective: there is no loss {name!r}.{near_miss(name, LOSSES)} "
                                 f"Losses: {', '.join(sorted(LOSSES))}.")
            if not isinstance(weight, int | float) or not 0 < weight < float("inf"):
                raise ValueError(f"WaveObjective: the weight of {name} must be a number above 0, got {weight!r}.")
        if not weights:
            raise ValueError(f"WaveObjective: needs at least one loss. Losses: {', '.join(sorted(LOSSES))}.")
        self.weights = dict(weights)

    def forward(self, output: Any, truth: Tensor, batch: Batch) -> dict[str, Tensor]:
        pulse = pulse_of(output)
        return {name: weight * LOSSES[name](pulse, truth, batch.fs).mean() for name, weight in self.weights.items()}

    def extra_repr(self) -> str:
        return ", ".join(f"{name}: {weight}" for name, weight in self.weights.items())
