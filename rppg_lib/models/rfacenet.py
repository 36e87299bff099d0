"""rFaceNet: whose face it is tells a network where to look for the pulse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..registry import register
from .network import Published
from .physnet import PhysNet

CONTOURS = ("face", "noise", "none")
STAGE_ENDS = {1: 1, 2: 4, 3: 7}
"""The layer of PhysNet's encoder that ends a stage: maps have a half, a quarter, an eighth of the picture's side."""


class Faced(NamedTuple):
    """What rFaceNet gives: the pulse, and how much each person trained on looks like this one."""

    pulse: Tensor                        # (B, T)
    person: Tensor | None                # (B, people), before softmax; None without an identity branch


class TemporalCompressor(nn.Module):
    """All pictures of a clip averaged into one, or into a few: the face stays, whole beats go.

    >>> TemporalCompressor()(torch.rand(2, 3, 64, 8, 8)).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(self, pictures: int = 1) -> None:
        super().__init__()
        self.pictures = pictures

    def forward(self, frames: Tensor) -> Tensor:
        return frames.unflatten(2, (self.pictures, -1)).mean(3).flatten(1, 2)        # (B,C,T,H,W) -> (B,C*T',H,W)


class FeatureCombiner(nn.Module):
    """The sum of two kinds of maps, one of a still face and one of the pulse, after a 1x1 convolution of each.

    The paper repeats the face's map along time, then convolves. A 1x1 convolution of what is repeated is the
    repetition of what is convolved, so here it is convolved once. There are no biases: the sum is linear.

    Reference: Zhu et al. 2024 (``zhu2024rfacenet``), equations 1 and 2.

    >>> combine = FeatureCombiner(face=8, pulse=4)
    >>> combine(torch.zeros(2, 8, 4, 4), torch.zeros(2, 4, 16, 8, 8)).shape
    torch.Size([2, 4, 16, 8, 8])
    """

    def __init__(self, *, face: int, pulse: int) -> None:
        super().__init__()
        self.face = nn.Conv2d(face, pulse, 1, bias=False)
        self.pulse = nn.Conv3d(pulse, pulse, 1, bias=False)
        self.alpha = nn.Parameter(torch.ones(()))                    # of the face
        self.beta = nn.Parameter(torch.ones(()))                     # of the pulse

    def forward(self, face: Tensor, pulse: Tensor) -> Tensor:
        """Return maps like ``pulse``.

        Args:
            face: ``(B, C, h, w)``.
            pulse: ``(B, D, T, H, W)``.
        """
        size = pulse.shape[-2:]
        shown = self.face(face)
        if shown.shape[-2:] != size:
            shown = functional.interpolate(shown, size=size, mode="bilinear", align_corners=False, antialias=True)
        return self.alpha * shown[:, :, None] + self.beta * self.pulse(pulse)        # (B,D,1,H,W) + (B,D,T,H,W)


@register("rfacenet", cites="zhu2024rfacenet")
class RFaceNet(PhysNet):
    """PhysNet, with a second branch that learns whose face it is and adds its map to those of the pulse.

    The identity branch sees one picture, the mean of the clip, in which hardly any pulse is left. It tells people apart
    by whatever the picture shows of them: the contours of the face, the paper hopes; clothes and room, if they always
    wear and keep the same. Its map is added to the pulse branch's, at every time alike.

    The paper feeds both branches the same pictures. Averaged, differences from frame to frame are no face any more, so
    here the pulse branch is fed differences, as PhysNet is, and the identity branch standardised pictures.

    Who is recognised are the people trained on. Others have a map, too, and are judged like everybody.

    Reference: Zhu et al. 2024 (``zhu2024rfacenet``). Layers of both branches are not told; the stages are PhysNet's.

    >>> network = RFaceNet(RFaceNet.tiny())
    >>> pulse, person = network(torch.zeros(2, 6, 64, 32, 32))
    >>> tuple(pulse.shape), tuple(person.shape)
    ((2, 64), (2, 4))
    """

    normalise: ClassVar = ("diff", "standard")
    after_features: ClassVar = ("readout", "classifier")
    published: ClassVar = Published(frames=64, size_px=128, source="zhu2024rfacenet", note="sizes are not told")

    @dataclass(frozen=True, kw_only=True)
    class Config(PhysNet.Config):
        people: int = 107                            # to be told apart; training sets it to how many there are
        fuse_at: int = 3                             # stage of the pulse branch: 1, 2, 3; 0 for none
        contour: str = "face"                        # what is added: "face", "noise" in its place, or "none"
        enlarge: int = 1                             # the mean picture, so many times
        pictures: int = 1                            # means of so many parts of the clip

    @classmethod
    def tiny(cls) -> Config:
        return cls.Config(size_px=32, frames=64, width=8, people=4)

    @classmethod
    def small(cls) -> Config:
        return cls.Config(size_px=36, frames=128, width=16, people=8)

    @classmethod
    def vipl(cls, **settings: object) -> Config:
        """Return the config for VIPL-HR: clips of 2 s, in which a rate is hardly defined."""
        return cls.Config(**{"size_px": 128, "frames": 64} | settings)

    @classmethod
    def toolbox(cls, **settings: object) -> Config:
        """Return the config between data sets: smaller pictures, the mean picture enlarged to twice their size."""
        return cls.Config(**{"size_px": 72, "frames": 128, "enlarge": 2} | settings)

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        c = self.config
        self._check_settings()
        self.fusion = self.identity = None
        if c.contour == "face":
            if c.frames % c.pictures:
                raise ValueError(f"{self._who}: {c.frames} frames cannot be averaged into {c.pictures} pictures. Take "
                                 f"a number that divides them.")
            self.multiple_of = math.lcm(self.multiple_of, c.pictures)
            self.compress = TemporalCompressor(c.pictures)
            self.identity = _identity_branch(3 * c.pictures, c.width)
            self.classifier = nn.Linear(c.width, c.people)
        if c.fuse_at:
            self.fusion = FeatureCombiner(face=c.width, pulse=c.width // 4 if c.fuse_at == 1 else c.width)

    def _check_settings(self) -> None:
        c = self.config
        if c.contour not in CONTOURS:
            raise ValueError(f"{self._who}: contour must be one of {', '.join(CONTOURS)}, got {c.contour!r}.")
        least = {"people": 2, "fuse_at": 0, "enlarge": 1, "pictures": 1}
        for name, low in least.items():
            value = getattr(c, name)
            high = max(STAGE_ENDS) if name == "fuse_at" else None
            if isinstance(value, bool) or not isinstance(value, int) or value < low or (high and value > high):
                raise ValueError(f"{self._who}: {name} must be a whole number from {low}{f' to {high}' if high else ''}"
                                 f", got {value!r}.")
        if bool(c.fuse_at) and c.contour == "none":
            raise ValueError(f"{self._who}: contour='none' leaves nothing to add. Set fuse_at=0 as well.")
        if not c.fuse_at and c.contour == "noise":
            raise ValueError(f"{self._who}: contour='noise' is added nowhere with fuse_at=0. Set fuse_at to 1, 2 or 3.")

    def features(self, frames: Tensor) -> Tensor:
        return self._both(frames)[0]

    def forward(self, frames: Tensor) -> Faced:
        features, face = self._both(frames)
        person = None if self.identity is None else self.classifier(face.mean((-2, -1)))
        return Faced(self.readout(features).squeeze(1), person)

    def face(self, frames: Tensor) -> Tensor:
        """Return the map of the identity branch ``(B, width, h, w)``."""
        if self.identity is None:
            raise ValueError(f"{self._who}: has no identity branch with contour={self.config.contour!r}.")
        picture = self.compress(frames[:, 3:])
        if self.config.enlarge > 1:
            picture = functional.interpolate(picture, scale_factor=float(self.config.enlarge), mode="bilinear",
                                             align_corners=False)
        return self.identity(picture.contiguous(memory_format=torch.channels_last))

    def _both(self, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the features of the pulse ``(B, width, T)``, and the map of the face."""
        self.check(frames)
        face = None if self.identity is None else self.face(frames)
        maps = frames[:, :3].contiguous(memory_format=torch.channels_last_3d)
        end = STAGE_ENDS[self.config.fuse_at] + 1 if self.fusion is not None else 0
        maps = self.encoder[:end](maps)
        if self.fusion is not None:
            maps = self.fusion(face if face is not None else self._noise(maps), maps)
        maps = self.decoder(self.encoder[end:](maps))                # -> (B,width,T,H/16,W/16)
        return maps.mean((-2, -1)), face

    def _noise(self, maps: Tensor) -> Tensor:
        """Return what stands for a face's map: noise while training; nothing afterwards, so that estimates repeat."""
        shape = (len(maps), self.config.width, *maps.shape[-2:])
        return torch.randn(shape, device=maps.device, dtype=maps.dtype) if self.training else maps.new_zeros(shape)


def _identity_branch(channels: int, width: int) -> nn.Sequential:
    """Return PhysNet's first three stages for a single picture, and two layers more."""
    def convolution(before: int, after: int, kernel: int = 3) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.BatchNorm2d(after),
                             nn.ReLU(inplace=True))

    return nn.Sequential(
        convolution(channels, width // 4, 5), nn.MaxPool2d(2),
        convolution(width // 4, width // 2), convolution(width // 2, width), nn.MaxPool2d(2),
        convolution(width, width), convolution(width, width), nn.MaxPool2d(2),
        convolution(width, width), convolution(width, width))
