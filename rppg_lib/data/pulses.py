"""Training samples without pictures: contact waves of simulated people, or the labels of recordings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import simulate
from ..simulate.chance import check_number, check_seed, stream
from ..types import MIN_S, Clip, check_fs
from .manifest import digest_of
from .sources import simulator_digest
from .store import ClipStore
from .windows import Batch, Windows

STRANGERS = 2**32
"""From this seed on, people are met in no film that anybody asks for by a small number."""


class SimulatedPulses:
    """Contact waves, each of another simulated person at a rate of its own: samples for what learns from waves alone.

    A wave depends on the seed and its number, and is made when it is first asked for: 2,000 of 160 samples take about
    4 s. With other faults, the pulses under them are the same.

    >>> pulses = SimulatedPulses(100, seed=0)
    >>> pulses
    SimulatedPulses(100 of 160 samples at 30 fps, 45 to 150 bpm, seed 0)
    >>> batch = pulses.batch([3, 17])
    >>> batch.label.shape, batch.frames.shape, batch.subject
    (torch.Size([2, 160]), torch.Size([2, 160, 0, 0, 3]), ('pulse 0.3', 'pulse 0.17'))
    """

    def __init__(self, count: int, *, frames: int = 160, fs: float = 30.0, seed: int,
                 rates_bpm: tuple[float, float] = (45.0, 150.0), label_faults: str | Sequence[simulate.Fault] = "clean",
                 ) -> None:
        """Args:
            count: how many.
            frames: length of each.
            fs: samples per second.
            seed: another seed is a set of other people.
            rates_bpm: lowest and highest; each wave draws its mean rate evenly between.
            label_faults: of the contact sensor, or the name of a set in ``simulate.FAULTS``.
        """
        who = "SimulatedPulses"
        for name, value, least in (("count", count, 1), ("frames", frames, 2)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"{who}: {name} must be a whole number, at least {least}, got {value!r}.")
        self.fs, self.seed, self.frames = check_fs(who, fs), check_seed(who, seed), int(frames)
        if self.frames < MIN_S * self.fs:
            raise ValueError(f"{who}: needs at least {int(np.ceil(MIN_S * self.fs))} frames ({MIN_S:g} s at "
                             f"{self.fs:g} fps), about one slow beat, got {frames}.")
        slowest, fastest = simulate.HR_LIMITS_BPM
        low, high = (check_number(who, "rates_bpm", bpm, low=slowest, high=fastest) for bpm in rates_bpm)
        if low > high:
            raise ValueError(f"{who}: rates_bpm must be the lowest and the highest, got {rates_bpm!r}.")
        if isinstance(label_faults, str) and label_faults not in simulate.FAULTS:
            raise ValueError(f"{who}: there are no faults {label_faults!r}. Named sets: {', '.join(simulate.FAULTS)}.")
        self.rates_bpm = (low, high)
        self.label_faults = tuple(simulate.FAULTS[label_faults] if isinstance(label_faults, str) else label_faults)
        self._waves = torch.empty((int(count), self.frames))
        self._made = np.zeros(int(count), bool)

    def __len__(self) -> int:
        return len(self._made)

    def __repr__(self) -> str:
        low, high = self.rates_bpm
        return (f"SimulatedPulses({len(self)} of {self.frames} samples at {self.fs:g} fps, {low:g} to {high:g} bpm, "
                f"seed {self.seed})")

    @property
    def subjects(self) -> tuple[str, ...]:
        """A name for each wave."""
        return tuple(map(self._name, range(len(self))))

    @property
    def content_hash(self) -> str:
        """One digest of all that decides the waves, which need not be made for it."""
        told = [len(self), self.frames, self.fs, self.seed, self.rates_bpm, list(map(repr, self.label_faults))]
        return digest_of([told, simulator_digest(), Path(__file__).read_text("utf-8")], who="SimulatedPulses")

    def batch(self, indices: Sequence[int] | Tensor) -> Batch:
        """Return the waves with these numbers, and pictures without a pixel."""
        numbers = torch.as_tensor(indices, dtype=torch.int64, device="cpu").reshape(-1)
        if not len(numbers) or not -len(self) <= int(numbers.min()) <= int(numbers.max()) < len(self):
            raise IndexError(f"SimulatedPulses: batch needs numbers from 0 to {len(self) - 1}, got {indices!r}.")
        numbers = numbers % len(self)
        for number in numbers[~self._made[numbers.numpy()]].tolist():
            self._waves[number] = torch.from_numpy(self._wave(number))
            self._made[number] = True
        return Batch(torch.empty((len(numbers), self.frames, 0, 0, 3), dtype=torch.uint8), self._waves[numbers],
                     self.fs, tuple(map(self._name, numbers.tolist())), numbers)

    def _name(self, number: int) -> str:
        return f"pulse {self.seed}.{number}"

    def _wave(self, number: int) -> np.ndarray:
        rng = stream(self.seed, number, "pulse without a film")
        someone = simulate.person(STRANGERS + int(rng.integers(2**62)), hr_bpm=float(rng.uniform(*self.rates_bpm)))
        seconds = self.frames / self.fs
        pulse = simulate.pulse(someone, seconds=seconds, fs=self.fs, seed=number)
        return simulate.contact_label(pulse, faults=self.label_faults, seed=number).wave


class LabelWindows(Windows):
    """The labels of recordings cut into samples, without a look at the pictures: they need not even be there.

    Everything else is as in :class:`~rppg_lib.data.Windows`. Samples cost nothing here, so a small ``step`` gives many.

    >>> clip = Clip(id="a", subject="ann", fs=30, rgb=np.ones((300, 3)), label=np.arange(300.0))
    >>> labels = LabelWindows([clip], frames=160, step=20)
    >>> labels
    LabelWindows(8 of 160 frames at 30 fps, 1 people)
    >>> labels.batch([2]).label[0, :3].tolist()
    [40.0, 41.0, 42.0]
    """

    def __init__(self, clips: ClipStore | Sequence[Clip], *, frames: int, step: int | None = None,
                 subjects: Collection[str] | None = None) -> None:
        """Args:
            clips: a store, or clips with a label.
            frames: length of a sample.
            step: from sample to sample; default: their length, so that they do not overlap.
            subjects: take only these people.
        """
        if isinstance(clips, ClipStore):
            clips = [Clip(id=each.id, subject=each.subject, fs=each.fs, label=clips.label(each),
                          frames=_no_pictures(each.frames)) for each in clips.records]
        else:
            clips = [clips] if isinstance(clips, Clip) else clips
            clips = [replace(each, rgb=None, frames=_no_pictures(len(each))) if isinstance(each, Clip) else each
                     for each in clips]
        super().__init__(clips, frames=frames, step=step, subjects=subjects)

    def __repr__(self) -> str:
        return f"Label{super().__repr__()}"


def _no_pictures(frames: int) -> np.ndarray:
    return np.empty((frames, 0, 0, 3), np.uint8)
