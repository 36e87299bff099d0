"""The script behind every make target: one environment, made once, mended when it is broken."""

import ast
import shutil
import subprocess
import sys

import pytest
import setup_env

from .checkout import ROOT


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small checkout, where nothing is really installed; ``project.log`` holds the commands that would have run."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "requirements" / "lock.txt").write_text("numpy==2.4.6\n")
    log = []

    def call(command, **_):
        log.append([str(part) for part in command])
        if "venv" in command:                               # python -m venv, uv venv
            python = setup_env.python_of(tmp_path / ".venv")
            python.parent.mkdir(parents=True)
            python.touch()
        return 0

    monkeypatch.setattr(setup_env.subprocess, "call", call)
    monkeypatch.setattr(setup_env, "pip_settings", dict)
    monkeypatch.setattr(setup_env, "version_of", lambda python: (3, 12))
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: None)
    return type("Project", (), {"root": tmp_path, "venv": tmp_path / ".venv", "log": log})


def test_a_finished_setup_says_how_to_call_the_command(project, capsys):
    setup_env.make(project.root)
    said = capsys.readouterr().out
    command, activate = setup_env.how_to_call()
    assert command in said and activate in said
    assert (project.root / command).parent == setup_env.script_of(project.venv, "rppg").parent


def installs(project) -> int:
    return sum("install" in command for command in project.log)


def test_a_fresh_checkout_gets_an_environment_constrained_by_the_lock(project):
    setup_env.make(project.root)
    (install,) = [command for command in project.log if "install" in command]
    assert install[:4] == [str(setup_env.python_of(project.venv)), "-m", "pip", "install"]
    assert install[-4:] == ["-c", "requirements/lock.txt", "-e", ".[all]"]


def test_a_second_call_runs_nothing(project):
    setup_env.make(project.root)
    project.log.clear()
    setup_env.make(project.root)
    assert project.log == []


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements/lock.txt"])
def test_a_changed_list_is_installed_into_the_same_environment(project, name):
    setup_env.make(project.root)
    (project.venv / "mine").touch()
    (project.root / name).write_text("changed\n")
    setup_env.make(project.root)
    assert installs(project) == 2 and (project.venv / "mine").exists()


def test_an_interrupted_installation_is_started_afresh(project, monkeypatch):
    call = setup_env.subprocess.call

    def interrupted(command, **options):
        if "install" in command:
            (project.venv / "half").touch()
            raise KeyboardInterrupt
        return call(command, **options)

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(setup_env.subprocess, "call", interrupted)
        setup_env.make(project.root)
    assert (project.venv / "half").exists()
    setup_env.make(project.root)
    assert installs(project) == 1 and not (project.venv / "half").exists()
    project.log.clear()
    setup_env.make(project.root)
    assert project.log == []


def test_an_interruption_is_no_traceback(project, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(setup_env, "make", interrupted)
    assert setup_env.main([]) == 130
    assert "Run the same command again" in capsys.readouterr().out


def test_a_failed_installation_says_what_may_be_wrong_and_is_not_taken_for_done(project, monkeypatch, capsys):
    call = setup_env.subprocess.call
    monkeypatch.setattr(setup_env.subprocess, "call", lambda c, **o: 1 if "install" in c else call(c, **o))
    monkeypatch.setattr(setup_env, "ROOT", project.root)
    assert setup_env.main([]) == 1
    assert "registry reachable" in capsys.readouterr().out
    assert not (project.venv / setup_env.STAMP).exists()


def test_an_environment_copied_with_its_folder_is_made_afresh(project, capsys):
    setup_env.make(project.root)
    copy = project.root / "copy"
    shutil.copytree(project.root, copy, ignore=shutil.ignore_patterns("copy"))
    setup_env.clear_unusable(copy / ".venv")
    assert not (copy / ".venv").exists()
    assert "another folder" in capsys.readouterr().out


def test_an_environment_whose_python_is_gone_is_made_afresh(project, monkeypatch):
    setup_env.make(project.root)
    monkeypatch.setattr(setup_env, "version_of", lambda python: None)
    setup_env.clear_unusable(project.venv)
    assert not project.venv.exists()


def test_an_interrupted_removal_leaves_nothing_that_looks_like_an_environment(project, monkeypatch):
    setup_env.make(project.root)
    (project.venv / setup_env.UNFINISHED).touch()

    def interrupted(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(setup_env.shutil, "rmtree", interrupted)
        setup_env.clear_unusable(project.venv)
    assert not project.venv.exists()
    setup_env.make(project.root)
    assert sorted(path.name for path in project.root.iterdir() if path.name.startswith(".")) == [".venv"]


def test_an_environment_somebody_made_by_hand_is_kept_and_completed(project):
    python = setup_env.python_of(project.venv)
    python.parent.mkdir(parents=True)
    python.touch()
    (project.venv / "mine").touch()
    setup_env.make(project.root)
    assert (project.venv / "mine").exists() and installs(project) == 1


def test_uv_is_used_where_there_is_one_and_told_what_pip_knows(project, monkeypatch):
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: "/opt/uv" if name == "uv" else None)
    monkeypatch.setattr(setup_env, "pip_settings", lambda: {"find-links": ["wheels"]})
    setup_env.make(project.root)
    (install,) = [command for command in project.log if "install" in command]
    assert install[:3] == ["/opt/uv", "pip", "install"]
    assert install[install.index("--find-links") + 1] == "wheels"


def test_pip_can_be_chosen_though_there_is_a_uv(project, monkeypatch):
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: "/opt/uv" if name == "uv" else None)
    setup_env.make(project.root, "pip")
    assert not [command for command in project.log if command[0] == "/opt/uv"]


def test_a_python_without_its_venv_module_is_named_with_the_line_that_mends_it(project, monkeypatch):
    call = setup_env.subprocess.call
    monkeypatch.setattr(setup_env.subprocess, "call",
                        lambda c, **o: 1 if "import venv, ensurepip" in c else call(c, **o))
    with pytest.raises(setup_env.Stop, match="sudo apt-get install python3-venv"):
        setup_env.make(project.root)
    assert not project.venv.exists()


def test_a_python_that_is_too_old_is_replaced_by_a_newer_one_on_the_path(monkeypatch):
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: f"/opt/{name}")
    versions = {"/opt/python3": (3, 9), "/opt/python3.13": (3, 13)}
    monkeypatch.setattr(setup_env, "version_of", versions.get)
    assert setup_env.newer_python() == "/opt/python3.13"


def test_where_every_python_is_too_old_the_message_says_what_was_found_and_what_is_needed(monkeypatch):
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: f"/opt/{name}" if name == "python3" else None)
    monkeypatch.setattr(setup_env, "version_of", lambda path: (3, 9))
    with pytest.raises(setup_env.Stop, match=r"Python 3\.11 or later is needed; /opt/python3 is 3\.9") as stop:
        setup_env.newer_python()
    assert "sudo apt-get install" in str(stop.value)


def test_a_missing_lock_is_an_incomplete_checkout(project):
    (project.root / "requirements" / "lock.txt").unlink()
    with pytest.raises(setup_env.Stop, match="lock.txt is missing"):
        setup_env.make(project.root)


@pytest.mark.parametrize("settings, options", [
    ({}, []),
    ({"timeout": ["60"]}, []),
    ({"index-url": ["https://mirror.example/simple"]}, ["--index-url", "https://mirror.example/simple"]),
    ({"find-links": ["a", "b"]}, ["--find-links", "a", "--find-links", "b"]),
    ({"extra-index-url": ["u"]}, ["--extra-index-url", "u", "--index-strategy", "unsafe-best-match"]),
    ({"no-index": ["true"]}, ["--no-index"]),
    ({"no-index": ["0"]}, []),
])
def test_uv_is_told_in_its_own_words(settings, options, monkeypatch):
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)
    assert setup_env.uv_options(settings) == options


def test_what_was_said_to_uv_itself_is_stronger(monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://other.example/simple")
    assert setup_env.uv_options({"index-url": ["https://mirror.example/simple"]}) == []


def test_pip_settings_come_from_its_files_and_its_variables_and_variables_win(tmp_path, monkeypatch):
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nfind-links = /from/file\nextra-index-url =\n  https://a.example\n  https://b.example\n"
                      "index-url = https://weak.example\n[install]\nindex-url = https://strong.example\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_FIND_LINKS", "one two")
    settings = setup_env.pip_settings()
    assert settings["find-links"] == ["one", "two"]
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        assert settings["extra-index-url"] == ["https://a.example", "https://b.example"]
        assert settings["index-url"] == ["https://strong.example"]


def test_the_script_can_be_read_by_a_python_that_is_too_old():
    ast.parse((ROOT / "tools" / "setup_env.py").read_text("utf-8"), feature_version=(3, 6))
