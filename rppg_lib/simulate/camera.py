"""A camera looks at a patch of skin: shot and read noise, coding, 8-bit steps, saturation, mean over pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from .chance import check_number

FULL = 255.0
EXACT_PX = 64                            # up to here every pixel is simulated; beyond, their mean by formula


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera and the region it averages over. ``gamma`` divides AC/DC: 2 halves every relative change."""

    region_px: int = 20_000              # skin pixels in the mean
    grain_px: float = 16.0               # pixels that share their noise, through demosaicing and compression
    full_well: float = 9000.0            # electrons at full scale; fewer, more shot noise
    read_noise: float = 10.0             # electrons
    gamma: float = 2.0                   # code = 255 * light ** (1 / gamma): 1 is linear, 2 about that of video
    texture: float = 5.0                 # spread of the region's pixels in levels, which dithers the 8-bit steps
    bits: int | None = 8                 # None: no steps
    exposure: float = 1.0                # 1 is right; above, light skin saturates

    def __post_init__(self) -> None:
        who = "Camera"
        for name, low in (("region_px", 1), ("grain_px", 1), ("full_well", 1), ("read_noise", 0), ("gamma", 0.2),
                          ("texture", 0), ("exposure", 1e-3)):
            check_number(who, name, getattr(self, name), low=low)
        if self.bits is not None:
            check_number(who, "bits", self.bits, low=2, high=16)

    def code(self, linear: np.ndarray) -> np.ndarray:
        """Return levels of 0..255 for linear light (full scale = 1), above 255 where it is too bright."""
        if self.gamma == 2:
            return FULL * np.sqrt(linear)
        return FULL * linear ** (1 / self.gamma)

    def pixel_noise(self, linear: np.ndarray) -> np.ndarray:
        """Standard deviation of one pixel in levels: shot noise as the root of the light, plus read noise, coded."""
        electrons = np.sqrt(linear * self.full_well + self.read_noise**2)
        slope = FULL / self.gamma * np.maximum(linear, 1e-3) ** (1 / self.gamma - 1)
        return np.minimum(slope * electrons / self.full_well, FULL / 3)   # more has no room between 0 and full scale

    def dimmed(self, log_photons: float) -> Camera:
        """The same camera at a higher gain, with fewer photons for the same level."""
        return replace(self, full_well=max(self.full_well * np.exp(log_photons), 1.0)) if log_photons else self


@dataclass(frozen=True, eq=False)
class Exposed:
    """What a camera makes of a clean trace: ``rgb == ((clean + noise) + rounding) + clipping``."""

    clean: np.ndarray                    # (T, 3) coded, before the camera's faults
    noise: np.ndarray
    rounding: np.ndarray                 # by 8-bit steps
    clipping: np.ndarray                 # at full scale

    @property
    def rgb(self) -> np.ndarray:
        return self.clean + self.noise + self.rounding + self.clipping


def expose(linear: np.ndarray, camera: Camera, rng: np.random.Generator) -> Exposed:
    """Return the mean colour of a region lit as ``linear`` ``(T, 3)``, with each fault of the camera apart."""
    clean, sigma = camera.code(linear), camera.pixel_noise(linear)
    step = 0.0 if camera.bits is None else FULL / (2**camera.bits - 1)
    if camera.region_px <= EXACT_PX:
        return _every_pixel(clean, sigma, step, camera, rng)
    return _mean_of_many(clean, sigma, step, camera, rng)


def _every_pixel(clean: np.ndarray, sigma: np.ndarray, step: float, camera: Camera,
                 rng: np.random.Generator) -> Exposed:
    count = camera.region_px
    grains = max(round(count / camera.grain_px), 1)
    grain_of = np.arange(count) * grains // count
    spots = camera.texture * rng.normal(size=(count, 1, 3))
    spots -= spots.mean(0)
    noise = sigma * rng.normal(size=(grains, *clean.shape))[grain_of]
    pixels = clean + spots + noise
    rounded = step * np.round(pixels / step) if step else pixels
    clipped = np.clip(rounded, 0, FULL)
    return Exposed(clean, noise.mean(0), (rounded - pixels).mean(0), (clipped - rounded).mean(0))


def _mean_of_many(clean: np.ndarray, sigma: np.ndarray, step: float, camera: Camera,
                  rng: np.random.Generator) -> Exposed:
    grains = camera.region_px / camera.grain_px
    noise = sigma / np.sqrt(max(grains, 1)) * rng.normal(size=clean.shape)
    spread = np.sqrt(sigma**2 + camera.texture**2)
    rounding = np.zeros_like(clean)
    if step:
        rounding += _staircase((clean + noise) / step, spread / step) * step
        rounding += step / np.sqrt(12 * camera.region_px) * rng.normal(size=clean.shape)
    mean = clean + noise + rounding
    return Exposed(clean, noise, rounding, _beyond(-mean, spread) - _beyond(mean - FULL, spread))


def _beyond(distance: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return by how much pixels lie beyond a limit on average, if their mean lies ``distance`` beyond it."""
    spread = np.maximum(spread, 1e-9)
    away = distance / spread
    if away.max() < -8:
        return np.zeros_like(distance)
    return distance * ndtr(away) + spread * np.exp(-0.5 * away**2) / np.sqrt(2 * np.pi)


def _staircase(level: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return by how much rounding shifts the mean of pixels spread about ``level``: not at all from a spread of 1."""
    if spread.min() >= 1:
        return np.zeros_like(level)
    base = np.floor(level)
    thresholds = np.arange(-4, 5) + 0.5
    passed = ndtr(((level - base)[..., None] - thresholds) / np.maximum(spread, 1e-9)[..., None])
    return np.where(spread < 1, base - 4 + passed.sum(-1) - level, 0.0)
