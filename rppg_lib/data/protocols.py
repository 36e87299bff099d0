"""Who trains and who tests: folds of public data sets as published, shares of any, one data set for another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..registry import near_miss
from .readers.ubfc2 import PEOPLE as UBFC2
from .splits import Split, _people, check_exclusive, shares_of, split_subjects
from .store import ClipStore

if TYPE_CHECKING:
    import pandas as pd

TOLD = {
    "lists": "the source names the people",
    "rule": "the source tells an order and shares, and these name the people",
    "ratio only": "the source tells how many, not who: the choice is ours, and always the same",
    "parts": "the data set came in parts, and each recording tells in which",
    "shares": "nobody published it: the shares are those asked for, and the people are drawn by the seed",
    "data sets": "everybody of one data set tests; those of the others train or validate",
}
"""How much a source tells of who is in which group."""
GROUPS = ("train", "validation", "test")
LEFT_OUT, MISSING = "in no group", "not here"
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a source divides the people of a data set.

    Attributes:
        name: what to ask :func:`protocol` for.
        dataset: name of its reader.
        told: one of ``TOLD``.
        source: keys of the bibliography, and what was read.
        reading: what is ours in it, and what readers of its tables should know.
        groups: numbers of the people who train, validate and test, once per fold; none where ``told`` is ``parts``.
    """

    name: str
    dataset: str
    told: str
    source: str
    reading: str
    groups: tuple[tuple[tuple[int, ...], ...], ...] = field(repr=False)

    @property
    def people(self) -> frozenset[int]:
        """Numbers of everybody in it, where they are known."""
        return frozenset(number for fold in self.groups for group in fold for number in group)


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One division of people, with what it was taken from.

    Attributes:
        name: of the protocol, and which fold of it.
        split: who trains, validates and tests.
        told: one of ``TOLD``.
        source: where it is told.
        missing: who belongs to it and is not here.
        left_out: who is here and belongs to none of its groups.
    """

    name: str
    split: Split
    told: str
    source: str
    missing: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __repr__(self) -> str:
        odd = "".join(f", {len(group)} {what}" for group, what in ((self.missing, MISSING), (self.left_out, LEFT_OUT))
                      if group)
        return f"Fold({self.name!r}, {self.split}, told: {self.told}{odd})"

    @property
    def note(self) -> str:
        """Who is missing and who was left out, as a sentence; empty if nobody."""
        told = {"missing of its people": self.missing, "left out, for being in none of its groups": self.left_out}
        parts = [f"{what} {len(people)}: {_some(people)}" for what, people in told.items() if people]
        return f"{self.name}: {'; '.join(parts)}." if parts else ""


def protocols() -> dict[str, Protocol]:
    """Return the published protocols by name.

    >>> list(protocols())[:3]
    ['vipl 5 folds', 'ubfc2 30/12', 'ubfc2 30/12 as text']
    >>> protocols()["pure 60/40"].told
    'rule'
    """
    return {each.name: each for each in PUBLISHED}


def validates(name: str) -> bool:
    """Return whether a division has people of its own to validate with, so that none need be taken from training.

    >>> validates("70/10/20"), validates("60/40"), validates("cohface 30/30/40"), validates("pure 60/40")
    (True, False, True, False)
    """
    if shares := shares_of(name):
        return shares[1] > 0
    known = protocols().get(name)
    return known is not None and (known.told == "parts" or any(fold[1] for fold in known.groups))


def protocol(name: str, people: ClipStore | Iterable[str], *, validation: float = 0.0, seed: int = 0) -> list[Fold]:
    """Divide people as published, where groups do not depend on who else is there; or anybody's by plain shares.

    Args:
        name: one of :func:`protocols`; or percent of the people, ``60/40`` to train and test, ``70/10/20`` to train,
            validate and test.
        people: a store, or names as its reader gives them, such as ``pure 01``.
        validation: share of those who train that validates instead. Protocols seldom have people to stop training by:
            then some papers stop by those who test, and their errors are too small.
        seed: of the draw of these, and of plain shares.

    Raises:
        ValueError: if a group of a fold would have nobody.

    >>> people = [f"pure {n:02d}" for n in range(2, 12)]
    >>> (fold,) = protocol("pure 60/40", people)
    >>> fold
    Fold('pure 60/40', Split(train 5, validation 0, test 4 people), told: rule, 1 not here, 1 in no group)
    >>> print(fold.note)
    pure 60/40: missing of its people 1: pure 01; left out, for being in none of its groups 1: pure 11.
    >>> protocol("70/10/20", people)
    [Fold('70/10/20', Split(train 7, validation 1, test 2 people), told: shares)]
    """
    _check_share("protocol", validation)
    known, here = protocols(), _people("protocol", getattr(people, "subjects", people))
    if shares := shares_of(name):
        drawn = split_subjects(here, shares=shares, seed=seed)
        split = _with_validation(f"protocol: {name}", [getattr(drawn, group) for group in GROUPS], validation, seed)
        return [Fold(name=name, split=split, told="shares", source=f"a draw by seed {seed}")]
    if name not in known:
        raise ValueError(f"protocol: there is none called {name!r}.{near_miss(name, known)} Known: "
                         f"{', '.join(known)}; and shares, such as 60/40 or 70/10/20.")
    how = known[name]
    if how.told == "parts":
        return [_by_parts(how, people, validation, seed)]
    number_of = {person: int(found[1]) for person in here
                 if (found := re.fullmatch(rf"{how.dataset} p?([0-9]+)", person))}
    if not number_of:
        raise ValueError(f"protocol: {name!r} divides people called as {_called(how.dataset, 1)!r}, got {_some(here)}. "
                         f"'rppg data build {how.dataset} DIR' makes a store of them.")
    missing = tuple(_called(how.dataset, number) for number in sorted(how.people - set(number_of.values())))
    strange = tuple(person for person in here if number_of.get(person) not in how.people)
    folds = []
    for at, groups in enumerate(how.groups, start=1):
        label = name if len(how.groups) == 1 else f"{name}, fold {at}"
        named = [[person for person in here if number_of.get(person) in group] for group in groups]
        for what, wanted, found in zip(GROUPS, groups, named, strict=True):
            if wanted and not found:
                raise ValueError(f"protocol: {label} would have nobody for {what}: of {len(wanted)} people none is "
                                 f"here ({_some([_called(how.dataset, number) for number in wanted])}). Complete the "
                                 f"copy of the data set, or divide those who are here with split_subjects or k_folds.")
        split = _with_validation(f"protocol: {label}", named, validation, seed)
        folds.append(Fold(name=label, split=split, told=how.told, source=how.source, missing=missing, left_out=strange))
    return folds


def cross(train: ClipStore | Sequence[ClipStore], test: ClipStore, *, validation: float = 0.2, seed: int = 0) -> Fold:
    """Train on everybody of some stores and test on everybody of another, as in ``P+C -> U`` or from simulated people.

    Args:
        train: one store or several.
        test: a store of other people.
        validation: share of each training store's people that validates instead.
        seed: of their draw.

    Raises:
        ValueError: if a name is in two of the stores; it says which. One person under two names is not found.
    """
    stores = [*(train if isinstance(train, (list, tuple)) else [train]), test]
    if len(stores) < 2 or not all(isinstance(store, ClipStore) for store in stores):
        raise TypeError(f"cross: needs one or more clip stores to train on and one to test on, got "
                        f"{', '.join(type(store).__name__ for store in stores)}. ClipStore.open opens one.")
    _check_share("cross", validation)
    check_exclusive(**{f"{store.path.name} (store {at})": store.subjects for at, store in enumerate(stores, start=1)})
    name = f"{_datasets(stores[:-1])} -> {_datasets([test])}"
    shared = [_with_validation(f"cross: {name}, {store.path.name}", [store.subjects, (), ()], validation, seed)
              for store in stores[:-1]]
    split = Split(train=frozenset().union(*(each.train for each in shared)), test=test.subjects,
                  validation=frozenset().union(*(each.validation for each in shared)))
    return Fold(name=name, split=split, told="data sets", source=", ".join(store.path.name for store in stores))


def fold_table(folds: Fold | Sequence[Fold], *stores: ClipStore) -> pd.DataFrame:
    """Say who trains, validates and tests: a row per group of each fold, with its people, clips and minutes.

    Who is in no group, or not here, has a row of their own. Without stores, clips and minutes are not known.

    Args:
        folds: of :func:`protocol` or :func:`cross`.
        stores: all whose clips are to be counted.
    """
    import pandas as pd

    records = [record for store in stores for record in store.records]
    everybody, rows = {record.subject for record in records}, []
    for fold in [folds] if isinstance(folds, Fold) else folds:
        groups = {name: getattr(fold.split, name) for name in GROUPS}
        groups[LEFT_OUT] = (everybody | set(fold.left_out)) - frozenset().union(*groups.values())
        groups[MISSING] = set(fold.missing)
        for name, people in groups.items():
            if people or name in GROUPS:
                mine = [record for record in records if record.subject in people]
                rows.append({"fold": fold.name, "group": name, "people": len(people),
                             "clips": len(mine) if stores else np.nan,
                             "minutes": sum(record.seconds for record in mine) / 60 if stores else np.nan,
                             "told": fold.told, "who": ", ".join(sorted(people))})
    return pd.DataFrame(rows, columns=["fold", "group", "people", "clips", "minutes", "told", "who"])


def _by_parts(how: Protocol, store: ClipStore | Iterable[str], validation: float, seed: int) -> Fold:
    """Return the division of which the recordings of a store tell."""
    records = [one for one in getattr(store, "records", ()) if one.dataset == how.dataset]
    if not records:
        raise ValueError(f"protocol: {how.name!r} is told by recordings of {how.dataset}, not by names, got none of "
                         f"them. 'rppg data build {how.dataset} DIR' makes a store of them.")
    parts = {group: {one.subject for one in records if one.facts.get("part") == group} for group in GROUPS}
    if empty := [group for group, members in parts.items() if not members]:
        raise ValueError(f"protocol: {how.name} would have nobody for {' and '.join(empty)}: no recording here says it "
                         f"is of that part. Complete the copy of the data set, or divide those who are here by shares, "
                         f"such as 70/10/20.")
    split = _with_validation(f"protocol: {how.name}", list(parts.values()), validation, seed)
    strange = tuple(person for person in store.subjects if not any(person in members for members in parts.values()))
    return Fold(name=how.name, split=split, told=how.told, source=how.source, left_out=strange)


def _with_validation(label: str, groups: Sequence[Iterable[str]], share: float, seed: int) -> Split:
    """Return a split whose validating people are those told, or a share of those who train."""
    train, told, test = groups
    if not share:
        return Split(train=train, validation=told, test=test)
    if told:
        raise ValueError(f"{label} has people of its own to validate with, {_some(list(told))}. Leave "
                         f"validation at 0.")
    if len(set(train)) < 2:
        raise ValueError(f"{label} has one person to train, so that none can validate. Set validation to 0, "
                         f"or add people.")
    inner = split_subjects(train, shares=(1 - share, share, 0.0), seed=seed)
    return Split(train=inner.train, validation=inner.validation, test=test)


def _check_share(who: str, share: float) -> None:
    if isinstance(share, bool) or not isinstance(share, (int, float, np.number)) or not 0 <= share < 1:
        raise ValueError(f"{who}: validation must be a share of those who train, from 0 to below 1, got {share!r}.")


def _datasets(stores: Iterable[ClipStore]) -> str:
    return "+".join(sorted({record.dataset for store in stores for record in store.records}))


def _called(dataset: str, number: int) -> str:
    """Return what a person is called in a store.

    >>> _called("pure", 3), _called("vipl", 3), _called("ubfc2", 3)
    ('pure 03', 'vipl p3', 'ubfc2 3')
    """
    return f"{dataset} {CALLED.get(dataset, '{}').format(number)}"


def _some(people: Sequence[str]) -> str:
    more = len(people) - SHOWN
    return ", ".join(people[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _upto(people: Iterable[int], *edges: int) -> tuple[tuple[int, ...], ...]:
    """Cut people, in their order, before these places.

    >>> _upto(range(1, 6), 3, 3)
    ((1, 2, 3), (), (4, 5))
    """
    people = tuple(people)
    return tuple(people[low:high] for low, high in zip((0, *edges), (*edges, len(people))))


def _each_tests_once(*folds: tuple[int, ...]) -> tuple[tuple[tuple[int, ...], ...], ...]:
    return tuple((tuple(number for other in folds if other is not fold for number in other), (), fold)
                 for fold in folds)


CALLED = {"pure": "{:02d}", "vipl": "p{}"}
VIPL = (
    (7, 10, 12, 21, 25, 35, 43, 49, 50, 57, 58, 59, 62, 64, 65, 74, 81, 90, 100, 101, 105),
    (2, 6, 9, 13, 15, 17, 20, 22, 23, 24, 27, 29, 31, 34, 38, 40, 51, 55, 79, 88, 103),
    (1, 5, 8, 46, 48, 56, 61, 63, 67, 70, 76, 78, 82, 84, 87, 91, 92, 97, 99, 106, 107),
    (3, 4, 11, 14, 16, 18, 19, 30, 32, 33, 36, 39, 42, 52, 54, 60, 69, 80, 86, 89, 93, 96),
    (26, 28, 37, 41, 44, 45, 47, 53, 66, 68, 71, 72, 73, 75, 77, 83, 85, 94, 95, 98, 102, 104),
)
"""Who tests in each of the five folds."""
COHFACE_TRAIN = (1, 4, 16, 21, 25, 27, 28, 29, 31, 33, 35, 38)
COHFACE_DEV = (2, 5, 6, 7, 9, 17, 18, 19, 24, 36, 37, 39)
COHFACE_TEST = (3, 8, 10, 11, 12, 13, 14, 15, 20, 22, 23, 26, 30, 32, 34, 40)
FIRST_30 = "chu2025codephys: the first 30 people train, the other 12 test; sung2026lqrppg, settings of the code: 72 %"
PUBLISHED = (
    Protocol(name="vipl 5 folds", dataset="vipl", told="lists", groups=_each_tests_once(*VIPL),
             source="niu2020rhythmnet, as listed in the public loader of zou2025rhythmmamba",
             reading="that loader takes p100 to p107 for p10, so that they test in fold 1; here each is where its list "
                     "has it. The data set comes with fold/fold1.mat to fold5.mat: compare them"),
    Protocol(name="ubfc2 30/12", dataset="ubfc2", told="ratio only", source=FIRST_30, groups=(_upto(UBFC2, 30, 30),),
             reading="which order makes people the first is not told: by number here"),
    Protocol(name="ubfc2 30/12 as text", dataset="ubfc2", told="ratio only", source=FIRST_30,
             groups=(_upto(sorted(UBFC2, key=str), 30, 30),),
             reading="the same in the order of names as text (subject1, subject10, subject11 ...), as public code "
                     "often sorts them"),
    Protocol(name="pure 60/40", dataset="pure", told="rule", groups=(_upto(range(1, 11), 6, 6),),
             source="sung2026lqrppg, settings of the code, with the sorted people of liu2023rppgtoolbox",
             reading="that code stops training by those who test. chu2025codephys does not tell its people"),
    Protocol(name="cohface 60/40", dataset="cohface", told="lists",
             groups=((COHFACE_TRAIN + COHFACE_DEV, (), COHFACE_TEST),),
             source="heusch2017cohface: protocols/all of the data set; training and development together",
             reading="other work divides 60/40 by other people: sung2026lqrppg takes the first 24 folders, whose order "
                     "is not told; chu2025codephys does not tell its people"),
    Protocol(name="cohface 30/30/40", dataset="cohface", told="lists",
             groups=((COHFACE_TRAIN, COHFACE_DEV, COHFACE_TEST),),
             source="heusch2017cohface: protocols/all of the data set",
             reading="its development people validate"),
    Protocol(name="cohface 60/40 in order", dataset="cohface", told="ratio only",
             groups=(_upto(range(1, 41), 24, 24),), source="sung2026lqrppg, settings of the code",
             reading="loaders of this kind take folders in the file system's order: by number here. That code stops "
                     "training by those who test"),
    Protocol(name="mmpd 70/10/20", dataset="mmpd", told="rule", groups=(_upto(range(1, 34), 23, 26),),
             source="sung2026lqrppg, settings of the code, with the sorted people of liu2023rppgtoolbox",
             reading="23, 3 and 7 people: shares are cut to whole people"),
    Protocol(name="v4v", dataset="v4v", told="parts", groups=(),
             source="revanur2021v4v: the folders of the data set",
             reading="most copies have labels for the training part only, and cannot be divided so"),
)
