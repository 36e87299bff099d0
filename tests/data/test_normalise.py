"""Normalisation against the field's definitions, written out with NumPy."""

import numpy as np
import pytest
import torch

from rppg_lib.data.normalise import normalise, target


def video(seed=0, shape=(2, 12, 5, 4, 3)):
    return torch.from_numpy(np.random.default_rng(seed).integers(1, 255, shape, dtype=np.uint8))


def field_diff(frames):
    """DiffNormalized of one clip ``(T, H, W, 3)``: step over sum, over the deviation of all, one zero frame more."""
    frames = frames.astype(np.float64)
    out = np.zeros_like(frames)
    for k in range(len(frames) - 1):
        out[k] = (frames[k + 1] - frames[k]) / (frames[k + 1] + frames[k] + 1e-7)
    return out / out[:-1].std()


def field_standard(frames):
    frames = frames.astype(np.float64)
    return (frames - frames.mean()) / frames.std()


@pytest.mark.parametrize("kind, oracle", [("diff", field_diff), ("standard", field_standard),
                                          ("raw", lambda frames: frames / 255)])
def test_each_kind_is_the_field_s_for_each_clip_of_a_batch(kind, oracle):
    frames = video()
    made = normalise(frames, (kind,))
    assert made.shape == (2, 3, 12, 5, 4) and made.dtype == torch.float32
    for clip, ours in zip(frames.numpy(), made.numpy()):
        np.testing.assert_allclose(ours, np.moveaxis(oracle(clip), -1, 0), atol=2e-5)


def test_several_kinds_lie_one_after_the_other_along_the_channels():
    frames = video()
    both = normalise(frames, ("diff", "standard"))
    torch.testing.assert_close(both[:, :3], normalise(frames, ("diff",)))
    torch.testing.assert_close(both[:, 3:], normalise(frames, ("standard",)))


def test_a_clip_does_not_depend_on_its_neighbours_in_the_batch():
    frames = video()
    for kind in ("diff", "standard", "raw"):
        torch.testing.assert_close(normalise(frames, (kind,))[1:], normalise(frames[1:], (kind,)), rtol=0, atol=0)


def test_the_difference_ignores_the_light_and_the_standard_ignores_gain_and_offset():
    frames = video().float() / 4
    torch.testing.assert_close(normalise(frames, ("diff",)), normalise(3 * frames, ("diff",)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(normalise(frames, ("standard",)), normalise(2 * frames + 7, ("standard",)), atol=1e-4,
                               rtol=1e-4)


def test_a_still_or_black_picture_gives_zeros_and_no_nan():
    for level in (0, 200):
        still = torch.full((1, 9, 4, 4, 3), level, dtype=torch.uint8)
        for kind in ("diff", "standard"):
            assert (normalise(still, (kind,)) == 0).all()


def test_targets_are_standardised_waves_or_unit_steps():
    label = torch.from_numpy(np.random.default_rng(1).normal(3, 2, (2, 50)))
    wave, change = target(label, "wave").numpy(), target(label, "change").numpy()
    np.testing.assert_allclose(wave.mean(-1), 0, atol=1e-12)
    np.testing.assert_allclose(wave.std(-1), 1)
    steps = np.diff(label.numpy(), axis=-1)
    np.testing.assert_allclose(change[:, :-1], steps / steps.std(-1, keepdims=True))
    assert (change[:, -1] == 0).all()


@pytest.mark.parametrize("call, message", [
    (lambda: normalise(torch.zeros(2, 3, 8, 4, 4), ("diff",)), r"pictures \(B, T, H, W, 3\), got \(2, 3, 8, 4, 4\)"),
    (lambda: normalise(torch.zeros(8, 4, 4, 3), ("diff",)), r"frames\[None\]"),
    (lambda: normalise(video(), ("difference",)), "kinds out of diff, standard, raw"),
    (lambda: normalise(video(), "raw"), "as a tuple, got 'raw'"),
    (lambda: target(torch.zeros(8), "wave"), r"needs labels \(B, T\)"),
    (lambda: target(torch.zeros(1, 8), "steps"), "'wave' or 'change', got 'steps'"),
])
def test_wrong_input_is_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()
