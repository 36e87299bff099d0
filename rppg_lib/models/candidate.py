"""A network's class under examination, the form of a clause, and how a clause says what it needed and what came."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.normalise import normalise
from .codequery import QueryNetwork
from .network import Network, pulse_of

CLAUSES: list[Clause] = []
"""All of them, in the order in which they are asked."""


class Broken(Exception):
    """A clause is broken; the text says what was needed and what came."""


@dataclass(frozen=True)
class Clause:
    """A promise: ``ask`` raises for a network that does not keep it. ``slow`` ones take seconds."""

    text: str
    ask: Callable[[Candidate], Any]
    slow: bool = False

    def __str__(self) -> str:
        return self.text


def clause(text: str, *, slow: bool = False) -> Callable:
    """Make a function of a candidate a clause."""
    def add(ask: Callable[[Candidate], None]) -> Callable:
        CLAUSES.append(Clause(text, ask, slow))
        return ask

    return add


@dataclass(frozen=True)
class Candidate:
    """A network's class under examination, in its tiny config."""

    kind: type[Network]

    @property
    def name(self) -> str:
        return self.kind.name or self.kind.__name__

    @property
    def shared(self) -> Network:
        """One in eval mode, not to be changed."""
        return _made(self.kind)

    def fresh(self) -> Network:
        """Return a copy that may be changed, in eval mode."""
        return copy.deepcopy(self.shared)

    def fed(self, *, clips: int = 2, length: int = 64, size: tuple[int, int] | None = None) -> Tensor:
        """Return a pulse in noise as the network wants it, ``(B, C, T, H, W)``."""
        return pictures(self.shared, clips=clips, length=length, size=size)


@functools.lru_cache(maxsize=16)
def _made(kind: type[Network]) -> Network:
    torch.manual_seed(0)
    network = kind(kind.tiny()).eval()
    if isinstance(network, QueryNetwork):            # codes that were never learned are far from all that is asked
        with torch.no_grad():
            asked = network.features(pictures(network)).transpose(1, 2).flatten(0, 1)
            network.codebook.codes.copy_(asked[torch.randperm(len(asked))[:network.config.codes]])
    return network


def pictures(network: Network, *, clips: int = 2, length: int = 64, size: tuple[int, int] | None = None) -> Tensor:
    """Return a pulse in noise, normalised as a network wants it, ``(B, C, T, H, W)``."""
    rng = np.random.default_rng(0)
    height, width = size or (network.config.size_px,) * 2
    pulse = np.sin(np.arange(length) / 4)[None, :, None, None, None]
    video = 120 + 3 * pulse + rng.normal(0, 5, (clips, length, height, width, 3))
    return normalise(torch.from_numpy(video.astype(np.uint8)), network.normalise)


def waves(network: Network, frames: Tensor) -> Tensor:
    """Return the pulse ``(B, T)``, without gradients."""
    with torch.no_grad():
        return pulse_of(network(frames))


def must(holds: Any, needed: str, came: Any = "") -> None:
    """Ask for something; say what was needed and what came where it does not hold."""
    if not holds:
        raise Broken(f"needed {needed}{f', got {came}' if str(came) else ''}.")


def must_be_finite(values: Tensor, what: str) -> None:
    """Ask for numbers without NaN and infinity."""
    bad = int((~torch.isfinite(values)).sum())
    must(not bad, f"finite numbers in {what}", f"{bad} of {values.numel()} that are not")


def must_equal(one: Tensor, other: Tensor, what: str) -> None:
    """Ask for equality to the last bit."""
    must(one.shape == other.shape, f"{what}, of shape {tuple(other.shape)}", f"{tuple(one.shape)}")
    must(torch.equal(one, other), what, f"values up to {(one - other).abs().max():.2g} apart")


def refused(call: Callable, error: type[Exception], words: str, what: str) -> None:
    """Ask that a call is answered with an error of a kind that says certain words."""
    wanted = f"{error.__name__} that says {words!r} for {what}"
    try:
        call()
    except Exception as found:
        fits = isinstance(found, error) and re.search(words, str(found))
        must(fits, wanted, f"{type(found).__name__}: {' '.join(str(found).split())[:160]}")
    else:
        must(False, wanted, "an answer as if all were well. Call self.check(frames) first")
