"""The signal autoencoder: shapes, sizes, and what it refuses."""

import pytest
import torch

from rppg_lib.models import save_network
from rppg_lib.models.heartbeats import EMBEDDINGS, ChannelNorm, Heartbeats, load_heartbeats
from rppg_lib.registry import find

TINY = {"dim": 8, "codes": 8, "embedding": "plain", "layers": 1}


def tiny(**changes):
    torch.manual_seed(0)
    return Heartbeats(Heartbeats.Config(**TINY | changes))


def params(module):
    return sum(p.numel() for p in module.parameters())


def test_the_papers_size_is_the_sum_of_its_layers():
    # 1x1 to 128; three embeddings (norm, 128 -> 512 over 5 frames, back over 3); 128 -> 64 over 5 frames
    embedding = 2 * 128 + (128 * 512 * 5 + 512) + (512 * 128 * 3 + 128)
    heard = Heartbeats()
    assert params(heard.encoder) == 256 + 3 * embedding + (128 * 64 * 5 + 64) == 1_616_832
    assert params(heard.decoder) == (64 * 128 * 5 + 128) + 3 * embedding + 129
    assert heard.codebook.codes.shape == (64, 64)


def test_the_small_size_has_the_share_it_announces():
    assert params(Heartbeats(Heartbeats.small())) == pytest.approx(0.58e6, rel=0.02)


@pytest.mark.parametrize("frames", [64, 128, 160, 300])
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_a_wave_comes_back_as_long_as_it_was_from_a_token_for_every_four_frames(frames, embedding):
    heard = tiny(embedding=embedding).eval()(torch.randn(2, frames))
    assert heard.pulse.shape == (2, frames) and torch.isfinite(heard.pulse).all()
    assert heard.features.shape == (2, frames // 4, 8) and heard.quantised.indices.shape == (2, frames // 4)


def test_scale_and_offset_of_a_wave_do_not_matter():
    network, wave = tiny().eval(), torch.randn(2, 64)
    torch.testing.assert_close(network(70 * wave + 30).pulse, network(wave).pulse, atol=1e-4, rtol=1e-4)


def test_a_wave_shifted_by_four_frames_gives_tokens_shifted_by_one():
    network, wave = tiny().eval(), torch.randn(1, 200)
    wave[0, -4:], wave[0, :4] = wave[0, :4].clone(), wave[0, -4:].clone()
    tokens, later = network.encode(wave), network.encode(wave.roll(4, dims=-1))        # rolled: mean and spread stay
    torch.testing.assert_close(later[:, 6:-6], tokens.roll(1, dims=1)[:, 6:-6], atol=1e-5, rtol=1e-4)


def test_a_token_of_the_decoder_stands_where_the_encoder_took_it_from():
    """What one token changes is symmetric about the frame the token was gathered at."""
    network = tiny(layers=0)
    torch.nn.init.constant_(network.decoder.spread.weight, 1.0)
    still = torch.zeros(1, 16, 8)
    moved = still.clone()
    moved[0, 7] = 1.0
    changed = (network.decoder(moved) - network.decoder(still))[0].abs() > 1e-6
    assert changed.nonzero().flatten().tolist() == [26, 27, 28, 29, 30]                # 4 * 7, two on either side
    wave = torch.zeros(1, 64)
    seen = torch.autograd.functional.jacobian(lambda x: network.encoder.gather(network.encoder.widen(x[:, None]))[
        0, :, 7].sum(), wave)[0]
    assert seen.nonzero().flatten().tolist() == [26, 27, 28, 29, 30]


def test_channel_norm_is_layer_norm_of_each_place():
    x = torch.randn(2, 6, 5, 3, 4)
    norm = ChannelNorm(6)
    torch.nn.init.normal_(norm.weight)
    torch.testing.assert_close(norm(x)[1, :, 2, 0, 3], torch.nn.functional.layer_norm(
        x[1, :, 2, 0, 3], (6,), norm.weight, norm.bias))


def test_learning_brings_the_wave_closer():
    torch.manual_seed(1)
    network, t = tiny(warmup_steps=2), torch.arange(64) / 30
    wave = torch.stack([torch.sin(2 * torch.pi * bpm / 60 * t) for bpm in (60, 75, 90, 110)])
    optimiser, found = torch.optim.Adam(network.parameters(), lr=5e-3), []
    for _ in range(60):
        heard = network(wave)
        loss = (heard.pulse - wave).square().mean()
        found.append(loss.item())
        optimiser.zero_grad()
        (loss + heard.quantised.loss).backward()
        optimiser.step()
    assert min(found[-5:]) < 0.5 * found[3]


def test_what_was_saved_comes_back_and_another_network_is_refused(tmp_path):
    network = tiny().eval()
    again = load_heartbeats(save_network(network, tmp_path / "one"))
    wave = torch.randn(1, 64)
    assert again.config == network.config and torch.equal(again(wave).pulse, network(wave).pulse)
    physnet = find("physnet").made_of
    save_network(physnet(physnet.tiny()), tmp_path / "other")
    with pytest.raises(ValueError, match="load_heartbeats: .*other holds a trained physnet, no stage I"):
        load_heartbeats(tmp_path / "other")


@pytest.mark.parametrize("quantiser, codes, choices", [("codebook", 16, 1), ("residual", 16, 2), ("finite", 16, 1)])
def test_every_quantiser_answers_in_the_same_words(quantiser, codes, choices):
    network = tiny(quantiser=quantiser, codes=codes, warmup_steps=0).train()
    heard = network(torch.randn(2, 64))
    assert heard.quantised.indices.shape[:2] == (2, 16) and heard.quantised.indices.numel() == 32 * choices
    (heard.pulse.square().mean() + heard.quantised.loss).backward()
    assert network.encoder.widen.weight.grad.abs().max() > 0


@pytest.mark.parametrize("wave", [torch.zeros(2, 62), torch.zeros(2, 4), torch.zeros(64),
                                  torch.zeros(2, 64, dtype=int)])
def test_a_wave_that_does_not_fit_is_one_clear_error(wave):
    with pytest.raises(ValueError, match=r"Heartbeats: needs waves \(B, T\) of floats, T a multiple of 4 and at least"):
        tiny()(wave)


@pytest.mark.parametrize("changes, message", [
    ({"embedding": "wider"}, "Embedding: there is no kind 'wider'. Did you mean 'wide'"),
    ({"dim": 0}, "Heartbeats: dim must be a whole number of at least 2, got 0"),
    ({"layers": -1}, "Heartbeats: layers must be a whole number of at least 0, got -1"),
    ({"embedding": "attention", "dim": 7}, "Heartbeats: dim must be even"),
    ({"quantiser": "codebok"}, "Heartbeats: there is no quantiser 'codebok'. Did you mean 'codebook'"),
    ({"quantiser": "finite", "codes": 8}, "Heartbeats: a finite quantiser has 4, 16, 64, 256 codes, got 8"),
])
def test_sizes_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny(**changes)
