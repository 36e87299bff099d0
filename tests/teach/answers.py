"""What holds for the checks of every notebook's exercises."""

import re

import pytest


def judged_by(right, wrong, checks):
    """Return three tests, to be named in a test file: of right answers, of plausible wrong ones, and of the stub.

    Args:
        right: pairs of a check and an answer.
        wrong: a check, an answer, and what the verdict must say of it, as a regular expression.
        checks: all of them.
    """
    @pytest.mark.parametrize("check, answer", right)
    def test_a_right_answer_is_right_however_it_is_written(check, answer):
        check(answer).must_be_right()

    @pytest.mark.parametrize("check, answer, words", wrong)
    def test_a_plausible_wrong_answer_is_wrong_and_the_verdict_says_what_differs(check, answer, words):
        verdict = check(answer)
        assert not verdict and verdict.status == "wrong"
        assert re.search(words, verdict.message), verdict.message

    @pytest.mark.parametrize("check", checks, ids=repr)
    def test_an_untouched_stub_is_not_tried_and_not_wrong(check):
        def stub(*_):
            raise NotImplementedError

        assert check(stub).status == "not tried yet"

    return (test_a_right_answer_is_right_however_it_is_written,
            test_a_plausible_wrong_answer_is_wrong_and_the_verdict_says_what_differs,
            test_an_untouched_stub_is_not_tried_and_not_wrong)
