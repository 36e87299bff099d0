"""A network that looks at pictures as they come: one in, one value out, and a pulse that knows no future."""

from __future__ import annotations

import copy
import math
from collections import deque
from typing import Any

import numpy as np
import torch
from scipy.signal import butter

from ..data.normalise import FULL_SCALE, resized
from ..signal import HR_BAND_HZ, bandpass, hr_from_spectrum
from ..signal.filters import BEAT_BAND_HZ, widened
from ..types import Pulse, check_fs
from .estimator import FS, upright
from .network import Network

LEAK_HZ = 0.1
"""Slower than this, changes are not summed up."""
LEAST_S = 5.0
"""No rate is read from less."""


class Stream:
    """A network run live: :meth:`push` takes one picture and returns the value of the change that led to it.

    The values are those that the network gives for the whole clip, but its last one, which nothing follows. What is
    kept of the past does not grow: the network's state, and the values of the last ``seconds``.

    Pictures must come at the rate the network was trained at, ``fs``; :func:`rppg_lib.measurement.live` mixes those of
    a camera for that. After a gap or when the face was lost, call :meth:`reset`: the change across it is no pulse.

    Args:
        network: that can ``start`` and ``resume``, such as KDPhys; it is copied, to the CPU.
        seconds: how much of the past is kept for :meth:`recent` and :meth:`rate_bpm`.

    >>> from rppg_lib.models.kdphys import KDPhys
    >>> stream = Stream(KDPhys(KDPhys.tiny()))
    >>> black = np.zeros((32, 32, 3), np.uint8)
    >>> stream.push(black) is None, type(stream.push(black)).__name__
    (True, 'float')
    """

    def __init__(self, network: Network, *, seconds: float = 10.0) -> None:
        check_can_stream("Stream", network)
        fs = float(getattr(network, "facts", {}).get("fs", FS))
        self._begin(_NetworkSteps(network), size_px=network.config.size_px, fs=fs, target=network.target,
                    seconds=seconds)

    @classmethod
    def of(cls, steps: Any, *, size_px: int, fs: float, target: str, seconds: float = 10.0) -> Stream:
        """Return a stream that has something else take the steps, such as an exported network.

        Args:
            steps: with ``step(picture)``, from ``(1, 3, H, W)`` to a value, and ``reset()``.
        """
        made = cls.__new__(cls)
        made._begin(steps, size_px=size_px, fs=fs, target=target, seconds=seconds)
        return made

    def _begin(self, steps: Any, *, size_px: int, fs: float, target: str, seconds: float) -> None:
        if not (isinstance(seconds, (int, float)) and math.isfinite(seconds) and seconds >= LEAST_S):
            raise ValueError(f"Stream: seconds must be {LEAST_S:g} or more, got {seconds!r}.")
        self.size_px, self.fs, self.target = size_px, check_fs("Stream", fs), target
        self.seconds = float(seconds)
        self._steps = steps
        self._values: deque[float] = deque(maxlen=round(seconds * self.fs))
        self._wave = CausalWave(fs=self.fs, target=target)
        self._last = math.nan

    def __repr__(self) -> str:
        return f"Stream({self.size_px} px, {self.fs:g} fps, {len(self._values)} values)"

    def push(self, picture: np.ndarray) -> float | None:
        """Return the change from the last picture to this one, None for the first.

        Args:
            picture: ``(H, W, 3)`` uint8, R-G-B. One of another size is resized.
        """
        pixels = np.asarray(picture)
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
            raise ValueError(f"Stream: needs a picture (H, W, 3) of uint8 in R-G-B order, got {pixels.dtype} "
                             f"{pixels.shape}.")
        value = self._steps.step(_fed(pixels, self.size_px))
        if value is None:
            return None
        if not math.isfinite(value):
            self.reset()
            raise ValueError("Stream: the network gave NaN or infinity. Its training went wrong: train it again.")
        self._values.append(value)
        self._last = self._wave.push(value)
        return value

    def reset(self) -> None:
        """Forget all pictures, as after a gap; the next one is a first one again."""
        self._steps.reset()
        self._values.clear()
        self._wave.reset()
        self._last = math.nan

    def wave(self) -> float:
        """Return the pulse's height at the last picture, its peaks at systole, see :class:`CausalWave`."""
        return self._last

    def recent(self) -> Pulse:
        """Return the pulse of the last ``seconds``, or of as much as there is.

        Here the past may be filtered with what came after it, so no delay is left. Its last second can still change.
        """
        if len(self._values) < int(LEAST_S * self.fs):
            raise ValueError(f"Stream: needs {LEAST_S:g} s of pictures since the start or the last gap, has "
                             f"{len(self._values) / self.fs:.1f} s. Push more.")
        values = np.array(self._values)
        return Pulse(wave=upright(values, fs=self.fs) if self.target == "change" else values, fs=self.fs)

    def rate_bpm(self) -> float:
        """Return the heart rate of the last ``seconds``; NaN before there are 5 s of it, and where nothing changes."""
        if len(self._values) < int(LEAST_S * self.fs) or np.ptp(self._values) == 0:
            return math.nan
        pulse = self.recent()
        kept = bandpass(pulse.wave, fs=pulse.fs, band_hz=widened(HR_BAND_HZ, fs=pulse.fs))
        return float(hr_from_spectrum(kept, fs=pulse.fs))


class CausalWave:
    """Turns changes into a wave one by one: summed up with a leak, and filtered to the band of a beat.

    Such a filter knows no future, so it cannot leave all times in place. At 30 fps a change of rhythm shows 0.14 s late
    at 60 bpm and 0.06 s at 120; meanwhile the peaks of a steady pulse come 0.09 s early at 60 bpm and 0.01 s late at
    120. So do not take beats' exact times from it: :meth:`Stream.recent` has none of that.

    >>> angle = 2 * np.pi * np.arange(600) / 25                      # 72 bpm at 30 fps
    >>> live = CausalWave(fs=30, target="change")
    >>> made = np.array([live.push(step) for step in np.diff(np.cos(angle))])
    >>> bool(np.corrcoef(made[300:], np.cos(angle)[301:])[0, 1] > 0.9)
    True
    """

    def __init__(self, *, fs: float, target: str) -> None:
        low, high = BEAT_BAND_HZ
        sections = [butter(1, (low, min(high, 0.45 * fs)), btype="bandpass", fs=fs, output="sos")]
        if target == "change":
            sections.append([[1, 0, 0, 1, -math.exp(-2 * math.pi * LEAK_HZ / fs), 0]])
        self._sections = np.vstack(sections).tolist()
        self.reset()

    def push(self, value: float) -> float:
        """Return the wave's height after one more change."""
        for (b0, b1, b2, _, a1, a2), kept in zip(self._sections, self._kept):   # SciPy's sosfilt takes ten times longer
            made = b0 * value + kept[0]
            kept[:] = b1 * value - a1 * made + kept[1], b2 * value - a2 * made
            value = made
        return value

    def reset(self) -> None:
        """Begin anew, from rest."""
        self._kept = [[0.0, 0.0] for _ in self._sections]


class _NetworkSteps:
    """A network, and where it is."""

    def __init__(self, network: Network) -> None:
        live = network.live() if hasattr(network, "live") else copy.deepcopy(network).eval()
        self.network = live.to("cpu")
        self.reset()

    def reset(self) -> None:
        self._state = None

    @torch.inference_mode()
    def step(self, picture: torch.Tensor) -> float | None:
        if self._state is None:
            self._state = self.network.start(picture)
            return None
        values, self._state = self.network.resume(picture[:, :, None], self._state)
        return float(values)


def check_can_stream(who: str, network: Network) -> None:
    """Refuse a network that cannot go on with one more picture."""
    if not (callable(getattr(network, "start", None)) and callable(getattr(network, "resume", None))):
        raise TypeError(f"{who}: needs a network with start and resume, such as kdphys, got "
                        f"{getattr(network, 'name', '') or type(network).__name__}, which looks at whole clips.")
    if tuple(network.normalise) != ("raw",):
        raise TypeError(f"{who}: needs a network that is fed pictures as they are, got {network.name}, fed "
                        f"{' and '.join(network.normalise)}: that takes the whole clip.")


def _fed(pixels: np.ndarray, size_px: int) -> torch.Tensor:
    """Return a picture ``(H, W, 3)`` as networks take it, ``(1, 3, size_px, size_px)`` from 0 to 1."""
    picture = torch.from_numpy(np.require(pixels, requirements=["C", "W"]))
    if pixels.shape[:2] != (size_px, size_px):
        picture = resized(picture[None, None], size_px)[0, 0]
    return (picture / FULL_SCALE).permute(2, 0, 1)[None]             # (H,W,3) -> (1,3,H,W)
