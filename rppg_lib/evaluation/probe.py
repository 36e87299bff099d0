"""Does what a network knows of a pulse also say whose pulse it is? A linear guess at the person, from its features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SMALL = 1e-9


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How often a linear guess is right.

    Attributes:
        accuracy: share of samples whose person was guessed.
        chance: the same for a guess by chance, one over the number of people.
        parts: accuracy in each part that was left out: name -> share.
        right: for each sample whether it was guessed.
    """

    accuracy: float
    chance: float
    parts: dict[str, float]
    right: np.ndarray


def identity_probe(features: np.ndarray, people: Sequence[str], parts: Sequence[str], *, ridge: float = 1.0) -> Probe:
    """Guess the person of each sample from the samples of all other parts.

    Parts are scenes, say: then a person has to be known again in another scene, by what stays. Whatever else stays,
    such as how a simulated person moves in all recordings of one seed, gives them away as well. Features are
    standardised over what is learned from; a ridge regression gives each person a score, and the highest one wins.

    Args:
        features: ``(N, D)``, such as a network's features averaged over time.
        people: N names.
        parts: N names; each part is guessed once, from the others.
        ridge: penalty on the weights, for each sample learned from.

    >>> rng = np.random.default_rng(0)
    >>> people, scenes = np.repeat(["ann", "bob", "cid"], 10), np.tile(["still", "talking"], 15)
    >>> face = {"ann": [1, 0], "bob": [0, 1], "cid": [-1, -1]}
    >>> known = np.array([face[name] for name in people]) + rng.normal(0, 0.1, (30, 2))
    >>> identity_probe(known, people, scenes).accuracy, round(identity_probe(known, people, scenes).chance, 2)
    (1.0, 0.33)
    """
    features, people, parts = np.asarray(features, float), np.asarray(people), np.asarray(parts)
    if features.ndim != 2 or not len(features) == len(people) == len(parts):
        raise ValueError(f"identity_probe: needs features (N, D) with N people and N parts, got {features.shape}, "
                         f"{len(people)} and {len(parts)}.")
    if not np.isfinite(features).all():
        raise ValueError(f"identity_probe: {int((~np.isfinite(features)).any(1).sum())} of {len(features)} samples "
                         f"have NaN or infinity among their features. Leave them out, and say so.")
    if not ridge > 0:
        raise ValueError(f"identity_probe: ridge must be a number above 0, got {ridge!r}.")
    names, number = np.unique(people, return_inverse=True)
    if len(names) < 2 or len(np.unique(parts)) < 2:
        raise ValueError(f"identity_probe: needs two people and two parts at least, got {len(names)} and "
                         f"{len(np.unique(parts))}.")
    right, of_part = np.zeros(len(features), bool), {}
    for part in np.unique(parts):
        known, asked = parts != part, parts == part
        if missing := sorted(set(people[asked]) - set(people[known])):
            raise ValueError(f"identity_probe: {', '.join(missing[:5])} occurs in part {part} only, so nothing could "
                             f"be learned of them. Give everybody two parts.")
        right[asked] = _guesses(features[known], number[known], features[asked], ridge=ridge) == number[asked]
        of_part[str(part)] = float(right[asked].mean())
    return Probe(accuracy=float(right.mean()), chance=1 / len(names), parts=of_part, right=right)


def _guesses(known: np.ndarray, people: np.ndarray, asked: np.ndarray, *, ridge: float) -> np.ndarray:
    mean, spread = known.mean(0), known.std(0)
    spread = np.where(spread > SMALL, spread, 1.0)
    known, asked = (known - mean) / spread, (asked - mean) / spread
    wanted = (people[:, None] == np.arange(people.max() + 1)).astype(float)
    wanted -= wanted.mean(0)
    penalty = ridge * len(known) * np.eye(known.shape[1])
    return (asked @ np.linalg.solve(known.T @ known + penalty, known.T @ wanted)).argmax(1)
