"""Costs: counted as one does by hand, with both kinds of counter, and timed as asked."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn import functional

from rppg_lib.models import Network, Published, cost
from rppg_lib.models.cost import Setting, count, latency


class Counted(Network):
    """Of layers whose multiplications one can count by hand."""

    normalise = ("standard",)
    published = Published(frames=8, size_px=4)

    @dataclass(frozen=True, kw_only=True)
    class Config:
        size_px: int = 4
        frames: int = 8
        by_weight: bool = False
        on_meta: bool = True

    def __init__(self, config=None):
        super().__init__(config)
        self.convolution = nn.Conv3d(3, 5, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm3d(5)
        self.dense = nn.Linear(5, 7)
        self.bare = nn.Parameter(torch.ones(7))
        self.never = nn.Linear(2, 2)

    def forward(self, frames):
        x = self.norm(self.convolution(frames)).mean((-2, -1)).transpose(1, 2)        # (B,T,5)
        x = functional.linear(x, self.dense.weight) if self.config.by_weight else self.dense(x)
        if not self.config.on_meta and x.is_meta:
            raise NotImplementedError("no rule for shapes")
        return x @ self.bare                                         # (B,T,7) @ (7,)


CONVOLUTION, DENSE, BARE = 5 * 3 * 27 * 8 * 16, 8 * 5 * 7, 8 * 7


def test_multiplications_are_those_counted_by_hand():
    found = count(Counted(), frames=8, size_px=4)
    assert found.macs == CONVOLUTION + DENSE + BARE
    assert found.macs_visible == CONVOLUTION + DENSE                 # hooks see no matrix product
    assert found.params == 405 + 10 + 42 + 7 + 6
    assert found.params_visible == 405 + 10 + 42                     # neither what is bare nor what is never called


def test_a_layer_used_by_its_weight_is_invisible_to_hooks():
    found = count(Counted(Counted.Config(by_weight=True)), frames=8, size_px=4)
    assert found.macs == CONVOLUTION + DENSE + BARE
    assert (found.macs_visible, found.params_visible) == (CONVOLUTION, 415)


def test_multiplications_grow_with_length_and_area():
    one, two, four = (count(Counted(), frames=t, size_px=px).macs for t, px in ((8, 4), (16, 4), (8, 8)))
    assert two == 2 * one
    assert four - one == 3 * CONVOLUTION


def test_frozen_parameters_are_counted_but_not_as_trainable():
    network = Counted()
    network.dense.requires_grad_(False)
    assert count(network, frames=8, size_px=4).trainable == 470 - 42


def test_a_network_without_rules_for_shapes_is_counted_on_the_processor():
    assert (count(Counted(Counted.Config(on_meta=False)), frames=8, size_px=4)
            == count(Counted(), frames=8, size_px=4))


def test_transposed_convolutions_count_each_input_once():
    layer, given = nn.ConvTranspose3d(4, 6, (4, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0)), torch.zeros(1, 4, 8, 2, 2)
    assert cost._macs(layer, given, layer(given)) == 8 * 2 * 2 * 4 * 6 * 4


def test_counting_leaves_the_network_as_it_was():
    network = Counted().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count(network, frames=8, size_px=4)
    latency(network, frames=8, size_px=4, repeats=1, setting=Setting(channels_last=True))
    assert network.training and not network.convolution._forward_hooks
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]) and tensor.is_contiguous()


@pytest.mark.parametrize("name, bidirectional, visible, total", [
    ("physformer", None, 50.14, 51.23),
    ("rhythmmamba", False, 12.8346, None),
    ("rhythmmamba", True, 12.8346, None),
])
def test_both_counts_of_published_networks_are_reproduced(name, bidirectional, visible, total):
    from rppg_lib.registry import find

    kind = find(name).made_of
    with torch.device("meta"):
        network = kind(kind.Config() if bidirectional is None else kind.Config(bidirectional=bidirectional))
    found = count(network, frames=160, size_px=128)
    assert found.macs_visible / 1e9 == pytest.approx(visible, abs=0.005)
    if total:
        assert found.macs / 1e9 == pytest.approx(total, abs=0.005)
    if name == "rhythmmamba":
        assert found.params_visible == 1_065_229
        assert found.macs_visible / 160 / 1e6 == pytest.approx(80.22, abs=0.01)


@pytest.mark.parametrize("setting", [Setting(), Setting(threads=1), Setting(precision="bfloat16"),
                                     Setting(channels_last=True)])
def test_a_time_is_positive_and_the_fastest_is_not_above_the_median(setting):
    threads = torch.get_num_threads()
    took = latency(Counted(), frames=8, size_px=4, repeats=3, setting=setting)
    assert 0 < took.min_ms <= took.median_ms and math.isclose(took.ms_per_frame, took.min_ms / 8)
    assert torch.get_num_threads() == threads
    if setting.threads == 1:
        assert took.clock == "cpu"


def test_what_cannot_be_timed_is_said(monkeypatch):
    with pytest.raises(ValueError, match="Setting: precision must be one of float32, bfloat16, float16, got 'int8'"):
        Setting(precision="int8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="latency: needs a GPU for device 'cuda'"):
        latency(Counted(), frames=8, size_px=4, setting=Setting(device="cuda"))
