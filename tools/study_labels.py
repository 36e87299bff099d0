"""Study of quantised labels: five ways and more to learn from the same labels, with several things wrong with these.

    python tools/study_labels.py --jobs 2            # an hour of two cores; goes on where it was stopped

Every arm is trained from three seeds, each with damage of its own, and judged on people it has not seen, against the
clean truth. The people are simulated, and no notebook uses them. How long and how fast is trained was chosen with other
people.
"""

from __future__ import annotations

import argparse
import json
import zlib
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd
import torch

from rppg_lib import results
from rppg_lib.data import ClipStore, Windows, build_store, simulated_sources
from rppg_lib.evaluation import evaluate
from rppg_lib.files import output_dir, written_whole
from rppg_lib.models import NetworkEstimator
from rppg_lib.models.lqrppg import LQrPPG
from rppg_lib.quantize.labels import LabelFilter
from rppg_lib.training import FitConfig, TrainingData, fit
from rppg_lib.training.arms import ARMS, damaged_clips, labels_of, objective_of
from rppg_lib.types import Clip

SEEDS = (0, 1, 2)
LEARNERS, JUDGES = range(1600, 1664), range(1680, 1700)
FILM = {"seconds": 10.7, "fs": 30.0, "size_px": 16, "seed": 6, "rates_bpm": (50, 140), "difficulty": 1.5}
SIZES = {"size_px": 16, "frames": 160, "width": 16, "states": 8}
FIT = {"epochs": 15, "batch": 8, "lr": 4e-3, "clip_norm": 1.0, "keep": "last", "device": "cpu"}
MAIN_ARMS = ("raw", "filtered", "last quantised", "quantised", "deep")
BY_SAMPLE = ("filtered, by sample", "deep, by sample")
MAIN = "mixed, 0 dB"
WITHOUT_STEPS = ("mixed, -5 dB", "spikes, -5 dB", "lost contact, half")
"""Where steps might help: with their controls, too."""
PAIRS = (("filtered", "raw"), ("deep", "filtered"), ("quantised", "raw"), ("quantised", "filtered"),
         ("quantised", "deep"), ("last quantised", "filtered"), ("filtered, by sample", "filtered"),
         ("last quantised", "filtered, by sample"), ("quantised", "deep, by sample"), ("pos", "raw"))
"""What is set against what: two arms that differ in one thing, or that the claim compares."""
DAMAGES = (MAIN, "none", "mixed, -5 dB", "lost contact, half", "spikes, -5 dB", "lag, 0.3 s", "wander, -5 dB",
           "spikes, 0 dB", "lost contact, a quarter", "lag, 0.15 s", "mixed, 5 dB")


@lru_cache
def clips() -> tuple[list[Clip], list[Clip]]:
    """Return films of those learned from and of those judged, with clean labels."""
    store: ClipStore = build_store(simulated_sources([*LEARNERS, *JUDGES], scenes="still", **FILM),
                                   output_dir("clips"), name="study-labels", progress=True)
    learners = {f"sim{number:04}" for number in LEARNERS}
    found = [store.clip(record) for record in store.records]
    return ([clip for clip in found if clip.subject in learners],
            [clip for clip in found if clip.subject not in learners])


def arms_for(damage: str) -> tuple[str, ...]:
    """Return which arms are trained on labels with this damage."""
    if damage == MAIN:
        return tuple(ARMS)
    return MAIN_ARMS + BY_SAMPLE if damage in WITHOUT_STEPS else MAIN_ARMS


def work(task: tuple[str, str, int]) -> list[dict[str, Any]]:
    """Train and judge; what is done already is read."""
    torch.set_num_threads(1)
    damage, arm, seed = task
    settings = json.dumps([FILM, SIZES, FIT, list(LEARNERS), list(JUDGES)]).encode()
    name = f"{damage}-{arm}-{seed}-{zlib.crc32(settings):08x}.json"  # other settings, another file
    kept = output_dir("study_labels") / name.replace(" ", "_").replace(",", "")
    if kept.is_file():
        return json.loads(kept.read_text("utf-8"))
    learned_from, judged = clips()
    given = damaged_clips(learned_from, damage, seed=seed)
    torch.manual_seed(seed)
    network = LQrPPG(LQrPPG.Config(**SIZES))
    windows = Windows(labels_of(arm, given), frames=SIZES["frames"]).in_memory()
    fit(network, objective_of(arm, network, windows), TrainingData(windows), FitConfig(**FIT, seed=seed),
        progress=False)
    estimator = NetworkEstimator(network, device="cpu")
    rows = judge(estimator, judged).assign(damage=damage, arm=arm, seed=seed, label_r=_label_r(given, learned_from))
    with written_whole(kept) as file:
        file.write(rows.to_json(orient="records"))
    return json.loads(rows.to_json(orient="records"))


def judge(method: Any, films: list[Clip]) -> pd.DataFrame:
    """Return rates and correlations, a row per film."""
    return evaluate([method], films).rename(columns={"r_wave": "r"})


def _label_r(given: list[Clip], clean: list[Clip]) -> float:
    """Return how the labels learned from correlate with the clean ones, both band-passed."""
    stacked = [torch.tensor(np.stack([clip.label for clip in some])) for some in (given, clean)]
    ours, true = (LabelFilter()(waves, FILM["fs"]) for waves in stacked)
    return float((ours * true).mean())


def summary(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a line per damage and arm: correlations and error; and one per pair of arms: how much the first has more.

    All with 95 % intervals. Drawn with replacement: people, and within each draw seeds; differences are paired by
    person and seed.
    """
    rng = np.random.default_rng(0)
    table = table.assign(error=(table.hr_pred - table.hr_true).abs())
    arms: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for damage, group in table.groupby("damage", sort=False):
        grids = {arm: {name: rows.pivot(index="seed", columns="subject", values=name).to_numpy()
                       for name in ("r_band", "r", "error")} for arm, rows in group.groupby("arm", sort=False)}
        shape = next(iter(grids.values()))["r_band"].shape
        drawn = [(rng.integers(0, shape[0], shape[0]), rng.integers(0, shape[1], shape[1])) for _ in range(2000)]
        for arm, rows in group.groupby("arm", sort=False):
            line = {"damage": damage, "arm": arm, "n": len(rows), "label_r": rows.label_r.mean(),
                    "unread": int(rows.hr_pred.isna().sum())}
            for name, grid in grids[arm].items():
                line |= _with_interval(name, grid, drawn)
                if arm != "raw":
                    line |= _with_interval(f"{name}_gain", grid - grids["raw"][name], drawn)
            arms.append(line)
        for arm, beside in PAIRS:
            if arm in grids and beside in grids:
                line = {"damage": damage, "arm": arm, "beside": beside}
                for name in ("r_band", "r"):
                    line |= _with_interval(name, grids[arm][name] - grids[beside][name], drawn)
                pairs.append(line)
    return pd.DataFrame(arms).set_index(["damage", "arm"]), pd.DataFrame(pairs).set_index(["damage", "arm", "beside"])


def _with_interval(name: str, grid: np.ndarray, drawn: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    means = [np.nanmean(grid[np.ix_(seeds, people)]) for seeds, people in drawn]
    low, high = np.percentile(means, [2.5, 97.5])
    return {name: float(np.nanmean(grid)), f"{name}_low": float(low), f"{name}_high": float(high)}


def _reference(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what POS makes of the films of the judged, without any learning."""
    return pd.DataFrame([{"method": "pos", "n": len(rows), "r_band": rows.r_band.mean(), "r": rows.r.mean(),
                          "error": (rows.hr_pred - rows.hr_true).abs().mean()}]).set_index("method")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time, each with one thread")
    parser.add_argument("--damages", type=int, default=len(DAMAGES), help="so many kinds of damage, from the first")
    options = parser.parse_args()
    clips()
    wanted = DAMAGES[:options.damages]
    plan = [(damage, arm, seed) for damage in wanted for arm in arms_for(damage) for seed in SEEDS]
    rows: list[dict[str, Any]] = []
    with get_context("spawn").Pool(options.jobs) as pool:
        for k, found in enumerate(pool.imap(work, plan), start=1):
            rows += found
            r = np.mean([row["r_band"] for row in found])
            print(f"{k}/{len(plan)}", *plan[k - 1], f"r {r:.3f}", flush=True)
    table = pd.DataFrame(rows)
    config = {"learners": len(LEARNERS), "judged": len(JUDGES), "seeds": len(SEEDS), **SIZES,
              **{f"film_{key}": value for key, value in FILM.items()}, **{f"fit_{key}": v for key, v in FIT.items()}}
    reference = judge("pos", clips()[1])
    arms, pairs = summary(table)
    tables = {"arms": arms, "pairs": pairs, "pos": _reference(reference)}
    print(results.save("study_labels", tables, profile="small", seed=SEEDS[0], config=config,
                       data=f"simulated films, {len(LEARNERS) + len(JUDGES)} people"))


if __name__ == "__main__":
    main()
