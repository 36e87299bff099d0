"""What happens to pictures between the camera and the file: a lossy codec, pictures dropped or sent twice.

A trace has no pictures: :func:`trace` refuses these, and a film takes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .chance import check_number
from .effects import Effect, Scalable, Setting

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
TUNES = ("film", "animation", "grain", "stillimage", "zerolatency", "fastdecode")


@dataclass(frozen=True, kw_only=True)
class Compression:
    """H.264 as most published videos have it. State the kilobits per second with any result, not only ``crf``.

    A simulated scene is easy to compress, so the same ``crf`` costs far fewer bits than on a real one, and
    loses more of the pulse. Twice the strength is a ``crf`` 6 higher, or half the bits.
    """

    pixels_only: ClassVar[bool] = True

    strength: float = 1.0
    crf: float = 18.0                    # 0 lossless to 51
    kbps: float | None = None            # a bit rate to aim at, instead of crf
    preset: str = "medium"
    tune: str | None = "grain"           # the one that keeps noise, and the pulse with it

    def __post_init__(self) -> None:
        who = "Compression"
        check_number(who, "strength", self.strength, low=0)
        check_number(who, "crf", self.crf, low=0, high=51)
        if self.kbps is not None:
            check_number(who, "kbps", self.kbps, low=1)
        for name, value, known in (("preset", self.preset, PRESETS), ("tune", self.tune, (None, *TUNES))):
            if value not in known:
                raise ValueError(f"{who}: {name} must be one of {', '.join(map(str, known))}, got {value!r}.")

    @property
    def name(self) -> str:
        return "compression"

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        return Effect(name=self.name)

    def scaled(self, factor: float) -> Compression:
        return Compression(strength=self.strength * factor, crf=self.crf, kbps=self.kbps, preset=self.preset,
                           tune=self.tune)

    def settings(self) -> dict[str, float | str | None]:
        """Return what the encoder is told, at this strength.

        >>> Compression(crf=18, strength=2).settings()["crf"]
        24.0
        """
        rate = {"crf": None, "kbps": max(self.kbps / self.strength, 1.0)} if self.kbps is not None else {
            "crf": float(np.clip(self.crf + 6 * np.log2(self.strength), 0, 51)), "kbps": None}
        return {**rate, "preset": self.preset, "tune": self.tune}


@dataclass(frozen=True, kw_only=True)
class DroppedFrames(Scalable):
    """Pictures that never arrive, and pictures that arrive twice under two time stamps.

    The stamps are true: that of a dropped picture is missing, and a repeated picture has that of the one it replaces.
    """

    pixels_only: ClassVar[bool] = True

    dropped: float = 0.05                # share of all pictures
    repeated: float = 0.03

    def effect(self, setting: Setting, rng: np.random.Generator) -> Effect:
        return Effect(name=self.name)

    def arrivals(self, setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of each frame that arrives, and the number of the picture that it shows.

        The first and the last picture always arrive, and never more than about half are lost or repeated.
        """
        count = len(setting.times_s)
        fate = rng.uniform(size=count)
        lost = fate < min(self.strength * self.dropped, 0.5)
        twice = ~lost & (fate > 1 - min(self.strength * self.repeated, 0.5))
        lost[[0, -1]] = twice[0] = False
        arrived = np.flatnonzero(~lost)
        shown = np.maximum.accumulate(np.where(twice[arrived], 0, arrived))
        return arrived, shown
