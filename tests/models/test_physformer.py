"""PhysFormer: the published sizes, and what temporal differences do."""

from dataclasses import replace

import torch

from rppg_lib.models.physformer import Attention, PhysFormer


def test_it_has_the_parameters_of_the_public_code():
    with torch.device("meta"):
        assert sum(p.numel() for p in PhysFormer().parameters()) == 7_380_865


def test_attention_is_the_softmax_of_scores_over_the_sharpness():
    torch.manual_seed(0)
    config = replace(PhysFormer.tiny(), width=8, heads=2, sharpness=0.5)
    attention = Attention(config).double().eval()
    x = torch.randn(2, 8, 3, 2, 2, dtype=torch.float64)
    query, key, value = (part(x).flatten(2).transpose(1, 2)
                         for part in (attention.query, attention.key, attention.value))
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = query[..., head] @ key[..., head].transpose(1, 2) / 0.5
        heads.append(scores.softmax(-1) @ value[..., head])
    torch.testing.assert_close(attention(x), torch.cat(heads, -1))


def test_pictures_of_another_size_and_shape_pass():
    network = PhysFormer(PhysFormer.tiny()).eval()
    assert network(torch.zeros(1, 3, 16, 64, 96)).shape == (1, 16)


def test_features_are_tokens_averaged_over_the_picture():
    network = PhysFormer(PhysFormer.tiny()).eval()
    assert network.features(torch.zeros(2, 3, 64, 64, 64)).shape == (2, network.feature_channels, 16)


def test_slimmer_variants_are_a_matter_of_config():
    sizes = [sum(p.numel() for p in PhysFormer(PhysFormer.Config(width=width, inner=width, depth=depth)).parameters())
             for width, depth in ((32, 6), (32, 3), (16, 3))]
    assert sizes == sorted(sizes, reverse=True)
