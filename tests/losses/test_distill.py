"""What a teacher's maps ask for: nothing from those who see the same, whatever order and scale their channels have."""

import numpy as np
import pytest
import torch

from rppg_lib.losses.distill import attention_of, attention_transfer, similarity_of, similarity_transfer, steadiness

FS = 30.0
TRANSFERS = (attention_transfer, similarity_transfer)

either = pytest.mark.parametrize("transfer", TRANSFERS, ids=lambda transfer: transfer.__name__)


def maps(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@either
def test_equal_maps_ask_for_nothing(transfer):
    mine = maps(2, 5, 12, 4, 4).requires_grad_()
    loss = transfer(mine, mine.detach().clone())
    loss.sum().backward()
    assert loss.abs().max() < 1e-12 and mine.grad.abs().max() < 1e-9
    assert transfer(mine, maps(2, 5, 12, 4, 4, seed=1)).min() > 0.01


@either
def test_neither_order_nor_scale_nor_sign_of_channels_matters(transfer):
    mine, its = maps(2, 5, 12, 4, 4), maps(2, 7, 12, 4, 4, seed=1)
    asked = transfer(mine, its)
    turned = mine[:, torch.tensor([3, 0, 4, 1, 2])]
    flipped = its * torch.tensor([1.0, -1, 1, 1, -1, -1, 1], dtype=its.dtype)[:, None, None, None]
    for other in (transfer(turned, its), transfer(3 * mine, its), transfer(mine, 0.01 * its), transfer(mine, flipped)):
        torch.testing.assert_close(other, asked)


@either
def test_the_teacher_gets_no_slope_and_each_clip_its_own(transfer):
    mine, its = maps(3, 5, 8, 4, 4).requires_grad_(), maps(3, 7, 8, 4, 4, seed=1).requires_grad_()
    loss = transfer(mine, its)
    assert loss.shape == (3,)
    loss[1].backward()
    assert its.grad is None and mine.grad[1].abs().max() > 0 and mine.grad[[0, 2]].abs().max() == 0


@either
def test_the_slope_is_that_of_finite_differences(transfer):
    its = maps(1, 2, 3, 3, 3, seed=1)
    assert torch.autograd.gradcheck(lambda mine: transfer(mine, its), maps(1, 2, 5, 4, 4).requires_grad_())


@either
def test_still_maps_have_a_finite_slope(transfer):
    mine = torch.zeros(1, 3, 8, 4, 4, requires_grad=True)
    transfer(mine, maps(1, 3, 8, 4, 4, dtype=torch.float32)).sum().backward()
    assert mine.grad.isfinite().all()


def test_attention_is_summed_over_channels_and_compared_frame_by_frame():
    mine, its = maps(2, 5, 6, 4, 3), maps(2, 7, 6, 4, 3, seed=1)
    expected = np.zeros(2)
    for clip in range(2):
        for frame in range(6):
            a = (mine[clip, :, frame].numpy() ** 2).sum(0).ravel()
            b = (its[clip, :, frame].numpy() ** 2).sum(0).ravel()
            expected[clip] += ((a / np.linalg.norm(a) - b / np.linalg.norm(b)) ** 2).sum() / 6
    np.testing.assert_allclose(attention_transfer(mine, its), expected, rtol=1e-12)


def test_a_finer_map_is_averaged_and_a_slower_one_interpolated():
    coarse = maps(1, 3, 8, 4, 4).abs()
    attention = attention_of(coarse)
    fine = attention.repeat_interleave(3, -1).repeat_interleave(3, -2).sqrt()[:, None]       # the same attention
    assert attention_transfer(fine, coarse).item() < 1e-12 and attention_transfer(coarse, fine).item() < 1e-12
    steady = coarse[:, :, :1].expand(-1, -1, 8, -1, -1)
    assert attention_transfer(steady, steady[:, :, :2]).item() < 1e-12
    assert similarity_transfer(coarse, coarse[:, :, :2]).isfinite().all()


def test_similarity_is_the_cosine_of_moments_about_their_mean():
    mine = maps(1, 4, 6, 3, 3)
    attention = (mine ** 2).sum(1, keepdim=True).numpy()
    moments = (mine.numpy() * attention / attention.sum((-2, -1), keepdims=True)).sum((-2, -1))[0].T        # (T,C)
    moments = moments - moments.mean(0)
    expected = [[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in moments] for a in moments]
    np.testing.assert_allclose(similarity_of(mine)[0], expected, atol=1e-9)


def test_a_pulse_makes_moments_a_beat_apart_alike_and_half_a_beat_apart_opposite():
    beat = torch.sin(2 * torch.pi * 1.25 * torch.arange(120) / FS)                           # 24 frames a beat
    alike = similarity_of((5 + beat)[None, None, :, None, None].expand(1, 3, -1, 4, 4))[0]
    assert alike[10, 34] > 0.99 and alike[10, 22] < -0.99


@pytest.mark.parametrize("frames", [90, 128, 300])
@pytest.mark.parametrize("bpm", [48.0, 72.0, 150.0])
def test_a_sine_is_as_steady_as_can_be_however_short(frames, bpm):
    t = torch.arange(frames) / FS
    assert steadiness(torch.sin(2 * torch.pi * bpm / 60 * t)[None], fs=FS) > 0.97


def test_steadiness_tells_a_pulse_from_noise_and_does_not_mind_its_scale():
    t = torch.arange(300) / FS
    beat = torch.sin(2 * torch.pi * 1.2 * t)[None]
    noise = torch.randn(20, 300, generator=torch.Generator().manual_seed(0))
    assert steadiness(noise, fs=FS).mean() < 0.4
    torch.testing.assert_close(steadiness(7 * beat + 3, fs=FS), steadiness(beat, fs=FS), atol=1e-3, rtol=0)
    mixed = [steadiness(beat + level * noise, fs=FS).mean() for level in (0, 1, 3)]
    assert mixed[0] > mixed[1] > mixed[2]
    assert not steadiness(beat.clone().requires_grad_(), fs=FS).requires_grad


@either
@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_equal_maps_ask_for_nothing_however_small_or_large(transfer, scale):
    mine = maps(2, 5, 12, 4, 4)
    assert transfer(scale * mine, mine).max() < 1e-6


@either
def test_maps_of_another_number_of_clips_are_refused(transfer):
    with pytest.raises(ValueError, match="needs maps of the same clips, got 2 of the student and 1 of the teacher"):
        transfer(maps(2, 3, 8, 4, 4), maps(1, 3, 8, 4, 4))


@either
def test_what_are_no_maps_is_refused(transfer):
    with pytest.raises(ValueError, match=r"attention_of: needs maps \(B, C, T, H, W\) as floats, got \(2, 3\)"):
        transfer(torch.zeros(2, 3), maps(1, 3, 8, 4, 4))
