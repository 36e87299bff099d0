"""Video out: pictures from memory or from an iterator into a file, with true times, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..files import written_whole
from ..types import check_fs

WHO = "write_video"
FORMATS = {".mp4": "mp4", ".mov": "mov", ".m4v": "mp4", ".mkv": "matroska", ".avi": "avi"}
TICKS_PER_S = {"mp4": 90_000, "mov": 90_000, "matroska": 1000}       # how finely the file keeps times; AVI: not at all
CODECS = {"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg", "lossless": "libx264rgb", "ffv1": "ffv1",
          "huffyuv": "huffyuv", "raw": "rawvideo"}
LOOK = {"libx264": "yuv420p", "libx265": "yuv420p", "mjpeg": "yuvj420p", "libx264rgb": "rgb24", "ffv1": "bgr0",
        "huffyuv": "rgb24", "rawvideo": "bgr24"}
ENCODER = ("preset", "tune", "keyframes")
BEST_JPEG, WORST_JPEG = 1, 31
THREADS = 2                              # fixed: what x264 writes depends on it, and must not depend on the machine


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written, and how many kilobits a second of it takes: CRF alone says little on still scenes."""

    path: Path
    frames: int
    seconds: float
    kbps: float
    codec: str


def write_video(path: str | os.PathLike, frames: Iterable[np.ndarray], *, fs: float | None = None,
                times_s: Iterable[float] | None = None, codec: str = "h264", crf: float | None = None,
                kbps: float | None = None, **encoder: Any) -> Written:
    """Write pictures as a video; the file appears under its name only when it is complete.

    Args:
        path: where; ``.mp4``, ``.mov``, ``.mkv`` or ``.avi`` says the container.
        frames: ``(H, W, 3)`` uint8 R-G-B pictures of one size, an array ``(T, H, W, 3)`` or any iterator of them; only
            one is held at a time. H.264, HEVC halve the colour's resolution and need even sizes.
        fs: pictures per second, or
        times_s: ``(T,)`` seconds, strictly increasing and as uneven as they were. Kept to 11 us by mp4 and mov, to 1 ms
            by mkv; AVI keeps none and is refused.
        codec: "h264", "hevc", "mjpeg", or one that returns every value as it was: "lossless" (H.264 in R-G-B),
            "ffv1", "huffyuv", "raw" (these two only in AVI).
        crf: quality of H.264 and HEVC, 0 (best) to 51, default their own; for mjpeg its quantiser, 1 to 31, default 3.
        kbps: aim at this many kilobits per second, instead of ``crf``.
        encoder: ``preset`` ("ultrafast" ... "veryslow") and ``tune`` ("film", "grain", "zerolatency" ...) of x264 and
            x265, ``keyframes``, the most pictures between two that can be decoded alone.

    Returns:
        A :class:`Written` with what the file takes in kilobits per second.
    """
    path = Path(path)
    container = _container(path)
    name = _codec(codec, container, crf=crf, kbps=kbps, encoder=encoder)
    clock = _clock(fs, times_s, container)
    pictures = _checked(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError(f"{WHO}: needs at least one picture, got none. Nothing was written.")
    height, width = first.shape[:2]
    if LOOK[name] == "yuv420p" and (width % 2 or height % 2):
        raise ValueError(f"{WHO}: {codec} needs an even width and height, got {width} x {height}. Crop or pad one "
                         f"row or column, or use codec='lossless'.")
    settings = _Settings(name, container, (width, height), _options(name, container, crf=crf, encoder=encoder),
                         quantiser=crf, kbps=kbps, rate=clock.rate)
    with written_whole(path, "wb") as file:
        count = _encode(file, chain([first], pictures), settings, clock)
    seconds = clock.seconds()
    return Written(path=path, frames=count, seconds=seconds, kbps=path.stat().st_size * 8 / 1000 / seconds, codec=codec)


@dataclass(frozen=True)
class _Settings:
    codec: str
    container: str
    size: tuple[int, int]                # width, height
    options: dict[str, str]
    quantiser: float | None
    kbps: float | None
    rate: Fraction


class _Clock:
    """Ticks of the pictures, one after the other."""

    def __init__(self, *, rate: Fraction, base: Fraction, times_s: Iterator[float] | None) -> None:
        self.rate, self.base, self.times_s = rate, base, times_s
        self.count, self.first_s, self.last_s, self.last_tick = 0, 0.0, 0.0, -1

    def __call__(self) -> int:
        """Return the next picture's tick."""
        if self.times_s is None:
            time_s = float(self.count / self.rate)
        else:
            time_s = next(self.times_s, None)
            if time_s is None:
                raise ValueError(f"{WHO}: needs one time per picture, got {self.count} times and more pictures. "
                                 f"Pass as many times_s as pictures.")
            self.first_s = time_s if self.count == 0 else self.first_s
            time_s -= self.first_s
        tick = round(time_s / self.base)
        if self.count and tick <= self.last_tick:
            raise ValueError(f"{WHO}: picture {self.count} at {time_s:.6f} s follows one at {self.last_s:.6f} s; this "
                             f"file keeps times to {float(self.base) * 1e3:.3g} ms. Pass times further apart.")
        self.count, self.last_s, self.last_tick = self.count + 1, time_s, tick
        return tick

    def step(self) -> int:
        """Return how many ticks a picture lasts, on average so far."""
        if self.times_s is None or self.count < 2:
            return max(1, round(1 / (self.rate * self.base)))
        return max(1, round(self.last_tick / (self.count - 1)))

    def seconds(self) -> float:
        """Return how long the pictures last together; the last one lasts as long as the others on average."""
        if self.times_s is None or self.count < 2:
            return self.count / float(self.rate)
        return self.last_s * self.count / (self.count - 1)

    def check_end(self) -> None:
        """Refuse times that are left over."""
        if self.times_s is not None and next(self.times_s, None) is not None:
            raise ValueError(f"{WHO}: needs one time per picture, got {self.count} pictures and more times. "
                             f"Pass as many times_s as pictures.")


def _clock(fs: float | None, times_s: Iterable[float] | None, container: str) -> _Clock:
    if (fs is None) == (times_s is None):
        got = "neither" if fs is None else "both"
        raise ValueError(f"{WHO}: needs either fs or times_s, got {got}. Pass fs= for even times, times_s= otherwise.")
    if fs is not None:
        rate = Fraction(check_fs(WHO, fs)).limit_denominator(1001)
        if not Fraction(1, 1000) <= rate <= 1000:
            raise ValueError(f"{WHO}: fs must lie between 0.001 and 1000 frames per second, got {fs!r}.")
        base = Fraction(1, TICKS_PER_S[container]) if container in TICKS_PER_S else 1 / rate
        return _Clock(rate=rate, base=base, times_s=None)
    if container == "avi":
        raise ValueError(f"{WHO}: AVI keeps no times, so times_s would be lost. Write .mp4 or .mkv, or pass fs=.")
    known = list(_times(times_s))
    span_s = known[-1] - known[0] if len(known) > 1 else 0.0
    mean = min(max((len(known) - 1) / span_s, 0.001), 1000.0) if span_s else 30.0
    return _Clock(rate=Fraction(mean).limit_denominator(1001), base=Fraction(1, TICKS_PER_S[container]),
                  times_s=iter(known))


def _times(times_s: Iterable[float]) -> Iterator[float]:
    last = -np.inf
    for number, value in enumerate(times_s):
        try:
            time_s = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"{WHO}: times_s must be seconds, got {value!r} for picture {number}.") from None
        if not np.isfinite(time_s) or time_s <= last:
            raise ValueError(f"{WHO}: times_s must be finite and strictly increase, got {time_s!r} for picture "
                             f"{number} after {last!r}. Drop repeated pictures, or sort them.")
        last = time_s
        yield time_s


def _container(path: Path) -> str:
    container = FORMATS.get(path.suffix.lower())
    if container is None:
        raise ValueError(f"{WHO}: the name must end in {', '.join(FORMATS)}, got {path.name!r}. Use .mp4 to share, "
                         f".mkv or .avi for lossless.")
    if path.is_dir():
        raise IsADirectoryError(f"{WHO}: needs the name of a file, but {str(path)!r} is a folder. Add a name.")
    return container


def _codec(codec: str, container: str, *, crf: float | None, kbps: float | None, encoder: dict[str, Any]) -> str:
    import av
    if not isinstance(codec, str) or codec not in CODECS:
        raise ValueError(f"{WHO}: codec must be one of {', '.join(CODECS)}, got {codec!r}.")
    name = CODECS[codec]
    if name not in av.codecs_available:
        raise ValueError(f"{WHO}: this build of PyAV cannot write {codec}. Use codec='h264' or 'ffv1'.")
    if (container in ("mp4", "mov") and name == "ffv1") or (container != "avi" and name in ("huffyuv", "rawvideo")):
        raise ValueError(f"{WHO}: {codec} does not fit into {container}. Use .avi, or codec='lossless'.")
    unknown = sorted(set(encoder) - set(ENCODER))
    if unknown:
        raise TypeError(f"{WHO}: does not know {', '.join(unknown)}. Beside its named options it takes "
                        f"{', '.join(ENCODER)}.")
    if name not in ("libx264", "libx265"):
        unused = [key for key in ("preset", "tune") if encoder.get(key) is not None]
        unused += ["crf"] * (crf is not None and name != "mjpeg") + ["kbps"] * (kbps is not None and name != "mjpeg")
        if unused:
            raise ValueError(f"{WHO}: {codec} has no {' or '.join(unused)}. Leave it out, or use codec='h264'.")
    if crf is not None and kbps is not None:
        raise ValueError(f"{WHO}: needs crf or kbps, got both ({crf!r}, {kbps!r}). Fix the quality or the rate.")
    low, high = (BEST_JPEG, WORST_JPEG) if name == "mjpeg" else (0, 51)
    for key, value, least, most in (("crf", crf, low, high), ("kbps", kbps, 1, 1e6)):
        if value is not None and not (isinstance(value, (int, float, np.number)) and least <= value <= most):
            raise ValueError(f"{WHO}: {key} must lie between {least:g} and {most:g} for {codec}, got {value!r}.")
    return name


def _options(name: str, container: str, *, crf: float | None, encoder: dict[str, Any]) -> dict[str, str]:
    if name == "libx264rgb":
        return {"qp": "0", "preset": "ultrafast"}
    if name == "ffv1":
        return {"level": "3", "slicecrc": "1"}
    if name not in ("libx264", "libx265"):
        return {}
    options = {key: str(value) for key in ("preset", "tune") if (value := encoder.get(key)) is not None}
    if container == "avi":
        options["bf"] = "0"                          # AVI keeps pictures in the order of decoding, without their times
    if crf is not None:
        options["crf"] = f"{crf:g}"
    if encoder.get("keyframes") is not None:
        options["g"] = str(int(encoder["keyframes"]))
    if name == "libx265":
        options["x265-params"] = "log-level=none"
    return options


def _checked(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the pictures; the first that does not fit is named."""
    try:
        pictures = iter(frames)
    except TypeError:
        raise TypeError(f"{WHO}: needs pictures, an array (T, H, W, 3) or an iterator of (H, W, 3), "
                        f"got {type(frames).__name__}.") from None
    shape = None
    for number, picture in enumerate(pictures):
        if not isinstance(picture, np.ndarray):
            hint = " Pass frame.image." if hasattr(picture, "image") else ""
            raise TypeError(f"{WHO}: picture {number} must be an array (H, W, 3), got {type(picture).__name__}.{hint}")
        if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            hint = "drop the fourth channel: picture[..., :3]" if picture.shape[2:] == (4,) else \
                "stack grey three times: np.repeat(grey[..., None], 3, -1)"
            raise ValueError(f"{WHO}: picture {number} must be (H, W, 3) R-G-B, got shape {picture.shape}; {hint}.")
        if picture.dtype != np.uint8:
            raise ValueError(f"{WHO}: picture {number} must be uint8, got {picture.dtype}. From 0 to 1: "
                             f"np.round(255 * picture.clip(0, 1)).astype(np.uint8).")
        if shape is not None and picture.shape != shape:
            raise ValueError(f"{WHO}: pictures must have one size; number {number} has {picture.shape}, those before "
                             f"it {shape}. Crop or scale them. Nothing was written.")
        shape = picture.shape
        yield picture


def _encode(file: Any, pictures: Iterator[np.ndarray], settings: _Settings, clock: _Clock) -> int:
    """Encode into an open file and return how many pictures went in."""
    import av
    output = av.open(file, "w", format=settings.container)
    try:
        stream = _stream(output, settings, clock.base)
        for picture in pictures:
            frame = _frame(picture, settings)
            frame.pts, frame.time_base = clock(), clock.base
            frame.duration = clock.step()
            for packet in stream.encode(frame):
                output.mux(packet)
        clock.check_end()
        for packet in stream.encode(None):
            output.mux(packet)
        output.close()
    except (av.error.FFmpegError, av.error.ArgumentError) as error:
        _abandon(output)
        raise OSError(f"{WHO}: the encoder {settings.codec} failed ({' '.join(str(error).split())[:160]}). Check "
                      f"preset, tune and the free space of the disk. Nothing was written.") from None
    except BaseException:
        _abandon(output)
        raise
    return clock.count


def _abandon(output: Any) -> None:
    with contextlib.suppress(Exception):
        output.close()


def _stream(output: Any, settings: _Settings, base: Fraction) -> Any:
    stream = output.add_stream(settings.codec, rate=settings.rate, options=settings.options)
    context = stream.codec_context
    stream.width, stream.height = settings.size
    stream.pix_fmt = LOOK[settings.codec]
    stream.time_base = context.time_base = base
    context.thread_count = THREADS
    if settings.kbps is not None:
        context.bit_rate = round(settings.kbps * 1000)
    elif settings.codec == "mjpeg":
        context.qmin = context.qmax = int(settings.quantiser or 3)
    if LOOK[settings.codec].startswith("yuv"):
        context.colorspace = 6 if settings.codec == "mjpeg" else _matrix(settings)
        context.color_primaries = context.color_trc = 1
        context.color_range = 2 if settings.codec == "mjpeg" else 1
    return stream


def _matrix(settings: _Settings) -> int:
    """Return the number of BT.709 for large pictures, of BT.601 for others, as players assume."""
    return 1 if settings.size[1] >= 720 else 6


def _frame(picture: np.ndarray, settings: _Settings) -> Any:
    """Return the picture in the codec's own colours."""
    import av
    from av.video.reformatter import Colorspace, Interpolation
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    look = LOOK[settings.codec]
    if look == "rgb24":
        return frame
    if not look.startswith("yuv"):
        return frame.reformat(format=look, threads=1)
    jpeg = settings.codec == "mjpeg"
    matrix = Colorspace.ITU709 if not jpeg and _matrix(settings) == 1 else Colorspace.ITU601
    how = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
    return frame.reformat(format=look, dst_colorspace=matrix, dst_color_range=2 if jpeg else 1, interpolation=how,
                          threads=1)
