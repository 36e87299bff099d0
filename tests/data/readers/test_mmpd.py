import pickle

import numpy as np
import pytest
import scipy.io

from rppg_lib.data.readers.arrays_file import Worker, clip_of
from rppg_lib.data.readers.mmpd import SKIN, TASKS, listed, reference

from .miniature import colours, pictures, pulse
from .mutants import mutants, survives


def record(folder, name, *, bpm=72.0, count=60, packed=True, **other):
    """Write a recording as the data set has them: a picture (height, width), colours from 0 to 1, words."""
    person, task = (int(word) for word in name[1:].split("_"))
    path = folder / f"subject{person}" / f"{name}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(count) / 30
    light, motion = TASKS[task]
    told = {"video": pictures(times, bpm=bpm).astype(np.float32) / 255, "GT_ppg": pulse(times, bpm)[None],
            "light": light, "motion": motion, "exercise": str("exercise" in motion), "gender": "female",
            "skin_color": int(SKIN[person - 1]), "glasser": "False", "hair_cover": "False", "makeup": "False"}
    scipy.io.savemat(path, told | other, do_compression=packed)
    return path


@pytest.fixture(scope="module")
def worker():
    with Worker(limit_s=3) as one:
        yield one


@pytest.fixture
def copy(tmp_path):
    record(tmp_path, "p1_0", bpm=60.0)
    record(tmp_path, "p1_14", bpm=90.0, packed=False)
    record(tmp_path, "p8_19")
    return tmp_path


def test_recordings_are_listed_in_order_with_light_motion_and_skin(copy):
    listing = listed(copy)
    assert [(each.id, each.subject, each.condition) for each in listing.recordings] == [
        ("mmpd p1_0", "mmpd 1", "LED-low, Stationary, skin 4"),
        ("mmpd p1_14", "mmpd 1", "LED-low, Stationary (after exercise), skin 4"),
        ("mmpd p8_19", "mmpd 8", "Nature, Walking, skin 6")]
    assert listing.recordings[2].facts == {"light": "Nature", "motion": "Walking", "skin_type": 6}
    assert len(listing.missing) == 657 and listing.missing[0] == "p1_1" and "p33_19" in listing.missing
    assert not listing.left_out and not listing.recordings[0].terms.may_show_faces


def test_the_procedure_has_every_light_with_every_motion_and_people_of_four_skins():
    lights, motions = zip(*TASKS)
    assert len(set(TASKS)) == 20 and len(set(lights)) == 4 and len(set(motions)) == 5
    assert len(SKIN) == 33 and [SKIN.count(kind) for kind in "3456"] == [17, 4, 6, 6]


@pytest.mark.parametrize("number", [0, 1])
def test_pictures_and_pulse_beat_together_and_pictures_are_upright(copy, number):
    recording = pickle.loads(pickle.dumps(listed(copy).recordings[number]))
    bpm = (60.0, 90.0)[number]
    images = [image for image, _ in recording.pictures()]
    assert np.array_equal(images, pictures(np.arange(60) / 30, bpm=bpm)) and images[0].shape == (24, 32, 3)
    rgb, times = colours(recording)
    label = recording.reference()
    assert label.times_s == pytest.approx(times) and label.notes == ()
    assert np.corrcoef(label.wave, pulse(times, bpm))[0, 1] > 0.99 and np.corrcoef(rgb[:, 1], label.wave)[0, 1] < -0.99


def test_listing_opens_no_file(copy, monkeypatch):
    monkeypatch.setattr("rppg_lib.data.readers.arrays_file.subprocess", None)
    for path in copy.rglob("*.mat"):
        path.write_bytes(b"")
    assert len(listed(copy).recordings) == 3


def test_words_that_differ_from_the_published_list_are_noted(tmp_path, worker):
    walking = reference(record(tmp_path, "p2_3", motion="Watching Videos"), worker=worker)
    assert walking.notes == ("the file says motion 'Watching Videos', the published list 'Walking'",)
    other = reference(record(tmp_path, "p24_0", skin_color=4, light=np.zeros((0, 0))), worker=worker)
    assert other.notes == ("the file says light '', the published list 'LED-low'",
                           "the file says skin_color '4', the published list '3'")


def test_a_label_is_never_stretched_to_its_pictures(tmp_path, worker):
    short = reference(record(tmp_path, "p1_0", GT_ppg=np.arange(58.0)), worker=worker)
    assert short.times_s[-1] == pytest.approx(57 / 30) and "58 values for 60 pictures" in short.notes[0]
    with pytest.raises(ValueError, match="p1_0.mat: needs one value for each of 60 pictures, got 120"):
        reference(record(tmp_path, "p1_0", GT_ppg=np.arange(120.0)), worker=worker)


def test_what_is_not_read_is_named_with_the_reason(copy):
    for name in ("p2_1.mat", "p1_20.mat", "p1_5.mat.part"):
        (copy / "subject1" / name).write_bytes(b"")
    (copy / "subject1" / "p1_2.mat").mkdir()
    (copy / "subject1" / "p1_4.mat").symlink_to("p1_4.mat")
    (copy / "again").symlink_to(copy)
    left = {each.what: each.why for each in listed(copy).left_out}
    assert left == {"again": "is not called subjectN"} | {
        f"subject1/{name}": "is not called p1_K.mat, K from 0 to 19"
        for name in ("p2_1.mat", "p1_20.mat", "p1_5.mat.part", "p1_2.mat", "p1_4.mat")}
    with pytest.raises(FileNotFoundError, match="expected for example subject1/p1_0.mat"):
        listed(copy / "subject1")


@pytest.mark.parametrize("other, message", [
    ({"GT_ppg": np.zeros((2, 60))}, r"needs one row or column of numbers, got shape \(2, 60\)"),
    ({"GT_ppg": "text"}, "got text"),
    ({"GT_ppg": np.zeros(0)}, "needs one value for each of 60 pictures, got 0"),
    ({"video": np.zeros((60, 9))}, r"needs video as \(time, height, width, 3\) beside the pulse, got \(60, 9\)"),
    ({"video": np.zeros((0, 9, 9, 3)), "GT_ppg": np.zeros(0)}, "got 0 times and 0 values"),
])
def test_a_damaged_label_is_one_clear_error(tmp_path, worker, other, message):
    with pytest.raises(ValueError, match=f"^p1_0.mat: .*{message}"):
        reference(record(tmp_path, "p1_0", **other), worker=worker)


@pytest.mark.parametrize("packed", [True, False])
def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path, worker, packed):
    path = record(tmp_path, "p1_0", packed=packed, video=np.full((60, 2, 3, 3), 0.5, np.float32))
    readable, refused = survives(lambda: reference(path, worker=worker), path)
    assert readable > 20 and refused > 200


@pytest.mark.parametrize("packed", [True, False])
def test_damaged_clips_are_whole_clips_or_errors(tmp_path, worker, packed):
    film = pictures(np.arange(12) / 30, size=(3, 2))
    path = record(tmp_path, "p1_0", packed=packed, video=film.astype(np.float32) / 255)
    played = 0
    for data in mutants(path.read_bytes(), 300):
        path.write_bytes(data)
        try:
            images = [image for image, _ in clip_of(path, ("video",), 30.0, worker)]
        except ValueError as error:
            assert str(error).startswith("p1_0.mat: ") and len(str(error)) < 600
        else:
            played += 1
            assert np.shape(images) == film.shape and (not packed or np.array_equal(images, film))    # it has a sum
    assert 5 < played < 150
