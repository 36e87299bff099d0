import numpy as np
import pytest
from scipy.signal import butter, freqz

from rppg_lib import signal

from .field_equations import butterworth, dense_detrend


@pytest.mark.parametrize("frames", [3, 4, 5, 60, 301])
@pytest.mark.parametrize("smoothing", [10, 100])
def test_banded_detrending_equals_the_dense_matrix(frames, smoothing):
    x = np.random.default_rng(frames).normal(size=(2, frames)).cumsum(1)
    expected = np.stack([dense_detrend(row, smoothing) for row in x])
    np.testing.assert_allclose(signal.detrend(x, smoothing=smoothing), expected, atol=1e-8 * smoothing)


def test_detrending_removes_a_line_exactly():
    assert abs(signal.detrend(3.0 + 0.7 * np.arange(500.0))).max() < 1e-6


@pytest.mark.parametrize("hz", [0.3, 0.65, 1.2, 2.0, 4.0, 7.0])
def test_bandpass_scales_a_sine_by_its_response_squared_and_does_not_shift_it(hz):
    t = np.arange(6000) / 30
    out = signal.bandpass(np.sin(2 * np.pi * hz * t), fs=30, band_hz=(0.65, 4.0), order=3)
    _, response = freqz(*butter(3, (0.65, 4.0), btype="bandpass", fs=30), worN=[hz], fs=30)
    middle = slice(1500, 4500)
    expected = abs(response[0]) ** 2 * np.sin(2 * np.pi * hz * t)
    np.testing.assert_allclose(out[middle], expected[middle], atol=2e-3)


@pytest.mark.parametrize("hz", [0.75, 1.2])
def test_bandpass_of_a_piece_is_nearly_that_of_the_whole_up_to_half_a_second_from_its_ends(hz):
    t = np.arange(-3000, 3300) / 30
    whole, piece = 5 + np.sin(2 * np.pi * hz * t + 0.5) + 0.3 * t, slice(3000, 3300)
    expected = signal.bandpass(whole, fs=30, band_hz=(0.65, 4.0))[piece]
    found = signal.bandpass(whole[piece], fs=30, band_hz=(0.65, 4.0))
    control = signal.bandpass(whole[piece], fs=30, band_hz=(0.65, 4.0), pad_frames=9)    # continued by 0.3 s only
    assert abs(found - expected)[15:-15].max() < 0.15 < abs(control - expected)[15:-15].max()


def test_field_bandpass_equals_filtfilt():
    from rppg_lib.signal.filters import field_bandpass
    x = np.random.default_rng(0).normal(size=300)
    for order, low, high in ((1, 0.6, 3.3), (3, 0.7, 2.5)):
        ours = field_bandpass(x, fs=30, band_hz=(low, high), order=order)
        np.testing.assert_allclose(ours, butterworth(x, 30, low, high, order), atol=1e-9)


def test_resampling_by_time_stamps_undoes_a_jittered_clock():
    rng = np.random.default_rng(0)
    stamps = np.sort(np.arange(600) / 30 + rng.uniform(-0.012, 0.012, 600))
    at = signal.uniform_times(stamps, fs=30)
    got = signal.resample(np.sin(2 * np.pi * 1.2 * stamps), stamps, at_s=at)
    assert abs(got - np.sin(2 * np.pi * 1.2 * at)).max() < 0.02
    stretched = np.sin(2 * np.pi * 1.2 * stamps)[:len(at)]           # the control: pretending the clock was even
    assert abs(stretched - np.sin(2 * np.pi * 1.2 * at)).max() > 0.05


def test_resampling_to_a_lower_rate_does_not_fold_fast_parts_into_the_pulse_band():
    t = np.arange(0, 20, 1 / 125)
    mains = np.sin(2 * np.pi * 31.2 * t)                             # picked every 1/30 s, it would look like 1.2 Hz
    at = np.arange(1, 19, 1 / 30)
    assert abs(signal.resample(mains, t, at_s=at)).max() < 0.05
    assert abs(np.interp(at, t, mains)).max() > 0.5                  # the control


def test_resampling_bridges_missing_rows_and_keeps_channels_apart():
    t = np.arange(100) / 10
    rows = np.stack([t, 2 * t, -t], 1)
    rows[40:43] = np.nan
    np.testing.assert_allclose(signal.resample(rows, t, at_s=t), np.stack([t, 2 * t, -t], 1), atol=1e-12)


def test_a_long_gap_is_an_error_that_says_where():
    t = np.r_[0:5:0.1, 7:10:0.1]
    with pytest.raises(ValueError, match=r"2\.10 s without a value after 4\.90 s"):
        signal.resample(t, t, at_s=np.arange(0, 9, 0.1))


def test_repeated_and_backward_time_stamps_are_an_error():
    with pytest.raises(ValueError, match="stamp 2 is 1 s after 1 s"):
        signal.resample([1, 2, 3], [0, 1, 1], at_s=[0.5])


@pytest.mark.parametrize("at_s", [[], [1, 0, 2], [0, 0], [0, np.nan], [[0, 1]]])
def test_the_times_asked_for_must_increase(at_s):
    with pytest.raises(ValueError, match="at_s must be increasing times"):
        signal.resample([1, 2, 3], [0, 1, 2], at_s=at_s, max_gap_s=2)


def test_asking_for_times_outside_the_recording_is_an_error():
    with pytest.raises(ValueError, match="0.00 to 1.00 s"):
        signal.resample([1, 2, 3], [0, 0.5, 1], at_s=[0, 3], max_gap_s=0.6)


def test_standardise_gives_mean_zero_and_spread_one():
    x = signal.standardise(np.random.default_rng(0).gamma(2, size=(4, 200)))
    np.testing.assert_allclose([x.mean(-1), x.std(-1)], [np.zeros(4), np.ones(4)], atol=1e-12)


def test_standardising_a_constant_is_an_error():
    with pytest.raises(ValueError, match="needs a wave that changes"):
        signal.standardise(np.full(50, 0.1))


def test_windows_cover_what_they_say():
    cuts = signal.windows(300, fs=30, window_s=4, step_s=1)
    assert [c.start for c in cuts] == list(range(0, 181, 30)) and {c.stop - c.start for c in cuts} == {120}


@pytest.mark.parametrize("window_s", [60, np.inf])
def test_a_window_longer_than_the_signal_is_the_whole_signal(window_s):
    assert signal.windows(50, fs=10, window_s=window_s) == [slice(0, 50)]


@pytest.mark.parametrize("frames, options, message", [
    (100, {"window_s": 0}, "must be positive"), (100, {"window_s": np.nan}, "must be positive"),
    (100, {"window_s": 1, "step_s": 0}, "must be positive"), (0, {"window_s": 1}, "at least one frame"),
])
def test_windows_of_nothing_are_an_error(frames, options, message):
    with pytest.raises(ValueError, match=message):
        signal.windows(frames, fs=10, **options)


@pytest.mark.parametrize("rest, kept", [(8, False), (9, True), (59, True)])
def test_the_trailing_rule_keeps_nine_frames_or_more(rest, kept):
    cuts = signal.windows(120 + rest, fs=6, window_s=10, keep_trailing=True)
    assert cuts[:2] == [slice(0, 60), slice(60, 120)] and (cuts[2:] == [slice(120, 120 + rest)]) == kept


def test_window_sums_and_overlap_add_equal_loops():
    from rppg_lib.signal.windows import overlap_add, window_sums
    x = np.random.default_rng(0).normal(size=(2, 20, 3))
    np.testing.assert_allclose(window_sums(x, 6), np.stack([x[:, i:i + 6].sum(1) for i in range(15)], 1), atol=1e-12)
    values, expected = x[:, :15], np.zeros((2, 20, 3))
    for i in range(15):
        expected[:, i:i + 6] += values[:, i:i + 1]
    np.testing.assert_allclose(overlap_add(values, 6, 20), expected, atol=1e-12)
