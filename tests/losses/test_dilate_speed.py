"""DILATE is fast enough to train with: against its published form, compiled by numba, clip by clip."""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from rppg_lib.losses import dilate, standardise

from .waves import noise, sines

DILATE = sys.modules["rppg_lib.losses.dilate"]           # the module; the package has the function under its name
FIRST_CALL = """
import time, torch
from rppg_lib.losses import dilate
pred, target = torch.randn(16, 160, requires_grad=True), torch.randn(16, 160)
for _ in range(6):
    start = time.process_time()
    dilate(pred, target).mean().backward()
    print(time.process_time() - start)
"""


@pytest.fixture(scope="module")
def published():
    pytest.importorskip("numba", reason="numba is not installed: it compiles the published form of DILATE")
    from . import published_dilate
    return published_dilate


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def batch(clips, *, frames=160, dtype=torch.float32):
    """Return noisy and clean pulses of many rates, standardised."""
    target = sines(torch.linspace(50, 150, clips), frames=frames)
    pred = standardise(target + 0.3 * noise(clips, frames))
    return pred.to(dtype).requires_grad_(), standardise(target).to(dtype)


@pytest.mark.slow                        # numba compiles for some ten seconds
@pytest.mark.parametrize("gamma", [0.01, 0.3])
@pytest.mark.parametrize("shared", [False, True])
def test_values_and_slopes_are_those_of_the_published_form(published, gamma, shared):
    pred, target = batch(5, frames=60, dtype=torch.float64)
    for first, alpha in ((pred, 0.5), (5 * noise(5, 60).requires_grad_(), 0.2)):
        value = dilate(first, target, alpha=alpha, gamma=gamma)
        slope, = torch.autograd.grad(value.sum(), first)
        expected = published.dilate_and_slope(first.detach().numpy(), target.numpy(), alpha=alpha, gamma=gamma,
                                              shared=shared)
        np.testing.assert_allclose(value.detach().numpy(), expected[0], rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(slope.numpy(), expected[1], rtol=1e-8, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("clips, times", [(16, 2), (128, 5)])
def test_it_is_faster_than_the_published_form(published, one_thread, clips, times):
    """Forward and backward at 160 frames, in turns in one process and thread; the least CPU time of each counts.

    Ours in float32 as in training; the published form in float64 as its authors' code, already compiled. Measured on
    two busy cores of an AMD EPYC (Zen 4): 4.1 to 4.6 times at 16 clips, 8.0 to 9.5 times at 128. The test asks for
    less at 128: what else runs on a machine takes more from ours, which needs memory, than from a compiled loop.
    """
    pred, target = batch(clips)
    waves = pred.detach().numpy(), target.numpy()
    calls = (lambda: torch.autograd.grad(dilate(pred, target).mean(), pred),
             lambda: published.dilate_and_slope(*waves))
    for call in calls:
        call()                                           # numba compiles
    ours, theirs = np.inf, np.inf
    for rounds in range(30):
        ours, theirs = min(ours, cpu_seconds(calls[0])), min(theirs, cpu_seconds(calls[1]))
        if rounds >= 7 and theirs >= times * ours:       # a busy machine gets more rounds
            break
    print(f"{clips} clips: {1000 * ours:.1f} ms, published {1000 * theirs:.1f} ms, {theirs / ours:.1f} times")
    assert theirs >= times * ours


@pytest.mark.parametrize("second", [False, True])
def test_a_batch_worked_on_in_pieces_gives_the_same(monkeypatch, second):
    pred, target = batch(7, frames=30)
    target.requires_grad_(second)
    results = []
    for frames in (10**6, 70):                                           # in one, and in pieces of 3, 3 and 1 clips
        monkeypatch.setattr(DILATE, "PIECE", frames)
        value = dilate(pred, target)
        results.append((value, *torch.autograd.grad(value.mean(), [pred, target] if second else [pred])))
    for whole, pieces in zip(*results):
        torch.testing.assert_close(whole, pieces)


def cpu_seconds(call):
    start = time.process_time()
    call()
    return time.process_time() - start


@pytest.mark.slow
def test_the_first_call_does_not_wait_for_a_compiler():
    """Measured: 20 to 36 ms for the first call of a process and 12 to 19 ms later; numba compiles for seconds."""
    done = subprocess.run([sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, check=True)
    first, *later = map(float, done.stdout.split())
    assert first <= 3 * min(later) + 0.1
