"""Kills `rppg train codephys` in both of its stages, and says whether it came to the same end. Run by a test, in a
process of its own.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from rppg_lib import train_command
from rppg_lib.data import ClipSource, build_store
from rppg_lib.training.codequery import HeartbeatObjective, QueryObjective
from rppg_lib.types import Clip

from .small import same

SETTINGS = ["frames=64", "dim=8", "codes=8", "layers=1", "first=4", "width=4", "epochs=3", "batch=2", "lr=0.001",
            "checkpoint_every_steps=2", "heartbeats.epochs=6", "heartbeats.batch=32", "heartbeats.warmup_steps=10",
            "heartbeats.revive_after=5"]
LIVES = [("h", 1), ("h", 20), ("h", 3), ("q", 1), ("q", 4)]
"""In which stage a life ends, and after how many of its steps there."""


def clip(number):
    """One person's skin, 16 pixels wide, and a label of a recording."""
    rng = np.random.default_rng(number)
    t = np.arange(140) / 30
    beat = np.sin(2 * np.pi * (1.0 + 0.15 * number) * t)
    frames = 120 - 6 * beat[:, None, None, None] * [0.4, 1.0, 0.6] + rng.normal(size=(140, 16, 16, 3))
    frames = frames.round().astype(np.uint8)
    return Clip(id=f"clip {number}", subject=f"person {number}", dataset="mine", fs=30.0, label=beat, frames=frames,
                rgb=frames.mean((1, 2)))


def command(store, folder):
    """Do what the command does."""
    parser = argparse.ArgumentParser()
    train_command.add_train_options(parser)
    given = [word for setting in SETTINGS for word in ("-p", setting)]
    args = parser.parse_args(["codephys", "--data", str(store), "--out", str(folder), *given])
    train_command.train(args, lambda text: None)


def telling(pipe):
    """Let both objectives write their letter for each step."""
    for kind, letter in ((HeartbeatObjective, b"h"), (QueryObjective, b"q")):
        def forward(self, *given, own=kind.forward, letter=letter):
            if self.training:
                os.write(pipe, letter)
            return own(self, *given)

        kind.forward = forward


def one_life(store, folder, stage, steps, chance):
    """Begin the command and kill it in a stage, a moment after so many steps; return (killed, letters of its steps)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        telling(writing)
        command(store, folder)
        os._exit(0)
    os.close(writing)
    begun = b""
    while begun.count(stage.encode()) < steps and (letter := os.read(reading, 1)):
        begun += letter
    time.sleep(chance.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while told := os.read(reading, 65536):
        begun += told
    os.close(reading)
    return os.WIFSIGNALED(status), begun.decode()


def end(folder):
    """Return what both stages have come to."""
    found = {}
    for stage in ("1-heartbeats", "2-query"):
        for pointer in ("last", "best"):
            checkpoint = folder / stage / (folder / stage / pointer).read_text().strip()
            found |= {f"{stage} {pointer} {name}": tensor
                      for name, tensor in load_file(checkpoint / "weights.safetensors").items()}
    return found


def main(folder):
    chance = random.Random()
    store = build_store([ClipSource(clip=clip(n)) for n in range(6)], folder, name="six", jobs=1, progress=False).path
    lives = [one_life(store, folder / "killed", stage, steps, chance) for stage, steps in LIVES]
    killed, whole = folder / "killed", folder / "whole"
    for each in (killed, whole):
        command(store, each)
    tables = [json.loads(next(each.glob("train_*.json")).read_text())["tables"] for each in (killed, whole)]
    print(json.dumps({"lives": lives, "same": same(end(killed), end(whole)), "same tables": tables[0] == tables[1]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
