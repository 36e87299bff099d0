"""The checkout as a product: it installs, its lists agree with one another, and nothing of one machine is in it."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .checkout import ROOT, copy_for_building, tracked_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DEPENDENCIES = [Requirement(text) for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
                for text in group if not text.startswith(PROJECT["name"])]
IN_NO_LOCK = {"pip"}                    # the installer may be any
LARGEST_FILE_BYTES = 1_000_000
WAIT_S = 300                            # a child process that takes longer has hung

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
needs_pip = pytest.mark.skipif(not any(metadata.distributions(name="pip")), reason="pip is not installed here")


def run(*command, cwd=ROOT, **environment):
    done = subprocess.run([str(part) for part in command], cwd=cwd, env={**os.environ, **environment},
                          capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lock_pins() -> list[Requirement]:
    lines = (ROOT / "requirements" / "lock.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.lstrip().startswith("#")]


# Makefile, continuous integration

def phony_targets() -> list[str]:
    (line,) = re.findall(r"^\.PHONY:(.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    return [target for target in line.split() if target != "setup"]


@needs_make
def test_make_alone_lists_every_target_on_one_line():
    lines = run("make").splitlines()
    for target in phony_targets():
        assert len([line for line in lines if re.match(rf"  make {target} +\S", line)]) == 1, target


@needs_make
@pytest.mark.parametrize("target", ["book", "test", "check", "lab", "bench", "lock", "results"])
def test_every_target_first_makes_the_environment(target):
    commands = run("make", "--dry-run", target)
    assert commands.index("tools/setup_env.py") < commands.index(".venv/")


@needs_make
def test_make_lab_passes_its_arguments_on_and_asks_nobody_for_news():
    seen = run("make", "--dry-run", "--no-print-directory", "lab", "ARGS=--no-browser --port=8899")
    assert "jupyter-lab" in seen and seen.rstrip().endswith("--no-browser --port=8899")
    assert ("--allow-root" in seen) == (getattr(os, "geteuid", lambda: 1)() == 0)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    folder = re.search(r"^lab: export JUPYTER_CONFIG_PATH = \$\(CURDIR\)/(\S+)$", makefile, re.MULTILINE)[1]
    page = json.loads((ROOT / folder / "labconfig" / "page_config.json").read_text("utf-8"))
    assert page["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"] is True


@needs_make
@pytest.mark.parametrize("uid, allowed", [("0", True), ("1000", False)])
def test_only_root_allows_root(uid, allowed, tmp_path):
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {uid}\n")
    (tmp_path / "id").chmod(0o755)
    seen = run("make", "--dry-run", "lab", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert ("--allow-root" in seen) == allowed


@needs_make
def test_make_without_python_says_how_to_get_it():
    done = subprocess.run(["make", "test", "PYTHON=no-such-python"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "sudo apt-get install python3" in done.stdout


def test_continuous_integration_runs_the_two_commands_of_the_readme():
    script = ROOT / ".ci" / "run"
    text = script.read_text("utf-8")
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in text
    assert text.splitlines()[-2:] == ["make test", "make book"]


# Lists that have to agree

def test_the_version_is_the_same_everywhere():
    import rppg_lib

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)[1]
    assert {rppg_lib.__version__, citation["version"], newest} == {PROJECT["version"]}
    assert citation["license"] == PROJECT["license"]


def test_the_lock_pins_every_dependency_to_a_version_that_is_asked_for():
    pins = {}
    for pin in lock_pins():
        pins.setdefault(canonicalize_name(pin.name), []).append(next(iter(pin.specifier)).version)
    for dependency in DEPENDENCIES:
        if dependency.name in IN_NO_LOCK:
            continue
        versions = pins.get(canonicalize_name(dependency.name), [])
        assert versions, f"{dependency.name} is not in the lock: run make lock"
        assert all(dependency.specifier.contains(version) for version in versions), dependency


def test_the_lock_can_be_used_as_constraints():
    for pin in lock_pins():
        assert [specifier.operator for specifier in pin.specifier] == ["=="], pin
        assert not pin.extras and not pin.url, pin


def test_the_lock_keeps_cuda_to_linux():
    on_a_mac = {"sys_platform": "darwin", "platform_machine": "arm64", "os_name": "posix", "extra": ""}
    cuda = [pin for pin in lock_pins() if pin.name.startswith(("nvidia-", "cuda-", "triton"))]
    assert not [pin for pin in cuda if pin.marker is None or pin.marker.evaluate(on_a_mac)]


def test_the_environment_that_make_made_holds_the_versions_of_the_lock():
    if not (ROOT / ".venv" / ".rppg-ready").exists() or os.path.realpath(sys.prefix) != str(ROOT / ".venv"):
        pytest.skip("these tests do not run in the .venv that make makes")
    for pin in lock_pins():
        if (pin.marker is None or pin.marker.evaluate()) and any(metadata.distributions(name=pin.name)):
            version = metadata.version(pin.name)
            assert pin.specifier.contains(version, prereleases=True), f"{pin.name} {version}, the lock says {pin}"


def test_every_package_the_library_imports_is_a_declared_dependency():
    declared = {canonicalize_name(dependency.name) for dependency in DEPENDENCIES}
    givers = metadata.packages_distributions()
    for path in (ROOT / "rppg_lib").rglob("*.py"):
        for package in sorted(imported_packages(path.read_text("utf-8")) - sys.stdlib_module_names - {"rppg_lib"}):
            names = {canonicalize_name(name) for name in givers.get(package, [])} | {canonicalize_name(package)}
            allowed = declared | {"packaging", "ipython", "mamba-ssm"}   # of pytest, of ipykernel; used if it is there
            assert names & allowed, f"{path.name} imports {package}: add it to pyproject.toml, with a reason"


def imported_packages(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_conda_users_get_python_and_everything_else_from_the_same_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    (pip_section,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    others = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    assert pip_section == ["-c requirements/lock.txt", "-e .[all]"]
    assert [entry.split()[0] for entry in others] == ["python", "pip"]
    oldest = re.search(r">=([\d.]+)", others[0])[1]
    assert PROJECT["requires-python"] == f">={oldest}"


# Installing

@pytest.mark.slow
@needs_pip
def test_the_pip_section_for_conda_users_resolves(tmp_path):
    copy = copy_for_building(tmp_path)
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    (pip_section,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    (copy / "pip.txt").write_text("\n".join(pip_section))          # conda too writes the section beside the file
    out = run(sys.executable, "-m", "pip", "install", "--dry-run", "--no-build-isolation", "-r", "pip.txt", cwd=copy)
    assert f"rppg-lib-{PROJECT['version']}" in out


@pytest.fixture(scope="session")
def installed_wheel(tmp_path_factory):
    """A folder that holds the library as installed from a wheel, and none of its dependencies."""
    source = copy_for_building(tmp_path_factory.mktemp("source"))
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source)
    (wheel,) = wheels.glob("*.whl")
    run(*pip, "install", "--no-deps", "--no-index", "--target", target, wheel)
    return target


@pytest.mark.slow
@needs_pip
def test_a_wheel_brings_every_file_of_the_library_and_none_else(installed_wheel):
    def files(folder):
        return {path.relative_to(folder).as_posix() for path in (folder / "rppg_lib").rglob("*")
                if path.is_file() and "__pycache__" not in path.parts}

    assert files(installed_wheel) == files(ROOT)
    assert {"rppg_lib/py.typed", "rppg_lib/workbook.mplstyle"} <= files(installed_wheel)


@pytest.mark.slow
@needs_pip
def test_the_library_works_from_a_wheel_outside_the_checkout(installed_wheel, tmp_path):
    code = "import rppg_lib, rppg_lib.registry as r; print(rppg_lib.__file__); print(*r.available())"
    place, names = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed_wheel)).splitlines()
    assert place.startswith(str(installed_wheel))
    assert "pos" in names.split()


@pytest.mark.slow
@needs_pip
def test_the_rppg_command_comes_with_the_wheel(installed_wheel, tmp_path):
    (command,) = installed_wheel.glob("bin/rppg*")
    shown = run(command, "--help", cwd=tmp_path, PYTHONPATH=str(installed_wheel))
    assert all(word in shown for word in ("usage", "run", "score", "doctor"))


# Hygiene

MACHINE_PATH = re.compile(r"(?<![\w/.:-])/(?:work|tmp|root|farm)/|(?<![\w/.-])/home/[a-z]\w*/")


def test_no_file_names_a_path_of_one_machine():
    found = []
    for path in tracked_files():
        try:
            lines = path.read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}:{number}" for number, line in enumerate(lines, 1)
                  if MACHINE_PATH.search(line)]
    assert found == []


@pytest.mark.parametrize("text, is_one", [
    ("cd /{}/data", True), ('"/{}/x.npz"', True), ("(/{}/a)", True), ("see https://example.org/{}/a", False),
    ("notes/{}/a", False), ("../{}/a", False), ("/{}-shop", False),
])
@pytest.mark.parametrize("name", ["work", "tmp", "root", "home/ada"])
def test_the_path_check_tells_a_machine_path_from_others(text, is_one, name):
    assert bool(MACHINE_PATH.search(text.format(name))) == is_one


def test_no_large_file_is_tracked():
    assert [path.name for path in tracked_files() if path.stat().st_size > LARGEST_FILE_BYTES] == []


def test_notebooks_are_committed_without_outputs():
    for path in tracked_files():
        if path.suffix == ".ipynb":
            for cell in json.loads(path.read_text("utf-8"))["cells"]:
                assert not cell.get("outputs") and cell.get("execution_count") is None, \
                    f"{path.name} holds outputs: run nbstripout on it"
