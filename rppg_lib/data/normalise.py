"""What networks are fed: pictures as differences or standardised, labels to match. On the device where they are.

The field's three ways, on one clip at a time (public code normalises the whole video first and cuts it afterwards;
then a clip's scale depends on what lies outside of it):

``diff``      change from frame to frame over the sum of both, divided by its standard deviation; the last frame is 0
``standard``  minus the mean, over the standard deviation, of all values together
``raw``       0 to 1
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

EPS = 1e-7
FULL_SCALE = 255.0
PIECE = 16                               # frames at a time: what a processor keeps at hand


def normalise(frames: Tensor, kinds: Sequence[str]) -> Tensor:
    """Return pictures ``(B, T, H, W, 3)`` as a network takes them: ``(B, 3 * len(kinds), T, H, W)`` float.

    Args:
        frames: uint8, or floats from 0 to 255 (that augmentation made).
        kinds: of ``diff``, ``standard`` and ``raw``; several are stacked along the channels.

    >>> video = torch.arange(2 * 8 * 4 * 4 * 3).reshape(2, 8, 4, 4, 3).to(torch.uint8)
    >>> normalise(video, ("diff", "standard")).shape
    torch.Size([2, 6, 8, 4, 4])
    """
    if frames.ndim != 5 or frames.shape[-1] != 3:
        raise ValueError(f"normalise: needs pictures (B, T, H, W, 3), got {tuple(frames.shape)}. "
                         f"Colours come last here; a batch of one is frames[None].")
    unknown = [kind for kind in kinds if kind not in NORMALISERS]
    if unknown or not kinds or isinstance(kinds, str):
        raise ValueError(f"normalise: needs kinds out of {', '.join(NORMALISERS)}, as a tuple, got {kinds!r}.")
    made = torch.empty(*frames.shape[:-1], 3 * len(kinds), device=frames.device)
    for clip, out in zip(frames, made):
        for number, kind in enumerate(kinds):
            NORMALISERS[kind](clip, out[..., 3 * number:3 * number + 3])
    return made.movedim(-1, 1)                                       # (B,T,H,W,C) -> (B,C,T,H,W)


def resized(frames: Tensor, size_px: int) -> Tensor:
    """Return pictures ``(B, T, H, W, 3)`` of ``size_px`` times ``size_px``: averaged where they become smaller.

    Whole numbers stay whole, and pictures that have the size already stay as they are.

    >>> resized(torch.arange(16).reshape(1, 1, 4, 4, 1).expand(-1, -1, -1, -1, 3).byte(), 2)[0, 0, ..., 0]
    tensor([[ 2,  4],
            [10, 12]], dtype=torch.uint8)
    """
    if frames.shape[2:4] == (size_px, size_px):
        return frames
    smaller = min(frames.shape[2:4]) >= size_px
    how = {"mode": "area"} if smaller else {"mode": "bilinear", "align_corners": False}
    made = [functional.interpolate(clip.permute(0, 3, 1, 2).float(), size=(size_px, size_px), **how)
            for clip in frames]                                      # (T,H,W,3) -> (T,3,H,W)
    made = torch.stack([clip.permute(0, 2, 3, 1) for clip in made])
    return made if frames.is_floating_point() else made.round().to(frames.dtype)


def target(label: Tensor, kind: str) -> Tensor:
    """Return labels ``(B, T)`` as a network is to estimate them.

    Args:
        label: pulse waves, systole up.
        kind: ``wave`` (standardised), or ``change`` (steps from frame to frame over their standard deviation, last 0).
    """
    if label.ndim != 2:
        raise ValueError(f"target: needs labels (B, T), got {tuple(label.shape)}.")
    if kind == "wave":
        return _standardised(label)
    if kind == "change":
        steps = label.diff(dim=-1)
        steps = steps / steps.std(dim=-1, correction=0, keepdim=True).clamp_min(EPS)
        return torch.cat([steps, torch.zeros_like(steps[:, :1])], dim=-1)
    raise ValueError(f"target: kind must be 'wave' or 'change', got {kind!r}.")


def _diff(clip: Tensor, out: Tensor) -> None:
    total = squares = 0.0
    for at in range(0, len(clip) - 1, PIECE):
        pixels = clip[at:at + PIECE + 1].float()
        before, after = pixels[:-1], pixels[1:]
        steps = (after - before).div_((after + before).add_(EPS))
        out[at:at + len(steps)] = steps
        flat = steps.flatten()
        total, squares = total + flat.sum(dtype=torch.float64), squares + flat.dot(flat).double()
    count = out[:-1].numel()
    out[:-1] /= (squares / count - (total / count).square()).clamp_min(0).sqrt().clamp_min(EPS).float()
    out[-1] = 0                                                      # so that the length stays


def _standard(clip: Tensor, out: Tensor) -> None:
    total = squares = 0.0
    for piece in clip.split(PIECE):
        flat = piece.float().flatten()
        total, squares = total + flat.sum(dtype=torch.float64), squares + flat.dot(flat).double()
    mean = total / clip.numel()
    scale = (squares / clip.numel() - mean.square()).clamp_min(0).sqrt().clamp_min(EPS)
    for piece, part in zip(clip.split(PIECE), out.split(PIECE)):
        part[:] = (piece.float() - mean.float()).div_(scale.float())


def _raw(clip: Tensor, out: Tensor) -> None:
    for piece, part in zip(clip.split(PIECE), out.split(PIECE)):
        part[:] = piece.float().div_(FULL_SCALE)


def _standardised(values: Tensor) -> Tensor:
    flat = values.flatten(1)
    shape = (-1, *[1] * (values.ndim - 1))
    scale = flat.std(dim=1, correction=0).clamp_min(EPS).reshape(shape)
    return (values - flat.mean(dim=1).reshape(shape)) / scale


NORMALISERS = {"diff": _diff, "standard": _standard, "raw": _raw}
