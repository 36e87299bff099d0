"""How a film is shot: picture size, whose face, which camera, where the light is."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING

from ..chance import check_number, check_seed
from .film_camera import FilmCamera

if TYPE_CHECKING:
    from .looks import Look

SMALLEST_PX, LARGEST_PX = 16, 4096
FACE_SHARE = 0.275
SMALLEST_FACE_PX = 12.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What stays the same through a film. Every field has a usual value."""

    size_px: tuple[int, int] = (640, 480)               # width, height
    face_px: float | None = None                        # width of the face; None: 0.275 of the picture's, if the
                                                        # look's camera is not nearer or farther than usual
    centre: tuple[float, float] | None = None           # of the face in the picture; None: a little above the middle
    look: Look | int | None = None                      # or the seed of one; None: the look of the person's own seed
    family: str = "A"                                   # of faces, where the look is drawn: "A" or "B"
    lamp: tuple[float, float, float] | None = None      # direction to the main light (right, down, front); None: drawn
    camera: FilmCamera = field(default_factory=FilmCamera)
    pixels_in_one: float = 1.0                          # of the camera in one of the film, where a crop is made smaller

    def __post_init__(self) -> None:
        who = "Stage"
        object.__setattr__(self, "size_px", check_size(who, self.size_px))
        if self.face_px is not None:
            check_number(who, "face_px", self.face_px, low=6, high=LARGEST_PX)
        check_number(who, "pixels_in_one", self.pixels_in_one, low=0.01)
        if self.family not in ("A", "B"):
            raise ValueError(f"{who}: family must be 'A' or 'B', got {self.family!r}.")
        if not isinstance(self.camera, FilmCamera):
            raise TypeError(f"{who}: camera must be a FilmCamera, got {self.camera!r}.")
        for name, count in (("centre", 2), ("lamp", 3)):
            value = getattr(self, name)
            if value is not None:
                try:
                    numbers = tuple(check_number(who, name, number) for number in value)
                except TypeError:
                    numbers = ()
                if len(numbers) != count:
                    raise ValueError(f"{who}: {name} must be {count} numbers, got {value!r}.")
        if self.lamp is not None and self.lamp[2] <= 0:
            raise ValueError(f"{who}: the lamp must be in front of the face (third number above 0), got {self.lamp!r}.")

    def face(self, person_seed: int) -> Look:
        """Return the look of this stage's face."""
        from .looks import Look, look

        if isinstance(self.look, Look):
            return self.look
        if self.look is not None and (isinstance(self.look, bool) or not isinstance(self.look, Integral)):
            raise TypeError(f"Stage: look must be a Look or the seed of one, got {self.look!r}.")
        return look(person_seed if self.look is None else check_seed("Stage", self.look), family=self.family)


def face_width_px(stage: Stage, face: Look, *, shrinks: float = 1.0) -> float:
    """Return how wide a face is in a picture: 176 pixels in one of 640 at a usual distance, fewer in a far scene."""
    near = FACE_SHARE * stage.size_px[0] / face.distance if stage.face_px is None else float(stage.face_px)
    return max(near / shrinks, min(near, SMALLEST_FACE_PX))


def check_size(who: str, size_px: int | tuple[int, int]) -> tuple[int, int]:
    """Return a width and a height in pixels; one number is both.

    >>> check_size("crops", 72)
    (72, 72)
    """
    size = (size_px, size_px) if isinstance(size_px, Integral) else size_px
    if (not isinstance(size, (tuple, list)) or len(size) != 2
            or any(isinstance(n, bool) or not isinstance(n, Integral) or not SMALLEST_PX <= n <= LARGEST_PX
                   for n in size)):
        raise ValueError(f"{who}: size_px must be width and height, whole numbers of {SMALLEST_PX} to {LARGEST_PX}, "
                         f"got {size_px!r}.")
    return int(size[0]), int(size[1])
