"""The command that writes a trained network as ONNX, and says how well it did."""

import argparse
import importlib.util
import json
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from rppg_lib import export_command  # noqa: E402
from rppg_lib.models import exported, save_network  # noqa: E402
from rppg_lib.models.kdphys import KDPhys  # noqa: E402


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    return save_network(KDPhys(KDPhys.Config(frames=32, size_px=20)), tmp_path / "trained", facts={"fs": 30.0})


def export(*words):
    """Run it as the command line would."""
    parser, said = argparse.ArgumentParser(), []
    export_command.add_options(parser)
    done = export_command.run(parser.parse_args([str(word) for word in words]), said.append)
    return SimpleNamespace(done=done, out="\n".join(said))


def needs_onnx():
    for name in exported.PACKAGES:
        pytest.importorskip(name, reason=f"{name} is of the extra 'export'")


@pytest.mark.slow
def test_all_forms_are_written_and_it_is_said_how_good_they_are(checkpoint, tmp_path):
    needs_onnx()
    pytest.importorskip("cv2")
    result = export(checkpoint, "--out", tmp_path / "out", "--stream", "--int8")
    assert result.done and "kdphys, 20 px, 32 frames, 30 fps, gives the change" in result.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "model.onnx", "model.int8.onnx", "stream.onnx", "stream.int8.onnx", "export.json"}
    for name in ("model.onnx", "model.int8.onnx", "stream.onnx", "stream.int8.onnx"):
        assert f"  {name} " in result.out
    assert "8-bit numbers on 6 simulated faces (still, talking)" in result.out
    assert result.out.count("bpm at most") == 2


@pytest.mark.slow
def test_without_options_there_is_one_graph_beside_the_weights_and_it_can_be_written_again(checkpoint):
    needs_onnx()
    for _ in range(2):
        export(checkpoint)
    assert {path.name for path in (checkpoint / "onnx").iterdir()} == {"model.onnx", "export.json"}
    told = json.loads((checkpoint / "onnx" / "export.json").read_text())
    assert (told["name"], told["fs"], told["files"]["model.onnx"]["largest_error"] < 1e-4) == ("kdphys", 30.0, True)


def test_without_the_packages_it_says_how_to_install_them_and_writes_nothing(checkpoint, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if "onnx" in name else find(name, *rest))
    with pytest.raises(ModuleNotFoundError) as caught:
        export(checkpoint, "--out", tmp_path / "out")
    assert str(caught.value).startswith("export: needs onnx, onnxruntime, onnxscript, not installed. In a checkout: ")
    assert '-e ".[export]"' in str(caught.value) and not (tmp_path / "out").exists()


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        export(tmp_path / "none")
