"""Weights of several losses that are learnt along with the network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

KINDS = ("regression", "classification")


class UncertaintyWeights(nn.Module):
    """Weigh each of several losses by how far it can be brought down, so that none drowns the others.

    Each loss ``L`` has a scale ``s`` that is learnt: a regression becomes ``L / (2 s^2) + log s``, a classification
    ``L / s + log s`` (rFaceNet divides by ``s`` there, not by ``s^2``). For a loss that stays where it is the best
    scale is ``s^2 = L`` or ``s = L``. A loss that no network can bring down, as that of a noisy label, so ends up with
    a small weight. The sum can be negative: squared errors in bpm below 1 make ``log s`` so.

    Args:
        kinds: name of each loss -> ``"regression"`` or ``"classification"``.
        starts: scales to start from, of losses far from 1; the others start at 1.

    What is learnt is ``log s^2``, so that ``s`` stays positive. Give it no weight decay.

    Reference: Kendall et al. 2018 (``kendall2018uncertainty``), Zhu et al. 2024 (``zhu2024rfacenet``).

    >>> weigh = UncertaintyWeights({"pulse": "regression", "rate": "regression", "person": "classification"})
    >>> losses = {"pulse": torch.tensor(0.2), "rate": torch.tensor(100.0), "person": torch.tensor(3.0)}
    >>> {name: round(term.item(), 1) for name, term in weigh(losses).items()}    # the rate drowns the pulse ...
    {'pulse': 0.1, 'rate': 50.0, 'person': 3.0}
    >>> steps = torch.optim.Adam(weigh.parameters(), lr=0.3)
    >>> for _ in range(300):
    ...     steps.zero_grad()
    ...     sum(weigh(losses).values()).backward()
    ...     steps.step()
    >>> {name: round(term.item(), 1) for name, term in weigh(losses).items()}    # ... until the scales are learnt
    {'pulse': -0.3, 'rate': 2.8, 'person': 2.1}
    >>> {name: round(scale, 2) for name, scale in weigh.scales().items()}
    {'pulse': 0.45, 'rate': 10.0, 'person': 3.0}
    """

    def __init__(self, kinds: Mapping[str, str], *, starts: Mapping[str, float] = MappingProxyType({})):
        super().__init__()
        wrong = {name: kind for name, kind in kinds.items() if kind not in KINDS}
        if wrong or not kinds:
            raise ValueError(f"UncertaintyWeights: needs a kind for each loss, one of {', '.join(KINDS)}; "
                             f"got {wrong or dict(kinds)}.")
        if odd := {name: scale for name, scale in starts.items() if name not in kinds or not 0 < scale < math.inf}:
            raise ValueError(f"UncertaintyWeights: starts must be scales above 0 of {', '.join(kinds)}, got {odd}.")
        self.kinds = dict(kinds)
        self.log_variance = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(2 * math.log(starts.get(name, 1.0)))) for name in kinds})

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weighted terms; their sum is what to minimise."""
        unknown = set(losses) - set(self.kinds)
        if unknown:
            raise ValueError(f"UncertaintyWeights: knows {', '.join(self.kinds)}, got {', '.join(sorted(unknown))}. "
                             f"Name every loss when making it.")
        return {name: self._term(name, loss) for name, loss in losses.items()}

    def _term(self, name: str, loss: Tensor) -> Tensor:
        log_variance = self.log_variance[name]
        if self.kinds[name] == "regression":
            return loss * torch.exp(-log_variance) / 2 + log_variance / 2
        return loss * torch.exp(-log_variance / 2) + log_variance / 2

    def scales(self) -> dict[str, float]:
        """Return ``s`` of each loss."""
        return {name: float(torch.exp(self.log_variance[name].detach() / 2)) for name in self.kinds}
