"""Residual quantisation: a second codebook for what the first leaves over, a third for what both leave."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .codebook import Codebook, check_indices, check_vectors, exactly, is_whole
from .result import Quantised, straight_through


class ResidualCodebook(nn.Module):
    """Codebooks one after the other; a vector is replaced by the sum of one code of each.

    With N codes each they say N ** depth different vectors, the coarse part first. ``loss`` is the sum of theirs,
    ``perplexity`` and ``usage`` are their means. :attr:`books` holds them.

    Args:
        depth: how many codebooks.
        config: of each of them.

    Reference: Zeghidour et al. 2021 (``zeghidour2021soundstream``).

    >>> books = ResidualCodebook(depth=3, config=Codebook.Config(codes=16, dim=8))
    >>> books.query(torch.zeros(2, 5, 8)).shape
    torch.Size([2, 5, 3])
    """

    def __init__(self, depth: int = 2, config: Codebook.Config | None = None) -> None:
        super().__init__()
        if not is_whole(depth, 1):
            raise ValueError(f"ResidualCodebook: depth must be a whole number of at least 1, got {depth!r}.")
        self.books = nn.ModuleList(Codebook(config) for _ in range(depth))
        self.config = self.books[0].config

    def forward(self, z: Tensor) -> Quantised:
        """Replace vectors ``(..., D)`` by sums of codes; in training, learn from them. Indices are ``(..., depth)``."""
        check_vectors("ResidualCodebook", z, self.config.dim)
        with exactly(z):
            rest, said = _exact(z), []
            for book in self.books:
                said.append(book(rest))
                rest = rest - said[-1].values.detach()
            codes = sum(one.values.detach() for one in said)
            values = straight_through(z, codes.to(z.dtype))
            loss, perplexity, usage = (torch.stack([getattr(one, name) for one in said])
                                       for name in ("loss", "perplexity", "usage"))
        return Quantised(values, torch.stack([one.indices for one in said], dim=-1), loss.sum(), perplexity.mean(),
                         usage.mean())

    def query(self, z: Tensor) -> Tensor:
        """Return the numbers of the codes whose sum stands for each vector, ``(..., D) -> (..., depth)``."""
        check_vectors("ResidualCodebook", z, self.config.dim)
        with exactly(z):
            rest, indices = _exact(z), []
            for book in self.books:
                indices.append(book.query(rest))
                rest = rest - book.lookup(indices[-1])
            return torch.stack(indices, dim=-1)

    def lookup(self, indices: Tensor) -> Tensor:
        """Return sums of codes by their numbers, ``(..., depth) -> (..., D)``; fewer numbers give a coarser vector."""
        check_indices("ResidualCodebook", indices)
        if indices.ndim < 1 or not 1 <= indices.shape[-1] <= len(self.books):
            raise ValueError(f"ResidualCodebook: needs numbers of codes (..., {len(self.books)}), or fewer at the end, "
                             f"got {tuple(indices.shape)}. Give what query() returned.")
        return sum(book.lookup(one) for book, one in zip(self.books, indices.unbind(-1)))


def _exact(z: Tensor) -> Tensor:
    """Return vectors in float32, or float64 if they came so: what is left over is small."""
    return z.to(torch.promote_types(z.dtype, torch.float32))
