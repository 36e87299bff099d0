"""The library's folders follow the signal: a module imports only from layers above it, and stays small and light."""

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .checkout import ROOT

LIBRARY = ROOT / "rppg_lib"
LAYERS = {
    "types": 0, "registry": 0, "files": 0,
    "signal": 1,
    "video": 2,
    "simulate": 3,
    "data": 4, "quantize": 4, "losses": 4,
    "models": 5,
    "training": 6,
    "evaluation": 7, "measurement": 7,
    "plots": 8, "results": 8,
    "teach": 9, "cli": 9, "measure_command": 9, "workbook": 9, "doctor": 9,
    "models_command": 9, "simulate_command": 9, "train_command": 9, "labels_command": 9, "convert_command": 9,
    "export_command": 9, "data_command": 9, "sweep_command": 9, "new_model_command": 9, "cli_options": 9,
}
SIBLINGS_MAY_MEET = (0, 9)              # the registry knows the types; the command line calls runner and doctor
WITHOUT_TORCH = (0, 1, 2, 3, 7, 8)
NOTEBOOK_PARTS = {"teach", "workbook", "cli"}
NOTEBOOK_PACKAGES = {"IPython", "ipywidgets"}

LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS = 350, 60, 8
SLOWER_THAN_SCIPY_S = 0.3

MODULES = sorted(LIBRARY.rglob("*.py"))


def part_of(dotted: str) -> str | None:
    """Return the part of rppg_lib that a dotted name lies in: 'signal' for 'rppg_lib.signal.methods.pos'."""
    names = dotted.split(".")
    return names[1] if names[0] == "rppg_lib" and len(names) > 1 else None


def dotted_name(path: Path, library: Path = LIBRARY) -> str:
    names = ("rppg_lib", *path.relative_to(library).with_suffix("").parts)
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def imports(source: str, module: str, is_package: bool = False) -> list[tuple[int, str]]:
    """Return (line, absolute dotted name) of every import in a module, inside functions too.

    >>> imports("from ..types import Clip", "rppg_lib.signal.filters")
    [(1, 'rppg_lib.types.Clip')]
    """
    package = module.split(".") if is_package else module.split(".")[:-1]
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            base = base + ([node.module] if node.module else [])
            found += [(node.lineno, ".".join([*base, alias.name])) for alias in node.names]
    return found


def breaches(source: str, module: str, is_package: bool = False) -> list[str]:
    """Return one line for each import that goes against the layers."""
    part = part_of(module)
    if part is None:                                   # rppg_lib/__init__ is the table of contents
        return []
    layer, wrong = LAYERS[part], []
    for line, name in imports(source, module, is_package):
        target, package = part_of(name), name.split(".")[0]
        if package == "torch" and layer in WITHOUT_TORCH:
            wrong.append(f"line {line}: torch has no place in layer {layer}")
        if package in NOTEBOOK_PACKAGES and part not in NOTEBOOK_PARTS:
            wrong.append(f"line {line}: {package} belongs into {', '.join(sorted(NOTEBOOK_PARTS))}")
        if package != "rppg_lib" or target in (part, "__version__"):
            continue
        if target not in LAYERS:
            wrong.append(f"line {line}: {name} is no part of the layer table")
        elif not (LAYERS[target] < layer or (LAYERS[target] == layer and layer in SIBLINGS_MAY_MEET)):
            wrong.append(f"line {line}: {part} (layer {layer}) imports {name} (layer {LAYERS[target]})")
    return wrong


def functions(source: str):
    """Yield (name, lines without the docstring, number of parameters) of every function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if ast.get_docstring(node, clean=False) is not None:
                body = body[1:]
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            a = node.args
            names = [p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
            extra = (a.vararg is not None) + (a.kwarg is not None)
            yield node.name, lines, len([n for n in names if n not in ("self", "cls")]) + extra


def module_id(path: Path) -> str:
    return path.relative_to(LIBRARY).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_a_module_imports_only_from_layers_above_it(path):
    module = dotted_name(path)
    part = part_of(module)
    assert part is None or part in LAYERS, f"give {part} a place in the layer table, here and in book/architecture.md"
    assert breaches(path.read_text("utf-8"), module, path.name == "__init__.py") == []


@pytest.mark.parametrize("source, module", [
    ("from rppg_lib.evaluation import mae", "rppg_lib.signal.filters"),
    ("from ..evaluation import mae", "rppg_lib.signal.filters"),
    ("from .. import plots", "rppg_lib.signal.filters"),
    ("import rppg_lib.plots as p", "rppg_lib.evaluation.table"),
    ("def f():\n    from ...simulate import trace", "rppg_lib.signal.methods.pos"),
    ("from .results import save", "rppg_lib.plots"),
    ("import rppg_lib", "rppg_lib.signal"),
    ("def f():\n    import torch.nn", "rppg_lib.simulate.trace"),
    ("from IPython.display import HTML", "rppg_lib.plots"),
])
def test_the_layer_check_sees_an_import_that_goes_down(source, module):
    assert len(breaches(source, module)) == 1


@pytest.mark.parametrize("source, module", [
    ("from ..types import Clip\nfrom .filters import bandpass", "rppg_lib.signal.spectrum"),
    ("from .types import Clip", "rppg_lib.registry"),
    ("from rppg_lib import signal, __version__", "rppg_lib.results"),
    ("import torch", "rppg_lib.models.physnet"),
    ("import ipywidgets", "rppg_lib.teach.slider"),
])
def test_the_layer_check_lets_an_import_that_goes_up_pass(source, module):
    assert breaches(source, module) == []


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_a_file_and_its_functions_stay_small(path):
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= LONGEST_FILE
    for name, lines, parameters in functions(source):
        assert lines <= LONGEST_FUNCTION, f"{name} has {lines} lines"
        assert parameters <= MOST_PARAMETERS, f"{name} has {parameters} parameters"


def test_the_size_check_counts_code_and_parameters_but_no_docstring():
    source = """
class A:
    def f(self, a, /, b, *args, c=1, **more):
        '''One.

        Two.
        '''
        x = 1
        return x
"""
    assert list(functions(source)) == [("f", 2, 5)]


def fresh_python(code: str) -> dict:
    """Run code in a new process and return the JSON it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("module", ["rppg_lib", "rppg_lib.registry", "rppg_lib.signal", "rppg_lib.simulate",
                                    "rppg_lib.video"])
def test_importing_the_classical_methods_loads_nothing_heavy(module):
    loaded = fresh_python(f"import json, sys, {module}; print(json.dumps([n.split('.')[0] for n in sys.modules]))")
    heavy = {"torch", "pandas", "cv2", "av", "mediapipe",
             "matplotlib", "IPython", "ipywidgets", "papermill", "yaml", "sklearn", "neurokit2"}
    assert heavy.isdisjoint(loaded)


def nearest_module(name: str) -> str:
    """Return the module a dotted name lies in: scipy.signal for scipy.signal.welch."""
    try:
        importlib.import_module(name)
        return name
    except ImportError:
        return name.rpartition(".")[0]


@pytest.mark.slow
def test_importing_the_classical_methods_takes_little_longer_than_numpy_and_scipy():
    parts = sorted({nearest_module(name) for path in MODULES if LAYERS.get(part_of(dotted_name(path)), 9) <= 1
                    for _, name in imports(path.read_text("utf-8"), dotted_name(path))
                    if name.split(".")[0] in ("numpy", "scipy")})
    assert {"numpy", "scipy.signal"} <= set(parts)
    everything = "rppg_lib, rppg_lib.signal, rppg_lib.registry"
    timed = "import json, time; start = time.process_time(); import {}; print(json.dumps(time.process_time() - start))"
    seconds = {what: min(fresh_python(timed.format(what)) for _ in range(5))
               for what in (", ".join(["numpy", *parts]), everything)}
    base, ours = seconds.values()
    assert ours - base < SLOWER_THAN_SCIPY_S, seconds
