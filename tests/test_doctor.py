"""The doctor finds what a machine lacks, and names the line that mends it."""

import hashlib
import importlib.machinery
import types
from importlib import metadata

import pytest

from rppg_lib import doctor
from rppg_lib.video import model


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("RPPG_FACE_MODEL", "RPPG_REALDATA", "RPPG_CHROMIUM"):
        monkeypatch.delenv(name, raising=False)


def pretend_installed(monkeypatch, requirements: list[str], versions: dict[str, str]):
    """Let the metadata of our package ask for ``requirements`` on a machine that holds ``versions``."""

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(doctor.metadata, "requires", lambda name: requirements)
    monkeypatch.setattr(doctor.metadata, "version", version)


def pretend_importable(monkeypatch, **modules: bool):
    real = doctor.importlib.util.find_spec
    spec = importlib.machinery.ModuleSpec("pretended", None)
    monkeypatch.setattr(doctor.importlib.util, "find_spec",
                        lambda name: (spec if modules[name] else None) if name in modules else real(name))


def test_a_full_examination_looks_at_every_topic_and_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    findings = doctor.examine()
    assert {"Python", "core", "device", "cores", "cv2", "libraries", "face model", "real data", "browser",
            "disk"} <= {finding.topic for finding in findings}
    assert {finding.state for finding in findings} <= {"ok", "note", "problem"}
    assert list(tmp_path.iterdir()) == []


def test_whatever_is_not_ok_comes_with_a_text_and_a_problem_with_a_remedy():
    for finding in doctor.examine():
        assert finding.text
        assert finding.remedy or finding.state != "problem"


def test_packages_as_asked_for_are_ok(monkeypatch):
    pretend_installed(monkeypatch, ["numpy>=2.0", 'torch==2.13.0; extra == "torch"'],
                      {"numpy": "2.4.6", "torch": "2.13.0+cpu"})
    core, torch, *_ = doctor._packages()
    assert (core.state, core.text) == ("ok", "numpy 2.4.6")
    assert (torch.state, torch.text) == ("ok", "torch 2.13.0+cpu")


def test_a_package_of_the_wrong_version_is_a_problem_that_names_what_was_asked_for(monkeypatch):
    pretend_installed(monkeypatch, ["numpy>=2.0"], {"numpy": "1.26.4"})
    core, *_ = doctor._packages()
    assert core.state == "problem"
    assert "numpy 1.26.4" in core.text and ">=2.0" in core.text and "pip install" in core.remedy


@pytest.mark.parametrize("requirement, state", [
    ("numpy>=2.0", "problem"),
    ('papermill>=2; extra == "notebooks"', "note"),
])
def test_a_missing_package_stops_the_core_but_only_limits_an_extra(monkeypatch, requirement, state):
    pretend_installed(monkeypatch, [requirement], {})
    (finding,) = [finding for finding in doctor._packages() if finding.text]
    assert finding.state == state
    assert "not installed" in finding.text and "pip install" in finding.remedy


def test_a_package_that_is_not_installed_itself_is_a_note(monkeypatch):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "requires", requires)
    (finding,) = doctor._packages()
    assert finding.state == "note" and "pip install" in finding.remedy


def test_without_torch_the_examination_says_so_and_goes_on(monkeypatch):
    pretend_importable(monkeypatch, torch=False)
    monkeypatch.setattr(doctor.importlib, "import_module", lambda name: pytest.fail(f"imported {name}"))
    finding = doctor._device()
    assert finding.state == "note" and "classical methods work" in finding.text and "[torch]" in finding.remedy


def test_a_torch_that_does_not_load_is_a_problem_that_quotes_the_error(monkeypatch):
    def broken(name):
        raise OSError("libgomp.so.1: cannot open shared object file")

    pretend_importable(monkeypatch, torch=True)
    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    finding = doctor._device()
    assert finding.state == "problem" and "libgomp.so.1" in finding.text and finding.remedy


def test_a_cuda_device_is_called_by_its_name(monkeypatch):
    cuda = types.SimpleNamespace(is_available=lambda: True, device_count=lambda: 2, get_device_name="card {}".format)
    pretend_importable(monkeypatch, torch=True)
    monkeypatch.setattr(doctor.importlib, "import_module", lambda name: types.SimpleNamespace(cuda=cuda))
    assert doctor._device().text == "CUDA: card 0, card 1"


def test_two_distributions_that_write_cv2_are_a_problem(monkeypatch):
    givers = ["opencv-contrib-python", "opencv-python-headless"]
    monkeypatch.setattr(doctor.metadata, "packages_distributions", lambda: {"cv2": [*givers, givers[0]]})
    finding = doctor._one_cv2()
    assert finding.state == "problem"
    assert all(giver in finding.text and giver in finding.remedy for giver in givers)


@pytest.mark.parametrize("givers, state", [([], "note"), (["opencv-contrib-python"], "ok")])
def test_one_cv2_is_fine_and_none_is_worth_a_note(monkeypatch, givers, state):
    monkeypatch.setattr(doctor.metadata, "packages_distributions", lambda: {"cv2": givers})
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "4.14.0")
    assert doctor._one_cv2().state == state


@pytest.mark.parametrize("version, state", [("0.10.33", "ok"), ("0.10.35", "problem"), ("1.2.2", "problem"),
                                            ("1.0", "problem")])
def test_a_mediapipe_that_calls_its_maker_is_a_problem(monkeypatch, version, state):
    pretend_installed(monkeypatch, [], {"mediapipe": version})
    assert doctor._silence().state == state


def test_the_mediapipe_installed_here_makes_no_network_call():
    assert doctor._silence().state in ("ok", "note")


@pytest.mark.parametrize("version, state", [("1.28.0", "ok"), ("1.29.0", "problem"), ("2.0.1", "problem"),
                                            (None, "note")])
def test_an_onnxruntime_that_reports_to_its_maker_is_a_problem(monkeypatch, version, state):
    monkeypatch.setattr(doctor, "_version", lambda name: version)
    assert doctor._silent_runtime().state == state


@pytest.mark.parametrize("cv2, state", [(True, "problem"), (False, "note")])
def test_a_missing_library_is_named_with_the_line_that_installs_it(monkeypatch, cv2, state):
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(doctor.ctypes.util, "find_library", lambda name: None if name == "GL" else f"lib{name}.so.1")
    pretend_importable(monkeypatch, cv2=cv2, mediapipe=False)
    finding = doctor._libraries()
    assert finding.state == state
    assert "libGL" in finding.text and "libEGL" not in finding.text
    assert finding.remedy.endswith("sudo apt-get install libgl1")


def test_the_face_model_is_a_note_where_absent_and_a_problem_where_wrong(monkeypatch, tmp_path):
    monkeypatch.setattr(model, "cache_dir", lambda: tmp_path)
    assert doctor._face_model().state == "note" and "rppg face-model" in doctor._face_model().remedy
    path = tmp_path / "model.task"
    monkeypatch.setenv(model.VARIABLE, str(path))
    assert doctor._face_model().state == "problem"
    path.write_bytes(b"another file")
    assert doctor._face_model().state == "problem"
    monkeypatch.setattr(model, "SHA256", hashlib.sha256(b"another file").hexdigest())
    assert doctor._face_model().state == "ok" and str(path) in doctor._face_model().text


def test_real_recordings_are_listed_by_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("RPPG_REALDATA", str(tmp_path))
    (tmp_path / "ubfc").mkdir()
    (tmp_path / "notes.txt").touch()
    assert doctor.real_data_folder() == tmp_path
    assert f"{tmp_path}: ubfc" in doctor._real_data().text and "notes" not in doctor._real_data().text


def test_a_checkout_without_real_recordings_is_fine(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_checkout", lambda: tmp_path / "checkout")
    assert (doctor._real_data().state, doctor._real_data().text) == ("ok", "none found: the simulator is used")
    (tmp_path / "checkout" / "data" / "raw" / "pure").mkdir(parents=True)
    assert doctor._real_data().text.endswith("raw: pure")


def test_a_variable_that_names_no_folder_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setenv("RPPG_REALDATA", str(tmp_path / "absent"))
    assert doctor._real_data().state == "problem"
    assert doctor.real_data_folder() is None


def test_a_browser_is_taken_from_the_variable_or_found_or_reported_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor, "BROWSER_PLACES", ())
    monkeypatch.setattr(doctor, "cache_dir", lambda: tmp_path)
    assert doctor.find_browser() is None
    assert doctor._browser().state == "note" and "apt-get install chromium" in doctor._browser().remedy
    own = tmp_path / "ms-playwright" / "chromium-1200" / "chrome-linux" / "chrome"
    own.parent.mkdir(parents=True)
    own.touch()
    assert doctor.find_browser() == str(own)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/opt/{name}")
    assert doctor.find_browser() == "/opt/chromium"
    monkeypatch.setenv("RPPG_CHROMIUM", str(own))
    assert doctor.find_browser() == str(own)


@pytest.mark.parametrize("free_gb, state", [(80, "ok"), (2, "note"), (0.1, "problem")])
def test_little_disk_space_is_reported(monkeypatch, free_gb, state):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=free_gb * 1e9))
    assert doctor._disk().state == state


def test_the_report_shows_every_finding_with_its_remedy_and_counts_them():
    findings = [doctor.Finding(topic="a", state="ok", text="fine"),
                doctor.Finding(topic="b", state="note", text="so so"),
                doctor.Finding(topic="c", state="problem", text="bad", remedy="mend it")]
    lines = doctor.report(findings).splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "note", "problem", "->", "1"]
    assert lines[-1] == "1 problem, 1 note."
