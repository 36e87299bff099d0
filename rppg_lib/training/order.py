"""In which order samples are seen: it depends on seed and epoch alone, so any place in a training is found again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Step:
    """What one step of the optimiser is made of.

    Attributes:
        shares: for each batch of the step, the samples that fall to this process.
        samples: how many samples the step has, in all batches and processes.
    """

    shares: tuple[tuple[int, ...], ...]
    samples: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """Cuts a shuffled list of samples into batches, and each batch into one share per process.

    N processes see exactly the batches that one would see. The last batch of an epoch may be smaller; it is left out
    only where it has fewer samples than there are processes.

    >>> Order(samples=5, batch=2, seed=0).epoch(0)
    [Step(shares=((3, 1),), samples=2), Step(shares=((0, 4),), samples=2), Step(shares=((2,),), samples=1)]
    """

    samples: int
    batch: int
    seed: int
    accumulate: int = 1
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.batch < self.world:
            raise ValueError(f"fit: needs a batch of at least one sample for each of {self.world} processes, got "
                             f"batch={self.batch}. Make it larger, or start fewer processes.")
        if self.samples < self.world:
            raise ValueError(f"fit: needs at least one sample for each of {self.world} processes, got {self.samples}.")

    def epoch(self, number: int) -> list[Step]:
        """Return the steps of an epoch."""
        shuffled = rng(self.seed, "order", number).permutation(self.samples).tolist()
        batches = [shuffled[i:i + self.batch] for i in range(0, self.samples, self.batch)]
        batches = [batch for batch in batches if len(batch) >= self.world]
        groups = [batches[i:i + self.accumulate] for i in range(0, len(batches), self.accumulate)]
        return [Step(tuple(tuple(batch[self.rank::self.world]) for batch in group), sum(map(len, group)))
                for group in groups]


def rng(seed: int, what: str, *where: int) -> np.random.Generator:
    """Return the generator for one purpose at one place of a training."""
    return np.random.default_rng([seed, *what.encode(), *where])


def draw_seed(seed: int, what: str, *where: int) -> int:
    """Return a seed for one purpose at one place of a training."""
    return int(rng(seed, what, *where).integers(2**62))


def ahead(make: Callable[[Any], Any], items: Iterable[Any], *, depth: int = 2) -> Iterator[Any]:
    """Yield ``make(item)`` for each item; the next ``depth`` are made in the background meanwhile.

    >>> list(ahead(str.upper, "abc"))
    ['A', 'B', 'C']
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rppg-ahead")
    try:
        waiting: deque = deque()
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
