"""What holds for every loss: a value per clip, sound slopes, and no clip that minds its neighbours."""

import pytest
import torch

from .waves import LOSSES, noise, sines


@pytest.fixture(params=LOSSES, ids=str)
def loss(request):
    return LOSSES[request.param]


def test_there_is_one_value_per_clip_in_the_type_of_the_waves(loss):
    for dtype in (torch.float32, torch.float64):
        value = loss(noise(3, 100, dtype=dtype), sines(frames=100, dtype=dtype))
        assert value.shape == (3,) and value.dtype == dtype and value.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single_precision(loss, dtype):
    pred, target = sines(frames=100, lag_s=0.1).to(dtype).requires_grad_(), sines(frames=100).to(dtype)
    value = loss(pred, target)
    value.sum().backward()
    assert value.dtype == torch.float32 and pred.grad.dtype == dtype and pred.grad.isfinite().all()
    torch.testing.assert_close(value, loss(pred.detach().float(), target.float()))


def test_autocast_changes_nothing(loss):
    pred, target = sines(lag_s=0.1, dtype=torch.float32), sines(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(pred, target)
    torch.testing.assert_close(inside, loss(pred, target), rtol=0, atol=0)


def test_single_precision_is_close_to_double(loss):
    pred, target = sines(lag_s=0.05) + 0.3 * noise(3, 160), sines()
    values, slopes = [], []
    for dtype in (torch.float32, torch.float64):
        wave = pred.to(dtype).requires_grad_()
        value = loss(wave, target.to(dtype))
        value.sum().backward()
        values.append(value.detach().double()), slopes.append(wave.grad.double())
    torch.testing.assert_close(*values, rtol=1e-4, atol=1e-4)
    assert ((slopes[0] - slopes[1]).norm() / slopes[1].norm()) < 1e-3


def test_the_slope_is_that_of_finite_differences(loss):
    pred, target = sines(frames=40, lag_s=0.1) + 0.2 * noise(3, 40), sines(frames=40)
    assert torch.autograd.gradcheck(lambda wave: loss(wave, target), pred.requires_grad_(), rtol=1e-4)


def test_a_clip_does_not_mind_its_neighbours(loss):
    pred, target = sines(lag_s=0.1) + 0.2 * noise(3, 160), sines()
    together = loss(pred, target)
    for k in range(3):
        torch.testing.assert_close(loss(pred[k:k + 1], target[k:k + 1]), together[k:k + 1], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(loss(pred.flip(0), target.flip(0)), together.flip(0), rtol=1e-12, atol=1e-12)


def test_a_nan_spoils_its_own_clip_only(loss):
    pred, target = sines(lag_s=0.1), sines()
    sound = loss(pred, target)
    pred[1, 7] = torch.nan
    pred.requires_grad_()
    value = loss(pred, target)
    assert value[1].isnan()
    torch.testing.assert_close(value[[0, 2]], sound[[0, 2]])
    value[[0, 2]].sum().backward()
    assert pred.grad[[0, 2]].isfinite().all()


@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_a_constant_prediction_has_a_finite_loss_and_slope(loss, constant):
    pred = torch.full((3, 160), constant, requires_grad=True)
    value = loss(pred, sines(dtype=torch.float32))
    value.sum().backward()
    assert value.isfinite().all() and pred.grad.isfinite().all()


def test_waves_that_are_no_contiguous_memory_give_the_same(loss):
    pred, target = sines(lag_s=0.1), sines()
    torch.testing.assert_close(loss(pred.T.contiguous().T, target.T.contiguous().T), loss(pred, target))


@pytest.mark.parametrize("pred, error, message", [
    (torch.zeros(160), ValueError, r"pred must have shape \(B, T\) with at least 2 frames, got \(160,\)"),
    (torch.zeros(3, 160, 1), ValueError, r"pred must have shape \(B, T\)"),
    (torch.zeros(3, 1), ValueError, "at least 2 frames"),
    (torch.zeros(3, 160, dtype=torch.int64), TypeError, "pred must be a floating-point tensor, got torch.int64"),
    (sines().numpy(), TypeError, "pred must be a floating-point tensor, got ndarray"),
])
def test_a_prediction_of_another_kind_is_refused(loss, pred, error, message):
    with pytest.raises(error, match=message):
        loss(pred, sines())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_the_same(loss):
    values, slopes = [], []
    for device in ("cpu", "cuda"):
        pred = (sines(lag_s=0.05) + 0.3 * noise(3, 160)).to(device).requires_grad_()
        value = loss(pred, sines().to(device))
        value.sum().backward()
        values.append(value.detach().cpu()), slopes.append(pred.grad.cpu())
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*slopes)


def test_waves_of_another_length_are_refused_where_frames_are_compared():
    for name in ("negative_pearson", "mse", "dilate", "soft_dtw", "soft_dtw_divergence", "time_distortion"):
        with pytest.raises(ValueError, match=rf"{name}: pred and target must have one shape, got \(3, 150\) and"):
            LOSSES[name](sines(frames=150), sines())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_broken_label_gives_nan_for_its_clip_alone(loss, bad):
    pred, target = sines(lag_s=0.1) + 0.1 * noise(3, 160), sines()
    whole = loss(pred, target)
    target[1, 7] = bad
    spoilt = loss(pred, target)
    assert not spoilt[1].isfinite()
    torch.testing.assert_close(spoilt[[0, 2]], whole[[0, 2]])
