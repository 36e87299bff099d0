"""The trace: what was put in comes out, each part can be switched alone, and skin has the colours of skin."""

import dataclasses

import numpy as np
import pytest

from rppg_lib import simulate
from rppg_lib.simulate import Camera, Flicker, LightDrift, NoPulse, Turning

DISTURBANCES = [simulate.Sway, simulate.Turning, simulate.Nodding, simulate.Talking, simulate.Jumps,
                simulate.LightDrift, simulate.LightSteps, simulate.Flicker, simulate.Glimmer, simulate.ScreenLight,
                simulate.Darkness, simulate.NoPulse]
PERFECT = Camera(bits=None, full_well=1e12, read_noise=0)
CALM = {"hrv_breath": 0, "hrv_slow": 0, "hrv_noise": 0, "breath_baseline": 0, "breath_amplitude": 0}


def spectral_peak(wave, fs):
    wave = (wave - wave.mean()) * np.hanning(len(wave))
    power = np.abs(np.fft.rfft(wave, 16 * len(wave)))
    return np.fft.rfftfreq(16 * len(wave), 1 / fs)[power.argmax()]


@pytest.mark.parametrize("scene", simulate.TRACE_SCENES)
def test_the_returned_parts_make_up_the_trace_exactly(scene):
    clip = simulate.trace(4, scene=scene, seconds=10)
    truth = clip.truth
    assert np.array_equal(clip.rgb, ((truth.exposed.clean + truth.exposed.noise) + truth.exposed.rounding)
                          + truth.exposed.clipping)
    linear = truth.light * truth.shade[:, None] * (truth.gloss + truth.skin + truth.blood)
    assert np.array_equal(linear, truth.linear)
    assert np.allclose(truth.exposed.clean, 255 * np.sqrt(linear), rtol=1e-14)
    assert np.allclose(truth.intensity[:, None] * truth.light_colour, truth.light, rtol=1e-14)


def test_the_parts_of_a_trace_can_be_rebuilt_from_the_effects_of_its_disturbances():
    truth = simulate.trace(4, scene=(Turning(), LightDrift(), Flicker()), seconds=10).truth
    turning, drift, flicker = truth.effects
    assert np.allclose(np.log(truth.shade), turning.log_shade)
    assert np.allclose(np.diff(np.log(truth.light), axis=0), np.diff(drift.log_light + flicker.log_light, axis=0))
    assert np.allclose(truth.gloss[:, 0], truth.person.gloss * np.exp(turning.log_gloss))


def test_blood_darkens_the_skin_in_the_colour_of_the_pulse():
    truth = simulate.trace(4, scene=(), seconds=10).truth
    depth = -truth.blood / truth.skin                                # relative to the light from within
    assert np.corrcoef(depth[:, 1], truth.pulse.wave)[0, 1] > 1 - 1e-12
    assert np.allclose(depth / depth[:, 1:2], np.array(truth.person.pulse_colour) / truth.person.pulse_colour[1])


@pytest.mark.parametrize("kind", DISTURBANCES)
def test_a_disturbance_of_strength_zero_leaves_every_bit_as_it_was(kind):
    undisturbed = simulate.trace(2, scene=(), seconds=10)
    off = simulate.trace(2, scene=(kind(strength=0),), seconds=10)
    assert np.array_equal(off.rgb, undisturbed.rgb)
    assert np.array_equal(off.label, undisturbed.label)
    assert not np.array_equal(simulate.trace(2, scene=(kind(),), seconds=10).rgb, undisturbed.rgb)


@pytest.mark.parametrize("kind", DISTURBANCES)
def test_switching_one_disturbance_on_changes_no_other_part(kind):
    other = LightDrift() if kind is not LightDrift else Turning()
    alone, both = (simulate.trace(2, scene=scene, seconds=10).truth for scene in ((other,), (kind(), other)))
    assert np.array_equal(alone.pulse.wave, both.pulse.wave)
    assert np.array_equal(alone.effects[0].log_light, both.effects[1].log_light)
    assert np.array_equal(alone.effects[0].log_shade, both.effects[1].log_shade)
    one, two = (truth.exposed.noise / truth.camera.pixel_noise(truth.linear) for truth in (alone, both))
    assert np.allclose(one, two)                                     # same dice, scaled by the light they fell in


@pytest.mark.parametrize("kind", [k for k in DISTURBANCES if k is not NoPulse])
def test_strength_scales_an_effect_and_keeps_its_course(kind):
    once, thrice = (simulate.trace(2, scene=(kind(strength=s),), seconds=10).truth.effects[0] for s in (1, 3))
    for name in ("log_light", "log_shade", "log_gloss", "melanin", "haemoglobin", "log_photons", "log_exposure"):
        assert np.allclose(3 * np.asarray(getattr(once, name)), getattr(thrice, name), rtol=1e-9), name


def test_difficulty_is_a_common_strength():
    hard = simulate.trace(2, scene="turning", seconds=10, difficulty=2)
    by_hand = simulate.trace(2, scene=[d.scaled(2) for d in simulate.SCENES["turning"]], seconds=10)
    assert np.array_equal(hard.rgb, by_hand.rgb)
    assert np.array_equal(simulate.trace(2, scene="turning", seconds=10, difficulty=0).rgb,
                          simulate.trace(2, scene=(), seconds=10).rgb)


def test_two_disturbances_of_one_kind_are_two_and_not_one_twice():
    first, second = simulate.trace(2, scene=(Turning(), Turning()), seconds=10).truth.effects
    assert abs(np.corrcoef(first.log_shade, second.log_shade)[0, 1]) < 0.95


def test_people_and_recordings_share_no_noise_and_the_same_seed_gives_the_same_bits():
    def noise(who, seed):
        return simulate.trace(who, scene="light drift", seconds=10, seed=seed).truth.exposed.noise[:, 0]

    assert np.array_equal(noise(0, 0), noise(0, 0))
    for a, b in (((0, 0), (0, 1)), ((0, 0), (1, 0)), ((1, 0), (0, 1))):
        assert abs(np.corrcoef(noise(*a), noise(*b))[0, 1]) < 0.2
    drifts = [simulate.trace(who, scene="light drift", seconds=10).truth.intensity for who in range(2)]
    assert abs(np.corrcoef(*drifts)[0, 1]) < 0.95


@pytest.mark.parametrize("seed", range(6))
def test_the_pulse_over_the_mean_is_what_the_person_has_and_coding_divides_it_by_gamma(seed):
    sim = simulate.person(seed, **CALM)
    truth = simulate.trace(sim, scene=(), seconds=20, camera=PERFECT).truth
    linear = np.ptp(truth.linear, axis=0) / truth.linear.mean(0)
    assert linear == pytest.approx(sim.ac_dc, rel=0.03)
    for gamma in (1, 2, 2.2):
        rgb = simulate.trace(sim, scene=(), seconds=20, camera=dataclasses.replace(PERFECT, gamma=gamma)).rgb
        assert np.ptp(rgb, axis=0) / rgb.mean(0) == pytest.approx(linear / gamma, rel=0.02)


def test_skin_has_the_pulse_and_the_colours_of_skin():
    people = [simulate.person(seed) for seed in range(200)]
    green = np.array([sim.ac_dc[1] for sim in people])
    assert np.quantile(green, 0.02) > 0.003 and np.quantile(green, 0.98) < 0.0125
    tones = {tone: np.array([sim.ac_dc for sim in people if sim.tone == tone]) for tone in simulate.TONES}
    colour = {tone: np.median(ac / ac[:, 1:2], axis=0) for tone, ac in tones.items()}
    assert colour["I"] == pytest.approx([0.46, 1, 0.66], abs=0.04)
    assert colour["VI"] == pytest.approx([0.54, 1, 0.58], abs=0.04)
    assert np.median(tones["VI"][:, 1]) < 0.9 * np.median(tones["I"][:, 1])      # the haze of gloss thins it


@pytest.mark.parametrize("tone, melanin", list(zip(simulate.TONES, (0.02, 0.18, 0.42, 0.80, 1.40, 2.15))))
def test_every_tone_is_well_exposed_with_red_above_green_above_blue(tone, melanin):
    sim = simulate.person(0, melanin=melanin)
    red, green, blue = simulate.trace(sim, scene=(), seconds=5).rgb.mean(0)
    assert sim.tone == tone
    assert 250 > red > green > blue > 40
    assert 120 < green < 185


def test_gloss_thins_the_pulse_and_has_none_itself():
    dull, shiny = (simulate.person(0, gloss=gloss, **CALM) for gloss in (0, 0.1))
    for sim in (dull, shiny):
        truth = simulate.trace(sim, scene=(), seconds=20, camera=PERFECT).truth
        assert np.ptp(truth.gloss) == 0
    assert (shiny.ac_dc < 0.9 * dull.ac_dc).all()


@pytest.mark.parametrize("mains_hz, fs, alias_hz", [(50, 30, 10), (60, 29, 4), (50, 24, 4), (60, 25, 5), (50, 27, 8)])
def test_flicker_of_the_mains_appears_at_its_alias(mains_hz, fs, alias_hz):
    lamp = Flicker(mains_hz=mains_hz, exposure_s=0)
    truth = simulate.trace(0, scene=(lamp,), seconds=20, fs=fs).truth
    assert alias_hz == min(abs(2 * mains_hz - k * fs) for k in range(10)) == lamp.alias_hz(fs)
    assert spectral_peak(np.log(truth.intensity), fs) == pytest.approx(alias_hz, abs=0.05)


def test_a_shutter_open_for_whole_periods_removes_flicker():
    def ripple(exposure_s):
        clip = simulate.trace(0, scene=(Flicker(exposure_s=exposure_s),), seconds=5, fs=30)
        return np.ptp(clip.truth.effects[0].log_light)

    assert ripple(0.02) < 1e-12 and ripple(0.01) < 1e-12
    assert ripple(0.015) > 0.01
    assert ripple(0.0) == pytest.approx(2 * 0.3, rel=0.2)


@pytest.mark.parametrize("kind, part", [(simulate.Nodding, "log_shade"), (simulate.Glimmer, "log_light")])
def test_rhythms_that_imitate_a_pulse_keep_away_from_its_rate(kind, part):
    for seed in range(20):
        truth = simulate.trace(seed, scene=(kind(),), seconds=30).truth
        wave = np.asarray(getattr(truth.effects[0], part)).reshape(900, -1)[:, 0]
        rate = spectral_peak(wave, 30)
        assert 0.6 < rate < 2.8
        assert min(abs(rate - k * truth.person.hr_bpm / 60) for k in (0.5, 1, 2)) > 0.2


def test_without_a_pulse_nothing_of_it_is_left():
    truth = simulate.trace(0, scene=(NoPulse(),), seconds=10, camera=PERFECT).truth
    assert np.ptp(truth.linear, axis=0) == pytest.approx(0, abs=1e-15)
    assert truth.pulse.wave.std() > 0.1                              # the pulse that is hidden is still told
    assert simulate.trace(0, scene="no pulse", seconds=10, difficulty=0.5).truth.blood.any() == np.False_


def test_neutral_light_keeps_its_colour_and_a_screen_does_not():
    def tint(scene):
        light = simulate.trace(0, scene=scene, seconds=20).truth.light_colour
        return (light / light.mean(0)).std()

    assert tint((simulate.LightSteps(), simulate.Glimmer(), Flicker())) < 1e-12
    assert tint((LightDrift(),)) < 0.001 < 5e-3 < tint((simulate.ScreenLight(),))


def test_the_length_in_frames_is_the_rounded_product():
    assert [len(simulate.trace(0, seconds=s, fs=fs).rgb) for s, fs in ((10, 30), (10, 29.97), (2.51, 25), (5, 7.5))] \
        == [300, 300, 63, 38]


def test_clips_come_person_by_person_and_scene_by_scene_with_names_for_tables():
    made = simulate.clips([3, simulate.person(5, hr_bpm=100)], scenes=["still", "dark"], seconds=5, seed=2)
    assert [(clip.subject, clip.condition) for clip in made] == [
        ("sim0003", "still"), ("sim0003", "dark"), ("sim0005", "still"), ("sim0005", "dark")]
    assert {clip.dataset for clip in made} == {"simulated"}
    assert np.array_equal(made[0].label, made[1].label)
    assert np.array_equal(made[0].rgb, simulate.trace(3, seconds=5, seed=2).rgb)
    assert made[2].truth.pulse.mean_hr_bpm == pytest.approx(100, rel=0.01)
    assert len(simulate.clips(3, scenes="still", seconds=5)) == 3
