"""What quantising gives, and how much of a codebook is in use."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Quantised:
    """Vectors replaced by codes.

    Attributes:
        values: ``(..., D)`` codes in place of vectors; their gradient goes straight through to the vectors.
        indices: ``(...)`` number of each code; of a residual codebook ``(..., depth)``.
        loss: ``()`` what pulls vectors and codes towards each other; 0 where nothing learns.
        perplexity: ``()`` how many codes this call used, were they used evenly: exp(entropy).
        usage: ``()`` share of the codes that this call used at all.
    """

    values: Tensor
    indices: Tensor
    loss: Tensor
    perplexity: Tensor
    usage: Tensor


def straight_through(vectors: Tensor, codes: Tensor) -> Tensor:
    """Return ``codes``, to the bit, with a gradient that goes to ``vectors`` as if nothing had been replaced.

    >>> vector = torch.tensor([0.3], requires_grad=True)
    >>> straight_through(vector, torch.tensor([1.0])).mul(5).backward()
    >>> vector.grad
    tensor([5.])
    """
    return codes.detach() + (vectors - vectors.detach())


def use_of(indices: Tensor, codes: int) -> tuple[Tensor, Tensor]:
    """Return perplexity and usage of ``codes`` codes, both ``()``, without making an accelerator wait."""
    indices = indices.flatten()
    counts = torch.zeros(codes, dtype=torch.long, device=indices.device)
    counts.scatter_add_(0, indices, torch.ones_like(indices))            # of whole numbers: their order is no matter
    share = counts / len(indices)
    return torch.special.entr(share).sum().exp(), (share > 0).float().mean()


def code_statistics(indices: Tensor, codes: int) -> tuple[int, float]:
    """Return how many of ``codes`` codes a whole set of indices uses, and their perplexity.

    >>> code_statistics(torch.tensor([0, 0, 5, 5]), 64)
    (2, 2.0)
    """
    if not isinstance(indices, Tensor) or indices.is_floating_point() or indices.is_complex() or not indices.numel():
        came = f"{indices.dtype} {tuple(indices.shape)}" if isinstance(indices, Tensor) else type(indices).__name__
        raise ValueError(f"code_statistics: needs a tensor of at least one whole number, got {came}. "
                         f"Give it Quantised.indices.")
    lowest, highest = int(indices.min()), int(indices.max())
    if lowest < 0 or highest >= codes:
        raise ValueError(f"code_statistics: indices must be from 0 to {codes - 1}, got {lowest} to {highest}. "
                         f"Give the number of codes of the codebook they come from.")
    counts = torch.bincount(indices.flatten(), minlength=codes).double()
    return int((counts > 0).sum()), torch.special.entr(counts / counts.sum()).sum().exp().item()
