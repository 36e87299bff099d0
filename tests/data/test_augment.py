"""What augmentation does to pictures and labels, and what it must leave alone: the pulse."""

import dataclasses

import numpy as np
import pytest
import torch

from rppg_lib.data import Augment, Batch, Windows
from rppg_lib.signal import hr_from_spectrum
from rppg_lib.types import Clip

NOTHING = {"flip": 0, "speed": 0, "colour": 0, "crop": 0}
FS = 30.0


def batch_of(bpm=72.0, *, count=4, frames=300, margin=0, size=(20, 24), depth=0.01):
    """Textured pictures, from 40 to 215, whose brightness follows a pulse that is also the label."""
    rng = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * bpm / 60 * np.arange(frames + margin) / FS)
    pictures = rng.uniform(40, 213, (count, 1, *size, 3)) * (1 + depth * wave[:, None, None, None])
    label = torch.as_tensor(np.tile(wave, (count, 1)), dtype=torch.float32)
    names = tuple(f"p{n}" for n in range(count))
    return Batch(torch.as_tensor(pictures.round().astype(np.uint8)), label, FS, names, torch.arange(count), margin)


def colours(batch):
    return batch.frames.double().mean((2, 3)).numpy()                # (B,T,H,W,3) -> (B,T,3)


def some(batch, rows):
    rows = torch.tensor(rows)
    return dataclasses.replace(batch, frames=batch.frames[rows], label=batch.label[rows], index=batch.index[rows],
                               subject=tuple(batch.subject[row] for row in rows))


def test_with_nothing_to_do_a_batch_stays_as_it_is():
    batch = batch_of()
    same = Augment(**NOTHING)(batch, seed=0)
    assert torch.equal(same.frames, batch.frames) and torch.equal(same.label, batch.label)
    assert (same.subject, same.fs, same.margin) == (batch.subject, FS, 0)


@pytest.mark.parametrize(("bpm", "factor"), [(72, 1.25), (90, 0.8), (72, 0.6), (60, 2), (100, 1.0001)])
def test_played_faster_a_heart_beats_faster_in_the_pictures_and_in_the_label(bpm, factor):
    augment = Augment(**{**NOTHING, "speed": 1}, speeds=(factor, factor))
    out = augment(batch_of(bpm, margin=augment.margin(300)), seed=0)
    assert out.frames.shape[1] == out.label.shape[1] == 300 and out.fs == FS
    for row in range(4):
        assert hr_from_spectrum(out.label[row].numpy(), fs=FS) == pytest.approx(bpm * factor, abs=0.5)
        assert hr_from_spectrum(colours(out)[row, :, 1], fs=FS) == pytest.approx(bpm * factor, abs=0.5)


def test_slower_needs_no_margin_and_faster_says_which():
    assert Augment(speeds=(0.5, 1)).margin(300) == 0 and Augment(speeds=(1, 1.5)).margin(300) == 150
    assert Augment(speed=0, speeds=(1, 1.5)).margin(300) == 0
    augment = Augment(speeds=(0.8, 1.25))
    augment(batch_of(margin=75), seed=0)
    with pytest.raises(ValueError, match="300 frames played 1.25 times as fast need a margin of 75 frames, the "
                                         "batch has 74. Cut Windows with margin=75"):
        augment(batch_of(margin=74), seed=0)


def test_the_margin_shifts_samples_in_time_pictures_and_label_alike():
    batch = batch_of(margin=60, count=16)
    out = Augment(**NOTHING)(batch, seed=3)
    shifts = set()
    for row in range(16):
        found = [at for at in range(61) if torch.equal(out.frames[row], batch.frames[row, at:at + 300])]
        assert any(torch.equal(out.label[row], batch.label[row, at:at + 300]) for at in found)
        shifts.add(found[0])
    assert len(shifts) > 5


def test_a_mirrored_picture_mirrored_again_is_the_picture():
    augment = Augment(**{**NOTHING, "flip": 1})
    batch = batch_of()
    assert torch.equal(augment(batch, seed=0).frames, batch.frames.flip(3))
    assert torch.equal(augment(augment(batch, seed=0), seed=9).frames, batch.frames)


def test_a_crop_enlarges_a_part_and_keeps_straight_lines_straight():
    ramp = torch.linspace(20, 220, 24).expand(40, 20, 24).round().to(torch.uint8)[None, ..., None].repeat(8, 1, 1, 1, 3)
    batch = dataclasses.replace(batch_of(count=8, frames=40), frames=ramp)
    out = Augment(**{**NOTHING, "crop": 1}, smallest_crop=0.5)(batch, seed=1)
    row = out.frames[:, 0, 10, :, 0].double().numpy()
    assert torch.equal(out.frames, out.frames[:, :1].expand_as(out.frames))          # as still as before
    assert int((out.frames.int() - out.frames[:, :, :1].int()).abs().max()) <= 1
    for line in row:
        inner = line[3:-3]
        slope, start = np.polyfit(np.arange(len(inner)), inner, 1)
        assert 0.45 * 200 / 23 < slope < 1.02 * 200 / 23             # 0.5 to 1 of the picture on the width of the whole
        assert np.abs(np.arange(len(inner)) * slope + start - inner).max() < 1.5
        assert 20 <= line[0] < line[-1] <= 220
    assert len({tuple(line) for line in row}) > 4


def test_colours_change_by_no_more_than_asked_and_the_relative_pulse_stays():
    batch = batch_of(count=16)
    out = Augment(**{**NOTHING, "colour": 1}, brightness=0.2, tint=0.05, drift=0.03)(batch, seed=0)
    gain = colours(out) / colours(batch)                             # (B,T,3)
    assert 0.8 * 0.95 * 0.97 - 0.01 < gain.min() and gain.max() < 1.2 * 1.05 * 1.03 + 0.01
    assert np.ptp(gain.mean(1), axis=0).min() > 0.1                  # each clip its own
    assert 0.01 < np.abs(gain.mean(1) / gain.mean((1, 2))[:, None] - 1).max() < 0.11
    spectrum = np.abs(np.fft.rfft((gain[..., 1] - gain[..., 1].mean(1, keepdims=True)) * np.hanning(300)))
    assert (np.fft.rfftfreq(300, 1 / FS)[spectrum.argmax(1)] <= 0.2).all()
    beat = np.exp(-2j * np.pi * 1.2 * np.arange(300) / FS) * np.hanning(300)
    depth = [np.abs((each - each.mean(1, keepdims=True))[..., 1] @ beat) / each.mean(1)[:, 1]
             for each in (colours(batch), colours(out))]
    assert depth[1] == pytest.approx(depth[0], rel=0.05)


def test_no_pixel_is_made_so_bright_that_its_pulse_is_cut_off():
    batch = batch_of(count=16, depth=0.03)
    out = Augment(**{**NOTHING, "colour": 1}, brightness=0.9, drift=0.1)(batch, seed=0)
    brightened = 0
    for before, after in zip(batch.frames.double(), out.frames.double()):
        row, column, colour = np.unravel_index(int(before.mean(0).argmax()), before.shape[1:])
        was, now = (each[:, row, column, colour] for each in (before, after))
        brightened += bool((now > was).all())
        beat = torch.exp(-2j * torch.pi * 1.2 * torch.arange(300, dtype=torch.float64) / FS) * torch.hann_window(300)
        was, now = (torch.abs(((each - each.mean()) * beat).sum()) / each.mean() for each in (was, now))
        assert float(now / was) == pytest.approx(1, abs=0.1)
    assert brightened > 3


def test_pictures_and_label_stay_together_whatever_happens():
    augment = Augment(flip=1, speed=1, colour=1, crop=1, speeds=(0.7, 1.4), drift=0.0)
    for seed in range(5):
        out = augment(batch_of(margin=120, depth=0.05), seed=seed)
        for mean, label in zip(colours(out)[..., 1], out.label.numpy()):
            lagged = [np.corrcoef(mean[5:-5], label[5 + lag:len(label) - 5 + lag])[0, 1] for lag in range(-5, 6)]
            assert np.argmax(lagged) == 5 and max(lagged) > 0.999


def test_what_happens_to_a_sample_depends_on_the_seed_and_its_number_alone():
    augment, batch = Augment(speeds=(0.8, 1.25)), batch_of(margin=75, count=6)
    all_of_them = augment(batch, seed=7)
    for rows in ([3], [5, 0, 3], [3, 3, 1]):
        part = augment(some(batch, rows), seed=7)
        assert torch.equal(part.frames, all_of_them.frames[rows]) and torch.equal(part.label, all_of_them.label[rows])
    assert not torch.equal(augment(batch, seed=8).frames, all_of_them.frames)
    assert torch.equal(augment(batch, seed=7).frames, all_of_them.frames)


def test_switching_one_thing_off_changes_no_other():
    everything = Augment(flip=0.5, speed=0.5, colour=0.5, crop=0.5)
    for name in ("flip", "speed", "colour", "crop"):
        less = dataclasses.replace(everything, **{name: 0.0})
        for index in range(20):
            full, part = (each._drawn(np.random.default_rng([0, index])) for each in (everything, less))
            kept = {"flip": ("factor", "gain", "crop"), "speed": ("flip", "gain", "crop"),
                    "colour": ("flip", "factor", "crop"), "crop": ("flip", "factor", "gain")}[name]
            assert all(getattr(full, field) == getattr(part, field) for field in kept)


def test_probabilities_are_kept():
    drawn = [Augment(flip=0.3, speed=0.6, colour=0.1, crop=0.9)._drawn(np.random.default_rng([0, n]))
             for n in range(2000)]
    for share, count in ((0.3, sum(d.flip for d in drawn)), (0.6, sum(d.factor != 1 for d in drawn)),
                         (0.1, sum(d.drift[0] > 0 for d in drawn)), (0.9, sum(d.crop[0] < 1 for d in drawn))):
        assert abs(count / 2000 - share) < 5 * np.sqrt(share * (1 - share) / 2000)


def test_uint8_goes_in_and_comes_out_and_the_batch_that_went_in_is_untouched():
    batch = batch_of(margin=75)
    frames, label = batch.frames.clone(), batch.label.clone()
    out = Augment(flip=1, speed=1, colour=1, crop=1, speeds=(0.8, 1.25))(batch, seed=0)
    assert out.frames.dtype == torch.uint8 and out.label.dtype == torch.float32 and out.margin == 0
    assert torch.equal(batch.frames, frames) and torch.equal(batch.label, label)


def test_it_takes_what_windows_give():
    clips = [Clip(id="a", subject="a", fs=30, frames=batch_of(count=1).frames[0].numpy(), label=np.arange(300.0))]
    augment = Augment(speeds=(0.8, 1.25))
    out = augment(Windows(clips, frames=100, margin=augment.margin(100)).batch([0, 1]), seed=0)
    assert out.frames.shape == (2, 100, 20, 24, 3) and out.index.tolist() == [0, 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_makes_the_same_of_a_batch():
    augment, batch = Augment(flip=1, speed=1, colour=1, crop=1), batch_of()
    here, there = augment(batch, seed=0), augment(batch.to("cuda"), seed=0)
    assert there.frames.device.type == "cuda"
    assert int((here.frames.int() - there.frames.cpu().int()).abs().max()) <= 1


@pytest.mark.parametrize(("settings", "says"), [
    ({"flip": 1.1}, "flip must be a probability"), ({"crop": -0.1}, "crop must be a probability"),
    ({"brightness": 1}, "brightness must be a share"), ({"drift": -0.1}, "drift must be a share"),
    ({"speeds": (1.2, 0.8)}, "the slowest and the fastest"), ({"speeds": (0.1, 1)}, "within 0.25 to 4"),
    ({"smallest_crop": 0}, "smallest_crop must be a share"),
])
def test_settings_that_cannot_be_are_refused(settings, says):
    with pytest.raises(ValueError, match=f"Augment: .*{says}"):
        Augment(**settings)
