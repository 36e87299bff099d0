"""Networks as ONNX: what onnxruntime gives is what PyTorch gives, and what 8-bit numbers change."""

import json
import os
import shutil
import sys

import numpy as np
import pytest
import torch

from rppg_lib import registry
from rppg_lib.data.normalise import normalise
from rppg_lib.models import NetworkEstimator, export, exported, pulse_of
from rppg_lib.models.kdphys import KDPhys
from rppg_lib.models.physnet import PhysNet
from rppg_lib.models.stream import Stream
from rppg_lib.types import Clip

from ..measurement.test_measure import NO_SOCKETS, needs_linux, run

NETWORKS = list(registry.available("network"))
NOT_IN_ONNX = {"codephys": "rppg_lib.deformed_conv3d", "codequery": "aten._cdist_forward",
               "factorizephys": "aten._adaptive_avg_pool3d", "lqrppg": "rppg_lib.selective_scan",
               "rhythmmamba": "rppg_lib.selective_scan"}
"""Networks with an operation that ONNX has nothing for."""
SMALLER = 0.35


def fresh(kind, config, *, seed=0):
    torch.manual_seed(seed)
    return kind(config).eval()


def random_pictures(frames, size, *, seed=0):
    rng = np.random.default_rng(seed)
    light = 4 * np.sin(np.arange(frames) / 4)[:, None, None, None]
    noisy = rng.uniform(40, 200, (1, size, size, 3)) + light + rng.normal(0, 3, (frames, size, size, 3))
    return noisy.round().astype(np.uint8)


@pytest.fixture(scope="module", autouse=True)
def installed():
    for name in exported.PACKAGES:
        pytest.importorskip(name, reason=f"{name} is of the extra 'export'")


@pytest.fixture(scope="module")
def network():
    return fresh(KDPhys, KDPhys.Config(frames=64))


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    """The published size, but for the clip's length, in all four forms."""
    folder = tmp_path_factory.mktemp("export") / "kdphys"
    network.facts = {"fs": 25.0}
    export.export(network, folder, stream=True, int8=True)
    return folder


@pytest.fixture(scope="module")
def told(folder):
    return json.loads((folder / exported.TOLD).read_text())


# agreement with PyTorch

@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_agrees_with_pytorch_or_says_what_onnx_lacks(name, tmp_path):
    kind = registry.find(name).made_of
    network = fresh(kind, kind.tiny())
    if name in NOT_IN_ONNX:
        with pytest.raises(ValueError, match=f"export: {name} cannot be written as ONNX: ONNX has nothing for its "
                                             f"operation {NOT_IN_ONNX[name]}. Use it with PyTorch"):
            export.export(network, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        return
    export.export(network, tmp_path / "out")
    c = network.config
    clips = torch.from_numpy(np.stack([random_pictures(c.frames, c.size_px, seed=k) for k in range(3)]))
    fed = normalise(clips, network.normalise)
    with torch.no_grad():
        want = pulse_of(network(fed))
    error = abs(exported.load_exported(tmp_path / "out")(fed) - want).max()
    assert error < 1e-4 and error < 0.02 * want.std()                # a constant would agree with anything


@pytest.mark.slow
def test_the_clip_form_takes_any_number_of_clips(network, folder, told):
    assert told["files"]["model.onnx"]["inputs"][0]["shape"] == ["batch", 3, 64, 36, 36]
    clips = torch.from_numpy(np.stack([random_pictures(64, 36, seed=k) for k in range(5)]))
    fed = normalise(clips, network.normalise)
    with torch.no_grad():
        want = network(fed)
    for number in (1, 2, 5):
        assert abs(exported.load_exported(folder)(fed[:number]) - want[:number]).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("config", [KDPhys.Config(), KDPhys.for_any_size(), KDPhys.Config(past=(0, 3, 0, 1))],
                         ids=["published", "any size", "no past in two layers"])
def test_frame_by_frame_it_agrees_with_pytorch_for_a_long_time(config, tmp_path):
    network = fresh(KDPhys, config)
    export.export(network, tmp_path, stream=True)
    theirs, ours = exported.load_stream(tmp_path), Stream(network)
    pictures = np.random.default_rng(0).integers(0, 256, (200, 36, 36, 3), dtype=np.uint8)
    values = np.array([(theirs.push(picture), ours.push(picture)) for picture in pictures][1:])
    apart = abs(values[:, 0] - values[:, 1]).max()
    assert apart < 1e-5 and apart < 0.001 * np.ptp(values[:, 1])     # and no constant, which would agree with anything


@pytest.mark.slow
def test_anybody_can_run_it_by_what_the_file_beside_it_says(folder, told, network):
    """As somebody without this library would."""
    facts = told["files"]["stream.onnx"]
    session = exported.runtime().InferenceSession(str(folder / "stream.onnx"))
    names = [each["name"] for each in facts["inputs"]]
    assert names == ["picture", *(f"state_{k}" for k in range(6))]
    assert [each["name"] for each in facts["outputs"]] == ["value", *(f"next_state_{k}" for k in range(6))]
    assert (told["fs"], told["size_px"], told["normalise"], told["target"]) == (25.0, 36, ["raw"], "change")
    pictures = random_pictures(70, 36).astype(np.float32).transpose(0, 3, 1, 2)[:, None] / 255
    state = [pictures[0], *(np.zeros(each["shape"], np.float32) for each in facts["inputs"][2:])]
    values = []
    for picture in pictures[1:]:
        value, *state = session.run(None, dict(zip(names, [picture, *state])))
        values.append(value[0])
    with torch.no_grad():
        fed = torch.from_numpy(pictures).transpose(0, 1).transpose(1, 2)               # (T,1,3,H,W) -> (1,3,T,H,W)
        want = network.resume(fed[:, :, 1:], network.start(fed[:, :, 0]))[0][0].numpy()
    assert abs(values - want).max() < 1e-5


@pytest.mark.slow
def test_an_exported_network_takes_the_place_of_the_network_in_an_estimator(folder, network):
    clip = Clip(frames=random_pictures(150, 48), fs=25.0)
    network.facts = {"fs": 25.0}
    want = NetworkEstimator(network, device="cpu").predict(clip).wave
    got = NetworkEstimator(exported.load_exported(folder), device="cpu").predict(clip).wave
    np.testing.assert_allclose(got, want, atol=1e-3 * abs(want).max())
    with pytest.raises(ValueError, match="needs at least 64 frames, got 40"):
        NetworkEstimator(exported.load_exported(folder)).predict(Clip(frames=clip.frames[:40], fs=25.0))


# 8-bit numbers

@pytest.mark.slow
def test_with_8_bit_numbers_the_files_are_a_third_and_all_but_one_layer_is_whole_numbers(folder, told):
    import onnx

    for name in ("model.onnx", "stream.onnx"):
        small = folder / exported.at_int8(name)
        assert small.stat().st_size <= SMALLER * (folder / name).stat().st_size
        kinds = [node.op_type for node in onnx.load(small).graph.node]
        assert (kinds.count("ConvInteger"), kinds.count("Conv"), kinds.count("MatMulInteger")) == (5, 1, 2)
        assert "MatMul" not in kinds and "Gemm" not in kinds


@pytest.mark.slow
def test_8_bit_numbers_change_a_trained_wave_little(tmp_path):
    network = fresh(KDPhys, KDPhys.Config(frames=64, size_px=20, width=24, dense=16, dropout=0, dropout_dense=0))
    learned_green(network)
    export.export(network, tmp_path, stream=True, int8=True)
    rows = exported.compared(tmp_path, [Clip(frames=pulsing(240, 20, bpm=bpm), fs=30.0) for bpm in (66, 96)])
    assert [row["graph"] for row in rows] == 2 * ["model.onnx"] + 2 * ["stream.onnx"]
    for row, bpm in zip(rows, 2 * [66, 96]):
        assert row["rate_bpm"] == pytest.approx(bpm, abs=2) and row["change_bpm"] < 0.5 and row["r"] > 0.99


def pulsing(frames, size, *, bpm, seed=0):
    rng = np.random.default_rng(seed)
    beat = 1.5 * np.sin(2 * np.pi * bpm / 60 * np.arange(frames) / 30)[:, None, None, None]
    still = rng.uniform(60, 180, (1, size, size, 3))
    return (still + beat + rng.normal(0, 1, (frames, size, size, 3))).round().astype(np.uint8)


def learned_green(network):
    """Teach a network the change of light in a few seconds."""
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for step in range(60):
        clips = np.stack([pulsing(64, 20, bpm=bpm, seed=step) for bpm in (60, 90, 120)])
        fed = normalise(torch.from_numpy(clips), network.normalise)
        want = fed.mean((1, 3, 4)).diff(dim=-1) * 300
        optimizer.zero_grad()
        (network(fed)[:, :-1] - want).square().mean().backward()
        optimizer.step()


# what is written, and what is refused

@pytest.mark.slow
def test_what_is_told_of_the_files_is_true(folder, told):
    import hashlib

    assert set(told["files"]) == {path.name for path in folder.iterdir()} - {exported.TOLD}
    for name, facts in told["files"].items():
        data = (folder / name).read_bytes()
        assert facts["bytes"] == len(data) and facts["sha256"] == hashlib.sha256(data).hexdigest()
        assert facts["ms_per_frame"] > 0 and ("int8" in name or facts["largest_error"] < 1e-4 * facts["largest_value"])


@pytest.mark.slow
def test_where_it_does_not_agree_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", -1.0)                   # not even equal numbers agree
    with pytest.raises(ValueError, match=r"export: kdphys as ONNX differs from PyTorch by .*; nothing was written"):
        export.export(fresh(KDPhys, KDPhys.tiny()), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_network_is_left_as_it_was(tmp_path):
    network = fresh(KDPhys, KDPhys.tiny()).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export.export(network, tmp_path, stream=True)
    assert network.training and all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_folder_with_other_things_in_it_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="export: needs a new or an empty folder, or one of an earlier export"):
        export.export(KDPhys(KDPhys.tiny()), tmp_path)


def test_a_network_that_looks_at_whole_clips_has_no_stream(tmp_path):
    with pytest.raises(TypeError, match="export: needs a network with start and resume, such as kdphys, got physnet"):
        export.export(PhysNet(PhysNet.tiny()), tmp_path, stream=True)


def test_what_was_not_exported_cannot_be_loaded(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no export.json. Name a folder that 'rppg export' wrote"):
        exported.load_stream(tmp_path)
    sound = {"name": "kdphys", "fs": 30.0, "size_px": 36, "frames": 64, "normalise": ["raw"], "target": "change",
             "files": {}}
    (tmp_path / "export.json").write_text(json.dumps(sound))
    with pytest.raises(FileNotFoundError, match="holds no stream.int8.onnx. Export again, with --stream and --int8"):
        exported.load_stream(tmp_path, int8=True)
    broken = ({"files": 5}, {"files": {"model.onnx": {}}}, {"target": "nonsense"}, {"fs": -1}, {"frames": "64"},
              {"normalise": ["nonsense"]}, {"size_px": True})
    for text in ("", "[]", "{}", "[" * 9999, *(json.dumps(sound | change) for change in broken)):
        (tmp_path / "export.json").write_text(text)
        with pytest.raises(ValueError, match=r"export.json cannot be read. Export again"):
            exported.load_exported(tmp_path)


@pytest.mark.slow
def test_an_export_with_fewer_forms_leaves_nothing_of_the_one_before(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)            # of all four forms
    told = export.export(fresh(KDPhys, KDPhys.tiny()), tmp_path, int8=True)
    assert {path.name for path in tmp_path.iterdir()} == {*told["files"], "export.json"} == {
        "model.onnx", "model.int8.onnx", "export.json"}
    rows = exported.compared(tmp_path, [Clip(id="one", fs=30, frames=random_pictures(100, 32))])
    assert [row["graph"] for row in rows] == ["model.onnx"]


@pytest.mark.slow
def test_a_mixture_of_two_exports_and_a_damaged_graph_are_found_out(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    write = export.written_whole

    def interrupted(path, *given):
        if path.name == "stream.onnx":
            raise KeyboardInterrupt
        return write(path, *given)

    monkeypatch.setattr(export, "written_whole", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export.export(fresh(KDPhys, KDPhys.tiny(), seed=1), tmp_path, stream=True)
    with pytest.raises(ValueError, match=r"model.onnx is not the file that export.json tells of.* Export again"):
        exported.load_exported(tmp_path)
    exported.load_stream(tmp_path)                                   # the first one's, as is told
    graph = bytearray((tmp_path / "stream.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (tmp_path / "stream.onnx").write_bytes(graph)
    with pytest.raises(ValueError, match=r"stream.onnx is not the file that export.json tells of"):
        exported.load_stream(tmp_path)
    monkeypatch.undo()
    export.export(fresh(KDPhys, KDPhys.tiny(), seed=1), tmp_path, stream=True)
    exported.load_exported(tmp_path), exported.load_stream(tmp_path)


def test_agreement_is_asked_of_small_values_too():
    network = fresh(KDPhys, KDPhys.tiny())
    facts = {"largest_error": 1e-7, "largest_value": 2e-6}
    with pytest.raises(ValueError, match="differs from PyTorch by 1e-07, more than 0.0001 of its largest value, 2e-06"):
        export._agreed(network, facts)
    assert export._agreed(network, facts | {"largest_value": 0.01})


# privacy

@pytest.mark.slow
@needs_linux
def test_no_socket_to_another_machine_is_opened_while_exporting_and_running():
    """But for 8-bit numbers: then Python asks for a hardware address for the name of a temporary file."""
    code = NO_SOCKETS + """
import numpy as np, tempfile
from rppg_lib.models.export import export
from rppg_lib.models.exported import load_stream
from rppg_lib.models.kdphys import KDPhys
folder = tempfile.mkdtemp()
export(KDPhys(KDPhys.tiny()), folder, stream=True)
stream = load_stream(folder)
print([stream.push(np.zeros((32, 32, 3), np.uint8)) is None for _ in range(3)])
"""
    done = run(code)
    assert (done.returncode, done.stdout) == (0, "[True, False, False]\n"), done.stderr[-500:]


def test_onnxruntime_is_a_version_that_reports_nothing_or_is_told_not_to():
    ort = exported.runtime()
    assert os.environ[exported.SILENT] == "1"
    assert tuple(int(part) for part in ort.__version__.split(".")[:2]) < (1, 29), "from 1.29 on it reports to its maker"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into Linux's shared libraries")
def test_the_installed_onnxruntime_knows_no_address_to_report_to():
    from pathlib import Path

    libraries = [path for path in (Path(exported.runtime().__file__).parent / "capi").iterdir() if ".so" in path.name]
    assert libraries and all(b"events.data.microsoft.com" not in path.read_bytes() for path in libraries)
