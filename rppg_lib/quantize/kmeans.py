"""k-means: the codes that a heap of vectors would choose for itself."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDS = 20


@torch.no_grad()
def kmeans(vectors: Tensor, count: int) -> Tensor:
    """Return ``count`` means, each the mean of the vectors that are nearer to it than to any other.

    The first guesses are vectors themselves, drawn so that a vector far from all guesses before it is likely the next
    (k-means++). Chance comes from torch's own generator. Vectors with NaN or infinite parts are left out; where there
    are fewer different vectors than means, some means are equal.

    Args:
        vectors: ``(n, D)``.
        count: how many means.

    Returns:
        ``(count, D)``.

    Reference: Arthur and Vassilvitskii 2007 (``arthur2007kmeans``).

    >>> heaps = torch.tensor([[0.0], [1.0], [50.0], [52.0]])
    >>> kmeans(heaps, 2).sort(dim=0).values.flatten()
    tensor([ 0.5000, 51.0000])
    """
    finite = vectors.isfinite().all(-1)
    vectors = vectors.masked_fill(~finite[:, None], 0)
    means = _spread_out(vectors, finite, count)
    for _ in range(ROUNDS):
        used, sums = cells(vectors, nearest(vectors, means), count, counted=finite)
        means = torch.where(used[:, None] > 0, sums / used.clamp_min(1)[:, None], means)    # an empty cell stays
    return means


def distances(vectors: Tensor, codes: Tensor) -> Tensor:
    """Return how far each vector is from each code: ``(n, D), (N, D) -> (n, N)``.

    From differences: what is faster, |z|^2 - 2zc + |c|^2, loses the small distances of long vectors.
    """
    kind = torch.promote_types(vectors.dtype, codes.dtype)
    return torch.cdist(vectors.to(kind), codes.to(kind), compute_mode="donot_use_mm_for_euclid_dist")


def nearest(vectors: Tensor, codes: Tensor) -> Tensor:
    """Return the number of the code nearest to each vector, ``(n,)``; of equally near ones the first."""
    return distances(vectors.detach(), codes.detach()).argmin(-1)


def cells(vectors: Tensor, indices: Tensor, count: int, *, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many vectors chose each code, ``(N,)``, and their sums, ``(N, D)``.

    A product with zeros and ones, because adding at indices gives other last bits at every run on a GPU.
    """
    members = (indices == torch.arange(count, device=indices.device)[:, None]) & counted            # (N, n)
    members = members.to(vectors.dtype)
    return members.sum(-1), members @ vectors


def _spread_out(vectors: Tensor, finite: Tensor, count: int) -> Tensor:
    weights = finite.to(vectors.dtype)
    chosen = []
    for _ in range(count):
        # The race of exponential clocks draws an index by its weight; unlike multinomial, it never stops the device.
        clocks = torch.empty_like(weights).exponential_().clamp_min(torch.finfo(weights.dtype).tiny)
        chosen.append(vectors.index_select(0, (weights / clocks).argmax().reshape(1)))             # (1, D)
        far = (vectors - chosen[-1]).square().sum(-1) * finite
        weights = far if len(chosen) == 1 else torch.minimum(weights, far)
    return torch.cat(chosen)
