"""The camera of a film: exposure, colour balance, vignetting, rolling shutter, root coding, noise, 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..chance import check_number

FULL = 255.0
SPARE_PX = 61, 83                        # by how much the noise tile is larger than the picture: 5,208 places for it
STRIP_ROWS = 32
MIDDLE_LIGHT = 0.25                      # where a picture's read noise is reckoned


@dataclass(frozen=True, kw_only=True)
class FilmCamera:
    """What turns linear light into 8-bit pixels. The same physics as :class:`rppg_lib.simulate.Camera`, pixel by pixel.

    Levels are ``255 * sqrt(light)`` (``gamma`` 2), which halves every relative change, the pulse included.
    """

    full_well: float = 9000.0            # electrons at full scale; fewer, more shot noise
    read_noise: float = 10.0             # electrons
    gamma: float = 2.0
    exposure: float = 1.0                # 1: the face's green has the level usual for its tone
    white: tuple[float, float, float] = (1.0, 1.0, 1.0)   # gain of each channel
    vignetting: float = 0.1              # part of the light lost in the corners
    rolling_s: float = 0.0               # time from the first row's reading to the last one's; most phones: 0.02
    chroma: str = "4:4:4"                # "4:2:0": colour at half the resolution, as most video has
    grain_px: float = 0.0                # spread of the noise over neighbouring pixels

    def __post_init__(self) -> None:
        who = "FilmCamera"
        for name, low, high in (("full_well", 1, np.inf), ("read_noise", 0, np.inf), ("gamma", 0.2, 5),
                                ("exposure", 1e-3, 100), ("vignetting", 0, 0.9), ("rolling_s", 0, 1),
                                ("grain_px", 0, 10)):
            check_number(who, name, getattr(self, name), low=low, high=high)
        if np.shape(self.white) != (3,) or not all(w > 0 for w in self.white):
            raise ValueError(f"{who}: white must be three gains above 0, R-G-B, got {self.white!r}.")
        if self.chroma not in ("4:4:4", "4:2:0"):
            raise ValueError(f"{who}: chroma must be '4:4:4' or '4:2:0', got {self.chroma!r}.")

    @property
    def noise(self) -> float:
        """Standard deviation of a pixel in levels. Root coding makes shot noise the same in light and dark."""
        electrons = np.sqrt(MIDDLE_LIGHT * self.full_well + self.read_noise**2)
        return FULL / self.gamma * MIDDLE_LIGHT ** (1 / self.gamma - 1) * electrons / self.full_well

    def seen(self, *, log_photons: float = 0.0, log_exposure: float = 0.0, pixels_in_one: float = 1.0) -> FilmCamera:
        """The same camera with fewer photons, another exposure, or many of its pixels averaged into one."""
        return replace(self, exposure=self.exposure * float(np.exp(log_exposure)),
                       full_well=max(self.full_well * float(np.exp(log_photons)) * pixels_in_one, 1.0),
                       read_noise=self.read_noise * float(np.sqrt(pixels_in_one)))


class Developer:
    """A camera set up for one film: ``develop(linear, n)`` gives picture ``n``, the same at every call."""

    def __init__(self, camera: FilmCamera, size_px: tuple[int, int], *, gain: float, frames: int,
                 rng: np.random.Generator) -> None:
        width, height = size_px
        self.camera = camera
        self._size = size_px
        across, down = np.linspace(-1, 1, width) * width, np.linspace(-1, 1, height) * height
        radius2 = (across**2 + down[:, None] ** 2) / (width**2 + height**2)
        white = np.asarray(camera.white, dtype=float)
        self._gain = (gain * (1 - camera.vignetting * radius2)[..., None] * white).astype(np.float32)
        tile = rng.standard_normal((height + SPARE_PX[0], width + SPARE_PX[1], 3), dtype=np.float32)
        if camera.grain_px:
            tile = cv2.GaussianBlur(tile, (0, 0), camera.grain_px)
            tile /= tile.std()
        self._noise = tile * np.float32(camera.noise)
        self._corner = rng.integers(0, [SPARE_PX[0] + 1, SPARE_PX[1] + 1], size=(frames, 2))
        self._light = np.empty((STRIP_ROWS, width, 3), np.float32)

    def develop(self, linear: np.ndarray, number: int, *,
                rows: Callable[[np.ndarray], np.ndarray] | None = None) -> np.ndarray:
        """Return ``(H, W, 3)`` uint8 of ``(H, W, 3)`` float32 linear light.

        Args:
            linear: what the renderer gives.
            number: of the picture, which picks its noise.
            rows: gain of each row, of the time after the first row's reading (a lamp that flickers meanwhile).
        """
        width, height = self._size
        gains = None
        if rows is not None and self.camera.rolling_s:
            gains = rows(np.arange(height) / height * self.camera.rolling_s).astype(np.float32)[:, None, None]
        y, x = self._corner[number]
        noise = self._noise[y:y + height, x:x + width]
        picture = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, STRIP_ROWS):                     # strip by strip stays in the processor's cache
            strip = slice(top, min(top + STRIP_ROWS, height))
            light = cv2.multiply(linear[strip], self._gain[strip], dst=self._light[:strip.stop - top])
            if gains is not None:
                light *= gains[strip]
            if self.camera.gamma == 2:
                cv2.sqrt(light, dst=light)
            else:
                cv2.pow(light, 1 / self.camera.gamma, dst=light)
            cv2.addWeighted(light, FULL, noise[strip], 1.0, 0.0, dtype=cv2.CV_8U, dst=picture[strip])
        return halved_chroma(picture) if self.camera.chroma == "4:2:0" else picture


def halved_chroma(picture: np.ndarray) -> np.ndarray:
    """Return a picture whose colour, but not its brightness, has half the resolution."""
    height, width = picture.shape[:2]
    parts = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
    half = (width + 1) // 2, (height + 1) // 2
    small = cv2.resize(parts[..., 1:], half, interpolation=cv2.INTER_LINEAR)       # at half size: the mean of four
    parts[..., 1:] = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(parts, cv2.COLOR_YCrCb2RGB)
