"""What is seen of a training while it runs: a bar on the terminal, curves for TensorBoard."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .objective import loss_of


class Watch:
    """Shows steps, losses and the validation's error on a bar (standard error), and keeps curves in ``folder``."""

    def __init__(self, steps: int, *, done: int, folder: Path | None, bar: bool) -> None:
        self.bar = tqdm(total=steps, initial=done, unit="step", file=sys.stderr, disable=not bar, dynamic_ncols=True)
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
