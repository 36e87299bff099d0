"""Study of error against cost: everything that is registered, on the same films, with the same few minutes to learn.

    python tools/study_pareto.py --jobs 2            # an hour of two cores; goes on where it was stopped

Networks are small ones, as in profile quick, trained from three seeds with the losses and learning rates of their quick
recipes; all see the films equally often, varied in the same way (the teacher of KDPhys once more). So this says what
each is worth to somebody who has little to learn from, not how good it can be. The people are those of the study of
distillation. The four published systems, PhysNet and POS are also shown pictures made worse in the five ways of the
robustness protocol. Times are of one thread, all in one run, in turns.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd
import torch
from study_distill import (
    FILM,
    FRAMES,
    JUDGED_SCENES,
    JUDGES,
    LEARNERS,
    SEEDS,
    clips,
    films,
    judge,
    people,
    with_intervals,
)

from rppg_lib import registry, results
from rppg_lib.data import Augment, Split
from rppg_lib.evaluation.robustness import robustness
from rppg_lib.files import output_dir, written_whole
from rppg_lib.models import Network, NetworkEstimator
from rppg_lib.models.cost import count
from rppg_lib.training import train_in_stages
from rppg_lib.training.device import random_state_kept
from rppg_lib.training.plans import network_config
from rppg_lib.training.recipes import recipe
from rppg_lib.types import Clip

WATCHED = range(LEARNERS.start, LEARNERS.start + 4)
EQUALLY = {"epochs": 12, "batch": 2, "keep": "last"}                 # for all, and the same augmentation
REPEATS = 5
WORSE = ("codephys", "lqrppg", "kdphys", "rfacenet", "physnet")
"""Networks that are judged by worse pictures as well, and POS."""


def made(name: str) -> Network:
    """Return the small network of a name, untrained."""
    kind = registry.find(name).made_of
    return kind(network_config(kind, "quick", films(), {"frames": FRAMES}, people=len(LEARNERS) - len(WATCHED)))


def work(task: tuple[str, int]) -> dict[str, list[dict[str, Any]]]:
    """Train and judge, by the films and by worse pictures; what is done already is read."""
    torch.set_num_threads(1)
    name, seed = task
    how = recipe(name, "quick")
    settings = [films().content_hash, EQUALLY, FRAMES, how.to_json(), str(made(name).config), str(Augment()),
                *WATCHED, *JUDGES]
    digest = zlib.crc32(json.dumps(settings).encode())
    kept = output_dir("study_pareto") / f"{name}-{seed}-{digest:08x}.json"
    if kept.is_file():
        return json.loads(kept.read_text("utf-8"))
    fits = {stage: dataclasses.replace(fit, seed=seed, device="cpu",
                                       **({} if stage == "heartbeats" else EQUALLY | {"augment": Augment()}))
            for stage, fit in how.fits.items()}
    with random_state_kept(seed=seed):
        network = made(name)
    watched = people(WATCHED)
    split = Split(train=people(LEARNERS) - watched, validation=watched, test=people(JUDGES))
    train_in_stages(network, dataclasses.replace(how, fits=fits).stages(network, films(), split), progress=False)
    estimator = NetworkEstimator(network, device="cpu")
    found = {"rows": judge(estimator, clips(JUDGES)), "worse": worse(estimator) if name in WORSE else pd.DataFrame()}
    found = {part: json.loads(table.assign(method=name, seed=seed).to_json(orient="records"))
             for part, table in found.items()}
    with written_whole(kept) as file:
        file.write(json.dumps(found))
    return found


def worse(method: Any) -> pd.DataFrame:
    """Return errors of people at rest, a row per film and kind of damage."""
    still = [clip for clip in clips(JUDGES) if clip.condition == "still"]
    rows = robustness([method], still)
    return rows.assign(error=(rows.hr_pred - rows.hr_true).abs(), scene=(rows.kind + " " + rows["mode"]).str.strip())


def costs(networks: list[str], methods: list[str]) -> pd.DataFrame:
    """Return sizes, and milliseconds per frame from pictures to pulse on one thread: all in turns, the fastest."""
    clip = dataclasses.replace(clips(JUDGES)[0], rgb=None)
    small = {name: made(name) for name in networks}
    turns: dict[str, Callable[[], Any]] = {
        **{name: partial(NetworkEstimator(network, device="cpu").predict, clip) for name, network in small.items()},
        **{name: partial(_from_pictures, registry.build(name), clip) for name in methods}}
    took: dict[str, list[float]] = {name: [] for name in turns}
    for turn in range(REPEATS + 1):
        for name, once in turns.items():
            begin = time.process_time()
            once()
            if turn:                                                 # the first time, libraries warm up
                took[name].append(time.process_time() - begin)
    lines = []
    for name, seconds in took.items():
        cost = count(small[name], frames=FRAMES, size_px=FILM["size_px"]) if name in small else None
        lines.append({"method": name, "kind": "network" if cost else "method", "params": cost.params if cost else 0,
                      "mmacs_per_frame": cost.macs / FRAMES / 1e6 if cost else 0.0,
                      "ms_per_frame": 1e3 * min(seconds) / len(clip)})
    return pd.DataFrame(lines).set_index("method")


def _from_pictures(method: registry.Estimator, clip: Clip) -> Any:
    colours = clip.frames.reshape(len(clip), -1, 3).mean(1)
    return method.predict(dataclasses.replace(clip, rgb=colours))


def summary(table: pd.DataFrame, *, scenes: Iterable[str], names: Iterable[str]) -> pd.DataFrame:
    """Return a line per method and scene, with 95 % intervals over people and seeds; scene "all" has all of them."""
    rng = np.random.default_rng(0)
    lines = []
    for method, of_method in table.groupby("method", sort=False):
        seeds = of_method.seed.nunique()
        drawn = [(rng.integers(0, seeds, seeds), rng.integers(0, len(JUDGES), len(JUDGES))) for _ in range(2000)]
        for scene in scenes:
            some = of_method if scene == "all" else of_method[of_method.scene == scene]
            grids = {name: some.pivot_table(index="seed", columns="subject", values=name).to_numpy()
                     for name in names}
            lines.append({"method": method, "scene": scene, "n": len(some), "unread": int(some.hr_pred.isna().sum())}
                         | with_intervals(grids, drawn))
    return pd.DataFrame(lines).set_index(["method", "scene"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time, each with one thread")
    options = parser.parse_args()
    torch.set_num_threads(1)
    films()
    networks, methods = list(registry.available("network")), list(registry.available("method"))
    plan = [(name, seed) for seed in SEEDS for name in networks]
    rows: list[dict[str, Any]] = []
    damaged: list[dict[str, Any]] = []
    with get_context("spawn").Pool(options.jobs) as pool:
        for k, found in enumerate(pool.imap(work, plan), start=1):
            rows, damaged = rows + found["rows"], damaged + found["worse"]
            told = pd.DataFrame(found["rows"])
            print(f"{k}/{len(plan)}", *plan[k - 1], f"{told.error.mean():.2f} bpm", f"r {told.r_band.mean():.3f}",
                  flush=True)
    table = pd.concat([pd.DataFrame(rows), *(judge(name, clips(JUDGES)).assign(seed=0) for name in methods)])
    damage = pd.concat([pd.DataFrame(damaged), worse("pos").assign(method="pos", seed=0)])
    tables = {"cost": costs(networks, methods),
              "errors": summary(table, scenes=(*JUDGED_SCENES, "all"), names=("r_band", "error")),
              "worse": summary(damage, scenes=list(dict.fromkeys(damage.scene)), names=("error",))}
    config = {"learners": len(LEARNERS) - len(WATCHED), "judged": len(JUDGES), "seeds": len(SEEDS), "frames": FRAMES,
              "threads": 1, **EQUALLY, **{f"film_{key}": value for key, value in FILM.items()}}
    print(results.save("study_pareto", tables, profile="small", seed=SEEDS[0], config=config,
                       data=f"simulated films, {len(LEARNERS) + len(JUDGES)} people"))


if __name__ == "__main__":
    main()
