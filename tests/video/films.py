"""Small videos whose every picture is known, written with PyAV directly so that they are no test of our own writer."""

import io
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import Interpolation

from rppg_lib.simulate.chance import stream

ACCURATE = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
COLOURS = np.array([[200, 120, 90], [255, 255, 255], [0, 0, 0], [60, 30, 20],
                    [10, 200, 100], [128, 128, 128], [255, 0, 0], [0, 0, 255]], np.uint8)


def chart(size=(160, 96)):
    """Return a picture of eight large fields of COLOURS, four above four."""
    width, height = size
    rows, columns = np.arange(height) * 2 // height, np.arange(width) * 4 // width
    return COLOURS[rows[:, None] * 4 + columns[None, :]]


def chart_values(picture):
    """Return the eight colours in the middle of the fields, (8, 3)."""
    height, width = picture.shape[:2]
    return np.array([picture[height // 4 + row * height // 2, width // 8 + column * width // 4]
                     for row in range(2) for column in range(4)]).astype(int)


def corner(size=(64, 48)):
    """Return a grey picture whose top left corner is red: upright is unmistakable."""
    width, height = size
    picture = np.full((height, width, 3), 60, np.uint8)
    picture[: height // 3, : width // 4] = [220, 30, 30]
    return picture


def moving(frames=30, size=(64, 48), seed=1):
    """Return (T, H, W, 3) pictures of smooth spots that move, no two alike."""
    width, height = size
    spots = stream(seed, "test film").integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    picture = spots.repeat(8, 0).repeat(8, 1)[:height, :width]
    return np.stack([np.roll(picture, number, 1) for number in range(frames)])


def film(path, pictures, *, codec="libx264", look="yuv420p", fs=30, stamps=None, base=Fraction(1, 90000), matrix=None,
         full=None, turn_deg=None, mirrored=False, options=None, form=None):
    """Write pictures; stamps are ticks of base, matrix 1 is BT.709 and 5 BT.601, full says the range."""
    with av.open(path if isinstance(path, io.BytesIO) else str(path), "w", format=form) as output:
        line = output.add_stream(codec, rate=fs, options={"threads": "1", **(options or {})})
        line.height, line.width = pictures[0].shape[:2]
        line.pix_fmt = look
        if stamps is not None:
            line.codec_context.time_base = line.time_base = base
        if matrix is not None:
            line.codec_context.colorspace = {1: 1, 5: 5}[matrix]
            line.codec_context.color_range = 2 if full else 1
        if turn_deg is not None:
            line.set_display_rotation(turn_deg, hflip=mirrored)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            planar = "yuv422p" if look == "yuyv422" else look        # straight to yuyv422 the scaler rounds down
            frame = frame.reformat(format=planar, dst_colorspace=matrix, interpolation=ACCURATE,
                                   dst_color_range=(2 if full else 1) if matrix else None)
            frame = frame.reformat(format=look)
            if stamps is not None:
                frame.pts, frame.time_base = int(stamps[number]), base
            for packet in line.encode(frame):
                output.mux(packet)
        for packet in line.encode(None):
            output.mux(packet)
    return path


def picture_file(path, picture, codec):
    """Write one still picture."""
    look = {"png": "rgb24", "bmp": "bgr24", "mjpeg": "yuvj444p"}[codec]
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.shape[1], picture.shape[0], look
    encoder.time_base = Fraction(1, 30)
    if codec == "mjpeg":
        encoder.qmin = encoder.qmax = 1
        encoder.color_range = 2
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        format=look, dst_colorspace=5, dst_color_range=2 if codec == "mjpeg" else None)
    frame.pts = 0
    packets = encoder.encode(frame) or encoder.encode(None)
    path.write_bytes(bytes(packets[0]))
