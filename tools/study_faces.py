"""Study of faces: what an identity branch adds to a pulse network, within a domain and across, and who leaks.

    python tools/study_faces.py --jobs 2             # most of an hour of two cores; goes on where it was stopped

Two domains. In one people rest, talk and turn; in the other, with faces and rooms of another kind, the light changes.
Each arm is trained in one, from three seeds, and judged on people it has not seen, in both. People it has seen are
judged as well, by other recordings. The branch learns who is trained on; a linear probe of what the pulse branch knows
says whether it knows that, too. And a network that has learned with everybody's own face is judged again with another
face in place of everybody's, that of one person it has learned. The people are simulated, and no notebook uses them.
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
from study_distill import judge, with_intervals

from rppg_lib import results, simulate
from rppg_lib.data import Augment, Batch, ClipStore, Windows, build_store, simulated_sources
from rppg_lib.data.normalise import normalise
from rppg_lib.evaluation import identity_probe
from rppg_lib.files import output_dir, revision, written_whole
from rppg_lib.models import Network, NetworkEstimator
from rppg_lib.models.physnet import PhysNet
from rppg_lib.models.rfacenet import Faced, RFaceNet
from rppg_lib.training import FitConfig, Objective, TrainingData, WaveObjective, fit
from rppg_lib.training.faces import FaceObjective
from rppg_lib.types import Clip

SEEDS = (0, 1, 2)
LEARNERS, JUDGES = range(3300, 3312), range(3350, 3362)
DOMAINS = {"moving": ("A", ("still", "talking", "turning")),
           "light": ("B", ("light drift", "screen light", "flicker"))}
FILM = {"seconds": 10.0, "fs": 30.0, "size_px": 36, "rates_bpm": (50, 140)}
LEARNED, JUDGED = 10, 20                 # seeds of recordings in the first scene; the next has the next
FRAMES, WIDTH = 128, 16
FIT = {"epochs": 16, "batch": 2, "lr": 6e-3, "clip_norm": 1.0, "keep": "last", "device": "cpu"}
ASKED = {"rate": True, "rate_bpm": 100.0, "smoothing": 0.1}
ARMS: dict[str, dict[str, Any] | None] = {
    "physnet": None, "stage 3": {}, "neither": {"contour": "none", "fuse_at": 0}, "noise": {"contour": "noise"},
    "face apart": {"fuse_at": 0}, "not asked who": {}, "stage 2": {"fuse_at": 2}, "stage 1": {"fuse_at": 1},
    "rate from 20 bpm": {},
}
"""Settings of rFaceNet; None: PhysNet, by correlation. What matters most comes first."""
PAIRS = (("stage 3", "physnet"), ("neither", "physnet"), ("stage 3", "neither"), ("noise", "neither"),
         ("face apart", "neither"), ("stage 3", "noise"), ("stage 3", "face apart"), ("stage 3", "not asked who"),
         ("stage 2", "stage 3"), ("stage 1", "stage 3"), ("stage 3, another's face", "stage 3"),
         ("rate from 20 bpm", "stage 3"), ("stage 3", "pos"), ("physnet", "pos"))


@lru_cache
def films(domain: str) -> ClipStore:
    """Return the store of a domain's films, made once."""
    family, scenes = DOMAINS[domain]
    sources = []
    for numbers, first in ((LEARNERS, LEARNED), (LEARNERS, JUDGED), (JUDGES, JUDGED)):
        for seed, scene in enumerate(scenes, start=first):           # with one seed, people would move alike in all
            sources += simulated_sources(numbers, scenes=scene, seed=seed, stage=simulate.Stage(family=family), **FILM)
    return build_store(sources, output_dir("clips"), name=f"study-faces-{domain}", progress=True)


@lru_cache
def clips(domain: str, numbers: range, first: int) -> list[Clip]:
    """Return the films of these people, recorded with the seeds from ``first`` on, one of each scene."""
    people = {f"sim{number:04}" for number in numbers}
    seeds = {str(first + k) for k in range(len(DOMAINS[domain][1]))}
    return [films(domain).clip(record) for record in films(domain).records
            if record.subject in people and record.id.rsplit(" ", 1)[1] in seeds]


def made(arm: str) -> tuple[Network, Objective]:
    """Return an arm's network, untrained, and its objective."""
    size = {"size_px": FILM["size_px"], "frames": FRAMES, "width": WIDTH}
    if ARMS[arm] is None:
        return PhysNet(PhysNet.Config(**size)), WaveObjective({"pearson": 1.0})
    network = RFaceNet(RFaceNet.Config(**size, people=len(LEARNERS), **ARMS[arm]))
    kind = _Unasked if arm == "not asked who" else FaceObjective
    asked = ASKED | ({"rate_bpm": 20.0} if arm == "rate from 20 bpm" else {})
    return network, kind([f"sim{number:04}" for number in LEARNERS], **asked)


class _Unasked(FaceObjective):
    """The same, for a network with the branch, which is not asked whose face it is."""

    def forward(self, output: Faced, truth: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        return super().forward(output._replace(person=None), truth, batch)


def work(task: tuple[str, str, int]) -> dict[str, Any]:
    """Train, judge and probe; what is done already is read."""
    torch.set_num_threads(1)
    domain, arm, seed = task
    settings = json.dumps([FILM, LEARNED, JUDGED, FRAMES, WIDTH, FIT, ASKED, ARMS[arm], [*LEARNERS, *JUDGES], DOMAINS])
    name = f"{domain}-{arm}-{seed}-{zlib.crc32(settings.encode()):08x}.json"
    kept = output_dir("study_faces") / name.replace(" ", "_")
    if kept.is_file():
        return json.loads(kept.read_text("utf-8"))
    torch.manual_seed(seed)
    network, objective = made(arm)
    data = TrainingData(Windows(clips(domain, LEARNERS, LEARNED), frames=FRAMES, margin=Augment().margin(FRAMES)))
    fitted = fit(network, objective, data, FitConfig(**FIT, seed=seed, augment=Augment()), progress=False)
    network.eval()
    table = judge_all(network, domain).assign(arm=arm)
    probes = [row | {"arm": arm, "seed": seed} for row in probes_of(network, domain)]
    if getattr(network, "fusion", None) is not None and network.identity is not None:
        face = face_of(network, clips(domain, LEARNERS, LEARNED)[-1])
        network.face = lambda frames: face.expand(len(frames), -1, -1, -1)
        table = pd.concat([table, judge_all(network, domain).assign(arm=f"{arm}, another's face")])
    table, this = table.assign(seed=seed), {"trained": domain, "arm": arm, "seed": seed}
    history = [this | row for row in fitted.history]
    found = {"rows": json.loads(table.to_json(orient="records")), "probes": probes, "history": history,
             "revision": revision()}
    with written_whole(kept) as file:
        file.write(json.dumps(found))
    return found


def judge_all(network: Network, trained: str) -> pd.DataFrame:
    """Return errors and correlations of people not seen, in both domains, and of those seen, where they were."""
    estimator = NetworkEstimator(network, device="cpu")
    return pd.concat([judge(estimator, clips(there, numbers, JUDGED)).assign(trained=trained, judged=there, seen=seen)
                      for there in DOMAINS for seen, numbers in ((False, JUDGES), (True, LEARNERS))
                      if not seen or there == trained])


@torch.no_grad()
def face_of(network: RFaceNet, clip: Clip) -> torch.Tensor:
    """Return the map of the identity branch for the start of a film."""
    return network.face(normalise(torch.tensor(clip.frames[:FRAMES])[None], network.normalise))


@torch.no_grad()
def probe(network: Network, films: list[Clip]) -> dict[str, float | None]:
    """Return how often people are known again in another scene, by what the pulse branch knows, averaged over time.

    ``named`` is how often the classifier names them, of people it has learned; None without one.
    """
    people = [f"sim{number:04}" for number in LEARNERS]
    features, whose, scenes, named = [], [], [], []
    for clip in films:
        for start in range(0, len(clip) - FRAMES + 1, FRAMES):
            frames = normalise(torch.tensor(clip.frames[start:start + FRAMES])[None], network.normalise)
            features.append(network.features(frames).mean(-1)[0].numpy())
            whose.append(clip.subject)
            scenes.append(clip.condition)
            if getattr(network, "identity", None) is not None and clip.subject in people:
                named.append(people[network(frames).person.argmax()] == clip.subject)
    found = identity_probe(np.array(features), whose, scenes)
    return {"accuracy": found.accuracy, "chance": found.chance, "named": float(np.mean(named)) if named else None}


def probes_of(network: Network, domain: str) -> list[dict[str, Any]]:
    """Return the probe of people seen, by other recordings, and of people not seen."""
    return [{"trained": domain, "seen": seen} | probe(network, clips(domain, numbers, JUDGED))
            for seen, numbers in ((True, LEARNERS), (False, JUDGES))]


def summary(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return a line per arm, and per pair of arms how much the first has more: trained and judged where, seen or not.

    With 95 % intervals over people and seeds. Of three seeds such an interval is too narrow, so the seeds' lowest and
    highest mean stand beside it.
    """
    rng = np.random.default_rng(0)
    shape = len(SEEDS), len(JUDGES)
    people = {seen: sorted(some.subject.unique()) for seen, some in table.groupby("seen")}
    drawn = [(rng.integers(0, shape[0], shape[0]), rng.integers(0, shape[1], shape[1])) for _ in range(2000)]
    arms, pairs = [], []
    for (trained, judged, seen), some in table.groupby(["trained", "judged", "seen"], sort=False):
        where = {"trained": trained, "judged": judged, "seen": bool(seen)}
        grids = {arm: {name: rows.pivot_table(index="seed", columns="subject", values=name, dropna=False)
                       .reindex(index=SEEDS, columns=people[seen]).to_numpy()
                       for name in ("r_band", "error")} for arm, rows in some.groupby("arm", sort=False)}
        for arm, grid in grids.items():
            of_arm = some[(some.arm == arm) & ((some.seed == SEEDS[0]) | (arm != "pos"))]     # POS learns nothing
            arms.append(where | {"arm": arm, "n": len(of_arm), "unread": int(of_arm.hr_pred.isna().sum())}
                        | with_intervals(grid, drawn))
        for arm, beside in PAIRS:
            if arm in grids and beside in grids:
                apart = {name: grids[arm][name] - grids[beside][name] for name in grids[arm]}
                pairs.append(where | {"arm": arm, "beside": beside} | with_intervals(apart, drawn))
    key = ["trained", "judged", "seen", "arm"]
    scenes = table.groupby([*key, "scene"], sort=False)[["r_band", "error"]].mean()
    return {"arms": pd.DataFrame(arms).set_index(key), "pairs": pd.DataFrame(pairs).set_index([*key, "beside"]),
            "scenes": scenes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time, each with one thread")
    parser.add_argument("--arms", type=int, default=len(ARMS), help="so many arms, from the first")
    options = parser.parse_args()
    for domain in DOMAINS:
        films(domain)
    plan = [(domain, arm, seed) for arm in list(ARMS)[:options.arms] for seed in SEEDS for domain in DOMAINS]
    rows, probes, revisions = [], [], set()
    with get_context("spawn").Pool(options.jobs) as pool:
        for k, found in enumerate(pool.imap(work, plan), start=1):
            rows, probes = rows + found["rows"], probes + found["probes"]
            revisions.add(found["revision"])
            told = pd.DataFrame(found["rows"])
            told = told[(told.arm == plan[k - 1][1]) & ~told.seen].groupby("judged").error.mean()
            print(f"{k}/{len(plan)}", *plan[k - 1], *(f"{where} {error:.2f} bpm" for where, error in told.items()),
                  f"probe {found['probes'][0]['accuracy']:.2f}", flush=True)
    for domain in DOMAINS:
        for seed in SEEDS:
            torch.manual_seed(seed)
            probes += [row | {"arm": "untrained", "seed": seed} for row in probes_of(made("physnet")[0].eval(), domain)]
    reference = [judge("pos", clips(there, numbers, JUDGED)).assign(trained=trained, judged=there, seen=seen, arm="pos")
                 for trained in DOMAINS for there in DOMAINS for seen, numbers in ((False, JUDGES), (True, LEARNERS))
                 if not seen or there == trained]
    table = pd.concat([pd.DataFrame(rows), *(part.assign(seed=seed) for part in reference for seed in SEEDS)])
    config = {"learners": len(LEARNERS), "judged": len(JUDGES), "seeds": len(SEEDS), "width": WIDTH, "frames": FRAMES,
              "revisions": sorted(revisions), **{f"asked_{key}": value for key, value in ASKED.items()},
              **{f"film_{key}": value for key, value in FILM.items()}, **{f"fit_{key}": v for key, v in FIT.items()}}
    tables = summary(table) | {"probes": pd.DataFrame(probes)}
    print(results.save("study_faces", tables, profile="small", seed=SEEDS[0], config=config,
                       data=f"simulated films, {len(LEARNERS) + len(JUDGES)} people"))


if __name__ == "__main__":
    main()
