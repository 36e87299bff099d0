"""Folders of products: never the notebooks' own, and one run at a time."""

import io
import subprocess
import sys

import pytest

from rppg_lib.workbook import command as rppg_run
from rppg_lib.workbook.lock import only_run

from .made_up import write_notebook, write_profile


def start(folder, out):
    return rppg_run.run([], profile="quick", given=[], out=out, fresh=False, at_a_time=1, notebooks=folder,
                       stream=io.StringIO())


def test_the_notebooks_themselves_are_never_written_over(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    path = write_notebook(folder, "01_light", parameters='profile = "quick"')
    write_profile(folder, "all: {profile: quick}")
    before = (folder / "01_light.ipynb").read_bytes()
    with pytest.raises(ValueError, match="would write the executed copies over the notebooks"):
        start(folder, tmp_path)
    assert (folder / "01_light.ipynb").read_bytes() == before, path


def test_a_second_run_into_the_same_folder_is_refused_while_the_first_lives(tmp_path):
    hold = ("import sys, pathlib; from rppg_lib.workbook.lock import only_run\n"
            "with only_run(pathlib.Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()")
    command = [sys.executable, "-c", hold, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline().strip() == b"held"
        with pytest.raises(FileExistsError, match="another 'rppg run' is writing"), only_run(tmp_path):
            pass
        other.kill()
        other.wait()
    with only_run(tmp_path):
        pass
