"""The verdict follows the wave: a pulse is believed, noise is not, and what is in between is said."""

import numpy as np
import pytest

from rppg_lib import simulate
from rppg_lib.measurement import judge
from rppg_lib.registry import build
from rppg_lib.types import Clip

FS = 30.0
POS = build("pos")


def reading(rgb, *, fs=FS, start_s=0.0, window_s=10.0, hop_s=1.0):
    return judge.read(Clip(rgb=rgb, fs=fs, start_s=start_s), POS, window_s=window_s, hop_s=hop_s)


def face(seconds, *, bpm=72, seed=5, **scene):
    return simulate.trace(simulate.person(seed, hr_bpm=bpm), seconds=seconds, fs=FS, **scene).rgb


def noise(seconds, seed=0):
    return 100 + np.random.default_rng(seed).normal(0, 0.3, (round(seconds * FS), 3))


@pytest.mark.parametrize("bpm", [48, 72, 110, 165])
def test_a_still_face_is_reliable_and_its_rate_is_right(bpm):
    found = reading(face(30, bpm=bpm))
    word, _ = judge.verdict([found])
    assert word == "reliable"
    assert np.median([w.hr_bpm for w in found.windows]) == pytest.approx(bpm, abs=2)


def test_noise_is_not_to_be_trusted_in_nineteen_of_twenty():
    words = [judge.verdict([reading(noise(20, seed))])[0] for seed in range(40)]
    assert words.count("do not trust") >= 38


def test_a_face_without_a_pulse_is_not_to_be_trusted_in_nine_of_ten():
    words = [judge.verdict([reading(face(20, seed=seed, scene="no pulse"))])[0] for seed in range(300, 320)]
    assert words.count("do not trust") >= 18


def test_a_pulse_in_a_third_of_the_time_is_partly_reliable_and_the_sentence_says_when():
    rgb = np.concatenate([face(32), noise(60) - 100 + face(32).mean(0)])
    word, why = judge.verdict([reading(rgb)])
    assert word == "partly reliable" and "from 0 to 3" in why


def test_the_rate_of_a_partly_reliable_film_is_that_of_its_long_span_alone():
    rgb = np.concatenate([face(32, bpm=60), noise(60) - 100 + face(32).mean(0), face(13, bpm=100, seed=6)])
    found = reading(rgb)
    word, _ = judge.verdict([found])
    assert word == "partly reliable" and any(w.trusted and w.start_s > 90 for w in found.windows)
    used = judge.believed([found], word)
    assert used and all(w.start_s < 40 for w in used)
    assert np.median([w.reading_bpm for w in used]) == pytest.approx(60, abs=2)


def test_windows_lie_where_the_clip_lies_and_overlap_by_the_hop():
    found = reading(face(20), start_s=7.0, hop_s=2.0)
    assert [w.start_s for w in found.windows] == [7, 9, 11, 13, 15, 17]
    assert {w.seconds for w in found.windows} == {10.0}


def test_a_clip_shorter_than_the_window_is_one_window():
    found = reading(face(6))
    assert [w.seconds for w in found.windows] == [6.0]


def test_trusted_windows_that_touch_are_one_span():
    found = reading(face(30))
    assert all(w.trusted for w in found.windows)
    assert found.spans() == [(0.0, 30.0)]


def test_beats_are_the_simulators_beats_to_a_few_hundredths_of_a_second():
    clip = simulate.trace(simulate.person(5, hr_bpm=72), seconds=60, fs=FS)
    found = judge.read(clip, POS, window_s=10, hop_s=1)
    true, beats = clip.truth.pulse.intervals_s, np.diff(found.stretch.beats_s)
    assert len(beats) == pytest.approx(len(true), abs=1)
    assert np.median(beats) == pytest.approx(np.median(true), abs=0.01)
    hrv, why = judge.variability([found])
    assert why == "" and hrv.hr_bpm == pytest.approx(72, abs=1)


def test_there_is_no_variability_without_half_a_minute_of_trusted_pulse():
    assert judge.variability([reading(face(20))])[0] is None
    none, why = judge.variability([reading(noise(60))])
    assert none is None and "30 s" in why and "none came" in why


def test_breathing_needs_half_a_minute_and_is_right_when_it_is_clear():
    assert judge.breath([reading(face(20))])[0] is None
    errors = []
    for seed in range(330, 342):
        who = simulate.person(seed)
        found, _ = judge.breath([reading(simulate.trace(who, seconds=60, fs=FS).rgb)])
        if found is not None and found.clear:
            errors.append(abs(found.per_min - 60 * who.breath_hz))
    assert len(errors) >= 3 and np.median(errors) < 1.5


def test_few_frames_a_second_are_enough_for_a_rate_and_for_no_more():
    found = reading(face(60, bpm=66)[::4], fs=7.5)
    assert np.median([w.reading_bpm for w in found.windows]) == pytest.approx(66, abs=3)
    judge.variability([found]), judge.breath([found])                  # may be silent, must not fail


@pytest.mark.parametrize("every", [5, 6, 10])
def test_so_few_frames_that_a_fast_pulse_looks_slow_are_refused(every):
    with pytest.raises(ValueError, match="more than 6 frames per second.*fast pulse"):
        reading(face(30, bpm=165)[::every], fs=FS / every)


def test_a_doubtful_window_between_two_trusted_ones_ends_the_span_and_no_beat_counts_twice():
    rgb = np.concatenate([face(20), noise(8, seed=3) - 100 + face(20).mean(0), face(20)])
    found = reading(rgb)
    starts = [window.start_s for window in found.windows if not window.trusted]
    assert starts
    for begin, end in found.spans():
        assert not any(begin <= start and start + 10 <= end for start in starts)
    assert (np.diff(found.stretch.beats_s) > 0).all()


@pytest.mark.slow
def test_of_still_people_on_film_nineteen_in_twenty_are_believed():
    words = []
    for seed in range(500, 520):
        clip = simulate.crops(seed, size_px=36, scene="still", seconds=10, seed=2).trace()
        words.append(judge.verdict([judge.read(clip, POS, window_s=10, hop_s=1)])[0])
    assert words.count("reliable") >= 19
