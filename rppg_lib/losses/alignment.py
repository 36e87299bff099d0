"""The arithmetic of soft dynamic time warping: all clips of a batch at once, one anti-diagonal after the other.

Warping aligns every frame of one series with a frame of the other; a path through the table of squared differences
goes down, right, or both. Soft-DTW takes the soft minimum over all paths, ``-gamma log sum exp(-cost / gamma)``.
Cells on one anti-diagonal do not depend on each other, so each is one step for the whole batch:

* forward: the soft minimum of each cell, and ``p``, the probabilities that the path came from above, left or both;
* with it the *tangent*, the slope of that minimum when each cell's cost grows by ``(i - j)^2``. For the whole path
  this is its expected ``(i - j)^2``, the time term of DILATE, so no second automatic derivative is needed;
* backward: the chance that the path visits a cell, and the slope of the time term, from the same ``p``.

The table looks the same from its last corner, so both halves are filled at once, as if they were twice the clips, and
meet on the middle diagonal: half the steps. A path either visits that diagonal or jumps over it.

A diagonal is kept by row number counted from below, ``q = N - 1 - i``, because then the frames of the second series
that it meets are a window that moves by one: ``j = d + q - (N - 1)``. A cell's neighbours are ``q + 1`` (above) and
``q`` (left) on the diagonal before, ``q + 1`` on the one before that. Time comes first and clips last, ``(N, B)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

NEVER = -1e30                            # score of a cell outside the table: its probability is exactly 0
WALL = 1e15                              # a frame so far off that meeting it costs as much
BLOCK = 8                                # diagonals that share one range of rows: few views, few wasted cells


@dataclass(eq=False)
class Block:
    """Some consecutive diagonals over rows ``q >= low``, and what the way back needs of them."""

    start: int
    stop: int
    low: int
    came_from: Tensor | None = None      # (K,3,n,2B) probability of: above, left, both
    tangent: Tensor | None = None        # (K,n,2B) tangent before the cell's own (i - j)^2


@dataclass(eq=False)
class Table:
    """The two halves of a batch's tables after the forward pass; the second half is clips B to 2B."""

    x: Tensor                            # (N,2B) the first series in units of ``unit``, last frame first
    y: Tensor                            # (2N-1,2B) the second one, behind a wall that no path can pass
    gamma: float
    unit: float
    blocks: list[Block]
    tangents: Tensor | None = None       # (N+2,N+1,2B), with two diagonals and one row of margin
    options: Tensor | None = None        # (2N-1,B) probability to visit each middle cell, or to jump at each place
    option_times: Tensor | None = None   # (2N-1,B) expected (i - j)^2 along the path for each of these
    value: Tensor | None = None          # (B,) soft minimum
    time: Tensor | None = None           # (B,) expected (i - j)^2 along the path

    def differences(self, block: Block) -> Tensor:
        """Return ``x_i - y_j`` of a block's cells ``(K,n,2B)``; outside the table it is huge."""
        n, clips = self.x.shape
        windows = self.y.as_strided((block.stop - block.start, n - block.low, clips), (clips, clips, 1),
                                    (block.start + block.low) * clips)
        return self.x[block.low:] - windows


def fill(x: Tensor, y: Tensor, *, gamma: float, time: bool, keep: bool) -> Table:
    """Run the forward pass over two series ``(N,B)``.

    Args:
        time: also compute the tangents.
        keep: hold what the way back needs.
    """
    n, clips = x.shape
    # In these units a path weighs 2^-cost: powers of 2 are the fastest to compute, and 0 at once where they underflow.
    unit = math.sqrt(gamma * math.log(2))
    x, y = x / unit, y / unit
    both_y = torch.cat([y, y.flip(0)], 1)
    table = Table(torch.cat([x.flip(0), x], 1), torch.cat([torch.full_like(both_y[1:], WALL), both_y]), gamma, unit,
                  _blocks(n))
    if time:
        table.tangents = x.new_empty(n + 2, n + 1, 2 * clips)
        table.tangents[:2] = 0
        table.tangents[2:, n] = 0
        table.tangents[2:, :n] = _time_penalty(n, x)   # to which each cell's mean is added
    last = x.new_full((3, n + 1, 2 * clips), NEVER)    # scores of the latest three diagonals, number d in d % 3
    last[-2 % 3, n] = 0                                # every path starts beyond the first corner
    for block in table.blocks:
        _fill_block(table, block, last)
        if not keep:
            block.came_from = block.tangent = None
        if block.start == 0:
            last[-2 % 3, n] = NEVER                    # and may not start there again
    _meet(table, last[(n - 1) % 3, :n], last[(n - 2) % 3, 1:n])
    return table


def _fill_block(table: Table, block: Block, last: Tensor) -> None:
    """Fill a block's diagonals. Views are made once per block and results written in place: calls are what costs."""
    here, up = last[:, block.low:-1].unbind(), last[:, block.low + 1:].unbind()
    differences = table.differences(block)
    count, *row = differences.shape
    differences = differences.unbind()
    top, total = last.new_empty(2, *row).unbind()
    block.came_from = last.new_empty(count, 3, *row)
    stacks, parts = block.came_from.unbind(), block.came_from.flatten(0, 1).unbind()
    if table.tangents is not None:
        block.tangent = last.new_empty(count, *row)
        means = block.tangent.unbind()
        rows = table.tangents[block.start:block.stop + 2]
        t_here, t_up = rows[:, block.low:-1].unbind(), rows[:, block.low + 1:].unbind()
    for k, d in enumerate(range(block.start, block.stop)):
        above, left, both = up[(d - 1) % 3], here[(d - 1) % 3], up[(d - 2) % 3]
        from_above, from_left, from_both = parts[3 * k:3 * k + 3]
        torch.maximum(above, left, out=top)
        torch.maximum(top, both, out=top)              # the largest exponent becomes 0: no overflow
        torch.sub(above, top, out=from_above)
        torch.sub(left, top, out=from_left)
        torch.sub(both, top, out=from_both)
        stacks[k].exp2_()
        torch.add(from_above, from_left, out=total).add_(from_both)
        stacks[k].div_(total)
        top.add_(total.log2_())
        torch.addcmul(top, differences[k], differences[k], value=-1, out=here[d % 3])
        if table.tangents is not None:
            mean = torch.mul(from_above, t_up[k + 1], out=means[k])
            mean.addcmul_(from_left, t_here[k + 1]).addcmul_(from_both, t_up[k])
            t_here[k + 2].add_(mean)


def _meet(table: Table, middle: Tensor, before: Tensor) -> None:
    """Join the halves, given the scores of the middle diagonal ``(N,2B)`` and of the one before it ``(N-1,2B)``."""
    n = len(middle)
    # Both halves have counted the middle cell, so it is taken out once.
    cost = (table.x - table.y[n - 1:]).square().chunk(2, 1)[0]
    scores = torch.cat([_add_halves(middle) + cost, _add_halves(before)])
    top = scores.amax(0)
    weights = (scores - top).exp2_()
    total = weights.sum(0)
    table.options = weights.div_(total)
    table.value = -table.unit**2 * (top + total.log2())
    if table.tangents is not None:
        visit = _add_halves(table.tangents[-1, :n]) - _time_penalty(n, table.x)[-1]
        table.option_times = torch.cat([visit, _add_halves(table.tangents[-2, 1:n])])
        table.time = (table.options * table.option_times).sum(0)


def _add_halves(rows: Tensor) -> Tensor:
    """Add both halves of a diagonal ``(n,2B)`` -> ``(n,B)``: seen from the other corner, rows are in opposite order."""
    first, second = rows.chunk(2, 1)
    return first + second.flip(0)


def visits(table: Table, *, shape: float = 1.0, time: float = 0.0) -> Iterator[tuple[Block, Tensor]]:
    """Yield each block, last first, with the slope of ``shape * soft minimum + time * expected (i - j)^2``.

    It is the slope by each cell's cost, ``(K, n, 2B)``; the middle diagonal counts in the first half only. With
    ``shape=1, time=0`` it is the chance that the path visits the cell.
    """
    n, clips = table.x.shape
    # Of the three latest diagonals, the slope so far. With a time term also the chance of a visit times time / gamma,
    # which is what the slope gains where the path's chances turn.
    start = [shape * table.options]
    if time:
        chance = table.options * (time / table.gamma)
        start = [start[0] + chance * (table.time - table.option_times), chance]
    carry = table.x.new_zeros(3, len(start), n + 1, clips)
    for plane, options in enumerate(start):
        visit, jump = options[:n], options[n:]
        carry[(n - 1) % 3, plane, :n] = torch.cat([visit, visit.flip(0)], 1)
        carry[(n - 2) % 3, plane, 1:n] = torch.cat([jump, jump.flip(0)], 1)
    for block in reversed(table.blocks):
        slope = _carry_back(table, block, carry)
        if block.stop == n:
            slope[-1, :, clips // 2:] = 0
        yield block, slope


def _carry_back(table: Table, block: Block, carry: Tensor) -> Tensor:
    """Hand each cell's slope on to the three cells it may have come from; return the block's slopes ``(K,n,2B)``."""
    here, up = carry[:, :, block.low:-1].unbind(), carry[:, :, block.low + 1:].unbind()
    slope_here, slope_up = carry[:, 0, block.low:-1].unbind(), carry[:, 0, block.low + 1:].unbind()
    whole = carry.unbind()
    slopes = carry.new_empty(block.stop - block.start, *slope_here[0].shape)
    parts, stored = block.came_from.flatten(0, 1).unbind(), slopes.unbind()
    turns = carry.shape[1] == 2
    if turns:
        chance = carry[:, 1, block.low:-1].unbind()
        bends = _bends(table, block).flatten(0, 1).unbind()
    for d in range(block.stop - 1, block.start - 1, -1):
        k, now, one, two = 3 * (d - block.start), d % 3, (d - 1) % 3, (d - 2) % 3
        source = here[now]
        stored[d - block.start].copy_(slope_here[now])
        up[one].addcmul_(parts[k], source)
        here[one].addcmul_(parts[k + 1], source)
        up[two].addcmul_(parts[k + 2], source)
        if turns:
            slope_up[one].addcmul_(bends[k], chance[now])
            slope_here[one].addcmul_(bends[k + 1], chance[now])
            slope_up[two].addcmul_(bends[k + 2], chance[now])
        whole[now].zero_()                             # it is used again for diagonal d - 3
    return slopes


def _bends(table: Table, block: Block) -> Tensor:
    """Return ``p * (mean tangent - tangent)`` of the three neighbours ``(K,3,n,2B)``: how each ``p`` turns.

    The difference is taken before any product, so where one neighbour is certain it is exactly zero.
    """
    before = table.tangents[block.start + 1:block.stop + 1]
    two_before = table.tangents[block.start:block.stop]
    bends = torch.empty_like(block.came_from)
    torch.sub(block.tangent, before[:, block.low + 1:], out=bends[:, 0])
    torch.sub(block.tangent, before[:, block.low:-1], out=bends[:, 1])
    torch.sub(block.tangent, two_before[:, block.low + 1:], out=bends[:, 2])
    return bends.mul_(block.came_from)


def slopes(table: Table, *, shape: float, time: float) -> tuple[Tensor, Tensor]:
    """Return the slopes by the two series, each ``(N,B)``, of the loss that :func:`visits` names."""
    n, clips = table.x.shape
    by_x, by_y = torch.zeros_like(table.x), torch.zeros_like(table.y)
    for block, slope in visits(table, shape=shape, time=time):
        count, width = slope.shape[:2]
        padded = slope.new_empty(count, width + count, clips)
        padded[:, width:] = 0
        product = torch.mul(slope, table.differences(block), out=padded[:, :width])
        by_x[block.low:] += product.sum(0)
        # Read with one column less per row, the same memory has each row shifted by one: columns are then frames of y.
        stride = (width + count - 1) * clips
        shifted = padded.as_strided((count, width + count - 1, clips), (stride, clips, 1))
        first = block.start + block.low
        by_y[first:first + width + count - 1] -= shifted.sum(0)
    return 2 * table.unit * _add_halves(by_x).flip(0), 2 * table.unit * _add_halves(by_y[n - 1:])


def visit_table(table: Table) -> Tensor:
    """Return the chance that the path visits each cell ``(N,N,B)``."""
    n, clips = table.x.shape
    halves = table.x.new_zeros(2 * n - 1, n, clips)
    for block, chance in visits(table):
        halves[block.start:block.stop, block.low:] = chance
    first, second = halves.chunk(2, 2)
    skewed = first + second.flip(0, 1)
    clips //= 2
    # (2N-1,N,B) -> (N,N,B): cell (i, j) lies on diagonal i + j at q = N - 1 - i
    return skewed.as_strided((n, n, clips), ((n - 1) * clips, n * clips, 1), (n - 1) * clips)


def _blocks(n: int) -> list[Block]:
    """Cut the diagonals up to the middle one into blocks; the first block holds the corner alone."""
    bounds = [0, *range(1, n, BLOCK), n]
    return [Block(start, stop, low=n - stop) for start, stop in pairwise(bounds)]


def _time_penalty(n: int, like: Tensor) -> Tensor:
    """Return ``(i - j)^2`` of every diagonal up to the middle one ``(N, N, 1)``."""
    d = torch.arange(n, device=like.device, dtype=like.dtype)[:, None]
    i = torch.arange(n - 1, -1, -1, device=like.device, dtype=like.dtype)
    return (2 * i - d).square()[..., None]
