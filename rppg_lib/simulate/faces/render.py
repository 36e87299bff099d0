"""Pictures of a simulated face in linear light, with exact truth about where everything is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..chance import check_number, stream
from ..people import TONE_MELANIN, Person
from ..trace import LEVEL_BY_TONE
from .course import Course, resting
from .eyes import eye_patch, mouth_patch
from .head import BOTTOM, COLUMNS, ROWS, TOP, Head, bump, head, hollows, jaw_fall, normals
from .look import Look
from .points import LANDMARKS, fallen, landmark_spots
from .project import PIVOT, REACH, Grid, Pose, Seen, Solid, fits, grid_over, look_at, pose, solid
from .room import NECK_DEPTH, long_hair, neck_outline, room
from .shade import USUAL_GLOSS, blood, light_on, shadow, shine
from .texture import noise, surface

__all__ = ["LANDMARKS", "REGIONS", "Renderer"]

REGIONS = ("skin", "forehead", "left cheek", "right cheek")
MIP_PX = 0.4                             # blur of the maps in pixels of the picture: small faces do not flicker
BLUR_PX = 0.55                           # of the lens
SMALL_PX = 20.0                          # pixels per half face width below which twice as many are rendered
NECK_PULSE = 0.4                         # of the face's


@dataclass(frozen=True, eq=False)
class _View:
    """The geometry of one pose."""

    key: tuple
    where: Pose
    grid: Grid
    seen: Seen
    shape: Solid
    normal: tuple[np.ndarray, np.ndarray, np.ndarray]
    hollow: np.ndarray
    perfusion: np.ndarray                # of skin, 0 elsewhere not yet
    delay_s: np.ndarray
    gloss: np.ndarray
    map_x: np.ndarray                    # (h, w) texel of each pixel of the box
    map_y: np.ndarray
    share: np.ndarray                    # (h, w) of the pixel that is head


class Renderer:
    """Renders one person with one look. Pictures depend on the course's row only, never on what was rendered before.

    Args:
        who: skin and blood.
        look: everything else.
        size_px: width and height of the picture.
        face_px: width of the face, two units of a course.
        centre: pixel where the head's origin (between the eyes) rests; default: the middle.
        background: False leaves everything but the head black.

    >>> from rppg_lib.simulate import person
    >>> from rppg_lib.simulate.faces import resting
    >>> from rppg_lib.simulate.faces.look import look
    >>> face = Renderer(person(1), look(1), size_px=(72, 72), face_px=56)
    >>> face.linear(resting(np.zeros(1)), 0).shape
    (72, 72, 3)
    """

    def __init__(self, who: Person, look: Look, *, size_px: tuple[int, int] = (640, 480), face_px: float = 176.0,
                 centre: tuple[float, float] | None = None, background: bool = True) -> None:
        check_number("Renderer", "face_px", face_px, low=4, high=8192)
        width, height = size_px
        self.who, self.look, self.size_px, self.background = who, look, (int(width), int(height)), bool(background)
        self._finer = 2 if face_px / 2 < SMALL_PX else 1
        self._unit = self._finer * face_px / 2
        middle = ((width - 1) / 2, (height - 1) / 2) if centre is None else centre
        self._centre = tuple((float(c) + 0.5) * self._finer - 0.5 for c in middle)
        self._size = (self._finer * self.size_px[0], self._finer * self.size_px[1])
        self._step = 3 if self._unit > 40 or self._finer > 1 else 2
        self._view: _View | None = None
        self._painted: tuple | None = None
        self._sampled: tuple | None = None
        self._build()
        self._gain = 1.0                                                     # in which the exposure is measured
        self._gain = self._exposure()

    def linear(self, course: Course, index: int) -> np.ndarray:
        """Return a frame, ``(H, W, 3)`` float32 linear light, R-G-B, full scale 1."""
        light = np.asarray(course.light[index], np.float32)
        picture = self._room * light
        view = self._view_of(course, index)
        wave = np.asarray(course.pulse[index], float)
        around = pose(course, index, self._centre, self._unit) if view is None else view.where
        if self.background:
            self._hair_behind(picture, around, light)
            self._neck(picture, around, course.lamp[index], light, wave, course.delays_s)
        if view is not None:
            self._face(picture, view, course, index, light, wave)
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
        return self._truth(course, index, lambda view: self._skin_share(view, course, index))

    def perfusion(self, course: Course, index: int) -> np.ndarray:
        """Return how strong the pulse is at each pixel, relative to the face's mean, ``(H, W)`` float32."""
        return self._truth(course, index, lambda view: view.grid.enlarge(self._pulsing(view, course, index)))

    def delay(self, course: Course, index: int) -> np.ndarray:
        """Return how much later the pulse arrives at each pixel, in seconds, ``(H, W)`` float32."""
        return self._truth(course, index, lambda view: view.grid.enlarge(view.delay_s))

    def regions(self, course: Course, index: int) -> dict[str, np.ndarray]:
        """Return weights ``(H, W)`` of skin, forehead and cheeks (left and right in the picture)."""
        skin = self.skin(course, index)
        found = {"skin": skin}
        for name in REGIONS[1:]:
            box = self._boxes[name]
            inside = self._truth(course, index, lambda view, box=box: cv2.remap(
                box, view.map_x, view.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
            found[name] = skin * inside
        return found

    def _build(self) -> None:
        rng = stream(self.look.seed, "surface", self.look.family)
        self.head: Head = head(self.look, noise(rng, 3, 3))
        skin = surface(self.who, self.head, rng)
        sigma = MIP_PX / (self._unit * 2 * np.pi / COLUMNS)
        self._factor = factor = int(2 ** np.clip(np.floor(np.log2(2.2 * sigma)), 0, 3))
        patches = [eye_patch(self.who, self.head, side, skin.albedo, skin.skin) for side in (-1, 1)]
        patches.append(mouth_patch(self.who, self.head, skin.albedo, skin.skin))
        self._albedo, self._skin = (self._mip(a, factor, sigma) for a in (skin.albedo, skin.skin))
        self._patches = [p.smaller(factor, sigma, skin.albedo, skin.skin) for p in patches]
        half = max(factor, 2)
        fine = max(sigma, 0.5 * self._step / (self._unit * 2 * np.pi / COLUMNS))
        radius = fits(self.head.radius)
        small = cv2.resize(radius, (COLUMNS // 2, ROWS // 2), interpolation=cv2.INTER_AREA)
        theta, y = self.head.theta.reshape(-1, 2).mean(1), self.head.y.reshape(-1, 2).mean(1)
        normal, hollow = normals(small, theta, y), hollows(small)
        hollow *= 1 - 0.2 * bump(np.sin(theta), y[:, None], (0, self.look.nose_length + 0.09), (0.13, 0.035)) * (
            np.abs(theta) < 1.5)
        perfusion = self._normalised(skin.perfusion, skin.skin)
        shape = cv2.resize(np.dstack([normal, hollow]).astype(np.float32), (COLUMNS, ROWS))
        self._first = self._mip(shape, half, fine)
        self._second = self._mip(np.dstack([perfusion, skin.delay_s, skin.gloss]), half, fine)
        table = cv2.resize(self.head.radius, (COLUMNS // half, ROWS // half), interpolation=cv2.INTER_AREA)
        self._table = table
        self._hair_colour = skin.hair_colour
        self._boxes = {name: self._mip(box, factor, sigma) for name, box in self._region_boxes().items()}
        self._room = (room(self.look, self._size, self._centre, self._unit) if self.background
                      else np.zeros((self._size[1], self._size[0], 3), np.float32))
        self._long = (long_hair(self.look, self._hair_colour, self._unit)
                      if self.background and self.look.hair_style == "long" else None)

    def _mip(self, full: np.ndarray, factor: int, sigma: float) -> np.ndarray:
        blurred = cv2.GaussianBlur(full, (0, 0), sigma)
        return cv2.resize(blurred, (COLUMNS // factor, ROWS // factor), interpolation=cv2.INTER_AREA)

    def _normalised(self, perfusion: np.ndarray, skin: np.ndarray) -> np.ndarray:
        """Scale the map to a mean of 1 over the skin as it is seen from the front."""
        seen = np.maximum(np.cos(self.head.theta), 0) * skin * ((self.head.y > -1.2) & (self.head.y < 1.4))[:, None]
        return perfusion * (seen.sum() / (seen * perfusion).sum())

    def _region_boxes(self) -> dict[str, np.ndarray]:
        x, y = self.head.x, self.head.y[:, None]

        def box(at: tuple[float, float], half: tuple[float, float]) -> np.ndarray:
            return (np.clip((half[0] - np.abs(x - at[0])) / 0.03 + 0.5, 0, 1)
                    * np.clip((half[1] - np.abs(y - at[1])) / 0.03 + 0.5, 0, 1)).astype(np.float32)

        low = self.look.brow_at - 0.12
        return {"forehead": box((0, low - 0.17), (0.48, 0.17)), "left cheek": box((-0.5, 0.42), (0.2, 0.22)),
                "right cheek": box((0.5, 0.42), (0.2, 0.22))}

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
        reach, middle = REACH * where.unit_px, where.to_picture(np.array([0.0, 0, 0]))
        box = (middle[0] - 0.8 * reach, middle[1] - 1.08 * reach, middle[0] + 0.8 * reach, middle[1] + 1.08 * reach)
        grid = grid_over(box, self._size, self._step)
        if grid is None:
            return None
        shape = solid(self.head, self._table, where.gap)
        seen = look_at(where, shape, grid)
        self._view = self._attributes(key, where, grid, shape, seen)
        return self._view

    def _attributes(self, key: tuple, where: Pose, grid: Grid, shape: Solid, seen: Seen) -> _View:
        y = seen.y
        if where.gap:
            y = y - jaw_fall(y, where.gap, self.look.mouth_at).astype(np.float32)
        across, along = seen.theta / np.float32(2 * np.pi) + np.float32(0.5), (y - TOP) / np.float32(BOTTOM - TOP)

        def look_up(maps: np.ndarray) -> np.ndarray:
            h, w = maps.shape[:2]
            return cv2.remap(maps, across * w - 0.5, along * h - 0.5, cv2.INTER_LINEAR,
                             borderMode=cv2.BORDER_REPLICATE)

        first, second = cv2.split(look_up(self._first)), cv2.split(look_up(self._second))
        h, w = self._albedo.shape[:2]
        map_x, map_y = grid.enlarge(across * w - 0.5), grid.enlarge(along * h - 0.5)
        share = np.clip(0.5 + 0.7 * where.unit_px * grid.enlarge(seen.inside), 0, 1)
        return _View(key, where, grid, seen, shape, first[:3], first[3], second[0], second[1], second[2],
                     map_x, map_y, share)

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

    def _skin_share(self, view: _View, course: Course, index: int) -> np.ndarray:
        """Return the share of skin at each pixel of the box."""
        self._paint(course, index)
        return cv2.remap(self._skin, view.map_x, view.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def _colour(self, view: _View, course: Course, index: int) -> np.ndarray:
        """Return the colour at each pixel of the box, kept as long as neither pose nor eyes and mouth change."""
        key = (view.key, self._paint(course, index))
        if self._sampled is None or self._sampled[0] != key:
            colour = cv2.remap(self._albedo, view.map_x, view.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            self._sampled = (key, colour)
        return self._sampled[1]

    def _pulsing(self, view: _View, course: Course, index: int) -> np.ndarray:
        """Return the strength of the pulse on the coarse grid: perfusion where there is skin."""
        self._paint(course, index)
        grid = view.grid
        middle = (slice(grid.step // 2, None, grid.step),) * 2
        map_x, map_y = np.ascontiguousarray(view.map_x[middle]), np.ascontiguousarray(view.map_y[middle])
        skin = cv2.remap(self._skin, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return view.perfusion * skin

    def _face(self, picture: np.ndarray, view: _View, course: Course, index: int, light: np.ndarray,
              wave: np.ndarray) -> None:
        lit = light_on(self.look, view.where.turn, course.lamp[index], light * self._gain)
        seen = view.seen
        out = tuple(p + np.float32(0.03) * n for p, n in zip((seen.x, seen.y, seen.z), view.normal))
        diffuse, highlight = shine(view.normal, view.hollow, shadow(view.shape, out, lit.lamp), lit)
        factor = blood(self.who, self._pulsing(view, course, index), _delayed(wave, course.delays_s, view.delay_s))
        colour = lit.colour.astype(np.float32)
        inner = view.grid.enlarge(factor * (diffuse[..., None] * colour))
        haze = np.minimum(view.gloss * np.float32(1 / 0.6), 1)                 # hair has little of it
        shiny = self.who.gloss / USUAL_GLOSS * self.look.gloss
        gloss = self.who.gloss * haze * diffuse + shiny * view.gloss * highlight
        whole = self._colour(view, course, index) * inner
        whole += view.grid.enlarge(gloss[..., None] * colour)
        self._lay(picture, view.grid, whole, view.share)

    def _lay(self, picture: np.ndarray, grid: Grid, layer: np.ndarray, share: np.ndarray) -> None:
        h, w = min(layer.shape[0], picture.shape[0] - grid.top), min(layer.shape[1], picture.shape[1] - grid.left)
        part = picture[grid.top:grid.top + h, grid.left:grid.left + w]
        share = np.ascontiguousarray(share[:h, :w])
        part[:] = cv2.blendLinear(np.ascontiguousarray(layer[:h, :w]), np.ascontiguousarray(part), share, 1 - share)

    def _hair_behind(self, picture: np.ndarray, where: Pose, light: np.ndarray) -> None:
        if self._long is None:
            return
        colour, share, origin = self._long
        scale = where.unit_px / self._unit
        side = where.turn[:2, 0] / max(np.linalg.norm(where.turn[:2, 0]), 1e-6) * scale
        middle = where.to_picture(np.array([0.0, 0, -0.3]))
        turn = np.array([[side[0], -side[1]], [side[1], side[0]]])
        move = np.hstack([turn, (middle - turn @ np.array(origin))[:, None]])
        h, w = share.shape
        corners = np.array([[0, 0], [w, 0], [0, h], [w, h]]) @ turn.T + move[:, 2]
        grid = grid_over((*corners.min(0), *corners.max(0)), self._size, 1)
        if grid is None:
            return
        move[:, 2] -= (grid.left, grid.top)
        size = (grid.across, grid.down)
        gain = light * np.float32(self._gain * (0.5 * self.look.key + self.look.ambient))
        self._lay(picture, grid, cv2.warpAffine(colour, move, size, borderMode=cv2.BORDER_REPLICATE) * gain,
                  cv2.warpAffine(share, move, size))

    def _neck(self, picture: np.ndarray, where: Pose, lamp: np.ndarray, light: np.ndarray, wave: np.ndarray,
              delays_s: np.ndarray) -> None:
        """Lay the neck, which goes half the way of the head and turns a little with it."""
        scale = 0.5 * (where.unit_px + self._unit)
        at = 0.5 * (where.shift + np.array(self._centre))
        box = (at[0] - 1.1 * scale, at[1] + 0.6 * scale, at[0] + 1.1 * scale, at[1] + 2.2 * scale)
        grid = grid_over(box, self._size, self._step)
        if grid is None:
            return
        lean = where.to_picture(PIVOT) - at
        y = np.broadcast_to(((grid.y_px - at[1]) / scale)[:, None], (grid.down, grid.across))
        bend = np.clip((1.9 - y) / 1.0, 0, 1)
        x = ((grid.x_px - at[0]) / scale)[None] - bend * np.float32(lean[0] / scale)
        deep, half = neck_outline(self.look, x, y)
        nx = np.clip(x / half, -1, 1).astype(np.float32)
        nz = np.sqrt(np.maximum(1 - nx * nx, 0))
        cords = 0.1 * np.exp(-((np.abs(x) - 0.3 + 0.12 * (y - 1.2)) / 0.09) ** 2)
        lit = light_on(self.look, np.eye(3), lamp, light * self._gain)
        head_x = (grid.x_px - where.shift[0])[None] / where.unit_px - PIVOT[0]
        head_y = (grid.y_px - where.shift[1])[:, None] / where.unit_px - PIVOT[1]
        head_z = (nz * half + NECK_DEPTH - PIVOT[2]).astype(np.float32)
        back = where.turn.T
        point = tuple((row[0] * head_x + row[1] * head_y + row[2] * head_z + pivot).astype(np.float32)
                      for row, pivot in zip(back, PIVOT))
        shape = self._view.shape if self._view is not None else solid(self.head, self._table, where.gap)
        hidden = shadow(shape, point, where.turn.T @ lit.lamp)
        hollow = (np.clip(0.5 + 0.6 * (y - 1.15), 0.45, 0.9) - cords).astype(np.float32)
        diffuse, _ = shine((nx, 0 * nx, nz), hollow, hidden, lit)
        pulse = blood(self.who, np.full_like(nx, NECK_PULSE), _delayed(wave, delays_s, np.zeros_like(nx)))
        skin = (0.9 * self.who.skin * pulse + self.who.gloss) * diffuse[..., None] * lit.colour
        share = np.clip(0.5 + 0.7 * scale * grid.enlarge(deep.astype(np.float32)), 0, 1)
        self._lay(picture, grid, grid.enlarge(skin.astype(np.float32)), share)

    def _deliver(self, picture: np.ndarray) -> np.ndarray:
        if self._finer > 1:
            return cv2.resize(picture, self.size_px, interpolation=cv2.INTER_AREA)
        return cv2.GaussianBlur(picture, (3, 3), BLUR_PX)

    def _truth(self, course: Course, index: int, read) -> np.ndarray:
        """Return a map of the head at every pixel, thinned by how much of the pixel is head."""
        picture = np.zeros(self._size[::-1], np.float32)
        view = self._view_of(course, index)
        if view is not None:
            values = read(view) * view.share
            grid = view.grid
            part = picture[grid.top:grid.top + values.shape[0], grid.left:grid.left + values.shape[1]]
            part[:] = values[:part.shape[0], :part.shape[1]]
        return cv2.resize(picture, self.size_px, interpolation=cv2.INTER_AREA) if self._finer > 1 else picture


def _delayed(wave: np.ndarray, delays_s: np.ndarray, delay_s: np.ndarray) -> np.ndarray:
    """Return the wave as it arrives after each delay, between the columns that are known."""
    if len(delays_s) == 1:
        return np.full(delay_s.shape, wave[0], np.float32)
    return np.interp(delay_s, delays_s, wave).astype(np.float32)
