"""What `fit` refuses: objectives that return nonsense, people on both sides, two trainings in one folder."""

import subprocess
import sys

import pytest
import torch

from rppg_lib.training import Objective, TrainingData

from ..checkout import ROOT
from .small import Square, Tiny, train, windows


class Returns(Objective):
    def __init__(self, what):
        super().__init__()
        self._what = what

    def forward(self, output, truth, batch):
        return self._what(output)


@pytest.mark.parametrize("what, text", [
    (lambda wave: None, "must return a dict of named terms.*got NoneType"),
    (lambda wave: wave.mean(), "got Tensor"), (lambda wave: {}, "got dict without terms"),
    (lambda wave: {"error": 1.0}, "but 'error' is 1.0"),
    (lambda wave: {"error": wave.mean(-1)}, r"but 'error' is a tensor \(\d+,\).*Take the mean"),
    (lambda wave: {"epoch": wave.mean()}, "may not be called 'epoch'"),
    (lambda wave: {3: wave.mean()}, "may not be called 3"),
])
def test_an_objective_that_returns_nonsense_is_named(what, text):
    with pytest.raises((TypeError, ValueError), match=f"^Returns: .*{text}"):
        train(objective=Returns(what), epochs=1)


def test_nobody_is_learned_from_and_judged_by():
    with pytest.raises(ValueError, match="person 2"):
        TrainingData(windows([1, 2]), windows([2, 3]))


HOLD = """
import sys, time
from rppg_lib.training.checkpoint import Checkpoints
held = Checkpoints(sys.argv[1])
held.hold()
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_two_trainings_do_not_write_into_one_folder(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(FileExistsError, match="another training is writing to"):
            train(folder=tmp_path, epochs=1)
    finally:
        other.kill()
        other.communicate()
    assert train(folder=tmp_path, epochs=1).history                  # the lock falls with the process


def test_a_network_of_one_s_own_and_an_objective_still_train():
    assert train(network=Tiny(), objective=Square(), epochs=1).history[0]["loss"] > 0
    assert torch.is_grad_enabled()
