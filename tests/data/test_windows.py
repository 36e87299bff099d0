"""Windows are the pieces of the clips they say they are, wherever the clips are kept."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from rppg_lib.data import Windows, build_store
from rppg_lib.types import Clip

from .pieces import clip, clip_sources

PEOPLE = ("ann", "bob", "cy")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build_store(clip_sources(*PEOPLE, frames=100), tmp_path_factory.mktemp("stores"), name="a", jobs=1,
                       progress=False)


@pytest.fixture(params=["in a store", "at hand", "in memory", "mapped"])
def kept(request, store):
    """Makes windows of the same clips, kept in four ways."""
    def windows(**settings):
        clips = {"at hand": [clip(name, frames=100) for name in PEOPLE], "mapped": [store.clip(n) for n in PEOPLE]}
        found = Windows(clips.get(request.param, store), **settings)
        return found.in_memory() if request.param == "in memory" else found
    return windows


def test_a_batch_holds_the_pieces_of_the_clips(kept):
    windows = kept(frames=30, step=20)
    assert len(windows) == 3 * 4                                     # from 0, 20, 40 and 60
    order = [11, 0, 5, 5, -1]
    batch = windows.batch(order)
    assert batch.frames.dtype == torch.uint8 and batch.label.dtype == torch.float32
    assert batch.index.tolist() == [11, 0, 5, 5, 11] and batch.fs == 30 and len(batch) == 5
    for row, number in enumerate(batch.index.tolist()):
        true, start = clip(PEOPLE[number // 4], frames=100), number % 4 * 20
        assert (batch.frames[row].numpy() == true.frames[start:start + 30]).all()
        assert (batch.label[row].numpy() == true.label[start:start + 30].astype(np.float32)).all()
        assert batch.subject[row] == true.subject


def test_windows_lie_end_to_end_unless_told_otherwise_and_none_reaches_beyond_its_clip(kept):
    assert [start for _, start in kept(frames=33).starts] == [0, 33, 66] * 3
    assert len(kept(frames=100)) == 3 and len(kept(frames=51)) == 3
    assert len(kept(frames=50)) == 6 and len(kept(frames=99, step=1)) == 6


@pytest.mark.parametrize(("most_bytes", "held"), [(3 * 100 * 10 * 12 * 3, True), (3 * 100 * 10 * 12 * 3 - 1, False)])
def test_pictures_are_held_in_memory_up_to_so_many_bytes(store, most_bytes, held):
    windows = Windows(store, frames=30).in_memory(most_bytes=most_bytes)
    (folder,) = {store.path / "recordings" / record.folder for record in store.records if record.subject == "bob"}
    away = folder.with_name("away")
    before = windows.batch([3]).frames                               # bob's first
    folder.rename(away)
    try:
        if held:
            assert torch.equal(windows.batch([3]).frames, before)
        else:
            with pytest.raises((OSError, ValueError)):
                windows.batch([3])
    finally:
        away.rename(folder)


@pytest.mark.parametrize("rates", [(30.0, 30000 / 1001), (30000 / 1001, 30.0)])
def test_rates_of_television_are_one_with_whole_ones_in_any_order(rates):
    clips = [clip(name, fs=fs) for name, fs in zip(PEOPLE, rates)]
    assert len(Windows(clips, frames=30)) == 6


def test_labels_are_those_of_the_batches(kept):
    windows = kept(frames=30, step=20, margin=5)
    assert torch.equal(windows.labels, windows.batch(range(len(windows))).label)


def test_a_margin_is_read_with_the_window_and_can_be_left_out(kept):
    windows = kept(frames=30, margin=10)
    assert [start for _, start in windows.starts] == [0, 30, 60] * 3
    batch = windows.batch([2, 4])
    assert batch.frames.shape[1] == batch.label.shape[1] == 40 and batch.margin == 10
    short = batch.trimmed()
    plain = kept(frames=30).batch([2, 4])
    assert short.margin == 0 and torch.equal(short.frames, plain.frames) and torch.equal(short.label, plain.label)


def test_only_the_people_who_are_asked_for_are_taken(kept):
    windows = kept(frames=50, subjects={"cy", "ann"})
    assert windows.subjects == ("ann", "cy") and set(windows.batch(range(4)).subject) == {"ann", "cy"}
    assert kept(frames=50).subjects == PEOPLE
    with pytest.raises(ValueError, match="Windows: nobody here is called 'dan'. There are ann, bob, cy"):
        kept(frames=50, subjects=["dan", "ann"])
    with pytest.raises(TypeError, match=r"a collection of names, got the text 'ann'. Use \['ann'\]"):
        kept(frames=50, subjects="ann")
    with pytest.raises(ValueError, match="names nobody"):
        kept(frames=50, subjects=[])


def test_the_hash_tells_what_is_inside_and_not_where_it_is_kept(kept, store):
    assert kept(frames=30).content_hash == Windows(store, frames=30).content_hash
    others = [kept(frames=31), kept(frames=30, step=10), kept(frames=30, subjects=["ann", "bob"]),
              kept(frames=30, margin=1), Windows([clip(n, frames=100, seed=1) for n in PEOPLE], frames=30)]
    assert len({each.content_hash for each in [kept(frames=30), *others]}) == 6


def test_clips_that_are_too_short_are_named_and_counted():
    windows = Windows([clip("ann", frames=90), clip("bob", frames=20), clip("cy", frames=29)], frames=30)
    assert windows.left_out == ("bob", "cy") and windows.subjects == ("ann",)
    assert repr(windows) == "Windows(3 of 30 frames at 30 fps, 1 people; 2 clips too short)"
    assert len(windows.in_memory()) == 3
    with pytest.raises(ValueError, match="needs clips of at least 91 frames, the longest of 1 has 90. Use shorter"):
        Windows([clip("ann", frames=90)], frames=80, margin=11)


@pytest.mark.parametrize(("clips", "error", "says"), [
    ([], ValueError, "needs clips, got none"), ([3], TypeError, "a ClipStore or clips, got int"),
    ([clip("ann", label=False)], ValueError, "'ann' has no label. Leave it out"),
    ([Clip(id="t", rgb=np.full((90, 3), 9.0), label=np.arange(90), fs=30)], ValueError, "'t' has no frames"),
    ([clip("ann"), clip("bob", size=(10, 12))], ValueError, r"'ann' has \(10, 12\) px and 'bob' \(12, 10\) px"),
    ([clip("ann"), clip("bob", fs=25)], ValueError, "one frame rate, 'ann' has 30 fps and 'bob' 25 fps"),
])
def test_clips_that_give_no_samples_are_refused(clips, error, says):
    with pytest.raises(error, match=says):
        Windows(clips, frames=30)


@pytest.mark.parametrize(("settings", "says"), [
    ({"frames": 1}, "frames must be a whole number, at least 2, got 1"), ({"frames": 30.0}, "got 30.0"),
    ({"frames": 30, "step": 0}, "step must be a whole number, at least 1"), ({"frames": 30, "margin": -1}, "margin"),
])
def test_lengths_that_cannot_be_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        Windows([clip()], **settings)


@pytest.mark.parametrize("numbers", [[], [3], [-4], [0, 99]])
def test_numbers_of_no_window_are_refused(numbers):
    with pytest.raises(IndexError, match="batch needs numbers from 0 to 2"):
        Windows([clip()], frames=30).batch(numbers)


def test_they_can_be_sent_to_another_process(kept):
    windows = kept(frames=30)
    again = pickle.loads(pickle.dumps(windows))
    assert torch.equal(again.batch([4]).frames, windows.batch([4]).frames)
    assert again.content_hash == windows.content_hash


def test_a_batch_moves_as_a_whole(kept):
    batch = kept(frames=30).batch([0, 1]).to("meta")
    assert {batch.frames.device.type, batch.label.device.type, batch.index.device.type} == {"meta"}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list open files")
def test_reading_a_store_keeps_no_file_open(store):
    windows = Windows(store, frames=30)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        windows.batch(range(len(windows)))
    assert len(os.listdir("/proc/self/fd")) == before


def test_changing_a_batch_changes_no_clip(kept):
    windows = kept(frames=30)
    first = windows.batch([0]).frames.clone()
    windows.batch([0]).frames.zero_()
    assert torch.equal(windows.batch([0]).frames, first)
