"""A network as an estimator: any clip in, one pulse out, whatever its length, rate and size."""

from __future__ import annotations

import contextlib

import numpy as np
import torch

from ..data.normalise import normalise, resized
from ..signal.frames import resample_frames
from ..types import Clip, Pulse
from .network import Network, pulse_of

FS = 30.0                                # what networks are trained at unless their facts say otherwise
SAME_RATE = 0.01                         # rates that differ by less are the same
WINDOWS_AT_A_TIME = 4
SLOWEST_HZ = 0.5                         # slower changes than any pulse are not made larger


class NetworkEstimator:
    """Estimates a pulse with a network, window by window.

    A clip of another size is resized, one of another rate is resampled on the way in and out. Windows have the length
    the network was trained with and overlap by half; their waves are standardised, faded and added.

    A network whose ``target`` is ``change`` gives steps, which :func:`upright` turns into a wave with systole on top.

    Args:
        network: trained, or untrained as a control.
        name: in tables; default: its registered name.
        device: default: a GPU if there is one.
    """

    needs = "frames"

    def __init__(self, network: Network, *, name: str | None = None, cites: str | None = None,
                 device: str | torch.device | None = None) -> None:
        self.name = name or network.name or type(network).__name__
        self.cites = network.cites if cites is None else cites
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = network.to(self.device)
        self.size_px = network.config.size_px
        self.fs = float(getattr(network, "facts", {}).get("fs", FS))

    def __repr__(self) -> str:
        return f"NetworkEstimator({self.name!r}, {self.size_px} px, {self.fs:g} fps, {self.device})"

    def predict(self, clip: Clip) -> Pulse:
        """Return the pulse of a clip, one value per frame."""
        if clip.frames is None:
            raise ValueError(f"{self.name}: needs pictures of the face, but clip {clip.id!r} has a colour trace only. "
                             f"Make them with rppg_lib.video.face_crops.")
        frames = self._at_own_rate(clip)
        wave = self._wave(frames)
        if self.network.target == "change":
            wave = upright(wave, fs=self.fs)
        if len(wave) != len(clip):
            at_s = np.arange(len(clip)) / clip.fs
            wave = np.interp(at_s, np.arange(len(wave)) / self.fs, wave)
        return Pulse(wave=wave, fs=clip.fs)

    def _at_own_rate(self, clip: Clip) -> np.ndarray:
        if abs(clip.fs / self.fs - 1) <= SAME_RATE:
            return clip.frames
        times_s = np.arange(len(clip)) / clip.fs
        return resample_frames(clip.frames, times_s, at_s=np.arange(int(times_s[-1] * self.fs) + 1) / self.fs)

    @torch.no_grad()
    def _wave(self, frames: np.ndarray) -> np.ndarray:
        starts, length = _windows(len(frames), self.network, self.name)
        fade = np.hanning(length + 2)[1:-1]
        total, weight = np.zeros(max(len(frames), length)), np.zeros(max(len(frames), length))
        with _evaluating(self.network):
            for first in range(0, len(starts), WINDOWS_AT_A_TIME):
                some = starts[first:first + WINDOWS_AT_A_TIME]
                for start, wave in zip(some, self._waves(np.stack([_cut(frames, start, length) for start in some]))):
                    total[start:start + length] += fade * wave
                    weight[start:start + length] += fade
        return (total / weight)[:len(frames)]

    def _waves(self, windows: np.ndarray) -> np.ndarray:
        """Return the standardised waves ``(B, T)`` of windows ``(B, T, H, W, 3)``."""
        pixels = torch.from_numpy(windows).to(self.device)
        if pixels.shape[2:4] != (self.size_px, self.size_px):
            pixels = resized(pixels, self.size_px)
        waves = pulse_of(self.network(normalise(pixels, self.network.normalise))).double().cpu().numpy()
        if not np.isfinite(waves).all():
            raise ValueError(f"{self.name}: gave NaN or infinite values. Its training went wrong: train it again.")
        waves = waves - waves.mean(-1, keepdims=True)
        return waves / np.maximum(waves.std(-1, keepdims=True), 1e-12)


def upright(steps: np.ndarray, *, fs: float) -> np.ndarray:
    """Return a wave with its peaks at systole for steps ``(T,)`` from each frame to the next.

    Each frequency f is turned back by a quarter of its period, and weighted by 1 / sqrt(f): half of what a sum would
    do. The sum, 1 / f, lets slow drift drown the pulse; no weight lets overtones and noise drown the beat.

    >>> angle = 2 * np.pi * np.arange(300) / 25                      # 72 bpm at 30 fps
    >>> bool(np.corrcoef(upright(np.diff(np.cos(angle), append=1), fs=30), np.cos(angle))[0, 1] > 0.999)
    True
    """
    hz = np.fft.rfftfreq(len(steps), 1 / fs)
    back = np.exp(-1j * np.pi * (0.5 + hz / fs))                     # a quarter beat, and half a frame
    weight = np.where(hz > 0, 1 / np.sqrt(np.maximum(hz, SLOWEST_HZ)), 0)
    return np.fft.irfft(np.fft.rfft(steps) * back * weight, len(steps))


def _windows(frames: int, network: Network, who: str) -> tuple[list[int], int]:
    """Return where windows begin, and their length: the trained one, or the clip's if that is shorter."""
    if frames < network.min_frames:
        raise ValueError(f"{who}: needs at least {network.min_frames} frames, got {frames}. Use a longer clip.")
    step = network.multiple_of
    length = min(network.config.frames, -(-frames // step) * step)
    starts = list(range(0, max(frames - length, 0) + 1, max(length // 2, 1)))
    if starts[-1] + length < frames:
        starts.append(frames - length)                               # the last window ends where the clip does
    return starts, length


def _cut(frames: np.ndarray, start: int, length: int) -> np.ndarray:
    """Return a window; where the clip ends a few frames before it, its last picture stays."""
    window = frames[start:start + length]
    return np.concatenate([window, np.repeat(window[-1:], length - len(window), axis=0)])


@contextlib.contextmanager
def _evaluating(network: Network):
    """Switch dropout and batch statistics off, and back as they were."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)
