"""`rppg new-model` writes a network or a method that works as it is, and never over anything."""

import argparse
import ast
import os
import subprocess
import sys

import pytest

from rppg_lib import new_model_command, registry
from rppg_lib.new_model_command import write

from .checkout import ROOT

pytest.importorskip("torch")


def said(*words):
    parser, lines = argparse.ArgumentParser(), []
    new_model_command.add_options(parser)
    assert new_model_command.run(parser.parse_args([str(word) for word in words]), lines.append)
    return "\n".join(lines)


def in_process(*command, folder, **environment):
    return subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment})


@pytest.mark.slow
@pytest.mark.parametrize("kind", new_model_command.KINDS)
def test_what_is_written_passes_its_own_tests_from_wherever_they_are_started(kind, tmp_path):
    write("my_idea", kind=kind, folder=tmp_path / "ideas")
    done = in_process("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "ideas/test_my_idea.py",
                      folder=tmp_path, PYTEST_ADDOPTS="")
    assert done.returncode == 0 and "skipped" not in done.stdout, done.stdout[-4000:] + done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ideas"]


SPOIL = {"network": ("self.over_time(colour) ", "self.over_time(colour) / colour.std() ", "neighbours in the batch"),
         "method": ("- share[..., 1] ", "+ share[..., 1] ", "test_brightness_alone_leaves_no_trace")}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SPOIL)
def test_its_tests_find_what_is_spoilt(kind, tmp_path):
    before, after, found = SPOIL[kind]
    own, test = write("mine", kind=kind, folder=tmp_path)
    text = own.read_text("utf-8")
    assert before in text
    own.write_text(text.replace(before, after), encoding="utf-8")
    done = in_process("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", test.name, folder=tmp_path,
                      PYTEST_ADDOPTS="")
    assert done.returncode == 1 and found in done.stdout, done.stdout[-4000:]


@pytest.mark.parametrize("kind", new_model_command.KINDS)
def test_what_is_written_is_as_clean_as_the_library(kind, tmp_path):
    for path in write("my_idea", kind=kind, folder=tmp_path):
        text = path.read_text("utf-8")
        ast.parse(text)
        assert "NAME" not in text and max(map(len, text.splitlines())) <= 120
        done = subprocess.run([sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"),
                               "--ignore", "S101", str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind, more", [("network", ["train my_idea", "--checkpoint"]), ("method", [])])
def test_it_says_what_was_written_and_what_to_do_next(kind, more, tmp_path, monkeypatch):
    monkeypatch.delenv(registry.OWN_FILES, raising=False)
    text = said("my_idea", "--kind", kind, "--out", tmp_path)
    for words in ("my_idea.py", "test_my_idea.py", f"pytest {tmp_path}", f"{registry.OWN_FILES}={tmp_path}",
                  "--method my_idea", *more):
        assert words in text
    assert ("rppg train" in text) == (kind == "network")


def test_files_that_are_named_already_stay_named(tmp_path, monkeypatch):
    first = tmp_path / "already_there.py"
    first.write_text("")
    monkeypatch.setenv(registry.OWN_FILES, str(first))
    assert f"={first}{os.pathsep}{tmp_path}" in said("second", "--out", tmp_path)


@pytest.mark.parametrize("name, words", [
    ("my-net", "Did you mean 'my_net'"), ("MyNet", "Did you mean 'my_net'"), ("2net", "Did you mean 'net'"),
    ("net 2", "Did you mean 'net'"), ("", "got ''"), ("../up", "Did you mean 'up'"), ("a" * 61, "at most 60"),
    ("größe", "small letters"), ("lambda", "no word of the language.*Did you mean 'my_lambda'"), ("_x", "'x'"),
    ("a\nb", "Did you mean 'a_b'"), ("\0", "got"),
])
def test_a_name_that_is_no_name_is_answered_with_one(name, words, tmp_path):
    refused(name, "network", words, tmp_path)


@pytest.mark.parametrize("name, kind, words", [
    ("physnet", "network", "taken by a network: .*Did you mean 'my_physnet'"), ("pos", "network", "taken by a method"),
    ("torch", "network", "name of a module"), ("test", "method", "name of a module"),
    ("network", "network", "'Network' means something else"), ("published", "network", "'Published' means"),
    ("config", "network", "'Config' means"), ("true", "network", "'True' means"), ("register", "method", "means"),
    ("max", "method", "'max' means"), ("conftest", "network", "pytest takes it"), ("test_x", "method", "pytest takes"),
])
def test_a_name_that_means_something_already_is_refused(name, kind, words, tmp_path):
    refused(name, kind, words, tmp_path)


def refused(name, kind, words, folder):
    with pytest.raises(ValueError, match=rf"^new-model: (?s:.*){words}"):
        write(name, kind=kind, folder=folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("there", ["mine.py", "test_mine.py"])
def test_nothing_is_written_over(there, tmp_path):
    (tmp_path / there).write_text("of mine", encoding="utf-8")
    with pytest.raises(ValueError, match=f"there is .*{there} already, and nothing is written over"):
        write("mine", kind="network", folder=tmp_path)
    assert [(path.name, path.read_text("utf-8")) for path in tmp_path.iterdir()] == [(there, "of mine")]


def test_not_even_a_link_to_nowhere_is_written_over(tmp_path):
    (tmp_path / "mine.py").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="nothing is written over"):
        write("mine", kind="network", folder=tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="needs a folder to write into, got the file"):
        write("mine", kind="network", folder=tmp_path / "file")


def test_the_folder_of_the_library_is_refused():
    folder = ROOT / "rppg_lib" / "models"
    with pytest.raises(ValueError, match="lies in the library, which would load the tests"):
        write("mine", kind="network", folder=folder)
    assert not (folder / "mine.py").exists()


@pytest.mark.slow
def test_a_network_as_written_is_trained_and_judged_by_its_name(tmp_path, monkeypatch):
    from rppg_lib import train_command
    from rppg_lib.data import ClipSource, build_store

    from .test_train_command import call, clip

    own, _ = write("just_written", kind="network", folder=tmp_path)
    registry.available()
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("just_written")
    store = build_store([ClipSource(clip=clip(n)) for n in range(6)], tmp_path / "clips", name="six", jobs=1,
                        progress=False)
    text = call(train_command.train, "just_written", "--data", store.path, "--out", tmp_path / "run", "-p", "epochs=2",
                "-p", "size_px=16", "-p", "frames=64")
    assert "just_written" in text and "pos" in text
    assert type(registry.build("just_written", checkpoint=tmp_path / "run").network).__name__ == "JustWritten"
