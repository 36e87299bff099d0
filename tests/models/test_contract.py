"""What everything registered keeps to: networks in their tiny configuration, and classical methods beside them."""

import copy
import functools
import importlib
import json
import shutil
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
import torch

from rppg_lib import registry, simulate
from rppg_lib.data.normalise import normalise
from rppg_lib.models import Network, NetworkEstimator, Published, load_network, pulse_of, save_network
from rppg_lib.models.codequery import QueryNetwork
from rppg_lib.types import Clip

NETWORKS = list(registry.available("network"))
LENGTHS = (64, 128, 160, 300)

every_network = pytest.mark.parametrize("name", NETWORKS)


def kind_of(name):
    return registry.find(name).made_of


@functools.cache
def shared(name):
    """A tiny network in eval mode, not to be changed."""
    torch.manual_seed(0)
    kind = kind_of(name)
    network = kind(kind.tiny()).eval()
    if isinstance(network, QueryNetwork):            # codes that were never learned are far from all that is asked
        with torch.no_grad():
            asked = network.features(made(network)).transpose(1, 2).flatten(0, 1)
            network.codebook.codes.copy_(asked[torch.randperm(len(asked))[:network.config.codes]])
    return network


def fresh(name):
    return copy.deepcopy(shared(name))


@functools.cache
def fed(name, *, clips=2, length=64, size=None):
    """Pictures with a pulse and noise, normalised as the network wants them; not to be changed."""
    return made(shared(name), clips=clips, length=length, size=size)


def made(network, *, clips=2, length=64, size=None):
    rng = np.random.default_rng(0)
    height, width = size or (network.config.size_px,) * 2
    pulse = np.sin(np.arange(length) / 4)[None, :, None, None, None]
    video = 120 + 3 * pulse + rng.normal(0, 5, (clips, length, height, width, 3))
    return normalise(torch.from_numpy(video.astype(np.uint8)), network.normalise)


def waves(network, frames):
    with torch.no_grad():
        return pulse_of(network(frames))


def smooth(network, frames):
    """What a small change of weights or precision changes a little: the wave, or what a hard choice is made from."""
    return network.features(frames) if isinstance(network, QueryNetwork) else pulse_of(network(frames))


# what it says of itself

@every_network
def test_a_network_lies_in_a_file_of_its_name_and_says_what_it_is(name):
    kind = kind_of(name)
    assert issubclass(kind, Network) and kind.__module__ == f"rppg_lib.models.{name}"
    assert registry.find(name).summary.endswith(".") and kind.cites in kind.__doc__
    assert isinstance(kind.published, Published) and kind.target in ("wave", "change")
    default = kind.Config()
    assert default.frames % kind.multiple_of == 0 and default.frames >= kind.min_frames
    assert kind.tiny() != default and type(kind.tiny()) is kind.Config


@every_network
def test_a_config_is_frozen_and_survives_json(name):
    kind, config = kind_of(name), kind_of(name).tiny()
    with pytest.raises(FrozenInstanceError):
        config.frames = 1
    plain = json.loads(json.dumps(shared(name).settings))
    assert set(plain) == {field.name for field in fields(config)} >= {"frames", "size_px"}
    network = kind(kind.Config(**plain))
    assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v
                                                                     in shared(name).state_dict().items()}


@every_network
def test_a_config_of_another_network_is_refused(name):
    with pytest.raises(TypeError, match=rf"{name}: needs a .*Config, got "):
        kind_of(name)({"size_px": 36})


# what it computes

@every_network
@pytest.mark.parametrize("length", LENGTHS)
def test_a_wave_is_as_long_as_its_clip_and_finite(name, length):
    network = shared(name)
    if length % network.multiple_of or length < network.min_frames:
        with pytest.raises(ValueError, match=f"{name}: needs at least"):
            network(torch.zeros(1, 3 * len(network.normalise), length, 32, 32))
        return
    wave = waves(network, fed(name, clips=1, length=length))
    assert wave.shape == (1, length) and wave.dtype == torch.float32 and torch.isfinite(wave).all()


@every_network
def test_a_picture_that_never_changes_gives_a_finite_wave(name):
    network = shared(name)
    size = network.config.size_px
    still = normalise(torch.full((1, 64, size, size, 3), 130, dtype=torch.uint8), network.normalise)
    assert torch.isfinite(waves(network, still)).all()
    assert torch.isfinite(waves(fresh(name).train(), still)).all()


@every_network
def test_a_wave_depends_on_the_pictures(name):
    frames = fed(name)
    assert (waves(shared(name), frames) - waves(shared(name), frames.flip(2))).abs().max() > 0


@every_network
def test_a_wave_does_not_depend_on_its_neighbours_in_the_batch(name):
    network, frames = shared(name), fed(name)
    alone, together = waves(network, frames[:1]), waves(network, frames)[:1]
    assert (alone - together).abs().max() <= 1e-5 * alone.abs().max()
    broken = frames.clone()
    broken[1] = float("nan")
    assert torch.isfinite(waves(network, broken)[0]).all()


@every_network
def test_in_eval_mode_the_same_clip_gives_the_same_wave_and_stays_as_it_was(name):
    network, frames = shared(name), fed(name).clone()
    first = waves(network, frames)
    assert torch.equal(first, waves(network, frames))
    assert torch.equal(frames, fed(name))


@every_network
def test_features_come_in_the_channels_it_announces(name):
    with torch.no_grad():
        found = shared(name).features(fed(name))
    assert found.shape[:2] == (2, shared(name).feature_channels) and 64 % found.shape[2] == 0
    assert torch.isfinite(found).all()


@every_network
def test_pictures_of_another_size_pass_where_size_is_free_and_are_refused_where_not(name):
    network = shared(name)
    other = fed(name, clips=1, length=64, size=(network.config.size_px + 8, network.config.size_px + 16))
    if network.size_is_free:
        assert waves(network, other).shape == (1, 64)
        return
    px = network.config.size_px
    with pytest.raises(ValueError, match=f"{name}: needs pictures of {px}x{px}, its config.size_px, got "):
        network(other)


# learning

def answers(output):
    """The pulse, and whom the network takes this for, where it says so."""
    return [pulse_of(output), *([output.person] if getattr(output, "person", None) is not None else [])]


@every_network
def test_every_weight_gets_a_gradient(name):
    torch.manual_seed(1)
    network = fresh(name).train()
    sum((wave * torch.randn_like(wave)).sum() for wave in answers(network(fed(name)))).backward()
    for label, parameter in network.named_parameters():
        if label.startswith(tuple(f"{part}." for part in network.frozen)):
            assert parameter.grad is None and not parameter.requires_grad, label
            continue
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), label
        assert (parameter.grad != 0).any(), label


@every_network
def test_a_step_against_the_gradient_fits_better(name):
    torch.manual_seed(1)
    network = fresh(name)                                            # in eval mode: no dropout, the same function twice
    frames = fed(name)
    wanted = torch.sin(torch.arange(smooth(network, frames).shape[-1]) / 4)
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-4)
    losses = []
    for _ in range(3):
        loss = (smooth(network, frames) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@every_network
def test_the_same_seed_gives_the_same_weights(name):
    kind, found = kind_of(name), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        found.append(torch.cat([p.detach().flatten() for p in kind(kind.tiny()).parameters()]))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


@every_network
def test_training_and_evaluating_switch_every_part(name):
    network = fresh(name).train()
    frozen = {part for named in network.frozen for part in network.get_submodule(named).modules()}
    assert all(part.training != (part in frozen) for part in network.modules())
    assert not any(part.training for part in network.eval().modules())


# precision, files, compilers

@every_network
def test_bfloat16_gives_a_finite_wave_near_that_of_float32(name):
    network, frames = shared(name), fed(name)
    with torch.no_grad():
        exact, pulse = smooth(network, frames), waves(network, frames)
        with torch.autocast("cpu", torch.bfloat16):
            mixed, mixed_pulse = smooth(network, frames), waves(network, frames)
    half = waves(fresh(name).to(torch.bfloat16), frames.bfloat16())
    for wave in (mixed_pulse, half):
        assert wave.shape == pulse.shape and torch.isfinite(wave).all()
    assert half.dtype == torch.bfloat16
    assert (mixed.float() - exact).abs().max() <= 0.2 * exact.abs().max()


@every_network
def test_gradients_under_autocast_are_finite(name):
    network = fresh(name).train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = sum(answer.float().square().mean() for answer in answers(network(fed(name))))
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.requires_grad)


@every_network
def test_weights_written_and_read_give_the_same_wave(name, tmp_path):
    network = shared(name)
    loaded = load_network(save_network(network, tmp_path / "kept", facts={"fs": 30.0}))
    assert type(loaded) is type(network) and loaded.config == network.config
    assert torch.equal(waves(loaded, fed(name)), waves(network, fed(name)))
    torch.manual_seed(9)
    other = kind_of(name)(network.config).eval()
    other.load_state_dict(network.state_dict())
    assert torch.equal(waves(other, fed(name)), waves(network, fed(name)))


@every_network
@pytest.mark.slow
def test_it_compiles_in_one_piece_or_says_why_not(name):
    network = fresh(name)
    if network.no_compile:
        assert network.no_compile.endswith(".")
        return
    torch._dynamo.reset()
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(waves(compiled, fed(name)), waves(network, fed(name)), atol=1e-4, rtol=1e-4)
    pulse_of(compiled(fed(name))).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a compiler for the CPU")
def test_a_network_compiles_to_machine_code():
    network = kind_of("physnet")(kind_of("physnet").tiny()).eval()
    torch._dynamo.reset()
    compiled, frames = torch.compile(network, fullgraph=True), fed("physnet")
    torch.testing.assert_close(waves(compiled, frames), waves(network, frames), atol=1e-4, rtol=1e-4)


# what it refuses

@every_network
@pytest.mark.parametrize("spoil, error, message", [
    (lambda x: x[0], ValueError, r"{name}: needs pictures \(B, {channels}, T, H, W\), normalised .*got \({channels}, "),
    (lambda x: x[:, :1], ValueError, r"{name}: needs pictures \(B, {channels}, T, H, W\).*got \(2, 1, 64, "),
    (lambda x: x.to(torch.uint8), TypeError, "{name}: needs normalised pictures as floats, got torch.uint8"),
    (lambda x: x[:, :, :1], ValueError, "{name}: needs at least .* frames.*, got 1"),
    (lambda x: x[..., :4, :4], ValueError, "{name}: needs pictures of .*got 4x4"),
])
def test_a_wrong_input_is_one_clear_error(name, spoil, error, message):
    network = shared(name)
    with pytest.raises(error, match=message.format(name=name, channels=3 * len(network.normalise))):
        network(spoil(fed(name)))


@every_network
def test_a_length_between_multiples_is_refused_with_the_multiple(name):
    network = shared(name)
    if network.multiple_of == 1:
        assert waves(network, fed(name)[:, :, :61]).shape == (2, 61)
        return
    with pytest.raises(ValueError, match=f"{name}: .* in multiples of {network.multiple_of}, got 63"):
        network(fed(name)[:, :, :63])


# through the same call

@functools.cache
def filmed(size_px):
    """Ten seconds of a face that is one colour, with its trace."""
    clip = simulate.trace(1, scene="still", seconds=10, seed=0)
    rng = np.random.default_rng(0)
    frames = clip.rgb[:, None, None, :] + rng.normal(0, 2, (len(clip), size_px, size_px, 3))
    return Clip(id="one", fs=clip.fs, rgb=clip.rgb, frames=np.clip(frames, 0, 255).astype(np.uint8), label=clip.label)


@pytest.mark.parametrize("name", list(registry.available()))
def test_everything_estimates_a_finite_wave_for_each_frame_of_a_clip(name):
    entry = registry.find(name)
    estimator = NetworkEstimator(fresh(name)) if entry.kind == "network" else registry.build(name)
    assert isinstance(estimator, registry.Estimator)
    assert (estimator.name, estimator.cites) == (name, entry.cites)
    pulse = estimator.predict(filmed(40))
    assert pulse.wave.shape == (300,) and pulse.fs == 30 and np.isfinite(pulse.wave).all() and pulse.wave.std() > 0


@every_network
def test_a_network_without_weights_is_not_built_by_its_name(name):
    with pytest.raises(ValueError, match=f"{name}: needs trained weights, checkpoint=FOLDER"):
        registry.build(name)


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
