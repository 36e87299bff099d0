"""The pulse while somebody is being filmed: picture by picture, from a network that carries its state along."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..signal import HR_BAND_HZ, TRUST, quality
from ..signal.frames import resample_frames
from ..types import check_fs
from ..video import face_crops
from ..video.facetrace import GAP_S


@dataclass(frozen=True, kw_only=True)
class LiveReading:
    """What is known at one picture."""

    time_s: float                        # of the picture, by the source's clock
    value: float                         # what the network said: the change since the picture before; NaN at first
    wave: float                          # the pulse's height, by a filter that knows no future; NaN at first
    reading_bpm: float                   # the strongest rhythm of the last seconds; NaN before there are 5 s
    quality: float                       # 0 to 1: how likely it is a pulse

    @property
    def hr_bpm(self) -> float:
        """The rate, or NaN where the reading is not to be trusted."""
        return self.reading_bpm if self.quality >= TRUST else math.nan


def live(source: Any, network: Any, *, window_s: float = 10.0, hop_s: float = 1.0, finder: Any = "auto",
         every: int = 1) -> Iterator[LiveReading]:
    """Yield the pulse of the largest face at each picture of the network's frame rate.

    It keeps up with a camera, but it is behind: by half a second and some pictures, for which faces are followed before
    a place is certain (:func:`rppg_lib.video.face_crops`), and by what the filter of the wave takes. The rate is that
    of the last ``window_s``, so half of it behind a rate that changes.

    A camera's pictures come when they come; at the even times the network was trained for, the two about it are mixed.
    Where there was no face for more than half a second, everything begins anew.

    Args:
        source: as for :func:`rppg_lib.video.face_crops`: a video, a camera's number, or pictures with their times.
        network: one that can ``resume`` such as KDPhys, or the folder of a checkpoint of one, or of an export
            with ``stream.onnx``.
        window_s: what rate and quality are read from; 5 or more.
        hop_s: seconds from one reading of the rate to the next; in between the last one stays.
        finder, every: who looks for the face, and in every how many pictures.
    """
    if not hop_s > 0:
        raise ValueError(f"live: hop_s must be a number of seconds above 0, got {hop_s!r}.")
    stream = _stream(network, window_s)
    crops = face_crops(source, size_px=stream.size_px, finder=finder, every=every)
    return _readings(crops, stream, hop_s)


def evenly(pairs: Iterable[tuple[np.ndarray, float]], *, fs: float,
           most_s: float = GAP_S) -> Iterator[tuple[np.ndarray, float, bool]]:
    """Yield pictures at even times, each mixed from the two about it; and whether it is the first, or after a gap.

    Args:
        pairs: pictures ``(H, W, 3)`` uint8 with increasing times in seconds.
        fs: how many a second are wanted.
        most_s: longest time without a picture that is bridged.

    >>> pictures = [np.full((1, 1, 3), value, np.uint8) for value in (0, 60, 90, 90)]
    >>> made = evenly(zip(pictures, [0.0, 0.2, 0.3, 2.0]), fs=10)
    >>> [(int(picture[0, 0, 0]), round(time_s, 1), first) for picture, time_s, first in made]
    [(0, 0.0, True), (30, 0.1, False), (60, 0.2, False), (90, 0.3, False), (90, 2.0, True)]
    """
    step = 1 / check_fs("evenly", fs)
    before, before_s, start_s, count = None, 0.0, 0.0, 0
    for picture, time_s in pairs:
        if before is None or time_s - before_s > max(most_s, 1.5 * step):
            start_s, count = time_s, 1
            yield picture, time_s, True
        else:
            while (at_s := start_s + count * step) <= time_s + 1e-6:
                both, times = np.stack([before, picture]), np.array([before_s, time_s])
                yield resample_frames(both, times, at_s=np.array([at_s]))[0], at_s, False
                count += 1
        before, before_s = picture, time_s


def _readings(crops: Iterable[tuple[np.ndarray, float]], stream: Any, hop_s: float) -> Iterator[LiveReading]:
    rate, good, due_s = math.nan, 0.0, -math.inf
    for picture, time_s, first in evenly(crops, fs=stream.fs):
        if first:
            stream.reset()
            rate, good, due_s = math.nan, 0.0, -math.inf
        value = stream.push(picture)
        if time_s >= due_s and math.isfinite(rate_now := stream.rate_bpm()):
            rate, due_s = rate_now, time_s + hop_s
            pulse = stream.recent()
            good = float(quality(pulse.wave, fs=pulse.fs, band_hz=HR_BAND_HZ))
        yield LiveReading(time_s=time_s, value=math.nan if value is None else value, wave=stream.wave(),
                          reading_bpm=rate, quality=good)


def _stream(network: Any, window_s: float) -> Any:
    """Return a stream of a network, a checkpoint or an export. PyTorch is loaded here, for those who need it."""
    from ..models import load_network
    from ..models.exported import TOLD, load_stream
    from ..models.stream import Stream

    if isinstance(network, (str, Path)):
        if (Path(network) / TOLD).is_file():
            return load_stream(network, seconds=window_s)
        network = load_network(network)
    return Stream(network, seconds=window_s)
