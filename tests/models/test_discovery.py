"""Every file in the folder of networks is found; one that cannot be loaded is named, and methods go on."""

import subprocess
import sys

import pytest

from ..checkout import ROOT

BROKEN = """
import pkgutil, sys
from pathlib import Path
Path(sys.argv[1], "broken.py").write_text("import there_is_no_such_thing")
whole = pkgutil.iter_modules
pkgutil.iter_modules = lambda path=None, prefix="": [*whole(path, prefix), *whole([sys.argv[1]], prefix)]
from rppg_lib import registry
print(registry.build("pos").name)
import importlib
real = importlib.import_module
def load(name, package=None):
    if name.endswith(".broken"):
        sys.path.insert(0, sys.argv[1])
        return real("broken")
    return real(name, package)
importlib.import_module = load
try:
    registry.available()
except ImportError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_file_that_cannot_be_loaded_is_named_and_methods_still_work(tmp_path):
    done = subprocess.run([sys.executable, "-c", BROKEN, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    name, why = done.stdout.splitlines()
    assert name == "pos"
    assert "broken.py cannot be loaded (ModuleNotFoundError: No module named 'there_is_no_such_thing')" in why
