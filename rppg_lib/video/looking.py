"""Look for faces in every n-th frame, several frames at once, and hand the frames on in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from .faces import Choice, FaceSeen

WAITING = 3
"""Pictures that wait for each worker at most."""


class Look(NamedTuple):
    """A frame, and the faces in it; None where nobody looked."""

    index: int
    time_s: float
    image: np.ndarray
    seen: list[FaceSeen] | None


def looks(frames: Iterable[tuple[np.ndarray, float]], chosen: Choice, *, every: int = 1) -> Iterator[Look]:
    """Yield each frame with its faces, in order. Finders run in threads, each with its own share of the frames."""
    finders, pools = [], []
    pending: deque[tuple[int, float, np.ndarray, Any]] = deque()
    try:
        for _ in range(chosen.workers):
            finders.append(chosen.make())
            pools.append(ThreadPoolExecutor(1))
        for index, (image, time_s) in enumerate(frames):
            answer = None
            if index % every == 0:
                worker = index // every % len(finders)
                answer = pools[worker].submit(finders[worker].find, image, time_s)
            pending.append((index, time_s, image, answer))
            if len(pending) > WAITING * len(finders):
                yield _done(pending.popleft())
        while pending:
            yield _done(pending.popleft())
    finally:
        for pool in pools:
            pool.shutdown(wait=True, cancel_futures=True)
        if chosen.ours:
            for finder in finders:
                finder.close()


def _done(item: tuple[int, float, np.ndarray, Any]) -> Look:
    index, time_s, image, answer = item
    return Look(index, time_s, image, None if answer is None else answer.result())
