"""Objectives of networks with a codebook of heartbeats: stage I learns the codes, stage II learns to ask for them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data import Batch
from ..losses import mse, negative_pearson, spectral_cross_entropy, standardise
from ..models.codequery import Queried, QueryNetwork
from ..models.heartbeats import Heard, Heartbeats
from .objective import Objective


class HeartbeatObjective(Objective):
    """Stage I: rebuild a contact wave from codes, and keep codes and what they stand for together.

    The terms are ``mse`` and ``pearson`` between the waves, and ``codes``, the codebook's own.

    Reference: Chu et al. 2025 (``chu2025codephys``), Eq. 4 to 6.
    """

    def feed(self, network: nn.Module, batch: Batch) -> Tensor:
        return standardise(batch.label)

    def forward(self, output: Heard, truth: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"mse": mse(output.pulse, truth).mean(), "pearson": negative_pearson(output.pulse, truth).mean(),
                "codes": output.quantised.loss}


class QueryObjective(Objective):
    """Stage II: the right rate and wave, by the right codes, from features like those of a contact wave.

    ============  ===============  ==================================================================
    term          weight           what it asks for
    ============  ===============  ==================================================================
    ``pearson``   alpha * shape    the shape of the wave
    ``spectral``  alpha            its rate
    ``ask``       beta             the codes that stage I finds for the contact wave
    ``near``      beta             features close to the codes they are replaced by
    ``ppg_...``   beta             both of these for the contact wave, spread over the maps, on the same way
    ``distill``   distill          maps that are, at every place, the features of the contact wave
    ============  ===============  ==================================================================

    Terms with ``ppg_`` and ``distill`` need maps, which CodePhys has and other backbones do not. The features of the
    contact wave are learned by the former alone: no gradient of ``distill`` reaches them.

    Args:
        teacher: stage I, trained; its encoder says which codes are right. It stays as it is and is not saved.
        alpha, beta, distill: weights of the terms; 0 leaves them out.
        shape: weight of the wave's shape against its rate.
        form: of the spectral term, see :func:`rppg_lib.losses.spectral_cross_entropy`.
        temperature: of the choice among codes. At 1 a code that is as much farther away (squared) as codes usually lie
            from their nearest neighbour is chosen with a probability 1/e as large.
        like: the network, for the size of its maps and for what it is without.

    Reference: Chu et al. 2025 (``chu2025codephys``), Eq. 12 to 16.
    """

    def __init__(self, teacher: Heartbeats, *, like: QueryNetwork, alpha: float = 2.0, beta: float = 0.1,
                 distill: float = 1.0, shape: float = 0.1, form: str = "field", temperature: float = 1.0) -> None:
        super().__init__()
        for name, weight in (("alpha", alpha), ("beta", beta), ("distill", distill), ("shape", shape),
                             ("temperature", temperature)):
            least = "above 0" if name == "temperature" else "of 0 or more"
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf") \
                    or (name == "temperature" and not weight):
                raise ValueError(f"QueryObjective: {name} must be a number {least}, got {weight!r}.")
        if form not in ("field", "log"):
            raise ValueError(f"QueryObjective: form must be 'field' or 'log', got {form!r}.")
        mine, its = like.heartbeats(), teacher.config
        if (mine.dim, mine.codes) != (its.dim, its.codes):
            raise ValueError(f"QueryObjective: needs a stage I with {mine.codes} codes of {mine.dim} numbers, as the "
                             f"network has, got {its.codes} of {its.dim}. Train stage I with these sizes.")
        self.alpha, self.beta, self.shape, self.form, self.temperature = alpha, beta, shape, form, temperature
        self.learns_codes = not like.has("stage_one")
        self.teacher = None if self.learns_codes else copy.deepcopy(teacher).requires_grad_(False)
        can = "distillation" in like.can_be_without and like.has("distillation") and not self.learns_codes
        self.distill = distill if can else 0.0
        self.scale = 0.0 if self.learns_codes else temperature * _apart(self.teacher.codebook.codes)
        self.contact = PulseFeatures(teacher) if self.distill else None

    def feed(self, network: nn.Module, batch: Batch) -> Tensor:
        self._encode = network.encode if self.contact is not None else None
        return super().feed(network, batch)

    def forward(self, output: Queried, truth: Tensor, batch: Batch) -> dict[str, Tensor]:
        rate = spectral_cross_entropy(output.pulse, truth, fs=batch.fs, form=self.form).mean()
        terms = {"pearson": self.alpha * self.shape * negative_pearson(output.pulse, truth).mean(),
                 "spectral": self.alpha * rate}
        if self.learns_codes:                        # nothing says which codes are right
            return terms | {"codes": output.quantised.loss}
        wave = standardise(batch.label)
        with torch.no_grad():
            right = self.teacher.codebook.query(self.teacher.encode(wave))
        terms |= self._code_terms(output.features, right)
        if self.contact is None:
            return terms
        features = self.contact(wave)[..., None, None].expand(output.maps.shape)     # (B,D,T) -> (B,D,T,H',W')
        told = self._code_terms(self._encode(features), right)
        away = functional.smooth_l1_loss(output.maps, features.detach())
        return terms | {f"ppg_{name}": term for name, term in told.items()} | {"distill": self.distill * away}

    def _code_terms(self, features: Tensor, right: Tensor) -> dict[str, Tensor]:
        codebook = self.teacher.codebook
        logits = codebook.logits(features, temperature=self.scale)                             # (B,M,N)
        nearest = codebook.lookup(codebook.query(features))
        return {"ask": self.beta * functional.cross_entropy(logits.flatten(0, 1), right.flatten()),
                "near": self.beta * (features - nearest).square().mean()}


def _apart(codes: Tensor) -> float:
    """Return the squared distance from a code to its nearest neighbour, the median over codes."""
    between = torch.cdist(codes.double(), codes.double()).square()
    nearest = between.fill_diagonal_(float("inf")).amin(-1).median()
    return max(float(nearest), 1e-6)


class PulseFeatures(nn.Module):
    """Features of a contact wave, one vector per frame: stage I's encoder but its last layer, ``(B, T) -> (B, D, T)``.

    A dense layer of ours brings them to the width of the maps. Needed for training only.
    """

    def __init__(self, teacher: Heartbeats) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(teacher.encoder).requires_grad_(True)
        self.encoder.gather = nn.Identity()
        self.narrow = nn.Conv1d(2 * teacher.config.dim, teacher.config.dim, 1)

    def forward(self, wave: Tensor) -> Tensor:
        return self.narrow(self.encoder.features(wave))
