"""Labels in steps: each sample of a contact wave becomes one of a few values, two of them at the coarsest level.

A level of ``b`` bits has ``2**b`` codes. Where they lie is a matter of the kind:

============  ================================================================================================
kind          codes
============  ================================================================================================
``lloyd``     each the mean of the samples that are nearest to it (:func:`rppg_lib.signal.lloyd`)
``quantile``  each the mean of an equal share of the samples
``uniform``   evenly between two limits
``mulaw``     between the same limits, closer to each other near 0, as telephones have them
============  ================================================================================================

The published fifth kind, with a small network before its codes, is
:class:`rppg_lib.models.learned_labels.LearnedLabels`. All are for labels that went through :class:`LabelFilter`.

>>> raw = torch.sin(torch.arange(160.0) / 4)[None] + 50              # (1, T), at 30 samples per second
>>> waves = LabelFilter()(raw, 30)
>>> levels = LabelLevels.fit(waves, bits=(1, 2))
>>> levels[1].codes.round(decimals=1)                                # 1 bit: up and down
tensor([-0.9000,  0.9000])
>>> levels[2](waves).values.unique().numel()
4
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from .. import signal
from ..registry import near_miss
from ..signal.filters import check_band
from ..signal.lloyd import cell_ends, midpoints
from ..types import check_fs
from .codebook import check_indices, exactly, is_number, is_whole
from .result import Quantised, straight_through, use_of

KINDS = ("lloyd", "quantile", "uniform", "mulaw")
MOST_BITS = 8
MU = 255.0


class LabelFilter(nn.Module):
    """A label as it is quantised: band-passed without a shift in time, then zero mean and unit standard deviation.

    The same as :func:`rppg_lib.signal.bandpass` and :func:`~rppg_lib.signal.standardise`, on any device: filtering is
    linear in the wave, so it is one product with a ``(T, T)`` matrix. For clips of seconds, not for hours.

    Args:
        band_hz: lower and upper edge, as published; None: no band-pass. 2.5 Hz cuts rates above 150 bpm.
        order: of the Butterworth filter.
    """

    def __init__(self, band_hz: tuple[float, float] | None = (0.75, 2.5), order: int = 1) -> None:
        super().__init__()
        self.band_hz = None if band_hz is None else check_band("LabelFilter", band_hz)
        if not is_whole(order, 1):
            raise ValueError(f"LabelFilter: order must be a whole number of at least 1, got {order!r}.")
        self.order = order

    def extra_repr(self) -> str:
        return "no band" if self.band_hz is None else "{:g} to {:g} Hz, order {}".format(*self.band_hz, self.order)

    def forward(self, waves: Tensor, fs: float) -> Tensor:
        """``(B, T) -> (B, T)``, in float32 at least. A wave that never changes becomes 0."""
        check_values("LabelFilter", waves)
        if waves.ndim != 2 or waves.shape[1] < 2:
            raise ValueError(f"LabelFilter: needs waves (B, T) of at least 2 samples, got {tuple(waves.shape)}. "
                             f"One wave alone is wave[None].")
        waves = waves.to(torch.promote_types(waves.dtype, torch.float32))
        waves = waves - waves[:, :1]                     # a level far from 0 costs digits, and nothing depends on it
        if self.band_hz is not None:
            band = check_band("LabelFilter", self.band_hz, fs=check_fs("LabelFilter", fs))
            with exactly(waves):
                waves = waves @ _filtering(waves.shape[1], float(fs), band, self.order, waves.dtype, waves.device)
        waves = waves - waves.mean(-1, keepdim=True)
        spread = waves.std(-1, correction=0, keepdim=True)
        return waves / torch.where(spread > 0, spread, math.inf)


class LabelCodes(nn.Module):
    """Numbers replaced by the code in whose cell they fall. Nothing here learns.

    In float32, whatever comes; a NaN stays one. With edges of its own the code of a number need not be the nearest, and
    then not the one with the largest logit.

    Args:
        codes: ``(K,)``, ascending; equal ones are allowed, for a quantiser that learns may give them.
        edges: ``(K - 1,)`` between the cells; a number on an edge belongs below it. Default: half-way between codes,
            so that each number gets the nearest code.

    >>> said = LabelCodes(torch.tensor([-1.0, 0.0, 2.0]))(torch.tensor([-7.0, 0.6, 1.4]))
    >>> said.indices, said.values
    (tensor([0, 1, 2]), tensor([-1.,  0.,  2.]))
    """

    def __init__(self, codes: Tensor | np.ndarray, edges: Tensor | np.ndarray | None = None) -> None:
        super().__init__()
        codes, edges = (None if numbers is None else torch.as_tensor(numbers, device="cpu").detach().double()
                        for numbers in (codes, edges))
        if codes.ndim != 1 or len(codes) < 2 or not codes.isfinite().all() or not (codes.diff() >= 0).all():
            raise ValueError(f"LabelCodes: needs at least 2 codes (K,) in ascending order, got {codes.tolist()!r:.80}.")
        edges = (codes[1:] + codes[:-1]) / 2 if edges is None else edges
        if edges.shape != (len(codes) - 1,) or not edges.isfinite().all() or not (edges.diff() >= 0).all():
            raise ValueError(f"LabelCodes: needs {len(codes) - 1} edges in ascending order, one less than codes, got "
                             f"{edges.tolist()!r:.80}.")
        self.register_buffer("codes", codes.float())
        self.register_buffer("edges", _rounded_down(edges))

    def extra_repr(self) -> str:
        return f"{len(self.codes)} codes"

    @property
    def bits(self) -> int:
        """How many bits the number of a code takes."""
        return (len(self.codes) - 1).bit_length()

    def query(self, values: Tensor) -> Tensor:
        """Return the number of each value's code, ``(...) -> (...)``."""
        check_values("LabelCodes", values)
        return torch.bucketize(values.detach().float().contiguous(), self.edges.float())

    def lookup(self, indices: Tensor) -> Tensor:
        """Return codes by their numbers, ``(...) -> (...)``."""
        check_indices("LabelCodes", indices)
        return self.codes[indices]

    def logits(self, values: Tensor, *, temperature: float = 1.0) -> Tensor:
        """Return how much each value leans to each code, ``(...) -> (..., K)``: minus its distance."""
        check_values("LabelCodes", values)
        if not is_number(temperature) or not 0 < temperature < math.inf:
            raise ValueError(f"LabelCodes: temperature must be a positive number, got {temperature!r}.")
        return -(values[..., None] - self.codes).abs() / temperature

    def soft(self, values: Tensor, *, temperature: float = 1.0) -> Tensor:
        """Return the mean of the codes, each with the probability that its logit gives: smooth, and never outside."""
        shares = self.logits(values, temperature=temperature).softmax(-1)
        return (shares * self.codes).sum(-1)             # no product of matrices: autocast would round it

    def forward(self, values: Tensor) -> Quantised:
        """Replace each value by its code; the gradient goes straight through."""
        indices = self.query(values)
        perplexity, usage = use_of(indices, len(self.codes))
        chosen = straight_through(values, self.lookup(indices).to(values.dtype))
        return Quantised(chosen, indices, self.codes.new_zeros(()), perplexity, usage)


class Levels(nn.ModuleDict):
    """The same labels at several numbers of bits: ``levels[3]`` has eight codes.

    Args:
        levels: number of bits -> quantiser.
    """

    def __init__(self, levels: Mapping[int, nn.Module]) -> None:
        super().__init__({str(bits): level for bits, level in levels.items()})

    def __getitem__(self, bits: int) -> nn.Module:
        try:
            return super().__getitem__(str(bits))
        except KeyError:
            raise KeyError(f"{type(self).__name__}: there is no level of {bits!r} bits, only of "
                           f"{', '.join(self)}.") from None

    @property
    def bits(self) -> tuple[int, ...]:
        """Of each level, from coarse to fine as they were given."""
        return tuple(int(name) for name in self)


class LabelLevels(Levels):
    """Labels in steps that lie where they were fitted, at several numbers of bits. See :mod:`rppg_lib.quantize.labels`.

    Two with the same bits can exchange their state dicts.
    """

    @classmethod
    def fit(cls, waves: Tensor | np.ndarray, *, kind: str = "lloyd", bits: Sequence[int] = (1, 2, 3, 4, 5),
            nested: bool = False, limit: float = 2.5) -> Self:
        """Return levels for waves like these.

        Args:
            waves: ``(..., T)``, prepared as labels will be. Of people trained on only: codes fitted to those tested on
                would carry what is to be found out.
            kind: see above.
            bits: of each level.
            nested: join the cells of a level from those of the finest, so that the first ``b`` bits of a sample's fine
                number are its number at ``b`` bits, exactly. Otherwise each ``lloyd`` level is the best it can be by
                itself; the other kinds are nested anyway.
            limit: of ``uniform`` and ``mulaw``, which do not look at samples: codes lie within plus and minus this.
        """
        bits = check_bits(cls.__name__, bits)
        if kind not in KINDS:
            raise ValueError(f"{cls.__name__}: there is no kind {kind!r}.{near_miss(kind, KINDS)} "
                             f"Kinds: {', '.join(KINDS)}.")
        heap = _samples(cls.__name__, waves)
        if kind in ("uniform", "mulaw"):
            return cls({b: _laid(cls.__name__, kind, 2 ** b, limit) for b in bits})
        different = len(np.unique(heap))
        if different < 2 ** bits[-1]:
            raise ValueError(f"{cls.__name__}: needs at least {2 ** bits[-1]} different values for {bits[-1]} bits, "
                             f"got {different}. Give more waves; or take fewer bits, if these are in steps already.")
        if kind == "quantile":
            return cls({b: _of_cells(heap, np.quantile(heap, np.arange(1, 2 ** b) / 2 ** b)) for b in bits})
        if not nested:
            return cls({b: LabelCodes(signal.lloyd(heap, 2 ** b)) for b in bits})
        finest = midpoints(signal.lloyd(heap, 2 ** bits[-1]))
        joined = {b: 2 ** (bits[-1] - b) for b in bits}                  # how many of the finest cells make one
        return cls({b: _of_cells(heap, finest[joined[b] - 1::joined[b]]) for b in bits})

    @classmethod
    def even(cls, bits: Sequence[int] = (1, 2, 3, 4, 5), *, limit: float = 2.5) -> Self:
        """Return levels whose codes lie evenly within plus and minus ``limit``: what there is before any label."""
        return cls({b: _laid(cls.__name__, "uniform", 2 ** b, limit) for b in check_bits(cls.__name__, bits)})


def check_bits(who: str, bits: Sequence[int]) -> tuple[int, ...]:
    """Return numbers of bits, each once, from coarse to fine, or say what is wrong."""
    if not isinstance(bits, Sequence) or not bits or not all(is_whole(b, 1) and b <= MOST_BITS for b in bits):
        raise ValueError(f"{who}: bits must be whole numbers from 1 to {MOST_BITS}, one for each level, got {bits!r}.")
    return tuple(sorted(set(bits)))


def check_values(who: str, values: Tensor) -> None:
    """Refuse what are no numbers to quantise. Values are not looked at."""
    if not isinstance(values, Tensor) or not values.is_floating_point():
        came = str(values.dtype) if isinstance(values, Tensor) else type(values).__name__
        raise TypeError(f"{who}: needs values as a floating-point tensor, got {came}. "
                        f"Use torch.as_tensor(...).float().")
    if not values.numel():
        raise ValueError(f"{who}: needs at least one value, got an empty tensor {tuple(values.shape)}.")


@functools.lru_cache(maxsize=8)
def _filtering(frames: int, fs: float, band_hz: tuple[float, float], order: int, dtype: torch.dtype,
               device: torch.device) -> Tensor:
    """Return the matrix that waves ``(B, T)`` are multiplied with to filter them: what becomes of single samples."""
    matrix = signal.bandpass(np.eye(frames), fs=fs, band_hz=band_hz, order=order)
    with torch.inference_mode(False):                    # kept beyond the call that asks for it
        return torch.tensor(matrix.copy(), dtype=dtype, device=device)     # the filter gives it back to front


def _rounded_down(edges: Tensor) -> Tensor:
    """Return float32 edges with the same float32 numbers below and above: what lay on the edge still lies below."""
    near = edges.float()
    return torch.where(near > edges, near.nextafter(torch.full_like(near, -math.inf)), near)


def _samples(who: str, waves: Tensor | np.ndarray) -> np.ndarray:
    """Return all samples in ascending order, as exact as they will be asked for."""
    if isinstance(waves, Tensor):
        waves = waves.detach().cpu().to(torch.float64).numpy()
    try:
        waves = np.asarray(waves, dtype=np.float32).astype(float)
    except (TypeError, ValueError):
        raise TypeError(f"{who}: needs waves as numbers (..., T), got {type(waves).__name__}.") from None
    if waves.ndim < 1 or waves.size < 2:
        raise ValueError(f"{who}: needs waves (..., T) of at least 2 samples, got {waves.shape}.")
    rows = waves.reshape(-1, waves.shape[-1])
    for broken, what in ((~np.isfinite(rows).all(-1), "holds NaN or infinite values"),
                         (np.ptp(rows, axis=-1) == 0, "is flat")):
        if broken.any():
            more = f", and {broken.sum() - 1} more" if broken.sum() > 1 else ""
            raise ValueError(f"{who}: wave {broken.argmax()} of {len(rows)} {what}{more}. Leave it out, or mend the "
                             f"label first.")
    return np.sort(waves, axis=None)


def _laid(who: str, kind: str, count: int, limit: float) -> LabelCodes:
    """Return codes that were not fitted, each in the middle of its cell: of the cell made even, for mu-law."""
    if not is_number(limit) or not 0 < limit < math.inf:
        raise ValueError(f"{who}: limit must be a positive number, got {limit!r}.")
    codes, edges = (np.arange(count) + 0.5) / count * 2 - 1, np.arange(1, count) / count * 2 - 1
    if kind == "mulaw":
        codes, edges = (np.sign(even) * np.expm1(abs(even) * np.log1p(MU)) / MU for even in (codes, edges))
    return LabelCodes(limit * codes, limit * edges)


def _of_cells(heap: np.ndarray, edges: np.ndarray) -> LabelCodes:
    """Return codes that are the means of the samples in given cells."""
    ends = cell_ends(heap, edges)
    empty = int((np.diff(ends) == 0).sum())
    if empty:
        raise ValueError(f"LabelLevels: {empty} of {len(ends) - 1} cells would be empty, for one value is too "
                         f"frequent. Take fewer bits, or kind 'lloyd'.")
    return LabelCodes(np.array([heap[begin:end].mean() for begin, end in zip(ends, ends[1:])]), edges)
