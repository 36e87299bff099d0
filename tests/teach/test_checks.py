"""The harness of exercise checks: right answers pass, and every other is told what is wrong with it."""

import html.parser

import numpy as np
import pytest

from rppg_lib.teach.checks import NOT_TRIED, RIGHT, WRONG, Verdict, exercise

X = np.array([1.0, 2.0, 4.0])


@exercise("7.1", stars=2, minutes=10)
def doubled(case):
    """Every value times two."""
    case("ones", np.ones(3)).gives(np.full(3, 2.0))
    case("three values", X).gives(2 * X, traps=[(X / 2, "That is half of it.")])


@exercise("7.2", stars=1, minutes=5)
def total(case):
    case("three values", X, unit=1).gives(7.0, unit="bpm")


def stub(x):                                     # Exercise 7.1  ★★☆  10 min
    raise NotImplementedError                    # your code here


def says(check, attempt, *words):
    verdict = check(attempt)
    assert verdict.status == WRONG
    assert not verdict
    for word in words:
        assert word in verdict.message


def test_a_right_answer_is_right_and_true_and_names_its_cases():
    verdict = doubled(lambda x: 2 * x)
    assert verdict and verdict.status == RIGHT
    assert repr(verdict) == "7.1 ✓ Right in 2 cases: ones; three values."
    assert verdict.must_be_right() is verdict


def test_an_untouched_stub_is_not_tried_and_not_wrong():
    verdict = doubled(stub)
    assert verdict.status == NOT_TRIED and not verdict
    assert repr(verdict) == "7.1: not tried yet"


def test_a_stub_that_calls_another_stub_is_not_tried():
    assert doubled(lambda x: stub(x) + 1).status == NOT_TRIED


def test_a_wrong_value_is_named_with_case_place_and_both_numbers():
    says(doubled, lambda x: x + 1, "Case 'three values'", "2 of 3 values", "at index 2", "should be 8", "yours is 5")


def test_a_wrong_number_is_named_with_its_unit():
    says(total, lambda x, unit: 6.5, "should be 7 bpm, yours is 6.5 bpm")


def test_numbers_that_look_alike_are_written_with_enough_digits():
    @exercise("7.3", stars=1, minutes=1)
    def check(case):
        case("a large number", X).gives(1234567)

    says(check, lambda x: 1234570, "should be 1234567, yours is 1234570")


def test_a_well_known_mistake_is_called_by_its_name():
    @exercise("7.3", stars=1, minutes=1)
    def check(case):
        case("three values", X).gives(2 * X, traps=[(X / 2, "That is half of it."), (X**2, "That is the square.")])

    assert check(lambda x: x / 2).message.endswith("That is half of it.")
    assert check(lambda x: x**2).message.endswith("That is the square.")
    assert "That is" not in check(lambda x: x + 1).message


@pytest.mark.parametrize("attempt, words", [
    (lambda x: 2 * x[:2], "should be an array of shape (3,), yours is an array of shape (2,)"),
    (lambda x: 2 * x[:, None], "yours is an array of shape (3, 1)"),
    (lambda x: 2.0, "should be an array of shape (3,), yours is 2.0 (float)"),
    (lambda x: "2", "yours is '2' (str)"),
    (lambda x: [1, [2, 3]], "yours is [1, [2, 3]] (list)"),
    (lambda x: {"a": 1}, "(dict)"),
    (lambda x: 2j * x, "complex"),
    (lambda x: np.array([np.nan, 2, np.inf]), "NaN or infinite values: 2 of 3, the first at index 0"),
])
def test_a_value_of_another_kind_is_told_from_a_wrong_number(attempt, words):
    says(doubled, attempt, "Case 'ones'", words)


@pytest.mark.parametrize("attempt, words", [
    (lambda x, unit: np.array([7.0]), "should be one number, yours is an array of shape (1,)"),
    (lambda x, unit: np.nan, "should be a finite number, yours is nan"),
    (lambda x, unit: "seven", "should be one number, yours is 'seven' (str)"),
])
def test_where_one_number_is_meant_nothing_else_will_do(attempt, words):
    says(total, attempt, words)


@pytest.mark.parametrize("seven", [7, 7.0, np.float32(7), np.array(7.0)])
def test_a_number_of_any_type_will_do(seven):
    assert total(lambda x, unit: seven)


def test_a_list_will_do_for_an_array():
    assert doubled(lambda x: [2 * v for v in x])


def test_a_forgotten_return_is_recognised():
    def forgot(x):
        x * 2

    says(doubled, forgot, "Case 'ones'", "gives None", "return")


def test_an_error_in_the_readers_code_is_named_with_its_line():
    def wrong_name(x):
        y = 2 * x
        return y + np.zeros(2)

    says(doubled, wrong_name, "Case 'ones': stops with ValueError", "return y + np.zeros(2)")


def test_a_function_with_other_arguments_is_told_so():
    says(doubled, lambda x, y: x, "stops with TypeError", "missing 1 required positional argument")


def test_a_function_that_changes_its_input_is_told_so_and_the_case_is_not_spoilt():
    def spoils(x):
        x *= 2
        return x

    says(doubled, spoils, "changes what it is given")
    assert doubled(lambda x: 2 * x)
    assert X.tolist() == [1, 2, 4]


@pytest.mark.parametrize("thing", [X, 7.0, None, "doubled"])
def test_a_value_instead_of_a_function_is_told_so(thing):
    says(doubled, thing, "Needs your function itself")


def test_the_first_case_that_fails_ends_the_check():
    seen = []

    def attempt(x):
        seen.append(x)
        return -x

    says(doubled, attempt, "Case 'ones'")
    assert len(seen) == 1


def test_waves_are_compared_by_shape_on_any_scale():
    wave = np.sin(np.arange(100) / 5)

    @exercise("7.4", stars=3, minutes=20)
    def check(case):
        case("a sine", wave).follows(wave, above=0.99)

    assert check(lambda x: 5 + 0.01 * x)
    says(check, lambda x: -x, "upside down")
    says(check, lambda x: np.cos(np.arange(100) / 5), "correlation of 0.99")
    says(check, lambda x: 0 * x, "flat")
    says(check, lambda x: x[1:], "shape (100,)")


def test_tuples_are_compared_part_by_part_and_words_as_they_are():
    @exercise("7.5", stars=1, minutes=1)
    def check(case):
        case("both", X).gives((7.0, "bpm"))

    assert check(lambda x: (7, "bpm"))
    says(check, lambda x: (7, "Hz"), "value 2 of 2", "'bpm'", "'Hz'")
    says(check, lambda x: 7, "should be 2 values")


def test_any_other_property_can_be_asked_for():
    @exercise("7.6", stars=1, minutes=1)
    def check(case):
        answer = case("three values", X).has_shape(3)
        answer.must(abs(answer.value.mean()) < 1e-9, f"the mean should be 0, yours is {answer.value.mean():g}.")

    assert check(lambda x: x - x.mean())
    says(check, lambda x: x, "Case 'three values': the mean should be 0, yours is 2.33333")


def test_an_error_in_the_check_itself_is_not_blamed_on_the_reader():
    @exercise("7.7", stars=1, minutes=1)
    def check(case):
        raise KeyError("mistake of the author")

    @exercise("7.8", stars=1, minutes=1)
    def empty(case):
        pass

    @exercise("7.9", stars=1, minutes=1)
    def expects_nan(case):
        case("x", X).gives(X * np.nan)

    with pytest.raises(KeyError, match="author"):
        check(lambda x: x)
    with pytest.raises(ValueError, match="7.8: its check has looked at no case"):
        empty(lambda x: x)
    with pytest.raises(ValueError, match="Mend the check"):
        expects_nan(lambda x: x)


def test_a_solution_that_is_wrong_stops_the_notebook_with_the_words_of_the_verdict():
    with pytest.raises(AssertionError, match="7.1 ✗ Case 'ones': .*should be 2, yours is 3"):
        doubled(lambda x: x + 2).must_be_right()
    with pytest.raises(AssertionError, match="not tried yet"):
        doubled(stub).must_be_right()


@pytest.mark.parametrize("number, stars", [("2", 1), ("2.x", 1), ("2.1", 0), ("2.1", 4)])
def test_an_exercise_with_a_bad_label_is_refused(number, stars):
    with pytest.raises(ValueError, match="exercise"):
        exercise(number, stars=stars, minutes=1)


def test_the_label_is_what_the_stub_says():
    assert doubled.label == "Exercise 7.1  ★★☆  10 min"


@pytest.mark.parametrize("status, message, seen", [
    (NOT_TRIED, "", "</strong> ○ not tried yet<"),
    (WRONG, "should be < 3 & > 2", "</strong> ✗ should be &lt; 3 &amp; &gt; 2<"),
    (RIGHT, "Right in 1 case: a.", "</strong> ✓ Right in 1 case: a.<"),
])
def test_a_verdict_shows_itself_on_light_and_dark_pages(status, message, seen):
    """Colour of the text is the page's own, the background is transparent, and the mark says it without colour."""
    shown = Verdict("7.1", status, message)._repr_html_()
    assert "color:inherit" in shown and "background:rgba(" in shown
    assert seen in shown
    open_tags = []
    parser = html.parser.HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tag == "br" or open_tags.append(tag)
    parser.handle_endtag = lambda tag: open_tags.remove(tag)
    parser.feed(shown)
    assert open_tags == []
