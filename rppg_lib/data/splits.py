"""Who is trained on, who validates, who tests: never the same person twice."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from ..simulate.chance import check_seed, stream


@dataclass(frozen=True, kw_only=True)
class Split:
    """Three groups of people who have nobody in common."""

    train: frozenset[str]
    validation: frozenset[str]
    test: frozenset[str]

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            object.__setattr__(self, name, frozenset(getattr(self, name)))
        check_exclusive(train=self.train, validation=self.validation, test=self.test)

    def __repr__(self) -> str:
        return f"Split(train {len(self.train)}, validation {len(self.validation)}, test {len(self.test)} people)"


def split_subjects(subjects: Iterable[str], *, shares: tuple[float, float, float] = (0.7, 0.15, 0.15),
                   seed: int = 0) -> Split:
    """Divide people at random into those to train on, to validate with and to test on.

    The same people and seed give the same split, in whatever order and however often they are named.

    Args:
        subjects: names; of a store, ``store.subjects``.
        shares: of training, validation and test, together 1. A share above 0 gets one person at least.
        seed: of the draw.

    >>> split = split_subjects([f"p{n:02d}" for n in range(20)])
    >>> split
    Split(train 14, validation 3, test 3 people)
    >>> split == split_subjects([f"p{n:02d}" for n in reversed(range(20))])
    True
    """
    people = _people("split_subjects", subjects)
    parts = np.asarray(shares, dtype=float)
    if parts.shape != (3,) or not (parts >= 0).all() or parts[0] == 0 or abs(parts.sum() - 1) > 1e-9:
        raise ValueError(f"split_subjects: shares must be three numbers that make 1, the first above 0, "
                         f"got {shares!r}.")
    needed = int((parts > 0).sum())
    if len(people) < needed:
        raise ValueError(f"split_subjects: needs at least {needed} people for shares {tuple(shares)}, got "
                         f"{len(people)}. Add people, or set a share to 0.")
    edges = np.rint(np.cumsum(parts)[:2] * len(people)).astype(int)
    counts = np.diff(edges, prepend=0, append=len(people))
    while (poor := (parts > 0) & (counts == 0)).any():               # nobody gets nothing
        counts[counts.argmax()] -= 1
        counts[poor.argmax()] += 1
    drawn = stream(check_seed("split_subjects", seed), "split").permutation(len(people))
    train, validation, test = np.split(drawn, np.cumsum(counts)[:2])
    return Split(train=_named(people, train), validation=_named(people, validation), test=_named(people, test))


def shares_of(text: str) -> tuple[float, float, float] | None:
    """Return the shares for :func:`split_subjects` that a text such as ``70/10/20`` asks for; None if it asks for none.

    Two numbers are percent of training and test, three are percent of training, validation and test.

    >>> shares_of("70/10/20"), shares_of("60/40"), shares_of("pure 60/40")
    ((0.7, 0.1, 0.2), (0.6, 0.0, 0.4), None)
    """
    if not re.fullmatch(r"[0-9]+(/[0-9]+){1,2}", text):
        return None
    first, *middle, last = map(int, text.split("/"))
    percent = (first, *middle, last) if middle else (first, 0, last)
    if not first or not last or sum(percent) != 100:
        raise ValueError(f"shares_of: needs percent of the people that make 100, some to train and some to test, got "
                         f"{text!r}. Write train/test, such as 60/40, or train/validation/test, such as 70/10/20.")
    return tuple(each / 100 for each in percent)


def k_folds(subjects: Iterable[str], k: int, *, seed: int = 0, validation: float = 0.0) -> list[Split]:
    """Divide people into ``k`` groups, each of which tests once while the others train.

    Args:
        subjects: names.
        k: how many folds; as many as there are people leaves one person out at a time.
        seed: of the draw.
        validation: share of those who do not test that validates instead of training.

    >>> splits = k_folds(["ann", "bob", "cy", "di", "eve"], 5)
    >>> sorted(name for split in splits for name in split.test)
    ['ann', 'bob', 'cy', 'di', 'eve']
    >>> splits[0]
    Split(train 4, validation 0, test 1 people)
    """
    people = _people("k_folds", subjects)
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 2 <= k <= len(people):
        raise ValueError(f"k_folds: k must be a whole number from 2 to the number of people, {len(people)}, got {k!r}.")
    if not 0 <= validation < 1:
        raise ValueError(f"k_folds: validation must be a share from 0 to below 1, got {validation!r}.")
    drawn = stream(check_seed("k_folds", seed), "folds").permutation(len(people))
    folds = np.array_split(drawn, k)
    splits = []
    for number, test in enumerate(folds):
        rest = _named(people, np.concatenate(folds[:number] + folds[number + 1:]))
        inner = split_subjects(rest, shares=(1 - validation, validation, 0.0), seed=seed)
        splits.append(Split(train=inner.train, validation=inner.validation, test=_named(people, test)))
    return splits


def check_exclusive(**groups: Collection[str]) -> None:
    """Raise if somebody is in two groups, and say who.

    >>> check_exclusive(train=["ann", "bob"], test=["bob"])
    Traceback (most recent call last):
    ValueError: split: train and test share 1 of 2 people: bob. A network would be tested on a face it has learned...
    """
    names = list(groups)
    for at, first in enumerate(names):
        for second in names[at + 1:]:
            if both := sorted(set(groups[first]) & set(groups[second])):
                everybody = set().union(*groups.values())
                raise ValueError(f"split: {first} and {second} share {len(both)} of {len(everybody)} people: "
                                 f"{', '.join(both[:10])}{' ...' if len(both) > 10 else ''}. A network would be tested "
                                 f"on a face it has learned: each person belongs into one group.")


def _people(who: str, subjects: Iterable[str]) -> list[str]:
    people = list(subjects)
    if isinstance(subjects, str) or not all(isinstance(each, str) for each in people):
        raise TypeError(f"{who}: needs the names of people, a collection of texts, got {subjects!r}. "
                        f"Those of a store are store.subjects.")
    people = sorted(set(people))
    if not people:
        raise ValueError(f"{who}: needs people, got none.")
    return people


def _named(people: list[str], numbers: np.ndarray) -> frozenset[str]:
    return frozenset(people[number] for number in numbers)
