import dataclasses
import pickle
import weakref
from functools import partial

import numpy as np
import pytest

from rppg_lib import simulate
from rppg_lib.data import build_store
from rppg_lib.data.readers import read_dataset
from rppg_lib.data.recorded import GAP_S, RecordingSource, evenly, label_at
from rppg_lib.signal import hr_from_spectrum, pos
from rppg_lib.types import Recording, Reference
from rppg_lib.video import write_video
from rppg_lib.video.faces import Choice

from ..video.pretend import Pretend
from .readers.miniature import pulse

FS = 30.0
FACE = (20, 12, 24, 24)                  # x, y, width, height


def beating(times_s, *, bpm=72.0, size=(48, 64)):
    """Yield pictures of one colour that beats; a new array for each."""
    for time_s in times_s:
        beat = 1 - 0.05 * float(pulse(time_s, bpm)) * np.array([0.33, 0.77, 0.53])
        yield np.broadcast_to(np.array([180, 140, 110] * beat), (*size, 3)).astype(np.uint8), float(time_s)


def label(times_s, bpm=72.0):
    return Reference(wave=pulse(times_s, bpm), times_s=times_s)


def recording(times_s, *, label_times=None, **parts):
    label_times = np.arange(-0.2, times_s[-1] + 0.2, 1 / 60) if label_times is None else label_times
    parts = {"pictures": partial(beating, times_s), "reference": partial(label, label_times),
             "condition": "still"} | parts
    return Recording(id="ann 1", subject="ann", dataset="mini", fs=FS, **parts)


@pytest.fixture
def pretend(monkeypatch):
    """Let a face be found where a test says, at whatever time; no model is loaded."""
    def where(boxes=lambda time_s: [FACE]):
        monkeypatch.setattr("rppg_lib.video.faces.choice",
                            lambda name: Choice(name="pretend", make=lambda: Pretend(boxes), ours=False))
    where()
    return where


def played(source):
    playing = source.play()
    pairs = list(playing.pictures)
    return np.array([picture for picture, _ in pairs]), np.array([colour for _, colour in pairs]), playing.ending()


def test_pulse_and_pictures_have_the_same_times_whatever_their_clocks(pretend):
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.6, 1.4, 240)) / FS               # a camera that wavers
    frames, colours, ending = played(RecordingSource(recording=recording(times), size_px=8))
    assert len(frames) == len(colours) == len(ending.label) == pytest.approx(FS * (times[-1] - times[0]), abs=1.5)
    even = times[0] + np.arange(len(frames)) / FS
    assert ending.label == pytest.approx(pulse(even), abs=0.02)      # at its own times, not stretched onto them
    assert np.corrcoef(colours[:, 1], -pulse(even))[0, 1] > 0.99
    assert np.corrcoef(frames[..., 1].mean((1, 2)), -pulse(even))[0, 1] > 0.98
    assert ending.facts["face_missing"] == 0 and ending.facts["from_s"] == pytest.approx(times[0], abs=1e-3)


def test_a_clip_lies_where_there_are_both_pictures_and_pulse(pretend):
    times = np.arange(300) / FS
    told = recording(times, label_times=np.arange(2.0, 7.5, 1 / 60))
    frames, _, ending = played(RecordingSource(recording=told, size_px=8))
    assert ending.facts["from_s"] == pytest.approx(2.0, abs=0.04)
    assert ending.facts["to_s"] == pytest.approx(7.48, abs=0.06) and len(frames) == len(ending.label)
    even = ending.facts["from_s"] + np.arange(len(frames)) / FS
    assert ending.label == pytest.approx(pulse(even), abs=0.02)


def test_evenly_mixed_pictures_are_those_of_linear_interpolation():
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.01, 0.09, 40))
    pictures = rng.integers(0, 256, (40, 2, 3, 3)).astype(np.uint8)
    colours, grid = pictures.mean((1, 2)), []
    pairs = list(evenly(zip(zip(pictures, colours), times), fs=25.0, times=grid))
    assert grid == pytest.approx(times[0] + np.arange(len(pairs)) / 25)
    assert times[-1] - grid[-1] < 1 / 25
    for at, (picture, colour) in zip(grid, pairs):
        want = [np.interp(at, times, each) for each in pictures.reshape(40, -1).T]
        assert picture.ravel() == pytest.approx(want, abs=0.8)       # rounded, and a thousandth of a step is none
        assert colour == pytest.approx([np.interp(at, times, each) for each in colours.T], abs=0.3)


def test_even_pictures_pass_unchanged():
    pictures = np.random.default_rng(2).integers(0, 256, (20, 2, 2, 3)).astype(np.uint8)
    stamps = np.round(np.arange(20) / 30, 3)                         # as a container rounds them
    pairs = evenly(zip(zip(pictures, pictures.mean((1, 2))), stamps), fs=30.0, times=[])
    mixed = [abs(picture.astype(int) - before).max() for (picture, _), before in zip(pairs, pictures)]
    assert max(mixed) <= 255 * 0.04 and len(mixed) >= 19


def test_a_gap_in_the_pictures_is_refused_and_named(pretend):
    times = np.arange(300) / FS
    holed = np.concatenate([times[:100], times[100 + int(FS * GAP_S) + 2:]])
    with pytest.raises(ValueError, match=r"got none between 3.30 and 3.90 s"):
        played(RecordingSource(recording=recording(holed, label_times=times), size_px=8))
    bridged = np.concatenate([times[:100], times[110:]])             # a third of a second
    frames, _, _ = played(RecordingSource(recording=recording(bridged, label_times=times), size_px=8))
    assert len(frames) == 300


def test_a_hole_in_the_pulse_is_refused_and_not_bridged(pretend):
    times = np.arange(300) / FS
    wave = pulse(times)
    wave[100:130] = np.nan
    with pytest.raises(ValueError, match="ann 1: the pulse cannot be put at the pictures' times"):
        label_at("ann 1", Reference(wave=wave, times_s=times), times)


def test_where_the_face_is_lost_its_place_is_kept_and_the_loss_is_counted(pretend):
    pretend(lambda time_s: [] if 3 <= time_s < 6 else [FACE])
    times = np.arange(300) / FS
    frames, colours, ending = played(RecordingSource(recording=recording(times), size_px=8))
    assert ending.facts["face_missing"] == pytest.approx(0.3, abs=0.01)
    even = ending.facts["from_s"] + np.arange(len(frames)) / FS
    assert np.corrcoef(colours[:, 1], -pulse(even))[0, 1] > 0.98     # still read from where the face was


def test_somebody_who_comes_by_is_not_taken_for_the_one_who_is_lost_for_a_moment(pretend):
    other = (0, 0, 12, 12)
    pretend(lambda time_s: [other] if 3 <= time_s < 4 else [FACE])
    source = RecordingSource(recording=recording(np.arange(300) / FS), size_px=8, box="follow")
    squares = []

    def spy(image, square, *, size_px):
        squares.append(square)
        return image[:size_px, :size_px]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rppg_lib.video.crops.cut", spy)
        played(source)
    assert {round(x) for x, _, _ in squares} == {14}                 # never the other's


@pytest.mark.parametrize("boxes, message", [
    (lambda time_s: [], "needs a face, found none in 120 pictures"),
    (lambda time_s: [FACE] if time_s < 1 else [], r"needs a face in at least half of the pictures, found none in \d+"),
])
def test_a_recording_without_a_face_is_refused(pretend, boxes, message):
    pretend(boxes)
    with pytest.raises(ValueError, match=message):
        played(RecordingSource(recording=recording(np.arange(120) / FS), size_px=8))


def test_label_and_video_that_never_meet_are_refused(pretend):
    told = recording(np.arange(300) / FS, label_times=np.arange(60.0, 70.0, 1 / 60))
    with pytest.raises(ValueError, match="See whether video and label belong together"):
        played(RecordingSource(recording=told, size_px=8))


def test_memory_does_not_grow_with_the_length(pretend):
    alive, most = weakref.WeakSet(), []

    class Held(np.ndarray):
        pass

    def long():
        for image, time_s in beating(np.arange(1500) / FS):
            image = image.view(Held)
            alive.add(Token(image))
            most.append(len(alive))
            yield image, time_s

    class Token:                                                     # arrays cannot be hashed
        def __init__(self, image):
            self.image = weakref.ref(image)
            image.token = self

    told = recording(np.arange(1500) / FS, pictures=long)
    for _ in RecordingSource(recording=told, size_px=8).play().pictures:
        pass
    assert len(most) == 1500 and max(most) < 60                      # half a second, and what waits to be looked at


def test_other_files_or_settings_are_another_store_and_another_folder_is_not(tmp_path):
    def settings(folder, size=10, **options):
        folder.mkdir(exist_ok=True)
        (folder / "vid.avi").write_bytes(b"x" * size)
        told = recording(np.arange(90) / FS, files=(folder / "vid.avi",))
        return RecordingSource(recording=told, **options).settings()
    base = settings(tmp_path / "a")
    assert settings(tmp_path / "b") == base
    assert settings(tmp_path / "a", size=11) != base
    assert settings(tmp_path / "a", size_px=36) != base and settings(tmp_path / "a", box="follow") != base


@pytest.mark.parametrize("options, message", [
    ({"size_px": 4}, "size_px must be a whole number"), ({"box": "middle"}, "box must be one of"),
    ({"fs": -1}, "fs must be a positive"), ({"seconds": 0.5}, "seconds must be 2 or more"),
    ({"finder": "eye"}, "finder: needs one of"), ({"every": 0}, "every must be"),
])
def test_wrong_settings_are_one_clear_error(options, message):
    with pytest.raises(ValueError, match=message):
        RecordingSource(recording=recording(np.arange(90) / FS), **options)


@pytest.mark.slow
def test_a_copy_of_a_data_set_becomes_a_store_with_its_pulse(tmp_path):
    """The whole way, with a face that is really looked for."""
    folder = tmp_path / "raw" / "subject1"
    folder.mkdir(parents=True)
    film = simulate.film(simulate.person(5000, hr_bpm=66), scene="still", seconds=8, seed=1,
                         stage=simulate.Stage(size_px=(240, 240), face_px=140))
    write_video(folder / "vid.avi", film.frames(), fs=film.fs, codec="ffv1")
    lines = film.reference, np.full(len(film), 99.0), film.times_s
    (folder / "ground_truth.txt").write_text("\n".join(" ".join(f"{v:.6e}" for v in line) for line in lines))
    told, = read_dataset("ubfc2", tmp_path / "raw").recordings
    source = RecordingSource(recording=told, size_px=36)
    assert pickle.loads(pickle.dumps(source)).settings() == source.settings()
    store = build_store([source], tmp_path, name="mini", jobs=1, progress=False)
    clip = store.clip(0)
    assert (clip.subject, clip.dataset) == ("ubfc2 1", "ubfc2") and clip.frames.shape[1:] == (36, 36, 3)
    assert len(clip) == pytest.approx(240, abs=2)
    assert np.corrcoef(clip.label, film.reference[:len(clip)])[0, 1] > 0.999
    truth = hr_from_spectrum(film.reference, fs=30)
    assert truth == pytest.approx(66, abs=2)                         # hearts vary, in eight seconds too
    for wave in (clip.label, pos(clip.rgb, fs=30)):
        assert hr_from_spectrum(wave, fs=30) == pytest.approx(truth, abs=1)


def test_a_recording_that_fails_is_named_and_the_rest_is_kept(pretend, tmp_path):
    good = recording(np.arange(120) / FS)
    bad = dataclasses.replace(good, id="bob 1", reference=partial(label, np.arange(60.0, 70.0, 0.1)))
    with pytest.warns(UserWarning, match="1 of 2 recordings failed"):
        store = build_store([RecordingSource(recording=each, size_px=8) for each in (good, bad)], tmp_path, name="x",
                            jobs=1, progress=False)
    assert [row["id"] for row in store.failed] == ["bob 1"] and "belong together" in store.failed[0]["error"]


def test_of_a_label_with_gaps_the_longest_stretch_is_taken_and_the_gaps_are_counted(pretend):
    times = np.arange(450) / FS

    def holed():
        wave = pulse(times)
        wave[60:90] = wave[300:330] = np.nan                         # 2 to 3 s, and 10 to 11
        return Reference(wave=wave, times_s=times)
    frames, _, ending = played(RecordingSource(recording=recording(times, reference=holed), size_px=8))
    facts = ending.facts
    assert (facts["from_s"], facts["to_s"], facts["label_gaps"]) == (pytest.approx(3, abs=0.01),
                                                                     pytest.approx(299 / 30, abs=0.04), 2)
    assert ending.label == pytest.approx(pulse(facts["from_s"] + np.arange(len(frames)) / FS), abs=0.02)


def test_a_stranger_who_stays_is_not_taken_for_the_one_who_has_gone(pretend):
    pretend(lambda time_s: [FACE] if time_s < 6 else [(0, 30, 12, 12)])
    times = np.arange(300) / FS
    _, colours, ending = played(RecordingSource(recording=recording(times), size_px=8))
    assert ending.facts["face_missing"] == pytest.approx(0.4, abs=0.01)
    even = ending.facts["from_s"] + np.arange(len(colours)) / FS
    assert np.corrcoef(colours[:, 1], -pulse(even))[0, 1] > 0.98     # read from where the face was, to the end


def test_what_else_decides_a_clip_is_another_store(tmp_path):
    def settings(*, value=b"1", clock=0.0, **parts):
        (tmp_path / "label.csv").write_bytes(value)
        told = recording(np.arange(90) / FS, files=(tmp_path / "label.csv",),
                         reference=partial(label, np.arange(90) / FS, clock), **parts)
        return RecordingSource(recording=told).settings()
    base = settings()
    others = [settings(value=b"2"), settings(clock=0.4), settings(condition="dark"), settings(facts={"tone": "V"})]
    assert base == settings() and base not in others and len({repr(other) for other in others}) == 4


@pytest.mark.parametrize("times, wave, message", [
    (np.arange(90) / 30, np.ones(90), "never changes"),
    (np.arange(90.0), np.arange(90), r"no two values of its label are less than 0.5 s apart \(median 1\)"),
    (np.arange(90) / 30, np.full(90, np.nan), "two values at least that are numbers"),
])
def test_a_label_that_says_nothing_is_refused(pretend, times, wave, message):
    told = recording(np.arange(90) / FS, reference=lambda: Reference(wave=wave, times_s=times))
    with pytest.raises(ValueError, match=message):
        played(RecordingSource(recording=told, size_px=8))


def test_the_command_looks_as_seldom_as_the_source_does():
    from argparse import ArgumentParser

    from rppg_lib.data_command import add_options

    parser = ArgumentParser()
    add_options(parser)
    (field,) = [field for field in dataclasses.fields(RecordingSource) if field.name == "every"]
    assert parser.parse_args(["build"]).every == field.default == 3              # as book/decisions/looks.md says
