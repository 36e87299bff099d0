"""The audit of labels: faults whose place is known are found, sound labels are left alone, lags are read."""

import json

import numpy as np
import pytest

from rppg_lib import signal, simulate
from rppg_lib.evaluation import Labelled, Unread, audit
from rppg_lib.evaluation.audit import BITS
from rppg_lib.evaluation.lag import Lag, common_lag
from rppg_lib.evaluation.segments import cuts_of, examine
from rppg_lib.types import Clip

FPS = 30
HALF_A_FRAME_S = 0.5 / FPS


def contact(person=1, *, seconds=60, faults=(), fs=FPS, **changes):
    truth = simulate.pulse(simulate.person(person, **changes), seconds=seconds, fs=fs, seed=0)
    return simulate.contact_label(truth, faults=faults, seed=0)


def labelled(wave, *, name="one", fs=FPS, **more):
    return Labelled(name=name, label=wave, fs=fs, **more)


def only(what, **settings):
    """Return the audit of one recording."""
    report = audit(what, **settings)
    assert not report.unread
    return report.recordings[0]


def filmed(person=1, *, seconds=60, scene="still", lag_s=0.0, flip=1, faults=()):
    clip = simulate.trace(person, scene=scene, seconds=seconds, label_faults=[simulate.Lag(seconds=lag_s), *faults])
    return labelled(flip * clip.label, rgb=clip.rgb, name=clip.id, subject=clip.subject)


def reasons(recording):
    return {reason for segment in recording.segments for reason in segment.reasons}


# segments

@pytest.mark.parametrize("frames", [3, 47, 299, 1000, 1800, 4321])
def test_every_sample_lies_in_one_segment(frames):
    cuts = cuts_of(frames, fs=30, segment_s=10)
    assert np.array_equal(np.concatenate([np.arange(cut.start, cut.stop) for cut in cuts]), np.arange(frames))
    assert all(200 <= cut.stop - cut.start <= 450 for cut in cuts) or len(cuts) == 1


@pytest.mark.parametrize("fs", [20, 29.97, 64, 250])
@pytest.mark.parametrize("bpm", [48, 72, 120, 170])
def test_a_sound_label_is_good_at_every_rate(fs, bpm):
    recording = only(labelled(contact(2, fs=fs, hr_bpm=bpm).wave, fs=fs))
    assert [segment.verdict for segment in recording.segments] == ["good"] * 6
    truth = contact(2, fs=fs, hr_bpm=bpm).wave
    for segment, cut in zip(recording.segments, cuts_of(len(truth), fs=fs, segment_s=10)):
        assert segment.hr_bpm == pytest.approx(signal.hr_from_spectrum(truth[cut], fs=fs), abs=1)
        assert segment.alike > 0.95 and segment.quality > signal.TRUST and segment.seconds == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("person", range(4))
@pytest.mark.parametrize("steps", [256, 128, 64])
def test_a_label_in_coarse_steps_is_not_called_clipped(person, steps):
    wave = contact(person, hr_bpm=50).wave                           # slow: the longest tops and bottoms
    coarse = np.round((wave - wave.min()) / np.ptp(wave) * (steps - 1))
    assert "clipped" not in reasons(only(labelled(coarse)))


def test_the_scale_and_the_offset_of_a_label_do_not_matter():
    wave = contact(3, faults=simulate.FAULTS["poor"]).wave
    first, second = only(labelled(wave)), only(labelled(1e-4 * wave + 7))
    for a, b in zip(first.segments, second.segments):
        assert (a.verdict, a.reasons) == (b.verdict, b.reasons)
        assert a.snr_db == pytest.approx(b.snr_db, abs=0.01) and a.alike == pytest.approx(b.alike, abs=1e-4)


def test_a_lost_contact_is_flat_and_for_as_long_as_it_lasted():
    label = contact(4, faults=[simulate.LostContact()])
    found = only(labelled(label.wave))
    assert sum(segment.flat_s for segment in found.segments) == pytest.approx(label.damaged().sum() / FPS, abs=0.5)
    for segment, cut in zip(found.segments, cuts_of(1800, fs=FPS, segment_s=10)):
        assert ("flat" in segment.reasons) == bool(label.damaged()[cut].sum() > 2)


def test_a_sensor_that_gives_a_far_value_when_it_is_off_is_flat_and_has_no_spikes():
    wave = contact(4).wave.copy()
    wave[900:1000] = -8.0
    found = only(labelled(wave))
    assert "spikes" not in reasons(found) and "flat" in found.segments[3].reasons and found.count("good") == 5


def test_tops_cut_off_are_clipped_and_the_rhythm_is_still_read():
    label = contact(4, faults=[simulate.Saturation()])
    found = only(labelled(label.wave))
    assert all(segment.reasons == ("clipped",) and segment.verdict == "doubtful" for segment in found.segments)
    assert sum(segment.clipped_s for segment in found.segments) == pytest.approx(label.damaged().sum() / FPS, rel=0.15)


def test_a_label_of_sixteen_bits_that_runs_into_its_end_is_clipped():
    wave = contact(6).wave
    words = np.clip(np.round(wave / np.quantile(wave, 0.9) * 32767), -32768, 32767).astype(np.int16)
    assert reasons(only(labelled(words))) == {"clipped"}


def test_a_spike_is_found_where_it_is():
    wave = contact(5).wave.copy()
    wave[907:913] += [2, 5, 8, 6, 3, 1]
    verdicts = [segment.reasons for segment in only(labelled(wave)).segments]
    assert "spikes" in verdicts[3] and not any("spikes" in found for found in verdicts[:2] + verdicts[4:])


def test_values_that_are_no_numbers_are_counted_and_do_not_spoil_the_rest():
    wave = contact(5).wave.copy()
    wave[660:720] = np.nan
    found = only(labelled(wave)).segments
    assert found[2].missing_s == pytest.approx(2.0) and found[2].verdict == "broken" and "missing" in found[2].reasons
    assert [segment.verdict for k, segment in enumerate(found) if k != 2] == ["good"] * 5


def test_noise_has_no_pulse():
    found = only(labelled(np.random.default_rng(0).normal(size=1800)))
    assert all(segment.verdict == "broken" and "no pulse" in segment.reasons for segment in found.segments)


def test_a_baseline_that_moves_more_than_the_pulse_wanders():
    found = only(labelled(contact(5, faults=[simulate.Wander()]).wave))
    assert reasons(found) == {"wanders"} and not found.count("broken")


def test_noise_for_four_seconds_makes_beats_odd():
    wave = contact(7).wave.copy()
    wave[600:720] = 0.3 * np.random.default_rng(0).normal(size=120)
    found = only(labelled(wave)).segments
    assert "odd beats" in found[2].reasons
    assert [segment.verdict for k, segment in enumerate(found) if k != 2] == ["good"] * 5


@pytest.mark.parametrize("wave, reason", [
    (np.ones(300), "flat"), ([1.0, 2.0, 3.0], "too short"), (np.arange(40.0), "too short"),
    (np.r_[np.ones(299), 2.0], "flat"),
])
def test_what_is_hardly_a_label_is_broken_and_says_why(wave, reason):
    (segment,) = only(labelled(wave)).segments
    assert segment.verdict == "broken" and reason in segment.reasons


@pytest.mark.slow
def test_faults_of_fifty_people_are_found_and_sound_segments_left_alone():
    lost = {"seen": 0, "all": 0, "clean": 0, "alarms": 0}
    for person in range(800, 850):
        for kind in ("clean", "moving hand", "loose", "saturated"):
            label = contact(person, faults=simulate.FAULTS[kind])
            damaged = label.damaged()
            segments, *_ = examine(label.wave, fs=FPS, segment_s=10, band_hz=signal.HR_BAND_HZ)
            for segment, cut in zip(segments, cuts_of(1800, fs=FPS, segment_s=10)):
                if damaged[cut].sum() >= 0.3 * FPS:
                    lost["all"] += 1
                    lost["seen"] += segment.verdict != "good"
                elif not damaged[cut].any():
                    lost["clean"] += 1
                    lost["alarms"] += segment.verdict != "good"
    assert lost["all"] > 400 and lost["clean"] > 400
    assert lost["seen"] / lost["all"] > 0.95
    assert lost["alarms"] / lost["clean"] < 0.02


# lag

@pytest.mark.parametrize("lag_s, flip", [(-0.5, 1), (-0.21, -1), (0.0, 1), (0.25, -1), (0.37, 1), (0.8, -1)])
def test_a_lag_is_found_within_half_a_frame_and_whether_the_label_is_upside_down(lag_s, flip):
    found = only(filmed(2, lag_s=lag_s, flip=flip, seconds=90)).lag
    assert found.certain and abs(found.seconds - lag_s) < HALF_A_FRAME_S
    assert found.upside_down == (flip < 0)


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["still", "turning", "talking"])
def test_a_lag_that_is_called_certain_is_right_and_else_one_of_those_named_is(scene):
    rng = np.random.default_rng(0)
    for person in range(800, 815):
        lag_s, flip = rng.uniform(-0.5, 0.8), rng.choice([-1, 1])
        recording = only(filmed(person, scene=scene, lag_s=lag_s, flip=flip))
        lag = recording.lag
        near = [each for each in (lag.seconds, *lag.rivals_s) if abs(each - lag_s) < 2 * HALF_A_FRAME_S]
        assert len(near) == 1 and recording.upside_down == (flip < 0)
        assert not lag.certain or abs(lag.seconds - lag_s) < HALF_A_FRAME_S


@pytest.mark.parametrize("flip, said", [(1, "the label comes 0.30 s after the face"),
                                        (-1, "the label comes 0.30 s after the face, and is upside down")])
def test_the_lag_is_said_in_words(flip, said):
    assert only(filmed(2, lag_s=0.3, flip=flip, seconds=90)).lag.to_text() == said


def test_an_early_label_comes_before_the_face():
    assert only(filmed(2, lag_s=-0.3, seconds=90)).lag.to_text() == "the label comes 0.30 s before the face"
    assert only(filmed(2, seconds=90)).lag.to_text() == "the label comes with the face"


def test_of_a_rhythm_that_never_changes_the_lag_is_known_only_up_to_a_beat():
    t = np.arange(1800) / FPS
    beat = np.sin(2 * np.pi * 1.25 * t) + 0.4 * np.sin(2 * np.pi * 2.5 * t + 1)
    rgb = [120, 90, 70] * (1 - 0.01 * np.outer(beat, [0.33, 0.77, 0.53]))
    rgb = rgb * (1 + 1e-4 * np.random.default_rng(0).normal(size=rgb.shape))
    lag = only(labelled(np.roll(beat, 6), rgb=rgb)).lag                  # 0.2 s later; a beat is 0.8 s
    assert not lag.certain and lag.seconds == pytest.approx(0.2, abs=HALF_A_FRAME_S)
    assert np.allclose(np.sort(np.diff(sorted([lag.seconds, *lag.rivals_s]))), 0.8, atol=HALF_A_FRAME_S)
    assert lag.to_text().endswith("give or take a beat")


def test_a_sine_fits_upside_down_half_a_beat_later_and_so_nothing_is_said_of_it():
    t = np.arange(1800) / FPS
    beat = np.sin(2 * np.pi * 1.25 * t)
    rgb = [120, 90, 70] * (1 - 0.01 * np.outer(beat, [0.33, 0.77, 0.53]))
    lag = only(labelled(beat, rgb=rgb)).lag
    assert lag.known and lag.upside_down is None and not lag.certain


def test_without_a_pulse_in_the_video_nothing_is_said_of_the_lag():
    noise = 100 + np.random.default_rng(0).normal(size=(1800, 3))
    lag = only(labelled(contact(1).wave, rgb=noise)).lag
    assert not lag.known and "POS finds no pulse" in lag.why and lag.to_text().startswith("lag not known")


def test_a_label_of_somebody_else_is_noticed():
    clip = simulate.trace(simulate.person(3, hr_bpm=62), seconds=60)
    lag = only(labelled(contact(4, hr_bpm=88).wave, rgb=clip.rgb)).lag
    assert not lag.known and "different rates, 2" in lag.why


def test_colours_that_pos_cannot_use_are_said_and_the_label_is_judged_all_the_same():
    rgb = simulate.trace(1, seconds=60).rgb.copy()
    rgb[100] = np.nan
    recording = only(labelled(contact(1).wave, rgb=rgb))
    assert "NaN" in recording.lag.why and recording.count("good") == 6


def test_one_bad_segment_does_not_decide_the_lag():
    what = filmed(2, lag_s=0.25, seconds=90)
    what.label[300:600] = 50 * np.roll(what.label[300:600], 20)
    lag = only(what).lag
    assert lag.seconds == pytest.approx(0.25, abs=HALF_A_FRAME_S)


def test_recordings_that_share_a_lag_know_it_together_where_none_does_alone():
    clips = [filmed(person, lag_s=0.62, seconds=25, scene="turning") for person in range(10)]
    report = audit(clips)
    assert sum(each.lag.certain for each in report.recordings) < 3
    assert report.lag.certain and report.lag.seconds == pytest.approx(0.62, abs=HALF_A_FRAME_S)
    assert "the label comes 0.62 s after the face, 19 frames (fits" in report.to_text()
    assert common_lag([each.lag for each in report.recordings[:4]]) is None


def test_recordings_whose_lags_differ_get_no_common_one():
    lags = np.random.default_rng(2).uniform(-0.5, 0.8, 8)
    report = audit([filmed(person, lag_s=lag_s, seconds=25) for person, lag_s in enumerate(lags)])
    assert not report.lag.certain and "of this: the label" not in report.to_text()


@pytest.mark.parametrize("late, certain", [(0, True), (1, True), (2, False)])
def test_a_common_lag_must_fit_nearly_all(late, certain):
    shifts_s = np.arange(-60, 61) / FPS

    def bump(at_s):
        return Lag(seconds=at_s, upside_down=False, shifts_s=shifts_s, curve=np.exp(-((shifts_s - at_s) / 0.1) ** 2))

    found = common_lag([bump(0.0)] * (5 - late) + [bump(0.4)] * late)
    assert (found.known, found.certain) == (certain, certain)
    assert not certain or (found.seconds == pytest.approx(0, abs=HALF_A_FRAME_S) and found.pieces == 5 - late)


def test_lags_that_differ_are_not_made_one():
    text = audit([filmed(2, lag_s=0.4, seconds=90), filmed(1, lag_s=0.0, seconds=90)]).to_text()
    assert "no single shift is right for all" in text


def test_without_a_video_a_wave_that_rises_slowly_is_suspected_to_be_upside_down():
    for person in range(6):
        wave = contact(person, systolic_rise=0.06, systolic_fall=0.16).wave
        up, down = only(labelled(wave)), only(labelled(-wave))
        assert (up.upside_down, down.upside_down) == (False, True)
        assert [s.verdict for s in up.segments] == [s.verdict for s in down.segments]    # judged the right way up
    assert "upside down?" in audit(labelled(-wave)).to_text()


# codes

def test_codes_are_lloyds_and_all_in_use_for_sound_labels():
    report = audit([labelled(contact(person).wave, name=f"{person}") for person in range(6)])
    assert [step.bits for step in report.steps] == list(BITS)
    for step in report.steps:
        assert len(step.codes) == 2**step.bits and (np.diff(step.codes) > 0).all()
        assert step.in_use == 2**step.bits and 1 < step.perplexity <= 2**step.bits
    gains = np.diff([step.sqnr_db for step in report.steps])
    assert report.steps[0].sqnr_db > 5.5 and (gains > 4.5).all()
    assert all(each.codes_in_use[1] == 2 and each.codes_in_use[5] <= 32 for each in report.recordings)


@pytest.mark.parametrize("steps", [2, 3, 8, 32])
def test_a_label_that_came_in_few_steps_is_named_though_its_codes_do_not_show_it(steps):
    wave = contact(5).wave
    coarse = np.round((wave - wave.min()) / np.ptp(wave) * (steps - 1))
    spiked = np.round(50 * wave / wave.std() + 500)
    spiked[[500, 1000]] = 3000
    report = audit([*(labelled(contact(person).wave, name=f"n{person}") for person in range(3)),
                    labelled(spiked, name="spiked"), labelled(coarse, name="coarse"),
                    labelled(np.ones(300), name="dead")])
    found = {each.name: each for each in report.recordings}
    assert [name for name, each in found.items() if each.coarse] == ["coarse"]
    assert found["coarse"].distinct == steps and found["n0"].distinct == 1800
    text = report.to_text()
    assert f"in only {steps} steps" in text and "few steps (coarse): " in text and "in steps already" not in text
    assert report.to_json()["recordings"][4]["distinct_values"] == steps
    others = [found[name].codes_in_use[5] for name in ("n0", "n1", "n2", "spiked")]
    assert min(others) >= 28 and (steps < 8 or found["coarse"].codes_in_use[5] >= min(others))


def test_broken_segments_take_no_part_in_the_codes():
    wave = contact(1, seconds=120).wave
    half = np.r_[wave[:1800], 40 * np.random.default_rng(0).normal(size=1800)]
    sound, mixed = (audit(labelled(each)).steps[-1].codes for each in (wave[:1800], half))
    np.testing.assert_allclose(mixed, sound, atol=0.15)


# the report

def test_nothing_is_dropped_in_silence():
    report = audit([labelled(contact(1).wave), Unread("torn", "is torn"), labelled([np.nan] * 300, name="empty"),
                    labelled(np.sin(np.arange(300)), name="slow", fs=4.0), labelled(np.full(300, 1e200), name="huge"),
                    Clip(id="bare", fs=30, rgb=np.ones((30, 3)))])
    assert {each.name for each in report.unread} == {"torn", "empty", "slow", "huge", "bare"}
    text = report.to_text()
    assert "5 not read" in text and "torn: is torn" in text and "empty: 0 of 300 values are numbers" in text
    assert len(report.to_json()["unread"]) == 5


def test_rows_and_json_say_what_the_segments_say():
    report = audit([filmed(1, lag_s=0.3, seconds=30), labelled(np.ones(300), name="flat")])
    assert len(report.rows) == 4 and report.rows.reasons.iloc[-1] == "flat"
    assert report.rows.lag_s.iloc[0] == pytest.approx(0.3, abs=HALF_A_FRAME_S) and np.isnan(report.rows.lag_s.iloc[-1])
    plain = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert plain["segments"] == {"good": 3, "doubtful": 0, "broken": 1}
    assert plain["recordings"][1]["lag"] is None and plain["recordings"][1]["segments"][0]["hr_bpm"] is None


def test_the_table_begins_with_the_worst_and_every_fault_comes_with_advice():
    loose = contact(2, faults=simulate.FAULTS["loose"]).wave
    report = audit([labelled(contact(1).wave, name="fine"), labelled(loose, name="loose"),
                    labelled(np.ones(300), name="dead")])
    lines = report.to_text().splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("recording"))
    assert [line.split()[0] for line in lines[first + 1:first + 4]] == ["dead", "loose", "fine"]
    assert any("flat (dead, loose): " in line for line in lines)
    assert "Nothing to mend was found." in audit(labelled(contact(1).wave)).to_text()


def test_a_long_list_is_cut_and_says_so():
    text = audit([labelled(contact(1, seconds=10).wave, name=f"r{k}") for k in range(35)]).to_text()
    assert "and 5 more, none of them worse" in text


def test_a_clip_can_be_audited_as_it_is_and_pictures_stand_in_for_colours():
    clip = simulate.trace(1, seconds=30)
    pictures = np.broadcast_to(np.round(clip.rgb * 1.0)[:, None, None], (900, 4, 4, 3)).astype(np.uint8)
    assert only(clip).lag.known
    films = Clip(id="film", fs=30, frames=pictures, label=clip.label)
    np.testing.assert_allclose(Labelled.of(films).rgb, np.round(clip.rgb), atol=1e-9)


@pytest.mark.parametrize("settings, complaint", [
    ({"segment_s": 0.5}, "audit: segment_s must be 1.6 s or more"),
    ({"segment_s": float("nan")}, "audit: segment_s must be"),
    ({"band_hz": (3, 1)}, "audit: needs 0 < low < high"),
])
def test_wrong_settings_are_refused(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        audit(labelled(contact(1, seconds=10).wave), **settings)


def test_no_label_at_all_is_refused():
    with pytest.raises(ValueError, match="audit: needs at least one label"):
        audit([])


@pytest.mark.parametrize("parts, complaint", [
    ({"label": np.ones((3, 3))}, "one: needs one wave"), ({"label": []}, "one: needs one wave"),
    ({"label": ["a", "b"]}, "label: needs real numbers"), ({"fs": 0}, "fs must be a positive number"),
    ({"label": np.ones(300), "rgb": np.ones((299, 3))}, r"needs one colour \(T, 3\) per value of the label, 300"),
])
def test_parts_that_do_not_fit_are_refused(parts, complaint):
    with pytest.raises(ValueError, match=complaint):
        Labelled(**({"name": "one", "fs": 30, "label": np.ones(300)} | parts))
