"""Find faces in one picture: who can look, and which of them does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

FINDERS = ("auto", "landmarks", "haar")
LANDMARKS = 478


@dataclass(frozen=True, eq=False)
class FaceSeen:
    """One face in one picture, in pixels: x to the right, y down, (0, 0) the upper left corner.

    >>> FaceSeen((10, 20, 40, 50)).points
    array([[10., 20.],
           [50., 70.]])
    """

    box: tuple[float, float, float, float]           # x, y, width, height
    landmarks: np.ndarray | None = None              # (478, 2), or None where the finder gives boxes only
    score: float = 1.0

    @property
    def points(self) -> np.ndarray:
        """What is followed from frame to frame, ``(N, 2)``: the landmarks, or two corners of the box."""
        if self.landmarks is not None:
            return self.landmarks
        x, y, width, height = self.box
        return np.array([(x, y), (x + width, y + height)], dtype=float)


class Finder(Protocol):
    """What looks for faces. One finder sees the pictures of one film in order, from one thread at a time."""

    name: str

    def find(self, image: np.ndarray, time_s: float) -> list[FaceSeen]:
        """Return the faces of an ``(H, W, 3)`` R-G-B picture of uint8, in any order."""

    def close(self) -> None:
        """Give back what the finder holds."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which finder looks, how to make one more of it, and what was not as asked."""

    name: str
    make: Callable[[], Finder]
    workers: int = 1                                 # as many as can look at once, each at its own pictures
    ours: bool = True                                # whoever made a finder closes it
    least_every: int = 1                             # a slow finder looks at every n-th frame only
    notes: tuple[str, ...] = field(default=())


def finder(name: str = "auto") -> Finder:
    """Return a finder: ``landmarks`` (MediaPipe), ``haar`` (OpenCV, boxes only), or the best there is (``auto``).

    Its ``name`` says which one came. Close it when done.
    """
    return choice(name).make()


def check_finder(name: str | Finder) -> str | Finder:
    """Return the name of a finder, or an object that is one, or say what there is. Nothing is started."""
    if isinstance(name, str) and name in FINDERS or not isinstance(name, str) and callable(getattr(name, "find", None)):
        return name
    raise ValueError(f"finder: needs one of {', '.join(FINDERS)}, or an object with find(image, time_s); got {name!r}.")


def choice(name: str | Finder = "auto") -> Choice:
    """Return the finder to use, tried out; ``auto`` falls back on Haar and says why.

    The first finder is made here, so go on at once to what uses and closes it.
    """
    if not isinstance(check_finder(name), str):
        return Choice(name=getattr(name, "name", type(name).__name__), make=lambda: name, ours=False)
    if name == "haar":
        return _haar()
    try:
        from .landmarker import Landmarker
        first = [Landmarker()]                       # tried out, then used as the first worker
    except (ImportError, OSError, RuntimeError, ValueError, AttributeError) as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        if name == "landmarks":
            raise OSError(f"finder: landmarks cannot be found here: {why}") from error
        return _haar(f"faces were found by the older Haar detector, which gives boxes only: {why}")
    return Choice(name=first[0].name, make=lambda: first.pop() if first else Landmarker(), workers=2)


def _haar(*notes: str) -> Choice:
    from .haar import HaarFinder
    return Choice(name=HaarFinder.name, make=HaarFinder, workers=2, least_every=5, notes=notes)
