"""Processes that train together keep one codebook."""

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from ..checkout import ROOT
from .several import CALLS, batch
from .vectors import book, same_bits, state


def together(folder, update, start, world=2):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = [subprocess.Popen([sys.executable, "-m", "tests.quantize.several", str(folder), update, start, str(rank),
                                 str(world)], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
               for rank in range(world)]
    told = [process.communicate(timeout=120)[1] for process in running]
    assert all(process.returncode == 0 for process in running), told
    return [load_file(folder / f"{rank}.safetensors") for rank in range(world)]


@pytest.mark.slow
def test_two_processes_with_half_a_batch_each_learn_as_one_with_all_of_it(tmp_path):
    alone = book(start="normal", warmup_steps=2)
    for call in range(CALLS):
        alone(batch(call))
    first, second = together(tmp_path, "ema", "normal")
    assert same_bits(first, second)
    torch.testing.assert_close(first, state(alone), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_codes_that_start_or_come_back_by_chance_are_the_same_in_all_processes(tmp_path, update):
    first, second = together(tmp_path, update, "kmeans")
    assert same_bits(first, second)
