"""A 3-D convolution whose taps move with the face, in plain PyTorch.

What a tap sees is a weighted sum of four pixels. PyTorch has one call that adds up weighted rows of a table
(``embedding_bag``), and all taps of many frames go through it at once: no loop over the 27 taps on any device, and no
shapes to turn, as pixels lie in memory with their channels side by side.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

from .blocks import full_precision

TAPS = 27                                # of a 3x3x3 kernel, frame by frame, row by row
PACE = 0.1
"""Taps move a tenth as fast as weights learn. At full pace they leave maps of a few places, and see zeros only."""

NUMBERS_AT_A_TIME = {"cpu": 2 ** 21}     # of what the taps see: what stays in a processor's cache
ON_OTHER_DEVICES = 2 ** 27


class DeformableConv3d(nn.Module):
    """A 3x3x3 convolution that looks beside its grid: each tap at a place of its own, predicted from the input.

    Taps move within the picture and not in time, so that a kernel can follow a head that turns. Between pixels values
    are interpolated linearly, outside the picture they are 0. An untrained layer moves nothing: it begins as a plain
    convolution, and its first step already teaches it to move.

    Args:
        channels: of the input and of the output.
        offsets: ``"spatial"`` moves each of the 27 taps; ``"shared"`` moves all three of a place alike, whichever frame
            they look at.

    Reference: Dai et al. 2017 (``dai2017deformable``), there for pictures.

    >>> layer, maps = DeformableConv3d(8), torch.randn(2, 8, 30, 4, 4)
    >>> plain = functional.conv3d(maps, layer.convolution.weight, layer.convolution.bias, padding=1)
    >>> torch.allclose(layer(maps), plain, atol=1e-5)
    True
    """

    def __init__(self, channels: int, *, offsets: str = "spatial") -> None:
        super().__init__()
        if offsets not in ("spatial", "shared"):
            raise ValueError(f'DeformableConv3d: offsets must be "spatial" or "shared", got {offsets!r}.')
        self.convolution = nn.Conv3d(channels, channels, 3, padding=1)
        self.offset = nn.Conv3d(channels, 2 * (TAPS if offsets == "spatial" else TAPS // 3), 3, padding=1)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)

    def moves(self, maps: Tensor) -> Tensor:
        """Return how far each tap moves, as :func:`deformed_conv3d` takes it."""
        return PACE * self.offset(maps)

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> the same."""
        return deformed_conv3d(maps, self.moves(maps), self.convolution.weight, self.convolution.bias)


def deformed_conv3d(maps: Tensor, offsets: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return a 3x3x3 convolution, padded by 1, whose taps are moved within the picture.

    Places and interpolation are computed in float32 (float64 stays), products in the type of ``offsets``: under
    autocast that is the type of the convolution they come from. What the taps see, 27 times the input, is not kept for
    the backward pass but looked up again. Second derivatives are not there.

    Args:
        maps: ``(B, C, T, H, W)``.
        offsets: ``(B, 54, T, H, W)`` pixels down and right, pair after pair, for the taps in the order of the kernel;
            or ``(B, 18, T, H, W)``, the same for all three frames that the kernel spans.
        weight: ``(D, C, 3, 3, 3)``.
        bias: ``(D,)``.

    Returns:
        ``(B, D, T, H, W)``, of the type of ``offsets``.

    >>> picture = torch.arange(9.0).reshape(1, 1, 1, 3, 3)
    >>> centre = torch.zeros(1, 1, 3, 3, 3)
    >>> centre[..., 1, 1, 1] = 1
    >>> half_right = torch.tensor([0.0, 0.5]).repeat(27).reshape(1, 54, 1, 1, 1).expand(1, 54, 1, 3, 3)
    >>> deformed_conv3d(picture, half_right, centre)[0, 0, 0]
    tensor([[0.5000, 1.5000, 1.0000],
            [3.5000, 4.5000, 2.5000],
            [6.5000, 7.5000, 4.0000]])
    """
    b, _, *size = maps.shape
    if tuple(offsets.shape) not in [(b, 2 * taps, *size) for taps in (TAPS, TAPS // 3)]:
        raise ValueError(f"deformed_conv3d: needs offsets of {2 * TAPS} or {2 * TAPS // 3} channels, otherwise shaped "
                         f"like the maps {tuple(maps.shape)}, got {tuple(offsets.shape)}.")
    if offsets.shape[1] < 2 * TAPS:
        offsets = offsets.repeat(1, 3, 1, 1, 1)
    kind = offsets.dtype
    table = weight.flatten(2).permute(2, 1, 0).flatten(0, 1).to(kind)                        # (27 C, D)
    look = full_precision(maps).movedim(1, -1).contiguous()                                  # (B,T,H,W,C)
    out = torch.ops.rppg_lib.deformed_conv3d(look, _places(full_precision(offsets)).to(look.dtype), table)
    return (out if bias is None else out + bias.to(kind)).movedim(-1, 1)


def _places(offsets: Tensor) -> Tensor:
    """Return where each tap looks, row and column, not farther out than the zeros around the picture.

    ``(B, 54, T, H, W) -> (B, T, H, W, 27, 2)``.
    """
    h, w = offsets.shape[-2:]
    step = torch.arange(-1, 2, device=offsets.device)
    rows = torch.arange(h, device=offsets.device)[:, None, None, None, None] + step[:, None]
    columns = torch.arange(w, device=offsets.device)[:, None, None, None] + step
    plain = torch.stack([grid.expand(h, w, 3, 3, 3) for grid in (rows, columns)], -1).view(h, w, TAPS, 2)
    places = offsets.movedim(1, -1).unflatten(-1, (TAPS, 2)) + plain
    return torch.stack([places[..., 0].clamp(-1, h), places[..., 1].clamp(-1, w)], -1)


@torch.library.custom_op("rppg_lib::deformed_conv3d", mutates_args=())
def _deformed(maps: Tensor, places: Tensor, table: Tensor) -> Tensor:
    b, t, h, w, _ = maps.shape
    out = table.new_empty(b * t, h * w, table.shape[1])
    rows = _rows(maps)
    with torch.autocast(maps.device.type, enabled=False):
        for part in _parts(maps):
            first, down, right = _between(places, part)
            seen = _seen(rows, *_neighbours(first, down, right, w))
            out[part] = (seen.to(table.dtype) @ table).view_as(out[part])
    return out.view(b, t, h, w, -1)


@_deformed.register_fake
def _(maps, places, table):
    return table.new_empty(*maps.shape[:4], table.shape[1])


@torch.library.custom_op("rppg_lib::deformed_conv3d_backward", mutates_args=())
def _deformed_backward(grad: Tensor, maps: Tensor, places: Tensor, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    b, t, h, w, c = maps.shape
    rows = _rows(maps)
    grad = grad.view(b * t, h * w, -1)
    to_rows, to_places = torch.zeros_like(rows), places.new_empty(b * t, h * w * TAPS, 2)
    to_table = torch.zeros_like(table, dtype=maps.dtype)             # a sum over parts: in full precision
    with torch.autocast(maps.device.type, enabled=False):
        for part in _parts(maps):
            first, down, right = _between(places, part)
            which, share = _neighbours(first, down, right, w)
            to_out = grad[part].flatten(0, 1)
            to_table += _seen(rows, which, share).to(table.dtype).t() @ to_out
            to_seen = (to_out @ table.t()).to(rows.dtype).view(-1, c)
            near = _range(part, t, (h + 2) * (w + 2))
            to_rows[near] += _spread(to_seen, which - near.start, share, near.stop - near.start)
            to_places[part] = _to_places(rows, to_seen, which, down, right).view_as(to_places[part])
    to_maps = to_rows.view(b, t + 2, h + 2, w + 2, c)[:, 1:-1, 1:-1, 1:-1].contiguous()
    return to_maps, to_places.view_as(places), to_table.to(table.dtype)


@_deformed_backward.register_fake
def _(grad, maps, places, table):
    return tuple(torch.empty_like(tensor) for tensor in (maps, places, table))


def _keep(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx, grad):
    return torch.ops.rppg_lib.deformed_conv3d_backward(grad.contiguous(), *ctx.saved_tensors)


_deformed.register_autograd(_backward, setup_context=_keep)


@register_flop_formula(torch.ops.rppg_lib.deformed_conv3d)
def _flops(maps, places, table, *_, **__) -> int:
    """Return what PyTorch's counter is told: the products of a plain convolution, without the interpolation."""
    return 2 * math.prod(maps[:4]) * math.prod(table)


@register_flop_formula(torch.ops.rppg_lib.deformed_conv3d_backward)
def _flops_backward(grad, maps, places, table, *_, **__) -> int:
    return 2 * _flops(maps, places, table)


def _parts(maps: Tensor) -> list[slice]:
    """Return pieces of the batch's frames, one after the other, for which what the taps see fits into near memory."""
    b, t, h, w, c = maps.shape
    length = max(NUMBERS_AT_A_TIME.get(maps.device.type, ON_OTHER_DEVICES) // (TAPS * h * w * c), 1)
    return [slice(begin, min(begin + length, b * t)) for begin in range(0, b * t, length)]


def _range(part: slice, t: int, pixels: int) -> slice:
    """Return the rows that taps of some frames can see: from the frame before the first to the one after the last."""
    first, last = part.start, part.stop - 1
    return slice((first + 2 * (first // t)) * pixels, (last + 2 * (last // t) + 3) * pixels)


def _rows(maps: Tensor) -> Tensor:
    """Return all pixels one below the other, with a border of zeros in space and time: ``(B (T+2) (H+2) (W+2), C)``."""
    return functional.pad(maps, (0, 0, 1, 1, 1, 1, 1, 1)).flatten(0, 3)


def _between(places: Tensor, part: slice) -> tuple[Tensor, Tensor, Tensor]:
    """Return the row of the pixel above and left of each tap of some frames, and how far down and right the tap is."""
    _, t, h, w = places.shape[:4]
    frame = torch.arange(part.start, part.stop, device=places.device)
    frame = frame + 2 * (frame // t)                                 # with the frames of zeros before it
    look = torch.arange(3, device=places.device).repeat_interleave(TAPS // 3).repeat(h * w)
    place = places.flatten(0, 1)[part].flatten(1, 3) + 1             # (f,HW27,2), counted from the border
    y, x = place[..., 0], place[..., 1]
    above, left = y.long().clamp(0, h), x.long().clamp(0, w)         # a place that is not a number gets a row, too
    first = ((frame[:, None] + look) * (h + 2) + above) * (w + 2) + left
    return first.flatten(), (y - above).flatten(), (x - left).flatten()


def _neighbours(first: Tensor, down: Tensor, right: Tensor, w: int) -> tuple[Tensor, Tensor]:
    """Return the rows of the four pixels around each tap, and their shares: both ``(n, 4)``."""
    two = torch.arange(2, device=first.device)
    which = first[:, None] + (two[:, None] * (w + 2) + two).flatten()
    up, left = 1 - down, 1 - right
    return which, torch.stack([up * left, up * right, down * left, down * right], -1)


def _seen(rows: Tensor, which: Tensor, share: Tensor) -> Tensor:
    """Return what the taps see, place by place: ``(n / 27, 27 C)``."""
    seen = functional.embedding_bag(which, rows, per_sample_weights=share, mode="sum")
    return seen.view(-1, TAPS * rows.shape[1])


def _spread(to_seen: Tensor, which: Tensor, share: Tensor, number: int) -> Tensor:
    """Return what each of a number of rows was seen as: the reverse of :func:`_seen`.

    Sorted by row it is again a weighted sum: without collisions, and always in the same order.
    """
    key, order = which.flatten().int().sort(stable=True)
    starts = torch.searchsorted(key, torch.arange(number, device=key.device, dtype=key.dtype))
    return functional.embedding_bag(order >> 2, to_seen, starts, per_sample_weights=share.flatten()[order], mode="sum")


def _to_places(rows: Tensor, to_seen: Tensor, which: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Return the gradient to where the taps look: ``(n, 2)``."""
    n, device = len(which), rows.device
    to_share = torch.ops.aten._embedding_bag_per_sample_weights_backward(
        to_seen, rows, which.flatten(), torch.arange(0, 4 * n, 4, device=device),
        torch.arange(n, device=device).repeat_interleave(4), 0)
    above_left, above, left, here = to_share.view(n, 4).unbind(-1)
    return torch.stack([torch.lerp(left - above_left, here - above, right),
                        torch.lerp(above - above_left, here - left, down)], -1)
