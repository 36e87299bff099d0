"""Parameters: which source wins, and what is refused before anything runs."""

import re

import pytest

from rppg_lib.workbook import settings
from rppg_lib.workbook.command import plan
from rppg_lib.workbook.notebook import read

from .made_up import write_notebook, write_profile


@pytest.fixture
def folder(tmp_path):
    write_notebook(tmp_path, "01_light", parameters='profile = "quick"\npeople = 2')
    write_notebook(tmp_path, "02_pos", parameters='profile = "quick"\npeople = 2\nspeed = 1.5\nbands = [0.7, 3.0]')
    write_profile(tmp_path, "all: {profile: quick}")
    return tmp_path


def parameters(folder, *, profile="quick", given=(), wanted=()):
    return {job.notebook.number: job.parameters for job in plan(folder, wanted, profile=profile, given=given)}


def refused(folder, *words, given=(), profile="quick", error=ValueError):
    with pytest.raises(error) as raised:
        parameters(folder, given=given, profile=profile)
    for word in words:
        assert word in str(raised.value)


def test_the_nearer_source_wins(folder):
    """Notebook < profile all < profile, notebook < command line."""
    write_profile(folder, 'all: {profile: full, people: 10, speed: 2.0}\n"02": {speed: 3.0, people: 20}', "full")
    assert parameters(folder, profile="full", given=["people=30"]) == {
        "01": {"profile": "full+people=30", "people": 30},
        "02": {"profile": "full+people=30", "people": 30, "speed": 3.0, "bands": [0.7, 3.0]}}
    assert parameters(folder, profile="full")["01"]["people"] == 10
    assert parameters(folder, profile="full")["02"]["people"] == 20
    assert parameters(folder)["02"]["people"] == 2


def test_a_run_with_own_parameters_never_overwrites_the_results_of_the_profile(folder):
    assert parameters(folder)["02"]["profile"] == "quick"
    assert parameters(folder, given=["speed=2"])["02"]["profile"] == "quick+speed=2.0"
    assert parameters(folder, given=["speed=2"])["01"]["profile"] == "quick"            # it has no speed
    assert parameters(folder, given=["speed=2", "profile=fast"])["02"]["profile"] == "fast"


def named(folder, *given):
    return parameters(folder, given=given)["02"]["profile"]


def test_two_different_own_runs_never_overwrite_each_other(folder):
    runs = [("people=4",), ("people=5",), ("speed=2",), ("people=4", "speed=2"), ("bands=[1, 2]",), ("bands=[1, 3]",)]
    assert len({named(folder, *given) for given in runs}) == len(runs)
    assert named(folder, "people=4", "speed=2") == named(folder, "speed=2", "people=4") == "quick+people=4+speed=2.0"
    assert named(folder, "people=4", "speed=1.5") == "quick+people=4"                   # 1.5 is what the notebook says


def test_the_name_of_an_own_run_is_fit_for_a_file(tmp_path):
    parameters_of_text = 'profile = "quick"\nnote = "a"\nbands = [0.7, 3.0]'
    write_notebook(tmp_path, "02_pos", parameters=parameters_of_text)
    write_profile(tmp_path, "all: {profile: quick}")
    assert named(tmp_path, "bands=[-1, 2]") == "quick+bands=-1.0_2.0"
    assert named(tmp_path, "note=b") == "quick+note=b"
    texts = ["a/b", "a:b", "a b", "ä", "x" * 80, "x" * 81, "../../up"]
    names = [named(tmp_path, f"note={text}") for text in texts]
    assert len(set(names)) == len(texts)
    assert all(re.fullmatch(r"quick\+note=[A-Za-z0-9._=+-]{1,60}", name) and len(name) <= 60 for name in names)


def test_without_a_folder_of_profiles_the_notebooks_run_with_their_own_parameters(tmp_path):
    write_notebook(tmp_path, "01_light", parameters='profile = "quick"\npeople = 2')
    assert parameters(tmp_path) == {"01": {"profile": "quick", "people": 2}}
    assert parameters(tmp_path, given=["people=3"])["01"]["people"] == 3
    refused(tmp_path, "there is no profile 'full'", profile="full", error=FileNotFoundError)
    (tmp_path / "profiles").mkdir()                          # somebody meant to have profiles
    refused(tmp_path, "there is no profile 'quick'", error=FileNotFoundError)


def test_a_section_may_carry_the_whole_name(folder):
    write_profile(folder, "02_pos: {people: 5}")
    assert parameters(folder)["02"]["people"] == 5
    assert parameters(folder)["01"]["people"] == 2


def test_only_what_differs_from_the_notebook_is_a_change(folder):
    (job,) = plan(folder, ["02"], profile="quick", given=["speed=1.5", "people=3"])
    assert settings.changes(job.notebook, job.parameters) == {"people": 3, "profile": "quick+people=3"}
    (job,) = plan(folder, ["02"], profile="quick", given=["speed=1.5"])
    assert settings.changes(job.notebook, job.parameters) == {}


@pytest.mark.parametrize("text, name, value", [
    ("8", "people", 8), ("2", "speed", 2.0), ("1e-3", "speed", 0.001), ("[1, 2]", "bands", [1.0, 2.0]),
    ("(1, 2.5)", "bands", [1.0, 2.5]), ("02", "profile", "02"), ("'a b'", "profile", "a b"), ("x=y", "profile", "x=y"),
    ("true", "profile", "true"), ("", "profile", ""),
])
def test_a_text_of_the_command_line_takes_the_type_of_the_notebook(folder, text, name, value):
    got = parameters(folder, given=[f"{name}={text}"])["02"][name]
    assert got == value and type(got) is type(value)


def test_a_tuple_of_the_notebook_stays_one(tmp_path):
    notebook = read(write_notebook(tmp_path, "01_a", parameters="band_hz = (0.7, 3.0)"))
    assert settings.merged(notebook, {"all": {"band_hz": [1, 2]}}, {}) == {"band_hz": (1.0, 2.0)}


def test_none_in_the_notebook_takes_anything_and_words_of_yaml_are_known(tmp_path):
    notebook = read(write_notebook(tmp_path, "01_a", parameters="limit = None\nquick = True"))
    assert settings.merged(notebook, {}, {"limit": "3", "quick": "no"}) == {"limit": 3, "quick": False}


@pytest.mark.parametrize("given, words", [
    ("people=many", "-p people must be of type int like 2 in the notebook, got 'many' (str)"),
    ("people=2.5", "got 2.5 (float)"),
    ("people=true", "got True (bool)"),
    ("people=None", "got None (NoneType)"),
    ("speed=fast", "-p speed must be of type float like 1.5"),
    ("speed=.inf", "-p speed must be finite, got inf"),
    ("bands=3", "-p bands must be of type list"),
    ("bands=[1, high]", "-p bands[1] must be of type float"),
    ("people", "-p needs name=value, got 'people'"),
    ("=3", "-p needs name=value, got '=3'"),
])
def test_a_value_that_does_not_fit_is_refused(folder, given, words):
    refused(folder, words, given=[given])


def test_an_unknown_name_is_answered_with_the_nearest_and_the_right_ones(folder):
    refused(folder, "-p: no parameter is called 'poeple'. Did you mean 'people'?",
            "Parameters of 01: profile, people; 02: profile, people, speed, bands.", given=["poeple=3"])


def test_a_name_that_only_some_notebooks_have_is_set_there(folder):
    assert parameters(folder, given=["speed=9"])["02"]["speed"] == 9
    with pytest.raises(ValueError, match="no parameter is called 'speed'"):
        parameters(folder, wanted=["01"], given=["speed=9"])


@pytest.mark.parametrize("text, words", [
    ("all: {profil: quick}", "quick.yaml, section 'all': no parameter is called 'profil'. Did you mean 'profile'?"),
    ('"01": {speed: 2.0}', "quick.yaml, section '01': no parameter is called 'speed'."),
    ('"02": {people: many}', "quick.yaml, section '02', people must be of type int"),
    ("all: {people: many}", "quick.yaml, section 'all', people must be of type int"),
    ('"03": {people: 1}', "quick.yaml: section '03' is no notebook. Sections: all, 01, 02."),
    ("al: {people: 1}", "quick.yaml: section 'al' is no notebook. Did you mean 'all'?"),
    ("02: {people: 1}", 'quick.yaml: section 2 is read as a number. Quote it: "02":'),
    ("all: quick", "quick.yaml, section 'all': needs names with values, got 'quick'"),
    ("quick", "quick.yaml: needs sections such as"),
    ("all: {profile: quick", "quick.yaml, line"),
])
def test_a_wrong_profile_is_refused_with_file_and_key(folder, text, words):
    write_profile(folder, text)
    with pytest.raises(ValueError) as raised:
        parameters(folder)
    assert words in str(raised.value)


def test_a_wrong_section_is_refused_even_when_its_notebook_is_not_asked_for(folder):
    write_profile(folder, '"02": {poeple: 1}')
    with pytest.raises(ValueError, match="section '02': no parameter is called 'poeple'"):
        parameters(folder, wanted=["01"])


def test_a_broken_notebook_that_is_not_asked_for_stops_nobody(folder):
    (folder / "03_broken.ipynb").write_text("{")
    assert set(parameters(folder, wanted=["02"])) == {"02"}
    with pytest.raises(ValueError, match="03_broken.ipynb is no notebook"):
        parameters(folder)


def test_an_empty_profile_changes_nothing(folder):
    write_profile(folder, "# nothing\n")
    assert parameters(folder)["01"] == {"profile": "quick", "people": 2}


def test_an_unknown_profile_is_answered_with_the_nearest_and_the_list(folder):
    write_profile(folder, "", "full")
    refused(folder, "no profile 'quikc'. Did you mean 'quick'?", "full, quick",
            profile="quikc", error=FileNotFoundError)


def test_every_refusal_is_one_line_that_names_the_command(folder):
    with pytest.raises(ValueError) as raised:
        parameters(folder, given=["poeple=3"])
    assert re.fullmatch(r"run: .+\.", str(raised.value))
