"""LQ-rPPG: each guess is made of its level's codes, and goes back into the stream for all that come later."""

import pytest
import torch

from rppg_lib.models.lqrppg import LQrPPG
from rppg_lib.quantize.labels import LabelLevels


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def network(**settings):
    return LQrPPG(LQrPPG.Config(size_px=16, frames=64, width=8, states=4, **settings)).eval()


def clip(frames=64):
    return torch.randn(2, 3, frames, 16, 16)


def test_there_is_a_guess_for_each_level_and_the_last_is_the_pulse():
    said = network()(clip())
    assert [guess.shape for guess in said.guesses] == [(2, 64)] * 5 == [scalar.shape for scalar in said.scalars]
    assert said.pulse is said.guesses[-1]


def test_a_guess_is_the_mean_of_the_codes_weighted_by_their_nearness():
    net = network()
    said = net(clip())
    for bits, scalar, guess in zip((1, 2, 3, 4, 5), said.scalars, said.guesses):
        codes = net.levels[bits].codes
        shares = torch.exp(-(scalar[..., None] - codes).abs())
        torch.testing.assert_close(guess, (shares * codes).sum(-1) / shares.sum(-1))
        assert codes.min() <= guess.min() and guess.max() <= codes.max()


def test_codes_that_were_fitted_are_used_and_travel_with_the_weights():
    waves = torch.sin(torch.arange(640.0).reshape(4, 160) / 4) ** 3
    fitted, frames = LabelLevels.fit(waves), clip()
    net, other = network(), network()
    before = net(frames).pulse
    net.levels.load_state_dict(fitted.state_dict())
    assert not torch.equal(net(frames).pulse, before)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other.levels[3].codes, fitted[3].codes) and torch.equal(other(frames).pulse, net(frames).pulse)


def test_codes_never_learn():
    net = network().train()
    assert not any(name.startswith("levels") for name, _ in net.named_parameters())
    before = {name: value.clone() for name, value in net.levels.state_dict().items()}
    optimiser = torch.optim.SGD(net.parameters(), lr=1.0)
    net(clip()).pulse.square().mean().backward()
    optimiser.step()
    assert all(torch.equal(value, before[name]) for name, value in net.levels.state_dict().items())


def test_a_guess_goes_back_into_the_stream_once_more_at_every_later_stage():
    net = network()
    with torch.no_grad():
        for stage in net.stages:                     # scans that do nothing: only what goes back is left
            stage.mamba.leave.weight.zero_()
            stage.back.bias.zero_()
            stage.back.weight.zero_()
        quiet, frames = net.features(frames := clip()), frames
        net.stages[1].back.bias += 1                 # said by the second of four stages: added there and twice more
    torch.testing.assert_close(net.features(frames) - quiet, torch.full_like(quiet, 3.0))


def test_without_codes_on_the_way_a_guess_is_what_the_head_said():
    said = network(through_codes=False)(clip())
    assert all(torch.equal(guess, scalar) for guess, scalar in zip(said.guesses, said.scalars))


def test_later_guesses_depend_on_what_earlier_ones_were_made_of():
    net, frames = network(), clip()
    with torch.no_grad():
        for stage in net.stages:
            stage.back.weight.normal_()
        before = net(frames).scalars
        net.levels[2].codes *= 2
        after = net(frames).scalars
    assert torch.equal(before[1], after[1]) and not torch.allclose(before[2], after[2])


@pytest.mark.parametrize("frames", [40, 64, 150])
def test_a_clip_of_another_length_has_its_own_places(frames):
    net = network()
    with torch.no_grad():
        net.place.copy_(torch.arange(64.0)[None, :, None].expand(1, 64, 8))
        still = net.place.new_zeros(1, 3, frames, 16, 16)
        start, end = net._stream(still)[0][0, :, [0, -1]].mean(0)
    assert net(clip(frames)).pulse.shape == (2, frames)
    assert end > start


@pytest.mark.parametrize("bits", [(1,), (2, 1), (1, 1), (), 3])
def test_levels_that_do_not_go_from_coarse_to_fine_are_refused(bits):
    with pytest.raises(ValueError, match="lqrppg: bits must be at least two numbers from coarse to fine"):
        network(bits=bits)


def test_other_levels_make_another_number_of_stages():
    net = network(bits=(2, 4))
    assert len(net.stages) == 1 and net.levels.bits == (2, 4) and len(net(clip()).guesses) == 2
