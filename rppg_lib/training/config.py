"""What a training is given besides network, objective and clips: numbers, checked when they are written down."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from ..data import Batch, check_exclusive
from ..registry import near_miss

OPTIMISERS = ("adamw", "adam")
SCHEDULES = ("onecycle", "cosine", "constant")
PRECISIONS = ("no", "bf16", "fp16")
DEVICES = ("auto", "cpu")
KEEP = ("best", "last")
NEUTRAL = ("checkpoint_every_steps", "checkpoint_every_s", "device")
"""Settings that change nothing in the weights, so that a training may go on with others."""


class Samples(Protocol):
    """What ``fit`` needs of training samples: :class:`rppg_lib.data.Windows`, or anything that offers the same."""

    fs: float
    content_hash: str

    def __len__(self) -> int: ...
    def batch(self, indices: list[int]) -> Batch: ...


@dataclass(frozen=True)
class TrainingData:
    """What is learned from, and what the learning is judged by: people of whom nothing is learned."""

    train: Samples
    validation: Samples | None = None

    def __post_init__(self) -> None:
        for what, samples in (("train", self.train), ("validation", self.validation)):
            if samples is not None and len(samples) == 0:
                raise ValueError(f"TrainingData: needs at least one sample to {what}, got none. Clips may be shorter "
                                 f"than a sample, or no person be left in this part of the split.")
        if self.validation is not None and self.validation.fs != self.train.fs:
            raise ValueError(f"TrainingData: needs one frame rate, got {self.train.fs:g} fps to train and "
                             f"{self.validation.fs:g} fps for validation. Build both stores at one rate.")
        people = [set(getattr(samples, "subjects", ())) - {"unknown"} for samples in (self.train, self.validation)]
        check_exclusive(train=people[0], validation=people[1])


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How to train.

    >>> FitConfig(epochs=3, lr=1e-3).schedule
    'onecycle'
    >>> FitConfig(schedule="one_cycle")
    Traceback (most recent call last):
        ...
    ValueError: FitConfig: schedule must be one of onecycle, cosine, constant, got 'one_cycle'. Did you mean 'onecycle'?

    Attributes:
        epochs: how often every sample is seen.
        batch: samples per batch, of all processes together.
        accumulate: batches whose gradients are added up before the weights move.
        lr: learning rate, the largest of the schedule.
        weight_decay: pull of the weights towards 0 (with ``adamw`` apart from the gradient).
        optimiser: ``adamw`` or ``adam``.
        schedule: ``onecycle`` (up, then down to almost 0), ``cosine`` (down to 0) or ``constant``.
        clip_norm: longest gradient; a longer one is shortened.
        precision: ``no`` (float32), ``bf16`` or ``fp16`` inside the network; the objective is always float32.
        patience: stop after so many epochs without a smaller validation loss.
        keep: weights that the network has in the end: of the ``best`` epoch by validation loss, or the ``last``.
        frozen: names of parts of the network that stay as they are, bit by bit, statistics and dropout included.
        augment: changes a batch: ``augment(batch, seed=...)``, see :class:`rppg_lib.data.Augment`.
        seed: of the order of samples, of augmentation and of everything random inside the network.
        checkpoint_every_steps, checkpoint_every_s: how often to write a checkpoint; one is written after each epoch.
        device: ``auto`` (a GPU if there is one) or ``cpu``.
    """

    epochs: int = 10
    batch: int = 4
    accumulate: int = 1
    lr: float = 1e-3
    weight_decay: float = 0.0
    optimiser: str = "adamw"
    schedule: str = "onecycle"
    clip_norm: float | None = None
    precision: str = "no"
    patience: int | None = None
    keep: str = "best"
    frozen: tuple[str, ...] = ()
    augment: Callable[..., Batch] | None = None
    seed: int = 0
    checkpoint_every_steps: int | None = None
    checkpoint_every_s: float | None = 120.0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES), ("precision", PRECISIONS),
                            ("keep", KEEP), ("device", DEVICES)):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"FitConfig: {name} must be one of {', '.join(known)}, got {value!r}."
                                 f"{near_miss(value, known)}")
        for name, least in (("epochs", 1), ("batch", 1), ("accumulate", 1), ("patience", 1), ("seed", 0),
                            ("checkpoint_every_steps", 1)):
            value = getattr(self, name)
            if value is None and name in ("patience", "checkpoint_every_steps"):
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"FitConfig: {name} must be a whole number of at least {least}, got {value!r}.")
        for name in ("lr", "weight_decay", "clip_norm", "checkpoint_every_s"):
            value = getattr(self, name)
            if value is None and name in ("clip_norm", "checkpoint_every_s"):
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf") \
                    or (not value and name in ("lr", "clip_norm")):
                above = "of 0 or more" if name in ("weight_decay", "checkpoint_every_s") else "above 0"
                raise ValueError(f"FitConfig: {name} must be a number {above}, got {value!r}.")
        if isinstance(self.frozen, str):
            raise TypeError(f"FitConfig: frozen must be a tuple of names, got {self.frozen!r}. "
                            f"Write ({self.frozen!r},).")
        object.__setattr__(self, "frozen", tuple(self.frozen))

    def to_json(self) -> dict[str, Any]:
        """Return all settings that decide the weights, as plain values."""
        settings = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)
                    if field.name not in NEUTRAL}
        augment = self.augment
        if dataclasses.is_dataclass(augment):
            settings["augment"] = {"kind": type(augment).__name__, **dataclasses.asdict(augment)}
        elif augment is not None:
            settings["augment"] = getattr(augment, "__qualname__", type(augment).__qualname__)
        return settings | {"frozen": list(self.frozen)}


@dataclass(frozen=True)
class Fitted:
    """What a training gave.

    Attributes:
        network: trained; its weights are those of the best epoch, or of the last if that was asked for.
        history: a row per epoch: ``epoch``, ``step``, ``lr``; the training's ``loss`` and its terms; and, named
            ``validation_...``, what :func:`rppg_lib.training.validate.validate` found.
        best: the row with the smallest validation loss; None without validation.
        folder: where the checkpoints are.
        facts: seed, data, versions and revision that made it.
    """

    network: nn.Module
    history: list[dict[str, Any]]
    best: dict[str, Any] | None
    folder: Path | None
    facts: dict[str, Any]
