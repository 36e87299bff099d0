"""Checkpoints: a training on disk, whole or not there at all. Nothing in one can run code: safetensors and JSON.

In the folder of a training lie

``step-000120/``   ``weights.safetensors``, ``network.json``: the network (see :mod:`rppg_lib.models.weights`);
                   ``training.safetensors``: what the optimiser and the objective have gathered;
                   ``training.json``: where the training is, its settings, and what made it
``last``, ``best`` text files that name one of these folders; all others are deleted. ``best`` names the weights that
                   the training keeps: the last ones where nothing is validated, or where they were asked for

A checkpoint is written into a folder of another name, forced onto the disk and then renamed. Everything random in a
training is drawn from (seed, step) or (seed, epoch), so these two numbers are the state of its random generators.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Any

import safetensors.torch
from torch import Tensor

from ..files import locked, written_whole
from ..models.weights import read_tensors

TENSORS, FACTS = "training.safetensors", "training.json"
NAME = re.compile(r"step-\d{6,12}")
PART, LOCK = ".part", ".lock"
AGAIN = "Begin anew with resume=False, or in another folder."


@dataclass
class Progress:
    """Where a training is. All of it is numbers and text, kept in the checkpoint.

    Attributes:
        epoch: epochs that are finished.
        step: steps taken since the beginning; ``in_epoch`` of them in this epoch.
        sums: of each term over this epoch's samples so far; ``samples`` of them.
        history: a row per finished epoch.
        best: the epoch with the smallest validation loss, counted from 1; 0: none yet.
        best_name: folder of its checkpoint, if that is to be kept.
    """

    epoch: int = 0
    step: int = 0
    in_epoch: int = 0
    samples: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best: int = 0
    best_name: str = ""

    def stalled(self, patience: int | None) -> bool:
        """Whether the validation loss has not become smaller for ``patience`` epochs."""
        return patience is not None and self.best > 0 and self.epoch - self.best >= patience

    def close(self, row: dict[str, Any], *, keep: str) -> None:
        """An epoch is finished; ``row`` is its line in the history, ``keep`` says which weights the training keeps."""
        self.history.append(row)
        self.epoch, self.in_epoch, self.samples, self.sums = self.epoch + 1, 0, 0, {}
        loss = row.get("validation_loss")
        if loss is not None and (not self.best or loss < self.history[self.best - 1]["validation_loss"]):
            self.best, self.best_name = self.epoch, name_of(self.step) if keep == "best" else ""

    @classmethod
    def from_json(cls, told: Any) -> Progress:
        """Return what :func:`dataclasses.asdict` wrote, or raise ValueError."""
        if not isinstance(told, dict) or set(told) != {f.name for f in fields(cls)}:
            raise ValueError("its progress is none")
        counts = [told[name] for name in ("epoch", "step", "in_epoch", "samples", "best")]
        sums, history = told["sums"], told["history"]
        if not all(type(count) is int and 0 <= count < 2**53 for count in counts):
            raise ValueError("its progress does not count")
        if not isinstance(sums, dict) or not all(type(value) in (int, float) for value in sums.values()):
            raise ValueError("its sums are none")
        if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
            raise ValueError("its history is none")
        if len(history) != told["epoch"] or told["best"] > told["epoch"]:
            raise ValueError("its history does not fit its epochs")
        if not isinstance(told["best_name"], str) or not re.fullmatch(rf"({NAME.pattern})?", told["best_name"]):
            raise ValueError("its best is no checkpoint")
        return cls(**told)


@dataclass(frozen=True)
class Checkpoint:
    """What was read from a folder ``step-...``."""

    folder: Path
    progress: Progress
    identity: dict[str, Any]
    state: dict[str, Any]                # of schedule, optimiser's groups and scaler
    tensors: dict[str, Tensor]


class Checkpoints:
    """The checkpoints in one folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._lock: IO | None = None

    def hold(self) -> None:
        """Keep other processes from writing here, until this one ends or forgets the folder."""
        if self._lock is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        file = open(self.folder / LOCK, "a+", encoding="utf-8")
        if not locked(file):
            file.seek(0)
            if file.read().strip() != str(os.getpid()):
                file.close()
                raise FileExistsError(f"fit: another training is writing to {self.folder}. Wait for it, or name "
                                      f"another folder.")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._lock = file

    def __del__(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def write(self, progress: Progress, *, identity: dict[str, Any], state: dict[str, Any], tensors: dict[str, Tensor],
              network: Callable[[Path], Any], made: dict[str, Any]) -> None:
        """Write a checkpoint and point ``last`` at it, ``best`` at the one to keep; delete the others.

        Args:
            network: writes the network into a folder.
            made: what made it, for people.
        """
        self.hold()
        folder = self.folder / name_of(progress.step)
        part = folder.with_name(f".{folder.name}{PART}")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        network(part)
        with written_whole(part / TENSORS, "wb") as file:
            file.write(safetensors.torch.save(tensors))
        told = {"progress": asdict(progress), "identity": identity, "state": state, "made": made}
        with written_whole(part / FACTS) as file:
            file.write(json.dumps(told, indent=1, allow_nan=False) + "\n")
        _onto_disk(part)
        shutil.rmtree(folder, ignore_errors=True)                    # left by a run that was killed: nothing names it
        part.rename(folder)
        _onto_disk(self.folder)
        self._point("last", folder.name)
        self.settle(progress)

    def settle(self, progress: Progress) -> None:
        """Point ``best`` at the checkpoint to keep that ``last`` knows of, or at itself; delete what neither names."""
        last = name_of(progress.step)
        self._point("best", progress.best_name or last)
        self._tidy({last, progress.best_name})

    def read(self) -> Checkpoint | None:
        """Return the last checkpoint, or None where there is none. Damage is a ValueError that says where."""
        pointer = self.folder / "last"
        if not pointer.is_file():
            return None
        with contextlib.suppress(OSError, UnicodeDecodeError):
            name = pointer.read_text(encoding="utf-8").strip()
            if NAME.fullmatch(name) and (self.folder / name).is_dir():
                return self._read(self.folder / name)
        raise ValueError(f"fit: {pointer} must name a checkpoint beside it, and does not. {AGAIN}")

    def clear(self) -> None:
        """Delete all checkpoints in the folder, and nothing else."""
        for pointer in ("last", "best"):
            (self.folder / pointer).unlink(missing_ok=True)
        self._tidy(set())

    def _read(self, folder: Path) -> Checkpoint:
        path = folder / FACTS
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(told, dict) or not all(isinstance(told.get(key), dict) for key in ("identity", "state")):
                raise ValueError("it lacks identity or state")
            progress = Progress.from_json(told.get("progress"))
            return Checkpoint(folder, progress, told["identity"], told["state"], read_tensors(folder / TENSORS))
        except (ValueError, OSError, RecursionError) as error:       # a broken JSON or safetensors file among them
            why = " ".join(str(error).split())[:200]
            raise ValueError(f"fit: the checkpoint {folder} is damaged: {why}. {AGAIN}") from None

    def _point(self, pointer: str, name: str) -> None:
        with written_whole(self.folder / pointer) as file:
            file.write(name + "\n")

    def _tidy(self, keep: set[str]) -> None:
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            name = path.name.removeprefix(".").removesuffix(PART)
            if path.is_dir() and not path.is_symlink() and NAME.fullmatch(name) and path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)


def name_of(step: int) -> str:
    """Return the name of the folder of a checkpoint.

    >>> name_of(120)
    'step-000120'
    """
    return f"step-{step:06d}"


def differences(there: Any, here: Any, where: str = "") -> list[str]:
    """Return what two descriptions differ in, one line each.

    >>> differences({"config": {"lr": 0.1, "batch": 4}}, {"config": {"lr": 0.2, "batch": 4}})
    ['config.lr is 0.1 there, 0.2 here']
    """
    if isinstance(there, dict) and isinstance(here, dict):
        return [line for key in sorted({*there, *here})
                for line in differences(there.get(key), here.get(key), f"{where}.{key}" if where else str(key))]
    if there == here:
        return []
    words = [text if len(text := repr(value)) <= 60 else "" for value in (there, here)]
    return [f"{where} is {words[0]} there, {words[1]} here" if all(words) else f"{where} is another"]


def _onto_disk(folder: Path) -> None:
    """Force names in a folder onto the disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
