"""What is seen of a training while it runs: a bar on a terminal, lines in a log, curves for TensorBoard."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .objective import loss_of


class Watch:
    """Shows on standard error how far a training is, and keeps curves in ``folder``.

    On a terminal a bar has steps, losses and the validation's error. Elsewhere, where nothing can be drawn again, each
    epoch writes a line with all that its row in the history says of losses.

    Args:
        epochs, steps: of the whole training; ``done`` of the steps were taken before.
        folder: for the curves; None: keep none.
        shown: say something at all.
        stage: name of the stage, where there are several.
    """

    def __init__(self, *, epochs: int, steps: int, done: int, folder: Path | None, shown: bool,
                 stage: str = "") -> None:
        terminal = sys.stderr.isatty()
        self.bar = tqdm(total=steps, initial=done, unit="step", file=sys.stderr, disable=not (shown and terminal),
                        dynamic_ncols=True)
        self.lines, self.stage = shown and not terminal, stage
        self.epochs, self.steps, self.done = epochs, steps, done
        self.began = self.since = time.monotonic()
        self.validated: dict[str, str] = {}
        self.curves = None
        if folder is not None and find_spec("tensorboard"):
            from tensorboard.summary import Writer

            self.curves = Writer(str(folder))

    def step(self, number: int, terms: dict[str, float], *, lr: float) -> None:
        """A step is done."""
        loss = loss_of(terms)
        self.bar.set_postfix({"loss": f"{loss:.3f}"} | self.validated, refresh=False)
        self.bar.update(1)
        self._draw({"train/loss": loss, "lr": lr} | {f"train/{name}": value for name, value in terms.items()}, number)

    def epoch(self, row: dict[str, Any]) -> None:
        """An epoch is done; ``row`` is its line in the history."""
        self.bar.set_description(f"epoch {row['epoch']}")
        judged = {name.removeprefix("validation_"): value for name, value in row.items()
                  if name.startswith("validation_") and value is not None}
        shown = {"loss": "validation", "hr_error_bpm": "error/bpm"}
        self.validated = {short: f"{judged[name]:.3g}" for name, short in shown.items() if name in judged}
        self._draw({f"validation/{name}": value for name, value in judged.items()}, row["step"])
        if self.lines:
            sys.stderr.write(f"{self._line(row)}\n")
            sys.stderr.flush()

    def _line(self, row: dict[str, Any]) -> str:
        now = time.monotonic()
        seconds, self.since = now - self.since, now
        left = (now - self.began) / max(row["step"] - self.done, 1) * (self.steps - row["step"])
        told = ", ".join(f"{name} {'none' if value is None else f'{value:.4g}'}" for name, value in row.items()
                         if name not in ("epoch", "step", "lr"))
        stage = f"stage {self.stage}, " if self.stage else ""
        to_go = f", about {tqdm.format_interval(left)} to the last" if row["epoch"] < self.epochs else ""
        return f"{stage}epoch {row['epoch']} of {self.epochs}: {told}; {seconds:.1f} s{to_go}"

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()
        if self.curves is not None:
            self.curves.close()

    def _draw(self, values: dict[str, float], step: int) -> None:
        if self.curves is not None:
            for name, value in values.items():
                self.curves.add_scalar(name, value, step)
