"""Kills a training again and again, and says whether it came to the same end. Run by a test, in a process of its own.

A training is a child that was forked after everything heavy had been imported; SIGKILL leaves it no time for anything.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from rppg_lib.data import Augment

from .small import Square, Tiny, bits, same, train

KILLS, EVERY, EPOCHS = 10, 2, 400
SETTINGS = {"epochs": EPOCHS, "checkpoint_every_steps": EVERY, "augment": Augment(), "weight_decay": 0.01}


class Enough(BaseException):
    """The training has gone as far as it need."""


class Telling(Square):
    """Tells on a pipe that another step begins; ends the training before an epoch, which is no setting of it."""

    pipe, until = -1, EPOCHS

    def begin(self, epoch):
        if epoch == self.until:
            raise Enough

    def forward(self, output, truth, batch):
        if self.training and self.pipe >= 0:
            os.write(self.pipe, b".")
        return super().forward(output, truth, batch)


def last_step(folder):
    pointer = folder / "last"
    return int(pointer.read_text().strip().removeprefix("step-")) if pointer.exists() else 0


def one_life(folder, delay_s):
    """Start the training and kill it ``delay_s`` after its first step; return (steps begun, exit status)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        Telling.pipe = writing
        train(Tiny(dropout=0.3), Telling(), folder=folder, **SETTINGS)
        os._exit(0)
    os.close(writing)
    begun = len(os.read(reading, 1))                                 # blocks until the first step
    time.sleep(delay_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while told := os.read(reading, 65536):
        begun += len(told)
    os.close(reading)
    return begun, status


def main(folder):
    chance = random.Random()
    lives = []
    for _ in range(KILLS):
        before = last_step(folder)
        delay_s = chance.uniform(0, 0.4)
        begun, status = one_life(folder, delay_s)
        lives.append({"delay_s": delay_s, "before": before, "begun": begun, "after": last_step(folder),
                      "killed": os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL})
    at = last_step(folder)
    Telling.until = -(-at // 3) + 1                                  # on to the end of the epoch after this
    print(json.dumps({"lives": lives, "at": at, "same": same(end(folder), end(None))}))


def end(folder):
    """Return the weights with which the training ends; without a folder it begins anew and is never stopped."""
    network = Tiny(dropout=0.3)
    try:
        train(network, Telling(), folder=folder, **SETTINGS)
    except Enough:
        return bits(network)
    raise AssertionError("the training ended by itself: make it longer")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
