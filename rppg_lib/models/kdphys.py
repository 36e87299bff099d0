"""KDPhys: a small network that looks at one change of the picture at a time, taught by one that sees all of time."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..registry import register
from .blocks import FrameReadout, attention_mask, check_width, convolution_stream, frames_apart
from .network import Network, Published

DARK = 2 / 255
"""Added to the sum of two pictures from 0 to 1, by which their difference is divided: the dark is only noise."""
SHOWN = 4                                # rows and columns of the last map, where size is free

State = tuple[Tensor, ...]


@register("kdphys", cites="sahoo2025kdphys")
class KDPhys(Network):
    """Half of EfficientPhys: each frame's change goes through four 2-D convolutions and looks back a little.

    No text tells how the published student is built, only that it is 2-D and has 0.23 M parameters, half of what other
    networks have. That is half of EfficientPhys at 36 pixels, so this is EfficientPhys with fewer dense neurons. Two
    things differ, so that it can run live: differences are divided by the brightness of the two pixels, where
    EfficientPhys is fed pictures standardised over the clip; and channels come from earlier frames only.

    A third of the channels before each convolution is that of ``past`` frames ago. So a value depends on this frame
    and the ones before it, and a clip may come in pieces of any length, see :meth:`resume`.

    Reference: Sahoo et al. 2025 (``sahoo2025kdphys``), of which only the abstract could be read.

    >>> KDPhys(KDPhys.tiny())(torch.zeros(2, 3, 64, 32, 32)).shape
    torch.Size([2, 64])
    """

    normalise: ClassVar = ("raw",)
    target: ClassVar = "change"
    min_frames: ClassVar = 2
    min_px: ClassVar = 10
    size_is_free: ClassVar = False
    map_layers: ClassVar = ("seen.0", "seen.1")
    is_live = False                                      # see live()
    published: ClassVar = Published(frames=160, size_px=36, params=230_000, within=0.02, source="sahoo2025kdphys",
                                    note="the abstract's 0.23 M; its layers are not told")

    @dataclass(frozen=True, kw_only=True)
    class Config(Network.Config):
        size_px: int = 36
        frames: int = 160
        width: int = 64                              # channels of the second pair of layers; the first has half
        dense: int = 52
        dropout: float = 0.25                        # after each pooling
        dropout_dense: float = 0.5
        past: tuple[int, ...] = (1, 2, 4, 8)         # frames that each layer looks back; 0 for none
        any_size: bool = False                       # read a last map of 4x4, whatever the picture's size

    @classmethod
    def tiny(cls) -> Config:
        return cls.Config(size_px=32, frames=64, width=8, dense=16)

    @classmethod
    def small(cls) -> Config:
        return cls.Config(size_px=36, frames=128, width=16, dense=32, dropout=0.0, dropout_dense=0.0)

    @classmethod
    def for_any_size(cls, **settings: object) -> Config:
        """Return the config of the variant that takes pictures of any size, with about as many parameters."""
        return cls.Config(**{"any_size": True, "dense": 160} | settings)

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        c = self.config
        check_width(self._who, c.width, multiple_of=2, at_least=6)
        self.past = tuple(c.past)
        if len(self.past) != 4 or any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in self.past):
            raise ValueError(f"{self._who}: past must be four whole numbers of frames, 0 or more, got {c.past!r}.")
        self.norm = nn.BatchNorm2d(3)
        self.motion = convolution_stream(c.width)
        self.attention = nn.ModuleList([nn.Conv2d(c.width // 2, 1, 1), nn.Conv2d(c.width, 1, 1)])
        self.squash = nn.Tanh()
        self.seen = nn.ModuleList([nn.Identity(), nn.Identity()])    # where others may look, see map_layers
        self.pool = nn.AvgPool2d(2)
        self.dropout = nn.Dropout(c.dropout)
        if c.any_size:
            self.size_is_free = True
            for layer in self.motion:
                layer.padding = (1, 1)
        self.readout = FrameReadout(size_px=c.size_px, width=c.width, dense=c.dense, dropout=c.dropout_dense,
                                    side=SHOWN if c.any_size else None)
        self.feature_channels = self.readout.channels

    def features(self, frames: Tensor) -> Tensor:
        """Return the flattened map of each frame, ``(B, D, T)``."""
        self.check(frames)
        # The value of a frame is the change to the next one; after the last picture, the same once more.
        later = torch.cat([frames[:, :, 1:], frames[:, :, -1:]], dim=2)
        return self._features(later, self.start(frames[:, :, 0]))[0]

    def forward(self, frames: Tensor) -> Tensor:
        return self.readout(self.features(frames))                   # (B,3,T,H,W) -> (B,T)

    def start(self, picture: Tensor) -> State:
        """Return what is known after the first picture ``(B, 3, H, W)``: it, its past, empty, and a 0 for that.

        The first change that follows stands for its own past.
        """
        size = picture.shape[-2:]
        trimmed = 0 if self.config.any_size else 2
        half = [(side - trimmed) // 2 for side in size]
        sizes = (size, size, half, half)
        empty = (picture.new_zeros(picture.shape[0], past, *side, layer.in_channels // 3).movedim(-1, 1)
                 for layer, past, side in zip(self.motion, self.past, sizes))              # channels last in memory
        return picture.clone(), *empty, picture.new_zeros(picture.shape[0], 1, 1, 1, 1)

    def resume(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        """Go on with pictures that follow those seen so far.

        Args:
            frames: ``(B, 3, n, H, W)``, n of 1 or more.
            state: from :meth:`start` or an earlier call.

        Returns:
            ``(B, n)``, for each picture the change from the one before it to this one, and the state to go on with.
            In eval mode the values are those of the whole clip, but for its last one, which nothing follows.

        >>> network = KDPhys(KDPhys.tiny()).eval()
        >>> clip = torch.rand(1, 3, 64, 32, 32)
        >>> state, values = network.start(clip[:, :, 0]), []
        >>> for number in range(1, 64):                              # one picture at a time
        ...     value, state = network.resume(clip[:, :, number:number + 1], state)
        ...     values.append(value)
        >>> torch.allclose(torch.cat(values, 1), network(clip)[:, :-1], atol=1e-5)
        True
        """
        if frames.ndim != 5 or not frames.shape[2] or frames[:, :, 0].shape != state[0].shape:
            raise ValueError(f"{self._who}: needs at least one picture (B, 3, n, H, W) of the clips and size it began "
                             f"with, {tuple(state[0].shape)} each, got {tuple(frames.shape)}. Begin anew with start().")
        features, state = self._features(frames, state)
        return self.readout(features), state

    def live(self) -> KDPhys:
        """Return a copy in eval mode that takes less time for one picture on a CPU, and has the same values.

        >>> network, clip = KDPhys(KDPhys.tiny()).eval(), torch.rand(1, 3, 64, 32, 32)
        >>> with torch.no_grad():
        ...     torch.allclose(network.live()(clip), network(clip), atol=1e-6)
        True
        """
        copied = copy.deepcopy(self).eval().requires_grad_(False).to(memory_format=torch.channels_last)
        copied.squash, copied.is_live = _Squash(), True
        return copied

    def _features(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the flattened map of each change ``(B, D, n)``, and the state after the last picture."""
        clips = frames.shape[0]                                      # len() would fix it where the graph is exported
        picture, *history, begun = state
        known = begun if not (self.is_live and begun.all()) else None    # asked once, not at every layer
        maps = self.norm(frames_apart(self._changes(picture, frames)))
        after = [frames[:, :, -1].clone()]                           # a camera may use its buffer again
        for pair, attention in enumerate(self.attention):
            for layer in (2 * pair, 2 * pair + 1):
                maps, later = _looking_back(maps, history[layer], known, clips=clips)
                after.append(later)
                maps = self.squash(self.motion[layer](maps))
            maps = self.dropout(self.pool(self.seen[pair](maps * attention_mask(attention(maps)))))
        if self.config.any_size:
            maps = functional.adaptive_avg_pool2d(maps, SHOWN)
        features = maps.reshape(clips, -1, self.feature_channels)    # (B*n,C,h,w) -> (B,n,D)
        return features.transpose(1, 2), (*after, torch.ones_like(begun))

    def _changes(self, picture: Tensor, frames: Tensor) -> Tensor:
        """Return the change from each picture to the next over the sum of both, in the precision of the weights."""
        before = picture[:, :, None]
        if frames.shape[2] > 1:
            before = torch.cat([before, frames[:, :, :-1]], dim=2)
        before = before.float()
        return ((frames - before) / (frames + before + DARK)).to(self.norm.weight.dtype)


class _Squash(nn.Module):
    """The hyperbolic tangent, in place: on a CPU, PyTorch takes a quarter of the time for the sigmoid."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mul_(2).sigmoid_().mul_(2).sub_(1)


def _looking_back(maps: Tensor, history: Tensor, begun: Tensor | None, *, clips: int) -> tuple[Tensor, Tensor]:
    """Return maps whose first third of channels is that of earlier frames, and the history to go on with.

    Args:
        maps: ``(B*n, C, H, W)``.
        history: ``(B, C // 3, past, H, W)`` those channels of the frames before.
        begun: ``(B, 1, 1, 1, 1)`` 0 where there were none; then the first frame stands for them. None: there were.
    """
    back, past = history.shape[1:3]
    if not past:
        return maps, history
    third, single = maps[:, :back], maps.shape[0] == clips
    now = third[:, :, None] if single else third.unflatten(0, (clips, -1)).transpose(1, 2)
    if begun is not None:
        history = torch.where(begun > 0, history, now[:, :, :1])
    known = torch.cat([history, now], dim=2)
    later = known[:, :, -past:]
    later = later if single else later.clone()                       # or a long piece would stay in memory
    earlier = known[:, :, 0] if single else frames_apart(known[:, :, :-past])                # -> (B*n,c,H,W)
    if torch.is_grad_enabled():
        whole = torch.cat([earlier, maps[:, back:]], dim=1)
        return whole.contiguous(memory_format=torch.channels_last), later
    third.copy_(earlier)                                             # live, every copy counts
    return maps, later
