"""Ask the audit of labels about people nobody has tuned it on: which faults does it find, and what does it make up?

    python tools/judge_labels.py             # 50 people, a few minutes of one core
    python tools/judge_labels.py --save      # keep the tables, stamped, in build/results
"""

from __future__ import annotations

import argparse

import numpy as np

from rppg_lib import results, signal, simulate
from rppg_lib.evaluation import Labelled, audit
from rppg_lib.evaluation.segments import cuts_of, examine

FPS, SECONDS, SEGMENT_S = 30, 60, 10
DAMAGED_S = 0.3                          # of a segment: a quarter of a beat or more
RIGHT_S = 0.5 / FPS
SCENES, LENGTHS_S = ("still", "turning", "talking"), (30, 60)
TOGETHER = 10                            # recordings that share a lag


def faults_row(kind: str, people: range) -> dict:
    """Return what the audit says of each segment of labels with one set of faults, beside what was done to it."""
    row = {"labels": kind, "damaged": 0, "found": 0, "untouched": 0, "called_good": 0}
    for seed in people:
        truth = simulate.pulse(simulate.person(seed), seconds=SECONDS, fs=FPS, seed=0)
        label = simulate.contact_label(truth, faults=simulate.FAULTS[kind], seed=0)
        wanders = any(isinstance(fault, simulate.Wander) for fault in label.faults)  # everywhere: it has no span
        damage = label.damaged() if label.spans or not wanders else np.ones(len(label.wave), bool)
        segments, *_ = examine(label.wave, fs=FPS, segment_s=SEGMENT_S, band_hz=signal.HR_BAND_HZ)
        for segment, cut in zip(segments, cuts_of(len(label.wave), fs=FPS, segment_s=SEGMENT_S)):
            if damage[cut].sum() >= DAMAGED_S * FPS:
                row["damaged"] += 1
                row["found"] += segment.verdict != "good"
            elif not wanders and not damage[cut].any():
                row["untouched"] += 1
                row["called_good"] += segment.verdict == "good"
    return row


def lags_row(scene: str, seconds: int, people: range) -> dict:
    """Return how often a lag is called certain, is right, and whether upside-down labels are told from others."""
    rng = np.random.default_rng([people.start, seconds])
    row = {"scene": scene, "seconds": seconds, "recordings": len(people), "certain": 0, "certain_right": 0,
           "named": 0, "way_up_right": 0}
    for seed in people:
        lag_s, flip = rng.uniform(-0.5, 0.8), rng.random() < 0.5
        clip = simulate.trace(seed, scene=scene, seconds=seconds, label_faults=[simulate.Lag(seconds=lag_s)])
        what = Labelled(name="one", fs=FPS, label=-clip.label if flip else clip.label, rgb=clip.rgb)
        found = audit(what).recordings[0]
        right = [abs(each - lag_s) < RIGHT_S for each in (found.lag.seconds, *found.lag.rivals_s)]
        row["certain"] += found.lag.certain
        row["certain_right"] += found.lag.certain and right[0]
        row["named"] += any(right)
        row["way_up_right"] += found.upside_down == flip
    return row


def shared_row(scene: str, seconds: int, people: range) -> dict:
    """Return how often recordings that share a lag know it together."""
    row = {"scene": scene, "seconds": seconds, "sets": 0, "certain": 0, "certain_right": 0}
    for first in range(people.start, people.stop - TOGETHER + 1, TOGETHER):
        late = [simulate.Lag(seconds=0.37)]
        lag = audit([simulate.trace(seed, scene=scene, seconds=seconds, label_faults=late)
                     for seed in range(first, first + TOGETHER)]).lag
        row["sets"] += 1
        row["certain"] += bool(lag and lag.certain)
        row["certain_right"] += bool(lag and lag.certain and abs(lag.seconds - 0.37) < RIGHT_S)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=800, help="seed of the first person (default: 800)")
    parser.add_argument("--people", type=int, default=50, help="how many (default: 50)")
    parser.add_argument("--save", action="store_true", help="keep the tables, stamped, as judge_labels.full.json")
    options = parser.parse_args()
    people = range(options.first, options.first + options.people)
    settings = [(scene, seconds) for seconds in LENGTHS_S for scene in SCENES]
    tables = {"faults": [faults_row(kind, people) for kind in simulate.FAULTS],
              "lags": [lags_row(scene, seconds, people) for scene, seconds in settings],
              "shared_lags": [shared_row(scene, seconds, people) for scene, seconds in settings]}
    for title, rows in tables.items():
        print(title, *rows, sep="\n  ")
    if options.save:
        config = {"people": options.people, "seconds": SECONDS, "fps": FPS, "segment_s": SEGMENT_S,
                  "damaged_s": DAMAGED_S, "lags_s": [-0.5, 0.8], "together": TOGETHER}
        print(results.save("judge_labels", tables, profile="full", seed=options.first, config=config,
                           data=f"simulated, {options.people} {'person' if options.people == 1 else 'people'}"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
