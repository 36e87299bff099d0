"""Pictures of a simulated face in linear light, with exact truth about where everything is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ..chance import check_number, stream
from ..people import TONE_MELANIN, Person
from ..trace import LEVEL_BY_TONE
from .course import Course, resting
from .eyes import eye_patch, mouth_patch
from .film_stage import check_size
from .head import BOTTOM, COLUMNS, ROWS, TOP, Head, bump, head, hollows, jaw_fall, normals
from .looks import Look
from .points import LANDMARKS, fallen, landmark_spots, region_maps
from .project import REACH, Grid, Pose, Solid, fits, grid_over, look_at, opened, pose, solid
from .room import lay, long_hair, neck, room
from .shade import USUAL_GLOSS, blood, light_on, shadow, shine
from .texture import Surface, noise, surface

__all__ = ["LANDMARKS", "REGIONS", "Renderer"]

REGIONS = ("skin", "forehead", "left cheek", "right cheek")
MIP_PX = 0.4                             # blur of the maps in pixels of the picture: small faces do not flicker
BLUR_PX = 0.55                           # of the lens
SMALL_PX = 20.0                          # pixels per half face width below which twice as many are rendered
SMALL_CROP = 30.0, 160                   # in pictures of at most so many pixels, where that costs little
NECK_PULSE = 0.4                         # of the face's


@dataclass(frozen=True, eq=False)
class _View:
    """The geometry of one pose. Maps are of the grid's rays, unless they are said to be of pixels."""

    key: tuple
    where: Pose
    grid: Grid
    shape: Solid
    point: np.ndarray                    # (h, w, 3) of the surface, in head coordinates
    surface: np.ndarray                  # (h, w, 7) normals, hollows and the three that follow
    perfusion: np.ndarray                # of skin, not yet 0 elsewhere
    delay_s: np.ndarray
    gloss: np.ndarray
    texel: tuple[np.ndarray, np.ndarray]           # x and y in the maps of colour and skin
    texel_px: tuple[np.ndarray, np.ndarray]        # the same of each pixel of the box
    share: np.ndarray                    # of each pixel that is head


class Renderer:
    """Renders one person with one look. Pictures depend on the course's row only, never on what was rendered before.

    Left and right are those of the person, as in ``rppg_lib.video``: the left cheek is on the right of the picture.

    Args:
        who: skin and blood.
        look: everything else.
        size_px: width and height of the picture.
        face_px: width of the face, two units of a course.
        centre: pixel where the head's origin (between the eyes) rests; default: the middle.
        background: False leaves everything but the head black.

    >>> from rppg_lib.simulate import person
    >>> from rppg_lib.simulate.faces import look, resting
    >>> face = Renderer(person(1), look(1), size_px=(72, 72), face_px=56)
    >>> face.linear(resting(np.zeros(1)), 0).shape
    (72, 72, 3)
    """

    def __init__(self, who: Person, look: Look, *, size_px: tuple[int, int] = (640, 480), face_px: float = 176.0,
                 centre: tuple[float, float] | None = None, background: bool = True) -> None:
        if not isinstance(who, Person) or not isinstance(look, Look):
            raise TypeError(f"Renderer: needs a Person and a Look, got {type(who).__name__} and {type(look).__name__}. "
                            f"Make them with person(0) and look(0).")
        self.who, self.look, self.background = who, look, bool(background)
        self.size_px = width, height = check_size("Renderer", size_px)
        check_number("Renderer", "face_px", face_px, low=6, high=4096)
        middle = ((width - 1) / 2, (height - 1) / 2) if centre is None else _check_centre(centre)
        small = SMALL_CROP[0] if max(self.size_px) <= SMALL_CROP[1] else SMALL_PX
        self._finer = 2 if face_px / 2 < small else 1
        self._unit = self._finer * face_px / 2
        self._centre = tuple((c + 0.5) * self._finer - 0.5 for c in middle)
        self._size = (self._finer * width, self._finer * height)
        self._step = _ray_step(self._unit, self._finer)
        self._view: _View | None = None
        self._painted: tuple | None = None
        self._sampled: tuple | None = None
        self._build()
        self._gain = 1.0                                                     # in which the exposure is measured
        self._gain = self._exposure()

    @property
    def unit_px(self) -> float:
        """Pixels per half face width, at a course's scale of 1."""
        return self._unit / self._finer

    def linear(self, course: Course, index: int) -> np.ndarray:
        """Return a frame, ``(H, W, 3)`` float32 linear light, R-G-B, full scale 1."""
        light = np.asarray(course.light[index], np.float32)
        picture = self._room * light
        view = self._view_of(course, index)
        wave = np.asarray(course.pulse[index], float)
        if self.background:
            where = pose(course, index, self._centre, self._unit) if view is None else view.where
            if self._long is not None:
                gain = light * np.float32(self._gain * (0.5 * self.look.key + self.look.ambient))
                self._long.lay(picture, where, where.unit_px / self._unit, gain)
            self._lay_neck(picture, where, course, index, float(wave[0]))
        if view is not None:
            self._lay_face(picture, view, course, index, wave)
        return self._deliver(picture)

    def landmarks(self, course: Course, index: int) -> np.ndarray:
        """Return where the points of :data:`LANDMARKS` are, ``(N, 2)`` pixels, hidden ones too."""
        where = pose(course, index, self._centre, self._unit)
        spots = landmark_spots(self.head, float(course.blink[index]), where.gap, course.gaze[index])
        points = np.array([self.head.point(theta, y) for theta, y in spots])
        points[:, 1] = fallen(points[:, 1], where.gap, self.look.mouth_at)
        return (where.to_picture(points) + 0.5) / self._finer - 0.5

    def skin(self, course: Course, index: int) -> np.ndarray:
        """Return which share of each pixel is facial skin with a pulse, ``(H, W)`` float32."""
        self._paint(course, index)
        return self._truth(course, index, lambda view: _sample(self._skin, view.texel_px))

    def perfusion(self, course: Course, index: int) -> np.ndarray:
        """Return how strong the pulse is at each pixel, relative to the face's mean, ``(H, W)`` float32."""
        return self._truth(course, index, lambda view: view.grid.enlarge(self._pulsing(view, course, index)))

    def delay(self, course: Course, index: int) -> np.ndarray:
        """Return how much later the pulse arrives at each pixel, in seconds, ``(H, W)`` float32."""
        return self._truth(course, index, lambda view: view.grid.enlarge(view.delay_s))

    def regions(self, course: Course, index: int) -> dict[str, np.ndarray]:
        """Return weights ``(H, W)`` of skin, forehead and the person's left and right cheek."""
        skin = self.skin(course, index)
        return {"skin": skin, **{name: skin * self._truth(course, index, lambda view, box=box: _sample(
            box, view.texel_px)) for name, box in self._boxes.items()}}

    def _build(self) -> None:
        rng = stream(self.look.seed, "surface", self.look.family)
        self.head: Head = head(self.look, noise(rng, 3, 3))
        skin = surface(self.who, self.head, rng)
        sigma = MIP_PX / (self._unit * 2 * np.pi / COLUMNS)
        factor = int(2 ** np.clip(np.floor(np.log2(2.2 * sigma)), 0, 3))
        patches = []
        if self.look.photo is None:                                          # which brings eyes and mouth of its own
            patches = [eye_patch(self.who, self.head, side, skin.albedo, skin.skin) for side in (-1, 1)]
            patches.append(mouth_patch(self.who, self.head, skin.albedo, skin.skin))
        self._albedo, self._skin = (_mip(a, factor, sigma) for a in (skin.albedo, skin.skin))
        self._patches = [p.smaller(factor, sigma, skin.albedo, skin.skin) for p in patches]
        self._boxes = {name: _mip(box, factor, sigma) for name, box in region_maps(self.head).items()}
        self._build_shape(skin, max(factor, 2), max(sigma, 0.5 * self._step / (self._unit * 2 * np.pi / COLUMNS)))
        self._room = np.zeros((self._size[1], self._size[0], 3), np.float32)
        if self.background:
            self._room = room(self.look, self._size, self._centre, self._unit)
            self._neck = neck(self.look, self._unit, self._step)
            self._long = (long_hair(self.look, skin.hair_colour, self._unit) if self.look.hair_style == "long"
                          else None)

    def _build_shape(self, skin: Surface, factor: int, sigma: float) -> None:
        """Make the maps that the rays look up, ``factor`` times smaller than the skin's."""
        radius = fits(self.head.radius)
        small = cv2.resize(radius, (COLUMNS // 2, ROWS // 2), interpolation=cv2.INTER_AREA)
        theta, y = self.head.theta.reshape(-1, 2).mean(1), self.head.y.reshape(-1, 2).mean(1)
        normal, hollow = normals(small, theta, y), hollows(small)
        hollow *= 1 - 0.2 * bump(np.sin(theta), y[:, None], (0, self.look.nose_length + 0.09), (0.13, 0.035)) * (
            np.abs(theta) < 1.5)
        shape = cv2.resize(np.dstack([normal, hollow]).astype(np.float32), (COLUMNS, ROWS))
        skin_too = np.dstack([skin.perfusion, skin.delay_s, skin.gloss])
        self._shape = np.dstack([_mip(shape, factor, sigma), _mip(skin_too, factor, sigma)])
        self._shut = solid(cv2.resize(self.head.radius, (COLUMNS // factor, ROWS // factor),
                                      interpolation=cv2.INTER_AREA))

    def _exposure(self) -> float:
        """Return the gain that brings the skin of the resting face to the level usual at its tone."""
        rest = resting(np.zeros(1))
        skin = self.skin(rest, 0)
        if skin.sum() < 1:
            return 1.0
        level = (np.interp(self.who.melanin, TONE_MELANIN, LEVEL_BY_TONE) / 255) ** 2
        return float(level / (self.linear(rest, 0)[..., 1] * skin).sum() * skin.sum())

    def _view_of(self, course: Course, index: int) -> _View | None:
        """Return the geometry of a frame, kept as long as the pose does not change."""
        key = tuple(float(getattr(course, name)[index]) for name in ("x", "y", "scale", "yaw_deg", "pitch_deg",
                                                                     "roll_deg", "jaw"))
        if self._view is not None and self._view.key == key:
            return self._view
        where = pose(course, index, self._centre, self._unit)
        reach, (x, y) = REACH * where.unit_px, where.to_picture(np.zeros(3))
        grid = grid_over((x - 0.8 * reach, y - 1.08 * reach, x + 0.8 * reach, y + 1.08 * reach), self._size, self._step,
                         anchor=(x, y))
        if grid is None:
            return None
        self._view = self._look_at(key, where, grid)
        return self._view

    def _look_at(self, key: tuple, where: Pose, grid: Grid) -> _View:
        shape = opened(self._shut, where.gap, self.look.mouth_at)
        seen = look_at(where, shape, grid, rounds=1 if self._finer > 1 else 2)
        y = seen.y
        if where.gap:
            y = y - jaw_fall(y, where.gap, self.look.mouth_at)
        across, along = seen.theta * (1 / (2 * np.pi)) + 0.5, (y - TOP) * (1 / (BOTTOM - TOP))
        h, w = self._shape.shape[:2]
        surface = _sample(self._shape, (across * w - 0.5, along * h - 0.5))
        h, w = self._albedo.shape[:2]
        texel = across * w - 0.5, along * h - 0.5
        *texel_px, inside = cv2.split(grid.enlarge(cv2.merge([*texel, seen.inside])))
        share = np.clip(0.5 + 0.7 * where.unit_px * inside, 0, 1)
        return _View(key, where, grid, shape, cv2.merge([seen.x, seen.y, seen.z]), surface, surface[..., 4],
                     np.ascontiguousarray(surface[..., 5]), surface[..., 6], texel, tuple(texel_px), share)

    def _paint(self, course: Course, index: int) -> tuple:
        """Bring lids, eyeballs and mouth of the maps up to date."""
        blink, jaw = float(course.blink[index]), float(course.jaw[index])
        gaze = (float(course.gaze[index][0]), float(course.gaze[index][1]))
        key = (blink, jaw, gaze)
        if key != self._painted:
            for patch, opening in zip(self._patches, (blink, blink, jaw)):
                patch.paint(opening, gaze, self._albedo, self._skin)
            self._painted = key
        return key

    def _colour(self, view: _View, course: Course, index: int) -> np.ndarray:
        """Return the colour at each pixel of the box, kept as long as neither pose nor eyes and mouth change."""
        key = (view.key, self._paint(course, index))
        if self._sampled is None or self._sampled[0] != key:
            self._sampled = (key, _sample(self._albedo, view.texel_px))
        return self._sampled[1]

    def _pulsing(self, view: _View, course: Course, index: int) -> np.ndarray:
        """Return the strength of the pulse at each ray: perfusion where there is skin."""
        self._paint(course, index)
        return view.perfusion * _sample(self._skin, view.texel)

    def _lay_face(self, picture: np.ndarray, view: _View, course: Course, index: int, wave: np.ndarray) -> None:
        lit = light_on(self.look, view.where.turn, course.lamp[index], np.multiply(course.light[index], self._gain))
        outside = view.point + np.float32(0.03) * view.surface[..., :3]
        diffuse, highlight = shine(view.surface, shadow(view.shape, outside, lit.lamp), lit)
        factor = blood(self.who, self._pulsing(view, course, index), _delayed(wave, course.delays_s, view.delay_s))
        colour = lit.colour.astype(np.float32)
        haze = np.minimum(view.gloss * np.float32(self.who.gloss / 0.6), self.who.gloss)       # hair has little of it
        gloss = haze * diffuse + (self.who.gloss / USUAL_GLOSS * self.look.gloss) * view.gloss * highlight
        factor *= diffuse[..., None] * colour
        whole = cv2.multiply(self._colour(view, course, index), view.grid.enlarge(factor))
        whole += view.grid.enlarge(gloss[..., None] * colour)
        lay(picture, view.grid.box, whole, view.share)

    def _lay_neck(self, picture: np.ndarray, where: Pose, course: Course, index: int, wave: float) -> None:
        place, scale = self._neck.place(where, self._centre, self._unit)
        lit = light_on(self.look, np.eye(3), course.lamp[index], np.multiply(course.light[index], self._gain))
        shape = opened(self._shut, where.gap, self.look.mouth_at) if self._view is None else self._view.shape
        hidden = shadow(shape, self._neck.seen_by(where, place), lit.lamp @ where.turn)
        diffuse, _ = shine(self._neck.surface, hidden, lit)
        pulse = blood(self.who, np.float32(NECK_PULSE), np.float32(wave))
        skin = ((0.9 * self.who.skin * pulse + self.who.gloss) * lit.colour).astype(np.float32)
        self._neck.lay(picture, place, scale, diffuse[..., None] * skin)

    def _deliver(self, picture: np.ndarray) -> np.ndarray:
        if self._finer == 1:
            return cv2.GaussianBlur(picture, (3, 3), BLUR_PX)
        return cv2.resize(cv2.GaussianBlur(picture, (7, 7), self._finer * BLUR_PX), self.size_px,
                          interpolation=cv2.INTER_AREA)

    def _truth(self, course: Course, index: int, read: Callable[[_View], np.ndarray]) -> np.ndarray:
        """Return a map of the head at every pixel, thinned by how much of the pixel is head."""
        picture = np.zeros(self._size[::-1], np.float32)
        view = self._view_of(course, index)
        if view is not None:
            picture[view.grid.box] = read(view) * view.share
        return cv2.resize(picture, self.size_px, interpolation=cv2.INTER_AREA) if self._finer > 1 else picture


def _ray_step(unit_px: float, finer: int) -> int:
    """Return how many pixels rays are apart: few where the face is small."""
    if finer > 1:
        return 3 if unit_px < 35 else 4
    return 2 if unit_px < 75 else 3


def _check_centre(centre: tuple[float, float]) -> tuple[float, float]:
    if not isinstance(centre, (tuple, list, np.ndarray)) or len(centre) != 2:
        raise ValueError(f"Renderer: centre must be two numbers, x and y in pixels, got {centre!r}.")
    x, y = (check_number("Renderer", "centre", value) for value in centre)
    return x, y


def _mip(full: np.ndarray, factor: int, sigma: float) -> np.ndarray:
    blurred = cv2.GaussianBlur(full, (0, 0), sigma)
    return cv2.resize(blurred, (COLUMNS // factor, ROWS // factor), interpolation=cv2.INTER_AREA)


def _sample(maps: np.ndarray, at: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return cv2.remap(maps, at[0], at[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _delayed(wave: np.ndarray, delays_s: np.ndarray, delay_s: np.ndarray) -> np.ndarray:
    """Return the wave as it arrives after each delay, between the columns that are known."""
    if len(delays_s) == 1:
        return np.full(delay_s.shape, wave[0], np.float32)
    return np.interp(delay_s, delays_s, wave).astype(np.float32)
