"""Arrays as files: NumPy itself can read them, any part can be read alone, and nothing else passes for one."""

import numpy as np
import pytest

from rppg_lib.data import arrays

from .pieces import clip


@pytest.mark.parametrize("shape", [(1,), (7,), (2, 3), (100000, 3), (3, 4, 5, 3)])
@pytest.mark.parametrize("name", arrays.TYPES)
def test_numpy_reads_what_was_written(tmp_path, name, shape):
    array = np.random.default_rng(0).integers(0, 256, shape).astype(arrays.TYPES[name])
    arrays.write_array(tmp_path / "a.npy", array, name=name)
    read = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert read.dtype == array.dtype and (read == array).all()
    assert (tmp_path / "a.npy").stat().st_size == arrays.size_in_bytes(arrays.TYPES[name], shape)
    assert arrays.file_digest(tmp_path / "a.npy") == arrays.array_digest(array, name=name)


def test_pictures_written_one_by_one_are_the_file_of_the_whole(tmp_path):
    frames = clip().frames
    assert arrays.write_frames(tmp_path / "a.npy", iter(frames), size_px=(10, 12)) == len(frames)
    assert (np.load(tmp_path / "a.npy") == frames).all()
    assert arrays.file_digest(tmp_path / "a.npy") == arrays.array_digest(frames, name="frames")


@pytest.mark.parametrize("wrong", [np.zeros((12, 10), np.uint8), np.zeros((10, 12, 3), np.uint8),
                                   np.zeros((12, 10, 3), float)])
def test_a_picture_of_another_kind_is_refused_with_its_number(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"needs pictures \(H, W, 3\) = \(12, 10, 3\) of uint8, got .* at frame 3"):
        arrays.write_frames(tmp_path / "a.npy", [*clip().frames[:3], wrong], size_px=(10, 12))


def test_any_part_can_be_read_alone(tmp_path):
    frames = clip().frames
    arrays.write_array(tmp_path / "a.npy", frames, name="frames")
    for start, count in ((0, 1), (0, 90), (41, 17), (89, 1)):
        out = np.empty((count, 12, 10, 3), np.uint8)
        arrays.read_into(tmp_path / "a.npy", out, start=start)
        assert (out == frames[start:start + count]).all()
    with pytest.raises(ValueError, match="ends too early"):
        arrays.read_into(tmp_path / "a.npy", np.empty((2, 12, 10, 3), np.uint8), start=89)


def test_only_the_array_that_is_expected_is_mapped(tmp_path):
    path, frames = tmp_path / "frames.npy", clip().frames
    arrays.write_array(path, frames, name="frames")
    assert (arrays.mapped(path, name="frames", shape=frames.shape) == frames).all()
    same_size = (90, 10, 12, 3)
    for name, shape in (("frames", same_size), ("frames", (89, 12, 10, 3)), ("rgb", (90, 3))):
        with pytest.raises(ValueError, match="is not the array"):
            arrays.mapped(path, name=name, shape=shape)


def test_a_size_beyond_all_integers_of_a_machine_is_still_a_size():
    assert arrays.size_in_bytes("<f8", (2**31, 2**31, 2**31, 3)) == 128 + 8 * 3 * 2**93
