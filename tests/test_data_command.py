"""``rppg data``: what it lists, checks and builds; every fault is one line."""

import json

import pandas as pd
import pytest

from rppg_lib.cli import main
from rppg_lib.data import ClipStore
from rppg_lib.data.readers import DATASETS, dataset
from rppg_lib.video.faces import Choice

from .data.readers.miniature import video
from .data.readers.test_ubfc2 import truth
from .video.pretend import Pretend


@pytest.fixture
def copy(tmp_path):
    for number in (1, 3):
        folder = tmp_path / "raw" / f"subject{number}"
        truth(folder / "ground_truth.txt", video(folder / "vid.avi", seconds=4.0))
    return tmp_path / "raw"


def call(capsys, *words):
    status = main([str(word) for word in words])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_every_data_set_is_listed_and_described(capsys):
    status, out, _ = call(capsys, "data", "list")
    assert status == 0
    for name in DATASETS:
        assert f"\n{name} " in out and dataset(name).title in out
        status, told, _ = call(capsys, "data", "list", name)
        assert status == 0 and dataset(name).terms.licence in told and dataset(name).layout.splitlines()[0] in told


def test_a_copy_is_checked_in_words_in_json_and_in_files(capsys, copy, tmp_path):
    status, out, _ = call(capsys, "data", "check", "ubfc2", copy, "--watch", 0, "--save", tmp_path / "out")
    assert status == 1                                               # both have one label
    assert "2 recordings of 2 people" in out and "missing: 40" in out and "twice: ubfc2 1, ubfc2 3" in out
    told = json.loads((tmp_path / "out" / "check.json").read_text())
    assert told["twice"] == [["ubfc2 1", "ubfc2 3"]] and len(told["missing"]) == 40
    assert list(pd.read_csv(tmp_path / "out" / "check.csv").id) == ["ubfc2 1", "ubfc2 3"]
    assert (tmp_path / "out" / "check.png").read_bytes().startswith(b"\x89PNG")
    status, out, _ = call(capsys, "data", "check", "ubfc2", copy, "--watch", 0, "--json")
    assert json.loads(out) == told


@pytest.mark.parametrize("where, variable, place", [("checkout", None, "checkout/data/cache"),
                                                    ("elsewhere", None, "elsewhere/build/clips"),
                                                    ("elsewhere", "products", "products/clips")])
def test_a_store_goes_where_the_help_says(capsys, copy, tmp_path, monkeypatch, where, variable, place):
    for folder in ("checkout/notebooks", "checkout/rppg_lib", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / where)
    monkeypatch.setenv("RPPG_OUT", str(tmp_path / variable)) if variable else monkeypatch.delenv("RPPG_OUT", False)
    asked = []

    def built(sources, out, **settings):
        asked.append(out)
        raise ValueError("enough")

    monkeypatch.setattr("rppg_lib.data.build_store", built)
    call(capsys, "data", "build", "ubfc2", copy)
    assert asked == [tmp_path / place]
    _, told, _ = call(capsys, "data", "build", "--help")
    words = " ".join(told.split())
    assert "default: data/cache in a checkout, else build/clips or $RPPG_OUT/clips" in words
    assert "elsewhere in build/clips of the working folder, or clips of $RPPG_OUT" in words


def test_a_copy_becomes_a_store_and_what_failed_is_named(capsys, copy, tmp_path, monkeypatch):
    monkeypatch.setattr("rppg_lib.video.faces.choice", lambda name: Choice(
        name="pretend", make=lambda: Pretend(lambda time_s: [(2, 2, 28, 20)]), ours=False))
    (copy / "subject3" / "ground_truth.txt").write_text("1 2")
    words = ("data", "build", "ubfc2", copy, "--size-px", 8, "--jobs", 1, "--out", tmp_path / "stores")
    status, out, _ = call(capsys, *words)
    assert status == 1 and "1 recordings of 1 people" in out and "ubfc2 3: ValueError: ground_truth.txt: needs" in out
    store = ClipStore.open(out.splitlines()[0])
    assert store.clip(0).frames.shape[1:] == (8, 8, 3) and store.subjects == ("ubfc2 1",)
    truth(copy / "subject3" / "ground_truth.txt", pd.Series(range(120)).to_numpy() / 30)
    status, out, _ = call(capsys, *words)
    assert status == 0 and "2 recordings of 2 people" in out


@pytest.mark.parametrize("words, message", [
    (("check",), "needs the name of a data set and a folder"),
    (("check", "ubfc9", "."), "there is no reader for 'ubfc9'. Did you mean 'ubfc"),
    (("check", "ubfc2", "nowhere"), "needs the folder of the data set, nowhere is none"),
    (("build", "ubfc2", "."), "found no recording"),
    (("check", "ubfc2", ".", "--watch", "some"), "--watch must be a number"),
    (("check", "ubfc2", ".", "--seconds", "2"), "--seconds must be 10 or more"),
    (("build", "ubfc2", ".", "--jobs", "0"), "--jobs must be at least 1"),
    (("eat",), "invalid choice"),
])
def test_wrong_use_is_one_line(capsys, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    status, out, err = call(capsys, "data", *words)
    assert (status, out) == (2, "") and message in err and err.count("\n") == 1
