"""One training loop for every network: the twenty lines everybody writes, and what makes them dependable.

The twenty lines are ``_Training.step``; around them are order, validation, checkpoints and processes.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor, nn

from ..data import Batch
from ..models.weights import WEIGHTS, load_tensors, read_tensors, tensors_of
from .checkpoint import Checkpoints, Progress
from .config import FitConfig, Fitted, TrainingData
from .device import accelerator_for, random_state_kept
from .learner import Learner, frozen_parts, train_mode
from .objective import Objective, loss_of
from .order import Order, Step, ahead, draw_seed
from .state import State, identity_of, makers, restored, save_weights
from .validate import validate
from .watch import Watch


def fit(network: nn.Module, objective: Objective, data: TrainingData, config: FitConfig, *,
        folder: str | Path | None = None, resume: bool = True, progress: bool = True, stage: str = "") -> Fitted:
    """Train a network; on one CPU, a GPU, or several processes of ``accelerate launch``.

    The same seed gives the same bits on one machine's CPU, also if the training is killed and called again with the
    same ``folder``. N processes see the batches that one would see and get the same weights up to rounding, but for
    dropout and BatchNorm: each process has numbers and statistics of its own share of a batch.

    Args:
        network: of :mod:`rppg_lib.models`, or any module with ``normalise`` and ``target`` as they have.
        objective: what is minimised.
        data: samples to train and, for ``hr_error_bpm`` and early stopping, to validate.
        config: how.
        folder: for checkpoints and TensorBoard's curves; without it nothing is written.
        resume: go on with the training in ``folder``, if there is one; otherwise it is deleted.
        progress: on standard error, a bar on a terminal and a line per epoch elsewhere, which names the ``stage``.
    """
    accelerator = accelerator_for(config)
    with frozen_parts(network, config.frozen) as frozen, random_state_kept(accelerator.device, seed=config.seed):
        training = _Training(accelerator, Learner(network, objective), data, config, folder)
        training.begin(resume=resume)
        with training.watch(shown=progress, stage=stage) as watch:
            while training.goes_on:
                training.epoch(watch, frozen)
        return training.end()


class _Training:
    def __init__(self, accelerator: Accelerator, learner: Learner, data: TrainingData, config: FitConfig,
                 folder: str | Path | None) -> None:
        self.accelerator, self.learner, self.data, self.config = accelerator, learner, data, config
        rank, self.world = accelerator.process_index, accelerator.num_processes
        self.order = Order(samples=len(data.train), batch=config.batch, accumulate=config.accumulate, seed=config.seed,
                           rank=rank, world=self.world)
        self.steps_per_epoch = len(self.order.epoch(0))
        self.state = State.new(learner, config, steps=self.steps_per_epoch * config.epochs)
        self.model, self.optimiser = accelerator.prepare(learner, self.state.optimiser)
        self.state.scaler, self.progress = accelerator.scaler, Progress()
        self.identity = identity_of(learner, data, config)
        self.facts = {"seed": config.seed, "fs": data.train.fs, "data": self.identity["data"], "made": makers()}
        learner.network.facts = self.facts
        self.checkpoints = Checkpoints(folder) if folder is not None else None
        self.best_weights: dict[str, Tensor] = {}
        self.written = time.monotonic()

    def begin(self, *, resume: bool) -> None:
        """Go on where the last checkpoint is, or begin."""
        if self.checkpoints is None:
            return
        if not resume and self.accelerator.is_main_process:
            self.checkpoints.clear()
        self.accelerator.wait_for_everyone()
        self.progress = restored(self.checkpoints, self.state, self.identity) or self.progress
        self.accelerator.wait_for_everyone()                         # all have read it before the first writes again
        if self.progress.step and self.accelerator.is_main_process:
            self.checkpoints.settle(self.progress)                   # the one before may not have come so far

    @property
    def goes_on(self) -> bool:
        """Whether there is an epoch to come."""
        return self.progress.epoch < self.config.epochs and not self.progress.stalled(self.config.patience)

    def watch(self, *, shown: bool, stage: str) -> Watch:
        """Return what shows the training; in the first process alone."""
        mine, epochs = self.accelerator.is_main_process, self.config.epochs
        return Watch(epochs=epochs, steps=self.steps_per_epoch * epochs, done=self.progress.step, shown=shown and mine,
                     stage=stage, folder=self.checkpoints.folder / "curves" if self.checkpoints and mine else None)

    def epoch(self, watch: Watch, frozen: list[nn.Module]) -> None:
        """Train for what is left of an epoch, then validate."""
        now = self.progress
        train_mode(self.learner, frozen)
        self.learner.objective.begin(now.epoch)
        steps = self.order.epoch(now.epoch)[now.in_epoch:]
        batches = ahead(partial(self.load, epoch=now.epoch), [share for step in steps for share in step.shares])
        for step in steps:
            terms = self.step(step, batches)
            now.step, now.in_epoch, now.samples = now.step + 1, now.in_epoch + 1, now.samples + step.samples
            now.sums = {name: now.sums.get(name, 0.0) + term * step.samples for name, term in terms.items()}
            watch.step(now.step, terms, lr=self.state.schedule.get_last_lr()[0])
            if now.in_epoch < self.steps_per_epoch and self.is_due():
                self.save()
        self.close_epoch(watch)

    def load(self, share: tuple[int, ...], *, epoch: int) -> Batch:
        """Read a batch, bring it to the device and augment it there."""
        batch = self.data.train.batch(list(share)).to(self.accelerator.device)
        augment = self.config.augment
        return augment(batch, seed=draw_seed(self.config.seed, "augment", epoch)) if augment else batch.trimmed()

    def step(self, step: Step, batches: Any) -> dict[str, float]:
        """Take one step and return the terms, each a mean over the step's samples."""
        torch.manual_seed(draw_seed(self.config.seed, "step", self.progress.step, self.accelerator.process_index))
        self.optimiser.zero_grad()
        sums: dict[str, float] = {}
        for i, share in enumerate(step.shares):
            batch = next(batches)
            is_last = i + 1 == len(step.shares)                      # gradients of processes meet once per step
            with nullcontext() if is_last else self.accelerator.no_sync(self.model):
                terms, _, _ = self.model(batch)
                weight = len(share) / step.samples
                values = self.checked(terms, batch, weight)
                # Processes' gradients are averaged, so each sample counts alike only after times their number.
                self.accelerator.backward(loss_of(terms) * weight * self.world)
            sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
        norm = self.accelerator.clip_grad_norm_(self.state.learned, self.config.clip_norm or math.inf)
        if self.state.scaler is None and not torch.isfinite(norm):
            raise self.broken("the gradient", float(norm), batch)
        self.optimiser.step()
        if not self.accelerator.optimizer_step_was_skipped:          # fp16 skips steps that overflow
            self.state.schedule.step()
        return sums

    def checked(self, terms: dict[str, Tensor], batch: Batch, weight: float) -> dict[str, float]:
        """Return the terms' values times ``weight``, summed over processes; what is not finite stops the training."""
        values = torch.stack([term.detach().double() for term in terms.values()]) * weight
        shared = self.accelerator.reduce(values, reduction="sum").tolist()
        for name, own, value in zip(terms, values.tolist(), shared):
            if not math.isfinite(value):
                raise self.broken(f"the term {name!r}", own, batch)
        return dict(zip(terms, shared))

    def broken(self, what: str, value: float, batch: Batch) -> ValueError:
        clips = ", ".join(f"{i} ({who})" for i, who in zip(batch.index.tolist(), batch.subject))
        return ValueError(f"fit: {what} is {value} at step {self.progress.step + 1} (epoch {self.progress.epoch + 1}), "
                          f"samples {clips}. A smaller lr or clip_norm=1.0 may help; look at these samples' labels.")

    def close_epoch(self, watch: Watch) -> None:
        """Validate, write the epoch's row and a checkpoint."""
        now = self.progress
        means = {name: value / now.samples for name, value in now.sums.items()}
        row = {"epoch": now.epoch + 1, "step": now.step, "lr": self.state.schedule.get_last_lr()[0],
               "loss": loss_of(means), **means}
        if self.data.validation is not None:
            broadcast(list(self.learner.buffers()))                  # BatchNorm's: all processes judge one network
            judged = validate(self.learner, self.data.validation, self.accelerator, batch=self.config.batch)
            row |= {f"validation_{name}": value for name, value in judged.items()}
        now.close(row, keep=self.config.keep)
        if now.best == now.epoch and self.checkpoints is None and self.config.keep == "best":
            self.best_weights = tensors_of(self.learner.network)
        watch.epoch(row)
        self.save()

    def is_due(self) -> bool:
        """Whether it is time for a checkpoint in the middle of an epoch."""
        steps, seconds = self.config.checkpoint_every_steps, self.config.checkpoint_every_s
        late = seconds is not None and time.monotonic() - self.written >= seconds
        return late or bool(steps and self.progress.step % steps == 0)

    def save(self) -> None:
        """Write a checkpoint; the first process does it for all."""
        if self.checkpoints is None or not self.accelerator.is_main_process:
            return
        facts = self.facts | {"epoch": self.progress.epoch, "step": self.progress.step}
        self.checkpoints.write(self.progress, identity=self.identity, state=self.state.numbers(),
                               tensors=self.state.tensors(), made=facts,
                               network=partial(save_weights, self.learner, facts=facts))
        self.written = time.monotonic()

    def end(self) -> Fitted:
        """Give the network the weights that were asked for."""
        self.accelerator.wait_for_everyone()
        now, network = self.progress, self.learner.network
        if self.config.keep == "best" and now.best and now.best < now.epoch:
            file = self.checkpoints.folder / now.best_name / WEIGHTS if self.checkpoints else None
            load_tensors(network, read_tensors(file) if file else self.best_weights, who=str(file))
        return Fitted(network.eval(), now.history, now.history[now.best - 1] if now.best else None,
                      self.checkpoints.folder if self.checkpoints else None, self.facts)
