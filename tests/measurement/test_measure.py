"""From a file to a verdict: right where there is a pulse, silent where there is none, and private always."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

import rppg_lib
from rppg_lib import registry
from rppg_lib.measurement import Settings, measure_faces, measure_folder, save

from ..checkout import ROOT
from ..models.tiny import GreenOnly

CAN_FORBID = sys.platform.startswith("linux") and os.uname().machine in ("x86_64", "aarch64")
needs_linux = pytest.mark.skipif(not CAN_FORBID, reason="forbids sockets by a filter of the Linux kernel")

# Kills the process, and any it starts, at the first socket to another machine. 2 and 10: AF_INET, AF_INET6.
NO_SOCKETS = """
import ctypes, os, struct, sys
number = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
rules = [(0x20, 0, 0, 0), (0x15, 0, 4, number), (0x20, 0, 0, 16), (0x15, 1, 0, 2), (0x15, 0, 1, 10),
         (0x06, 0, 0, 0x80000000), (0x06, 0, 0, 0x7fff0000)]
code = b"".join(struct.pack("HBBI", *rule) for rule in rules)
buffer = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0
"""


@pytest.fixture(scope="module")
def result(films, face_model):
    return rppg_lib.measure(films.face)


def keys_in(value):
    if isinstance(value, list):
        return set().union(*map(keys_in, value))
    return set(value).union(*map(keys_in, value.values())) if isinstance(value, dict) else set()


def run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT,
                          timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.mark.slow
def test_a_face_on_film_is_reliable_and_its_rate_is_right(result, films):
    assert result.verdict == "reliable" and result.trusted
    assert result.hr_bpm == pytest.approx(films.truth_bpm, abs=2)
    assert result.face_share == 1 and result.finder == "landmarks" and result.frames == 360
    assert result.seconds == pytest.approx(12, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"every": 3}, {"finder": "haar"}, {"method": "chrom"}, {"region": "forehead"}])
def test_other_ways_to_look_agree(films, settings, face_model):
    found = rppg_lib.measure(films.face, **settings)
    assert found.reading_bpm == pytest.approx(films.truth_bpm, abs=4)
    assert found.finder == settings.get("finder", "landmarks")


@pytest.mark.slow
def test_without_a_face_there_is_no_rate(films, face_model):
    found = rppg_lib.measure(films.empty)
    assert found.verdict == "no face" and not found.trusted and not found.windows
    assert math.isnan(found.hr_bpm) and math.isnan(found.reading_bpm)
    assert "240 frames" in found.why and found.to_json()["hr_bpm"] is None


@pytest.mark.slow
def test_three_seconds_are_too_short_and_the_sentence_says_what_is_needed(films, face_model):
    found = rppg_lib.measure(films.short)
    assert found.verdict == "too short" and math.isnan(found.hr_bpm)
    assert "3.3 s" in found.why and "5 s" in found.why


@pytest.mark.slow
def test_a_face_that_comes_late_and_goes_is_measured_where_it_is(films, face_model):
    found = rppg_lib.measure(films.between)
    assert len(found.stretches) == 2
    first, second = found.stretches
    assert first.start_s == pytest.approx(3, abs=0.7) and first.end_s == pytest.approx(10, abs=0.7)
    assert second.start_s == pytest.approx(12, abs=0.7)
    for window in found.windows:
        assert any(s.start_s - 1e-6 <= window.start_s and window.start_s + window.seconds <= s.end_s + 1e-6
                   for s in found.stretches)
    assert any("no face" in note for note in found.notes) and 0.6 < found.face_share < 0.85


def test_pictures_of_nothing_but_skin_need_no_face(films):
    found = rppg_lib.measure(films.face, region="frame")
    assert found.face_share == 1 and found.windows and "skin" not in found.region


@pytest.mark.slow
def test_everybody_in_the_picture_is_measured_and_nobody_is_one_measurement_that_says_so(films, face_model):
    assert [m.face for m in measure_faces(films.face)] == [0]
    (nobody,) = measure_faces(films.empty)
    assert nobody.verdict == "no face"


@pytest.mark.slow
@needs_linux
def test_no_socket_to_another_machine_is_opened_while_measuring(films, face_model):
    dies = run(NO_SOCKETS + "import socket; socket.socket()")
    assert dies.returncode < 0, "the filter must work for this test to mean anything"
    lives = run(NO_SOCKETS + "from rppg_lib.cli import main; sys.exit(main(['measure', sys.argv[1], '--json']))",
                films.face)
    assert lives.returncode == 0, lives.stderr
    assert json.loads(lives.stdout)["trusted"] is True and lives.stderr == ""


@pytest.mark.slow
def test_saved_files_hold_the_numbers_and_nothing_that_shows_who_it_was(result, tmp_path):
    paths = save(result, tmp_path)
    numbers = json.loads(paths["numbers"].read_text("utf-8"))
    assert numbers["hr_bpm"] == pytest.approx(result.hr_bpm, abs=0.01)
    assert len(numbers["windows"]) == len(result.windows)
    assert not {"box", "boxes", "landmarks", "points", "image", "colours", "rgb"} & keys_in(numbers)
    wave = np.genfromtxt(paths["pulse"], delimiter=",", names=True)
    assert len(wave) == pytest.approx(360, abs=1) and set(wave["trusted"]) <= {0, 1}
    table = np.genfromtxt(paths["windows"], delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert len(np.atleast_1d(table)) == len(result.windows)


@pytest.mark.slow
def test_a_folder_goes_on_after_a_file_that_cannot_be_read(films, tmp_path):
    (tmp_path / "a.mp4").write_bytes(films.face.read_bytes())
    (tmp_path / "b.mp4").write_bytes(b"no video at all" * 100)
    (tmp_path / "notes.txt").write_text("not a video")
    (a, good), (b, bad) = measure_folder(tmp_path, region="frame")
    assert (a.name, b.name) == ("a.mp4", "b.mp4")
    assert good.windows and isinstance(bad, (OSError, ValueError))


@pytest.mark.parametrize("settings, complaint", [
    ({"method": "chrm"}, "Did you mean 'chrom'"), ({"region": "nose"}, "needs one of skin"),
    ({"region": "patches 6x6"}, "one region"),
    ({"window_s": 2}, "window_s"), ({"hop_s": 0}, "hop_s"), ({"window_s": math.nan}, "window_s"),
    ({"every": 0}, "every"), ({"seconds": -1}, "seconds"),
    ({"every": 2.5}, "every"), ({"finder": "yolo"}, "finder")])
def test_a_setting_that_makes_no_sense_is_an_error_before_anything_is_read(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        Settings(**settings)


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(OSError, match="absent.mp4.*does not exist"):
        rppg_lib.measure(tmp_path / "absent.mp4")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(films, tmp_path):
    code = ("import resource, sys; import rppg_lib; rppg_lib.measure(sys.argv[1], region='frame'); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
    from rppg_lib.video import open_video, write_video

    frames = [frame.image for frame in open_video(films.face, seconds=2)]
    peaks = []
    for name, times in (("short.mp4", 4), ("long.mp4", 60)):
        path = write_video(tmp_path / name, (image for _ in range(times) for image in frames), fs=30, crf=30,
                           preset="ultrafast").path
        done = run(code, path)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 30, peaks                            # 108 s more would be 780 MB of pictures


def test_names_that_clean_to_the_same_stem_never_share_files():
    from rppg_lib.measurement import Measurement
    from rppg_lib.measurement.save import file_stem

    def stem(name, face=0):
        return file_stem(Measurement(source=name, method="pos", region="skin", verdict="no face", why="",
                                     hr_bpm=math.nan, reading_bpm=math.nan, quality=0.0, face=face))

    names = ["a b.mp4", "a_b.mp4", "a+b.mp4", "\U0001f600.mp4", "\U0001f389.mp4", "y" * 250 + ".mp4",
             "y" * 249 + ".mp4"]
    stems = [stem(name) for name in names]
    assert len(set(stems)) == len(names) and stems[1] == "a_b.mp4"
    assert all(len(one.encode()) < 220 for one in stems) and stem("a.mp4", face=1) == "a.mp4.face2"


def test_an_unknown_setting_is_named_with_a_near_one():
    with pytest.raises(TypeError, match="no setting 'windows_s'. Did you mean 'window_s'"):
        rppg_lib.measure("absent.mp4", windows_s=10)


@pytest.fixture
def network(tmp_path):
    """A checkpoint of a network without weights, which reads the mean green of the face's picture."""
    from rppg_lib.models import save_network

    registry.available("network")
    registry.register("green_only", cites="none")(GreenOnly)
    yield save_network(GreenOnly(GreenOnly.Config(size_px=24, frames=128)), tmp_path / "checkpoint", facts={"fs": 30.0})
    del registry._entries["green_only"]
    GreenOnly.name, GreenOnly.cites = "green only", "none"


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["largest", "all"])
def test_a_network_measures_a_video_from_pictures_of_the_face(films, face_model, network, whom):
    settings = {"method": "green_only", "options": {"checkpoint": str(network)}}
    found = rppg_lib.measure(films.face, **settings) if whom == "largest" else measure_faces(films.face, **settings)[0]
    assert f"weights from {network}" in found.notes
    assert found.method == "green_only" and found.reading_bpm == pytest.approx(films.truth_bpm, abs=4)


def test_a_network_without_weights_or_without_a_face_is_refused_before_the_video_is_read(films, network):
    with pytest.raises(ValueError, match="needs trained weights"):
        rppg_lib.measure(films.face, method="green_only")
    with pytest.raises(ValueError, match="green_only needs pictures of a face, but region='frame' looks for none"):
        rppg_lib.measure(films.face, method="green_only", options={"checkpoint": network}, region="frame")
