"""Study of CodePhys's numbers: how many codes, how long, and how heavy the terms of its second stage.

    python tools/study_codephys.py --jobs 2          # about half an hour of two cores; goes on where it was stopped

One number is changed at a time, from three seeds; everything else is as `rppg train codephys` has it for its quick
profile. The people are simulated, and no notebook uses them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

import pandas as pd
import torch

from rppg_lib import results
from rppg_lib.data import ClipStore, Split, build_store, simulated_sources
from rppg_lib.evaluation import evaluate, summarise
from rppg_lib.files import output_dir, written_whole
from rppg_lib.models import NetworkEstimator
from rppg_lib.models.codephys import CodePhys
from rppg_lib.training import train_in_stages
from rppg_lib.training.recipes import recipe

SEEDS = (0, 1, 2)
CHANGES = {"codes": (16, 32, 128), "dim": (16, 64), "alpha": (0.1, 2.0), "beta": (0.02, 0.5)}
LEARNERS, JUDGES = range(700, 726), range(740, 750)
VALIDATED = 4
FILM = {"seconds": 10, "fs": 30.0, "size_px": 36, "seed": 6, "rates_bpm": (50, 140)}


@lru_cache
def store() -> ClipStore:
    """Return the films: half of the learners talk, every judged person sits still and talks."""
    sources = [*simulated_sources(LEARNERS[::2], scenes="still", **FILM),
               *simulated_sources(LEARNERS[1::2], scenes="talking", **FILM),
               *simulated_sources(JUDGES, scenes=("still", "talking"), **FILM)]
    return build_store(sources, output_dir("clips"), name="study-codephys", progress=True)


def work(task: tuple[str, Any, int]) -> list[dict[str, Any]]:
    """Train and judge; what is done already is read from beside the training."""
    torch.set_num_threads(1)
    what, value, seed = task
    folder = output_dir("study_codephys", f"{what or 'base'}-{value}-{seed}")
    kept = folder / "judged.json"
    if kept.is_file():
        return json.loads(kept.read_text("utf-8"))
    names = [f"sim{number:04}" for number in LEARNERS]
    split = Split(train=frozenset(names[VALIDATED:]), validation=frozenset(names[:VALIDATED]),
                  test=frozenset(f"sim{number:04}" for number in JUDGES))
    how = recipe("codephys", "quick")
    fits = {"heartbeats": how.fits["heartbeats"], "query": how.config}
    fits = {name: dataclasses.replace(config, seed=seed, keep="last", device="cpu") for name, config in fits.items()}
    weights = {what: value} if what in how.losses else {}
    how = dataclasses.replace(how, fits=fits, losses={**how.losses, **weights})
    torch.manual_seed(seed)
    sizes = {what: value} if what in ("codes", "dim") else {}
    network = CodePhys(dataclasses.replace(CodePhys.small(), **sizes))
    train_in_stages(network, how.stages(network, store(), split), folder=folder, progress=False)
    clips = [store().clip(record) for record in store().records if record.subject in split.test]
    rows = evaluate([NetworkEstimator(network, device="cpu")], clips, window_s=10)
    rows = rows.assign(what=what or "as it is", value=value, seed=seed)
    with written_whole(kept) as file:
        file.write(rows.to_json(orient="records"))
    return json.loads(rows.to_json(orient="records"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time, each with one thread")
    options = parser.parse_args()
    store()
    plan = [("", 0, seed) for seed in SEEDS]
    plan += [(what, value, seed) for what, values in CHANGES.items() for value in values for seed in SEEDS]
    rows: list[dict[str, Any]] = []
    with get_context("spawn").Pool(options.jobs) as pool:
        for k, found in enumerate(pool.imap(work, plan), start=1):
            rows += found
            print(f"{k}/{len(plan)}", *plan[k - 1], flush=True)
    table = pd.DataFrame(rows)
    table["method"] = table.method.astype(str)
    lines = summarise(table, by=["what", "value", "condition"])
    seeds = table.assign(error=(table.hr_pred - table.hr_true).abs()).groupby(
        ["what", "value", "condition", "seed"]).error.mean().groupby(["what", "value", "condition"])
    lines["lowest_seed"], lines["highest_seed"] = seeds.min(), seeds.max()
    film = {f"film_{key}": value for key, value in FILM.items()}
    epochs = recipe("codephys", "quick").config.epochs
    config = {"learners": len(LEARNERS), "judged": len(JUDGES), "epochs": epochs, "seeds": len(SEEDS), **film}
    print(results.save("study_codephys", {"sweeps": lines}, profile="small", seed=SEEDS[0], config=config,
                       data=f"simulated films, {len(LEARNERS) + len(JUDGES)} people"))


if __name__ == "__main__":
    main()
