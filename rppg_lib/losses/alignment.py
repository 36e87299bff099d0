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
NEGLIGIBLE = -64.0                       # a neighbour 2^64 times less likely than the likeliest has probability 0: the
                                         # numbers below 2^-126 would take a processor three times as long
WALL = 1e15                              # a frame so far off that meeting it costs as much
BLOCK = 12                               # diagonals that share one range of rows: few views, few wasted cells


@dataclass(eq=False)
class Block:
    """Some consecutive diagonals over rows ``q >= low``, and what the way back needs of them."""

    start: int
    stop: int
    low: int
    came_from: Tensor | None = None      # (K,3,n,2B) probability of: above, left, both
    tangents: Tensor | None = None       # (K+2,n+1,2B), with the two diagonals before and a row of margin


@dataclass(eq=False)
class Table:
    """The two halves of a batch's tables after the forward pass; the second half is clips B to 2B."""

    x: Tensor                            # (N,2B) the first series in units of ``unit``, last frame first
    y: Tensor                            # (2N-1,2B) the second one, behind a wall that no path can pass
    gamma: float
    unit: float
    penalty: Tensor                      # (N,N,1) the (i - j)^2 of every cell
    blocks: list[Block]
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
                  _time_penalty(n, x), _blocks(n))
    last = x.new_full((3, n + 1, 2 * clips), NEVER)    # scores of the latest three diagonals, number d in d % 3
    last[-2 % 3, n].zero_()                            # every path starts beyond the first corner
    latest = x.new_zeros(2, 1, 2 * clips) if time else None    # tangents of the latest two diagonals, the margin only
    for block, came_from in zip(table.blocks, _rooms(table, keep=keep)):
        block.came_from = came_from
        if time:
            _start_tangents(table, block, latest)
            latest = block.tangents[-2:]
        _fill_block(table, block, last)
        if not keep:
            block.came_from = block.tangents = None
        if block.start == 0:
            last[-2 % 3, n].fill_(NEVER)               # and may not start there again
    _meet(table, last[(n - 1) % 3, :n], last[(n - 2) % 3, 1:n], latest)
    return table


def _rooms(table: Table, *, keep: bool) -> list[Tensor]:
    """Return each block's memory for ``came_from``, or the same for all if it need not be kept."""
    n, clips = table.x.shape
    shapes = [(block.stop - block.start, 3, n - block.low, clips) for block in table.blocks]
    sizes = [math.prod(shape) for shape in shapes]
    # In one piece: of many small ones the C library would hand the memory back to the system at the end of every call,
    # and to get it anew takes half as long as the work.
    room = table.x.new_empty(sum(sizes) if keep else max(sizes))
    parts = room.split(sizes) if keep else [room[:size] for size in sizes]
    return [part.view(shape) for part, shape in zip(parts, shapes)]


def _start_tangents(table: Table, block: Block, latest: Tensor) -> None:
    """Make room for a block's tangents: each cell's own ``(i - j)^2``, below the two diagonals before."""
    _, known, clips = latest.shape
    rows = len(table.x) + 1 - block.low
    block.tangents = latest.new_zeros(block.stop - block.start + 2, rows, clips)
    block.tangents[:2, rows - known:] = latest
    block.tangents[2:, :-1] = table.penalty[block.start:block.stop, block.low:]


def _fill_block(table: Table, block: Block, last: Tensor) -> None:
    """Fill a block's diagonals. Views are made once per block and results written in place: calls are what costs."""
    here, up = last[:, block.low:-1].unbind(), last[:, block.low + 1:].unbind()
    differences = table.differences(block)
    top, total = last.new_empty(2, *differences.shape[1:]).unbind()
    differences = differences.unbind()
    stacks, parts = block.came_from.unbind(), block.came_from.flatten(0, 1).unbind()
    if block.tangents is not None:
        t_here, t_up = block.tangents[:, :-1].unbind(), block.tangents[:, 1:].unbind()
    for k, d in enumerate(range(block.start, block.stop)):
        above, left, both = up[(d - 1) % 3], here[(d - 1) % 3], up[(d - 2) % 3]
        from_above, from_left, from_both = parts[3 * k:3 * k + 3]
        torch.maximum(above, left, out=top)
        torch.maximum(top, both, out=top)              # the largest exponent becomes 0: no overflow
        torch.sub(above, top, out=from_above)
        torch.sub(left, top, out=from_left)
        torch.sub(both, top, out=from_both)
        torch.threshold_(stacks[k], NEGLIGIBLE, NEVER).exp2_()
        torch.add(from_above, from_left, out=total).add_(from_both)
        stacks[k].div_(total)
        top.add_(total.log2_())
        torch.addcmul(top, differences[k], differences[k], value=-1, out=here[d % 3])
        if block.tangents is not None:                 # the mean of the neighbours on top of the cell's own
            t_here[k + 2].addcmul_(from_above, t_up[k + 1]).addcmul_(from_left, t_here[k + 1])
            t_here[k + 2].addcmul_(from_both, t_up[k])


def _meet(table: Table, middle: Tensor, before: Tensor, tangents: Tensor | None) -> None:
    """Join the halves.

    Args:
        middle, before: scores of the middle diagonal ``(N,2B)`` and of the one before it ``(N-1,2B)``.
        tangents: of the one before and the middle one, ``(2,N+1,2B)``, if wanted.
    """
    n = len(middle)
    # Both halves have counted the middle cell, so it is taken out once.
    cost = (table.x - table.y[n - 1:]).square().chunk(2, 1)[0]
    scores = torch.cat([_add_halves(middle) + cost, _add_halves(before)])
    top = scores.amax(0)
    weights = (scores - top).exp2_()
    total = weights.sum(0)
    table.options = weights.div_(total)
    table.value = -table.unit**2 * (top + total.log2())
    if tangents is not None:
        visit = _add_halves(tangents[1, :n]) - table.penalty[-1]
        table.option_times = torch.cat([visit, _add_halves(tangents[0, 1:n])])
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
    carry = [shape * table.options]
    if time:
        chance = table.options * (time / table.gamma)
        carry = [carry[0] + chance * (table.time - table.option_times), chance]
    # Per plane, the diagonal n - 2 with the jumps and the middle one with the visits, each seen by both halves.
    latest = table.x.new_zeros(len(carry), 2, n + 1, clips)
    for plane, options in zip(latest, carry):
        visit, jump = options[:n], options[n:]
        plane[1, :n] = torch.cat([visit, visit.flip(0)], 1)
        plane[0, 1:n] = torch.cat([jump, jump.flip(0)], 1)
    if time:
        latest[0].addcmul_(table.blocks[-1].tangents[-2:], latest[1])
    for block in reversed(table.blocks):
        latest = latest[:, :, latest.shape[2] - (n + 1 - block.low):]
        slope, latest = _carry_back(table, block, latest)
        if block.stop == n:
            slope[-1, :, clips // 2:].zero_()
        yield block, slope


def _carry_back(table: Table, block: Block, latest: Tensor) -> tuple[Tensor, Tensor]:
    """Hand each cell's slope on to the three cells it may have come from.

    With a time term, ``p`` turns as well: a cell that is visited with chance ``c`` adds ``c p (mean - t)`` to the slope
    of a cell it may have come from, with the tangent ``t`` of that cell and the mean of all three. Summed over the
    cells that follow, the last part is ``t`` times the chance of that cell itself. So the first plane carries the
    slope plus tangent times chance, which moves by ``p`` alone, as the chances in the second plane do.

    Args:
        latest: ``(P,2,n+1,2B)`` what was handed to the block's last two diagonals.

    Returns:
        the block's slopes ``(K,n,2B)``, and what was handed to the two diagonals before it.
    """
    planes, _, rows, clips = latest.shape
    count = block.stop - block.start
    carry = latest.new_zeros(planes, count + 2, rows, clips)     # from diagonal start - 2 on
    carry[:, -2:] = latest
    here, up = carry[:, :, :-1].unbind(1), carry[:, :, 1:].unbind(1)
    parts = block.came_from.flatten(0, 1).unbind()
    first, chance = carry[0, 2:, :-1], carry[-1, 2:, :-1]
    timed = planes == 2
    if timed:
        penalty = table.penalty[block.start:block.stop, block.low:].expand(-1, -1, clips).contiguous()
        penalties, firsts, chances = penalty.unbind(), first.unbind(), chance.unbind()
    for k in range(count - 1, -1, -1):
        if timed:
            firsts[k].addcmul_(penalties[k], chances[k], value=-1)   # from its tangent to the mean of its neighbours
        source = here[k + 2]
        up[k + 1].addcmul_(parts[3 * k], source)
        here[k + 1].addcmul_(parts[3 * k + 1], source)
        up[k].addcmul_(parts[3 * k + 2], source)
    if not timed:
        return first, carry[:, :2]
    means = torch.sub(block.tangents[2:, :-1], penalty, out=penalty)
    return torch.addcmul(first, means, chance, value=-1), carry[:, :2]


def slopes(table: Table, *, shape: float, time: float, second: bool = True) -> list[Tensor]:
    """Return the slopes of the loss that :func:`visits` names: by the first series and, if wanted, by the second.

    Each is ``(N,B)``.
    """
    n, clips = table.x.shape
    by_x, by_y = torch.zeros_like(table.x), torch.zeros_like(table.y) if second else None
    for block, slope in visits(table, shape=shape, time=time):
        product = table.differences(block).mul_(slope)
        by_x[block.low:] += product.sum(0)
        if second:
            # Read with one column less per row, the same memory has each row shifted by one: columns are frames of y.
            count, width = product.shape[:2]
            padded = torch.cat([product, product.new_zeros(count, count, clips)], 1)
            reach = width + count - 1
            shifted = padded.as_strided((count, reach, clips), (reach * clips, clips, 1))
            by_y[block.start + block.low:][:reach] -= shifted.sum(0)
    found = [_add_halves(by_x).flip(0), _add_halves(by_y[n - 1:])] if second else [_add_halves(by_x).flip(0)]
    return [slope.mul_(2 * table.unit) for slope in found]


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
