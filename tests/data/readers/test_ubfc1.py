import pickle

import numpy as np
import pytest

from rppg_lib.data.readers import ubfc1
from rppg_lib.data.readers.ubfc1 import reference
from rppg_lib.signal import hr_from_spectrum, resample, uniform_times

from .miniature import colours, pulse, video
from .mutants import survives

VIDEO_FS, PULSE_HZ = 28.67, 62.1


def truth(path, *, bpm=72.0, seconds=4.0, wave=None):
    """Write the four columns; the times are whole milliseconds and uneven, the device's rate lags and is wrong."""
    steps = np.random.default_rng(3).uniform(0.9, 1.1, round(seconds * PULSE_HZ)) / PULSE_HZ
    times = np.round(1e3 * np.cumsum(steps)).astype(int)
    wave = 100 + 30 * pulse(times / 1e3, bpm) if wave is None else wave
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{time},50,98,{value:.0f}\n" for time, value in zip(times, wave)))


@pytest.fixture
def copy(tmp_path):
    """Three of the eight, with the videos called as in circulating copies."""
    for name, film, bpm in (("5-gt", "vid.avi", 60.0), ("12-gt", "vid-12.avi", 75.0),
                            ("after-exercise", "vid.avi", 110.0)):
        video(tmp_path / name / film, seconds=4.0, fs=VIDEO_FS, bpm=bpm)
        truth(tmp_path / name / "gtdump.xmp", bpm=bpm)
    return tmp_path


def test_every_person_is_listed_whatever_the_video_is_called(copy, monkeypatch):
    monkeypatch.setattr("rppg_lib.video.open_video", None)                   # listing opens none
    listing = ubfc1.listed(copy)
    assert [each.id for each in listing.recordings] == ["ubfc1 after-exercise", "ubfc1 5", "ubfc1 12"]
    assert [each.condition for each in listing.recordings] == ["after exercise", "sitting still", "sitting still"]
    assert listing.missing == ("6-gt", "7-gt", "8-gt", "10-gt", "11-gt") and not listing.left_out
    assert not any(each.terms.may_show_faces for each in listing.recordings)


def test_pictures_and_pulse_of_a_person_beat_together_by_their_own_clocks(copy):
    for recording, bpm in zip(ubfc1.listed(copy).recordings[:2], (110, 60)):
        recording = pickle.loads(pickle.dumps(recording))
        rgb, times = colours(recording)
        assert np.diff(times) == pytest.approx(1 / VIDEO_FS, rel=0.01)
        label = recording.reference()
        even = uniform_times(label.times_s, fs=60)
        assert hr_from_spectrum(np.interp(even, label.times_s, label.wave), fs=60) == pytest.approx(bpm, abs=1.5)
        at = times[(times >= label.times_s[0]) & (times <= label.times_s[-1])]
        assert np.corrcoef(-resample(rgb[:, 1], times, at_s=at),
                           resample(label.wave, label.times_s, at_s=at))[0, 1] > 0.99


def test_what_is_not_read_is_named_with_the_reason(copy):
    (copy / "5-gt" / "gtdump.xmp").unlink()
    (copy / "12-gt" / "vid-12.avi").rename(copy / "12-gt" / "film.avi")
    (copy / "7-gt").mkdir()
    (copy / "7-gt" / "gtdump.xmp").touch()
    for name in ("vid.avi", "vid-007.avi"):
        (copy / "7-gt" / name).touch()
    (copy / "subject1").mkdir()
    left = {each.what: each.why for each in ubfc1.listed(copy).left_out}
    assert left == {"5-gt": "has no gtdump.xmp", "12-gt": "has no vid*.avi",
                    "7-gt": "has more than one video: vid-007.avi, vid.avi",
                    "subject1": "is not called N-gt or after-exercise"}


@pytest.mark.parametrize("content, message", [
    ("", "is empty"),
    ("\n\n", "got 0 times and 0 values"),
    ("16,60,98,1\n32,60,98\n", "needs 4 numbers with commas between in each line .* got 3 in line 2"),
    ("16 60 98 1\n32 60 98 2\n", "got 1 in line 1"),
    ("time,rate,oxygen,pulse\n16,60,98,1\n", "times: value 1 of 2 is 'time'"),
    ("16,60,98,1\n32,60,98,?\n", "pulse: value 2 of 2 is '\\?'"),
    ("64,60,98,1\n48,60,98,1\n32,60,98,2\n16,60,98,3\n", "3 of 4 times do not increase"),
    ("0.016,60,98,1\n0.032,60,98,2\n0.048,60,98,3\n", "needs milliseconds from the beginning of the video"),
    ("1392643993642,60,98,1\n1392643993658,60,98,2\n", "needs milliseconds from the beginning of the video"),
])
def test_a_damaged_truth_is_one_clear_error(tmp_path, content, message):
    path = tmp_path / "gtdump.xmp"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        reference(path)


def test_a_time_that_comes_twice_is_left_out_and_told(tmp_path):
    path = tmp_path / "gtdump.xmp"
    path.write_text("".join(f"{time},60,98,{time % 7}\n" for time in (*range(0, 800, 16), 784)))
    label = reference(path)
    assert len(label.wave) == 50 and label.notes == ("1 of 51 values left out: their times do not increase",)


def test_a_thousand_damaged_files_are_labels_or_errors(tmp_path):
    path = tmp_path / "gtdump.xmp"
    truth(path, seconds=2.0)
    readable, refused = survives(lambda: reference(path), path)
    assert readable > 20 and refused > 200
