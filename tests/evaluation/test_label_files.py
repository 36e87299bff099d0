"""Labels from files: every layout that the help names, and what is broken is named and stops nothing else."""

import numpy as np
import pandas as pd
import pytest

from rppg_lib.evaluation import Unread, read_labels
from rppg_lib.evaluation.label_files import count_labels

T = np.arange(300) / 30
WAVE = np.sin(2 * np.pi * 1.2 * T)
RGB = 100 + np.outer(WAVE, [1.0, 2.0, 1.5])


def written(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("columns", [
    {"time_s": T, "label": WAVE}, {"fs": 30, "label": WAVE}, {"time_s": T, "pred": WAVE, "label": WAVE},
])
def test_a_table_of_one_recording_is_read(tmp_path, columns):
    (found,) = read_labels(written(tmp_path / "a.csv", **columns))
    assert (found.name, found.subject, found.rgb) == ("a", "a", None)
    assert found.fs == pytest.approx(30)
    np.testing.assert_allclose(found.label, WAVE)


@pytest.mark.parametrize("names", ["rgb", "RGB", ["red", "green", "blue"]])
def test_colours_may_come_with_the_label(tmp_path, names):
    colours = dict(zip(names, RGB.T))
    (found,) = read_labels(written(tmp_path / "a.csv", time_s=T, label=WAVE, subject="eve", **colours))
    np.testing.assert_allclose(found.rgb, RGB)
    assert found.subject == "eve"


def test_a_rate_can_be_said_for_files_that_do_not(tmp_path):
    path = written(tmp_path / "a.csv", label=WAVE)
    (found,) = read_labels(path, fs=25)
    assert found.fs == 25
    with pytest.raises(ValueError, match=r"a\.csv needs a column time_s or fs, got label\. Or say --fps"):
        list(read_labels(path))


def test_gaps_in_a_table_are_kept_for_the_audit_to_count(tmp_path):
    wave = WAVE.copy()
    wave[10:20] = np.nan
    (found,) = read_labels(written(tmp_path / "a.csv", time_s=T, label=wave))
    assert np.isnan(found.label).sum() == 10


@pytest.mark.parametrize("arrays, names", [
    ({"label": WAVE, "fs": 30}, ["set"]),
    ({"label": np.stack([WAVE, WAVE]), "fs": 30, "rgb": np.stack([RGB, RGB])}, ["set[0]", "set[1]"]),
    ({"label/a": WAVE, "label/b": WAVE[:200], "fs": 30, "rgb/a": RGB, "subject/b": "bob"}, ["a", "b"]),
    ({"label_a": WAVE, "pred_a": WAVE, "label_b": WAVE, "pred_b": WAVE, "fs": [30, 60]}, ["a", "b"]),
    ({"label/a": WAVE, "fs/a": 30, "label/b": WAVE, "fs/b": 60, "subject": ["x", "y"]}, ["a", "b"]),
])
def test_arrays_are_read_in_every_layout(tmp_path, arrays, names):
    np.savez(tmp_path / "set.npz", **arrays)
    found = list(read_labels(tmp_path / "set.npz"))
    assert [each.name for each in found] == names
    for each in found:
        assert each.label.ndim == 1 and (each.rgb is None or each.rgb.shape == (len(each.label), 3))
    if "subject" in arrays:
        assert [each.subject for each in found] == ["x", "y"]
    if "fs/b" in arrays or np.size(arrays.get("fs")) == 2:
        assert [each.fs for each in found] == [30, 60]


def test_a_folder_is_read_file_by_file_and_a_hostile_one_is_named(tmp_path):
    written(tmp_path / "good.csv", time_s=T, label=WAVE)
    written(tmp_path / "words.csv", time_s=T, label=["a"] * 300)
    written(tmp_path / "uneven.csv", time_s=T**2, label=WAVE)
    written(tmp_path / "milliseconds.csv", time_s=1000 * T, label=WAVE)
    written(tmp_path / "two.csv", fs=[30, 60] * 150, label=WAVE)
    (tmp_path / "bytes.csv").write_bytes(b"\x00\xff\xfe,,,\n\"\"\"")
    (tmp_path / "empty.csv").touch()
    (tmp_path / ".hidden.csv").touch()
    found = {each.name: each for each in read_labels(tmp_path)}
    assert [name for name, each in found.items() if not isinstance(each, Unread)] == ["good"]
    for name, why in {"words": "needs real numbers", "uneven": "time_s must rise in even steps",
                      "milliseconds": "are these milliseconds", "two": "column fs must hold one value",
                      "bytes": "cannot be read as a table", "empty": "cannot be read as a table"}.items():
        assert why in found[name].why and "\n" not in found[name].why
    assert count_labels(tmp_path) == 8 - 1


def test_arrays_of_one_recording_that_do_not_fit_do_not_stop_the_others(tmp_path):
    np.savez(tmp_path / "set.npz", **{"label/a": WAVE, "label/b": np.ones((3, 3)), "rgb/c": RGB[:9], "label/c": WAVE,
                                      "fs": 30})
    found = list(read_labels(tmp_path / "set.npz"))
    assert [isinstance(each, Unread) for each in found] == [False, True, True]


MANY = np.stack([np.sin(2 * np.pi * (1 + 0.01 * k) * T + k) + 5 * np.sin(k) for k in range(90)])


@pytest.mark.parametrize("label", [WAVE[:, None], np.stack([WAVE, WAVE], 1), MANY[:40].T, MANY.T])
@pytest.mark.parametrize("fs", [30, [30, 30]])
def test_labels_that_lie_the_other_way_round_are_refused_once(tmp_path, label, fs):
    np.savez(tmp_path / "set.npz", label=label, fs=fs)
    with pytest.raises(ValueError, match=r"labels: set\.npz, label: got \(300, \d+\), that is 300 recordings of .* "
                                         r"Recordings come first: transpose it"):
        list(read_labels(tmp_path / "set.npz"))


@pytest.mark.parametrize("label", [MANY, MANY[:, :60], MANY[:2, :40], np.tile(WAVE[:60], (90, 1)),
                                   np.lib.stride_tricks.sliding_window_view(WAVE, 100),
                                   np.random.default_rng(0).normal(size=(200, 100))])
def test_recordings_that_come_first_stay_however_many_they_are(tmp_path, label):
    np.savez(tmp_path / "set.npz", label=label, fs=30)
    assert [len(each.label) for each in read_labels(tmp_path / "set.npz")] == [label.shape[1]] * len(label)


def test_a_table_whose_subject_is_empty_is_somebody_of_their_own(tmp_path):
    (found,) = read_labels(written(tmp_path / "a.csv", time_s=T, label=WAVE, subject=""))
    assert found.subject == "a"


@pytest.mark.parametrize("arrays, complaint", [
    ({"pred": WAVE}, "no array label and none label/NAME; it has pred"),
    ({"label": WAVE, "label/a": WAVE, "fs": 30}, "label beside arrays of single recordings"),
])
def test_arrays_without_a_label_are_refused(tmp_path, arrays, complaint):
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(ValueError, match=complaint):
        list(read_labels(tmp_path / "set.npz"))


def test_what_is_no_file_of_labels_is_refused(tmp_path):
    (tmp_path / "a.txt").touch()
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    for path, kind, complaint in ((tmp_path / "none", FileNotFoundError, "there is no file"),
                                  (tmp_path / "a.txt", ValueError, "neither .npz nor .csv"),
                                  (tmp_path / "torn.npz", ValueError, "cannot be read as .npz"),
                                  (tmp_path, FileNotFoundError, "holds no .csv file, and is no store")):
        with pytest.raises(kind, match=complaint):
            list(read_labels(path))


def test_nothing_is_unpickled(tmp_path):
    np.savez(tmp_path / "set.npz", label=np.array([print], dtype=object), fs=30)
    with pytest.raises(ValueError, match="plain arrays"):
        list(read_labels(tmp_path / "set.npz"))
