"""Ask a network whether it keeps to what every network promises; the clauses are in :mod:`rppg_lib.models.clauses`.

>>> from rppg_lib.models.physnet import PhysNet
>>> check_contract(PhysNet, only=["a config is frozen", "weights written"])
physnet: 2 of 2 clauses kept
  ✓ a config is frozen and survives JSON
  ✓ weights written and read give the same wave

The tests of the library ask every registered network for every clause. Who writes a network of their own asks here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .candidate import CLAUSES, Broken, Candidate, Clause
from .network import Network


@dataclass(frozen=True)
class Line:
    """What came of a clause: kept, or why not."""

    clause: str
    kept: bool
    why: str = ""

    def __str__(self) -> str:
        return f"✓ {self.clause}" if self.kept else f"✗ {self.clause}: {self.why}"


@dataclass(frozen=True)
class Report:
    """One line per clause. True if all that were asked are kept; shows itself as text."""

    name: str
    lines: tuple[Line, ...]
    not_asked: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return all(line.kept for line in self.lines)

    @property
    def broken(self) -> tuple[str, ...]:
        """The clauses that are not kept."""
        return tuple(line.clause for line in self.lines if not line.kept)

    def __repr__(self) -> str:
        kept = len(self.lines) - len(self.broken)
        left = [f"  not asked: {'; '.join(self.not_asked)}"] if self.not_asked else []
        return "\n".join([f"{self.name}: {kept} of {len(self.lines)} clauses kept",
                          *(f"  {line}" for line in self.lines), *left])


def check_contract(kind: type[Network], *, only: Sequence[str] = (), slow: bool = False) -> Report:
    """Return what a class keeps of the contract, in its tiny config, one line per clause.

    Args:
        kind: a class derived from :class:`Network`, decorated with :func:`rppg_lib.registry.register`.
        only: beginnings of the clauses to ask; default: all.
        slow: ask also what takes seconds.
    """
    if not isinstance(kind, type) or not issubclass(kind, Network):
        raise TypeError(f"check_contract: needs a class derived from rppg_lib.models.Network, got {kind!r}. "
                        f"Give the class itself, not an instance or a name.")
    beginnings = (only,) if isinstance(only, str) else tuple(only)
    for beginning in beginnings:
        if not any(clause.text.startswith(beginning) for clause in CLAUSES):
            raise ValueError(f"check_contract: no clause begins with {beginning!r}. "
                             f"Clauses: {'; '.join(map(str, CLAUSES))}.")
    chosen = [clause for clause in CLAUSES if clause.text.startswith(beginnings or "")]
    built = _asked(Clause("it is built from its tiny config", lambda candidate: candidate.shared), kind)
    lines = [_asked(clause, kind) for clause in chosen if built.kept and (slow or only or not clause.slow)]
    asked = {line.clause for line in lines}
    return Report(Candidate(kind).name, tuple(lines or [built]),
                  tuple(clause.text for clause in chosen if clause.text not in asked))


def _asked(clause: Clause, kind: type[Network]) -> Line:
    """Ask one clause; its chance is always the same, and the caller's random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)                         # not that of the weights, which made anew would be equal
        try:
            clause.ask(Candidate(kind))
        except Broken as broken:
            return Line(clause.text, False, str(broken))
        except Exception as error:                                   # the network's own, whatever it is
            return Line(clause.text, False, f"stops with {type(error).__name__}: {' '.join(str(error).split())}")
    return Line(clause.text, True)
