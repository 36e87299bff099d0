"""Figures: each draws what it was given, on the Axes it was given, and says what its axes are."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb

from rppg_lib import plots, registry, signal, simulate
from rppg_lib.data import ClipSource, LazySource, build_store
from rppg_lib.data.sources import Ending, Playing
from rppg_lib.evaluation import METRICS, GroupErrors, Labelled, Ranks, RiskCoverage, audit, bland_altman
from rppg_lib.measurement import Measurement, Stretch, Window
from rppg_lib.types import Clip, Lent, Pulse

T = np.arange(300) / 30


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def table(methods=("pos", "chrom"), conditions=("still", "moving", "dark")):
    """Return a summary whose every number is different, so that a mix-up shows."""
    index = pd.MultiIndex.from_product([conditions, methods], names=["condition", "method"]).swaplevel()
    value = 10.0 + np.arange(len(index))
    columns = {}
    for k, name in enumerate(METRICS):
        columns |= {name: value + 100 * k, f"{name}_low": value + 100 * k - 0.25, f"{name}_high": value + 100 * k + 0.5}
    return pd.DataFrame(columns, index=index)


def spectrum():
    return signal.power_spectrum(np.sin(2 * np.pi * 1.2 * T), fs=30)


def agreement(people=20):
    x = np.random.default_rng(0).uniform(50, 120, people)
    return bland_altman(x, x + np.random.default_rng(1).normal(1, 3, people))


STRENGTHS, GROWTH = [0, 1, 2], {"pos": [3.0, 2, 5], "chrom": [4.0, 1, 5]}


def growth():
    """Return a summary by strength and method whose intervals reach 1 below and 2 above."""
    rows = [{"strength": s, "method": name, "mae": v, "mae_low": v - 1, "mae_high": v + 2}
            for name, values in GROWTH.items() for s, v in zip(STRENGTHS, values)]
    return pd.DataFrame(rows).set_index(["strength", "method"])


def measured(trusted=(True, True, False), **changes):
    """Return a measurement of 12 s of a 72-bpm sine, three windows of 10 s."""
    windows = tuple(Window(start_s=float(k), seconds=10.0, reading_bpm=72.0 + k, quality=0.9 - 0.1 * k, trusted=good)
                    for k, good in enumerate(trusted))
    wave = np.sin(2 * np.pi * 1.2 * np.arange(360) / 30)
    stretch = Stretch(start_s=0.0, pulse=Pulse(wave=wave, fs=30), beats_s=np.arange(12.0))
    settings = {"source": "a.mp4", "method": "pos", "region": "skin", "verdict": "reliable", "why": "it repeats itself",
                "hr_bpm": 72.5, "reading_bpm": 73.0, "quality": 0.8, "windows": windows, "stretches": (stretch,),
                "seconds": 12.0, "frames": 360, "face_share": 1.0, **changes}
    return Measurement(**settings)


def audited(*, colours=True, **faults):
    """Return what the audit says of a label of 30 s that is 0.3 s late, with the colours of the face or without."""
    late = [simulate.Lag(seconds=0.3), *faults.get("faults", [])]
    clip = simulate.trace(1, seconds=faults.get("seconds", 30), label_faults=late)
    return audit(Labelled(name="finger", fs=30, label=clip.label, rgb=clip.rgb if colours else None)).recordings[0]


def compared(*, lost=0):
    """Return a comparison of two methods with POS: one clearly worse, one perhaps better."""
    index = pd.MultiIndex.from_tuples([("green", "pos"), ("chrom", "pos")], names=["method", "against"])
    return pd.DataFrame({"difference": [3.0, -0.5], "low": [2.0, -1.5], "high": [4.5, 0.25], "p_holm": [0.0004, 0.4],
                         "lost": [lost, 0], "lost_against": [0, 0]}, index=index)


def ranked(**changes):
    settings = {"methods": ("pos", "chrom", "ica", "green"), "mean_rank": np.array([1.5, 1.75, 2.75, 4.0]), "people": 9,
                "windows": 90, "lost": {}, "people_lost": 0, "statistic": 15.0, "p": 0.002, "alpha": 0.05,
                "critical_difference": 1.3, "groups": (("pos", "chrom", "ica"), ("ica", "green")), **changes}
    return Ranks(**settings)


def refused(method="pos", readable=1.0):
    coverage = np.array([0.25, 0.5, 0.75, 1.0])
    there = np.where(coverage <= readable, 1.0, np.nan)
    error = np.array([1.0, 1.5, 2.5, 4.0]) * there
    return RiskCoverage(method=method, coverage=coverage, error=error, low=error - 0.5, high=error + 0.75,
                        oracle=error - 0.25, random=4.0, readable=readable, area=2.0, area_interval=(1.0, 3.0),
                        gain=0.8, gain_interval=(0.6, 0.9), windows=40, unread=0, unjudged=0, people=8)


def grouped():
    summary = table(conditions=("I", "VI", "unknown")).rename_axis(["method", "group"])
    return GroupErrors(by="skin tone", table=summary.assign(subjects=[6, 5, 4, 4, 1, 1]), gaps=pd.DataFrame())


PICTURE = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
CALLS = {
    "rate": (lambda ax: plots.plot_rate(ax, measured()), "time (s)", "heart rate (bpm)"),
    "picture": (lambda ax: plots.plot_picture(ax, PICTURE), "", ""),
    "look": (lambda ax: plots.plot_look(ax, PICTURE, np.ones((2, 3))), "", ""),
    "map": (lambda ax: plots.plot_map(ax, PICTURE[..., 0] / 255, label="perfusion"), "", ""),
    "wave": (lambda ax: plots.plot_wave(ax, np.sin(T), fs=30), "time (s)", ""),
    "trace": (lambda ax: plots.plot_trace(ax, np.ones((300, 3)), fs=30), "time (s)", "mean skin colour (0-255)"),
    "spectrum": (lambda ax: plots.plot_spectrum(ax, spectrum()), "frequency (beats per minute)", "power (highest = 1)"),
    "bland_altman": (lambda ax: plots.plot_bland_altman(ax, agreement()), "mean of true and measured rate (bpm)",
                     "measured - true (bpm)"),
    "metric": (lambda ax: plots.plot_metric(ax, table()), "mean absolute error (bpm)", ""),
    "learning": (lambda ax: plots.plot_learning(ax, [{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.5}]), "epoch",
                 "loss"),
    "label": (lambda ax: plots.plot_label(ax, audited()), "time (s)", "label"),
    "lag": (lambda ax: plots.plot_lag(ax, audited().lag), "label later than face by (s)", "correlation"),
    "ranks": (lambda ax: plots.plot_ranks(ax, ranked()), "mean rank over 9 people (1 is best)", ""),
    "differences": (lambda ax: plots.plot_differences(ax, compared()),
                    "mean absolute error minus that of pos (bpm)", ""),
    "risk_coverage": (lambda ax: plots.plot_risk_coverage(ax, refused()), "windows kept (% of all)",
                      "mean absolute error (bpm)"),
    "groups": (lambda ax: plots.plot_groups(ax, grouped()), "mean absolute error (bpm)", "skin tone"),
    "growth": (lambda ax: plots.plot_growth(ax, growth()), "strength", "mean absolute error (bpm)"),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_figure_is_drawn_on_the_axes_it_was_given_with_units_and_opens_no_other(ax, name):
    call, x_label, y_label = CALLS[name]
    others = plt.get_fignums()
    assert call(ax) is ax and plt.get_fignums() == others
    assert (ax.get_xlabel(), ax.get_ylabel()) == (x_label, y_label)


def test_every_plot_function_is_among_those_tested():
    assert {name for name in dir(plots) if name.startswith("plot_")} == {f"plot_{name}" for name in CALLS}


def test_segments_of_a_label_have_the_look_of_their_verdict_and_their_reasons_above(ax):
    found = audited(faults=[simulate.LostContact()])
    plots.plot_label(ax, found)
    assert [patch.get_facecolor()[:3] for patch in ax.patches] == [
        to_rgb(plots.VERDICT_LOOKS[segment.verdict][0]) for segment in found.segments]
    assert [text.get_text() for text in ax.texts] == ["\n".join(segment.reasons) for segment in found.segments]
    assert len({(colour, hatch) for colour, _, hatch in plots.VERDICT_LOOKS.values()}) == 3
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), found.label)


def test_of_many_segments_only_the_looks_are_shown(ax):
    plots.plot_label(ax, audited(colours=False, seconds=150))
    assert not ax.texts and len(ax.patches) == 15


@pytest.mark.parametrize("label, rgb, said", [
    (np.ones(300), None, "no colours of a video"), (np.sin(T * 7), np.full((300, 3), 9.0), "channel R never changes"),
])
def test_an_audited_label_without_a_lag_has_a_figure_that_says_why(label, rgb, said):
    figure = plots.audit_figure(audit(Labelled(name="finger", fs=30, label=label, rgb=rgb)).recordings[0])
    texts = " ".join(text.get_text().replace("\n", " ") for ax in figure.axes for text in ax.texts)
    assert said in texts and "finger: " in figure.get_suptitle()
    plt.close(figure)


def test_an_audited_label_shows_its_beats_and_its_lag():
    found = audited()
    figure = plots.audit_figure(found)
    beats, lag = (next(ax for ax in figure.axes if ax.get_xlabel().startswith(name)) for name in ("steepest", "label"))
    assert len(beats.lines) == len(found.beats) + 1
    np.testing.assert_array_equal(beats.lines[-1].get_ydata(), found.template)
    np.testing.assert_array_equal(lag.lines[0].get_ydata(), found.lag.curve)
    assert "+0.30 s" in [text.get_text() for text in lag.texts]
    plt.close(figure)


@pytest.mark.parametrize("kind", [np.asarray, list, pd.Series])
def test_a_wave_is_drawn_at_its_times_and_heights_and_named_at_its_end(ax, kind):
    wave = np.sin(7 * T)
    plots.plot_wave(ax, kind(wave), fs=30, start_s=2.0, offset=5.0, label="chest", colour="#0072B2")
    line, = ax.lines
    np.testing.assert_allclose(line.get_xdata(), 2 + T)
    np.testing.assert_allclose(line.get_ydata(), wave + 5)
    name, = ax.texts
    assert (name.get_text(), name.get_color(), line.get_color()) == ("chest", "#0072B2", "#0072B2")
    assert name.xy == pytest.approx((2 + T[-1], wave[-1] + 5))


def test_a_wave_without_a_name_is_black_like_all_truth_and_has_no_text(ax):
    plots.plot_wave(ax, np.sin(T), fs=30)
    assert ax.lines[0].get_color() == plots.TRUTH == "black" and not ax.texts


def test_a_trace_shows_three_channels_each_under_its_own_name(ax):
    rgb = np.random.default_rng(0).normal(size=(300, 3)) + [120, 90, 70]
    plots.plot_trace(ax, rgb, fs=30)
    np.testing.assert_allclose([line.get_ydata() for line in ax.lines], rgb.T)
    assert [text.get_text() for text in ax.texts] == ["R", "G", "B"]
    for text, line, strongest in zip(ax.texts, ax.lines, range(3)):
        assert text.get_color() == line.get_color() and np.argmax(to_rgb(line.get_color())) == strongest


def test_a_spectrum_is_drawn_over_beats_per_minute_with_its_highest_point_at_one(ax):
    given = spectrum()
    plots.plot_spectrum(ax, given, band_bpm=(40, 180), true_bpm=75, label="POS", colour="#0072B2")
    line, truth = ax.lines
    inside = (given.freq_hz >= 40 / 60) & (given.freq_hz <= 3)
    np.testing.assert_allclose(line.get_xdata(), 60 * given.freq_hz[inside])
    np.testing.assert_allclose(line.get_ydata(), given.power[inside] / given.power[inside].max())
    assert line.get_xdata()[np.argmax(line.get_ydata())] == pytest.approx(72, abs=0.5)
    assert set(truth.get_xdata()) == {75} and truth.get_color() == plots.TRUTH
    assert ax.get_xlim() == (40, 180) and ax.get_legend_handles_labels()[1] == ["POS"]


def test_a_spectrum_without_a_truth_has_no_line_for_it(ax):
    assert len(plots.plot_spectrum(ax, spectrum()).lines) == 1


def test_agreement_shows_every_pair_the_bias_and_both_limits_with_their_intervals(ax):
    given = agreement()
    plots.plot_bland_altman(ax, given)
    points, *lines = ax.lines
    np.testing.assert_allclose(points.get_xydata(), np.c_[given.mean_bpm, given.difference_bpm])
    heights = [given.bias, given.low, given.high]
    assert [line.get_ydata()[0] for line in lines] == heights
    assert [text.get_text() for text in ax.texts] == [f"{name} {value:.1f}" for name, value in
                                                      zip(("mean", "-1.96 sd", "+1.96 sd"), heights)]
    bands = [(band.get_y(), band.get_y() + band.get_height()) for band in ax.patches]
    np.testing.assert_allclose(bands, [given.bias_interval, given.low_interval, given.high_interval])


def test_agreement_of_one_person_has_no_intervals_and_draws_none(ax):
    given = bland_altman([60, 70, 80], [61, 70, 82], subjects=["a"] * 3)
    assert np.isnan(given.bias_interval).all()
    assert not plots.plot_bland_altman(ax, given).patches and len(ax.lines) == 4


def drawn_points(ax):
    """Return per method in the legend: values, rows, intervals as (row, low, high), colour and marker."""
    found = {}
    for line, name, bars in zip(*ax.get_legend_handles_labels(), ax.collections, strict=True):
        assert to_hex(bars.get_color()) == to_hex(line.get_color())
        spans = [(bar[0, 1], *bar[:, 0]) for bar in bars.get_segments()]
        found[name] = (line.get_xdata(), line.get_ydata(), spans, to_hex(line.get_color()), line.get_marker())
    return found


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_is_a_point_with_its_interval_in_the_row_of_its_condition(ax, metric):
    given = table()
    plots.plot_metric(ax, given, metric=metric)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["still", "moving", "dark"]
    assert ax.get_xlabel() == plots.UNITS[metric]
    found = drawn_points(ax)
    assert list(found) == ["pos", "chrom"] == [text.get_text() for text in ax.figure.legends[0].get_texts()]
    for method, (value, at, spans, colour, marker) in found.items():
        rows = given.xs(method, level="method").loc[["still", "moving", "dark"]]
        np.testing.assert_allclose(value, rows[metric])
        np.testing.assert_allclose(spans, np.c_[at, rows[[f"{metric}_low", f"{metric}_high"]]])
        np.testing.assert_array_equal(np.round(at), [0, 1, 2])
        assert (colour, marker) == (plots.method_look(method)[0].lower(), plots.method_look(method)[1])
    assert ax.yaxis_inverted()                                       # the first condition is at the top


def test_many_methods_stay_in_the_row_of_their_condition_and_apart(ax):
    plots.plot_metric(ax, table(methods=tuple(registry.available("method"))))
    at = np.array([found[1] for found in drawn_points(ax).values()])
    assert (abs(at - [0, 1, 2]) < 0.5).all() and (np.diff(at, axis=0) > 0.05).all()


def test_a_missing_combination_leaves_a_gap_and_moves_nothing(ax):
    given = table().drop(("pos", "moving"))
    plots.plot_metric(ax, given)
    value, at, spans, *_ = drawn_points(ax)["pos"]
    assert np.isnan(value[1]) and list(value[[0, 2]]) == list(given.mae[[("pos", "still"), ("pos", "dark")]])
    assert [row for row, _, _ in spans] == list(at[[0, 2]])


def test_a_value_without_an_interval_is_a_point_alone(ax):
    given = table()
    given[["mae_low", "mae_high"]] = np.nan
    value, _, spans, *_ = drawn_points(plots.plot_metric(ax, given))["pos"]
    assert np.isfinite(value).all() and spans == []


def test_an_interval_is_drawn_where_it_lies_even_beside_its_value(ax):
    given = table(methods=("pos",), conditions=("still",)).assign(mae=1.0, mae_low=2.0, mae_high=3.0)
    *_, (span,), _, _ = drawn_points(plots.plot_metric(ax, given))["pos"]
    assert span == (0, 2, 3)


def test_a_wrong_metric_or_table_is_one_clear_error(ax):
    with pytest.raises(ValueError, match="no metric is called 'maee'. There are mae, rmse"):
        plots.plot_metric(ax, table(), metric="maee")
    with pytest.raises(ValueError, match="by method and condition, got one by method"):
        plots.plot_metric(ax, table().xs("dark", level="condition"))


def test_every_metric_has_a_unit():
    assert list(plots.UNITS) == list(METRICS)


def test_growth_is_a_line_and_a_band_for_each_method_named_at_its_end_and_readable(ax):
    plots.plot_growth(ax, growth())
    for line, band, (name, values) in zip(ax.lines, ax.collections, GROWTH.items(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.c_[STRENGTHS, values])
        assert (line.get_color(), line.get_marker()) == plots.method_look(name)
        low, high = band.get_paths()[0].get_extents().get_points()[:, 1]
        assert (low, high) == (min(values) - 1, max(values) + 2)
    assert {text.get_text(): text.xy for text in ax.texts} == {name: (2, values[-1]) for name, values in GROWTH.items()}
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert min(np.diff(heights)) >= 0.06 * np.ptp(ax.get_ylim())


@pytest.mark.parametrize("kind, looks", [("method", plots.METHOD_LOOKS), ("network", plots.NETWORK_LOOKS)])
def test_everything_registered_has_a_colour_and_a_marker_of_its_own(kind, looks):
    assert set(looks) == set(registry.available(kind))
    colours, markers = zip(*looks.values())
    assert len(set(colours)) == len(set(markers)) == len(colours)
    assert plots.TRUTH not in colours and plots.method_look("unheard of") not in looks.values()


def test_a_control_is_grey_with_the_marker_of_its_network():
    assert plots.method_look("physnet, untrained") == ("#999999", plots.method_look("physnet")[1])


def test_a_learning_curve_shows_what_is_learned_from_as_a_line_and_held_out_people_as_dots(ax):
    rows = [{"epoch": 1, "loss": 0.9, "validation_loss": 1.0}, {"epoch": 2, "loss": 0.5, "validation_loss": 0.7}]
    plots.plot_learning(ax, rows)
    seen, held = ax.lines
    assert seen.get_xydata().tolist() == [[1, 0.9], [2, 0.5]] and seen.get_linestyle() == "-"
    assert held.get_xydata().tolist() == [[1, 1.0], [2, 0.7]] and held.get_marker() == "o"
    assert [text.get_text() for text in ax.texts] == ["learned from", "held out"]
    assert all(float(tick).is_integer() for tick in ax.get_xticks())


def test_a_learning_curve_without_validation_is_one_line(ax):
    assert len(plots.plot_learning(ax, [{"epoch": 1, "loss": 0.9}]).lines) == 1


@pytest.mark.parametrize("looks", [plots.METHOD_LOOKS, plots.NETWORK_LOOKS])
def test_no_two_methods_have_nearly_the_same_colour(looks):
    colours = np.array([to_rgb(colour) for colour, _ in looks.values()])
    apart = np.linalg.norm(colours[:, None] - colours, axis=-1) + 9 * np.eye(len(colours))
    assert apart.min() > 0.25


def test_the_style_loads_and_is_what_figures_then_have():
    with plt.rc_context():
        plt.rcdefaults()
        before = plt.rcParams["axes.spines.top"]
        plots.use_style()
        assert before and not plt.rcParams["axes.spines.top"] and not plt.rcParams["axes.spines.right"]
        assert plt.rcParams["figure.facecolor"] == "white"


def test_rates_to_be_trusted_and_others_are_told_apart_by_shape_and_counted(ax):
    plots.plot_rate(ax, measured())
    good, doubtful = ax.lines
    assert list(good.get_xdata()) == [5, 6] and list(good.get_ydata()) == [72, 73]
    assert list(doubtful.get_xdata()) == [7] and good.get_marker() != doubtful.get_marker()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["trusted (2)", "do not trust (1)"]


def test_the_figure_of_a_measurement_says_rate_and_verdict_and_shows_the_best_window():
    figure = plots.measurement_figure(measured())
    assert "72.5 bpm" in figure.get_suptitle() and "reliable" in figure.get_suptitle()
    wave = figure.axes[1].lines[0]
    assert wave.get_xdata()[0] == 0 and len(wave.get_xdata()) == 300
    plt.close(figure)


def test_the_figure_of_a_measurement_without_trust_shows_no_rate():
    figure = plots.measurement_figure(measured((False, False), verdict="do not trust", hr_bpm=np.nan))
    assert figure.get_suptitle().startswith("no rate: do not trust")
    plt.close(figure)


def test_outlines_are_closed_and_named_on_the_picture(ax):
    square = np.array([[2, 3], [10, 3], [10, 9], [2, 9]])
    plots.plot_picture(ax, PICTURE, outlines={"cheek": square})
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [*square, square[0]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["cheek"]


def test_where_a_network_looks_lies_over_the_whole_picture(ax):
    look = np.zeros((2, 3))
    look[0, 2] = 1
    plots.plot_look(ax, PICTURE, look, title="student")
    below, above = ax.get_images()
    assert list(below.get_extent()) == list(above.get_extent()) == [-0.5, 29.5, 19.5, -0.5]
    assert "student" in {ax.get_title(loc=place) for place in ("left", "center")}
    np.testing.assert_array_equal(above.get_array(), look)


def test_ranks_are_markers_on_the_axis_names_at_its_ends_and_bars_over_what_is_not_told_apart(ax):
    given = ranked()
    plots.plot_ranks(ax, given)
    markers = [line for line in ax.lines if line.get_marker() in {plots.method_look(name)[1] for name in given.methods}]
    assert [line.get_xdata()[0] for line in markers] == list(given.mean_rank)
    assert [line.get_color() for line in markers] == [plots.method_look(name)[0] for name in given.methods]
    *names, scale = ax.texts
    assert [text.get_text() for text in names] == ["pos 1.50", "chrom 1.75", "2.75 ica", "4.00 green"]
    assert {text.xy[0] for text in names[:2]} == {1} and {text.xy[0] for text in names[2:]} == {4}
    for side in (names[:2], names[2:]):
        assert abs(np.diff([text.xy[1] for text in side])) >= 1       # rows of their own
    assert names[0].xy[1] == names[3].xy[1] < names[1].xy[1]          # the outermost above, so that no lines cross
    bars = [line for line in ax.lines if line.get_linewidth() == 4]
    assert [tuple(bar.get_xdata()) for bar in bars] == [pytest.approx((1.5, 2.75), abs=0.05),
                                                        pytest.approx((2.75, 4.0), abs=0.05)]
    assert len({bar.get_ydata()[0] for bar in bars}) == 2 and {bar.get_color() for bar in bars} == {plots.TRUTH}
    ruler = next(line for line in ax.lines if line.get_marker() == "|")
    assert np.ptp(ruler.get_xdata()) == pytest.approx(1.3) and scale.get_text().startswith("critical difference 1.30")
    assert "p = 0.002" in scale.get_text() and ax.get_xlim() == (1, 4)


def test_ranks_without_groups_have_no_bars(ax):
    plots.plot_ranks(ax, ranked(groups=(), p=1e-9))
    assert not [line for line in ax.lines if line.get_linewidth() == 4] and "p < 0.001" in ax.texts[-1].get_text()


def test_a_difference_is_a_marker_with_its_interval_filled_where_it_is_clear(ax):
    given = compared()
    plots.plot_differences(ax, given)
    markers = [line for line in ax.lines if len(line.get_xdata()) == 1]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in markers] == [(3.0, 0), (-0.5, 1)]
    assert [line.get_markerfacecolor() for line in markers] == [plots.method_look("green")[0], "white"]
    spans = [(bar[0, 1], *bar[:, 0]) for bars in ax.collections for bar in bars.get_segments()]
    assert spans == [(0, 2.0, 4.5), (1, -1.5, 0.25)]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["green", "chrom"]
    assert [text.get_text() for text in ax.texts] == ["p (Holm)", "< 0.001", "0.400"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]                       # the first line is at the top


def test_windows_that_were_left_out_of_a_difference_stand_beside_it(ax):
    plots.plot_differences(ax, compared(lost=12))
    assert [text.get_text() for text in ax.texts][3:] == ["lost", "12 | 0", "0 | 0"]


def test_differences_of_every_pair_are_named_by_both(ax):
    given = compared().rename(index={"pos": "ica"}, level="against").iloc[:1]
    plots.plot_differences(ax, pd.concat([given, compared().iloc[1:]]))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["green - ica", "chrom - pos"]
    assert ax.get_xlabel() == "mean absolute error minus that of the second (bpm)"
    with pytest.raises(ValueError, match="by method and against, got one by method, condition"):
        plots.plot_differences(ax, table())


def test_what_refusing_buys_is_a_line_between_chance_and_the_oracle_with_its_band(ax):
    given = refused()
    plots.plot_risk_coverage(ax, given)
    quality, oracle, chance, end = ax.lines
    np.testing.assert_array_equal(quality.get_xydata()[:4], np.c_[100 * given.coverage, given.error])
    np.testing.assert_array_equal(oracle.get_ydata()[:4], given.oracle)
    assert set(chance.get_ydata()) == {4.0} and (end.get_xdata()[0], end.get_ydata()[0]) == (100, 4.0)
    assert len({line.get_linestyle() for line in (quality, oracle, chance)}) == 3
    assert {line.get_color() for line in ax.lines} == {plots.method_look("pos")[0]}
    low, high = ax.collections[0].get_paths()[0].get_extents().get_points()[:, 1]
    assert (low, high) == (0.5, 4.75) and ax.get_ylim()[0] == 0
    legend = ax.figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["refused by quality", "by chance", "by the true error"]
    assert [line.get_linestyle() for line in legend.get_lines()] == [line.get_linestyle()
                                                                     for line in (quality, chance, oracle)]


def test_a_curve_ends_where_no_more_windows_could_be_read(ax):
    plots.plot_risk_coverage(ax, [refused(), refused("green", readable=0.6)])
    line = ax.lines[4]
    assert line.get_xydata().tolist() == [[25, 1.0], [50, 1.5], [60, 4.0]]
    assert sorted(text.get_text() for text in ax.texts) == ["green", "pos"]


def test_groups_are_rows_with_the_number_of_their_people(ax):
    given = grouped()
    plots.plot_groups(ax, given)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["I (n = 6)", "VI (n = 4)", "unknown (n = 1)"]
    for method, (value, *_) in drawn_points(ax).items():
        np.testing.assert_array_equal(value, given.table.xs(method, level="method").mae)


# Faces that must not be shown

@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    """Two clips out of a store: the same face, one of somebody who is simulated and one lent without leave to show."""
    film = simulate.crops(simulate.person(5200), seconds=2, size_px=64)
    clips = [Clip(id=dataset, fs=film.fs, frames=np.stack(list(film.frames())), label=film.reference, subject=dataset,
                  dataset=dataset) for dataset in ("simulated", "pure")]
    store = build_store([ClipSource(clip=clip) for clip in clips], tmp_path_factory.mktemp("lent"), name="two", jobs=1,
                        progress=False)
    return store.clip(0), store.clip(1)


def grey(picture):
    picture = np.asarray(picture, float)
    return (picture.mean(-1) if picture.ndim == 3 else picture).ravel()


@pytest.mark.parametrize("part", [lambda frames: frames[0], lambda frames: frames[5, 8:56, 8:56],
                                  lambda frames: frames[0] / 255, lambda frames: frames.mean(0) / 255])
@pytest.mark.parametrize("draw", [plots.plot_picture, lambda ax, image: plots.plot_look(ax, image, np.zeros((4, 4)))])
def test_a_face_whose_terms_forbid_it_cannot_be_published(lent, draw, part):
    for clip in lent:
        figure, ax = plt.subplots()
        image = part(clip.frames)
        draw(ax, image)
        r = np.corrcoef(grey(ax.images[0].get_array()), grey(image))[0, 1]
        assert r > 0.99 if clip.dataset == "simulated" else abs(r) < 0.4
        plt.close(figure)
    colours, counts = np.unique(grey(plots.pictures.shown(image)), return_counts=True)
    assert counts.max() / counts.sum() > 0.75 and colours[counts.argmax()] == 255        # a line on white


def test_what_is_computed_from_lent_pictures_is_free_and_the_same(lent):
    free, bound = lent
    assert isinstance(bound.frames, Lent) and not isinstance(free.frames, Lent)
    assert np.array_equal(free.frames, bound.frames) and float(bound.frames.mean()) == float(free.frames.mean())
    assert isinstance(bound.frames[3, 10:20], Lent)


def test_recordings_that_may_be_shown_are_shown(tmp_path):
    def opened():
        pictures = np.random.default_rng(0).integers(0, 255, (90, 16, 16, 3), dtype=np.uint8)
        return Playing(pictures=((picture, None) for picture in pictures), fs=30.0, size_px=(16, 16), dataset="mine",
                       ending=lambda: Ending(label=np.sin(np.arange(90) / 4), facts={"may_show_faces": True}))
    source = LazySource(id="me", subject="me", opened=opened, decided_by={"made": 1})
    store = build_store([source], tmp_path, name="mine", jobs=1, progress=False)
    assert not isinstance(store.clip(0).frames, Lent)
