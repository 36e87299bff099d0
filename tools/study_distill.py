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
from rppg_lib.evaluation import evaluate
from rppg_lib.files import output_dir, revision, written_whole
from rppg_lib.losses import negative_pearson
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
PARTS = ("attention", "similarity", "imitate")
PEARSON = {"wave": "pearson"}
ARMS: dict[str, dict[str, Any]] = {
    "alone": ALONE, "taught": {}, "alone, pearson": ALONE | PEARSON, "taught, pearson": PEARSON,
    "alone, label twice": ALONE | {"again": 0.5}, "alone, mse": ALONE | {"wave": "mse"}, "taught, mse": {"wave": "mse"},
    **{f"pearson, without {part}": PEARSON | {"weights": {part: 0}} for part in PARTS},
    "pearson, only imitate": PEARSON | {"weights": {"attention": 0, "similarity": 0}},
    "pearson, gated": PEARSON | {"gate": True},
    **{f"without {part}": {"weights": {part: 0}} for part in PARTS},
    "only imitate": {"weights": {"attention": 0, "similarity": 0}},
    **{f"alone, alpha {alpha}": ALONE | {"alpha": alpha} for alpha in (0.0, 0.008, 1.0)},
    **{f"alone, gamma {gamma}": ALONE | {"gamma": gamma} for gamma in (0.01, 1.0)},
}
"""What the objective is given; everything else is the same. ``again``: beside DILATE of the label its correlation, as
much as imitation asks for that of the teacher's wave: what that adds without a teacher. Alpha 0.008 gives the time term
the weight of the shape term per frame, which at 128 frames 0.5 does not."""
LAGGING = ("alone", "taught", "alone, pearson", "taught, pearson", "alone, label twice", "alone, mse",
           "alone, alpha 0.008", "alone, alpha 1.0")
LABELS = {"clean": "none", "lagging": "lag, 0.15 s"}
PAIRS = (("taught", "alone"), ("taught", "alone, label twice"), ("alone, label twice", "alone"),
         ("taught, pearson", "alone, pearson"), ("taught, mse", "alone, mse"),
         ("alone", "alone, pearson"), ("alone, mse", "alone, pearson"), ("taught", "taught, pearson"),
         *((f"without {part}", "taught") for part in PARTS), ("without imitate", "alone"), ("only imitate", "taught"),
         *((f"pearson, without {part}", "taught, pearson") for part in PARTS),
         ("pearson, without imitate", "alone, pearson"), ("pearson, only imitate", "alone, pearson"),
         ("pearson, gated", "taught, pearson"), *((arm, "alone") for arm in ARMS if "alpha" in arm or "gamma" in arm),
         ("taught", "teacher"), ("taught, pearson", "teacher"), ("taught, pearson", "pos"), ("teacher", "pos"))
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
    own = None if arm == "teacher" else ARMS[arm]
    name = f"{labels}-{arm}-{seed}-{_digest(own)}.json"
    kept = output_dir("study_distill") / name.replace(" ", "_").replace(",", "")
    if kept.is_file():
        return json.loads(kept.read_text("utf-8"))
    if arm == "teacher":
        network = teacher(labels, seed)
    else:
        torch.manual_seed(seed)
        network = KDPhys(KDPhys.small())
        settings = {key: value for key, value in own.items() if key != "again"}
        objective = _Again(own.get("again", 0), teacher(labels, seed), **settings)
        fit(network, objective, learned_from(labels, seed), FitConfig(**FIT, seed=seed, augment=Augment()),
            progress=False)
    rows = judge(NetworkEstimator(network, device="cpu"), clips(JUDGES)).assign(
        labels=labels, arm=arm, seed=seed, revision=revision())
    with written_whole(kept) as file:
        file.write(rows.to_json(orient="records"))
    return json.loads(rows.to_json(orient="records"))


def judge(method: Any, judged: list[Clip]) -> pd.DataFrame:
    """Return errors and correlations, a row per film."""
    rows = evaluate([method], judged)
    scene = rows.clip_id.str.split(" ", n=1).str[1].str.rsplit(" ", n=1).str[0]          # "sim3160 light drift 6"
    return rows.assign(error=(rows.hr_pred - rows.hr_true).abs(), scene=scene)


class _Again(DistillObjective):
    """The same, and the label's correlation once more."""

    def __init__(self, again: float, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self.again = again

    def forward(self, output: Any, truth: Any, batch: Any) -> dict[str, Any]:
        terms = super().forward(output, truth, batch)
        more = {"again": self.again * negative_pearson(output.pulse, truth).mean()} if self.again else {}
        return terms | more


def _digest(own: dict[str, Any] | None = None) -> str:
    settings = json.dumps([FILM, FRAMES, TEACHER_WIDTH, FIT, [*LEARNERS, *JUDGES], LEARNED_SCENES, JUDGED_SCENES,
                           *([] if own is None else [own])])
    return f"{zlib.crc32(settings.encode()):08x}"                    # other settings, another file


def summary(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return a line per arm and scene; per pair of arms and scene, how much the first has more; and how much larger
    that difference is where labels lag.

    All with 95 % intervals. Drawn with replacement: people, and within each draw seeds; differences are paired. Of
    three seeds such an interval is too narrow, so the seeds' lowest and highest mean stand beside it.
    """
    rng = np.random.default_rng(0)
    shape = len(SEEDS), len(JUDGES)
    drawn = [(rng.integers(0, shape[0], shape[0]), rng.integers(0, shape[1], shape[1])) for _ in range(2000)]
    lines: dict[str, list[dict[str, Any]]] = {"arms": [], "pairs": [], "more": []}
    for scene in (*JUDGED_SCENES, "all"):
        some = table if scene == "all" else table[table.scene == scene]
        apart: dict[tuple[str, str, str], dict[str, np.ndarray]] = {}
        for labels in LABELS:
            grids = {}
            for arm, rows in some[some.labels == labels].groupby("arm", sort=False):
                grids[arm] = {name: rows.pivot_table(index="seed", columns="subject", values=name).to_numpy()
                              for name in ("r_band", "error")}
                lines["arms"].append({"labels": labels, "scene": scene, "arm": arm, "n": len(rows),
                                      "unread": int(rows.hr_pred.isna().sum())} | with_intervals(grids[arm], drawn))
            for arm, beside in PAIRS:
                if arm in grids and beside in grids:
                    apart[labels, arm, beside] = _less(grids[arm], grids[beside])
                    lines["pairs"].append({"labels": labels, "scene": scene, "arm": arm, "beside": beside}
                                          | with_intervals(apart[labels, arm, beside], drawn))
        for pair in PAIRS:
            if ("lagging", *pair) in apart:
                more = _less(apart["lagging", *pair], apart["clean", *pair])
                lines["more"].append({"scene": scene, "arm": pair[0], "beside": pair[1]} | with_intervals(more, drawn))
    keys = {"arms": ["labels", "scene", "arm"], "pairs": ["labels", "scene", "arm", "beside"],
            "more": ["scene", "arm", "beside"]}
    return {name: pd.DataFrame(lines[name]).set_index(key) for name, key in keys.items()}


def _less(grids: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: grids[name] - others[name] for name in grids}


def with_intervals(grids: dict[str, np.ndarray], drawn: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Return of each grid (seeds, people) its mean, where 95 % of the means of what was drawn lie, and the lowest and
    highest mean of a seed.
    """
    found: dict[str, float] = {}
    for name, grid in grids.items():
        low, high = np.nanpercentile([np.nanmean(grid[np.ix_(seeds, people)]) for seeds, people in drawn], [2.5, 97.5])
        of_seeds = np.nanmean(grid, axis=1)
        found |= {name: float(np.nanmean(grid)), f"{name}_low": float(low), f"{name}_high": float(high),
                  f"{name}_least": float(of_seeds.min()), f"{name}_most": float(of_seeds.max())}
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
    config = {"learners": len(LEARNERS), "judged": len(JUDGES), "seeds": len(SEEDS), "teacher_width": TEACHER_WIDTH,
              "revisions": sorted({row["revision"] for row in rows}),
              **{f"student_{key}": value for key, value in KDPhys(KDPhys.small()).settings.items()},
              **{f"film_{key}": value for key, value in FILM.items()}, **{f"fit_{key}": v for key, v in FIT.items()}}
    print(results.save("study_distill", summary(table), profile="small", seed=SEEDS[0], config=config,
                       data=f"simulated films, {len(LEARNERS) + len(JUDGES)} people"))


if __name__ == "__main__":
    main()
