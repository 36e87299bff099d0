"""Films of recorded people for a notebook, in place of simulated ones: who learns, who judges, what is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..files import output_dir, project_root
from .manifest import MANIFEST, SAME_RATE, Record
from .protocols import GROUPS, Fold, protocol, validates
from .store import ClipStore

ANY = "auto"
DIVISION = "60/15/25"
VALIDATES = 0.2
"""Share of those who train that validates where a protocol has nobody for it."""
SHOWN = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class Films:
    """What a notebook learns from and judges by.

    Attributes:
        store: with the recordings alone that can be used.
        fold: how their people are divided.
        left_out: why each of the other recordings is not used, by its id.
    """

    store: ClipStore
    fold: Fold
    left_out: dict[str, str]

    @property
    def fs(self) -> float:
        """Pictures per second of all."""
        return self.store.records[0].fs

    @property
    def size_px(self) -> int:
        """Side of all pictures."""
        return self.store.records[0].size_px[0]

    @cached_property
    def split(self) -> dict[str, list[str]]:
        """The names of those who train, validate and test."""
        return {group: sorted(getattr(self.fold.split, group)) for group in GROUPS}

    @cached_property
    def scenes(self) -> tuple[str, str]:
        """Two conditions of those who test, in the data set's order; the same twice if there is one."""
        seen = dict.fromkeys(each.condition for each in self.store.records if each.subject in self.split["test"])
        return (*seen, *seen)[:2]

    @property
    def told(self) -> str:
        """What the data are, for a stamp: whose, divided how."""
        people = ", ".join(f"{len(names)} {what}" for names, what in
                           zip(self.split.values(), ("to learn from", "to validate by", "to judge by")))
        return f"recorded people, {self.store.path.name}, {self.fold.name}: {people}"

    def __str__(self) -> str:
        lines = [f"{self.told}, {len(self.store)} recordings", *filter(None, [self.fold.note])]
        for why in dict.fromkeys(self.left_out.values()):
            ids = [id for id, reason in self.left_out.items() if reason == why]
            more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
            lines.append(f"left out, {why}: {len(ids)}, {', '.join(ids[:SHOWN])}{more}")
        return "\n".join(lines)


def recorded_films(data: str, *, division: str = "", fold: int = 1, frames: int = 2, seed: int = 0) -> Films | None:
    """Return films of recorded people, or None if simulated ones are wanted.

    Args:
        data: the folder of a clip store, from the working folder or that of the checkout on; ``auto``: the first in
            the checkout's ``data/cache`` if there is one; nothing: None.
        division: a published protocol, or shares of the people, as :func:`~rppg_lib.data.protocol` knows them; nothing
            stands for ``60/15/25``.
        fold: which of a protocol's folds, from 1.
        frames: recordings with fewer are left out.
        seed: of a draw of people.

    Raises:
        FileNotFoundError: if there is no store.
        ValueError: if pictures are not square or not of one size, or a group would have nobody.
    """
    store = find_store(data)
    if store is None:
        return None
    chosen = one_fold(store, division or DIVISION, fold, seed=seed)
    rate = Counter(round(each.fs, 2) for each in store.records if "label" in each.sha256).most_common(1)
    kept, left_out = [], {}
    for record in store.records:
        if why := _unfit(record, rate[0][0] if rate else record.fs, frames, chosen):
            left_out[record.id] = why
        else:
            kept.append(record)
    films = Films(store=ClipStore(store.path, store.manifest, tuple(kept)), fold=chosen, left_out=left_out)
    here = {each.subject for each in kept}
    if empty := [group for group, names in films.split.items() if not here & set(names)]:
        raise ValueError(f"recorded_films: of {store.path.name} nobody could be used for {' and '.join(empty)}. "
                         f"Not used: {'; '.join(f'{id}: {why}' for id, why in list(left_out.items())[:SHOWN])}.")
    sizes = {each.size_px for each in kept}
    if len(sizes) > 1 or len({side for size in sizes for side in size}) > 1:
        raise ValueError(f"recorded_films: needs square pictures of one size, {store.path.name} has "
                         f"{', '.join(f'{w} x {h}' for w, h in sorted(sizes))}. Build the store with one --size-px.")
    return films


def find_store(data: str) -> ClipStore | None:
    """Return the clip store that a notebook's parameter names; None where it asks for none, or for any and none is."""
    home = project_root()
    if data == ANY:
        found = sorted(home.glob(f"data/cache/*/{MANIFEST}")) if home else []
        return ClipStore.open(found[0].parent) if found else None
    if not data:
        return None
    places = [Path(data), *([home / data] if home else []), output_dir() / data]
    return ClipStore.open(next((place for place in places if place.is_dir()), places[0]))


def one_fold(store: ClipStore, division: str, number: int = 1, *, seed: int = 0) -> Fold:
    """Return one fold of a division; who validates is taken from those who train where nobody else is told."""
    share = 0.0 if validates(division) else VALIDATES
    folds = protocol(division, store, validation=share, seed=seed)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(folds):
        raise ValueError(f"one_fold: fold must lie between 1 and {len(folds)} for {division!r}, got {number!r}.")
    return folds[number - 1]


def _unfit(record: Record, fs: float, frames: int, fold: Fold) -> str:
    """Say why a recording is not used; empty if it is."""
    if not any(record.subject in getattr(fold.split, group) for group in GROUPS):
        return "its person is in no group"
    if "label" not in record.sha256:
        return "it has no label"
    if abs(record.fs / fs - 1) > SAME_RATE:
        return f"not {fs:g} pictures per second, as most have"
    return f"fewer than {frames} pictures" if record.frames < frames else ""
