"""Does it help to quantise labels? Trainings that differ in their labels alone, and labels with something wrong.

An *arm* is one way to treat the same labels. Those that could explain an effect of quantising away are beside it: the
filter that goes before it, and the supervision of every guess, both without a single step in the label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .. import simulate
from ..data import Windows
from ..models.lqrppg import LQrPPG
from ..quantize.labels import LabelFilter, LabelLevels
from ..registry import near_miss
from ..signal import pseudo_label
from ..simulate.chance import stream
from ..types import Clip
from .levels import LevelsObjective


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to learn from labels.

    Attributes:
        meaning: in a few words.
        filtered: labels are band-passed.
        quantised: they are in steps, and the network is asked for the codes.
        supervise: ``all`` guesses or the ``last`` alone.
        sample: every frame is asked for its value, which is what the cross-entropy does for labels in steps.
        pseudo: labels are not looked at; what POS finds in the same pictures stands for them.
    """

    meaning: str
    filtered: bool = True
    quantised: bool = False
    supervise: str = "last"
    sample: bool = False
    pseudo: bool = False


ARMS: Mapping[str, Arm] = {
    "raw": Arm(meaning="labels as they are", filtered=False),
    "filtered": Arm(meaning="band-passed labels"),
    "last quantised": Arm(meaning="band-passed, 5 bits at the last guess alone", quantised=True),
    "quantised": Arm(meaning="band-passed, 1 to 5 bits from guess to guess: LQ-rPPG", quantised=True, supervise="all"),
    "deep": Arm(meaning="band-passed, every guess supervised, no steps", supervise="all"),
    "filtered, by sample": Arm(meaning="band-passed labels, and their value in every frame", sample=True),
    "deep, by sample": Arm(meaning="the same for every guess, no steps", supervise="all", sample=True),
    "raw quantised": Arm(meaning="as LQ-rPPG, without the band-pass", filtered=False, quantised=True, supervise="all"),
    "raw deep": Arm(meaning="labels as they are, every guess supervised", filtered=False, supervise="all"),
    "pos": Arm(meaning="pseudo labels from POS, every guess supervised; no contact sensor", supervise="all",
               pseudo=True),
}
"""The arms by name; the first five are the ones every table has. Labels in steps are learned by cross-entropy, frame by
frame, the others by shape and rate; the two arms *by sample* take this difference away as well."""


@dataclass(frozen=True, kw_only=True)
class Damage:
    """What is wrong with the labels of a set.

    Attributes:
        faults: at work in every recording, drawn anew for each.
        snr_db: power of the label over that of its damage; None: as large as the faults are.
        lag_s: each recording comes late by its own time, drawn evenly between minus and plus this.
    """

    faults: tuple[simulate.Fault, ...] = ()
    snr_db: float | None = None
    lag_s: float = 0.0


_MIXED = (simulate.Hiss(), simulate.Wander(strength=0.35), simulate.Spikes(strength=0.6))
DAMAGES: Mapping[str, Damage] = {
    "none": Damage(),
    "mixed, 5 dB": Damage(faults=_MIXED, snr_db=5),
    "mixed, 0 dB": Damage(faults=_MIXED, snr_db=0),
    "mixed, -5 dB": Damage(faults=_MIXED, snr_db=-5),
    "spikes, 0 dB": Damage(faults=(simulate.Spikes(),), snr_db=0),
    "spikes, -5 dB": Damage(faults=(simulate.Spikes(),), snr_db=-5),
    "wander, -5 dB": Damage(faults=(simulate.Wander(),), snr_db=-5),
    "lost contact, a quarter": Damage(faults=(simulate.LostContact(),)),
    "lost contact, half": Damage(faults=(simulate.LostContact(strength=2),)),
    "lag, 0.15 s": Damage(lag_s=0.15),
    "lag, 0.3 s": Damage(lag_s=0.3),
}
"""Sets of damaged labels by name."""


def damaged_clips(clips: Sequence[Clip], damage: str | Damage, *, seed: int) -> list[Clip]:
    """Return the clips with labels that something is wrong with; pictures are shared, not copied.

    Args:
        clips: with clean labels.
        damage: one, or the name of one in ``DAMAGES``.
        seed: of the damage.
    """
    if isinstance(damage, str):
        if damage not in DAMAGES:
            raise ValueError(f"damaged_clips: there is no damage {damage!r}.{near_miss(damage, DAMAGES)} "
                             f"Damages: {'; '.join(DAMAGES)}.")
        damage = DAMAGES[damage]
    return [replace(clip, label=_damaged(clip, damage, stream(seed, "damage", clip.id))) for clip in clips]


def _damaged(clip: Clip, damage: Damage, rng: np.random.Generator) -> np.ndarray:
    faults = damage.faults
    if damage.lag_s:
        faults = (*faults, simulate.Lag(seconds=float(rng.uniform(-damage.lag_s, damage.lag_s))))
    if not faults:
        return clip.label
    return simulate.damaged(clip.label, fs=clip.fs, faults=faults, seed=int(rng.integers(2**31)),
                            snr_db=damage.snr_db).wave


def labels_of(arm: str, clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips with the labels that an arm learns from: their own, or what POS finds in them."""
    if not _arm(arm).pseudo:
        return list(clips)
    return [replace(clip, label=pseudo_label(clip.rgb, fs=clip.fs)) for clip in clips]


def objective_of(arm: str, network: LQrPPG, windows: Windows, **weights: float) -> LevelsObjective:
    """Return what an arm minimises, and set the network's codes: those of the arm's labels.

    Where these have no steps, the codes are those of the band-passed labels, so that the network is the same.

    Args:
        arm: name in ``ARMS``.
        network: whose codes are set.
        windows: what is learned from.
        weights: of the terms, see :class:`~rppg_lib.training.levels.LevelsObjective`.
    """
    how, bits = _arm(arm), network.config.bits
    before = LabelFilter() if how.filtered else LabelFilter(None)
    waves = (before if how.quantised else LabelFilter())(windows.labels, windows.fs)
    levels = LabelLevels.fit(waves[waves.std(-1) > 0], bits=bits)
    network.levels.load_state_dict(levels.state_dict())
    return LevelsObjective(levels if how.quantised else None, filter=before, bits=bits, supervise=how.supervise,
                           weights={"sample": float(how.sample), **weights})


def _arm(name: str) -> Arm:
    if name not in ARMS:
        raise ValueError(f"arms: there is no arm {name!r}.{near_miss(name, ARMS)} Arms: {'; '.join(ARMS)}.")
    return ARMS[name]
