"""The pulse while somebody is being filmed: even times, gaps, and a rate that is that of the film."""

import itertools
import math

import numpy as np
import pytest

from rppg_lib.measurement.live import LiveReading, evenly, live

from ..video.pretend import Pretend

torch = pytest.importorskip("torch")

from rppg_lib.data.normalise import FULL_SCALE  # noqa: E402
from rppg_lib.models import Network, save_network  # noqa: E402
from rppg_lib.models.kdphys import KDPhys  # noqa: E402
from rppg_lib.models.physnet import PhysNet  # noqa: E402

FACE = Pretend(lambda time_s: [(60, 30, 60, 60)])


class Green(Network):
    """Picture by picture, how much less green there is."""

    name, normalise, target = "green", ("raw",), "change"

    def start(self, picture):
        return (picture,)

    def resume(self, frames, state):
        before = torch.cat([state[0][:, :, None], frames[:, :, :-1]], 2)
        return (before - frames)[:, 1].mean((-2, -1)), (frames[:, :, -1],)


def film(times_s, *, bpm=78.0, size=(120, 200)):
    """Grey pictures that pulse, with their times."""
    rng = np.random.default_rng(0)
    for time_s in times_s:
        level = 120 - 6 * np.sin(2 * np.pi * bpm / 60 * time_s)
        yield np.clip(level + rng.normal(0, 2, (*size, 3)), 0, 255).astype(np.uint8), float(time_s)


def green():
    return Green(Green.Config(size_px=16))


def last(readings):
    *_, reading = readings
    return reading


# even times

def test_pictures_at_even_times_stay_as_they_are():
    times = np.arange(20) / 30
    pictures = [picture for picture, _ in film(times, size=(4, 4))]
    made = list(evenly(zip(pictures, times), fs=30.0))
    assert all(np.array_equal(picture, same) for picture, (same, _, _) in zip(pictures, made))
    assert len(made) == 20 and [first for *_, first in made] == [True] + 19 * [False]


@pytest.mark.parametrize("fs", [15.0, 24.0, 25.0, 60.0])
def test_whatever_the_camera_gives_pictures_come_at_the_rate_asked_for(fs):
    times = np.cumsum(np.random.default_rng(1).uniform(0.7, 1.3, 300)) / fs
    ramp = [np.full((1, 1, 3), round(10 * (time_s - times[0])), np.uint8) for time_s in times]
    made = list(evenly(zip(ramp, times), fs=30.0))
    at_s = np.array([time_s for _, time_s, _ in made])
    np.testing.assert_allclose(np.diff(at_s), 1 / 30, atol=1e-9)
    assert times[-1] - at_s[-1] < 1 / 30
    values = np.array([picture[0, 0, 0] for picture, *_ in made])
    assert abs(values - 10 * (at_s - times[0])).max() <= 1.01        # a line stays a line, but for whole numbers


def test_after_a_gap_it_begins_anew_at_the_next_picture():
    times = [0.0, 0.1, 0.2, 0.9, 1.0]
    pictures = [np.full((1, 1, 3), k, np.uint8) for k in range(5)]
    made = list(evenly(zip(pictures, times), fs=10.0))
    assert [(round(time_s, 6), first) for _, time_s, first in made] == [
        (0.0, True), (0.1, False), (0.2, False), (0.9, True), (1.0, False)]
    assert len(list(evenly(zip(pictures, times), fs=10.0, most_s=0.8))) == 11


# readings

@pytest.mark.parametrize("fs", [30.0, 25.0])
def test_the_rate_is_that_of_the_film_and_is_trusted(fs):
    readings = list(live(film(np.arange(int(14 * fs)) / fs), green(), finder=FACE))
    assert isinstance(readings[0], LiveReading) and math.isnan(readings[0].value)
    assert math.isnan(readings[100].hr_bpm) and readings[-1].hr_bpm == pytest.approx(78, abs=1)
    assert np.allclose(np.diff([reading.time_s for reading in readings]), 1 / 30)
    wave = np.array([reading.wave for reading in readings[150:]])
    times = np.array([reading.time_s for reading in readings[150:]])
    assert np.corrcoef(wave, np.sin(2 * np.pi * 1.3 * times))[0, 1] > 0.9


def test_noise_has_a_reading_but_no_rate():
    rng = np.random.default_rng(0)
    noise = ((np.full((120, 200, 3), rng.integers(110, 130), np.uint8), k / 30) for k in range(300))
    reading = last(live(noise, green(), finder=FACE))
    assert math.isfinite(reading.reading_bpm) and reading.quality < 0.5 and math.isnan(reading.hr_bpm)


def test_where_the_face_is_lost_for_long_it_begins_anew():
    gone = Pretend(lambda time_s: [] if 8 <= time_s < 9.5 else [(60, 30, 60, 60)])
    readings = list(live(film(np.arange(450) / 30), green(), finder=gone))
    times = np.array([reading.time_s for reading in readings])
    back = int(np.argmax(np.diff(times))) + 1
    assert times[back] - times[back - 1] > 1 and math.isfinite(readings[back - 1].reading_bpm)
    assert math.isnan(readings[back].value) and math.isnan(readings[back].reading_bpm)
    assert readings[-1].hr_bpm == pytest.approx(78, abs=2)


def test_it_does_not_wait_for_the_end_of_the_film():
    first = list(itertools.islice(live(film(k / 30 for k in itertools.count()), green(), finder=FACE), 30))
    assert first[-1].time_s == pytest.approx(29 / 30)


def test_a_film_without_a_face_gives_nothing():
    assert list(live(film(np.arange(60) / 30), green(), finder=Pretend(lambda time_s: []))) == []


def test_its_values_are_those_of_the_network_on_the_crops():
    from rppg_lib.video import face_crops

    frames = list(film(np.arange(60) / 30))
    crops = np.stack([picture for picture, _ in face_crops(iter(frames), size_px=16, finder=FACE)]) / FULL_SCALE
    values = [reading.value for reading in live(iter(frames), green(), finder=FACE)]
    np.testing.assert_allclose(values[1:], -np.diff(crops[..., 1].mean((1, 2))), atol=1e-6)


def test_the_folder_of_a_checkpoint_will_do(tmp_path):
    save_network(KDPhys(KDPhys.tiny()).eval(), tmp_path / "kd", facts={"fs": 20.0})
    readings = list(live(film(np.arange(60) / 30), tmp_path / "kd", finder=FACE))
    assert len(readings) == 40 and all(math.isfinite(reading.value) for reading in readings[1:])


def test_what_cannot_be_done_is_said_before_the_first_picture():
    with pytest.raises(TypeError, match="needs a network with start and resume, such as kdphys, got physnet"):
        live(film([0.0]), PhysNet(PhysNet.tiny()))
    with pytest.raises(FileNotFoundError, match="there is no folder nowhere"):
        live(film([0.0]), "nowhere")
    with pytest.raises(ValueError, match="live: hop_s must be a number of seconds above 0, got 0"):
        live(film([0.0]), green(), hop_s=0)
    with pytest.raises(ValueError, match="Stream: seconds must be 5 or more"):
        live(film([0.0]), green(), window_s=2)
