"""What everything registered keeps to: networks in their tiny configuration, and classical methods beside them."""

import importlib
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from rppg_lib import registry
from rppg_lib.models import Network, NetworkEstimator
from rppg_lib.models.candidate import CLAUSES, Candidate, waves
from rppg_lib.models.clauses import filmed
from rppg_lib.models.contract import check_contract

NETWORKS = list(registry.available("network"))

every_network = pytest.mark.parametrize("name", NETWORKS)
every_clause = pytest.mark.parametrize("clause", [pytest.param(each, marks=[pytest.mark.slow] * each.slow, id=each.text)
                                                  for each in CLAUSES])


def kind_of(name):
    return registry.find(name).made_of


@every_clause
@every_network
def test_every_network_keeps_the_contract(name, clause):
    clause.ask(Candidate(kind_of(name)))


def test_the_contract_asked_as_a_whole_is_what_its_clauses_say_one_by_one():
    report = check_contract(kind_of("tscan"))
    assert report and [line.clause for line in report.lines] == [each.text for each in CLAUSES if not each.slow]
    assert report.not_asked == tuple(each.text for each in CLAUSES if each.slow)


# of those in the library

@every_network
def test_a_network_lies_in_a_file_of_its_name(name):
    assert issubclass(kind_of(name), Network) and kind_of(name).__module__ == f"rppg_lib.models.{name}"


def test_every_file_of_networks_registers_what_it_is_called():
    for name in NETWORKS:
        assert importlib.import_module(f"rppg_lib.models.{name}")
    assert len(NETWORKS) >= 7


@every_network
def test_the_size_of_the_published_input_is_that_of_the_default_config_or_can_be_set(name):
    kind = kind_of(name)
    with torch.device("meta"):
        network = kind(replace(kind.Config(), frames=kind.published.frames, size_px=kind.published.size_px))
    params, told = sum(p.numel() for p in network.parameters()), kind.published.params
    assert told is None or abs(params - told) <= kind.published.within * told


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a compiler for the CPU")
def test_a_network_compiles_to_machine_code():
    kdphys = Candidate(kind_of("kdphys"))                            # of the few seconds to compile
    torch._dynamo.reset()
    compiled, frames = torch.compile(kdphys.fresh(), fullgraph=True), kdphys.fed()
    torch.testing.assert_close(waves(compiled, frames), waves(kdphys.shared, frames), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", list(registry.available()))
def test_everything_estimates_a_finite_wave_for_each_frame_of_a_clip(name):
    entry = registry.find(name)
    estimator = NetworkEstimator(Candidate(entry.made_of).fresh()) if entry.kind == "network" else registry.build(name)
    assert isinstance(estimator, registry.Estimator)
    assert (estimator.name, estimator.cites) == (name, entry.cites)
    pulse = estimator.predict(filmed())
    assert pulse.wave.shape == (300,) and pulse.fs == 30 and np.isfinite(pulse.wave).all() and pulse.wave.std() > 0
