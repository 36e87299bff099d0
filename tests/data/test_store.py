"""A clip store gives back what was put in, from disk, and believes nothing that a file merely claims."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from rppg_lib.data import ClipStore, build_store, simulated_sources
from rppg_lib.simulate import FAULTS

from ..checkout import ROOT
from .pieces import clip, clip_sources


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_store(clip_sources("ann", "bob", "cy"), tmp_path_factory.mktemp("stores"), name="noise", jobs=1,
                       progress=False)


@pytest.fixture
def store(built, tmp_path):
    """A copy that a test may spoil."""
    return ClipStore.open(shutil.copytree(built.path, tmp_path / "store"))


def spoiled(store, change):
    """Write the manifest with a change."""
    path = store.path / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), "utf-8")


def complaint(store):
    with pytest.raises(ValueError, match="ClipStore.open: .* cannot be trusted: .* Build the store again") as error:
        ClipStore.open(store.path)
    return str(error.value)


def test_clips_come_back_bit_for_bit_and_pictures_stay_on_disk(built):
    for number, name in enumerate(("ann", "bob", "cy")):
        for found in (built.clip(number), built.clip(name), built.clip(built.records[number])):
            true = clip(name)
            for part in ("frames", "rgb", "label"):
                assert (getattr(found, part) == getattr(true, part)).all()
            assert (found.id, found.subject, found.fs) == (name, name, 30)
            assert (found.dataset, found.condition) == ("noise", "none")
            base = found.frames
            while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
                base = base.base
            assert isinstance(base, np.memmap)


def test_it_says_what_it_holds(built):
    size = 3 * (90 * 12 * 10 * 3 + 90 * 3 * 8 + 90 * 8 + 3 * 128)
    assert built.bytes == size == sum(path.stat().st_size for path in built.path.rglob("*.npy"))
    assert repr(built) == f"ClipStore({built.path.name!r}, 3 recordings of 3 people, 270 frames, {size / 1e6:.1f} MB)"
    assert len(built) == 3 and built.subjects == ("ann", "bob", "cy") and built.failed == []
    assert built.records[0].seconds == 3
    assert built.manifest["making"]["versions"]["numpy"] == np.__version__


def test_the_label_of_a_faulty_sensor_and_the_true_pulse_are_both_there(tmp_path):
    faulty, clean = simulated_sources(1, seconds=2, size_px=16, label_faults=FAULTS["late"]), \
        simulated_sources(1, seconds=2, size_px=16)
    late, true = (build_store(sources, tmp_path, name="a", jobs=1, progress=False) for sources in (faulty, clean))
    assert (late.clip(0, clean=True).label == true.clip(0).label).all()
    assert (late.clip(0).label != true.clip(0).label).any()
    assert (true.clip(0, clean=True).label == true.clip(0).label).all()
    assert late.records[0].facts["hr_bpm"] == true.records[0].facts["hr_bpm"]


def test_a_recording_that_is_not_there_is_said(built):
    with pytest.raises(KeyError, match="has no recording 'dan'. The first are ann, bob, cy"):
        built.clip("dan")


def test_a_store_can_be_sent_to_another_process(built):
    again = pickle.loads(pickle.dumps(built))
    assert (again.clip("bob").frames == built.clip("bob").frames).all()


def test_verify_reads_every_byte_and_names_what_is_damaged(store):
    store.verify()
    path = store.path / "recordings" / store.records[1].folder / "frames.npy"
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="verify: 1 of 3 recordings in .* are not what they were when made: bob"):
        ClipStore.open(store.path).verify()


@pytest.mark.parametrize("folder", ["../../outside", "/etc", "..", ".", "", "a/b", "a\\b", ".hidden", "a" * 200, "C:x"])
def test_a_manifest_that_points_out_of_the_store_is_refused(store, folder):
    spoiled(store, lambda manifest: manifest["recordings"][0].update(folder=folder))
    assert "is no name of a folder inside the store" in complaint(store)


def test_a_link_out_of_the_store_is_refused(store, tmp_path):
    path = store.path / "recordings" / store.records[0].folder / "frames.npy"
    shutil.move(path, tmp_path / "elsewhere.npy")
    try:
        path.symlink_to(tmp_path / "elsewhere.npy")
    except OSError:
        pytest.skip("this system makes no links")
    assert "is a link to a place outside of the store" in complaint(store)


@pytest.mark.parametrize(("change", "says"), [
    ({"frames": 91}, "bytes instead of"), ({"size_px": [12, 11]}, "bytes instead of"),
    ({"frames": 2**31 - 1, "size_px": [2**31 - 1] * 2}, "bytes instead of"),
    ({"frames": 0}, "whole numbers above 0"), ({"frames": -90}, "whole numbers above 0"),
    ({"frames": True}, "whole numbers above 0"), ({"frames": 90.0}, "whole numbers above 0"),
    ({"size_px": [10]}, "whole numbers above 0"), ({"size_px": 10}, "is not one"), ({"fs": "fast"}, "is not one"),
    ({"fs": 0}, "is not one"), ({"fs": None}, "is not one"), ({"id": 7}, "must be text"),
    ({"sha256": {}}, "arrays must be frames"), ({"sha256": {"frames": "0" * 64, "../x": "0" * 64}}, "arrays must be"),
    ({"sha256": {"frames": "0"}}, "not a SHA-256"), ({"sha256": 3}, "is not one"), ({"facts": []}, "must be tables"),
    ({"surprise": 1}, "is not one"), ({"id": "bob"}, "same id"),
])
def test_a_recording_that_cannot_be_is_refused(store, change, says):
    spoiled(store, lambda manifest: manifest["recordings"][0].update(change))
    assert says in complaint(store)


@pytest.mark.parametrize(("change", "says"), [
    (lambda m: m.update(format=99), "it has format 99, and this version reads format 1"),
    (lambda m: m.update(kind="else"), "not the manifest of a clip store"),
    (lambda m: m.update(recordings=[]), "names no recording"), (lambda m: m.update(recordings=[7]), "is not one"),
    (lambda m: m.update(recordings={}), "no lists"), (lambda m: m.update(failed=[1]), "no lists"),
    (lambda m: m.pop("failed"), "no lists"),
])
def test_a_manifest_that_cannot_be_is_refused(store, change, says):
    spoiled(store, change)
    assert says in complaint(store)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\xff", "[" * 100000, "3"])
def test_a_manifest_that_is_none_is_refused(store, text):
    (store.path / "manifest.json").write_bytes(text.encode("latin1"))
    complaint(store)


def test_a_file_that_is_missing_or_cut_off_is_named(store):
    path = store.path / "recordings" / store.records[2].folder / "label.npy"
    os.truncate(path, 100)
    assert re.search(r"cy-\w+/label.npy has 100 bytes instead of 848", complaint(store))
    path.unlink()
    assert re.search(r"cy-\w+/label.npy is missing", complaint(store))


def test_nothing_is_unpickled_even_if_a_file_asks_for_it(store):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    path = store.path / "recordings" / store.records[0].folder / "label.npy"
    size = path.stat().st_size
    np.save(path, np.array([Trap()], dtype=object), allow_pickle=True)
    with path.open("ab") as file:
        file.truncate(size)
    opened = ClipStore.open(store.path)
    with pytest.raises(ValueError, match="'ann' in .* is damaged: label.npy is not the array"):
        opened.clip(0)


def test_a_file_cut_off_after_opening_is_an_error_and_no_crash(store):
    os.truncate(store.path / "recordings" / store.records[0].folder / "frames.npy", 5000)
    with pytest.raises(ValueError, match="is damaged"):
        store.clip(0)
    with pytest.raises(ValueError, match="ends too early"):
        store.read_frames(0, np.empty((90, 12, 10, 3), np.uint8), start=0)


def test_a_folder_that_is_no_store_is_said_with_what_it_is_instead(built, store, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist. Build one with build_store"):
        ClipStore.open(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=f"holds 1 of them: {built.path.name}. Name one"):
        ClipStore.open(built.path.parent)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds none"):
        ClipStore.open(tmp_path / "empty")
    (store.path / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match="was not finished. Build it again: what is whole in it is kept"):
        ClipStore.open(store.path)


def test_making_and_reading_a_store_loads_no_torch():
    code = ("import sys, rppg_lib.data, rppg_lib.data.store, rppg_lib.data.build, rppg_lib.data.sources, "
            "rppg_lib.data.splits; rppg_lib.data.ClipStore; print('torch' in sys.modules, 'cv2' in sys.modules)")
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_every_name_of_the_package_is_there():
    import rppg_lib.data as data

    for _ in range(2):                                               # the second time all modules are loaded
        assert all(callable(getattr(data, name)) for name in data.__all__)
    with pytest.raises(AttributeError, match="no attribute 'ClipShop'"):
        data.ClipShop  # noqa: B018
