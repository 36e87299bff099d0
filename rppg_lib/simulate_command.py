"""What ``rppg simulate`` does: a training set of simulated people, of one of two sizes or of one's own."""

from __future__ import annotations

import dataclasses
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "clips"
"""Where stores go below the folder of products."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The size of a simulated training set."""

    people: int
    seconds: float
    scenes: tuple[str, ...]
    size_px: int
    fs: float = 30.0
    seed: int = 0
    difficulty: float = 1.0
    rates_bpm: tuple[float, float] = (45.0, 150.0)

    @property
    def recordings(self) -> int:
        return self.people * len(self.scenes)


EPILOG = """\
Makes people who do not exist, films their faces and keeps the pictures with the true pulse, for training. Where it is
kept follows from what is in it: other settings are another folder, and the same command again finds what is there.
A command that was stopped goes on with what is missing.

examples:
  rppg simulate
  rppg simulate --profile full --jobs 16
  rppg simulate --people 40 --scenes still,turning --size-px 72
"""
PROFILES = {
    "quick": Profile(people=16, seconds=10, scenes=("still", "talking"), size_px=36),
    "full": Profile(people=300, seconds=12, size_px=128,
                    scenes=("still", "talking", "turning", "light drift", "compressed")),
}
"""``quick`` takes 37 MB and 21 s of one core; ``full``, for networks on a GPU, 27 GB and 35 min of one core."""


def add_options(command: ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("--profile", choices=list(PROFILES), default="quick", help="size of the set (default: quick)")
    command.add_argument("--people", type=int, metavar="N", help="how many people")
    command.add_argument("--seconds", type=float, metavar="S", help="length of each recording")
    command.add_argument("--scenes", metavar="A,B", help="comma-separated; see simulate.SCENES")
    command.add_argument("--size-px", type=int, metavar="N", help="width and height of the pictures")
    command.add_argument("--fs", type=float, metavar="HZ", help="frames per second")
    command.add_argument("--seed", type=int, metavar="N", help="of the recordings")
    command.add_argument("--difficulty", type=float, metavar="X", help="multiplies every disturbance")
    command.add_argument("--label-faults", default="clean", metavar="NAME", help="what is wrong with the labels: a set "
                         "in simulate.FAULTS (default: clean)")
    command.add_argument("--out", type=Path, metavar="DIR", help="folder for stores (default: build/clips)")
    command.add_argument("--jobs", type=int, default=2, metavar="N", help="recordings at a time (default: 2)")


def run(args: Namespace, say: Callable[[str], Any]) -> bool:
    """Make the set and say where it is; return whether every recording could be made."""
    from .data import build_store, simulated_sources
    from .files import output_dir

    if args.jobs < 1:
        raise ValueError(f"simulate: --jobs must be at least 1, got {args.jobs}.")
    wanted = profile_of(args)
    check(wanted)
    settings = {field.name: getattr(wanted, field.name) for field in dataclasses.fields(wanted)}
    sources = simulated_sources(settings.pop("people"), label_faults=args.label_faults, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)                 # what failed is said below
        store = build_store(sources, args.out or output_dir(FOLDER), name=f"simulated-{args.profile}", jobs=args.jobs)
    frames = sum(record.frames for record in store.records)
    say(f"{store.path}\n  {len(store)} recordings of {len(store.subjects)} people, {frames} frames of "
        f"{wanted.size_px}x{wanted.size_px} px at {wanted.fs:g} fps, {store.bytes / 1e6:.1f} MB")
    if store.failed:
        say(f"  {len(store.failed)} of {len(sources)} recordings failed; the same command tries them again")
        for row in store.failed[:10]:
            say(f"    {row['id']}: {row['error']}")
        if len(store.failed) > 10:
            say(f"    and {len(store.failed) - 10} more, named in {store.path / 'manifest.json'}")
    return not store.failed


def check(wanted: Profile) -> None:
    """Refuse numbers that no film can have, before any is begun."""
    for name, low, high in (("people", 1, 1_000_000), ("seconds", 2.0, 36_000.0), ("size_px", 8, 1024),
                            ("fs", 5.0, 1000.0), ("difficulty", 0.0, 100.0)):
        value = getattr(wanted, name)
        if not low <= value <= high:
            raise ValueError(f"simulate: --{name.replace('_', '-')} must lie between {low:g} and {high:g}, "
                             f"got {value:g}.")
    if not wanted.scenes or len(set(wanted.scenes)) < len(wanted.scenes):
        raise ValueError(f"simulate: --scenes needs different scenes, got {', '.join(wanted.scenes) or 'none'}.")


def profile_of(args: Namespace) -> Profile:
    """Return the profile with what was given in its place."""
    given = {field.name: getattr(args, field.name, None) for field in dataclasses.fields(Profile)}
    if args.scenes is not None:
        given["scenes"] = tuple(name.strip() for name in args.scenes.split(",") if name.strip())
    return dataclasses.replace(PROFILES[args.profile], **{name: value for name, value in given.items()
                                                          if value is not None})
