"""Copies of data sets in miniature: the right names, containers, keys and axes, with a pulse that is known."""

import cv2
import numpy as np

from rppg_lib.video import write_video

FS = 30.0


def pulse(times_s, bpm=72.0):
    """Return a pulse of one rate, systole up, with a dicrotic shoulder."""
    phase = 2 * np.pi * bpm / 60 * np.asarray(times_s)
    return np.sin(phase) + 0.3 * np.sin(2 * phase - 1)


def pictures(times_s, *, bpm=72.0, size=(32, 24), seed=0):
    """Return pictures whose mean colour beats at a rate: no face, for readers do not look for one."""
    noise = np.random.default_rng(seed).uniform(-3, 3, (len(times_s), size[1], size[0], 1))    # dithers, too
    beat = 1 - 0.02 * pulse(times_s, bpm)[:, None] * [0.33, 0.77, 0.53]
    return np.clip([150, 110, 90] * beat[:, None, None, :] + noise, 0, 255).astype(np.uint8)


def video(path, *, seconds=3.0, fs=FS, bpm=72.0, codec="ffv1"):
    """Write a small video, and return the times of its pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * fs)) / fs
    write_video(path, pictures(times, bpm=bpm), fs=fs, codec=codec)
    return times


def png(path, image):
    """Write a picture as PNG, whatever its ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())


def colours(recording):
    """Play a recording; return the mean colour and the time of each picture."""
    pairs = [(image.reshape(-1, 3).mean(0), time_s) for image, time_s in recording.pictures()]
    return np.array([colour for colour, _ in pairs]), np.array([time_s for _, time_s in pairs])
