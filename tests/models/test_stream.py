"""A network run picture by picture: the values of the whole clip, a pulse without a future, and what is refused."""

import copy
import math

import numpy as np
import pytest
import torch

from rppg_lib import results, signal
from rppg_lib.data.normalise import normalise
from rppg_lib.models import NetworkEstimator
from rppg_lib.models.kdphys import KDPhys
from rppg_lib.models.physnet import PhysNet
from rppg_lib.models.stream import CausalWave, Stream
from rppg_lib.types import Clip

from ..checkout import ROOT

CONFIGS = {"fixed": KDPhys.Config(size_px=20, frames=32, width=12, dense=8),
           "any size": KDPhys.for_any_size(size_px=20, frames=32, width=12, dense=8),
           "published": KDPhys.Config(), "published, any size": KDPhys.for_any_size(),
           "no past in two layers": KDPhys.Config(size_px=20, frames=32, width=12, dense=8, past=(0, 3, 0, 1))}
each_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def made(config, *, seed=0):
    """A network whose batch norm has seen pictures."""
    torch.manual_seed(seed)
    network = KDPhys(config)
    network.norm.running_mean.uniform_(-0.05, 0.05)
    network.norm.running_var.uniform_(0.5, 2.0)
    return network.eval()


def pictures(frames, size=20, *, clips=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (clips, frames, size, size, 3), dtype=np.uint8)


def whole(network, frames):
    with torch.no_grad():
        return network(normalise(torch.from_numpy(frames), network.normalise))[:, :-1].numpy()


class Steps:
    """Takes steps of a given pulse, whatever the picture."""

    def __init__(self, steps):
        self.steps, self.resets = iter(steps), 0

    def step(self, picture):
        return next(self.steps)

    def reset(self):
        self.resets += 1


def pushed(values, *, fs=30.0, seconds=10.0):
    stream = Stream.of(Steps([None, *values]), size_px=8, fs=fs, target="change", seconds=seconds)
    black = np.zeros((8, 8, 3), np.uint8)
    return stream, [(stream.push(black), stream.wave()) for _ in range(len(values) + 1)]


# equal to the batch form

@each_config
def test_picture_by_picture_it_gives_what_the_whole_clip_gives(config):
    network, size = made(config), config.size_px
    clip = pictures(25, size)
    stream = Stream(network)
    values = [stream.push(picture) for picture in clip[0]]
    assert values[0] is None
    np.testing.assert_allclose(values[1:], whole(network, clip)[0], atol=1e-5)
    assert np.ptp(values[1:]) > 1e-4                                 # otherwise any stream would be right


@each_config
@pytest.mark.parametrize("grad", [False, True])
def test_pieces_of_any_length_give_what_the_whole_clips_give(config, grad):
    network, size = made(config), config.size_px
    clips = pictures(24, size, clips=3)
    fed, rng = normalise(torch.from_numpy(clips), network.normalise), np.random.default_rng(1)
    with torch.set_grad_enabled(grad):
        state, values, at = network.start(fed[:, :, 0]), [], 1
        while at < 24:
            length = int(rng.integers(1, 6))
            some, state = network.resume(fed[:, :, at:at + length], state)
            values.append(some.detach())
            at += length
    np.testing.assert_allclose(torch.cat(values, 1).numpy(), whole(network, clips), atol=1e-5)


def test_two_streams_can_go_on_from_one_state_and_neither_changes_it():
    network = made(CONFIGS["fixed"])
    fed = normalise(torch.from_numpy(pictures(8)), network.normalise)
    with torch.inference_mode():
        _, state = network.resume(fed[:, :, 1:4], network.start(fed[:, :, 0]))
        before = [part.clone() for part in state]
        first, _ = network.resume(fed[:, :, 4:5], state)
        other, _ = network.resume(fed[:, :, 6:7], state)
        again, _ = network.resume(fed[:, :, 4:5], state)
    assert all(torch.equal(a, b) for a, b in zip(before, state))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_training_differs_from_running_and_a_stream_always_runs():
    network = made(CONFIGS["fixed"])
    network.train()
    clip = pictures(12)
    stream = Stream(network)
    values = [stream.push(picture) for picture in clip[0]][1:]
    assert network.training                                          # and is left as it was
    expected = whole(copy.deepcopy(network).eval(), clip)[0]         # training shifts what batch norm has seen
    trained = network(normalise(torch.from_numpy(clip), network.normalise))[0, :-1].detach().numpy()
    assert abs(trained - values).max() > 1e-3
    np.testing.assert_allclose(values, expected, atol=1e-5)


def test_the_copy_that_runs_live_has_the_same_values_and_leaves_the_network_alone():
    network = made(CONFIGS["fixed"])
    before = copy.deepcopy(network.state_dict())
    clip = pictures(12)
    np.testing.assert_allclose(whole(network.live(), clip), whole(network, clip), atol=1e-6)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    assert network.norm.weight.requires_grad


def test_a_larger_picture_is_resized_as_the_estimator_does_it():
    network = made(CONFIGS["fixed"])
    large = pictures(40, 60)
    stream = Stream(network, seconds=5.0)
    values = np.array([stream.push(picture) for picture in large[0]][1:])
    seen = []
    network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    NetworkEstimator(network, device="cpu").predict(Clip(frames=large[0], fs=30.0))
    with torch.no_grad():
        expected = network.eval()(seen[0])[0, :-1].numpy()
    np.testing.assert_allclose(values[:len(expected)], expected[:len(values)], atol=1e-5)


def test_after_a_reset_nothing_is_left_of_what_was_seen():
    stream, clip = Stream(made(CONFIGS["fixed"])), pictures(9)[0]
    first = [stream.push(picture) for picture in clip]
    stream.reset()
    assert math.isnan(stream.wave()) and math.isnan(stream.rate_bpm())
    assert [stream.push(picture) for picture in clip] == first


# the pulse

@pytest.mark.parametrize("bpm", [48, 72, 110, 160])
def test_the_rate_of_a_pulse_is_read_from_its_steps(bpm):
    angle = 2 * np.pi * bpm / 60 * np.arange(400) / 30
    stream, _ = pushed(np.diff(np.cos(angle)))
    assert stream.rate_bpm() == pytest.approx(bpm, abs=0.5)
    assert len(stream.recent().wave) == 300                          # what is older is forgotten


@pytest.mark.parametrize("bpm, early_s", [(60, 0.09), (72, 0.05), (120, -0.01)])
def test_the_live_wave_is_as_early_or_late_as_it_says(bpm, early_s):
    hz = bpm / 60
    time_s = np.arange(1800) / 30
    angle = 2 * np.pi * hz * time_s
    live = CausalWave(fs=30.0, target="change")
    made_of = np.array([live.push(step) for step in np.diff(np.cos(angle))])[-900:]
    turn = np.angle((made_of * np.exp(-1j * angle[-900:])).sum())
    assert turn / (2 * np.pi * hz) == pytest.approx(early_s, abs=0.006)


@pytest.mark.parametrize("target", ["change", "wave"])
def test_the_live_wave_is_that_of_scipy(target):
    from scipy.signal import butter, sosfilt

    values = np.random.default_rng(0).normal(size=200)
    live = CausalWave(fs=30.0, target=target)
    expected = sosfilt(butter(1, (0.65, 4.0), btype="bandpass", fs=30.0, output="sos"), values)
    if target == "change":
        leaked = np.zeros(200)
        for k in range(200):
            leaked[k] = expected[k] + (math.exp(-2 * math.pi * 0.1 / 30) * leaked[k - 1] if k else 0)
        expected = leaked
    np.testing.assert_allclose([live.push(value) for value in values], expected, atol=1e-12)


def test_drift_does_not_gather_in_the_live_wave():
    _, readings = pushed(np.full(3000, 0.01))
    assert abs(readings[-1][1]) < 1e-4


def test_before_five_seconds_there_is_no_rate_and_recent_says_why():
    stream, _ = pushed(np.sin(np.arange(100)))
    assert math.isnan(stream.rate_bpm())
    with pytest.raises(ValueError, match=r"needs 5 s of pictures .* has 3.3 s. Push more"):
        stream.recent()


def test_where_nothing_changes_there_is_no_rate():
    stream, _ = pushed(np.zeros(200))
    assert math.isnan(stream.rate_bpm())


def test_the_rate_of_the_recent_pulse_is_that_of_the_estimator():
    angle = 2 * np.pi * 1.3 * np.arange(301) / 30
    stream, _ = pushed(np.diff(np.cos(angle)))
    wave = stream.recent().wave
    assert np.corrcoef(wave[30:-30], np.cos(angle)[30:-31])[0, 1] > 0.99
    assert signal.hr_from_spectrum(wave, fs=30.0) == pytest.approx(78, abs=0.5)


# what is refused

@pytest.mark.parametrize("picture", [np.zeros((20, 20), np.uint8), np.zeros((20, 20, 3)), [1, 2], None,
                                     np.zeros((20, 20, 4), np.uint8), np.zeros((0, 20, 3), np.uint8)])
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(ValueError, match=r"Stream: needs a picture \(H, W, 3\) of uint8 in R-G-B order, got"):
        Stream(made(CONFIGS["fixed"])).push(picture)


def test_a_network_that_looks_at_whole_clips_is_refused():
    with pytest.raises(TypeError, match="needs a network with start and resume, such as kdphys, got physnet"):
        Stream(PhysNet(PhysNet.tiny()))


@pytest.mark.parametrize("seconds", [4.9, -1, math.inf, math.nan, "10", None])
def test_a_past_too_short_to_read_is_refused(seconds):
    with pytest.raises(ValueError, match="Stream: seconds must be 5 or more"):
        Stream(made(CONFIGS["fixed"]), seconds=seconds)


def test_a_network_that_gives_nan_is_refused_and_forgotten():
    network = made(CONFIGS["fixed"])
    with torch.no_grad():
        network.readout.layers[0].weight.fill_(math.nan)
    stream, clip = Stream(network), pictures(3)[0]
    stream.push(clip[0])
    with pytest.raises(ValueError, match="gave NaN or infinity. Its training went wrong"):
        stream.push(clip[1])
    assert stream.push(clip[2]) is None


def test_the_page_tells_the_times_that_were_kept():
    page = " ".join((ROOT / "book" / "export.md").read_text("utf-8").split())
    kept = results.load(ROOT / "results" / "bench_live.full.json")
    alone = {row["run by"]: row for row in kept.tables["alone"] if row["network"] == "kdphys"}
    film = {row["network run by"]: row for row in kept.tables["end_to_end"] if row["source"] == "mp4"}
    torch_, onnx = alone["PyTorch"], alone["onnxruntime"]
    assert f"{torch_['median ms']:.2f} ms in PyTorch, {torch_['times real time']:.0f} times as fast" in page
    assert f"and {onnx['median ms']:.2f} ms exported, {onnx['times real time']:.0f} times" in page
    assert f"{film['PyTorch']['mean ms']:.1f} ms on average in PyTorch and {film['onnxruntime']['mean ms']:.1f}" in page
    assert all(29 < row["95th percentile ms"] < 30 for row in film.values()) and kept.config["cores"] == 1
