"""Make the project's own environment, .venv, or bring it up to date: ``python3 tools/setup_env.py``.

Every target of the Makefile calls this. It needs Python 3.11 or later and nothing else, uses uv where there is one and
pip otherwise, and returns at once while pyproject.toml and requirements/lock.txt are those it last installed from.

The file avoids recent syntax on purpose: a Python that is too old must still be able to read it and say so.
"""

import argparse
import ast
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INPUTS = ("pyproject.toml", "requirements/lock.txt")
OLDEST = (3, 11)
CANDIDATES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python")

STAMP = ".rppg-ready"          # written last, holds the fingerprint of what was installed
UNFINISHED = ".rppg-unfinished"  # there while an installation is under way

# pip's setting -> uv's option. uv reads none of pip's configuration, so a mirror or a wheel folder set up for pip
# would be ignored.
UV_OPTIONS = {
    "index-url": "--index-url",
    "extra-index-url": "--extra-index-url",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
}


class Stop(Exception):
    """Something the user has to put right; the text says how."""


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--installer", choices=("auto", "uv", "pip"), default="auto",
                        help="auto takes uv where there is one")
    options = parser.parse_args(arguments)
    try:
        if sys.version_info < OLDEST:
            return subprocess.call([newer_python(), str(Path(__file__)), "--installer", options.installer])
        make(ROOT, options.installer)
    except Stop as stop:
        say("cannot go on: " + str(stop))
        return 1
    except KeyboardInterrupt:
        say("interrupted. Run the same command again: it starts the environment afresh.")
        return 130
    return 0


def make(root, installer="auto"):
    """Leave ``root/.venv`` holding what pyproject.toml asks for, in the versions of the lock."""
    venv = root / ".venv"
    stamp = venv / STAMP
    wanted = "{}\n{}\n".format(fingerprint(root), venv)
    if stamp.is_file() and stamp.read_text() == wanted and python_of(venv).exists():
        return
    began = time.monotonic()
    uv = find_uv(installer)
    settings = pip_settings()
    if uv and "cert" in settings:
        os.environ.setdefault("SSL_CERT_FILE", settings["cert"][0])
    clear_unusable(venv)
    create(venv, uv)
    (venv / UNFINISHED).write_text("an installation began and has not ended\n")
    if stamp.exists():
        stamp.unlink()
    install(root, venv, uv, settings)
    stamp.write_text(wanted)
    (venv / UNFINISHED).unlink()
    if subprocess.call([str(script_of(venv, "rppg")), "face-model"]):
        say("going on without the face model; 'rppg face-model' tries again")
    say("ready in {:.0f} s".format(time.monotonic() - began))
    say("the command is {}, or rppg alone after: {}".format(*how_to_call()))
    subprocess.call([str(script_of(venv, "rppg")), "doctor"])        # advice: a finding does not stop the caller


def fingerprint(root):
    digest = hashlib.sha256()
    for name in INPUTS:
        path = root / name
        if not path.is_file():
            raise Stop("{} is missing. Is this a complete checkout? Try 'git status'.".format(name))
        digest.update(path.read_bytes())
    return digest.hexdigest()


def python_of(venv):
    return script_of(venv, "python")


def script_of(venv, name):
    return venv / ("Scripts/{}.exe" if os.name == "nt" else "bin/{}").format(name)


def how_to_call(windows=os.name == "nt"):
    r"""Return the command's path from the root of the project, and what puts it on the PATH of a shell.

    >>> how_to_call(windows=False)
    ('.venv/bin/rppg', 'source .venv/bin/activate')
    >>> print(*how_to_call(windows=True), sep=", ")
    .venv\Scripts\rppg, .venv\Scripts\activate
    """
    return (r".venv\Scripts\rppg", r".venv\Scripts\activate") if windows else \
        (".venv/bin/rppg", "source .venv/bin/activate")


def find_uv(installer):
    """Return the uv to use, or None for pip."""
    uv = shutil.which("uv") if installer != "pip" else None
    if installer == "uv" and uv is None:
        raise Stop("uv was asked for and is not on the PATH. Leave the choice to the script, or use --installer pip.")
    return uv


def newer_python():
    """Return a Python on the PATH that is new enough, or say what was found."""
    found = []
    for name in CANDIDATES:
        path = shutil.which(name)
        version = version_of(path) if path else None
        if version and version >= OLDEST:
            return path
        if version:
            found.append("{} is {}.{}".format(path, *version))
    raise Stop("Python {}.{} or later is needed; {}.\n"
               "  Debian, Ubuntu:  sudo apt-get install python3 python3-venv    (Debian 12, Ubuntu 24.04 or later)\n"
               "  macOS:           brew install python@3.13\n"
               "  anywhere:        https://www.python.org/downloads/\n"
               "  then, if it has another name: make PYTHON=python3.13 ..."
               .format(OLDEST[0], OLDEST[1], ", ".join(sorted(set(found))) or "none was found"))


def version_of(python):
    """Return (major, minor) of an interpreter, or None when it does not run."""
    code = "import sys; print(sys.version_info[0], sys.version_info[1])"
    try:
        out = subprocess.check_output([python, "-c", code], stderr=subprocess.DEVNULL)
        major, minor = out.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def clear_unusable(venv):
    """Remove an environment that was left half made, or whose Python is gone or too old."""
    old = venv.with_name(venv.name + ".old")               # moved first: a removal may be interrupted as well
    if old.exists():
        shutil.rmtree(str(old))
    if not venv.exists():
        return
    if (venv / UNFINISHED).exists():
        reason = "its installation was interrupted"
    elif (version_of(str(python_of(venv))) or (0, 0)) < OLDEST:
        reason = "it holds no Python {}.{} or later that runs".format(*OLDEST)
    elif (venv / STAMP).exists() and str(venv) not in (venv / STAMP).read_text().splitlines():
        reason = "it was made in another folder, whose files it would use"
    else:
        return
    say("making .venv afresh: " + reason)
    venv.rename(old)
    shutil.rmtree(str(old))


def base_python():
    """Return the Python itself, not the one of an active environment: that may be the .venv to be made afresh."""
    return getattr(sys, "_base_executable", None) or sys.executable


def create(venv, uv):
    if python_of(venv).exists():
        return
    version = "{}.{}.{}".format(*sys.version_info[:3])
    python = base_python()
    say("1/2  making .venv with Python {} ({})".format(version, python))
    venv.mkdir()
    (venv / UNFINISHED).write_text("the environment is being made\n")
    if uv:
        run([uv, "venv", "--quiet", "--allow-existing", "--python", python, str(venv)],
            "uv could not make .venv; its message is above.")
        return
    if subprocess.call([python, "-c", "import venv, ensurepip"], stderr=subprocess.DEVNULL):
        shutil.rmtree(str(venv))
        raise Stop("this Python ({}) came without its venv module. Install it with\n"
                   "  sudo apt-get install python3-venv          (or python{}.{}-venv for a Python beside Debian's own)"
                   .format(python, *sys.version_info[:2]))
    run([python, "-m", "venv", str(venv)], "the environment could not be made; the message is above.")


def install(root, venv, uv, settings):
    tool = "uv" if uv else "pip"
    say("2/2  installing with {}: a minute or several, most of it downloading (later runs find it done)".format(tool))
    advise_small_torch(settings)
    python = str(python_of(venv))
    what = ["-c", "requirements/lock.txt", "-e", ".[all]"]
    if uv:
        command = [uv, "pip", "install", "--python", python] + uv_options(settings) + what
    else:
        # Not compiled, as uv does it, too: Python compiles what is imported, which is a small part of it all.
        command = [python, "-m", "pip", "install", "--no-compile", "--disable-pip-version-check"] + what
    run(command, "{} could not install the packages; its message is above. Is the package registry reachable? "
                 "Is {:.1f} GB of free disk space enough (about 2 for torch's CPU build, several more for CUDA)?{}"
        .format(tool, shutil.disk_usage(str(root)).free / 1e9, " 'make INSTALLER=pip ...' tries pip." if uv else ""),
        cwd=root)


def advise_small_torch(settings):
    """On Linux the public torch wheel brings CUDA libraries; say how to go without where there is no such device."""
    if not sys.platform.startswith("linux") or os.path.exists("/proc/driver/nvidia") \
            or settings.get("find-links") or settings.get("extra-index-url"):
        return
    say("no NVIDIA device here, yet torch may bring gigabytes of CUDA libraries. For its small build stop this\n"
        "       (Ctrl-C) and put PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu before the command.")


def pip_settings():
    """Return pip's settings (name -> list of values), from its files and PIP_ variables, the stronger ones winning."""
    settings = {}
    lines = [":env:.{}={!r}".format(key[4:].lower().replace("_", "-"), value)
             for key, value in os.environ.items() if key.startswith("PIP_")]
    for python in (sys.executable, base_python()):       # either may be without pip
        try:
            lines += subprocess.check_output([python, "-m", "pip", "config", "list"], stderr=subprocess.DEVNULL,
                                             universal_newlines=True).splitlines()
            break
        except (OSError, subprocess.CalledProcessError):
            continue
    for scope in ("global", "install", ":env:"):         # from weak to strong
        for line in lines:
            key, _, value = line.partition("=")
            if key.startswith(scope + "."):
                settings[key[len(scope) + 1:]] = ast.literal_eval(value).split()
    return settings


def uv_options(settings):
    """Say to uv what pip would have read: mirrors, further indexes and wheel folders.

    >>> uv_options({"find-links": ["wheels", "more"]})
    ['--find-links', 'wheels', '--find-links', 'more']
    """
    options = []
    for name, option in UV_OPTIONS.items():
        if name == "index-url" and ("UV_INDEX_URL" in os.environ or "UV_DEFAULT_INDEX" in os.environ):
            continue                                     # said to uv itself: stronger than what was said to pip
        for value in settings.get(name, []):
            options += [option, value]
    if settings.get("no-index", ["0"])[0].lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    if settings.get("extra-index-url"):
        options += ["--index-strategy", "unsafe-best-match"]   # pip's way: the best version from any index
    return options


def run(command, failure, cwd=None):
    """Run a command that shows its own progress; turn a failure into one sentence."""
    if subprocess.call(command, cwd=str(cwd) if cwd else None):
        raise Stop(failure)


def say(text):
    print("setup: " + text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
