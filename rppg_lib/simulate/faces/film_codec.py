"""Pictures through an H.264 encoder and straight into a decoder: no file, little memory, the same bits every time."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np

from ..transport import Compression

SAME_BITS = "asm=sse4.2"
"""Told to x264 on PCs: its AVX-512 code gives other bits from run to run at some widths (160 is one)."""


class Line:
    """A line of limited width. Iterate over ``send(pictures)``; then ``kbps`` says what it took."""

    def __init__(self, compression: Compression, *, fs: float) -> None:
        self._settings = compression.settings()
        self._fs = fs
        self.bytes = self.frames = 0

    @property
    def kbps(self) -> float:
        """Kilobits per second of what has been sent so far."""
        return 8 * self.bytes / 1000 / (self.frames / self._fs) if self.frames else float("nan")

    def send(self, pictures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield each picture ``(H, W, 3)`` uint8 as it arrives at the other end, a few dozen pictures later."""
        import av

        self.bytes = self.frames = 0
        encoder, decoder = None, av.CodecContext.create("h264", "r")
        decoder.thread_count = 1
        for number, picture in enumerate(pictures):
            if encoder is None:
                encoder = self._encoder(picture.shape)
            frame = _halved(picture)
            frame.pts = number
            yield from self._through(encoder.encode(frame), decoder)
        if encoder is not None:
            yield from self._through(encoder.encode(None), decoder)
            yield from (_restored(frame) for frame in decoder.decode(None))

    def _through(self, packets: Iterable, decoder) -> Iterator[np.ndarray]:
        for packet in packets:
            self.bytes += packet.size
            self.frames += 1
            yield from (_restored(frame) for frame in decoder.decode(packet))

    def _encoder(self, shape: tuple[int, ...]):
        import av

        height, width = shape[:2]
        if height % 2 or width % 2:
            raise ValueError(f"film: H.264 needs pictures of even width and height, got {width}x{height}. "
                             f"Choose an even size_px, or a scene without compression.")
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.framerate = Fraction(self._fs).limit_denominator(1001)
        encoder.time_base = 1 / encoder.framerate
        encoder.thread_count = 1
        options = {"preset": self._settings["preset"], "threads": "1"}
        if platform.machine().lower() in ("x86_64", "amd64"):
            options["x264-params"] = SAME_BITS
        if self._settings["tune"]:
            options["tune"] = self._settings["tune"]
        if self._settings["kbps"] is None:
            options["crf"] = f"{self._settings['crf']:g}"
        else:
            encoder.bit_rate = round(1000 * self._settings["kbps"])
        encoder.options = options
        return encoder


def _halved(picture: np.ndarray):
    """Return a picture as brightness, and colour at half the resolution (BT.601, as files of this size have it)."""
    import av
    from av.video.reformatter import Colorspace, Interpolation

    how = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=1, interpolation=how,
                          threads=1)


def _restored(frame) -> np.ndarray:
    from av.video.reformatter import Colorspace, Interpolation

    how = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    return frame.reformat(format="rgb24", src_colorspace=Colorspace.ITU601, src_color_range=1, interpolation=how,
                          threads=1).to_ndarray()
