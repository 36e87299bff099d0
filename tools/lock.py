"""Write requirements/lock.txt: one version of everything, for every system and Python the project supports.

    python tools/lock.py               keep the versions that still fit
    python tools/lock.py --upgrade     take the newest that fit (further options go to `uv pip compile` too)

The lock is used as constraints (`pip install -c`), so that the CUDA packages in it stay away where torch does not ask
for them. It speaks of the public index alone: wheel folders and further indexes of one machine are left out of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from setup_env import ROOT, pip_settings, uv_options

HEADER = """\
# Made by `make lock` from pyproject.toml; used as constraints: pip install -c requirements/lock.txt -e ".[all]"
# No hashes: the CPU and CUDA builds of torch differ.
"""


def main(further: list[str]) -> None:
    lock = ROOT / "requirements" / "lock.txt"
    draft = ROOT / "build" / "lock.txt"
    draft.parent.mkdir(exist_ok=True)
    draft.unlink(missing_ok=True)
    if lock.exists():
        shutil.copy(lock, draft)                          # uv keeps what it finds here, where it still fits
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"].lstrip(">=")
    mirror = {name: values for name, values in pip_settings().items() if name in ("index-url", "trusted-host")}
    done = subprocess.run(
        [find_uv(), "pip", "compile", "pyproject.toml", "--quiet", "--universal", "--python-version", oldest,
         "--all-extras", "--strip-extras",                # constraints may not name extras
         "--fork-strategy", "fewest",                     # one version for every Python where there is one
         "--no-emit-package", "pip",                      # the installer may be any
         "--no-header", "--output-file", str(draft), *uv_options(mirror), *further],
        cwd=ROOT)
    if done.returncode:
        sys.exit("lock: uv found no set of versions that fits, or did not know an option; its message is above.")
    draft.write_text(HEADER + draft.read_text("utf-8"), "utf-8")
    lock.parent.mkdir(exist_ok=True)
    os.replace(draft, lock)
    pins = sum("==" in line for line in lock.read_text("utf-8").splitlines())
    print(f"lock: {pins} pins in {lock.relative_to(ROOT)}")


def find_uv() -> str:
    """Return a uv: the one on the PATH, else one of our own below build/."""
    if found := shutil.which("uv"):
        return found
    home = ROOT / "build" / "uv"
    scripts = home / ("Scripts" if os.name == "nt" else "bin")
    if not shutil.which("uv", path=str(scripts)):
        print("lock: no uv on the PATH; getting one into build/uv", flush=True)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([scripts / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"],
                       check=True)
    return shutil.which("uv", path=str(scripts)) or sys.exit("lock: uv could not be installed; see above.")


if __name__ == "__main__":
    main(sys.argv[1:])
