"""A network as an estimator: any length, rate and size in; one pulse at the clip's own rate out."""

import numpy as np
import pytest
import torch

from rppg_lib import registry
from rppg_lib.evaluation import evaluate
from rppg_lib.models import NetworkEstimator
from rppg_lib.signal import hr_from_spectrum
from rppg_lib.types import Clip

from .tiny import GreenOnly, GreenSteps, Tiny


def clip(bpm=72.0, *, seconds=12.0, fs=30.0, size=8, depth=6.0):
    """Pictures that blush with a pulse: less green at systole."""
    times_s = np.arange(round(seconds * fs)) / fs
    wave = np.sin(2 * np.pi * bpm / 60 * times_s)
    grain = np.random.default_rng(0).uniform(-3, 3, (len(times_s), size, size, 3))
    frames = 120 + grain - depth * wave[:, None, None, None] * np.array([0.3, 1.0, 0.5])
    return Clip(id="blush", subject="one", fs=fs, frames=np.rint(frames).astype(np.uint8), label=wave)


def agreement(pulse, label, edge=15):
    return np.corrcoef(pulse.wave[edge:-edge], label[edge:-edge])[0, 1]


@pytest.mark.parametrize("frames", [64, 65, 95, 96, 97, 128, 300, 40])
def test_windows_of_any_clip_are_stitched_to_one_pulse_per_frame(frames):
    given = clip(seconds=frames / 30)
    pulse = NetworkEstimator(GreenOnly()).predict(given)
    assert len(pulse.wave) == frames and pulse.fs == 30
    assert agreement(pulse, given.label, edge=5) > 0.99


def test_stitching_a_network_that_sees_each_frame_alone_changes_little_but_scale():
    # A window of 2.6 beats has a mean that is not the pulse's, by up to an eighth of its amplitude; it is taken off.
    given = clip(seconds=20)
    wave = NetworkEstimator(GreenOnly()).predict(given).wave
    whole = -given.frames[..., 1].mean((1, 2))
    assert np.corrcoef(wave, whole)[0, 1] > 0.99


@pytest.mark.parametrize("fs", [15.0, 25.0, 29.97, 30.0, 50.0, 60.0])
@pytest.mark.parametrize("bpm", [50.0, 72.0, 150.0])
def test_a_clip_of_another_rate_keeps_its_pulse_and_its_length(fs, bpm):
    given = clip(bpm, fs=fs)
    pulse = NetworkEstimator(GreenOnly()).predict(given)
    assert len(pulse.wave) == len(given) and pulse.fs == fs
    assert hr_from_spectrum(pulse.wave, fs=fs) == pytest.approx(bpm, abs=0.6)
    assert agreement(pulse, given.label) > 0.97


@pytest.mark.parametrize("size", [4, 8, 17, 32])
def test_a_clip_of_another_size_is_resized(size):
    given = clip(size=size)
    assert agreement(NetworkEstimator(GreenOnly()).predict(given), given.label) > 0.98


@pytest.mark.parametrize("bpm", [50.0, 72.0, 110.0])
def test_steps_are_turned_upright_with_systole_on_top(bpm):
    given = clip(bpm)
    pulse = NetworkEstimator(GreenSteps()).predict(given)
    assert agreement(pulse, given.label, edge=30) > 0.97
    assert hr_from_spectrum(pulse.wave, fs=30) == pytest.approx(bpm, abs=0.6)


def test_a_network_that_was_training_goes_on_training():
    network = GreenOnly().train()
    NetworkEstimator(network).predict(clip())
    assert network.training


def test_a_network_and_a_method_go_through_the_same_call():
    given = clip()
    rgb = given.frames.mean((1, 2))
    both = Clip(id="both", subject="one", fs=30, frames=given.frames, rgb=rgb, label=given.label)
    rows = evaluate([NetworkEstimator(GreenOnly()), "green"], [both])
    assert list(rows.method) == ["green only", "green"] and (abs(rows.hr_pred - 72) < 0.5).all()


def test_an_untrained_network_is_a_control_and_says_whose_it_is():
    estimator = NetworkEstimator(Tiny(), name="tiny, untrained")
    assert isinstance(estimator, registry.Estimator) and estimator.name == "tiny, untrained"
    assert estimator.cites == "none"
    assert np.isfinite(estimator.predict(clip()).wave).all()


def test_bad_clips_and_bad_weights_are_one_clear_error():
    trace = Clip(id="trace", fs=30, rgb=100 + np.random.default_rng(0).normal(size=(100, 3)))
    with pytest.raises(ValueError, match="green only: needs pictures of the face, but clip 'trace' has a colour trace"):
        NetworkEstimator(GreenOnly()).predict(trace)
    with pytest.raises(ValueError, match="needs at least 8 frames, got 5"):
        NetworkEstimator(GreenOnly()).predict(clip(seconds=5 / 30))
    broken = Tiny()
    torch.nn.init.constant_(broken.net[0].weight, float("nan"))
    with pytest.raises(ValueError, match="tiny: gave NaN"):
        NetworkEstimator(broken).predict(clip())


@pytest.mark.parametrize("shape, dtype, message", [
    ((2, 3, 64, 8), torch.float32, r"needs pictures \(B, 3, T, H, W\), normalised standard"),
    ((2, 64, 8, 8, 3), torch.float32, r"got \(2, 64, 8, 8, 3\)"),
    ((2, 3, 4, 8, 8), torch.float32, "at least 8 frames, got 4"),
    ((2, 3, 64, 4, 8), torch.float32, "at least 8x8, got 8x4"),
])
def test_a_network_refuses_what_it_cannot_take(shape, dtype, message):
    with pytest.raises(ValueError, match=message):
        Tiny()(torch.zeros(shape, dtype=dtype))


def test_pictures_that_were_not_normalised_are_refused():
    with pytest.raises(TypeError, match="needs normalised pictures as floats, got torch.uint8"):
        Tiny()(torch.zeros(2, 3, 64, 8, 8, dtype=torch.uint8))
