"""The decoding process: it ends when it should, and its death is an error here and nothing worse."""

import gc
import os
import signal
import subprocess
import sys
import time

import pytest

from rppg_lib.video import child as child_module
from rppg_lib.video.child import Child
from rppg_lib.video.read import open_video
from tests.video.films import film, moving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and process tables of POSIX")


@pytest.fixture
def children(monkeypatch):
    """Every decoding process started in the test."""
    started = []

    class Kept(Child):
        def __init__(self, task):
            super().__init__(task)
            started.append(self.process.pid)

    monkeypatch.setattr("rppg_lib.video.read.Child", Kept)
    return started


@pytest.fixture
def long_film(tmp_path):
    return film(tmp_path / "a.mp4", moving(200, size=(320, 240)))


def alive(pid, *, wait_s=3.0):
    """Tell whether the process still exists, as a zombie too, after waiting for its end."""
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.02)
    return True


def test_the_child_is_gone_after_a_whole_pass(long_film, children):
    assert sum(1 for _ in open_video(long_film)) == 200
    assert len(children) == 1 and not alive(children[0])


def test_the_child_ends_with_a_loop_that_is_left(long_film, children):
    video = open_video(long_film)
    for frame in video:
        if frame.index == 3:
            break
    del frame
    gc.collect()
    assert not alive(children[0])
    assert video.report.frames in (3, 4) and not video.report.complete


def test_the_child_ends_with_a_video_that_is_closed_or_dropped(long_film, children):
    with open_video(long_film):
        pass
    video = open_video(long_film)
    del video
    gc.collect()
    assert not alive(children[0]) and not alive(children[1])


def test_a_closed_iterator_ends_the_child(long_film, children):
    pictures = iter(open_video(long_film))
    next(pictures)
    pictures.close()
    assert not alive(children[0])


def test_a_crash_of_the_decoder_is_an_error_that_counts_the_pictures(long_film, children):
    pictures = iter(open_video(long_film))
    next(pictures)
    os.kill(children[0], signal.SIGSEGV)
    with pytest.raises(OSError, match=rf"crashed \(signal {int(signal.SIGSEGV)}\) after \d+ pictures"):
        list(pictures)


def test_a_decoder_that_stops_answering_is_ended(long_film, children, monkeypatch):
    monkeypatch.setattr(child_module, "SILENCE_S", 0.6)
    first, fill = [0.7], Child._fill

    def slow_to_start(child, view):
        time.sleep(first.pop() if first else 0)          # the watch sees the first deadline, a minute away
        fill(child, view)

    monkeypatch.setattr(Child, "_fill", slow_to_start)
    pictures = iter(open_video(long_film))
    next(pictures)
    os.kill(children[0], signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(OSError, match="stopped answering"):
        list(pictures)
    assert time.monotonic() - start < 5 and not alive(children[0])


def test_waiting_costs_no_cpu(long_film, children, monkeypatch):
    monkeypatch.setattr(child_module, "SILENCE_S", 1.0)
    pictures = iter(open_video(long_film))
    next(pictures)
    os.kill(children[0], signal.SIGSTOP)
    used = time.process_time()
    with pytest.raises(OSError):
        list(pictures)
    assert time.process_time() - used < 0.3


def test_the_child_does_not_outlive_a_parent_that_is_killed(long_film):
    script = (f"from rppg_lib.video.read import open_video\nvideo = open_video({str(long_film)!r})\n"
              "print(video._waiting.process.pid, flush=True)\nimport time; time.sleep(60)")
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 5
    while time.monotonic() < end and _runs(pid):
        time.sleep(0.02)
    assert not _runs(pid)


def _runs(pid):
    """Tell whether the process runs; an orphan may stay a zombie until whoever adopted it looks."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(done.stdout.strip()) and not done.stdout.strip().startswith("Z")


def test_a_file_in_the_working_folder_is_not_taken_for_a_library(long_film, monkeypatch, tmp_path):
    (tmp_path / "numpy.py").write_text("raise SystemExit('wrong')")
    monkeypatch.chdir(tmp_path)
    assert len(list(open_video(long_film, seconds=0.2))) == 6
