"""Maps of networks: what they name is there, in one shape, and asking for it changes nothing."""

import pytest
import torch

from rppg_lib import registry
from rppg_lib.models import pulse_of
from rppg_lib.models.maps import grad_cam, with_maps

from .tiny import Tiny

LOOKED_AT = [name for name, entry in registry.available("network").items() if entry.made_of.map_layers]


def test_every_network_can_be_looked_at():
    assert set(LOOKED_AT) == set(registry.available("network")) - {"codequery"}      # it has those of its backbone


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
    assert maps[0].shape[3] > maps[-1].shape[3] or name in ("factorizephys", "lqrppg", "rhythmmamba")
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


# which places count

class Corner(Tiny):
    """Reads the upper left quarter of the picture and nothing else."""

    map_layers = ("shown",)

    def __init__(self):
        super().__init__()
        self.shown = torch.nn.Conv3d(3, 2, 1)

    def forward(self, frames):
        return self.shown(frames)[:, 0, :, :4, :4].mean((-2, -1))


def test_only_the_places_that_are_read_count():
    torch.manual_seed(0)
    look = grad_cam(Corner(), torch.randn(2, 3, 64, 8, 8))
    assert look.shape == (2, 8, 8) and look[:, :4, :4].sum() > 0
    assert look[:, 4:].sum() == look[:, :, 4:].sum() == 0


def test_a_place_counts_by_what_its_maps_do_to_the_strength_of_the_pulse():
    network, frames = made("physnet")
    network, frames = network.double(), frames[:1].double()
    layer = network.get_submodule(network.map_layers[-1])
    look = grad_cam(network, frames)[0]

    def strength(row, column, by):
        def louder(module, given, out):
            out = out.clone()
            out[..., row, column] *= 1 + by
            return out
        handle = layer.register_forward_hook(louder)
        with torch.no_grad():
            wave = network(frames)
        handle.remove()
        return (wave - wave.mean()).square().sum().item()

    size = look.shape[-1]
    slopes = torch.tensor([[(strength(i, j, 1e-5) - strength(i, j, -1e-5)) / 2e-5 for j in range(size)]
                           for i in range(size)])
    torch.testing.assert_close(look, slopes.relu().double(), rtol=1e-3, atol=1e-6 * float(slopes.abs().max()))


@pytest.mark.parametrize("name", LOOKED_AT)
def test_asking_which_places_count_leaves_the_network_as_it_was(name):
    network, frames = made(name)
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():                                            # as within an evaluation
        look = grad_cam(network, frames)
    assert look.shape[0] == 2 and look.ndim == 3 and look.isfinite().all() and (look >= 0).all() and look.any()
    assert network.training and all(weight.grad is None for weight in network.parameters())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules()) and not look.requires_grad


def test_a_codebook_on_another_network_shows_what_that_one_looks_at():
    network, frames = made("codequery")
    assert network.map_layers == ("backbone.encoder.6", "backbone.encoder.9")
    assert grad_cam(network, frames).shape == (2, 4, 4)


def test_another_part_can_be_asked_and_one_that_is_not_there_is_refused():
    network, frames = made("rfacenet")
    before, after = (grad_cam(network, frames, layer=layer) for layer in ("encoder.7", "fusion"))
    assert before.shape == after.shape and not torch.equal(before, after)
    with pytest.raises(ValueError, match="grad_cam: rfacenet has no part 'fusoin'. Did you mean 'fusion'"):
        grad_cam(network, frames, layer="fusoin")


@pytest.mark.parametrize("layer, why", [
    ("classifier", "is no part that the pulse goes through as a whole"), ("readout", "is no picture"),
    ("encoder", "is no part that the pulse goes through as a whole")])
def test_a_part_that_has_no_place_on_the_way_to_the_pulse_is_refused(layer, why):
    network, frames = made("rfacenet")
    with pytest.raises(ValueError, match=f"grad_cam: what comes out of '{layer}' of rfacenet {why}. Take one of"):
        grad_cam(network, frames, layer=layer)
    assert not any(module._forward_hooks for module in network.modules())
