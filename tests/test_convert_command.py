"""The command that makes published weights ready to measure with: from six files to a heart rate."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rppg_lib import cli, registry  # noqa: E402
from rppg_lib.models import load_network  # noqa: E402
from rppg_lib.types import Clip  # noqa: E402

from .checkout import ROOT  # noqa: E402
from .models.published_lqrppg import random_training, saved  # noqa: E402


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("PreTrainedModels"), *random_training())


@pytest.fixture
def rppg(capsys):
    def call(*words):
        status = cli.main([str(word) for word in words])
        said = capsys.readouterr()
        return SimpleNamespace(status=status, out=said.out, err=said.err)

    return call


def test_a_folder_comes_of_it_that_measures(rppg, checkpoint, tmp_path):
    result = rppg("convert", checkpoint, "--out", tmp_path / "pure")
    assert (result.status, result.err) == (0, "")
    assert "405,453 parameters of PURE_PURE_LQC2F_rPPG_Epoch49.pth" in result.out
    assert "32 codes" in result.out and "PURE_PURE_LQC2F_5th_LQ_Epoch12.pth" in result.out
    assert f"--method lqrppg --checkpoint {tmp_path / 'pure'}" in result.out
    frames = np.random.default_rng(0).integers(0, 255, (200, 32, 32, 3), dtype=np.uint8)
    estimator = registry.build("lqrppg", checkpoint=tmp_path / "pure", device="cpu")
    estimator.size_px = 32                                           # 128 as published; any size works, and faster
    wave = estimator.predict(Clip(frames=frames, fs=30.0)).wave
    assert wave.shape == (200,) and np.isfinite(wave).all() and wave.std() > 0
    assert load_network(tmp_path / "pure").facts["note"].startswith("converted from published weights (MIT)")


def test_quantisers_can_be_named(rppg, checkpoint, tmp_path):
    elsewhere = tmp_path / "network.pth"
    elsewhere.write_bytes(checkpoint.read_bytes())
    result = rppg("convert", elsewhere, "--out", tmp_path / "out", "--labels",
                  *sorted(checkpoint.parent.glob("*th_LQ*")))
    assert result.status == 0 and "parameters of network.pth" in result.out


def test_what_is_wrong_is_one_line_and_leaves_nothing_behind(rppg, checkpoint, tmp_path):
    result = rppg("convert", tmp_path / "none.pth", "--out", tmp_path / "out")
    assert result.status == 2 and result.out == "" and result.err.count("\n") == 1
    assert result.err.startswith("rppg convert: there is no file") and not (tmp_path / "out").exists()


def test_nothing_that_lies_there_is_written_over(rppg, checkpoint, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "network.json").write_text("{}")
    result = rppg("convert", checkpoint, "--out", tmp_path / "mine")
    assert result.status == 2 and "--out must be a new or an empty folder" in result.err
    assert (tmp_path / "mine" / "network.json").read_text() == "{}"


def test_help_shows_an_example(rppg):
    assert "  rppg convert PreTrainedModels/" in rppg("convert", "--help").out


def test_the_commands_on_the_page_exist():
    text = (ROOT / "book" / "convert-weights.md").read_text("utf-8")
    lines = re.findall(r"^rppg (.*?)(?: +#.*)?$", text, re.MULTILINE)
    assert any(line.startswith("convert") for line in lines)
    for line in lines:
        cli._parser().parse_args(line.split())
