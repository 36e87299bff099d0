"""Vectors replaced by codes: a number says which of a few vectors stands there.

=========================  ===============================================================================
quantiser                  a vector becomes
=========================  ===============================================================================
:class:`Codebook`          the nearest of N codes, which learn where vectors lie
:class:`ResidualCodebook`  a sum: the nearest code, and the nearest code to what that leaves over
:class:`FiniteScalar`      a point of a fixed grid, behind projections that learn
=========================  ===============================================================================

All three have ``forward(z) -> Quantised``, ``query(z) -> indices`` and ``lookup(indices) -> codes``, for vectors in the
last axis of any shape. :func:`kmeans` is how a codebook starts, :func:`code_statistics` how much of it is in use.
A NaN among the vectors gives NaN in ``values`` and in the loss, and never enters a codebook's averages.

Single numbers are quantised by :class:`LabelCodes`: each sample of a contact wave becomes one of a few values. They are
fitted at several numbers of bits, as :class:`LabelLevels`, to waves that went through :class:`LabelFilter`.

>>> import torch
>>> from rppg_lib.quantize import Codebook
>>> book = Codebook(Codebook.Config(codes=4, dim=2, warmup_steps=0))
>>> corners = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
>>> said = book(corners)                           # in training the first call starts the codes: k-means
>>> bool(said.values.equal(corners)), said.usage.item()
(True, 1.0)
"""

from .codebook import Codebook
from .finite import FiniteScalar
from .kmeans import kmeans
from .labels import LabelCodes, LabelFilter, LabelLevels
from .residual import ResidualCodebook
from .result import Quantised, code_statistics

__all__ = ["Codebook", "FiniteScalar", "LabelCodes", "LabelFilter", "LabelLevels", "Quantised", "ResidualCodebook",
           "code_statistics", "kmeans"]
