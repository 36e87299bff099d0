"""The slider: frames made once, shown as plain HTML that nothing outside can break or feed."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from rppg_lib.teach.slider import slider  # noqa: E402


def grey(value, size=(2, 1)):
    """Return a figure that is one flat grey: the value can be read back from its pixels."""
    figure = Figure(figsize=size)
    axes = figure.add_axes([0, 0, 1, 1])
    axes.imshow([[value]], cmap="gray", vmin=0, vmax=1, aspect="auto")
    axes.axis("off")
    return figure


class Page(HTMLParser):
    """The elements of a page as (tag, attributes), and its text."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def pixels(image):
    head, data = image["src"].split(",", 1)
    assert head == "data:image/png;base64"
    return plt.imread(io.BytesIO(base64.b64decode(data)))


def test_every_value_has_its_own_frame_in_the_order_given():
    page = Page(slider(grey, [0.0, 0.5, 1.0], label="shade")._repr_html_())
    shades = [pixels(image)[..., :3].mean() for image in page.all("img")]
    assert shades == pytest.approx([0.0, 0.5, 1.0], abs=0.01)


def test_draw_is_called_once_for_each_value():
    calls = []
    slider(lambda v: calls.append(v) or grey(v), [0.1, 0.2, 0.3], label="shade")
    assert calls == [0.1, 0.2, 0.3]


def test_exactly_the_starting_frame_is_visible_without_any_script():
    page = Page(slider(grey, [0.0, 0.5, 1.0], label="shade", start=0.5)._repr_html_())
    assert ["display:none" in image["style"] for image in page.all("img")] == [True, False, True]
    assert page.all("input")[0]["value"] == "1"
    assert page.text == "shade 0.5"


def test_start_finds_a_value_that_differs_by_rounding_only():
    assert slider(grey, np.linspace(0, 1, 11), label="shade", start=0.3).start == 3


def test_the_handle_can_be_reached_and_read_without_seeing_it():
    page = Page(slider(grey, [0, 0.5], label="gain", unit="dB", start=0.5)._repr_html_())
    handle, = page.all("input")
    assert (handle["type"], handle["min"], handle["max"], handle["step"]) == ("range", "0", "1", "1")
    assert (handle["aria-label"], handle["aria-valuetext"]) == ("gain", "gain 0.5 dB")
    assert "data-lm-suppress-shortcuts" in handle                        # arrow keys stay with it in JupyterLab


def test_alternative_text_is_filled_in_for_every_frame():
    page = Page(slider(grey, [0.25, 0.5], label="shade", alt="A grey of {value:.2f}.")._repr_html_())
    assert [image["alt"] for image in page.all("img")] == ["A grey of 0.25.", "A grey of 0.50."]


def test_no_frame_is_left_without_alternative_text():
    page = Page(slider(grey, [0.25, 0.5], label="shade")._repr_html_())
    assert [image["alt"] for image in page.all("img")] == ["shade 0.25", "shade 0.5"]


def test_words_can_be_slid_through_as_well_as_numbers():
    assert slider(lambda _: grey(0), ["still", "walking"], label="scene").texts == ("scene still", "scene walking")


@pytest.mark.parametrize("nasty", ['"><script>alert(1)</script>', "a' onfocus='b", "<b>&amp;"])
def test_words_of_the_author_never_become_markup(nasty):
    safe = nasty.replace("{", "{{")
    page = Page(slider(lambda _: grey(0), [nasty], label=nasty, unit=nasty, alt=safe)._repr_html_())
    assert [tag for tag, _ in page.elements] == ["figure", "label", "output", "input", "img"]
    assert page.all("img")[0]["alt"] == nasty
    assert page.all("input")[0]["aria-label"] == nasty
    assert page.text == f"{nasty} {nasty} {nasty}"
    allowed = {"oninput"}
    assert {name for _, attributes in page.elements for name in attributes if name.startswith("on")} == allowed


def test_nothing_is_loaded_from_elsewhere_and_no_name_can_clash():
    source = slider(grey, [0, 1], label="shade")._repr_html_()
    page = Page(source)
    assert "http" not in source and "<script" not in source
    assert not any("id" in attributes for _, attributes in page.elements)


def test_no_figure_stays_open():
    before = plt.get_fignums()

    def draw(value):
        figure, axes = plt.subplots()
        axes.plot([0, value])
        return figure

    slider(draw, [1, 2, 3], label="end")
    assert plt.get_fignums() == before


def test_axes_are_as_good_as_their_figure():
    def draw(value):
        _, axes = plt.subplots(figsize=(3, 2))
        axes.plot([0, value])
        return axes

    assert slider(draw, [1], label="end").width == 288                   # 3 inches of 96 CSS pixels


def test_frames_keep_one_size_even_when_figures_are_usually_cut_tight():
    def draw(value):
        figure, axes = plt.subplots(figsize=(3, 2))
        axes.set_title("long " * int(value))
        return figure

    with matplotlib.rc_context({"savefig.bbox": "tight"}):
        page = Page(slider(draw, [1, 20], label="words")._repr_html_())
    assert {pixels(image).shape for image in page.all("img")} == {(288, 432, 4)}


def test_no_values_is_one_clear_error():
    with pytest.raises(ValueError, match=r"slider: needs at least one value .* got none\. Pass"):
        slider(grey, [], label="shade")


def test_a_draw_without_return_is_one_clear_error_and_leaves_no_figure_open():
    def draw(value):
        plt.subplots()

    before = plt.get_fignums()
    with pytest.raises(TypeError, match=r"draw must return the Figure or Axes .* got NoneType for value 2\. End draw"):
        slider(draw, [2], label="shade")
    assert plt.get_fignums() == before


def test_figures_of_different_sizes_are_one_clear_error():
    with pytest.raises(ValueError, match=r"one size, got \(2.0, 1.0\) inches for 1 and \(4.0, 1.0\) for 2\. Give"):
        slider(lambda v: grey(0, size=(2 * v, 1)), [1, 2], label="shade")


def test_a_start_that_is_not_among_the_values_is_one_clear_error():
    with pytest.raises(ValueError, match=r"start must be one of the values, got 7\. Values: 1, 2\."):
        slider(lambda _: grey(0), [1, 2], label="shade", start=7)


def test_an_unknown_name_in_the_alternative_text_is_one_clear_error():
    with pytest.raises(ValueError, match=r"alt may contain \{value\} and nothing else .* got 'at \{speed\}'"):
        slider(grey, [1], label="shade", alt="at {speed}")
