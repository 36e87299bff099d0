"""Arms differ in their labels alone, and damage is what its name says."""

import numpy as np
import pytest
import torch

from rppg_lib import signal, simulate
from rppg_lib.data import Windows
from rppg_lib.models.lqrppg import LQrPPG
from rppg_lib.quantize.labels import LabelFilter
from rppg_lib.training.arms import ARMS, DAMAGES, Damage, damaged_clips, labels_of, objective_of
from rppg_lib.types import Clip

FS = 30.0


def clip(number, seconds=12):
    pulse = simulate.pulse(simulate.person(number), seconds=seconds, fs=FS, seed=0).wave
    frames = (120 - 6 * pulse[:, None, None, None] * np.array([0.3, 0.8, 0.5])).round().astype(np.uint8)
    frames = np.broadcast_to(frames, (len(pulse), 16, 16, 3)) + np.random.default_rng(number).integers(
        0, 4, (len(pulse), 16, 16, 3), dtype=np.uint8)
    return Clip(id=f"clip {number}", subject=f"person {number}", fs=FS, label=pulse, frames=frames,
                rgb=frames.mean((1, 2)))


@pytest.fixture(scope="module")
def clips():
    return [clip(number) for number in range(3)]


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_leaves_pictures_alone_and_is_the_same_for_the_same_seed(clips, name):
    one, again, other = ([each.label for each in damaged_clips(clips, name, seed=seed)] for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(one, again))
    assert all(np.array_equal(a, b.label) for a, b in zip(one, clips)) == (name == "none")
    assert name == "none" or not any(np.array_equal(a, b) for a, b in zip(one, other))
    assert damaged_clips(clips, name, seed=0)[0].frames is clips[0].frames


@pytest.mark.parametrize("name", [name for name, damage in DAMAGES.items() if damage.snr_db is not None])
def test_noise_of_so_many_db_has_that_power_in_every_recording(clips, name):
    for bad, good in zip(damaged_clips(clips, name, seed=0), clips):
        ratio = 10 * np.log10(good.label.var() / (bad.label - good.label).var())
        assert ratio == pytest.approx(DAMAGES[name].snr_db, abs=1e-6)


def test_every_recording_is_late_by_a_time_of_its_own_within_the_limit():
    many = [clip(number, seconds=20) for number in range(12)]
    lags = []
    for bad, good in zip(damaged_clips(many, Damage(lag_s=0.3), seed=0), many):
        shifts = range(-12, 13)
        fit = [np.corrcoef(bad.label[15:-15], np.roll(good.label, shift)[15:-15])[0, 1] for shift in shifts]
        lags.append(shifts[int(np.argmax(fit))] / FS)
    assert max(map(abs, lags)) <= 0.3 + 0.5 / FS and min(lags) < -0.05 < 0.05 < max(lags)


def test_pseudo_labels_do_not_look_at_the_label(clips):
    blind = [Clip(id=c.id, subject=c.subject, fs=c.fs, frames=c.frames, rgb=c.rgb, label=np.zeros(len(c)))
             for c in clips]
    for made, other, true in zip(labels_of("pos", clips), labels_of("pos", blind), clips):
        assert np.array_equal(made.label, other.label)
        assert np.array_equal(made.label, signal.pseudo_label(true.rgb, fs=FS))
    assert all(a.label is b.label for a, b in zip(labels_of("quantised", clips), clips))


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_asks_for_what_it_says(clips, name):
    windows = Windows(labels_of(name, clips), frames=160)
    network = LQrPPG(LQrPPG.Config(size_px=16, frames=160, width=8, states=4))
    before = network.levels[3].codes.clone()
    objective = objective_of(name, network, windows)
    batch = windows.batch([0, 1])
    terms = objective(network(torch.randn(2, 3, 160, 16, 16)), batch.label, batch)
    how = ARMS[name]
    assert {term.split("_")[1] for term in terms} == ({"5"} if how.supervise == "last" else set("12345"))
    assert any(term.startswith("codes") for term in terms) == how.quantised
    assert any(term.startswith("sample") for term in terms) == how.sample == ("by sample" in name)
    assert (objective.filter.band_hz is not None) == how.filtered
    assert not torch.equal(network.levels[3].codes, before)


def test_codes_are_the_same_in_all_arms_with_filtered_labels(clips):
    windows, found = Windows(clips, frames=160), {}
    for name in ("filtered", "last quantised", "quantised", "deep", "raw"):
        network = LQrPPG(LQrPPG.Config(size_px=16, frames=160, width=8, states=4))
        objective_of(name, network, windows)
        found[name] = network.levels[4].codes
    assert all(torch.equal(codes, found["filtered"]) for codes in found.values())


def test_a_flat_label_does_not_count_where_codes_lie(clips):
    flat = Clip(id="flat", subject="flat", fs=FS, frames=clips[0].frames, label=np.zeros(len(clips[0])))
    codes = []
    for some in (clips, [*clips, flat]):
        network = LQrPPG(LQrPPG.Config(size_px=16, frames=160, width=8, states=4))
        objective_of("quantised", network, Windows(some, frames=160))
        codes.append(network.levels[5].codes)
    assert torch.equal(*codes)


def test_the_first_five_arms_differ_one_by_one():
    raw, filtered, last, quantised, deep = list(ARMS.values())[:5]
    assert not raw.filtered and filtered.filtered and not filtered.quantised
    assert last.quantised and last.supervise == "last" and quantised.quantised and quantised.supervise == "all"
    assert deep.supervise == "all" and deep.filtered and not deep.quantised
    assert LabelFilter().band_hz == (0.75, 2.5)


@pytest.mark.parametrize("function, text", [
    (lambda clips: damaged_clips(clips, "spikes", seed=0), "there is no damage 'spikes'"),
    (lambda clips: labels_of("quantized", clips), "there is no arm 'quantized'. Did you mean 'quantised'"),
])
def test_names_that_do_not_exist_are_said(clips, function, text):
    with pytest.raises(ValueError, match=text):
        function(clips)
