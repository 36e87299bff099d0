"""The book in a browser, opened from disk: nothing is asked of anyone, nothing overflows, formulas and sliders work."""

import re

import pytest

from ..checkout import ROOT
from ..small_book import STEM, module, project

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REAL = ROOT / "build" / "book"
FORMULAS = "document.querySelectorAll('.math').length"
DRAWN = "document.querySelectorAll('mjx-container svg').length"
SCROLLS = ".cell_output, .highlight, mjx-container, .pst-scrollable-table-container, pre, .visually-hidden, .headerlink"
TOO_WIDE = f"""[...document.querySelectorAll('article *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('{SCROLLS}'))
    .slice(0, 3).map(e => e.tagName + '.' + e.className)"""


@pytest.fixture(scope="session")
def small_book(tmp_path_factory):
    """A book of one small notebook, and all pages of the real one."""
    root, out = project(tmp_path_factory.mktemp("book"))
    module("build").build(root, out)
    return out / "book"


@pytest.fixture(params=["small book", "real book"])
def book(request):
    if request.param == "small book":
        return request.getfixturevalue("small_book")
    if not (REAL / "index.html").is_file():
        pytest.skip("the real book is not built; make book builds it, and this test then opens it")
    return REAL


def pages(book):
    return sorted(path for path in book.rglob("*.html") if "_static" not in path.parts)


def wait_for_formulas(page):
    page.wait_for_function(f"() => {FORMULAS} === 0 || {DRAWN} >= {FORMULAS}", timeout=20_000)


@pytest.mark.parametrize("width, theme", [(390, "dark"), (1280, "light")])      # a theme changes colours, not widths
def test_every_page_stands_alone_and_fits(book, watched, width, theme):
    too_wide = []
    with watched(width=width, theme=theme) as watch:
        for path in pages(book):
            watch.page.goto(path.as_uri())
            wait_for_formulas(watch.page)
            if watch.page.evaluate("document.documentElement.scrollWidth") > width or watch.page.evaluate(TOO_WIDE):
                too_wide.append(f"{path.name}: {watch.page.evaluate(TOO_WIDE)}")
            assert watch.page.evaluate("document.documentElement.dataset.theme") in (theme, None)
        assert watch.found == []
    assert too_wide == []


def test_the_arrow_keys_move_every_slider(book, watched):
    seen = 0
    for path in pages(book):
        if "rppg-slider" not in path.read_text("utf-8"):
            continue
        with watched() as watch:
            watch.page.goto(path.as_uri())
            for card in watch.page.locator("figure.rppg-slider").all():
                move_and_look(card)
                seen += 1
            assert watch.found == []
    assert seen > 0 or book == REAL


def move_and_look(card):
    handle, image, words = card.locator("input"), card.locator("img:visible"), card.locator("output")
    first, said = image.get_attribute("src"), words.inner_text()
    backwards = handle.input_value() == handle.get_attribute("max")
    handle.focus()
    handle.press("ArrowLeft" if backwards else "ArrowRight")
    assert image.count() == 1
    assert image.get_attribute("src") != first
    assert words.inner_text() != said
    assert handle.get_attribute("aria-valuetext") == words.inner_text() == image.get_attribute("data-text")
    handle.press("ArrowRight" if backwards else "ArrowLeft")
    assert image.get_attribute("src") == first


def test_a_dragged_slider_moves_only_its_own_picture(small_book, watched):
    with watched() as watch:
        watch.page.goto((small_book / "notebooks" / f"{STEM}.html").as_uri())
        watch.page.evaluate("""() => { const card = document.querySelector('figure.rppg-slider');
                                       card.after(card.cloneNode(true)); }""")
        cards = watch.page.locator("figure.rppg-slider")
        before = [card.locator("img:visible").get_attribute("src") for card in cards.all()]
        box = cards.nth(1).locator("input").bounding_box()
        watch.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
        after = [card.locator("img:visible").get_attribute("src") for card in cards.all()]
    assert before[0] == after[0] and before[1] != after[1]


def test_hints_and_solutions_are_closed_until_asked_for(small_book, watched):
    with watched() as watch:
        watch.page.goto((small_book / "notebooks" / f"{STEM}.html").as_uri())
        for hidden in ("Think of", "def alpha", "2.1: right"):
            assert not watch.page.get_by_text(hidden).first.is_visible()
        assert watch.page.get_by_text("2.1: not tried yet").is_visible()
        watch.page.get_by_text("Hint 1: spread").click()
        watch.page.get_by_text("Show the solution").click()
        for hidden in ("Think of", "def alpha", "2.1: right"):
            assert watch.page.get_by_text(hidden).first.is_visible()


def test_numbers_of_a_table_do_not_run_together_and_stand_below_their_heads(small_book, watched):
    with watched() as watch:
        watch.page.goto((small_book / "notebooks" / f"{STEM}.html").as_uri())
        number, other = (watch.page.get_by_role("cell", name=text, exact=True) for text in ("18.6", "6.4"))
        edges = [cell.evaluate("e => { const r = document.createRange(); r.selectNodeContents(e);"
                               " const b = r.getBoundingClientRect(); return [b.left, b.right] }")
                 for cell in (number, other, watch.page.get_by_role("columnheader", name="mae", exact=True))]
        assert edges[1][0] - edges[0][1] > 10
        assert abs(edges[2][1] - edges[0][1]) < 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_verdict_can_be_read_on_a_light_and_on_a_dark_page(small_book, watched, theme):
    with watched(theme=theme) as watch:
        watch.page.goto((small_book / "notebooks" / f"{STEM}.html").as_uri())
        box = watch.page.locator('[role="status"]').first
        text, behind, page = (box.evaluate(code) for code in (
            "e => getComputedStyle(e).color", "e => getComputedStyle(e.parentElement).backgroundColor",
            "e => getComputedStyle(document.body).backgroundColor"))
        assert behind == "rgba(0, 0, 0, 0)"
        assert abs(lightness(text) - lightness(page)) > 120


def lightness(colour):
    return sum(float(part) for part in re.findall(r"[\d.]+", colour)[:3]) / 3


def test_the_search_finds_a_word_in_a_book_opened_from_disk(small_book, watched):
    with watched() as watch:
        watch.page.goto((small_book / "search.html").as_uri() + "?q=perfusion")
        watch.page.wait_for_selector("#search-results li a")
        assert "glossary" in watch.page.locator("#search-results").inner_html()
        assert watch.found == []


def test_the_watch_sees_what_must_not_happen(tmp_path, watched):
    (tmp_path / "page.html").write_text("""<body><img src="gone.png"><img src="http://127.0.0.1:9/a.png">
        <script>console.error("a complaint"); undefinedName</script></body>""", encoding="utf-8")
    with watched() as watch:
        watch.page.goto((tmp_path / "page.html").as_uri())
        watch.page.wait_for_timeout(300)
    found = " ".join(watch.found)
    for trouble in ("failed: file:", "asked: http://127.0.0.1:9", "a complaint", "script error"):
        assert trouble in found
