"""Each rule lets a good notebook pass and finds what it is there to find."""

import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from rppg_lib.teach.checks import exercise

from . import rules, rules_of_exercises
from .rules import RULES, SHORT
from .rules_of_exercises import RULES_OF_EXERCISES

STEM = "99_made_up"
ALL_RULES = RULES + RULES_OF_EXERCISES

OPENING = """\
# 99 Made up

> **You will** see a rule at work.
>
> **You need** nothing.
>
> **Time** 5 minutes to read. It runs in a second.
>
> **Produces** `99_made_up.<profile>.json`: a number.

Text that cites [Wang et al. 2017](../book/bibliography.md#wang2017pos)
and shows ![a pulse](../book/assets/book.css)."""
CLOSING = """\
## What we saw

That a notebook which keeps all rules is let through.

## Where this can fail

The rules may overlook things that we have not thought of.

## What is next

The next notebook, or any other that you would like to read."""


def code(source, tag=None, alt=None, **more):
    return new_code_cell(source, metadata={**({"tags": [tag]} if tag else {}), **({"alt": alt} if alt else {}), **more})


def text(source, tag=None):
    return new_markdown_cell(source, metadata={"tags": [tag]} if tag else {})


def good():
    cells = [
        text(OPENING),
        code('profile = "quick"      # names the set\npeople = 8             # how many', "parameters"),
        code("import numpy as np\nfrom rppg_lib import plots, results\nfrom rppg_lib.teach import nb99 as check"),
        text("### Exercise 99.1: a half\n\nExpect a number."),
        code("def my_half(x):              # Exercise 99.1  ★☆☆  5 min\n"
             "    # Return half of it.\n    raise NotImplementedError", "exercise"),
        code("check.half(my_half)", "check"),
        text("<details><summary>Hint</summary>\n\nDivide.\n\n</details>", "hint"),
        code("def solution_half(x):\n    return x / 2\n\ncheck.half(solution_half).must_be_right()", "solution",
             jupyter={"source_hidden": True, "outputs_hidden": True}),
        code("def draw(power):\n    fig, ax = plt.subplots()\n    return fig"),
        code('slider(draw, [1, 2], alt="Power {value}.")', "slider"),
        code("fig, ax = plt.subplots()\nplots.plot_wave(ax, [1, 2])", alt="A line that rises to the right."),
        code('results.save("99_made_up", {"t": [{"n": people}]}, profile=profile)'),
        text(CLOSING)]
    return new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


@pytest.fixture(autouse=True)
def nb99(monkeypatch):
    @exercise("99.1", stars=1, minutes=5)
    def half(case):
        case("two", 2).gives(1)

    monkeypatch.setitem(sys.modules, "rppg_lib.teach.nb99", SimpleNamespace(half=half))


@pytest.mark.parametrize("rule", [rule for rule in ALL_RULES if rule is not rules.has_the_usual_length],
                         ids=lambda rule: rule.__name__)
def test_a_good_notebook_passes(rule):
    assert rule(good(), STEM) == []


def replaced(k, old, new):
    """A change of the text of cell k (from 1)."""
    def change(notebook):
        cell = notebook.cells[k - 1]
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return change


def metadata(k, **entries):
    return lambda notebook: notebook.cells[k - 1].metadata.update(entries)


def added(*cells, at=12):
    """New cells before cell ``at`` (from 1)."""
    def change(notebook):
        notebook.cells[at - 1:at - 1] = cells

    return change


def removed(*numbers):
    def change(notebook):
        notebook.cells = [cell for k, cell in enumerate(notebook.cells, start=1) if k not in numbers]

    return change


def swapped(first, second):
    def change(notebook):
        cells = notebook.cells
        cells[first - 1], cells[second - 1] = cells[second - 1], cells[first - 1]

    return change


BAD = {
    "is_valid": [
        (lambda nb: nb.cells[2].pop("id"), "cell 3: has no id"),
        (lambda nb: nb.cells[3].update(id=nb.cells[2].id), "cell 4: has the id of an earlier cell"),
        (lambda nb: nb.update(nbformat_minor=4), "format before 4.5"),
        (lambda nb: nb.cells[2].update(cell_type="python"), "is no valid notebook"),
    ],
    "is_stripped": [
        (lambda nb: nb.cells[2].outputs.append(new_output("stream", text="1")), "cell 3: holds an output"),
        (lambda nb: nb.cells[2].update(execution_count=1), "cell 3: holds an output, a number"),
        (metadata(3, scrolled=True), "cell 3: metadata scrolled"),
        (metadata(3, tags=["paramters"]), "cell 3: there is no tag 'paramters'"),
        (lambda nb: nb.metadata.update(widgets={}), "metadata: widgets"),
        (lambda nb: nb.metadata.update(language_info={"version": "3.11.7"}), "version of Python is noise"),
        (lambda nb: nb.metadata.kernelspec.update(name="my-env"), "kernel must be python3"),
    ],
    "python_only": [
        (added(code("!pip install rppg-lib")), "cell 12: no commands in a notebook: !pip install"),
        (added(code("%pip install rppg-lib")), "cell 12: no commands"),
        (added(code("files = !ls")), "cell 12: no commands"),
        (added(code("%matplotlib inline")), "cell 12: no commands"),
        (added(code("import os\nos.system('ls')")), "cell 12: no commands"),
        (added(code("x = (1")), "cell 12, line 1: '(' was never closed"),
        (added(code("\n")), "cell 12: is empty"),
    ],
    "has_parameters": [
        (removed(2), "exactly one cell of code tagged 'parameters', has 0"),
        (metadata(3, tags=["parameters"]), "tagged 'parameters', has 2"),
        (replaced(2, "people = 8", "people = 2 * 4"), "cell 2: needs lines like 'people = 8', got 'people = 2 * 4'"),
        (replaced(2, "# how many", ""), "cell 2: say in a comment what this is: people = 8"),
        (replaced(2, "profile", "profil"), 'cell 2: needs profile = "quick"'),
        (swapped(2, 3), "cell 3: parameters must be the first code"),
    ],
    "has_opening": [
        (removed(1), "must begin with a cell of text"),
        (replaced(1, "# 99 Made up", "# Made up"), "must begin with '# 99 Title'"),
        (replaced(1, "# 99 Made up", "# 98 Made up"), "must begin with '# 99 Title'"),
        *((replaced(1, f"**{head}**", head), f"the box must say '> **{head}** ...'")
          for head in ("You will", "You need", "Time", "Produces")),
        (replaced(1, " It runs in a second.", ""), "Time must say how long it takes to read, and to run"),
        (replaced(1, "5 minutes to read. ", ""), "Time must say how long"),
        (replaced(4, "### Exercise", "# Exercise"), "second heading of the first order"),
    ],
    "has_closing": [
        (removed(13), "must end with the sections"),
        (replaced(13, "## Where this can fail", "## Limits"), "must end with the sections"),
        (replaced(13, "## What is next", "### What is next"), "must end with the sections"),
        (replaced(13, "The rules may overlook things that we have not thought of.", "Nowhere."),
         "says too little under 'Where this can fail'"),
    ],
    "cites_what_exists": [
        (replaced(1, "wang2017pos", "wang2071pos"), "cell 1: wang2071pos is not in book/refs.bib"),
    ],
    "reads_well_in_jupyterlab": [
        (replaced(1, "Text that", "Text {cite:p}`wang2017pos` that"), "cell 1: {cite:p}`wang2017pos` shows raw"),
        (replaced(13, "The rules", "The {term}`rules`"), "cell 13: {term}`rules` shows raw"),
    ],
    "links_to_what_exists": [
        (replaced(1, "book.css", "none.png"), "cell 1: there is no ../book/assets/none.png"),
    ],
    "faces_go_through_plots": [
        (added(code("ax.imshow(clip.frames[0])")), "cell 12: draw pictures of people with plots.plot_picture"),
        (added(code("plt.imshow(frame.image / 255)")), "they keep to the terms"),
    ],
    "pictures_have_words": [
        (replaced(1, "![a pulse]", "![]"), "cell 1: a picture without alt text"),
        (replaced(4, "Expect", '<img src="a.png"> Expect'), "cell 4: a picture without alt text"),
        (lambda nb: nb.cells[10].metadata.pop("alt"), "cell 11: draws a figure"),
        (metadata(11, alt="A figure."), "cell 11: draws a figure"),
        (replaced(10, ', alt="Power {value}."', ""), "cell 10: the slider needs alt="),
    ],
    "sliders_have_twins": [
        (removed(11), "cell 10: the next code must draw the same"),
        (added(code("x = 1"), at=11), "cell 10: the next code must draw the same"),
    ],
    "stays_on_the_machine": [
        *((added(code(source)), words) for source, words in [
            ('x = np.load("/disk/me/x.npy")', "cell 12: an absolute path"),
            ("x = '/data'", "cell 12: an absolute path"),
            ('x = "C:\\\\Users\\\\me"', "cell 12: an absolute path"), ('x = "~/x.npy"', "cell 12: an absolute path"),
            ('import warnings\nwarnings.filterwarnings("ignore")', "cell 12: warnings are to be heeded"),
            ('np.seterr(all="ignore")', "cell 12: warnings are to be heeded"),
            ("import requests", "cell 12: requests is for the network"),
            ("from urllib.request import urlopen", "cell 12: urllib.request is for the network"),
            ('x = "https://example.org/x.npz"', "cell 12: an address in code"),
            ('open("x.txt", "w")', "cell 12: files are written by rppg_lib, not by open"),
            ('fig.savefig("x.png")', "not by fig.savefig"), ('np.save("x", [1])', "not by np.save"),
            ('table.to_csv("x.csv")', "not by table.to_csv"),
        ]),
        (replaced(13, "The rules", "Files in `/disk/me` and rules"), "cell 13: an absolute path"),
    ],
    "saves_under_its_own_name": [
        (replaced(12, "99_made_up", "02_pos_chrom"), "must be called with '99_made_up', got '02_pos_chrom'"),
        (replaced(12, '"99_made_up"', "name"), "must be called with '99_made_up', got None"),
        (removed(12), "promises a results file and saves none"),
    ],
    "keeps_cells_short": [
        (added(code("x = 1\n" * 31)), "cell 12: 31 lines of code are more than 30"),
        (added(*(code("x = 1\n" * 21) for _ in range(3))), "cells 12, 13, 14: more than 20 lines"),
        (added(*(code("x = 1\n" * 7) for _ in range(13))), "more than half of the cells have more than 6 lines"),
    ],
    "has_the_usual_length": [
        (lambda nb: None, "code cells, 25 to 40 are usual"),
        (lambda nb: None, "words, 2000 to 3000 are usual"),
        (added(*(code("x = 1") for _ in range(40))), "code cells, 25 to 40 are usual"),
        (added(text("word " * 3001)), "words, 2000 to 3000 are usual"),
    ],
    "exercises_are_complete": [
        (removed(6), "exercise 99.1 needs its check here"),
        (removed(7), "exercise 99.1 needs its hint here"),
        (removed(8), "exercise 99.1 needs its solution here"),
        (swapped(7, 8), "exercise 99.1 needs its hint here"),
        (removed(5), "cell 5: a check that belongs to no exercise"),
        (metadata(12, tags=["solution"]), "cell 12: a solution that belongs to no exercise"),
        (replaced(5, "99.1", "99.2"), "is exercise 99.2, should be 99.1"),
        (replaced(5, "★☆☆  5 min", "★☆☆"), "the stub must begin like"),
        (replaced(5, "★☆☆", "★☆"), "of three stars some are filled"),
        (replaced(5, "raise NotImplementedError", "return x / 2"), "must do nothing but raise NotImplementedError"),
        (replaced(4, "### Exercise 99.1", "### Exercise"), "must have the heading '### Exercise 99.1: ...'"),
        (replaced(6, "my_half", "your_half"), "cell 6: must check my_half"),
        (replaced(8, ".must_be_right()", ""), "cell 8: the solution must check itself"),
        (replaced(8, "check.half", "check.third"), "cell 8: stub and solution must go through the same check"),
        (replaced(8, "return x / 2", "return my_half(x)"), "cell 8: the solution must not use the reader's answer"),
        (replaced(7, "<details>", "<p>"), "cell 7: hints must be folded"),
    ],
    "minutes_add_up": [
        (replaced(1, "5 minutes to read.", "5 minutes to read, 10 more for the exercises."),
         "cell 1: 10 minutes for the exercises are told, and their stubs make 5"),
    ],
    "solutions_are_folded": [
        (lambda nb: nb.cells[7].metadata.pop("jupyter"), "cell 8: the solution lies open in JupyterLab"),
        (metadata(8, jupyter={"source_hidden": True}), "cell 8: the solution lies open in JupyterLab"),
    ],
    "nothing_needs_an_answer": [
        (added(code("print(my_half(2))")), "cell 12: uses my_half of an exercise"),
        (added(code("print(solution_half(2))")), "cell 12: uses solution_half of an exercise"),
    ],
    "exercises_match_their_checks": [
        (replaced(5, "5 min", "10 min"),
         "cell 5: says 'Exercise 99.1  ★☆☆  10 min', nb99.half is Exercise 99.1  ★☆☆  5 min"),
        (replaced(5, "★☆☆", "★★☆"), "cell 5: says"),
        (replaced(6, "check.half", "check.third"), "nb99.third is None"),
        (lambda nb: sys.modules.pop("rppg_lib.teach.nb99"), "there is no rppg_lib/teach/nb99.py"),
    ],
}


@pytest.mark.parametrize("name, change, words",
                         [(name, change, words) for name, cases in BAD.items() for change, words in cases])
def test_a_rule_finds_what_it_is_for(name, change, words):
    rule = getattr(rules, name, None) or getattr(rules_of_exercises, name)
    notebook = good()
    change(notebook)
    assert any(words in problem for problem in rule(notebook, STEM)), rule(notebook, STEM)


def test_every_rule_has_been_seen_to_fail():
    assert [rule.__name__ for rule in ALL_RULES] == list(BAD)


def test_a_notebook_of_the_usual_length_passes_and_checks_do_not_count():
    notebook = good()
    added(*(code("x = 1") for _ in range(32)), *(code("check.half(x)", "check") for _ in range(9)),
          text("word " * 2000))(notebook)
    assert rules.has_the_usual_length(notebook, STEM) == []
    (short,) = SHORT
    assert rules.has_the_usual_length(good(), short) == []


def test_a_fold_survives_nbstripout(tmp_path):
    nbformat.write(good(), tmp_path / "good.ipynb")
    subprocess.run([sys.executable, "-m", "nbstripout", "--extra-keys", "metadata.language_info",
                    str(tmp_path / "good.ipynb")], check=True)
    assert rules_of_exercises.solutions_are_folded(nbformat.read(tmp_path / "good.ipynb", as_version=4), STEM) == []


def test_a_name_that_other_cells_set_themselves_is_not_taken_for_an_answer():
    notebook = good()
    replaced(8, "return x / 2", "y = x / 2\n    return y")(notebook)
    added(code("y = 3\nprint(y)"))(notebook)
    assert rules_of_exercises.nothing_needs_an_answer(notebook, STEM) == []
