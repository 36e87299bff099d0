"""Every notebook of the workbook keeps every rule, and the profiles fit the notebooks. Nothing is run."""

import re

import nbformat
import pytest
import yaml

from rppg_lib.workbook import settings
from rppg_lib.workbook.notebook import find, read

from ..checkout import ROOT
from .rules import RULES
from .rules_of_exercises import RULES_OF_EXERCISES

FOLDER = ROOT / "notebooks"
NOTEBOOKS = find(FOLDER)
PROFILES = sorted((FOLDER / "profiles").glob("*.yaml"))


@pytest.mark.parametrize("rule", RULES + RULES_OF_EXERCISES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_the_rule(path, rule):
    assert rule(nbformat.v4.reads(path.read_text("utf-8")), path.stem) == []        # as it is: read() would mend it


def test_every_notebook_in_the_folder_has_a_number_and_one_to_itself():
    numbers = [path.stem[:2] for path in NOTEBOOKS]
    assert sorted(FOLDER.glob("*.ipynb")) == NOTEBOOKS and len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_quick_profile_is_what_the_notebook_says_anyway(path):
    notebook = read(path)
    quick = settings.read_profile(FOLDER / "profiles", "quick")
    assert settings.changes(notebook, settings.merged(notebook, quick, {})) == {}
    assert notebook.parameters["profile"] == "quick"


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_profile_names_only_what_the_notebooks_have(path):
    profile = settings.read_profile(path.parent, path.stem)
    settings.check_profile(profile, [read(notebook) for notebook in NOTEBOOKS], file=path.name)
    assert profile["all"]["profile"] == path.stem


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_profile_says_nothing_twice(path):
    assert doubled(path.read_text("utf-8")) == []


def doubled(text):
    """Return keys that stand twice in one mapping; YAML would silently take the last."""
    found = []

    def look(node):
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            found.extend(key for k, key in enumerate(keys) if key in keys[:k])
            for _, value in node.value:
                look(value)

    look(yaml.compose(text) or yaml.ScalarNode("", ""))
    return found


def test_a_key_that_stands_twice_is_found():
    assert doubled('"02": {a: 1, b: 2}\n"03": {a: 1, a: 2}\n"02": {c: 1}') == ["02", "a"]


def test_quick_full_and_paper_are_there():
    assert {"quick", "full", "paper"} <= {path.stem for path in PROFILES}


def test_the_readme_of_the_profiles_is_the_comment_on_top():
    for path in PROFILES:
        assert re.match(r"# \S", path.read_text("utf-8")), path.name
