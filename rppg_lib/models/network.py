"""What all networks share: what they want to be fed, what they refuse, and what was published about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..registry import Estimator


@dataclass(frozen=True, kw_only=True)
class Published:
    """What paper or public code says about a network, for comparison with what we count.

    Attributes:
        frames: length of the clip these figures are for.
        size_px: its height and width.
        params: parameters.
        gmacs: multiplications with additions for the clip, in 10^9.
        within: how far ours may be from ``params`` and ``gmacs``, as a share: 0 where public code fixes all sizes, more
            where a paper leaves some open.
        source: key in the bibliography.
        note: what a reader must know to compare.
        against: for another network, what is said to change where this one takes its place: shares of ``params``,
            ``macs`` and ``throughput``, -0.5 for half.
    """

    frames: int
    size_px: int
    params: int | None = None
    gmacs: float | None = None
    within: float = 0.0
    source: str = ""
    note: str = ""
    against: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


MOST = 100_000
"""Largest size of a picture, and length of a window, that is no slip."""


class Network(nn.Module):
    """A network that estimates a pulse from pictures. Derive from it, register, and it is part of everything.

    A network is made of its ``Config``; what it is fed is said by class attributes, so that one training loop and one
    evaluation serve all.

    Attributes:
        normalise: how pictures are normalised (:func:`rppg_lib.data.normalise.normalise`); channels are 3 for each.
        target: ``wave``, or ``change`` if it estimates the pulse's change from frame to frame.
        multiple_of: the number of frames must be a multiple of it.
        min_frames, min_px: the smallest clip it takes.
        size_is_free: whether pictures may have another size than ``config.size_px``.
        after_features: names of the parts that come after :meth:`features`, and that a network built on it leaves away.
        map_layers: names of layers whose output is maps, shallow to deep: what others may look at, see
            :func:`rppg_lib.models.maps.with_maps`.
        no_compile: why ``torch.compile`` cannot take it; empty if it can.
        published: figures to compare with.
        frozen: names of parts that never learn, see :meth:`freeze`.
    """

    name: ClassVar[str] = ""
    cites: ClassVar[str] = ""
    normalise: ClassVar[tuple[str, ...]] = ("diff",)
    target: ClassVar[str] = "wave"
    multiple_of: ClassVar[int] = 1
    min_frames: ClassVar[int] = 8
    min_px: ClassVar[int] = 8
    size_is_free: ClassVar[bool] = True
    after_features: ClassVar[tuple[str, ...]] = ("readout",)
    map_layers: ClassVar[tuple[str, ...]] = ()
    no_compile: ClassVar[str] = ""
    published: ClassVar[Published]
    frozen: tuple[str, ...] = ()

    @dataclass(frozen=True, kw_only=True)
    class Config:
        size_px: int = 72
        frames: int = 128

    @classmethod
    def tiny(cls) -> Config:
        """Return the config of a network that a CPU runs in a moment; for tests."""
        return cls.Config()

    @classmethod
    def small(cls) -> Config:
        """Return the config of a network that a CPU trains in a minute or two."""
        return cls.tiny()

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = type(self).Config() if config is None else config
        if not isinstance(self.config, type(self).Config):
            raise TypeError(f"{self._who}: needs a {type(self).__qualname__}.Config, got {type(config).__name__}.")
        for what, least in (("size_px", 1), ("frames", self.min_frames)):
            value = getattr(self.config, what)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
                raise ValueError(f"{self._who}: {what} must be a whole number from {least} to {MOST}, got {value!r}.")

    def features(self, frames: Tensor) -> Tensor:
        """Return what is known of each time before it becomes one number, ``(B, D, T')``, D in ``feature_channels``."""
        raise NotImplementedError(f"{self._who}: has no features(frames). Write it, to let others build on it.")

    def freeze(self, *parts: str) -> None:
        """Let parts of the network stay as they are: no gradient, and eval mode even while the rest is trained."""
        self.frozen = parts
        for part in parts:
            self.get_submodule(part).requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Network:
        super().train(mode)
        for part in self.frozen:
            self.get_submodule(part).eval()
        return self

    @property
    def _who(self) -> str:
        return self.name or type(self).__name__

    @property
    def settings(self) -> dict[str, Any]:
        """The config as plain values, for files."""
        return asdict(self.config)

    def check(self, frames: Tensor) -> None:
        """Say clearly what is wrong with an input, before a layer does it unclearly."""
        channels = 3 * len(self.normalise)
        if frames.ndim != 5 or frames.shape[1] != channels:
            raise ValueError(f"{self._who}: needs pictures (B, {channels}, T, H, W), normalised "
                             f"{' and '.join(self.normalise)}, got {tuple(frames.shape)}. "
                             f"Make them with data.normalise.normalise(frames, {self.normalise!r}).")
        if not frames.is_floating_point():
            raise TypeError(f"{self._who}: needs normalised pictures as floats, got {frames.dtype}. "
                            f"Make them with data.normalise.normalise(frames, {self.normalise!r}).")
        length, height, width = frames.shape[2:]
        if length < self.min_frames or length % self.multiple_of:
            multiple = f", in multiples of {self.multiple_of}" if self.multiple_of > 1 else ""
            raise ValueError(f"{self._who}: needs at least {self.min_frames} frames{multiple}, got {length}. "
                             f"Cut the clip, or use its estimator, which takes any length.")
        if not self.size_is_free and (height, width) != (self.config.size_px,) * 2:
            raise ValueError(f"{self._who}: needs pictures of {self.config.size_px}x{self.config.size_px}, its "
                             f"config.size_px, got {width}x{height}. Resize them, or build it for another size.")
        if min(height, width) < self.min_px:
            raise ValueError(f"{self._who}: needs pictures of at least {self.min_px}x{self.min_px}, got "
                             f"{width}x{height}.")

    @classmethod
    def estimator(cls, *, name: str, cites: str, checkpoint: str | Path | None = None,
                  device: str | torch.device | None = None) -> Estimator:
        """Return a trained network as an estimator.

        Args:
            checkpoint: folder that training wrote.
            device: where to run; default: a GPU if there is one.
        """
        from .estimator import NetworkEstimator
        from .weights import load_network

        if checkpoint is None:
            raise ValueError(f"{name}: needs trained weights, checkpoint=FOLDER; without them its numbers would be "
                             f"noise. Train it with 'rppg train {name}'; an untrained one, as a control, is "
                             f"NetworkEstimator({cls.__name__}()).")
        network = load_network(checkpoint)
        if type(network) is not cls:
            raise ValueError(f"{name}: needs weights of {name}, but {checkpoint} holds those of {network.name}. "
                             f"Give another checkpoint, or ask for {network.name}.")
        return NetworkEstimator(network, name=name, cites=cites, device=device)


def pulse_of(output: Any) -> Tensor:
    """Return the pulse ``(B, T)`` of what a network gave: itself, or its ``pulse``."""
    return output if isinstance(output, Tensor) else output.pulse
