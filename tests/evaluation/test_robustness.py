import hashlib
import re
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage, stats

from rppg_lib.evaluation import FIELD, evaluate, summarise
from rppg_lib.evaluation.robustness import (
    KINDS,
    MODES,
    Degradation,
    degradations,
    degrade,
    face_area,
    face_colours,
    parameters,
    robustness,
)
from rppg_lib.types import Clip, Pulse

from ..checkout import ROOT

PAGE = ROOT / "book/decisions/interference.md"
FIVE = [kind for kind in KINDS if kind != "none"]


def noise_clip(frames=60, size=(40, 48), *, low=0, high=256, seed=0, name="noise", fs=30.0):
    pictures = np.random.default_rng(seed).integers(low, high, (frames, *size, 3), dtype=np.uint8)
    return Clip(id=name, subject="ann", fs=fs, frames=pictures, label=np.sin(np.arange(frames) / 4), condition="still")


def grey_clip(frames, size=(64, 64), level=128, fs=30.0):
    return Clip(id="grey", fs=fs, frames=np.full((frames, *size, 3), level, np.uint8))


def beating_clip(name="ann", *, bpm=72, side=64, seed=0):
    """A flat face in unlike light whose skin follows a beat of 0.5 % in green, and a camera's noise."""
    rng, beat = np.random.default_rng(seed), np.sin(2 * np.pi * bpm / 60 * np.arange(300) / 30)
    skin = np.array([180.0, 130, 110]) * rng.uniform(0.7, 1.1, (side, side, 1))
    light = skin * (1 - 0.006 * np.multiply.outer(beat, [0.33, 0.77, 0.53])[:, None, None])
    pictures = np.rint(light + rng.normal(0, 1, (300, side, side, 3))).clip(0, 255).astype(np.uint8)
    return Clip(id=name, subject=name, fs=30, frames=pictures, label=beat, condition="still")


# --- each kind against an oracle ---

def test_defocus_is_a_gaussian_of_5_by_5_pixels_with_each_frames_sigma():
    clip = noise_clip(6, (20, 24))
    sharp, blurred = clip.frames, degrade(clip, "defocus").frames
    for number, sigma in enumerate(parameters(clip, "defocus")):
        assert 0.5 <= sigma <= 1.5
        y, x = np.mgrid[-2:3, -2:3]
        kernel = np.exp(-(x**2 + y**2) / (2 * sigma**2))
        kernel /= kernel.sum()
        for channel in range(3):
            wanted = ndimage.correlate(sharp[number, ..., channel].astype(float), kernel, mode="mirror")
            assert abs(blurred[number, ..., channel] - wanted).max() < 0.501           # one rounding


def test_noise_has_each_frames_spread_and_no_mean():
    clip = grey_clip(100, (128, 128))
    noise = degrade(clip, "noise").frames - 128.0
    told = 255 * parameters(clip, "noise")
    assert told.min() >= 0 and told.max() <= 25.5 and np.ptp(told) > 20
    pixels = 128 * 128 * 3
    np.testing.assert_allclose(noise.std((1, 2, 3)), np.sqrt(told**2 + 1 / 12), atol=5 * 25.5 / np.sqrt(2 * pixels))
    assert (abs(noise.mean((1, 2, 3))) < 5 * (told + 0.3) / np.sqrt(pixels)).all()
    one, other = noise[np.argsort(told)[-2:]]
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(pixels)    # another noise in each frame
    assert abs(np.corrcoef(one[..., 0].ravel(), one[..., 1].ravel())[0, 1]) < 5 / 128  # and in each colour


def test_lower_resolution_keeps_the_mean_colour_and_loses_fine_detail():
    clip = noise_clip(30, (128, 96))
    coarse = degrade(clip, "resolution").frames
    assert abs(coarse.mean((1, 2)) - clip.frames.mean((1, 2))).max() < 1
    fine = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8) # grey from afar
    board = Clip(id="board", fs=30, frames=np.repeat(fine[None, ..., None], 20, 0).repeat(3, -1))
    assert degrade(board, "resolution").frames.std((1, 2, 3)).max() < 0.25 * fine.std()


def test_resolution_goes_to_between_a_quarter_and_half_of_the_side():
    clip = noise_clip(200, (32, 64))
    share = parameters(clip, "resolution")
    assert share.min() >= 0.25 and share.max() <= 0.5 and np.ptp(share) > 0.24
    # Straight lines between few pixels: a picture of n x m has no more than n x m degrees of freedom.
    seen = degrade(clip, "resolution").frames[..., 0].astype(float)
    ranks = np.linalg.matrix_rank(seen, tol=10)                                        # rounding alone gives up to 4
    assert (ranks <= np.rint(share * 32)).all()


@pytest.mark.parametrize("height, width", [(128, 128), (72, 72), (36, 36), (17, 16), (90, 160)])
@pytest.mark.parametrize("mode", MODES)
def test_occlusion_is_one_black_block_of_a_tenth_of_the_sides_within_the_face(height, width, mode):
    clip = grey_clip(200, (height, width))
    after = degrade(clip, "occlusion", mode=mode).frames
    black, area = (after == 0).all(-1), face_area(height, width)
    h, w = round(height / 10), round(width / 10)
    assert set(np.unique(after)) == {0, 128}
    assert (black.sum((1, 2)) == h * w).all()
    assert (black.any(2).sum(1) == h).all() and (black.any(1).sum(1) == w).all()       # upright and whole
    assert not black[:, ~area].any()
    seen = black.any(0)[area].mean()
    assert seen > 0.5 or mode == "walk"                                                # not always the same place


def test_blocks_lie_anywhere_in_the_face_alike():
    clip = grey_clip(4000, (100, 100))
    centres = np.array([np.argwhere(picture == 0).mean(0) for picture in degrade(clip, "occlusion").frames[..., 0]])
    reach = np.abs(centres - centres.mean(0)).max(0)
    offset = (centres - centres.mean(0)) / reach
    radius = np.hypot(*offset.T).clip(0, 1)
    assert stats.kstest(radius**2, "uniform").statistic < 0.06                         # even on a disc, of pixels
    turn = np.arctan2(*offset.T)
    assert abs(np.cos(2 * turn).mean()) < 0.06 and abs(np.cos(4 * turn).mean()) < 0.06 # in every direction alike


def test_gamma_changes_grey_as_the_power_law_and_keeps_the_order_of_levels():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    clip = Clip(id="ramp", fs=30, frames=np.repeat(levels[None, ..., None], 50, 0).repeat(3, -1))
    for mode in MODES:
        after = degrade(clip, "brightness", mode=mode).frames[..., 0].reshape(50, 256)
        gamma = parameters(clip, "brightness", mode=mode)
        assert gamma.min() >= 0.5 and gamma.max() <= 1.5
        assert (np.diff(after.astype(int)) >= 0).all() and (after[:, 0] == 0).all() and (after[:, -1] == 255).all()
        assert abs(after - 255 * (np.arange(256) / 255) ** gamma[:, None]).max() < 0.501
        assert ((after[:, 100] > 100) == (gamma < 0.99)).mean() > 0.95                 # below 1: lighter


# --- parameters over time ---

@pytest.mark.parametrize("kind", [kind for kind in FIVE if kind != "occlusion"])
def test_iid_parameters_are_even_over_the_range_and_forget_at_once(kind):
    value = parameters(grey_clip(3000, (16, 16)), kind, mode="iid")
    low, high = KINDS[kind].low, KINDS[kind].high
    assert stats.kstest((value - low) / (high - low), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(value[1:], value[:-1])[0, 1]) < 5 / np.sqrt(3000)


@pytest.mark.parametrize("kind", [kind for kind in FIVE if kind != "occlusion"])
@pytest.mark.parametrize("fs", [20, 30, 60])
def test_a_walk_is_smooth_and_uses_the_range_and_leaves_the_band_of_the_pulse_alone(kind, fs):
    frames = 60 * fs
    low, high = KINDS[kind].low, KINDS[kind].high
    clips = [replace(grey_clip(frames, (16, 16), fs=fs), id=f"{number}") for number in range(8)]
    values = np.array([(parameters(clip, kind, mode="walk") - low) / (high - low) for clip in clips])
    assert values.min() >= 0 and values.max() <= 1
    assert np.ptp(values, axis=1).min() > 0.75 and np.ptp(values, axis=1).mean() > 0.9
    assert abs(np.diff(values)).max() * fs < 1.5                                       # range per second
    assert all(np.corrcoef(value[1:], value[:-1])[0, 1] > 0.99 for value in values)
    assert values.std() == pytest.approx(np.sqrt(1 / 12), rel=0.1)
    power = abs(np.fft.rfft((values - values.mean(1, keepdims=True)) * np.hanning(frames))) ** 2
    assert power[:, np.fft.rfftfreq(frames, 1 / fs) > 0.7].sum() < 1e-4 * power.sum()


def test_a_walking_block_moves_a_pixel_at_a_time():
    black = degrade(grey_clip(300, (128, 128)), "occlusion", mode="walk").frames[..., 0] == 0
    corners = np.stack([black.any(2).argmax(1), black.any(1).argmax(1)])
    assert abs(np.diff(corners)).max() <= 4 and np.ptp(corners, axis=1).min() > 10


# --- clips ---

@pytest.mark.parametrize("row", degradations(modes=MODES), ids=str)
def test_strength_0_leaves_pictures_as_they_are_and_is_the_row_without_interference(row):
    clip = noise_clip()
    same = degrade(clip, row.kind, mode=row.mode or None, strength=0)
    np.testing.assert_array_equal(same.frames, clip.frames)
    np.testing.assert_array_equal(same.rgb, degrade(clip, "none").rgb)
    np.testing.assert_array_equal(same.label, clip.label)
    assert (same.fs, same.subject, same.dataset, same.start_s) == (clip.fs, clip.subject, clip.dataset, clip.start_s)


@pytest.mark.parametrize("kind", FIVE)
def test_more_strength_changes_more(kind):
    clip = noise_clip(20, (60, 60))
    change = [abs(degrade(clip, kind, strength=s).frames - clip.frames.astype(float)).mean() for s in (0.3, 0.6, 1)]
    assert 0 < change[0] < change[1] < change[2]


@pytest.mark.parametrize("row", degradations(modes=MODES), ids=str)
def test_pictures_never_share_memory_and_the_clip_given_stays_as_it_was(row):
    clip = noise_clip()
    before = clip.frames.copy()
    clip.frames.setflags(write=False)                                                  # as those of a store are
    after = degrade(clip, row.kind, mode=row.mode or None)
    assert not np.shares_memory(after.frames, clip.frames) and after.frames.dtype == np.uint8
    after.frames[:] = 7
    np.testing.assert_array_equal(clip.frames, before)
    assert clip.rgb is None and clip.id == "noise" and clip.condition == "still"
    assert after.id == f"noise, {row}" and after.condition == f"still, {row}"


def test_the_same_seed_gives_the_same_bits_in_another_process_and_another_seed_or_clip_others():
    code = ("from tests.evaluation.test_robustness import *\n"
            "for row in degradations(modes=MODES):\n"
            "    worse = degrade(noise_clip(), row.kind, mode=row.mode or None, seed=3)\n"
            "    print(hashlib.sha256(worse.frames.tobytes()).hexdigest())")
    there = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    digests = [hashlib.sha256(degrade(noise_clip(), row.kind, mode=row.mode or None, seed=3).frames.tobytes())
               .hexdigest() for row in degradations(modes=MODES)]
    assert there.split() == digests and len(set(digests)) == 11
    clip = noise_clip()
    for kind in FIVE:
        first = degrade(clip, kind, seed=3).frames
        np.testing.assert_array_equal(first, degrade(clip, kind, seed=3).frames)
        assert (first != degrade(clip, kind, seed=4).frames).any()
        assert (first != degrade(replace(clip, id="another"), kind, seed=3).frames).any()


def test_colours_are_the_mean_of_the_central_ellipse_and_see_nothing_else():
    clip = noise_clip(20, (50, 40))
    area = face_area(50, 40)
    y, x = np.argwhere(area).T
    assert area.mean() == pytest.approx(np.pi * 0.29 * 0.22, abs=0.01)
    assert (y.min(), y.max()) == (12, 40) and (x.min(), x.max()) == (11, 28)           # 0.24 to 0.82, 0.28 to 0.72
    wanted = [[picture[area][:, c].astype(float).mean() for c in range(3)] for picture in clip.frames]
    np.testing.assert_allclose(face_colours(clip.frames), wanted, rtol=1e-12)
    other = np.where(area[None, ..., None], clip.frames, 0).astype(np.uint8)
    np.testing.assert_array_equal(face_colours(other), face_colours(clip.frames))


def test_a_trace_that_comes_with_a_clip_is_read_anew_in_every_row():
    clip = replace(noise_clip(), rgb=np.full((60, 3), 99.0))
    for kind in KINDS:
        worse = degrade(clip, kind)
        np.testing.assert_array_equal(worse.rgb, face_colours(worse.frames))


def test_most_of_the_area_is_skin_on_simulated_faces():
    from rppg_lib import simulate

    for person in range(4):
        film = simulate.crops(person, scene="turning", seconds=2, size_px=48)
        skin = film.truth.renderer.skin(film.truth.course, 30)
        assert skin[face_area(48, 48)].mean() > 0.7


# --- the protocol ---

def test_the_protocol_has_none_and_five_kinds_and_always_both_modes_of_brightness():
    rows = degradations()
    assert [row.kind for row in rows] == ["none", *FIVE[:4], "brightness", "brightness"]
    assert rows[0] == Degradation("none") and {row.mode for row in rows[1:5]} == {"iid"}
    assert {row.mode for row in rows[5:]} == set(MODES)
    assert len(degradations(modes=MODES)) == 11 and len(degradations(modes="walk")) == 6
    assert degradations(["noise", "noise"]) == [Degradation("noise", "iid")] == degradations("noise")


def test_green_keeps_the_rate_under_all_but_a_gamma_that_jumps_from_frame_to_frame():
    clips = [beating_clip(f"{seed}", seed=seed, bpm=bpm, side=48) for seed, bpm in enumerate((72, 60, 90, 72, 110))]
    rows = robustness(["green", "pos"], clips)
    assert list(rows.columns[:2]) == ["kind", "mode"] and len(rows) == 7 * 2 * 5
    error, green = abs(rows.hr_pred - rows.hr_true), rows.method == "green"
    jumps = (rows.kind == "brightness") & (rows["mode"] == "iid")
    assert error[green & ~jumps].max() < 1
    assert error[~green & ~jumps & (rows.kind != "noise")].max() < 1                   # POS minds noise more than GREEN
    assert np.median(error[green & jumps]) > 5                                         # whatever the noise says
    table = summarise(rows, by=["method", "kind", "mode"])
    assert table.loc["green"].snr_db.idxmin() == ("brightness", "iid")
    walk, still = (table.loc[("green", *row)].snr_db for row in (("brightness", "walk"), ("none", "")))
    assert still > walk > table.loc[("green", "brightness", "iid")].snr_db + 10


def test_rows_name_the_clips_as_they_are_called_so_that_kinds_can_be_compared():
    clips = [beating_clip("ann", side=20), beating_clip("bob", bpm=90, side=20)]
    rows = robustness("green", iter(clips), kinds=["none", "defocus"], readout=FIELD, window_s=5)
    assert len(rows) == 2 * 2 * 2 and set(rows.clip_id) == {"ann", "bob"} and set(rows.condition) == {"still"}
    plain = evaluate("green", [degrade(clip, "none") for clip in clips], readout=FIELD, window_s=5)
    np.testing.assert_array_equal(rows[rows.kind == "none"].hr_pred, plain.hr_pred)
    assert summarise(rows, by=["method", "kind", "mode"]).subjects.to_list() == [2, 2]


class Breaks:
    """An estimator that cannot stand black pixels."""

    name, cites = "breaks", "none"

    def predict(self, clip):
        if (clip.frames == 0).any():
            raise RuntimeError("black")
        return Pulse(wave=clip.label, fs=clip.fs)


def test_a_method_that_fails_on_one_kind_is_counted_there_and_stops_nothing():
    clips = [beating_clip("ann", side=20), beating_clip("bob", side=20)]
    rows = robustness([Breaks(), "green"], clips, kinds=["none", "occlusion"])
    table = summarise(rows, by=["kind", "method"])
    assert table.failed.to_dict() == {("none", "breaks"): 0, ("none", "green"): 0,
                                      ("occlusion", "breaks"): 2, ("occlusion", "green"): 0}
    assert (rows.note == "RuntimeError: black").sum() == 2


def test_a_clip_that_has_turned_black_is_a_failure_that_says_why():
    clip = replace(beating_clip(side=20), frames=np.zeros((300, 20, 20, 3), np.uint8))
    rows = robustness("pos", clip, kinds=["brightness"])
    assert rows.hr_pred.isna().all() and rows.note.str.contains("colours above 0").all()


def test_clips_are_degraded_one_at_a_time():
    clips = [noise_clip(60, (64, 64), name=f"{n}") for n in range(12)]
    one = clips[0].frames.nbytes
    robustness("green", clips[:1], kinds="noise")                                      # whatever is loaded once
    tracemalloc.start()
    robustness("green", clips, kinds=["none", "noise", "defocus"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3.5 * one


# --- errors ---

@pytest.mark.parametrize("call, message", [
    (lambda clip: degrade(clip, "defocsu"), "degrade: kind must be one of none, defocus, .*Did you mean 'defocus'"),
    (lambda clip: degrade(clip, "noise", mode="wlak"), "degrade: mode must be one of iid, walk, got 'wlak'. Did you "),
    (lambda clip: degrade(clip, "noise", mode=""), "degrade: mode must be one of iid, walk"),
    (lambda clip: parameters(clip, "gamma"), "parameters: kind must be one of"),
    (lambda clip: degradations("brighness"), "degradations: kind .*Did you mean 'brightness'"),
    (lambda clip: degradations(modes="idd"), "degradations: mode .*Did you mean 'iid'"),
    (lambda clip: robustness("pos", clip, kinds=["fog"]), "kind must be one of .*got 'fog'"),
    (lambda clip: robustness("pos", clip, kinds=[]), "robustness: needs at least one kind"),
    (lambda clip: robustness("pos", []), "needs at least one clip"),
    (lambda clip: degrade(clip, "noise", strength=1.5), "degrade: strength must be between 0 and 1, got 1.5"),
    (lambda clip: degrade(clip, "noise", strength=np.nan), "degrade: strength must be"),
    (lambda clip: degrade(clip, "noise", seed=-1), "degrade: seed must be a whole number"),
    (lambda clip: degrade(Clip(id="bare", fs=30, rgb=np.ones((60, 3))), "noise"),
     "degrade: needs pictures .*'bare' has a colour trace only. Make them with"),
    (lambda clip: degrade(noise_clip(size=(64, 15)), "defocus"),
     "degrade: needs pictures of at least 16 x 16 pixels, clip 'noise' has 15 x 64. Cut larger"),
])
def test_what_cannot_be_done_is_a_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(noise_clip())


def test_pictures_without_a_clip_are_an_error():
    with pytest.raises(TypeError, match="degrade: needs a Clip, got ndarray"):
        degrade(noise_clip().frames, "noise")


def test_the_module_loads_neither_torch_nor_opencv():
    code = "import sys, rppg_lib.evaluation.robustness; print(sorted({'torch', 'cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- the page ---

@pytest.mark.slow
def test_the_figures_on_the_page_are_those_that_its_code_gives():
    page, names = PAGE.read_text("utf-8"), {}
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(block, str(PAGE), "exec"), names)
    table = names["table"].sort_index()
    told = re.findall(r"^\| (none|\w+, \w+) \| ([\d.]+) \(.*?\) \| ([\d.]+) \(.*?\) \| ([\d.]+) \(", page, re.MULTILINE)
    assert len(told) == 7
    for row, *figures in told:
        kind, _, mode = row.partition(", ")
        for method, figure in zip(("green", "pos", "chrom"), figures):
            assert float(figure) == pytest.approx(table.mae[kind, mode, method], rel=0.1, abs=0.06), (row, method)
