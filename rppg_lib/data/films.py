"""Films of recorded people for a notebook, in place of simulated ones: who learns, who judges, what is left out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..files import output_dir, project_root
from .manifest import MANIFEST, SAME_RATE, Record
from .protocols import GROUPS, Fold, protocol, validates
from .splits import shares_of
from .store import ClipStore

ANY = "auto"
DIVISION = "60/15/25"
VALIDATES = 0.2
"""Share of those who train that validates where a protocol has nobody for it."""
SHOWN = 5
STRANGE = "its person is in no group"


@dataclass(frozen=True, eq=False, kw_only=True)
class Films:
    """What a notebook learns from and judges by.

    Attributes:
        store: with the recordings alone that can be used.
        fold: how people are divided.
        scenes: two conditions that those who test were filmed in; the same twice if there is one.
        left_out: why each of the other recordings is not used, by its id.
    """

    store: ClipStore
    fold: Fold
    scenes: tuple[str, str]
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
        """The names of those who train, validate and test, and of whom a recording can be used."""
        here = {each.subject for each in self.store.records}
        return {group: sorted(here & getattr(self.fold.split, group)) for group in GROUPS}

    @property
    def told(self) -> str:
        """What the data are, for a stamp: whose, divided how."""
        people = ", ".join(f"{len(names)} {what}" for names, what in
                           zip(self.split.values(), ("to learn from", "to validate by", "to judge by")))
        return f"recorded people, {self.store.path.name}, {self.fold.name}: {people}"

    def __str__(self) -> str:
        lines = [f"{self.told}, {len(self.store)} recordings; compared: "
                 f"{' and '.join(dict.fromkeys(filter(None, self.scenes))) or 'nothing, for there is one condition'}",
                 *filter(None, [self.fold.note])]
        for why in dict.fromkeys(self.left_out.values()):
            ids = [id for id, reason in self.left_out.items() if reason == why]
            more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
            lines.append(f"left out, {why}: {len(ids)}, {', '.join(ids[:SHOWN])}{more}")
        return "\n".join(lines)


def recorded_films(data: str, *, division: str = "", fold: int = 1, frames: int = 2, learners: int = 1,
                   seed: int = 0) -> Films | None:
    """Return films of recorded people, or None if simulated ones are wanted.

    Args:
        data: the folder of a clip store, from the working folder or that of the checkout on; ``auto``: the first in
            the checkout's ``data/cache`` if there is one; nothing: None.
        division: a published protocol, or shares of the people, as :func:`~rppg_lib.data.protocol` knows them; nothing
            stands for ``60/15/25``.
        fold: which of a protocol's folds, from 1.
        frames: recordings with fewer are left out.
        learners: how many people must be there to train.
        seed: of a draw of people.

    Raises:
        FileNotFoundError: if there is no store.
        ValueError: if pictures are not square or not of one size, or a group would have nobody.
    """
    store = find_store(data)
    if store is None:
        return None
    rate = _usual_rate(store)
    unfit = {record.id: why for record in store.records if (why := _unfit(record, rate, frames))}
    people = sorted({record.subject for record in store.records if record.id not in unfit})
    shares = shares_of(division or DIVISION)
    chosen = one_fold(_some_of(store, people) if shares and people else store, division or DIVISION, fold,
                      seed=seed)
    grouped = frozenset().union(*(getattr(chosen.split, group) for group in GROUPS))
    left_out = {record.id: unfit.get(record.id, STRANGE) for record in store.records
                if record.id in unfit or record.subject not in grouped}
    kept = [record for record in store.records if record.id not in left_out]
    films = Films(store=ClipStore(store.path, store.manifest, tuple(kept)), fold=chosen, left_out=left_out,
                  scenes=_scenes(kept, chosen.split.test))
    few = [f"{least} to {what}, got {len(names)}" for what, names, least in
           zip(("learn from", "validate by", "judge by"), films.split.values(), (learners, 1, 1)) if len(names) < least]
    if few:
        raise ValueError(f"recorded_films: needs people of whom a recording can be used, of {store.path.name} at least "
                         f"{'; '.join(few)}. Not used: {_some(left_out)}. Choose another division, shares such as "
                         f"60/15/25 for example, shorter samples, or a store of more people.")
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
    places = [Path(data).expanduser(), *([home / data] if home else []), output_dir() / data]
    return ClipStore.open(next((place for place in places if place.is_dir()), places[0]))


def one_fold(store: ClipStore, division: str, number: int = 1, *, seed: int = 0) -> Fold:
    """Return one fold of a division; who validates is taken from those who train where nobody else is told."""
    share = 0.0 if validates(division) else VALIDATES
    folds = protocol(division, store, validation=share, seed=seed)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(folds):
        raise ValueError(f"one_fold: fold must lie between 1 and {len(folds)} for {division!r}, got {number!r}.")
    return folds[number - 1]


def _some_of(store: ClipStore, people: list[str]) -> ClipStore:
    """Return the store without those of whom nothing can be used, so that no share of people is drawn from them."""
    return ClipStore(store.path, store.manifest, tuple(each for each in store.records if each.subject in people))


def _usual_rate(store: ClipStore) -> float:
    """Return the lowest of the rates that count as one and that most recordings with a label have."""
    rates = [each.fs for each in store.records if "label" in each.sha256] or [store.records[0].fs]
    return max(rates, key=lambda fs: sum(_alike(other, fs) for other in rates))


def _alike(rate: float, lowest: float) -> bool:
    return rate >= lowest and abs(rate / lowest - 1) <= SAME_RATE    # then any two of them are


def _unfit(record: Record, fs: float, frames: int) -> str:
    """Say why a recording cannot be used; empty if it can."""
    if "label" not in record.sha256:
        return "it has no label"
    if not _alike(record.fs, fs):
        return f"not about {fs:.3g} pictures per second, as most have (rppg data build --fps makes one rate of all)"
    return f"fewer than {frames} pictures" if record.frames < frames else ""


def _scenes(records: list[Record], judged: frozenset[str]) -> tuple[str, str]:
    """Return the two conditions that most of those who test share, in the order of the store: the data set's own."""
    order = list(dict.fromkeys(each.condition for each in records))
    of = {scene: {each.subject for each in records if each.condition == scene} & judged for scene in order}
    pairs = [(one, other) for k, one in enumerate(order) for other in order[k + 1:] if of[one] & of[other]]
    alone = max(order, key=lambda scene: len(of[scene]), default="")
    return max(pairs, key=lambda pair: len(of[pair[0]] & of[pair[1]]), default=(alone, alone))


def _some(left_out: dict[str, str]) -> str:
    told = "; ".join(f"{id}: {why}" for id, why in list(left_out.items())[:SHOWN])
    return told + (f"; and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else "") or "none"
