"""Study of stage I: which recipe keeps a codebook alive, what its size does, and whether it knows real pulses.

    python tools/study_codebook.py --jobs 2          # about half an hour of two cores; goes on where it was stopped

Recipes: the published one, the same from an even start, and two that start with k-means and revive idle codes, each
from three seeds. Sizes: number of codes, and their length. Real pulses: waves of fingertips on phones and of an
intensive-care monitor, rebuilt by a network that has seen simulated pulses only, and by one that has seen the other
people's. Errors of a rate are those of the rebuilt wave against the wave that was put in.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from rppg_lib import results, signal
from rppg_lib.data import LabelWindows, SimulatedPulses
from rppg_lib.doctor import real_data_folder
from rppg_lib.files import output_dir, written_whole
from rppg_lib.models.heartbeats import Heartbeats
from rppg_lib.quantize import code_statistics
from rppg_lib.training import FitConfig, TrainingData, fit, training_folder
from rppg_lib.training.codequery import HeartbeatObjective
from rppg_lib.types import Clip

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.realdata.readers import fingertip, phone

FS, FRAMES, LONG = 30.0, 160, 300
SEEDS = (0, 1, 2)
PUBLISHED = {"update": "gradient", "warmup_steps": 0, "revive_after": None}
GIVEN = {"lr": 5e-3, "schedule": "constant", "optimiser": "adam"}
GENTLE = {"lr": 1e-3, "schedule": "cosine"}
RECIPES = {"as published": (PUBLISHED | {"start": "normal"}, GIVEN),
           "published, even start": (PUBLISHED | {"start": "uniform"}, GIVEN),
           "gradient, k-means, revival": ({"update": "gradient"}, GENTLE),
           "moving average, k-means, revival": ({}, GENTLE)}
CODES = DIMS = (16, 32, 64, 128)
PULSE_HZ = (0.5, 8.0)
EPOCHS, FEW = 15, 5
SOURCES = ("fingertip", "phone", "ICU")


@lru_cache
def pulses(count: int, frames: int, seed: int) -> SimulatedPulses:
    """Return simulated waves; people of different seeds never meet."""
    return SimulatedPulses(count, frames=frames, fs=FS, seed=seed)


@lru_cache
def recordings(root: str) -> tuple[Clip, ...]:
    """Return real contact waves at 30 Hz, systole up. Of phones nobody says which records are of one person."""
    at, found = Path(root), []
    for number in range(1, 5):
        for hand in ("Left", "Right"):
            channels = -fingertip(at, hand, number)[0].T
            best = max(channels, key=lambda wave: signal.quality(wave, fs=FS) if np.ptp(wave) else 0.0)
            found.append(("fingertip", f"fingertip {number}", hand, best))
    for number in range(1, 15):
        found.append(("phone", "phone", f"{number}", phone(at, number)[0]))
    table = pd.read_csv(at / "bidmc01/data/bidmc_01_Signals.csv", skipinitialspace=True)
    times_s = np.arange(len(table)) / 125                # those of the file are rounded, some to the same
    at_s = signal.uniform_times(times_s, fs=FS)
    found.append(("ICU", "ICU", "1", signal.resample(table.PLETH.to_numpy(), times_s, at_s=at_s)))
    return tuple(Clip(id=f"{who} {part}", subject=who, dataset=source, fs=FS, rgb=np.ones((len(wave), 3)), label=wave)
                 for source, who, part, wave in found)


def filtered(clip: Clip) -> Clip:
    """Return a clip whose wave has lost what is slower or faster than a pulse."""
    wave = signal.bandpass(clip.label, fs=FS, band_hz=PULSE_HZ)
    return Clip(id=clip.id, subject=clip.subject, dataset=clip.dataset, fs=FS, rgb=clip.rgb, label=wave)


def tasks(real: Path | None) -> Iterator[dict[str, Any]]:
    """Yield every training, the long ones first."""
    for seed in SEEDS:
        for recipe, (codebook, plan) in RECIPES.items():
            yield {"table": "recipes", "recipe": recipe, "seed": seed, "network": codebook,
                   "plan": plan | {"epochs": EPOCHS}}
    plan = GENTLE | {"epochs": FEW}
    for what, values in (("codes", CODES), ("dim", DIMS)):
        for value in values:
            yield {"table": "sizes", "what": what, "value": value, "seed": 0, "network": {what: value}, "plan": plan}
    if real is not None:
        learned = ["simulated", *dict.fromkeys(clip.subject for clip in recordings(str(real)))]
        for without in learned:
            yield {"table": "real", "without": without, "seed": 0, "network": {}, "plan": plan, "root": str(real)}


def samples(task: dict[str, Any]) -> SimulatedPulses | LabelWindows:
    """Return what a task learns from."""
    if task.get("without", "simulated") == "simulated":
        return pulses(2000, FRAMES, seed=0)
    others = [filtered(clip) for clip in recordings(task["root"]) if clip.subject != task["without"]]
    return LabelWindows(others, frames=FRAMES, step=128)


def work(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Train and judge; what is done already is read from beside the training."""
    torch.set_num_threads(1)
    torch.manual_seed(task["seed"])
    network = Heartbeats(Heartbeats.Config(**{"embedding": "plain"} | task["network"]))
    data, objective = TrainingData(samples(task)), HeartbeatObjective()
    plan = FitConfig(**task["plan"], batch=8, seed=task["seed"], keep="last", device="cpu")
    folder = training_folder(output_dir("study_codebook"), network, objective, data, plan)
    which = [str(task[key]) for key in ("table", "what", "value", "without") if key in task]
    kept = folder / f"judged-{'-'.join(which)}.json"     # two questions may be asked of one training
    if kept.is_file():
        return json.loads(kept.read_text("utf-8"))
    at_once, began = not folder.exists(), time.process_time()
    network = fit(network, objective, data, plan, folder=folder, progress=False).network.eval()
    seconds = time.process_time() - began if at_once else None
    rows = judged_on_recordings(network, task) if task["table"] == "real" else [judged(network, task)]
    rows = [row | {"samples": len(data.train), "cpu_s": seconds} for row in rows]
    with written_whole(kept) as file:
        json.dump(rows, file)
    return rows


@torch.no_grad()
def rebuilt(network: Heartbeats, waves: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
    """Return waves ``(n, T)`` after the codebook, and their codes."""
    heard = network(torch.as_tensor(waves, dtype=torch.float32))
    return heard.pulse.numpy().astype(float), heard.quantised.indices


def errors(out: np.ndarray, waves: np.ndarray) -> dict[str, np.ndarray]:
    """Return error of the rate and correlation of each wave with what was put in."""
    read = [signal.hr_from_spectrum(x, fs=FS) for x in (out, waves)]
    r = (signal.standardise(out) * signal.standardise(waves)).mean(-1)
    return {"mae": abs(read[0] - read[1]), "r": r}


def judged(network: Heartbeats, task: dict[str, Any]) -> dict[str, Any]:
    """Return one row about simulated people that the network has not seen."""
    row = {key: task[key] for key in ("recipe", "what", "value", "seed") if key in task}
    for frames in (FRAMES, LONG):
        waves = pulses(400, frames, seed=1_000 + frames).batch(range(400)).label.numpy()
        out, indices = rebuilt(network, waves)
        found = {name: float(values.mean()) for name, values in errors(out, waves).items()}
        row |= {f"{name}_{frames}": value for name, value in found.items()}
        if frames == FRAMES:
            row["used"], row["perplexity"] = code_statistics(indices, network.config.codes)
    return row


def judged_on_recordings(network: Heartbeats, task: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for every window of 10 s: of everybody, or of the person that was left out."""
    rows, simulated = [], task["without"] == "simulated"
    kinds = {"filtered": filtered, "as recorded": lambda clip: clip} if simulated else {"filtered": filtered}
    for clip in recordings(task["root"]):
        for wave_is, prepare in kinds.items():
            if not simulated and clip.subject != task["without"]:
                continue
            wave = prepare(clip).label
            waves = wave[:len(wave) // LONG * LONG].reshape(-1, LONG)
            waves = waves[np.ptp(waves, axis=1) > 0]
            pulse = signal.bandpass(waves, fs=FS, band_hz=PULSE_HZ)
            out, indices = rebuilt(network, waves)
            told = pd.DataFrame(errors(out, waves)).assign(good=signal.quality(pulse, fs=FS) >= signal.TRUST)
            told["learned"] = "simulated pulses" if simulated else "the other people"
            told["source"], told["recording"], told["wave"] = clip.dataset, clip.id, wave_is
            rows += told.to_dict("records")
    return rows


def of_recordings(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a line per source and network: means over windows with a pulse, intervals over recordings."""
    lines, keys = [], ["source", "wave", "learned"]
    table = pd.DataFrame(rows)
    for values, group in table.groupby(keys, sort=False):
        good = group[group.good]
        each = good.groupby("recording")[["mae", "r"]].agg(["sum", "count"])
        drawn = np.random.default_rng(0).multinomial(len(each), np.full(len(each), 1 / len(each)), size=2000)
        line = dict(zip(keys, values)) | {"recordings": len(each), "windows": len(group), "good": len(good)}
        for name in ("mae", "r"):
            means = (drawn @ each[name, "sum"].to_numpy()) / (drawn @ each[name, "count"].to_numpy())
            low, high = np.percentile(means, [2.5, 97.5]) if len(each) > 1 else (np.nan, np.nan)
            line |= {name: good[name].mean(), f"{name}_low": low, f"{name}_high": high}
        lines.append(line | {"mae_median": good.mae.median(), "mae_of_all": group.mae.mean()})
    order = {source: k for k, source in enumerate(SOURCES)}
    return sorted(lines, key=lambda line: order[line["source"]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time, each with one thread")
    parser.add_argument("--real", type=Path, default=real_data_folder(),
                        help="folder of real recordings (default: $RPPG_REALDATA or ../shared/realdata)")
    options = parser.parse_args()
    if options.real is None or not (options.real / "bidmc01").is_dir():
        print("no real recordings: their table is left out. --real DIR or $RPPG_REALDATA says where they are")
        options.real = None
    plan = list(tasks(options.real))
    tables: dict[str, list] = {}
    with get_context("spawn").Pool(options.jobs) as pool:
        for k, (task, rows) in enumerate(zip(plan, pool.imap(work, plan)), start=1):
            tables.setdefault(task["table"], []).extend(rows)
            said = {key: value for key, value in rows[0].items() if isinstance(value, (str, int, float))}
            print(f"{k}/{len(plan)}", *(f"{key} {v:.3g}" if isinstance(v, float) else f"{key} {v}"
                                        for key, v in said.items()), flush=True)
    if "real" in tables:
        tables["real"] = of_recordings(tables["real"])
    config = {"frames": FRAMES, "fs": FS, "train": 2000, "test": 400, "batch": 8, "epochs": EPOCHS, "sizes_epochs": FEW}
    kind = "mixed: simulated pulses and real contact waves" if "real" in tables else "simulated pulses"
    print(results.save("study_codebook", tables, profile="small", seed=SEEDS[0], data=kind, config=config))


if __name__ == "__main__":
    main()
