"""Soft-DTW and DILATE: against every path there is, against finite differences, and what they tell apart."""

from functools import partial

import numpy as np
import pytest
import torch

from rppg_lib.losses import dilate, path_alignment, soft_dtw, soft_dtw_divergence, time_distortion

from .waves import noise, sines

PATHS = {3: 13, 4: 63, 5: 321}           # Delannoy numbers


def paths(i, j, n):
    """Yield every path from a cell to the last one, down, right, or both."""
    if (i, j) == (n - 1, n - 1):
        yield [(i, j)]
    for a, b in ((i + 1, j), (i, j + 1), (i + 1, j + 1)):
        if a < n and b < n:
            for rest in paths(a, b, n):
                yield [(i, j), *rest]


def brute_force(x, y, gamma):
    """Return soft minimum, chance of each cell and expected (i - j)^2 over n^2, by summing over all paths."""
    n = len(x)
    every = list(paths(0, 0, n))
    assert len(every) == PATHS[n]
    cost = np.array([sum((x[i] - y[j]) ** 2 for i, j in path) for path in every])
    weight = np.exp(-(cost - cost.min()) / gamma)
    value = cost.min() - gamma * np.log(weight.sum())
    weight /= weight.sum()
    visits = np.zeros((n, n))
    for chance, path in zip(weight, every):
        visits[tuple(zip(*path))] += chance
    steps = np.array([sum((i - j) ** 2 for i, j in path) for path in every])
    return value, visits, weight @ steps / n**2


@pytest.mark.parametrize("n", PATHS)
@pytest.mark.parametrize("gamma", [1.0, 0.1, 0.01])
def test_value_path_and_time_term_equal_the_sum_over_all_paths(n, gamma):
    x, y = noise(4, n), noise(4, n, seed=1)
    expected = [brute_force(a, b, gamma) for a, b in zip(x.numpy(), y.numpy())]
    value, visits, time = (np.array(column) for column in zip(*expected))
    np.testing.assert_allclose(soft_dtw(x, y, gamma=gamma).numpy(), value, rtol=0, atol=1e-12)
    np.testing.assert_allclose(path_alignment(x, y, gamma=gamma).numpy(), visits, rtol=0, atol=1e-12)
    np.testing.assert_allclose(time_distortion(x, y, gamma=gamma).numpy(), time, rtol=0, atol=1e-12)
    np.testing.assert_allclose(dilate(x, y, alpha=0.3, gamma=gamma).numpy(), 0.3 * value + 0.7 * time, rtol=0,
                               atol=1e-12)


@pytest.mark.parametrize("n", [2, 5, 19])                          # 19: three blocks of diagonals, the last one short
@pytest.mark.parametrize("gamma", [1.0, 0.1])
@pytest.mark.parametrize("loss", [soft_dtw, time_distortion, dilate, partial(dilate, alpha=0.9), soft_dtw_divergence])
def test_the_slopes_by_both_waves_are_those_of_finite_differences(loss, gamma, n):
    x, y = noise(2, n).requires_grad_(), noise(2, n, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(partial(loss, gamma=gamma), (x, y), atol=1e-6, rtol=1e-5)


def test_the_slope_of_a_batch_mean_is_divided_by_the_clips():
    x, y = noise(4, 20), noise(4, 20, seed=1)
    mean = x.clone().requires_grad_()
    dilate(mean, y).mean().backward()
    for k in range(4):
        alone = x[k:k + 1].clone().requires_grad_()
        dilate(alone, y[k:k + 1]).sum().backward()
        torch.testing.assert_close(mean.grad[k:k + 1], alone.grad / 4)


def test_the_path_is_the_slope_of_the_shape_term_by_each_squared_difference():
    x, y = noise(2, 12).requires_grad_(), noise(2, 12, seed=1)
    soft_dtw(x, y, gamma=0.5).sum().backward()
    with torch.no_grad():
        expected = (path_alignment(x, y, gamma=0.5) * 2 * (x[:, :, None] - y[:, None, :])).sum(-1)
    torch.testing.assert_close(x.grad, expected)


def hard_dtw(x, y):
    """The textbook's loop."""
    n = len(x)
    table = np.full((n + 1, n + 1), np.inf)
    table[0, 0] = 0
    for i in range(n):
        for j in range(n):
            table[i + 1, j + 1] = (x[i] - y[j]) ** 2 + min(table[i, j + 1], table[i + 1, j], table[i, j])
    return table[n, n]


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-6), (torch.float32, 1e-3)])
def test_without_softness_it_is_dynamic_time_warping(dtype, tolerance):
    x, y = noise(3, 40), noise(3, 40, seed=1)
    expected = [hard_dtw(a, b) for a, b in zip(x.numpy(), y.numpy())]
    assert soft_dtw(x.to(dtype), y.to(dtype), gamma=1e-8).numpy() == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("gamma", [1.0, 0.01])
def test_the_path_starts_and_ends_in_the_corners_and_visits_each_frame(gamma):
    visits = path_alignment(noise(3, 50), noise(3, 50, seed=1), gamma=gamma)
    assert visits.shape == (3, 50, 50) and visits.min() >= 0 and visits.max() <= 1 + 1e-12
    torch.testing.assert_close(visits[:, 0, 0], torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(visits[:, -1, -1], torch.ones(3, dtype=torch.float64))
    assert visits.sum(1).min() > 1 - 1e-12 and visits.sum(2).min() > 1 - 1e-12


def test_swapping_the_waves_transposes_the_path():
    x, y = noise(2, 30), noise(2, 30, seed=1)
    torch.testing.assert_close(path_alignment(x, y, gamma=0.3).mT, path_alignment(y, x, gamma=0.3))
    torch.testing.assert_close(dilate(x, y), dilate(y, x))


def test_running_both_waves_backwards_changes_nothing():
    x, y = noise(2, 30), noise(2, 30, seed=1)
    torch.testing.assert_close(dilate(x.flip(-1), y.flip(-1), gamma=0.3), dilate(x, y, gamma=0.3))


def test_soft_dtw_of_a_wave_with_itself_is_negative_and_its_divergence_zero_with_zero_slope():
    x = noise(3, 60).requires_grad_()
    assert soft_dtw(x, x.detach(), gamma=0.1).max() < 0
    value = soft_dtw_divergence(x, x.detach(), gamma=0.1)
    value.sum().backward()
    assert value.abs().max() < 1e-12 and x.grad.abs().max() < 1e-12
    assert soft_dtw_divergence(x, noise(3, 60, seed=1), gamma=0.1).min() > 0


def test_the_lag_test_gives_the_figures_of_an_independent_implementation():
    """A sine of 72 bpm and amplitude 1, 160 frames, gamma 0.01; the figures come from double automatic derivatives."""
    t = torch.arange(160, dtype=torch.float64) / 30
    late = torch.stack([torch.sin(2 * torch.pi * 1.2 * (t - k / 30)) for k in (0, 1, 2, 4, 8)])
    target = late[:1].expand(5, -1)
    time, shape = time_distortion(late, target).numpy(), soft_dtw(late, target).numpy()
    assert time == pytest.approx([0.0023, 0.0099, 0.032, 0.122, 0.477], rel=0.02)
    assert shape == pytest.approx([-0.61, -0.53, -0.26, 0.94, 7.49], abs=0.006)
    assert (np.diff(time) > 0).all() and (np.diff(shape) > 0).all()


def test_shape_and_time_are_told_apart():
    beat = sines([72.0])
    late, wrong = sines([72.0], lag_s=4 / 30), beat + 0.5 * noise(1, 160)
    wrong = (wrong - wrong.mean()) / wrong.std()
    assert time_distortion(late, beat) > 2 * time_distortion(wrong, beat)
    assert soft_dtw(wrong, beat) > 4 * soft_dtw(late, beat)


def test_a_softer_minimum_points_home_from_more_lags():
    t = torch.arange(160, dtype=torch.float64) / 30
    lag_s = torch.linspace(0.005, 0.3, 60, dtype=torch.float64, requires_grad=True)        # up to a third of a beat
    late = 2**0.5 * torch.sin(2 * torch.pi * 1.2 * (t - lag_s[:, None]) + 0.3)
    home = []
    for gamma in (0.01, 0.1, 1.0):
        slope, = torch.autograd.grad(dilate(late, sines([72.0]).expand(60, -1), gamma=gamma).sum(), lag_s,
                                     retain_graph=True)
        home.append((slope > 0).double().mean().item())
    assert 0.5 < home[0] < 0.85 and home[1] > 0.9 and home[2] == 1


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("gamma", [1e-4, 10.0])
def test_values_and_slopes_stay_finite_far_from_the_usual_scale(scale, gamma):
    x = (scale * noise(2, 160, dtype=torch.float32)).requires_grad_()
    value = dilate(x, scale * noise(2, 160, seed=1, dtype=torch.float32), gamma=gamma)
    value.sum().backward()
    assert value.isfinite().all() and x.grad.isfinite().all()


def test_a_value_alone_is_the_same_and_keeps_nothing():
    x, y = noise(2, 50), noise(2, 50, seed=1)
    with_slope = dilate(x.clone().requires_grad_(), y)
    with torch.no_grad():
        assert torch.equal(dilate(x.clone().requires_grad_(), y), with_slope)
    assert not dilate(x, y).requires_grad


def test_a_second_derivative_is_refused():
    x = noise(2, 10).requires_grad_()
    slope, = torch.autograd.grad(dilate(x, noise(2, 10, seed=1)).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError):
        slope.sum().backward()


@pytest.mark.parametrize("call, message", [
    (partial(dilate, alpha=1.5), r"dilate: alpha must lie between 0 \(time alone\) and 1 \(shape alone\), got 1.5"),
    (partial(dilate, gamma=0), "dilate: gamma must be a positive number, got 0"),
    (partial(soft_dtw, gamma=-1), "soft_dtw: gamma must be a positive number, got -1"),
    (partial(path_alignment, gamma=0), "path_alignment: gamma must be a positive number"),
])
def test_a_setting_that_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(noise(2, 10), noise(2, 10, seed=1))
