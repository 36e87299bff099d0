"""Real processes: killed, and several at a time."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from ..checkout import ROOT
from .several import SETTINGS
from .small import Tiny, bits, train


def in_process(arguments, **environment):
    given = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment = {**os.environ, **given, **environment}
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True,
                          timeout=180)
    assert done.returncode == 0, done.stderr[-4000:]
    return done


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_training_killed_ten_times_goes_on_to_the_bits_of_an_unbroken_one(tmp_path):
    """At most the steps since the last checkpoint are lost: here one, for every second step writes one."""
    told = json.loads(in_process(["tests.training.killed", str(tmp_path / "run")]).stdout)
    lives = told["lives"]
    assert len(lives) == 10 and all(life["killed"] for life in lives), lives
    for life in lives:
        reached = life["before"] + life["begun"]                     # begun; the last of them perhaps not finished
        assert reached - 3 < life["after"] <= reached, life
    assert told["at"] > 20, lives                                    # there was something to lose
    assert told["same"]


def launched(folder, *extra, processes):
    """Train with ``accelerate launch``: --multi_gpu means several processes, the training itself asks for CPUs."""
    folder.mkdir()
    in_process(["accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes), "--num_machines", "1",
                "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
                "-m", "tests.training.several", str(folder), *extra])
    return json.loads((folder / "told.json").read_text()), load_file(folder / "weights.safetensors")


@pytest.mark.slow
def test_two_processes_give_the_loss_and_weights_of_one(tmp_path):
    """Though the last batch is smaller, batches are accumulated, and shares differ in size."""
    told, weights = launched(tmp_path / "two", "checkpoints", processes=2)
    assert told["processes"] == 2
    fitted = train(Tiny(norm=False, dropout=0), **SETTINGS)
    for name, tensor in bits(fitted.network).items():
        torch.testing.assert_close(weights[name], tensor, rtol=0, atol=1e-6)
    for row, alone in zip(told["history"], fitted.history, strict=True):
        assert row == pytest.approx(alone, abs=1e-6)
    folder = tmp_path / "two" / "run"
    assert [path.name for path in folder.iterdir() if path.name.startswith("step-")] == ["step-000006"]
    assert len(list((folder / "curves").iterdir())) == 1             # the first process writes for all
    assert train(Tiny(norm=False, dropout=0), folder=folder, **SETTINGS).history == told["history"]
