import pickle

import h5py
import numpy as np
import pytest

from rppg_lib.data.readers.arrays_file import Worker, clip_of
from rppg_lib.data.readers.scamps import listed, reference

from .miniature import colours, pictures, pulse
from .mutants import mutants, survives


def record(path, *, bpm=72.0, count=60, clips=("RawFrames", "Xsub"), **other):
    """Write a recording as MATLAB 7.3 does: HDF5 behind a head of its own, axes reversed, in packed chunks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(count) / 30
    film = pictures(times, bpm=bpm).transpose(3, 2, 1, 0) / 255                # (colour, width, height, time)
    arrays = {"d_ppg": pulse(times, bpm)[None], "d_br": np.cos(times)[None],
              "skin_mask": np.ones((24, 24, count - 1))}
    arrays |= {name: film if name == "RawFrames" else film[:, 4:28] for name in clips}
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in (arrays | other).items():
            many = np.size(values) > 1000
            file.create_dataset(name, data=values, compression="gzip" if many else None)
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + path.read_bytes()[128:])
    return path


@pytest.fixture(scope="module")
def worker():
    with Worker(limit_s=3) as one:
        yield one


def test_recordings_are_listed_with_the_folder_they_lie_in(tmp_path):
    for name in ("Train/P000010.mat", "Test/P000002.mat", "P000001.mat"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listing = listed(tmp_path)
    assert [(each.id, each.subject, each.facts) for each in listing.recordings] == [
        ("scamps P000001", "scamps P000001", {}), ("scamps P000002", "scamps P000002", {"split": "Test"}),
        ("scamps P000010", "scamps P000010", {"split": "Train"})]
    assert listing.missing == () and "3 of 2800 recordings are here" in listing.notes[0] and not listing.left_out


def test_what_is_not_read_is_named_with_the_reason(tmp_path):
    for name in ("Train/P000010.mat", "Val/P000010.mat", "Val/split.csv", "P1.mat"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    left = {each.what: each.why for each in listed(tmp_path).left_out}
    assert left == {"P1.mat": "is not called P and six digits.mat",
                    "Val/split.csv": "is not called P and six digits.mat",
                    "Val/P000010.mat": "is there as Train/P000010.mat already",
                    "Val": "has no P000001.mat or the like that is not elsewhere",
                    "loop/P1.mat": "is not called P and six digits.mat",
                    "loop": "has no P000001.mat or the like that is not elsewhere"}
    (tmp_path / "Train" / "P000010.mat").unlink()
    with pytest.raises(FileNotFoundError, match="expected for example P000001.mat"):
        listed(tmp_path / "Train")


@pytest.mark.parametrize("clips, width", [(("RawFrames", "Xsub"), 32), (("Xsub",), 24)])
def test_pictures_and_pulse_beat_together_and_pictures_are_upright(tmp_path, clips, width):
    record(tmp_path / "P000001.mat", bpm=84.0, clips=clips)
    recording = pickle.loads(pickle.dumps(listed(tmp_path).recordings[0]))
    wanted = pictures(np.arange(60) / 30, bpm=84.0)
    images = [image for image, _ in recording.pictures()]
    assert np.array_equal(images, wanted if width == 32 else wanted[:, :, 4:28])
    rgb, times = colours(recording)
    label = recording.reference()
    assert label.times_s == pytest.approx(times) and label.notes == ()
    assert np.corrcoef(label.wave, pulse(times, 84.0))[0, 1] > 0.99
    assert np.corrcoef(rgb[:, 1], label.wave)[0, 1] < -0.99


@pytest.mark.parametrize("other, message", [
    ({"d_ppg": np.zeros((2, 60))}, r"needs one row or column of numbers, got shape \(2, 60\)"),
    ({"d_ppg": np.zeros((1, 30))}, "needs one value for each of 60 pictures, got 30"),
    ({"RawFrames": np.zeros(60)}, r"needs RawFrames or Xsub with four axes beside the pulse, got \(60,\)"),
    ({"clips": ()}, "got none. Copy it again; the file of waveforms alone has no pictures"),
])
def test_a_damaged_label_is_one_clear_error(tmp_path, worker, other, message):
    with pytest.raises(ValueError, match=f"^P000001.mat: .*{message}"):
        reference(record(tmp_path / "P000001.mat", **other), worker=worker)


def test_other_keys_are_named(tmp_path, worker):
    path = tmp_path / "P000001.mat"
    with h5py.File(path, "w") as file:
        file["dXsub"] = np.zeros((3, 4, 5, 6))
    with pytest.raises(ValueError, match="needs d_ppg, has dXsub"):
        reference(path, worker=worker)
    with pytest.raises(ValueError, match="needs RawFrames or Xsub, has dXsub"):
        next(listed(tmp_path).recordings[0].pictures())


def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path, worker):
    path = record(tmp_path / "P000001.mat", RawFrames=np.full((3, 2, 2, 60), 0.5), clips=())
    readable, refused = survives(lambda: reference(path, worker=worker), path)
    assert readable > 20 and refused > 200


def test_damaged_clips_are_whole_clips_or_errors(tmp_path, worker):
    path = record(tmp_path / "P000001.mat", count=12)
    played = 0
    for data in mutants(path.read_bytes(), 300):
        path.write_bytes(data)
        try:
            images = [image for image, _ in clip_of(path, ("RawFrames", "Xsub"), 30.0, worker)]
        except ValueError as error:
            assert str(error).startswith("P000001.mat: ") and len(str(error)) < 600
        else:
            played += 1
            assert all(image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 for image in images)
    assert 0 < played < 300
