"""Labels in steps, the published way: a small network, then codes that follow what it gives as moving averages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from ..quantize import LabelCodes, LabelLevels, Quantised
from ..quantize.codebook import SMOOTHING, exactly, several_processes
from ..quantize.kmeans import cells
from ..quantize.labels import Levels, check_bits, check_values
from ..quantize.result import straight_through, use_of
from .blocks import places
from .scan import MambaBlock

FRAMES = 160
"""Samples of a published clip: so many places the encoder knows."""

DILATIONS = (1, 2, 4, 8, 16)
DECAY, COMMITMENT = 0.99, 0.5


class LabelEncoder(nn.Module):
    """A wave, plus what convolutions over 125 samples make of it, plus curves that are the same for every wave.

    The last part is what the place in the clip and a Mamba block give. The block could look at all of the wave, but it
    comes after a layer norm over a single channel, and a number minus the mean of itself is 0: whatever the wave, the
    norm passes on its bias. So nothing is left but the wave and the convolutions, which begin small and which training
    has no reason to enlarge. All encoders that were released correlate with their input at 0.995 or more.
    """

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv1d(1, 1, 5, padding=2 * dilation, dilation=dilation) for dilation in DILATIONS]
        self.convolutions = nn.Sequential(*(part for layer in layers[:-1] for part in (layer, nn.GELU())), layers[-1])
        self.place = nn.Parameter(torch.zeros(1, FRAMES, 1))
        self.norm = nn.LayerNorm(1)
        self.mamba = MambaBlock(1, states=48, kernel=4, expand=2, bidirectional=True)

    def forward(self, waves: Tensor) -> Tensor:
        """``(B, T) -> (B, T)``. Of the places a shorter wave uses the first, a longer one all, stretched."""
        x = waves[:, None]                                           # (B,1,T)
        x = (x + self.convolutions(x)).transpose(1, 2) + places(self.place, x.shape[-1])
        return (x + self.mamba(self.norm(x))).squeeze(-1)            # (B,T,1) -> (B,T)


class LearnedLabels(LabelCodes):
    """Waves replaced by codes after an encoder, both learned. In eval mode nothing changes.

    The codes are moving averages of what is nearest to them. They begin near 0, and nothing brings back one that no
    sample chooses. As released, the evened-out counts are kept, not only used, and the sums begin at random: an unused
    code is thrown far outside at the first step, and comes back slowly until it meets the outermost samples.

    ``codes``, ``sums`` and ``counts`` are kept in ascending order of the codes, which means nothing to the averages and
    lets indices mean what those of :class:`~rppg_lib.quantize.LabelCodes` do. Weights are sorted when loaded.

    Args:
        bits: of an index; there are ``2 ** bits`` codes. With 5 there are 874 parameters, 810 of them the encoder's.

    Reference: Sung et al. 2026 (``sung2026lqrppg``), from its public code.

    >>> said = LearnedLabels(bits=3)(torch.randn(2, 160))
    >>> said.values.shape, said.indices.shape, int(said.indices.max()) < 8
    (torch.Size([2, 160]), torch.Size([2, 160]), True)
    """

    def __init__(self, bits: int) -> None:
        nn.Module.__init__(self)                                     # codes are no buffers here, and edges follow them
        count = 2 ** check_bits("LearnedLabels", [bits])[0]
        self.encoder = LabelEncoder()
        for name, start in (("codes", _spread(count).sort().values), ("sums", _spread(count))):
            setattr(self, name, nn.Parameter(start, requires_grad=False))        # parameters, as in the public code
        self.register_buffer("counts", torch.zeros(count))

    @property
    def edges(self) -> Tensor:
        """Where the cells of the codes end, ``(K - 1,)``: half-way to the next."""
        return (self.codes[1:] + self.codes[:-1]) / 2

    def encode(self, waves: Tensor) -> Tensor:
        """Return what is replaced by codes, ``(B, T) -> (B, T)``: close to the waves themselves."""
        check_values("LearnedLabels", waves)
        if waves.ndim != 2:
            raise ValueError(f"LearnedLabels: needs waves (B, T), got {tuple(waves.shape)}. One wave alone is "
                             f"wave[None].")
        with exactly(waves):
            return self.encoder(waves.to(self.codes.dtype))

    def query(self, waves: Tensor) -> Tensor:
        """Return the number of each sample's code, ``(B, T) -> (B, T)``, after the encoder. Never learns."""
        with torch.no_grad():
            return super().query(self.encode(waves))

    def forward(self, waves: Tensor) -> Quantised:
        """Replace the samples of waves ``(B, T)`` by codes; in training, learn from them."""
        encoded = self.encode(waves)
        with exactly(waves):
            indices = super().query(encoded)
            perplexity, usage = use_of(indices, len(self.codes))
            chosen = self.lookup(indices)
            loss = COMMITMENT * functional.mse_loss(encoded, chosen) if self.training else encoded.new_zeros(())
            if self.training:
                self._learn(encoded.detach().flatten(), indices.flatten())
        return Quantised(straight_through(encoded, chosen), indices, loss, perplexity, usage)

    def as_codes(self) -> LabelCodes:
        """Return the codes without the encoder, as they are now. Equal ones stay, so that indices mean the same."""
        return LabelCodes(self.codes, self.edges).to(self.codes.device)

    @torch.no_grad()
    def _learn(self, values: Tensor, indices: Tensor) -> None:
        """Move the codes towards the values that chose them; NaN and infinity do not count."""
        finite = values.isfinite()
        used, sums = cells(values.masked_fill(~finite, 0)[:, None], indices, len(self.codes), counted=finite)
        if several_processes():
            distributed.all_reduce(used)
            distributed.all_reduce(sums)
        counts = DECAY * self.counts + (1 - DECAY) * used
        total = counts.sum()
        counts = (counts + SMOOTHING) / (total + SMOOTHING * len(counts)) * total
        sums = DECAY * self.sums + (1 - DECAY) * sums[:, 0]
        self._keep(codes=sums / counts, sums=sums, counts=counts)

    @torch.no_grad()
    def _keep(self, *, codes: Tensor, sums: Tensor, counts: Tensor) -> None:
        codes, order = codes.sort(stable=True)
        self.codes.copy_(codes)
        self.sums.copy_(sums[order])
        self.counts.copy_(counts[order])

    def _load_from_state_dict(self, *args: Any, **options: Any) -> None:
        super()._load_from_state_dict(*args, **options)
        self._keep(codes=self.codes, sums=self.sums, counts=self.counts)


@dataclass(frozen=True, eq=False)
class Learned:
    """What quantisers make of waves.

    Attributes:
        levels: number of bits -> what its quantiser made of them.
        pulse: ``(B, T)``, the label in the finest steps.
    """

    levels: dict[int, Quantised]
    pulse: Tensor


class LearnedLevels(Levels):
    """Quantisers of labels that learn, at several numbers of bits, each by itself: ``levels[3]`` has eight codes.

    >>> LearnedLevels((1, 2))(torch.randn(4, 160)).levels[2].values.shape
    torch.Size([4, 160])
    """

    name: ClassVar[str] = "learned_labels"
    normalise: ClassVar[tuple[str, ...]] = ()
    target: ClassVar[str] = "wave"
    multiple_of: ClassVar[int] = 1

    def __init__(self, bits: Sequence[int] = (1, 2, 3, 4, 5)) -> None:
        super().__init__({each: LearnedLabels(each) for each in check_bits("LearnedLevels", bits)})

    @property
    def settings(self) -> dict[str, Any]:
        """What it takes to build it again, as plain values, for files."""
        return {"bits": list(self.bits)}

    def forward(self, waves: Tensor) -> Learned:
        said = {bits: self[bits](waves) for bits in self.bits}
        return Learned(said, said[self.bits[-1]].values)

    def as_codes(self) -> LabelLevels:
        """Return the codes of all levels without the encoders, as they are now."""
        return LabelLevels({bits: self[bits].as_codes() for bits in self.bits})


def _spread(count: int) -> Tensor:
    return torch.empty(count).uniform_(-1 / count, 1 / count)
