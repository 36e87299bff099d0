import os
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from rppg_lib.data.readers.arrays_child import Hdf5, in_bytes
from rppg_lib.data.readers.arrays_file import Worker, beside_pictures, clip_of, one_line, read_arrays
from rppg_lib.video.decoder import Refusal

SCIPYS = Path(scipy.io.__file__).parent / "matlab" / "tests" / "data"
CLIP = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def worker():
    with Worker(limit_s=3) as one:
        yield one


def mat5(path, *, packed=True, **arrays):
    scipy.io.savemat(path, arrays, do_compression=packed)
    return path


def h5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def pretend_h5py(monkeypatch, folder, body):
    """Put a module in h5py's place in the child."""
    (folder / "h5py.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8"])
def test_numbers_of_every_kind_are_what_was_written(tmp_path, worker, packed, dtype):
    wanted = (np.arange(24).reshape(2, 3, 4) - (0 if dtype[0] == "u" else 7)).astype(dtype)
    path = mat5(tmp_path / "a.mat", packed=packed, a=wanted, text="LED-low", one=3)
    held = read_arrays(path, ("a", "text"), optional=("one", "none"), worker=worker)
    assert np.array_equal(held.values["a"], wanted) and held.values["text"] == "LED-low"
    assert held.values["one"] == 3 and set(held.values) == {"a", "text", "one"} and held.shapes["a"] == (2, 3, 4)
    got = read_arrays(h5(tmp_path / "a.h5", a=wanted), ("a",), worker=worker)
    assert np.array_equal(got.values["a"], wanted) and got.shapes == {"a": (2, 3, 4)}


@pytest.mark.skipif(not SCIPYS.is_dir(), reason="SciPy came without its test files")
def test_files_that_matlab_wrote_on_many_machines_read_as_scipy_reads_them(worker):
    compared = 0
    for path in sorted(SCIPYS.glob("test*_[67]*.mat")):                # big-endian ones of Solaris among them
        if path.name.startswith("testhdf5"):
            continue
        oracle = scipy.io.loadmat(path)
        for name in read_arrays(path, (), worker=worker).shapes:
            got, wanted = read_arrays(path, (name,), worker=worker).values[name], oracle[name]
            if wanted.dtype.kind == "U":
                assert got == " ".join(word.strip() for word in wanted), (path.name, name)
            else:
                assert np.array_equal(got, wanted), (path.name, name)
            compared += 1
    assert compared > 20


def test_matlab_7_3_is_read_as_hdf5_behind_its_head(tmp_path, worker):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["d_ppg"] = np.arange(5.0)[None]
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(head + path.read_bytes()[128:])
    assert one_line("a", read_arrays(path, ("d_ppg",), worker=worker).values["d_ppg"]).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("stored", [CLIP, CLIP / np.float32(255), CLIP / 255])
def test_a_clip_of_matlab_comes_upright_picture_by_picture(tmp_path, worker, packed, stored):
    path = mat5(tmp_path / "a.mat", packed=packed, video=stored, GT_ppg=np.zeros(7))
    pairs = [*clip_of(path, ("other", "video"), 30.0, worker)]
    assert np.array_equal([image for image, _ in pairs], CLIP)
    assert [time_s for _, time_s in pairs] == [number / 30 for number in range(7)]


@pytest.mark.parametrize("chunks", [None, (3, 5, 6, 1), (1, 2, 4, 7), (2, 5, 1, 3)])
@pytest.mark.parametrize("block", [1, 20, 10**6])
def test_a_clip_of_hdf5_is_whole_however_it_was_cut(tmp_path, chunks, block, monkeypatch):
    monkeypatch.setattr("rppg_lib.data.readers.arrays_child.BLOCK_VALUES", block)
    wanted, got = CLIP.transpose(3, 2, 1, 0), np.full((3, 5, 6, 7), -1)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("Xsub", data=wanted, chunks=chunks)
        for place, values in Hdf5(file).clip("Xsub"):
            assert (got[place] == -1).all()
            got[place] = values
    assert np.array_equal(got, wanted)


def test_a_clip_of_hdf5_has_its_axes_turned_back(tmp_path, worker):
    path = h5(tmp_path / "a.h5", Xsub=CLIP.transpose(3, 2, 1, 0) / 255)
    assert np.array_equal([image for image, _ in clip_of(path, ("RawFrames", "Xsub"), 30.0, worker)], CLIP)


def test_the_parent_holds_one_picture_of_a_clip_and_not_all(tmp_path, worker):
    path = mat5(tmp_path / "a.mat", video=np.zeros((300, 60, 80, 3), np.uint8))
    pictures = clip_of(path, ("video",), 30.0, worker)
    next(pictures)
    tracemalloc.start()
    assert sum(1 for _ in pictures) == 299
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 60 * 80 * 3


def test_a_pass_that_is_left_early_ends_its_process_and_the_next_begins_afresh(tmp_path):
    path = mat5(tmp_path / "a.mat", video=CLIP, GT_ppg=np.arange(7))
    with Worker() as worker:
        pictures = clip_of(path, ("video",), 30.0, worker)
        next(pictures)
        process = worker._process
        pictures.close()
        assert process.returncode is not None
        assert read_arrays(path, ("GT_ppg",), worker=worker).values["GT_ppg"].shape == (1, 7)
        assert len([*clip_of(path, ("video",), 30.0, worker)]) == 7
    assert worker._process is None


@pytest.mark.parametrize("video, message", [
    (CLIP * 1.0, r"needs colours as bytes or from 0 to 1, got float from 0 to 255"),
    (CLIP.astype(np.int16), "got int16 from"),
    (np.full((2, 3, 4, 3), np.nan), "got float from nan to nan"),
    (CLIP[..., :2], r"needs video as \(time, height, width, 3\), got \(7, 6, 5, 2\)"),
    (CLIP[..., 0], r"got \(7, 6, 5\)"),
    ("no clip", r"got \(1, 7\)"),
])
def test_a_clip_that_is_none_is_one_clear_error(tmp_path, worker, video, message):
    with pytest.raises(ValueError, match=message):
        next(clip_of(mat5(tmp_path / "a.mat", video=video), ("video",), 30.0, worker))


def test_white_that_matlab_stored_as_bytes_is_white():
    assert in_bytes(np.array([1, 0], np.uint8), told="float").tolist() == [255, 0]
    assert in_bytes(np.array([1, 0], np.uint8), told="uint8").tolist() == [1, 0]
    with pytest.raises(Refusal):
        in_bytes(np.array([0, np.inf]), told="float")


@pytest.mark.parametrize("content, message", [
    (b"", "neither HDF5 nor a MATLAB file"),
    (b"\x89HDF\r\n\x1a\n" + bytes(500), "cannot be read"),
    (b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + bytes(3), "is damaged: it ends early"),
    (b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + b"\x0e\0\0\0\xff\xff\xff\x7f", "it ends 2147483647 bytes early"),
])
def test_a_file_of_something_else_is_one_clear_error(tmp_path, worker, content, message):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError, match=f"^a.mat: .*{message}.*Copy it again"):
        read_arrays(tmp_path / "a.mat", ("GT_ppg",), worker=worker)


def test_one_flipped_bit_in_a_packed_array_is_found_by_its_sum(tmp_path, worker):
    path = mat5(tmp_path / "a.mat", GT_ppg=np.random.default_rng(0).normal(size=500))
    content = bytearray(path.read_bytes())
    content[-10] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match="incorrect data check|while decompressing"):
        read_arrays(path, ("GT_ppg",), worker=worker)


def test_what_a_file_lacks_is_named_beside_what_it_has(tmp_path, worker):
    path = h5(tmp_path / "a.h5", Pulse=np.zeros(3), words="text")
    with pytest.raises(ValueError, match="a.h5: needs pulse, has Pulse, words. Copy it again"):
        read_arrays(path, ("pulse",), worker=worker)
    with pytest.raises(ValueError, match="needs numbers in words, got object"):
        read_arrays(path, ("words",), worker=worker)
    with pytest.raises(FileNotFoundError, match="b.h5: is no file"):
        read_arrays(tmp_path / "b.h5", ("pulse",), worker=worker)


def test_a_file_may_not_point_to_others(tmp_path, worker):
    h5(tmp_path / "secret.h5", pulse=np.arange(9.0))
    (tmp_path / "secret.raw").write_bytes(bytes(72))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["pulse"] = h5py.ExternalLink("secret.h5", "/pulse")
        file["soft"] = h5py.SoftLink("/pulse")
        file.create_dataset("raw", (9,), "f8", external=[(str(tmp_path / "secret.raw"), 0, 72)])
        file.create_virtual_dataset("virtual", virtual())
        file["time"] = np.zeros(2)
    with pytest.raises(ValueError, match="needs pulse, has time"):
        read_arrays(tmp_path / "a.h5", ("pulse",), worker=worker)


def virtual():
    layout = h5py.VirtualLayout((9,), "f8")
    layout[:] = h5py.VirtualSource("secret.h5", "pulse", (9,))
    return layout


def test_a_label_that_claims_to_be_huge_is_refused_unread(tmp_path, worker):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("pulse", (10**13,), "f8", chunks=(10**6,))
    with pytest.raises(ValueError, match="pulse has 10000000000000 values, more than a label has"):
        read_arrays(tmp_path / "a.h5", ("pulse",), worker=worker)


def test_a_crash_of_the_library_is_one_error_and_the_next_file_is_read(tmp_path, monkeypatch):
    good = mat5(tmp_path / "good.mat", GT_ppg=np.arange(7))
    bad = h5(tmp_path / "bad.h5", pulse=np.zeros(3))
    pretend_h5py(monkeypatch, tmp_path, "import os, signal\ndef is_hdf5(path): os.kill(os.getpid(), signal.SIGSEGV)")
    with Worker() as worker:
        for _ in range(2):
            with pytest.raises(ValueError, match=r"bad.h5: ended the process that read it \(signal 11\)"):
                read_arrays(bad, ("pulse",), worker=worker)
            assert read_arrays(good, ("GT_ppg",), worker=worker).values["GT_ppg"].size == 7


def test_a_library_that_hangs_is_ended(tmp_path, monkeypatch):
    bad = h5(tmp_path / "bad.h5", pulse=np.zeros(3))
    pretend_h5py(monkeypatch, tmp_path, "import time\ndef is_hdf5(path): time.sleep(60)")
    with Worker(limit_s=0.3) as worker, pytest.raises(ValueError, match="0.3 s passed without a word"):
        read_arrays(bad, ("pulse",), worker=worker)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="only Linux has the limit of memory")
def test_a_library_that_asks_for_all_memory_is_refused(tmp_path, monkeypatch):
    bad = h5(tmp_path / "bad.h5", pulse=np.zeros(3))
    pretend_h5py(monkeypatch, tmp_path, "def is_hdf5(path): bytearray(6_000_000_000)")
    with pytest.raises(ValueError, match="bad.h5: asks for more memory"):
        read_arrays(bad, ("pulse",))


def test_without_h5py_hdf5_files_say_what_to_install_and_matlabs_are_read(tmp_path, monkeypatch):
    good = mat5(tmp_path / "good.mat", GT_ppg=np.arange(7))
    bad = h5(tmp_path / "bad.h5", pulse=np.zeros(3))
    pretend_h5py(monkeypatch, tmp_path, "raise ImportError('none here')")
    with Worker() as worker:
        assert read_arrays(good, ("GT_ppg",), worker=worker).values["GT_ppg"].size == 7
        with pytest.raises(ImportError, match=r"Install it with: pip install 'rppg-lib\[data\]'"):
            read_arrays(bad, ("pulse",), worker=worker)




def test_a_label_has_one_value_for_each_picture_or_says_what_it_has():
    label = beside_pictures("a.mat", np.arange(60.0)[None], pictures=60, fs=30.0)
    assert label.times_s.tolist() == [number / 30 for number in range(60)] and label.notes == ()
    few = beside_pictures("a.mat", np.arange(58.0), pictures=60, fs=30.0, notes=("before",))
    assert few.times_s[-1] == pytest.approx(57 / 30)                   # not stretched
    assert few.notes[0] == "before" and few.notes[1].startswith("58 values for 60 pictures")
    with pytest.raises(ValueError, match="needs one value for each of 60 pictures, got 120"):
        beside_pictures("a.mat", np.zeros(120), pictures=60, fs=30.0)
    for values, message in ((np.zeros((2, 3)), r"got shape \(2, 3\)"), ("text", "got text")):
        with pytest.raises(ValueError, match=message):
            one_line("a.mat", values)
