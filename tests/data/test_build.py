"""Building a store: the same bytes however it is built, whole or not at all, and nothing that fails goes unsaid."""

import functools
import os
import random
import re
import signal
import sys
import time
import tracemalloc
import warnings

import numpy as np
import pytest

from rppg_lib.data import ClipSource, ClipStore, LazySource, SimulatedSource, build, build_store, simulated_sources
from rppg_lib.data.manifest import digest_of
from rppg_lib.types import Clip

from .pieces import Made, clip, clip_sources, content, python

BUILD = """\
import sys
from rppg_lib.data import build_store, simulated_sources
folder, jobs, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
sources = simulated_sources(4, scenes=["still", "talking"], seconds=seconds, size_px=24)
print(build_store(sources, folder, name="a", jobs=jobs, progress=False).path)
"""


def made(sources, folder, **kinds):
    return build_store(sources, folder, **{"name": "a", "jobs": 1, "progress": False, **kinds})


def few(**kinds):
    return simulated_sources(2, scenes=["still", "dropped frames"], **{"seconds": 2, "size_px": 16, **kinds})


@pytest.mark.slow
def test_a_store_is_the_same_bytes_whatever_its_place_its_name_and_the_number_of_jobs(tmp_path):
    one = made(few(), tmp_path / "1", jobs=1)
    two = made(few(), tmp_path / "2", jobs=2)
    other = made(few(), tmp_path / "3", name="b")
    assert content(one.path) == content(two.path) and one.content_hash == two.content_hash == other.content_hash
    assert one.path.name.replace("a-", "b-") == other.path.name
    one.verify()
    assert [record.id for record in one.records] == [source.id for source in few()]
    assert not list(one.path.rglob("*.part")) and not list(one.path.rglob(".*.part"))


def test_a_changed_parameter_is_another_store_and_an_unchanged_one_is_not_made_again(tmp_path, monkeypatch):
    first = made(few(), tmp_path)
    for change in ({"seed": 1}, {"difficulty": 2}, {"label_faults": "late"}, {"size_px": 18}):
        assert made(few(**change), tmp_path).path != first.path
    monkeypatch.setattr(SimulatedSource, "play", lambda self: pytest.fail("it was made again"))
    again = made(few(), tmp_path)
    assert again.path == first.path and again.manifest == first.manifest


def test_another_simulator_is_another_store(tmp_path, monkeypatch):
    first = made(few(), tmp_path)
    monkeypatch.setattr("rppg_lib.data.sources.simulator_digest", lambda: "another")
    assert made(few(), tmp_path).path != first.path


def test_order_is_kept_and_is_part_of_the_store(tmp_path):
    forth, back = (made(order, tmp_path) for order in (few(), few()[::-1]))
    assert forth.path != back.path and [r.id for r in back.records] == [r.id for r in forth.records][::-1]


def test_what_fails_is_named_counted_and_tried_again_and_the_rest_is_made(tmp_path):
    sources = [*clip_sources("ann", "bob"), Made(lambda: 1 / 0, id="cy", subject="cy")]
    with pytest.warns(UserWarning, match="1 of 3 recordings failed .* The first, cy: ZeroDivisionError: division"):
        store = made(sources, tmp_path)
    assert store.failed == [{"id": "cy", "subject": "cy", "error": "ZeroDivisionError: division by zero"}]
    assert [record.id for record in store.records] == ["ann", "bob"] and repr(store).endswith("; 1 failed)")
    assert ClipStore.open(store.path).failed == store.failed
    before = (store.path / "recordings" / store.records[0].folder / "frames.npy").stat().st_mtime_ns
    sources[2].pictures = lambda: clip("cy", size=(8, 8)).frames
    healed = made(sources, tmp_path)
    assert healed.path == store.path and healed.failed == [] and len(healed) == 3
    assert (store.path / "recordings" / store.records[0].folder / "frames.npy").stat().st_mtime_ns == before


def test_a_failure_in_another_process_is_named_too(tmp_path):
    sources = simulated_sources(1, scenes=["still", "compressed"], seconds=2, size_px=17)    # H.264 needs even sizes
    with pytest.warns(UserWarning, match="1 of 2 recordings failed"):
        store = made(sources, tmp_path, jobs=2)
    assert "H.264 needs pictures of even width" in store.failed[0]["error"] and len(store) == 1


def test_nothing_but_failures_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="none of 1 recordings could be made. The first, made: ZeroDivisionError"):
        made([Made(lambda: 1 / 0)], tmp_path)
    with pytest.raises(FileNotFoundError, match="holds none"):
        ClipStore.open(tmp_path)


@pytest.mark.parametrize(("kinds", "says"), [
    ({"label": np.zeros(89)}, "one value per frame"), ({"label": np.full(90, np.nan)}, "90 of 90 values are NaN"),
    ({"clean": np.zeros(7)}, "one value per frame"), ({"facts": {"a": float("nan")}}, "not JSON compliant"),
    ({"facts": {"a": np.zeros(2)}}, "not JSON serializable"), ({"size_px": (9, 8)}, "needs pictures (H, W, 3)"),
])
def test_a_recording_that_does_not_fit_together_fails(tmp_path, kinds, says):
    sources = [*clip_sources("ann"), Made(lambda: clip(size=(8, 8)).frames, **kinds)]
    with pytest.warns(UserWarning, match="1 of 2"):
        store = made(sources, tmp_path)
    assert says in store.failed[0]["error"]


def test_a_recording_without_a_picture_fails(tmp_path):
    with pytest.raises(RuntimeError, match="whole numbers above 0"):
        made([Made(lambda: [])], tmp_path)


@pytest.mark.parametrize(("sources", "name", "error", "says"), [
    ([], "a", ValueError, "needs at least one source, got none"),
    ([3], "a", TypeError, "needs sources .* got int. Wrap a clip in ClipSource"),
    (clip_sources("ann", "ann"), "a", ValueError, "two sources have the id 'ann'"),
    (clip_sources("ann"), "../a", ValueError, "name must be letters, digits"),
    ([Made(list, settings={"a": object()})], "a", TypeError, "source 'made': settings must be what JSON can hold"),
])
def test_wrong_use_is_said_before_anything_is_made(tmp_path, sources, name, error, says):
    with pytest.raises(error, match=f"build_store: .*{says}"):
        made(sources, tmp_path, name=name)
    assert list(tmp_path.iterdir()) == []


def test_ids_that_are_no_file_names_or_differ_in_case_alone_get_folders_of_their_own(tmp_path):
    names = ["../../x", "a/b", "Ann", "ann", "ä ö", "con", "x" * 300, ".", "a\\b:c*"]
    store = made(clip_sources(*names, frames=50), tmp_path)
    assert [record.id for record in store.records] == names
    assert len({record.folder.lower() for record in store.records}) == len(names)
    store.verify()


def test_what_is_half_written_or_spoiled_is_made_again_and_nothing_else(tmp_path):
    store = made(clip_sources("ann", "bob", "cy", "dan"), tmp_path)
    whole, folders = content(store.path), [store.path / "recordings" / r.folder for r in store.records]
    (store.path / "manifest.json").unlink()                          # the process was killed before it was done
    (folders[0] / "recording.json").unlink()
    os.truncate(folders[1] / "frames.npy", 1000)
    (folders[2] / "recording.json").write_text("{")
    left = store.path / "recordings" / ".ann-0123.part"
    left.mkdir()
    (left / "frames.npy").write_bytes(b"half")
    times = [(folder / "rgb.npy").stat().st_mtime_ns for folder in folders]
    again = made(clip_sources("ann", "bob", "cy", "dan"), tmp_path)
    assert content(again.path) == whole and again.path == store.path
    assert [(folder / "rgb.npy").stat().st_mtime_ns == then for folder, then in zip(folders, times)] == [
        False, False, False, True]


def test_a_recording_of_other_settings_does_not_pass_for_this_one(tmp_path):
    one, other = ({"id": "made", "subject": "somebody", "settings": {"made": n}} for n in (1, 2))
    source = Made(lambda: clip(size=(8, 8)).frames, settings={"made": 1})
    row = build.make_recording(source, digest_of(one, who="test"), tmp_path)
    assert "error" not in row and row["frames"] == 90
    row = build.make_recording(source, digest_of(other, who="test"), tmp_path)
    assert "worker's version of the code" in row["error"]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_worker_that_is_late_leaves_the_finished_recording_alone(tmp_path):
    source = Made(lambda: clip(size=(8, 8)).frames)
    digest = digest_of({"id": "made", "subject": "somebody", "settings": {"made": "made"}}, who="test")
    first = build.make_recording(source, digest, tmp_path)
    seen, there = [], build._already
    with pytest.MonkeyPatch.context() as patch:                      # it looked before the other was done
        patch.setattr(build, "_already", lambda *args: seen.append(1) or (None if len(seen) == 1 else there(*args)))
        assert build.make_recording(source, digest, tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == [first["folder"]]


def test_memory_does_not_grow_with_the_length_of_a_recording(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)

    def peak(frames):
        source = Made(lambda: (picture + np.uint8(k % 7) for k in range(frames)), size_px=(64, 64), id=str(frames))
        told = {"id": source.id, "subject": source.subject, "settings": source.settings()}
        tracemalloc.start()
        row = build.make_recording(source, digest_of(told, who="test"), tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert row["frames"] == frames
        return peak

    peak(10)
    assert peak(4000) < peak(100) + 200_000 < 2_000_000              # 4000 frames are 49 MB


def test_a_bar_is_drawn_on_a_terminal_and_lines_elsewhere_unless_it_is_not_wanted(tmp_path, capsys, monkeypatch):
    made(clip_sources("ann"), tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")
    made(clip_sources("ann", "bob"), tmp_path / "loud", progress=True)
    said = capsys.readouterr()
    assert said.out == "" and re.fullmatch(r"\ra: 0 of 2 recordings after 00:0\d, about \? to go *\n"
                                           r"\ra: 2 of 2 recordings after 00:\d\d, about 00:00 to go *\n+", said.err)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    made(clip_sources("ann", "bob", "cid"), tmp_path / "loud", progress=True)
    assert "3/3" in capsys.readouterr().err


@pytest.mark.slow
def test_a_worker_that_dies_is_said_and_costs_nothing_that_is_finished(tmp_path):
    dying = LazySource(id="dan", subject="dan", opened=functools.partial(os._exit, 9), decided_by={"made": 1})
    with pytest.raises(RuntimeError, match="a worker died, .* the same call goes on; use fewer jobs"):
        made([*clip_sources("ann", "bob"), dying], tmp_path, jobs=2)
    assert not list(tmp_path.rglob("manifest.json"))


@pytest.mark.slow
def test_a_build_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path):
    whole = python(BUILD, tmp_path / "whole", 2, 3, stdout=-1)
    path = whole.communicate(timeout=120)[0].strip()
    recordings = lambda: list((tmp_path / "broken").glob("a-*/recordings/sim*"))  # noqa: E731
    draw, kills = random.Random(0), 0
    for _ in range(12):
        process = python(BUILD, tmp_path / "broken", 2, 3, start_new_session=True, stdout=-1)
        before, until = len(recordings()), time.monotonic() + 60
        while process.poll() is None and len(recordings()) <= before and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.3))
        if process.poll() is None and kills < 4:
            os.killpg(process.pid, signal.SIGKILL)                   # its workers too, as when a machine goes down
            kills += 1
        process.communicate(timeout=120)
        if process.returncode == 0:
            break
    found, = (tmp_path / "broken").glob("a-*")
    assert kills >= 2 and content(found) == content(build.Path(path))


@pytest.mark.slow
def test_two_processes_that_build_one_store_get_one_store(tmp_path):
    both = [python(BUILD, tmp_path, jobs, 3, stdout=-1, stderr=-1) for jobs in (1, 2)]
    said = [process.communicate(timeout=120) for process in both]
    assert said[0][0] == said[1][0] and [process.returncode for process in both] == [0, 0], said
    store = ClipStore.open(said[0][0].strip())
    store.verify()
    assert len(store) == 8 and store.failed == []
    assert len(list((store.path / "recordings").iterdir())) == 8


@pytest.mark.slow
def test_a_dask_cluster_builds_the_same_store(tmp_path, monkeypatch):
    distributed, joblib = pytest.importorskip("distributed"), pytest.importorskip("joblib")
    here = made(few(), tmp_path / "here")
    monkeypatch.setattr(SimulatedSource, "play", lambda self: pytest.fail("made in this process"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                              # of the cluster, about ports and closing
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
                                      local_directory=str(tmp_path)) as cluster, distributed.Client(cluster):
            with joblib.parallel_config(backend="dask"):
                there = made(few(), tmp_path / "there", jobs=None)
    assert content(here.path) == content(there.path)


def test_a_clip_without_label_or_trace_is_kept_as_it_is(tmp_path):
    bare = Clip(id="bare", frames=clip().frames, fs=25)
    found = made([ClipSource(clip=bare)], tmp_path).clip(0)
    assert found.rgb is None and found.label is None and found.fs == 25 and (found.frames == bare.frames).all()


def test_a_recording_with_colours_and_without_a_label_is_kept(tmp_path):
    unlabelled = clip(label=False)
    store = build_store([ClipSource(clip=unlabelled)], tmp_path, name="plain", jobs=1, progress=False)
    kept = store.clip(0)
    assert not store.failed and kept.label is None and np.allclose(kept.rgb, unlabelled.rgb, atol=1e-3)
