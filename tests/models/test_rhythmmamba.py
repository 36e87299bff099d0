"""RhythmMamba: the published sizes, and each of its parts against its definition."""

import pytest
import torch

from rppg_lib.models.rhythmmamba import Block, FusionStem, RhythmMamba, SpectralFeedForward


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("bidirectional, params", [(False, 4_922_125), (True, 5_673_229)])
def test_it_has_the_parameters_of_the_public_code(bidirectional, params):
    with torch.device("meta"):
        network = RhythmMamba(RhythmMamba.Config(bidirectional=bidirectional))
    assert sum(p.numel() for p in network.parameters()) == params


def test_as_many_parameters_as_documented_do_nothing():
    with torch.device("meta"):
        layers = [part for part in RhythmMamba().modules() if isinstance(part, SpectralFeedForward)]
    unused = sum(2 * (layer.real.numel() - len(layer.real)) for layer in layers)
    assert unused == 1_760_256 and f"{unused:,}" in SpectralFeedForward.__doc__


def test_the_layer_on_frequencies_reads_the_diagonals_only():
    layer = SpectralFeedForward(4, 2).double()
    x = torch.randn(2, 10, 4, dtype=torch.float64)
    before = layer(x)
    before.square().sum().backward()
    apart = ~torch.eye(8, dtype=torch.bool)
    for weight in (layer.real, layer.imaginary):
        assert (weight.grad[apart] == 0).all() and (weight.grad.diagonal() != 0).any()
        with torch.no_grad():
            weight[apart] = 1e3
    torch.testing.assert_close(layer(x), before)


def test_the_layer_on_frequencies_equals_the_released_formula():
    layer = SpectralFeedForward(4, 2).double().eval()
    x = torch.randn(2, 10, 4, dtype=torch.float64)
    spectrum = torch.fft.fft(layer.enter(x.transpose(1, 2)).transpose(1, 2), dim=1, norm="ortho")

    def mixed(part, weight):
        return torch.einsum("bnc,cc->bnc", part, weight)

    real = torch.relu(mixed(spectrum.real, layer.real) - mixed(spectrum.imag, layer.imaginary) + layer.real_bias)
    imaginary = torch.relu(mixed(spectrum.imag, layer.real) + mixed(spectrum.real, layer.imaginary)
                           + layer.imaginary_bias)
    back = torch.fft.ifft(torch.complex(real, imaginary), dim=1, norm="ortho").real
    torch.testing.assert_close(layer(x), layer.leave(back.transpose(1, 2)).transpose(1, 2))


def test_the_stem_sees_the_four_differences_around_each_frame():
    stem, seen = FusionStem(8), []
    stem.differences.register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    frames = torch.randn(2, 3, 6, 16, 16)
    stem(frames)
    held = torch.cat([frames[:, :, :1], frames[:, :, :1], frames, frames[:, :, -1:], frames[:, :, -1:]], 2)
    for t in range(6):
        around = held[:, :, t:t + 5]                                 # frames t-2 to t+2; the ends stand still
        expected = torch.cat([around[:, :, k + 1] - around[:, :, k] for k in range(4)], 1)
        torch.testing.assert_close(seen[0].unflatten(0, (2, 6))[:, t], expected)


def test_the_stem_looks_at_each_frame_apart_from_its_differences():
    stem = FusionStem(8).eval()
    frames = torch.randn(1, 3, 8, 16, 16)
    other = frames.clone()
    other[:, :, 7] += 1
    torch.testing.assert_close(stem(other)[:, :, :5], stem(frames)[:, :, :5])       # 7 is a neighbour of 5 and 6
    assert not torch.allclose(stem(other)[:, :, 5], stem(frames)[:, :, 5])


def test_scans_begin_at_four_times_of_the_clip():
    block = Block(RhythmMamba.tiny(), 0.0)
    asked = []
    block.mamba.register_forward_pre_hook(lambda layer, given, options: asked.append(options["starts"]),
                                          with_kwargs=True)
    block(torch.randn(1, 80, 16))
    block(torch.randn(1, 150, 16))                                   # T = 300: the last quarter is longer
    assert asked == [(0, 20, 40, 60), (0, 37, 74, 111)]


def test_dropping_leaves_whole_clips_out_in_training_only():
    block = Block(RhythmMamba.tiny(), 0.5)
    change = torch.ones(400, 2, 3)
    kept = block._kept(change)
    assert set(kept.flatten().tolist()) == {0.0, 2.0}                # what stays is scaled, so that the mean stays
    assert (kept.flatten(1).std(-1) == 0).all() and abs(kept.mean() - 1) < 0.2
    assert block.eval()._kept(change) is change


def test_pictures_of_another_size_and_shape_pass():
    network = RhythmMamba(RhythmMamba.tiny()).eval()
    assert network(torch.zeros(1, 3, 16, 24, 40)).shape == (1, 16)


def test_the_wave_holds_each_feature_for_two_frames():
    network = RhythmMamba(RhythmMamba.tiny()).eval()
    frames = torch.randn(1, 3, 64, 32, 32)
    wave = network(frames)
    torch.testing.assert_close(wave[:, ::2], wave[:, 1::2])
    torch.testing.assert_close(network.last(network.features(frames)).squeeze(1), wave[:, ::2])
