"""What ``rppg train`` and ``rppg evaluate`` do: a network is trained on a clip store, and judged on other people."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import output_dir, written_whole

if TYPE_CHECKING:
    import pandas as pd

    from .data import ClipStore, Split
    from .models import Network
    from .training import Fitted
    from .training.plans import Recipe

TRAIN_EPILOG = """\
Trains a network on a store of clips, judges it on people it has not seen, beside POS, and writes checkpoints, learning
curves and the table. Without --data the store is that of 'rppg simulate' for the profile. A command that was stopped
goes on where it was: after each epoch, and every two minutes in between, a checkpoint is written. On a terminal a bar
on standard error shows how far it is; where that goes into a file, each epoch writes a line there.

examples:
  rppg train physnet
  rppg train efficientphys --profile full -p epochs=30 -p lr=0.001
  rppg train codephys -p heartbeats.epochs=3          # in two stages: the first learns heartbeats from contact waves
  rppg train physnet --data build/clips/simulated-quick-0123456789ab --out my-physnet
"""
EVALUATE_EPILOG = """\
CHECKPOINT is a folder that 'rppg train' wrote; DATA a store of clips. Whom the network was trained on is left out and
counted. POS is judged on the same clips.

example:
  rppg evaluate build/training/physnet-quick build/clips/simulated-quick-0123456789ab --json
"""
PEOPLE = "people.json"
"""In the folder of a training: who was trained on, so that nobody of them is ever judged."""
BASELINE = "pos"
PROFILES = ("quick", "full", "paper")
SHARES = (0.6, 0.15, 0.25)
"""Of the people: to train, to stop by, to judge."""
OF_ALL_STAGES = ("seed", "device", "checkpoint_every_steps", "checkpoint_every_s")
"""Settings that a training has once, however many stages it has."""


def add_train_options(command: ArgumentParser) -> None:
    """Say what ``rppg train`` takes."""
    command.add_argument("name", metavar="NAME", help="of the network, see rppg models")
    command.add_argument("--profile", choices=PROFILES, default="quick", help="quick: tiny network, minutes on a CPU; "
                         "full: published size, for a GPU; paper: published settings, with --data (default: quick)")
    command.add_argument("-p", action="append", default=[], dest="given", metavar="NAME=VALUE",
                         help="set lr, epochs, batch, seed, ... or a setting of the network; may be repeated. Of "
                         "several stages this is the last; before settings of an earlier one goes its name: "
                         "heartbeats.epochs=3")
    command.add_argument("--data", type=Path, metavar="STORE", help="a clip store (default: the simulated one of the "
                         "profile, made first if need be)")
    command.add_argument("--protocol", metavar="NAME", help="divide people as published, 'vipl 5 folds' for example, "
                         "see the book's page on protocols; or draw by shares of your own, 70/10/20 for example to "
                         "train, validate and judge (default: 60/15/25)")
    command.add_argument("--fold", type=int, metavar="K", help="which fold of the protocol (default: 1)")
    command.add_argument("--out", type=Path, metavar="DIR", help="checkpoints and results (default: below "
                         "build/training; $RPPG_OUT, if set, is in build's place)")
    command.add_argument("--fresh", action="store_true", help="begin anew instead of going on")
    command.add_argument("--jobs", type=int, default=2, metavar="N", help="recordings made at a time (default: 2)")


def add_evaluate_options(command: ArgumentParser) -> None:
    """Say what ``rppg evaluate`` takes."""
    command.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="folder that rppg train wrote")
    command.add_argument("data", type=Path, metavar="DATA", help="folder of a clip store")
    command.add_argument("--json", action="store_true", help="as JSON")


def train(args: Namespace, say: Callable[[str], Any]) -> bool:
    """Train a network, judge it on the people kept apart, write and say the table."""
    from .data import ClipStore
    from .registry import find
    from .training import train_in_stages
    from .training.device import random_state_kept
    from .training.plans import network_config
    from .training.recipes import recipe

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError("train: is made for one process; here several would train in one folder. In several processes "
                         "call rppg_lib.training.fit from a script of your own.")
    entry = find(args.name)
    if entry.kind != "network":
        raise ValueError(f"train: {args.name} is a method without weights; there is nothing to train. "
                         f"Networks: see rppg models.")
    how, own = _settings(args.given, entry.made_of, recipe(args.name, args.profile))
    store = ClipStore.open(args.data) if args.data else _simulated(args)
    split, told = _divided(args, store, how.config.seed)
    with random_state_kept(seed=how.config.seed):
        network = entry.made_of(network_config(entry.made_of, args.profile, store, own, people=len(split.train)))
    stages = how.stages(network, store, split)
    folder = args.out or output_dir("training", f"{args.name}-{_label(args)}")
    _write_people(folder, store, split, fresh=args.fresh)            # first: a killed training has a checkpoint, too
    fitted = train_in_stages(network, stages, folder=folder, resume=not args.fresh)
    table, rows, why = _judged(network, store, split.test)
    histories = {f"history_{stage.name}": each.history for stage, each in zip(stages[:-1], fitted)}
    path = _results(args, fitted[-1], {"test": table, "rows": rows, "history": fitted[-1].history, **histories}, store,
                    how.to_json() | {"network": network.settings}, folder)
    say(_text(table) + f"\n\n{_who(store, split)}{told}\n{folder}\n{path}{why}")
    return not why


def _divided(args: Namespace, store: ClipStore, seed: int) -> tuple[Split, str]:
    """Return who trains, validates and tests: drawn, or a fold of a protocol with what it says of itself."""
    from .data import split_subjects
    from .data.films import one_fold
    from .data.protocols import TOLD

    if args.protocol is None:
        if args.fold is not None:
            raise ValueError("train: --fold counts the folds of a published protocol. Name it with --protocol.")
        return split_subjects(store.subjects, shares=SHARES, seed=seed), ""
    fold = one_fold(store, args.protocol, 1 if args.fold is None else args.fold, seed=seed)
    return fold.split, f"\n{fold.name}, of which {TOLD[fold.told]}. {fold.note}".rstrip()


def evaluate(args: Namespace, say: Callable[[str], Any]) -> bool:
    """Judge a checkpoint on a store, beside POS, without the people it was trained on."""
    from .data import ClipStore
    from .models import load_network

    network, store = load_network(args.checkpoint), ClipStore.open(args.data)
    known = _trained_on(args.checkpoint.resolve(), store)
    people = set(store.subjects) - (known or set())
    if not people:
        raise ValueError(f"evaluate: {args.checkpoint} was trained on everybody in {args.data}, so nothing would be "
                         f"learned from judging it there. Use a store of other people.")
    table, _, why = _judged(network, store, people)
    left_out = len(set(store.subjects) & (known or set()))
    told = "" if known is not None else f"; there is no {PEOPLE}: whom it was trained on is not known"
    if args.json:
        say(json.dumps({"checkpoint": str(args.checkpoint), "data": str(args.data), "content": store.content_hash,
                        "datasets": sorted(_datasets(store)), "left_out": left_out,
                        "trained_on_is_known": known is not None,
                        "trained": network.facts,
                        "table": _plain(table)}, indent=1, allow_nan=False))
    else:
        say(f"{_text(table)}\n\n{', '.join(sorted(_datasets(store)))}: {len(people)} people"
            + (f"; {left_out} it was trained on are left out" if left_out else told) + why)
    return not why


def _settings(given: list[str], kind: type[Network], how: Recipe) -> tuple[Recipe, dict[str, Any]]:
    """Return the recipe with what was given in place of its own, and what was given as settings of the network."""
    from .registry import near_miss

    *before, last = how.fits
    fit = {field.name for field in dataclasses.fields(how.config)} - {"augment", "frozen"}
    known = {name: ("network", "", name) for name in (field.name for field in dataclasses.fields(kind.Config))}
    known |= {name: ("losses", "", name) for name in how.losses} | {name: ("fit", last, name) for name in fit}
    known |= {f"{stage}.{name}": ("fit", stage, name) for stage in before for name in fit}
    known |= {f"{stage}.{name}": ("settings", stage, name) for stage, names in how.may_set.items() for name in names}
    found: dict[str, dict[str, dict[str, Any]]] = {"network": {}, "fit": {}, "settings": {}, "losses": {}}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            raise ValueError(f"train: -p needs NAME=VALUE with a known name, got {text!r}.{near_miss(name, known)} "
                             f"Names: {', '.join(sorted(known))}.")
        try:
            plain = json.loads(value)                                # numbers, true, null
        except json.JSONDecodeError:
            plain = value
        where, stage, field = known[name]
        found[where].setdefault(stage, {})[field] = plain
    shared = {name: value for name, value in found["fit"].get(last, {}).items() if name in OF_ALL_STAGES}
    fits = {stage: dataclasses.replace(config, **shared | found["fit"].get(stage, {}))
            for stage, config in how.fits.items()}
    settings = {stage: {**how.settings.get(stage, {}), **found["settings"].get(stage, {})} for stage in how.may_set}
    losses = {**how.losses, **found["losses"].get("", {})}
    return dataclasses.replace(how, fits=fits, settings=settings, losses=losses), found["network"].get("", {})


def _simulated(args: Namespace) -> ClipStore:
    """Return the simulated store of the profile, the same that ``rppg simulate`` makes."""
    from .data import build_store, simulated_sources
    from .simulate_command import FOLDER, PROFILES

    if args.profile not in PROFILES:
        raise ValueError(f"train: profile {args.profile} is for recordings of real people. Name their store with "
                         f"--data; without any, use profile full.")
    settings = {field.name: getattr(PROFILES[args.profile], field.name)
                for field in dataclasses.fields(PROFILES[args.profile])}
    sources = simulated_sources(settings.pop("people"), **settings)
    return build_store(sources, output_dir(FOLDER), name=f"simulated-{args.profile}", jobs=args.jobs,
                       progress=sys.stderr.isatty())


def _judged(network: Network, store: ClipStore,
            people: set[str] | frozenset[str]) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return summary and rows of network and POS on these people's clips; and why, if the network could read none."""
    from .evaluation import evaluate as judge
    from .evaluation import summarise
    from .models import NetworkEstimator

    clips = [store.clip(record) for record in store.records if record.subject in people]
    clips = [clip for clip in clips if clip.label is not None]
    methods = [NetworkEstimator(network)] + ([BASELINE] if all(clip.rgb is not None for clip in clips) else [])
    if not clips:
        raise ValueError(f"evaluate: needs clips with labels, {store.path} has none of {len(people)} people.")
    rows = judge(methods, clips)
    mine = rows[rows.method == methods[0].name]
    return summarise(rows), rows, "" if mine.hr_pred.notna().any() else f"\nno clip could be read: {mine.note.iloc[0]}"


def _write_people(folder: Path, store: ClipStore, split: Split, *, fresh: bool) -> None:
    """Keep who is trained on beside the checkpoints; never beside those of a training on others."""
    from .training.checkpoint import Checkpoints

    people = {part: sorted(getattr(split, part)) for part in ("train", "validation", "test")}
    told = json.dumps({"datasets": sorted(_datasets(store)), **people}, indent=1) + "\n"
    path = folder / PEOPLE
    Checkpoints(folder).hold()
    if fresh:
        Checkpoints(folder).clear()
    elif path.is_file() and path.read_text(encoding="utf-8") != told:
        raise ValueError(f"train: {folder} holds a training on other people. Name another folder with --out, or begin "
                         f"anew with --fresh.")
    with written_whole(path) as file:
        file.write(told)


def _trained_on(checkpoint: Path, store: ClipStore) -> set[str] | None:
    """Return whom of a store's data sets the network has seen (a name in another one is another person); None if it
    is not known.
    """
    for folder in (checkpoint, *checkpoint.parents[:2]):             # a step of a stage of the training
        if (folder / PEOPLE).is_file():
            try:
                told = json.loads((folder / PEOPLE).read_text(encoding="utf-8"))
                if not all(isinstance(told[key], list) for key in ("train", "validation", "datasets")):
                    raise TypeError("its parts must be lists")
                seen, datasets = {*told["train"], *told["validation"]}, set(told["datasets"])
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise ValueError(f"evaluate: {folder / PEOPLE} does not say who was trained on ({error}). "
                                 f"Train again.") from None
            return {record.subject for record in store.records
                    if record.subject in seen and record.dataset in datasets}
    return None


def _results(args: Namespace, fitted: Fitted, tables: dict[str, Any], store: ClipStore, config: dict[str, Any],
             folder: Path) -> Path:
    from . import results

    kind = "simulated" if _datasets(store) == {"simulated"} else "recorded"
    return results.save(f"train_{args.name}", tables, profile=_label(args),
                        data=f"{kind}: {store.path.name}, content {store.content_hash[:12]}",
                        seed=fitted.facts["seed"], config=config | {"made": fitted.facts["made"]}, folder=folder)


def _label(args: Namespace) -> str:
    """Return a name for files: the profile, and what was changed; a digest of that where it is long."""
    fold = [] if args.protocol is None else [f"{args.protocol} {args.fold or 1}"]
    changed = [re.sub(r"[^\w.=-]", "", text.replace("/", "-")) for text in [*args.given, *fold]]
    label = "+".join([args.profile, *changed])
    return label if len(label) <= 60 else f"{args.profile}+{hashlib.sha256(label.encode()).hexdigest()[:10]}"


def _datasets(store: ClipStore) -> set[str]:
    return {record.dataset for record in store.records}


def _who(store: ClipStore, split: Split) -> str:
    return (f"{', '.join(sorted(_datasets(store)))} ({store.path.name}): trained on {len(split.train)} people, stopped "
            f"by {len(split.validation)}, judged on {len(split.test)} others")


def _plain(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{key: None if isinstance(value, float) and not math.isfinite(value) else value
             for key, value in row.items()} for row in rows.reset_index().to_dict("records")]


def _text(rows: pd.DataFrame) -> str:
    """Return the table: each metric with its 95 % interval over people."""
    def cell(row: Any, name: str) -> str:
        return f"{row[name]:.2f} ({row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})"

    lines = [["", "clips", "failed", "people", "MAE/bpm", "RMSE/bpm", "r", "SNR/dB"]]
    lines += [[str(name), f"{row['n']:.0f}", f"{row['failed']:.0f}", f"{row['subjects']:.0f}",
               *(cell(row, metric) for metric in ("mae", "rmse", "r", "snr_db"))] for name, row in rows.iterrows()]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines)
