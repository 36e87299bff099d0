"""Finite scalar quantisation: few numbers, each rounded to few levels. Every combination is a code; none can die."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .codebook import check_indices, check_vectors, exactly, flat, is_whole
from .result import Quantised, straight_through, use_of

MARGIN = 1e-3                            # beyond the outermost levels, so that they can be reached


class FiniteScalar(nn.Module):
    """A vector is projected to a few numbers, each is bounded and rounded to one of its levels, and projected back.

    Nothing has to be kept alive, started or pulled together: the codes are a grid that never moves, and ``loss`` is 0.
    What learns are the two projections. A code put in again need not come out again, for the way out is not the
    inverse of the way in.

    Args:
        dim: D.
        levels: how many values each number may take, at least 3; their product is the number of codes.

    Reference: Mentzer et al. 2024 (``mentzer2024fsq``).

    >>> FiniteScalar(dim=8, levels=(4, 4, 4)).lookup(torch.arange(64)).shape
    torch.Size([64, 8])
    """

    def __init__(self, dim: int = 64, levels: tuple[int, ...] = (4, 4, 4)) -> None:
        super().__init__()
        if not is_whole(dim, 1):
            raise ValueError(f"FiniteScalar: dim must be a whole number of at least 1, got {dim!r}.")
        if not isinstance(levels, tuple | list) or not levels or not all(is_whole(level, 3) for level in levels):
            raise ValueError(f"FiniteScalar: levels must be one or several whole numbers of at least 3, "
                             f"got {levels!r}. (4, 4, 4) makes 64 codes.")
        self.dim, self.levels, self.size = dim, tuple(levels), math.prod(levels)
        self.inwards = nn.Linear(dim, len(levels))
        self.outwards = nn.Linear(len(levels), dim)
        strides = [math.prod(levels[:i]) for i in range(len(levels))]             # the first number counts fastest
        for name, values in (("_levels", levels), ("_strides", strides)):
            self.register_buffer(name, torch.tensor(values), persistent=False)

    def extra_repr(self) -> str:
        return f"{self.size} codes of {self.dim}, {' x '.join(map(str, self.levels))} levels"

    @property
    def codes(self) -> Tensor:
        """All codes, ``(N, D)``."""
        return self.lookup(torch.arange(self.size, device=self._levels.device))

    def forward(self, z: Tensor) -> Quantised:
        """Replace vectors ``(..., D)`` by codes."""
        check_vectors("FiniteScalar", z, self.dim)
        with exactly(z):
            bounded = self._bounded(z)
            steps = straight_through(bounded, bounded.round())                                     # (n, K)
            indices = self._numbered(steps)
            values = self._projected(steps).to(z.dtype).reshape(z.shape)
        perplexity, usage = use_of(indices, self.size)
        return Quantised(values, indices.reshape(z.shape[:-1]), bounded.new_zeros(()), perplexity, usage)

    def query(self, z: Tensor) -> Tensor:
        """Return the number of the code of each vector, ``(..., D) -> (...)``."""
        check_vectors("FiniteScalar", z, self.dim)
        with exactly(z):
            return self._numbered(self._bounded(z).round()).reshape(z.shape[:-1])

    def lookup(self, indices: Tensor) -> Tensor:
        """Return codes by their numbers, ``(...) -> (..., D)``."""
        check_indices("FiniteScalar", indices)
        steps = indices[..., None] // self._strides % self._levels - self._levels // 2
        with exactly(self.outwards.weight):
            return self._projected(steps.to(self.outwards.weight.dtype))

    def _bounded(self, z: Tensor) -> Tensor:
        """Return the few numbers, between -L/2 and (L-1)/2 of their L levels, still unrounded, ``(n, K)``."""
        inner = self.inwards(flat(z).to(self.inwards.weight.dtype))
        half = (self._levels - 1) * (1 + MARGIN) / 2
        offset = 0.5 * (self._levels % 2 == 0)                       # an even number of levels has none in the middle
        return torch.tanh(inner + torch.atanh(offset / half)) * half - offset

    def _numbered(self, steps: Tensor) -> Tensor:
        steps = steps.detach().nan_to_num().long()                   # of NaN too: a number that is one of a code
        return ((steps + self._levels // 2) * self._strides).sum(-1)

    def _projected(self, steps: Tensor) -> Tensor:
        return self.outwards(steps / (self._levels // 2))
