"""Everything that was put into a film."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contact import ContactLabel
from ..effects import Disturbance, Effect
from ..people import Person
from ..pulse import PulseTruth
from .course import Course
from .film_camera import FilmCamera

if TYPE_CHECKING:
    from .looks import Look
    from .render import Renderer


@dataclass(frozen=True, eq=False, kw_only=True)
class FilmTruth:
    """The truth of a film. Course and pulse are those of every picture taken; ``shown`` says which ones arrived.

    Frame ``i`` of the film, at ``times_s[i]``, shows picture ``shown[i]``: ``course.yaw_deg[shown[i]]`` is its yaw.
    """

    person: Person
    look: Look
    pulse: PulseTruth                    # wave, beats, intervals, rate, breathing
    course: Course                       # pose, face, light and blood of each picture
    times_s: np.ndarray                  # (N,) of the frames that arrived
    arrived: np.ndarray                  # (N,) their numbers among all that should have
    shown: np.ndarray                    # (N,) the picture that each of them shows
    effects: tuple[Effect, ...]          # of each disturbance, in order
    disturbances: tuple[Disturbance, ...]
    camera: FilmCamera                   # with the noise of the scene
    contact: ContactLabel | None         # the label, where it is a damaged one
    difficulty: float
    seed: int
    kbps: float | None = None            # of the compressed film, once it has been played to its end
    _picture_of: tuple = field(repr=False)  # size, face width and centre, in pixels

    @property
    def renderer(self) -> Renderer:
        """What renders this face. Films of one face take turns with one, since building it takes long."""
        return _renderer(self.person, self.look, *self._picture_of, threading.get_ident())

    def landmarks(self, frame: int) -> Any:
        """Return where the points of the face are in a frame, exactly, as the renderer names them."""
        return self.renderer.landmarks(self.course, self._picture(frame))

    def skin(self, frame: int) -> np.ndarray:
        """Return ``(H, W)`` float32: the share of each pixel that is facial skin with a pulse, 0 to 1."""
        return self.renderer.skin(self.course, self._picture(frame))

    def perfusion(self, frame: int) -> np.ndarray:
        """Return ``(H, W)`` float32: how strong the pulse is in each pixel, 1 on the average of the skin."""
        return self.renderer.perfusion(self.course, self._picture(frame))

    def _picture(self, frame: int) -> int:
        if not -len(self.shown) <= frame < len(self.shown):
            raise IndexError(f"FilmTruth: frame must be 0 to {len(self.shown) - 1}, got {frame}.")
        return int(self.shown[frame])


@lru_cache(maxsize=2)
def _renderer(who: Person, look: Look, size_px: tuple[int, int], face_px: float, centre: tuple[float, float] | None,
              thread: int) -> Renderer:
    """Build a renderer. Two threads never share one: it remembers the last pose."""
    from .render import Renderer

    return Renderer(who, look, size_px=size_px, face_px=face_px, centre=centre)
