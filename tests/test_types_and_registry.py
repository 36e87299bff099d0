import numpy as np
import pytest

from rppg_lib import registry
from rppg_lib.types import Clip, Pulse, Recording, Reference


def trace(n=90):
    return 100 + np.random.default_rng(0).normal(size=(n, 3))


@pytest.mark.parametrize("wrong, message", [
    ({}, "needs rgb .* or frames"),
    ({"rgb": trace(), "label": np.zeros(80)}, "one value per frame, got lengths {'rgb': 90, 'label': 80}"),
    ({"rgb": trace()[None]}, "needs one trace"),
    ({"frames": np.zeros((5, 8, 8, 3))}, "of uint8"),
    ({"frames": np.zeros((5, 3, 8, 8), np.uint8)}, r"\(T, H, W, 3\)"),
    ({"rgb": trace(), "fs": 0}, "Clip 'x': fs must be a positive"),
])
def test_a_clip_that_does_not_fit_together_is_an_error(wrong, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Clip(**({"fs": 30, "id": "x"} | wrong))


def test_a_clip_counts_frames_whatever_it_holds():
    assert len(Clip(fs=30, rgb=trace())) == 90
    assert len(Clip(fs=30, frames=np.zeros((5, 8, 8, 3), np.uint8))) == 5


def test_a_pulse_is_one_finite_wave():
    with pytest.raises(ValueError, match="NaN"):
        Pulse(wave=[1, np.nan], fs=30)
    with pytest.raises(ValueError, match=r"one waveform \(T,\)"):
        Pulse(wave=np.zeros((2, 9)), fs=30)


def test_a_recording_opens_its_pictures_afresh_each_time():
    pictures = [np.full((2, 2, 3), i, np.uint8) for i in range(3)]
    recording = Recording(id="a", subject="s", dataset="d", fs=30, pictures=lambda: zip(pictures, (0.0, 0.1, 0.2)))
    first, again = ([(p[0, 0, 0], t) for p, t in recording.pictures()] for _ in range(2))
    assert first == again == [(0, 0.0), (1, 0.1), (2, 0.2)]
    with pytest.raises(TypeError, match="pictures must be a function that opens them, got list"):
        Recording(id="a", subject="s", dataset="d", fs=30, pictures=pictures)
    assert not recording.terms.may_show_faces                        # what is not told is not allowed


@pytest.mark.parametrize("wave, times, message", [
    ([1, 2, 3], [0, 1], r"got \(2,\) times for values \(3,\)"),
    ([1, 2, 3], [0, 2, 2], "value 2 is at 2 s, after 2 s"),
    ([1, 2, 3], [0, np.nan, 2], "must increase strictly"),
    ([1], [0], "two at least"),
])
def test_a_reference_has_a_time_for_each_value(wave, times, message):
    with pytest.raises(ValueError, match=message):
        Reference(wave=wave, times_s=times)


@pytest.mark.parametrize("typo, meant", [("chorm", "chrom"), ("POS", "pos"), ("gren", "green"), ("lg", "lgi")])
def test_a_near_miss_is_answered_with_the_right_name(typo, meant):
    with pytest.raises(ValueError, match=f"Did you mean '{meant}'"):
        registry.build(typo)


def test_a_wrong_option_is_answered_with_the_right_one():
    with pytest.raises(TypeError, match=r"has no option 'windows_s'\. Did you mean 'window_s'\?"):
        registry.build("pos", windows_s=2)


def test_every_registered_method_keeps_the_contract():
    clip = Clip(fs=30, rgb=trace(300))
    assert list(registry.available("method")) == ["chrom", "green", "ica", "lgi", "omit", "pbv", "pos"]
    for name, entry in registry.available("method").items():
        estimator = registry.build(name)
        assert isinstance(estimator, registry.Estimator) and estimator.name == name and entry.cites and entry.summary
        pulse = estimator.predict(clip)
        assert pulse.wave.shape == (300,) and np.isfinite(pulse.wave).all() and pulse.fs == 30
        np.testing.assert_array_equal(pulse.wave, estimator.predict(clip).wave)      # no hidden state


def test_options_reach_the_method():
    clip = Clip(fs=30, rgb=trace(300))
    short, long = (registry.build("pos", window_s=seconds).predict(clip).wave for seconds in (1.6, 3.0))
    assert not np.allclose(short, long)


def test_a_name_is_taken_once_and_a_new_one_is_found_at_once():
    @registry.register("mean_of_channels", cites="none")
    def mean_of_channels(rgb, *, fs):
        """Average the channels."""
        return rgb.mean(-1)

    try:
        assert registry.build("mean_of_channels").predict(Clip(fs=30, rgb=trace())).wave.shape == (90,)
        with pytest.raises(ValueError, match="already taken"):
            registry.register("mean_of_channels", cites="none")(lambda rgb, *, fs: rgb)
    finally:
        del registry._entries["mean_of_channels"]


def test_a_function_elsewhere_that_has_the_same_name_does_not_replace_one_in_silence():
    def pos(rgb, *, fs):
        return rgb[..., 0]

    pos.__qualname__ = "pos"                                         # as if written at the top of another file
    before = registry.build("pos").function
    with pytest.raises(ValueError, match="'pos' is already taken by rppg_lib.signal.methods.pos.pos"):
        registry.register("pos", cites="none")(pos)
    assert registry.build("pos").function is before


def test_a_cell_that_runs_again_replaces_its_own_function():
    def write():
        @registry.register("mine", cites="none")
        def mine(rgb, *, fs):
            return rgb.mean(-1)
        return mine

    try:
        first, second = write(), write()
        assert first is not second and registry.build("mine").function is second
    finally:
        del registry._entries["mine"]


def test_a_trace_method_says_what_it_misses_in_a_clip_of_frames():
    with pytest.raises(ValueError, match="needs a colour trace"):
        registry.build("pos").predict(Clip(fs=30, frames=np.zeros((60, 8, 8, 3), np.uint8)))
