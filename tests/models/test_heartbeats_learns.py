"""Stage I learns clean pulses: rate, shape, and a codebook that is in use, in less than a minute of two cores."""

import time

import pytest
import torch

from rppg_lib import signal
from rppg_lib.data import SimulatedPulses
from rppg_lib.losses import standardise
from rppg_lib.models.heartbeats import Heartbeats
from rppg_lib.quantize import code_statistics
from rppg_lib.training import FitConfig, TrainingData, fit
from rppg_lib.training.codequery import HeartbeatObjective

pytestmark = pytest.mark.slow

LEARNED, HELD_OUT, FRAMES, FS = 2000, 400, 160, 30.0
MOST_ERROR_BPM, LEAST_R, LEAST_USED, LEAST_PERPLEXITY, MOST_CPU_S = 0.15, 0.99, 60, 45, 120


def test_held_out_pulses_come_back_with_their_rate_and_shape_from_codes_that_are_all_in_use():
    torch.manual_seed(0)
    pulses, others = (SimulatedPulses(count, frames=FRAMES, fs=FS, seed=seed)
                      for count, seed in ((LEARNED, 10), (HELD_OUT, 999)))
    plan = FitConfig(epochs=3, batch=8, lr=1.5e-3, schedule="cosine", keep="last", seed=0, device="cpu")
    began = time.process_time()
    network = fit(Heartbeats(Heartbeats.small()), HeartbeatObjective(), TrainingData(pulses), plan,
                  progress=False).network.eval()
    took = time.process_time() - began                   # of all threads: 60 s of two cores
    waves = standardise(others.batch(range(HELD_OUT)).label)
    with torch.no_grad():
        heard = network(waves)
    rates, truth = (signal.hr_from_spectrum(x.double().numpy(), fs=FS) for x in (heard.pulse, waves))
    used, perplexity = code_statistics(heard.quantised.indices, network.config.codes)
    assert abs(rates - truth).mean() < MOST_ERROR_BPM
    assert (standardise(heard.pulse) * waves).mean() > LEAST_R
    assert used >= LEAST_USED and perplexity > LEAST_PERPLEXITY
    assert took < MOST_CPU_S
