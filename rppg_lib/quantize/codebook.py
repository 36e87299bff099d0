"""A codebook: vectors are replaced by the nearest of a few codes, and the codes learn where the vectors lie."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from ..registry import near_miss
from .kmeans import cells, distances, kmeans, nearest
from .result import Quantised, straight_through, use_of

UPDATES, STARTS = ("ema", "gradient"), ("kmeans", "normal", "uniform")
SMOOTHING = 1e-5


class Codebook(nn.Module):
    """N codes of D numbers; a vector is replaced by the code nearest to it.

    In training the codes move towards the vectors that choose them: as their moving average (``update="ema"``), or as
    parameters that an optimiser trains with ``loss`` (``"gradient"``). ``loss`` also holds the vectors to their codes.
    Codes that nobody chooses would stay where they are for ever, so an idle one becomes a vector of the batch. In eval
    mode nothing changes.

    All that changes is in the state dict, the same entries for either update: ``codes``, ``counts`` (moving average of
    how many vectors chose a code), ``idle`` (calls since one did), ``calls`` (in training). Several processes that
    train together keep one codebook.

    Reference: van den Oord et al. 2017 (``oord2017vqvae``), moving average of its appendix; revival as Dhariwal et al.
    2020 (``dhariwal2020jukebox``).

    >>> book = Codebook(Codebook.Config(codes=2, dim=1, start="normal", warmup_steps=0)).eval()
    >>> _ = book.codes.copy_(torch.tensor([[0.0], [1.0]]))
    >>> said = book(torch.tensor([[0.2], [0.9], [7.0]]))
    >>> said.indices, said.values.flatten()
    (tensor([0, 1, 1]), tensor([0., 1., 1.]))
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of a codebook.

        Attributes:
            codes: N.
            dim: D.
            update: ``ema``, or ``gradient``: the optimiser trains the codes.
            start: ``kmeans`` of the first batch after the warm-up, ``normal`` N(0, 1), or ``uniform`` U(-1/N, 1/N).
            decay: of the moving average.
            commitment: weight of the term that holds vectors to their codes.
            warmup_steps: training calls that pass vectors through unquantised.
            revive_after: a code idle for so many training calls becomes a vector of the batch; None: never.
        """

        codes: int = 64
        dim: int = 64
        update: str = "ema"
        start: str = "kmeans"
        decay: float = 0.99
        commitment: float = 0.25
        warmup_steps: int = 100
        revive_after: int | None = 100

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = Codebook.Config() if config is None else config
        check_config(config)
        codes = torch.empty(config.codes, config.dim)
        if config.start == "uniform":
            codes.uniform_(-1 / config.codes, 1 / config.codes)
        else:                                            # k-means will overwrite them; until then there must be some
            codes.normal_()
        if config.update == "gradient":
            self.codes = nn.Parameter(codes)
        else:
            self.register_buffer("codes", codes)
        self.register_buffer("counts", torch.ones(config.codes))
        self.register_buffer("idle", torch.zeros(config.codes, dtype=torch.long))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self._called: int | None = 0                     # equals calls, known without asking an accelerator

    def extra_repr(self) -> str:
        return f"{self.config.codes} codes of {self.config.dim}, {self.config.update}, from {self.config.start}"

    @property
    def started(self) -> bool:
        """Whether training has gone beyond the warm-up, so that the codes are those of what was seen."""
        return int(self.calls) > self.config.warmup_steps

    def forward(self, z: Tensor) -> Quantised:
        """Replace vectors ``(..., D)`` by their codes; in training, learn from them."""
        check_vectors("Codebook", z, self.config.dim)
        with exactly(z):
            vectors = flat(z)                                                                      # (n, D)
            warm = self.training and self._count_call(vectors)
            indices = nearest(vectors, self.codes)
            perplexity, usage = use_of(indices, self.config.codes)
            chosen = functional.embedding(indices, self.codes).to(vectors.dtype)
            if warm:
                values, loss = z, 0 * chosen.sum()       # tied to the codes: all processes want a gradient of each
            else:
                values = straight_through(z, chosen.to(z.dtype).reshape(z.shape))
                loss = self._pull(vectors, chosen) if self.training else vectors.new_zeros(())
                if self.training:
                    self._learn(vectors.detach(), indices)
        return Quantised(values, indices.reshape(z.shape[:-1]), loss, perplexity, usage)

    def query(self, z: Tensor) -> Tensor:
        """Return the number of the code nearest to each vector, ``(..., D) -> (...)``."""
        check_vectors("Codebook", z, self.config.dim)
        with exactly(z):
            return nearest(flat(z), self.codes).reshape(z.shape[:-1])

    def lookup(self, indices: Tensor) -> Tensor:
        """Return codes by their numbers, ``(...) -> (..., D)``."""
        check_indices("Codebook", indices)
        return functional.embedding(indices, self.codes)

    def logits(self, z: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
        """Return how much a vector is for each code: ``-|z - c|^2 / temperature``, ``(..., D) -> (..., N)``.

        For cross-entropy against the codes that a vector should have chosen. In float32 at least.
        """
        check_vectors("Codebook", z, self.config.dim)
        if not isinstance(temperature, Tensor) and not (is_number(temperature) and 0 < temperature < math.inf):
            raise ValueError(f"Codebook: temperature must be a positive number, got {temperature!r}.")
        with exactly(z):
            squares = distances(flat(z), self.codes).square()
            return -squares.reshape(*z.shape[:-1], self.config.codes) / temperature

    def _pull(self, vectors: Tensor, chosen: Tensor) -> Tensor:
        loss = self.config.commitment * functional.mse_loss(vectors, chosen.detach())
        if self.config.update == "gradient":
            loss = loss + functional.mse_loss(chosen, vectors.detach())
        return loss

    @torch.no_grad()
    def _count_call(self, vectors: Tensor) -> bool:
        """Count a training call and say whether it still warms up; the first that does not starts the codes."""
        self._called = (int(self.calls) if self._called is None else self._called) + 1
        self.calls += 1
        if self._called == self.config.warmup_steps + 1 and self.config.start == "kmeans":
            means = of_first_process(kmeans(vectors, self.config.codes))
            used, _ = self._gathered(vectors, nearest(vectors, means))
            self.codes.copy_(means)
            self.counts.copy_(used.clamp_min(1))
        return self._called <= self.config.warmup_steps

    @torch.no_grad()
    def _learn(self, vectors: Tensor, indices: Tensor) -> None:
        """Move the codes towards their vectors, and bring back the idle ones."""
        used, sums = self._gathered(vectors, indices)
        if self.config.update == "ema":
            decay = self.config.decay
            sums = decay * self._weights()[:, None] * self.codes + (1 - decay) * sums
            self.counts.mul_(decay).add_((1 - decay) * used)
            self.codes.copy_(sums / self._weights()[:, None])
        self.idle.add_(1).masked_fill_(used > 0, 0)
        if self.config.revive_after is not None:
            self._revive(vectors)

    def _weights(self) -> Tensor:
        """Return what each code's average weighs: its count, a little evened out, so that none is divided by zero."""
        total = self.counts.sum()
        return (self.counts + SMOOTHING) / (total + SMOOTHING * self.config.codes) * total

    def _gathered(self, vectors: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return how many vectors chose each code, and their sums, of all processes. NaN and infinity do not count."""
        finite = vectors.isfinite().all(-1)
        used, sums = cells(vectors.masked_fill(~finite[:, None], 0), indices, self.config.codes, counted=finite)
        if several_processes():
            distributed.all_reduce(used)
            distributed.all_reduce(sums)
        return used, sums

    def _revive(self, vectors: Tensor) -> None:
        # Always drawn and mostly thrown away: to ask whether a code is due would make an accelerator wait.
        order = torch.randperm(len(vectors), device=vectors.device)
        places = torch.arange(self.config.codes, device=vectors.device) % len(vectors)
        fresh = of_first_process(vectors[order[places]])             # different ones, as far as there are
        due = (self.idle >= self.config.revive_after) & fresh.isfinite().all(-1)
        self.codes.copy_(torch.where(due[:, None], fresh.to(self.codes.dtype), self.codes))
        self.counts.masked_fill_(due, 1)
        self.idle.masked_fill_(due, 0)

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._called = None


def exactly(z: Tensor) -> contextlib.AbstractContextManager:
    """Keep autocast from computing distances and averages in half precision."""
    if z.device.type == "meta":                                      # shapes only, which autocast does not know
        return contextlib.nullcontext()
    return torch.autocast(z.device.type, enabled=False)


def flat(z: Tensor) -> Tensor:
    """Return vectors as one heap in float32, or float64 if they came so: ``(..., D) -> (n, D)``."""
    return z.reshape(-1, z.shape[-1]).to(torch.promote_types(z.dtype, torch.float32))


def several_processes() -> bool:
    """Whether other processes train the same codebook."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def of_first_process(tensor: Tensor) -> Tensor:
    """Return what the first process drew, so that chance is the same in all."""
    if several_processes():
        tensor = tensor.contiguous()
        distributed.broadcast(tensor, src=0)
    return tensor


def check_vectors(who: str, z: Tensor, dim: int) -> None:
    """Refuse what are no vectors of the codes' length. Values are not looked at."""
    if not isinstance(z, Tensor) or not z.is_floating_point():
        came = str(z.dtype) if isinstance(z, Tensor) else type(z).__name__
        raise TypeError(f"{who}: needs vectors as a floating-point tensor, got {came}. "
                        f"Use torch.as_tensor(...).float().")
    if z.ndim < 1 or z.shape[-1] != dim or not z.numel():
        raise ValueError(f"{who}: needs vectors (..., {dim}), at least one, got {tuple(z.shape)}. "
                         f"Move the channels to the end, or give the config another dim.")


def check_indices(who: str, indices: Tensor) -> None:
    """Refuse what are no numbers of codes."""
    if not isinstance(indices, Tensor) or indices.dtype not in (torch.int32, torch.int64):
        came = str(indices.dtype) if isinstance(indices, Tensor) else type(indices).__name__
        raise TypeError(f"{who}: needs the numbers of codes as whole numbers, torch.long, got {came}. "
                        f"Give what query() returned.")


def check_config(config: Codebook.Config) -> None:
    """Refuse settings of which no codebook can be made."""
    if not isinstance(config, Codebook.Config):
        raise TypeError(f"Codebook: needs a Codebook.Config, got {type(config).__name__}.")
    for name, least in (("codes", 1), ("dim", 1), ("warmup_steps", 0), ("revive_after", 1)):
        value = getattr(config, name)
        if not (name == "revive_after" and value is None) and not is_whole(value, least):
            none = ", or None for never" if name == "revive_after" else ""
            raise ValueError(f"Codebook: {name} must be a whole number of at least {least}{none}, got {value!r}.")
    for name, known in (("update", UPDATES), ("start", STARTS)):
        value = getattr(config, name)
        if value not in known:
            raise ValueError(f"Codebook: {name} must be one of {', '.join(known)}, got {value!r}."
                             f"{near_miss(value, known)}")
    if not is_number(config.decay) or not 0 < config.decay < 1:
        raise ValueError(f"Codebook: decay must be a number between 0 and 1, got {config.decay!r}. Usual is 0.99.")
    if not is_number(config.commitment) or not 0 <= config.commitment < math.inf:
        raise ValueError(f"Codebook: commitment must be 0 or a positive number, got {config.commitment!r}.")


def is_whole(value: object, least: int) -> bool:
    """Whether a setting is a whole number of at least ``least``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_number(value: object) -> bool:
    """Whether a setting is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
