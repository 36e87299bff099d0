"""Maps of networks: what they name is there, in one shape, and asking for it changes nothing."""

import pytest
import torch

from rppg_lib import registry
from rppg_lib.models import pulse_of
from rppg_lib.models.maps import with_maps

from .tiny import Tiny

LOOKED_AT = [name for name, entry in registry.available("network").items() if entry.made_of.map_layers]


def test_the_student_and_the_networks_that_may_teach_it_can_be_looked_at():
    assert {"kdphys", "physnet", "codephys", "physformer"} <= set(LOOKED_AT)


def made(name):
    """A tiny network and two clips for it."""
    torch.manual_seed(0)
    kind = registry.find(name).made_of
    network = kind(kind.tiny()).eval()
    size = network.config.size_px
    return network, torch.rand(2, 3 * len(kind.normalise), 64, size, size)


@pytest.mark.parametrize("name", LOOKED_AT)
def test_maps_come_shallow_layers_first_and_the_pulse_is_the_same(name):
    network, frames = made(name)
    with torch.no_grad():
        output, maps = with_maps(network, frames)
        assert torch.equal(pulse_of(output), pulse_of(network(frames)))
    assert len(maps) == len(network.map_layers) >= 2
    for each in maps:
        assert each.ndim == 5 and each.shape[0] == 2 and each.isfinite().all()
        assert each.shape[2] in (16, 32, 64) and 1 < each.shape[3] <= frames.shape[3]
    assert maps[0].shape[3] > maps[-1].shape[3] or name == "factorizephys"
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_map_of_one_clip_is_made_of_this_clip(name):
    network, frames = made(name)
    with torch.no_grad():
        both = with_maps(network, frames)[1]
        for clip in (0, 1):
            alone = with_maps(network, frames[clip:clip + 1])[1]
            for a, b in zip(alone, both):
                torch.testing.assert_close(a, b[clip:clip + 1], atol=1e-4, rtol=1e-3)


def test_a_slope_reaches_the_network_through_its_maps():
    kind = registry.find("kdphys").made_of
    network = kind(kind.tiny())
    with_maps(network, torch.rand(1, 3, 8, 32, 32))[1][-1].square().sum().backward()
    assert network.motion[0].weight.grad.abs().max() > 0 and network.readout.layers[0].weight.grad is None


def test_a_network_without_named_layers_says_so_and_hooks_go_when_a_call_fails():
    with pytest.raises(ValueError, match="tiny: names no layers whose maps could be looked at. Set map_layers"):
        with_maps(Tiny(), torch.zeros(1, 3, 64, 8, 8))
    kind = registry.find("physnet").made_of
    network = kind(kind.tiny())
    with pytest.raises(ValueError, match="physnet"):
        with_maps(network, torch.zeros(1, 3, 63, 32, 32))
    assert not any(module._forward_hooks for module in network.modules())
