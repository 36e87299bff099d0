"""Study of distillation: what a teacher adds to a student, part by part, and what DILATE adds to either.

    python tools/study_distill.py --jobs 2           # most of an hour of two cores; goes on where it was stopped

Every arm is trained from three seeds, each with a teacher of its own seed, and judged on people it has not seen, scene
by scene, against the clean truth. Once more with labels that lag, each recording by its own amount, since that is what
DILATE is said to be good for. The people are simulated, and no notebook uses them; how long and how fast is trained was
chosen with other people.
"""

from __future__ import annotations

import argparse
import json
import zlib
from dataclasses import replace
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd
import torch

from rppg_lib import results
from rppg_lib.data import Augment, ClipStore, Windows, build_store, simulated_sources
from rppg_lib.evaluation import evaluate, wave_correlations
from rppg_lib.files import output_dir, written_whole
from rppg_lib.models import Network, NetworkEstimator, load_network, save_network
from rppg_lib.models.kdphys import KDPhys
from rppg_lib.models.physnet import PhysNet
from rppg_lib.training import FitConfig, TrainingData, WaveObjective, fit
from rppg_lib.training.arms import damaged_clips
from rppg_lib.training.distill import DistillObjective
from rppg_lib.types import Clip

SEEDS = (0, 1, 2)
LEARNERS, JUDGES = range(3100, 3132), range(3160, 3172)
LEARNED_SCENES = ("still", "talking", "turning", "light drift")      # each learner in one of them
JUDGED_SCENES = ("still", "talking", "turning", "light drift", "dark", "compressed")
FILM = {"seconds": 10.0, "fs": 30.0, "size_px": 36, "seed": 6, "rates_bpm": (50, 140)}
FRAMES, TEACHER_WIDTH = 128, 24
FIT = {"epochs": 10, "batch": 2, "lr": 6e-3, "clip_norm": 1.0, "keep": "last", "device": "cpu"}
ALONE = {"weights": {"attention": 0, "similarity": 0, "imitate": 0}}
ARMS: dict[str, dict[str, Any]] = {
    "alone": ALONE, "taught": {}, "alone, pearson": ALONE | {"wave": "pearson"}, "taught, pearson": {"wave": "pearson"},
    "without attention": {"weights": {"attention": 0}}, "without similarity": {"weights": {"similarity": 0}},
    "without imitation": {"weights": {"imitate": 0}}, "alone, mse": ALONE | {"wave": "mse"},
    **{f"alone, alpha {alpha}": ALONE | {"alpha": alpha} for alpha in (0.0, 1.0)},
    **{f"alone, gamma {gamma}": ALONE | {"gamma": gamma} for gamma in (0.01, 1.0)},
    "taught, mse": {"wave": "mse"}, "gated": {"gate": True},
    "imitation only": {"weights": {"attention": 0, "similarity": 0}},
}
"""What the objective is given; everything else is the same. What matters most comes first."""
LAGGING = ("alone", "taught", "alone, pearson", "taught, pearson", "alone, mse")
LABELS = {"clean": "none", "lagging": "lag, 0.15 s"}
PAIRS = (("taught", "alone"), ("taught, pearson", "alone, pearson"), ("taught, mse", "alone, mse"),
         ("alone", "alone, pearson"), ("alone, mse", "alone, pearson"), ("taught", "taught, pearson"),
         ("without attention", "taught"), ("without similarity", "taught"), ("without imitation", "taught"),
         ("without imitation", "alone"), ("imitation only", "taught"), ("gated", "taught"),
         *((arm, "alone") for arm in ARMS if "alpha" in arm or "gamma" in arm),
         ("taught", "teacher"), ("taught, pearson", "pos"), ("teacher", "pos"))
"""What is set against what."""


@lru_cache
def films() -> ClipStore:
    """Return the store of all films, made once."""
    sources = [source for k, scene in enumerate(LEARNED_SCENES)
               for source in simulated_sources(LEARNERS[k::len(LEARNED_SCENES)], scenes=scene, **FILM)]
    sources += simulated_sources(JUDGES, scenes=JUDGED_SCENES, **FILM)
    return build_store(sources, output_dir("clips"), name="study-distill", progress=True)


def people(numbers: range) -> frozenset[str]:
    """Return the names of simulated people."""
    return frozenset(f"sim{number:04}" for number in numbers)


@lru_cache
def clips(numbers: range) -> list[Clip]:
    """Return the films of these people, with clean labels."""
    return [films().clip(record) for record in films().records if record.subject in people(numbers)]


def learned_from(labels: str, seed: int) -> TrainingData:
    """Return what is learned from, with these labels."""
    given = damaged_clips(clips(LEARNERS), LABELS[labels], seed=seed)
    return TrainingData(Windows(given, frames=FRAMES, margin=Augment().margin(FRAMES)))


def teacher(labels: str, seed: int) -> Network:
    """Return the teacher of a seed, trained once."""
    folder = output_dir("study_distill", f"teacher-{labels}-{seed}-{_digest()}")
    if (folder / "network.json").is_file():
        return load_network(folder)
    torch.manual_seed(seed)
    network = PhysNet(replace(PhysNet.small(), width=TEACHER_WIDTH))
    fit(network, WaveObjective({"pearson": 1.0}), learned_from(labels, seed),
        FitConfig(**FIT | {"lr": 3e-3}, seed=seed, augment=Augment()), progress=False)
    save_network(network, folder, facts={"fs": FILM["fs"]})
    return network.eval()


def work(task: tuple[str, str, int]) -> list[dict[str, Any]]:
    """Train and judge; what is done already is read."""
    torch.set_num_threads(1)
    labels, arm, seed = task
    kept = output_dir("study_distill") / f"{labels}-{arm}-{seed}-{_digest()}.json".replace(" ", "_").replace(",", "")
    if kept.is_file():
        return json.loads(kept.read_text("utf-8"))
    if arm == "teacher":
        network = teacher(labels, seed)
    else:
        torch.manual_seed(seed)
        network = KDPhys(KDPhys.small())
        objective = DistillObjective(teacher(labels, seed), **ARMS[arm])
        fit(network, objective, learned_from(labels, seed), FitConfig(**FIT, seed=seed, augment=Augment()),
            progress=False)
    rows = judge(NetworkEstimator(network, device="cpu"), clips(JUDGES)).assign(labels=labels, arm=arm, seed=seed)
    with written_whole(kept) as file:
        file.write(rows.to_json(orient="records"))
    return json.loads(rows.to_json(orient="records"))


def judge(method: Any, judged: list[Clip]) -> pd.DataFrame:
    """Return errors and correlations, a row per film."""
    rows = evaluate([method], judged)
    rows = rows.merge(wave_correlations([method], judged), on=["method", "clip_id", "subject"])
    scene = rows.clip_id.str.split(" ", n=1).str[1].str.rsplit(" ", n=1).str[0]          # "sim3160 light drift 6"
    return rows.assign(error=(rows.hr_pred - rows.hr_true).abs(), scene=scene)


def _digest() -> str:
    settings = json.dumps([FILM, FRAMES, TEACHER_WIDTH, FIT, [*LEARNERS, *JUDGES], LEARNED_SCENES, JUDGED_SCENES])
    return f"{zlib.crc32(settings.encode()):08x}"                    # other settings, another file


def summary(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a line per arm and scene, and one per pair of arms and scene: how much the first has more.

    All with 95 % intervals. Drawn with replacement: people, and within each draw seeds; differences are paired.
    """
    rng = np.random.default_rng(0)
    shape = len(SEEDS), len(JUDGES)
    drawn = [(rng.integers(0, shape[0], shape[0]), rng.integers(0, shape[1], shape[1])) for _ in range(2000)]
    arms, pairs = [], []
    for labels, of_labels in table.groupby("labels", sort=False):
        for scene in (*JUDGED_SCENES, "all"):
            some = of_labels if scene == "all" else of_labels[of_labels.scene == scene]
            grids = {arm: {name: rows.pivot_table(index="seed", columns="subject", values=name).to_numpy()
                           for name in ("r_band", "error")} for arm, rows in some.groupby("arm", sort=False)}
            for arm, grid in grids.items():
                line = {"labels": labels, "scene": scene, "arm": arm, "n": int((some.arm == arm).sum()),
                        "unread": int(some[some.arm == arm].hr_pred.isna().sum())}
                arms.append(line | with_intervals(grid, drawn))
            for arm, beside in PAIRS:
                if arm in grids and beside in grids:
                    apart = {name: grids[arm][name] - grids[beside][name] for name in grids[arm]}
                    pairs.append({"labels": labels, "scene": scene, "arm": arm, "beside": beside}
                                 | with_intervals(apart, drawn))
    return (pd.DataFrame(arms).set_index(["labels", "scene", "arm"]),
            pd.DataFrame(pairs).set_index(["labels", "scene", "arm", "beside"]))


def with_intervals(grids: dict[str, np.ndarray], drawn: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Return the mean of each grid (seeds, people), and where 95 % of the means of what was drawn lie."""
    found: dict[str, float] = {}
    for name, grid in grids.items():
        low, high = np.nanpercentile([np.nanmean(grid[np.ix_(seeds, people)]) for seeds, people in drawn], [2.5, 97.5])
        found |= {name: float(np.nanmean(grid)), f"{name}_low": float(low), f"{name}_high": float(high)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time, each with one thread")
    parser.add_argument("--arms", type=int, default=len(ARMS), help="so many arms, from the first")
    options = parser.parse_args()
    films()
    teachers = [(labels, "teacher", seed) for labels in LABELS for seed in SEEDS]
    students = [(labels, arm, seed) for arm in list(ARMS)[:options.arms] for labels in LABELS for seed in SEEDS
                if labels == "clean" or arm in LAGGING]
    plan, rows = teachers + students, []
    with get_context("spawn").Pool(options.jobs) as pool:
        for part in (teachers, students):                            # a student needs its teacher
            for task, found in zip(part, pool.imap(work, part)):
                rows += found
                told = pd.DataFrame(found)
                print(f"{plan.index(task) + 1}/{len(plan)}", *task, f"{told.error.mean():.2f} bpm",
                      f"r {told.r_band.mean():.3f}", flush=True)
    table = pd.DataFrame(rows)
    reference = judge("pos", clips(JUDGES))
    table = pd.concat([table, *(reference.assign(labels=labels, arm="pos", seed=seed)
                                for labels in LABELS for seed in SEEDS)])
    arms, pairs = summary(table)
    config = {"learners": len(LEARNERS), "judged": len(JUDGES), "seeds": len(SEEDS), "teacher_width": TEACHER_WIDTH,
              **{f"student_{key}": value for key, value in KDPhys(KDPhys.small()).settings.items()},
              **{f"film_{key}": value for key, value in FILM.items()}, **{f"fit_{key}": v for key, v in FIT.items()}}
    print(results.save("study_distill", {"arms": arms, "pairs": pairs}, profile="small", seed=SEEDS[0], config=config,
                       data=f"simulated films, {len(LEARNERS) + len(JUDGES)} people"))


if __name__ == "__main__":
    main()
