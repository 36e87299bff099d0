"""A film: the same pictures every time, one part switched at a time, with the truth of every frame."""

import dataclasses
import itertools

import numpy as np
import pytest

from rppg_lib import simulate

from .filming import SMALL

SECONDS = 2


def shoot(*scene, who=2, seconds=SECONDS, stage=SMALL, **settings):
    return simulate.film(who, scene=scene, seconds=seconds, stage=stage, **settings)


def pictures(film, count=None):
    return np.stack(list(itertools.islice(film.frames(), count)))


def test_the_same_person_scene_and_seed_give_the_same_pictures_every_time():
    film = shoot(*simulate.SCENES["talking"])
    first = pictures(film, 8)
    assert first.shape == (8, 120, 160, 3) and first.dtype == np.uint8
    assert np.array_equal(first, pictures(film, 8))
    assert np.array_equal(first, pictures(shoot(*simulate.SCENES["talking"]), 8))
    assert not np.array_equal(first, pictures(shoot(*simulate.SCENES["talking"], seed=1), 8))
    assert not np.array_equal(first, pictures(shoot(*simulate.SCENES["talking"], who=3), 8))


def test_two_films_can_be_watched_side_by_side():
    film = shoot(simulate.Turning())
    ahead, behind = film.frames(), film.frames()
    early = [next(ahead) for _ in range(5)]
    assert all(np.array_equal(picture, next(behind)) for picture in early)


@pytest.mark.parametrize("kind", [simulate.Talking, simulate.LightDrift, simulate.Darkness, simulate.NoPulse,
                                  simulate.Compression, simulate.DroppedFrames])
def test_a_disturbance_switched_off_leaves_every_pixel_as_it_was(kind):
    without, off, on = (pictures(shoot(*scene, simulate.Sway()), 4)
                        for scene in ((), (kind(strength=0),), (kind(),)))
    assert np.array_equal(without, off)
    assert not np.array_equal(without, on) or kind is simulate.DroppedFrames


def test_a_change_of_light_changes_neither_pose_nor_noise():
    calm, lit = (shoot(simulate.Sway(), *more) for more in ((), (simulate.LightSteps(size=0.3),)))
    assert np.array_equal(calm.truth.course.yaw_deg, lit.truth.course.yaw_deg)
    assert np.array_equal(calm.truth.skin(3), lit.truth.skin(3))
    one, two = (next(film.frames()).astype(float) for film in (calm, lit))
    ratio = np.exp(lit.truth.effects[1].log_light[0, 1] / 2)         # root coding halves it
    inside = (one > 60) & (one < 200)                                # the noise is the same: what is left is rounding
    assert np.abs(two - one * ratio)[inside].std() < 0.6 + 2 * abs(ratio - 1)


def test_without_any_disturbance_nothing_moves_but_the_blood():
    course = shoot().truth.course
    for each in dataclasses.fields(course):
        if each.name not in ("times_s", "pulse", "delays_s"):
            assert np.ptp(getattr(course, each.name), axis=0).max() == 0, each.name


def test_label_and_times_are_those_of_the_trace_of_the_same_seed():
    film = simulate.film(2, scene="light drift", seconds=5, seed=3, stage=SMALL)
    trace = simulate.trace(2, scene="light drift", seconds=5, seed=3)
    assert np.array_equal(film.label, trace.label)
    assert np.array_equal(film.truth.pulse.beats_s, trace.truth.pulse.beats_s)
    assert np.allclose(film.times_s, np.arange(150) / 30) and len(film) == 150
    assert film.id == trace.id and film.condition == "light drift"


def test_a_damaged_label_is_told_apart_from_the_pulse():
    film = shoot(seconds=10, label_faults=[simulate.Lag(seconds=0.3)])
    assert film.truth.contact.lag_s == 0.3
    assert not np.array_equal(film.label, film.truth.pulse.wave)
    assert np.array_equal(film.label, film.truth.contact.wave)


def test_the_truth_of_a_frame_lies_where_the_face_is():
    film = shoot(simulate.Turning())
    picture = next(film.frames()).astype(float)
    skin, perfusion = film.truth.skin(0), film.truth.perfusion(0)
    assert skin.shape == perfusion.shape == (120, 160) and skin.min() >= 0 and skin.max() <= 1.001
    assert 1000 < skin.sum() < 6000                                  # a face 72 pixels wide
    y, x = np.argwhere(skin > 0.5).mean(0)
    assert abs(x - 80) < 20 and abs(y - 60) < 25
    level = np.interp(film.truth.person.melanin, [0.02, 2.15], [178, 128])
    assert 0.7 * level < picture[skin > 0.9][:, 1].mean() < level + 8            # lower where red would saturate
    with pytest.raises(IndexError, match="frame must be 0 to 59, got 60"):
        film.truth.skin(60)


def test_skin_of_every_tone_is_well_exposed_and_hardly_clipped():
    for melanin in (0.02, 0.42, 2.15):
        film = shoot(who=simulate.person(1, melanin=melanin))
        skin = next(film.frames())[film.truth.skin(0) > 0.9]
        red, green, blue = skin.mean(0)
        assert red > green > blue > 25 and 70 < green < 200
        assert (skin == 255).mean() < 0.01


def test_a_far_face_is_smaller_and_the_whole_person_with_it():
    near, far = (shoot(*scene).truth.skin(0) for scene in ((), (simulate.FarFace(shrinks=2),)))
    assert far.sum() == pytest.approx(near.sum() / 4, rel=0.1)


def test_darkness_brings_noise():
    def noise(*scene):
        a, b = pictures(shoot(*scene, simulate.NoPulse()), 2).astype(float)
        return (a - b).std() / np.sqrt(2)

    assert noise(simulate.Darkness()) > 2 * noise()


def test_a_clip_holds_every_picture_and_a_recording_plays_them():
    film = shoot(seconds=1.6)
    clip = film.clip()
    assert clip.frames.shape == (48, 120, 160, 3) and clip.truth.person is film.truth.person
    assert np.array_equal(clip.label, film.label) and clip.dataset == "simulated"
    recording = film.recording()
    assert recording.terms.may_show_faces and recording.dataset == "simulated"
    pictures, times = zip(*recording.pictures())
    assert np.array_equal(np.stack(pictures), clip.frames) and times == pytest.approx(np.arange(48) / 30)
    label = recording.reference()
    assert np.array_equal(label.wave, film.label) and label.times_s == pytest.approx(times)


def test_progress_is_told_picture_by_picture():
    told = []
    for _ in shoot(seconds=1.6).frames(progress=lambda done, total: told.append((done, total))):
        pass
    assert told[0] == (1, 48) and told[-1] == (48, 48) and len(told) == 48


def test_the_trace_of_a_film_is_the_mean_over_the_true_skin():
    film = shoot(simulate.Sway(), seconds=1.6)
    trace = film.trace()
    assert trace.rgb.shape == (48, 3) and np.array_equal(trace.label, film.label)
    for frame, picture in zip(range(2), film.frames()):
        weights = np.clip((film.truth.skin(frame).astype(float) - 0.5) / 0.48, 0, 1)
        mean = (picture * weights[..., None]).sum((0, 1)) / weights.sum()
        assert trace.rgb[frame] == pytest.approx(mean, abs=1e-3)
    assert film.trace(region="blood").rgb.shape == (48, 3)
    with pytest.raises(ValueError, match="region must be 'skin' or 'blood', got 'nose'"):
        film.trace(region="nose")


def test_dropped_frames_keep_true_stamps_labels_and_pictures():
    part = simulate.DroppedFrames(dropped=0.2, repeated=0.15)
    whole, holed = shoot(simulate.Sway(), seconds=2), shoot(simulate.Sway(), part, seconds=2)
    assert len(holed) < len(whole) == 60 and len(holed.reference) == 60
    assert holed.times_s[0] == 0 and (np.diff(holed.times_s) > 0).all()
    assert np.isin(holed.times_s, whole.times_s).all()
    assert np.array_equal(holed.label, whole.label[holed.truth.arrived])
    seen, all_seen = pictures(holed), pictures(whole)
    assert len(seen) == len(holed.times_s)
    assert np.array_equal(seen, all_seen[holed.truth.shown])
    repeated = np.flatnonzero(np.diff(holed.truth.shown) == 0)
    assert len(repeated) and all(np.array_equal(seen[i], seen[i + 1]) for i in repeated)
    even = holed.trace()
    assert len(even) == 60 and np.array_equal(even.label, whole.label)
    assert len(holed.clip()) == len(holed)
    assert [time_s for _, time_s in holed.recording().pictures()] == list(holed.times_s)


def test_a_compressed_film_says_what_it_takes_and_keeps_its_pictures_in_order():
    clean, mild, hard = (shoot(simulate.Turning(), *codec, seconds=1.6) for codec in (
        (), (simulate.Compression(),), (simulate.Compression(crf=38, preset="veryfast", tune=None),)))
    assert mild.info["kbps"] is None and clean.kbps is None and mild.truth.kbps is None
    original = pictures(clean).astype(int)
    off = {name: np.abs(pictures(film) - original).mean((1, 2, 3)) for name, film in (("mild", mild), ("hard", hard))}
    assert off["mild"].max() < 4 and off["mild"].mean() < off["hard"].mean() < 12
    assert mild.kbps > 3 * hard.kbps > 0 and mild.truth.kbps == mild.kbps == mild.info["kbps"]
    assert np.array_equal(pictures(mild), pictures(mild))


@pytest.mark.parametrize("disturbed", [(simulate.Turning(),), (simulate.Turning(), simulate.DroppedFrames())])
def test_traces_after_several_compressions_are_those_of_films_compressed_one_by_one(disturbed):
    codecs = [simulate.Compression(), simulate.Compression(crf=38, preset="veryfast", tune=None)]
    for codec, clip in zip(codecs, shoot(*disturbed).traces(codecs, region="blood"), strict=True):
        alone = shoot(*disturbed, codec)
        assert np.array_equal(clip.rgb, alone.trace(region="blood").rgb)
        assert np.array_equal(clip.label, alone.trace().label)
        assert clip.truth.kbps == alone.kbps
        assert clip.truth.disturbances == alone.truth.disturbances


def test_what_compresses_already_and_what_compresses_nothing_are_refused():
    codec = simulate.Compression()
    with pytest.raises(ValueError, match="traces: the scene compresses already"):
        shoot(codec).traces([codec])
    for wrong in ([simulate.Sway()], [simulate.Compression(strength=0)], codec):
        with pytest.raises(TypeError, match="traces: needs compressions"):
            shoot().traces(wrong)
    assert shoot().traces([]) == []


def test_a_bit_rate_is_aimed_at():
    film = shoot(simulate.Turning(), simulate.Compression(kbps=300, preset="veryfast", tune=None), seconds=3)
    assert film.kbps == pytest.approx(300, rel=0.5)


def test_a_rolling_shutter_draws_bands_that_a_global_one_does_not():
    lamp = simulate.Flicker(mains_hz=50, exposure_s=0.001)

    def bands(rolling_s):
        stage = dataclasses.replace(SMALL, camera=simulate.FilmCamera(rolling_s=rolling_s))
        flickering, steady = (next(shoot(*scene, stage=stage).frames()).astype(float) for scene in ((lamp,), ()))
        return np.std(np.log(flickering.mean((1, 2)) / steady.mean((1, 2))))

    assert bands(0.02) > 10 * bands(0.0)


def test_crops_have_any_size_and_less_noise_the_smaller_they_are():
    for size in (36, 72, (96, 128)):
        film = simulate.crops(1, size_px=size, seconds=2)
        width, height = film.size_px
        picture = next(film.frames())
        assert picture.shape == (height, width, 3)
        assert film.truth.skin(0).mean() > 0.2                       # most of it is face
    noise = [simulate.crops(1, size_px=size, seconds=2).truth.camera.noise for size in (36, 72, 128)]
    assert noise[0] < noise[1] < noise[2] < simulate.FilmCamera().noise
    assert simulate.crops(1, size_px=400, seconds=2).truth.camera.noise == simulate.FilmCamera().noise


def test_families_and_looks_make_other_faces_of_the_same_person():
    plain, other = (pictures(shoot(stage=dataclasses.replace(SMALL, **change)), 1)
                    for change in ({}, {"look": 17}))
    assert not np.array_equal(plain, other)
    assert shoot(stage=dataclasses.replace(SMALL, look=17)).truth.look == simulate.look(17)
    assert shoot(stage=dataclasses.replace(SMALL, family="B")).truth.look == simulate.look(2, family="B")


@pytest.mark.parametrize("call, message", [
    (lambda: simulate.film(0, scene="turnin"), "film: there is no scene 'turnin'. Did you mean 'turning'"),
    (lambda: simulate.film(0, seconds=1), "at least 1.6"),
    (lambda: simulate.film(0, fs=0), "fs must be a positive number"),
    (lambda: simulate.film(-1), "film: seed must be a whole number"),
    (lambda: simulate.film(0, seed=-1), "seed must be a whole number"),
    (lambda: simulate.film(0, difficulty=-1), "film: difficulty must be"),
    (lambda: simulate.crops(0, size_px=4), "crops: size_px must be width and height"),
    (lambda: simulate.crops(0, size_px=(72, 72, 3)), "crops: size_px must be"),
    (lambda: simulate.crops(0, face_share=0), "crops: face_share must be between 0.1 and 1.5"),
    (lambda: simulate.Stage(size_px=(640.5, 480)), "Stage: size_px must be"),
    (lambda: simulate.Stage(face_px=0), "Stage: face_px must be"),
    (lambda: simulate.Stage(family="C"), "Stage: family must be 'A' or 'B', got 'C'"),
    (lambda: simulate.Stage(lamp=(0, 0, -1)), "the lamp must be in front of the face"),
    (lambda: simulate.Stage(centre=(3,)), "Stage: centre must be 2 numbers"),
    (lambda: next(simulate.crops(0, size_px=37, scene="compressed", seconds=2).frames()), "even width and height"),
    (lambda: simulate.film(0, scene=(simulate.Compression(), simulate.Compression())), "one compression at most"),
])
def test_an_impossible_value_gives_one_error_that_names_it(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("call, message", [
    (lambda: simulate.film("anna"), "film: needs a Person or the seed of one, got 'anna'"),
    (lambda: simulate.film(0, stage="small"), "film: stage must be a Stage"),
    (lambda: simulate.crops(0, stage=72), "crops: stage must be a Stage"),
    (lambda: simulate.Stage(camera=simulate.Camera()), "Stage: camera must be a FilmCamera"),
    (lambda: simulate.film(0, stage=simulate.Stage(look="old")), "Stage: look must be a Look or the seed of one"),
    (lambda: simulate.crops(0, size=36), "unexpected keyword argument 'size'"),
])
def test_a_thing_of_the_wrong_kind_gives_one_error_that_names_it(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_every_name_of_the_package_exists_and_others_do_not():
    for name in simulate.__all__:
        assert getattr(simulate, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'movie'"):
        simulate.movie  # noqa: B018
