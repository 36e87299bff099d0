"""Layers that several networks are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def check_width(who: str, width: int, *, multiple_of: int, at_least: int) -> None:
    """Refuse a width that cannot be divided among a network's layers."""
    if width < at_least or width % multiple_of:
        raise ValueError(f"{who}: width must be at least {at_least} and a multiple of {multiple_of}, got {width!r}.")


def frames_apart(frames: Tensor) -> Tensor:
    """Return a clip's pictures as a batch, for layers that look at one at a time: ``(B,C,T,H,W) -> (B*T,C,H,W)``.

    A pixel's colours lie side by side in memory, as in a video, which is what convolutions are fastest with.
    """
    return frames.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)


def full_precision(values: Tensor) -> Tensor:
    """Return half-precision values as float32, others as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def steps_between(frames: Tensor) -> Tensor:
    """Return the change from each picture to the next, in full precision; the last is 0, so that the length stays.

    Half precision would be too coarse: from one frame to the next a pulse changes a pixel by a thousandth.

    Args:
        frames: ``(B, C, T, H, W)``.

    >>> steps_between(torch.tensor([1.0, 3.0, 6.0]).reshape(1, 1, 3, 1, 1)).flatten()
    tensor([2., 3., 0.])
    """
    return functional.pad(full_precision(frames).diff(dim=2), (0, 0, 0, 0, 0, 1))


def temporal_shift(maps: Tensor, *, clips: int, segment: int) -> Tensor:
    """Return maps in which each frame sees its neighbours: a third of the channels comes from the next frame, a third
    from the previous one, the rest stays. No arithmetic, no weights.

    The video is thought of as cut into segments, across which nothing is passed on; zeros come in there instead. The
    last segment may be shorter.

    Args:
        maps: ``(B*T, C, H, W)``, frame after frame, clip after clip.
        clips: B.
        segment: frames that belong together.

    Reference: Liu et al. 2020 (``liu2020tscan``).

    >>> three_channels = torch.arange(1.0, 6).reshape(5, 1, 1, 1).expand(5, 3, 1, 1)         # frames 1 to 5
    >>> temporal_shift(three_channels, clips=1, segment=3)[:, :, 0, 0].T
    tensor([[2., 3., 0., 5., 0.],
            [0., 1., 2., 0., 4.],
            [1., 2., 3., 4., 5.]])
    """
    third = maps.shape[1] // 3
    first = torch.arange(len(maps) // clips, device=maps.device) % segment == 0
    first = first.repeat(clips).reshape(-1, 1, 1, 1)
    last = first.roll(-1, dims=0)                                    # before the next segment, or the next clip
    from_next = maps[:, :third].roll(-1, dims=0).masked_fill(last, 0)
    from_previous = maps[:, third:2 * third].roll(1, dims=0).masked_fill(first, 0)
    shifted = torch.cat([from_next, from_previous, maps[:, 2 * third:]], dim=1)
    return shifted.contiguous(memory_format=torch.channels_last)      # which cat does not keep


def places(known: Tensor, length: int) -> Tensor:
    """Return what a network has learned of each time of its clips ``(1, T, C)``, for a clip of another length.

    A shorter clip has the beginning of it; for a longer one it is stretched.

    >>> places(torch.tensor([[[0.0], [2.0]]]), 3).flatten()
    tensor([0., 1., 2.])
    """
    if length <= known.shape[1]:
        return known[:, :length]
    return functional.interpolate(known.transpose(1, 2), length, mode="linear", align_corners=True).transpose(1, 2)


def attention_mask(scores: Tensor) -> Tensor:
    """Return the share of attention each place of a map gets, ``(..., H, W)``, half on average.

    A place can gain only what others lose: the sum over a map is always ``H * W / 2``.

    Args:
        scores: ``(..., H, W)``, before the sigmoid.

    Reference: Chen and McDuff 2018 (``chen2018deepphys``).

    >>> attention_mask(torch.tensor([[[[-9.0, 9.0], [-9.0, -9.0]]]])).round(decimals=2)
    tensor([[[[0., 2.],
              [0., 0.]]]])
    """
    gate = scores.sigmoid()
    return 0.5 * gate / gate.mean((-2, -1), keepdim=True)


def convolution_stream(width: int) -> nn.ModuleList:
    """Return the four convolutions that DeepPhys and its kin put on colour pictures: half the width, then all of it.

    Each pair keeps the map's size first and then trims its border by one pixel.
    """
    half = width // 2
    return nn.ModuleList([nn.Conv2d(3, half, 3, padding=1), nn.Conv2d(half, half, 3),
                          nn.Conv2d(half, width, 3, padding=1), nn.Conv2d(width, width, 3)])


class FrameReadout(nn.Module):
    """One number per frame from its flattened map: ``(B, D, T) -> (B, T)``, by two dense layers.

    Args:
        size_px, width: of the pictures and of the stream whose maps are read. They give ``D``, which is kept as
            ``channels``: a stream of four convolutions trims and halves the picture twice.
        dense: neurons between the two layers.
        dropout: between them.
        side: rows and columns of the maps, where they are others.
    """

    def __init__(self, *, size_px: int, width: int, dense: int, dropout: float, side: int | None = None) -> None:
        super().__init__()
        side = side or ((size_px - 2) // 2 - 2) // 2
        self.channels = side * side * width
        self.layers = nn.Sequential(nn.Linear(self.channels, dense), nn.Tanh(), nn.Dropout(dropout),
                                    nn.Linear(dense, 1))

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features.transpose(1, 2)).squeeze(-1)


class TemporalDifferenceConv(nn.Module):
    """A 3-D convolution of which a share ``theta`` looks at changes over time only.

    From the frames before and after, ``theta`` times the frame between is taken away (summed over the kernel's area).
    So with ``theta`` 1 the outer two frames of the kernel see differences, and with 0 it is a plain convolution.
    """

    def __init__(self, channels: int, theta: float) -> None:
        super().__init__()
        self.theta = theta
        self.convolution = nn.Conv3d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        outer = self.convolution.weight[:, :, ::2].sum((2, 3, 4))[..., None, None, None]       # (C,C,1,1,1)
        return self.convolution(x) - self.theta * functional.conv3d(x, outer)
