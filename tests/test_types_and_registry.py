import builtins
import os
import subprocess
import sys

import numpy as np
import pytest

from rppg_lib import registry
from rppg_lib.types import Clip, Pulse, Recording, Reference

from .checkout import ROOT


def trace(n=90):
    return 100 + np.random.default_rng(0).normal(size=(n, 3))


@pytest.mark.parametrize("wrong, message", [
    ({}, "needs rgb .* or frames"),
    ({"rgb": trace(), "label": np.zeros(80)}, "one value per frame, got lengths {'rgb': 90, 'label': 80}"),
    ({"rgb": trace()[None]}, "needs one trace"),
    ({"frames": np.zeros((5, 8, 8, 3))}, "of uint8"),
    ({"frames": np.zeros((5, 3, 8, 8), np.uint8)}, r"\(T, H, W, 3\)"),
    ({"rgb": trace(), "fs": 0}, "Clip 'x': fs must be a positive"),
])
def test_a_clip_that_does_not_fit_together_is_an_error(wrong, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Clip(**({"fs": 30, "id": "x"} | wrong))


def test_a_clip_counts_frames_whatever_it_holds():
    assert len(Clip(fs=30, rgb=trace())) == 90
    assert len(Clip(fs=30, frames=np.zeros((5, 8, 8, 3), np.uint8))) == 5


def test_a_pulse_is_one_finite_wave():
    with pytest.raises(ValueError, match="NaN"):
        Pulse(wave=[1, np.nan], fs=30)
    with pytest.raises(ValueError, match=r"one waveform \(T,\)"):
        Pulse(wave=np.zeros((2, 9)), fs=30)


def test_a_recording_opens_its_pictures_afresh_each_time():
    pictures = [np.full((2, 2, 3), i, np.uint8) for i in range(3)]
    recording = Recording(id="a", subject="s", dataset="d", fs=30, pictures=lambda: zip(pictures, (0.0, 0.1, 0.2)))
    first, again = ([(p[0, 0, 0], t) for p, t in recording.pictures()] for _ in range(2))
    assert first == again == [(0, 0.0), (1, 0.1), (2, 0.2)]
    with pytest.raises(TypeError, match="pictures must be a function that opens them, got list"):
        Recording(id="a", subject="s", dataset="d", fs=30, pictures=pictures)
    assert not recording.terms.may_show_faces                        # what is not told is not allowed


@pytest.mark.parametrize("wave, times, message", [
    ([1, 2, 3], [0, 1], r"got \(2,\) times for values \(3,\)"),
    ([1, 2, 3], [0, 2, 2], "value 2 is at 2 s, after 2 s"),
    ([1, 2, 3], [0, np.nan, 2], "must increase strictly"),
    ([1], [0], "two at least"),
])
def test_a_reference_has_a_time_for_each_value(wave, times, message):
    with pytest.raises(ValueError, match=message):
        Reference(wave=wave, times_s=times)


@pytest.mark.parametrize("typo, meant", [("chorm", "chrom"), ("POS", "pos"), ("gren", "green"), ("lg", "lgi")])
def test_a_near_miss_is_answered_with_the_right_name(typo, meant):
    with pytest.raises(ValueError, match=f"Did you mean '{meant}'"):
        registry.build(typo)


def test_a_wrong_option_is_answered_with_the_right_one():
    with pytest.raises(TypeError, match=r"has no option 'windows_s'\. Did you mean 'window_s'\?"):
        registry.build("pos", windows_s=2)


def test_every_registered_method_keeps_the_contract():
    clip = Clip(fs=30, rgb=trace(300))
    assert list(registry.available("method")) == ["chrom", "green", "ica", "lgi", "omit", "pbv", "pos"]
    for name, entry in registry.available("method").items():
        estimator = registry.build(name)
        assert isinstance(estimator, registry.Estimator) and estimator.name == name and entry.cites and entry.summary
        pulse = estimator.predict(clip)
        assert pulse.wave.shape == (300,) and np.isfinite(pulse.wave).all() and pulse.fs == 30
        np.testing.assert_array_equal(pulse.wave, estimator.predict(clip).wave)      # no hidden state


def test_options_reach_the_method():
    clip = Clip(fs=30, rgb=trace(300))
    short, long = (registry.build("pos", window_s=seconds).predict(clip).wave for seconds in (1.6, 3.0))
    assert not np.allclose(short, long)


def test_a_name_is_taken_once_and_a_new_one_is_found_at_once():
    @registry.register("mean_of_channels", cites="none")
    def mean_of_channels(rgb, *, fs):
        """Average the channels."""
        return rgb.mean(-1)

    try:
        assert registry.build("mean_of_channels").predict(Clip(fs=30, rgb=trace())).wave.shape == (90,)
        with pytest.raises(ValueError, match="already taken"):
            registry.register("mean_of_channels", cites="none")(lambda rgb, *, fs: rgb)
    finally:
        del registry._entries["mean_of_channels"]


def test_a_function_elsewhere_that_has_the_same_name_does_not_replace_one_in_silence():
    def pos(rgb, *, fs):
        return rgb[..., 0]

    pos.__qualname__ = "pos"                                         # as if written at the top of another file
    before = registry.build("pos").function
    with pytest.raises(ValueError, match="'pos' is already taken by rppg_lib.signal.methods.pos.pos"):
        registry.register("pos", cites="none")(pos)
    assert registry.build("pos").function is before


def test_a_cell_that_runs_again_replaces_its_own_function():
    def write():
        @registry.register("mine", cites="none")
        def mine(rgb, *, fs):
            return rgb.mean(-1)
        return mine

    try:
        first, second = write(), write()
        assert first is not second and registry.build("mine").function is second
    finally:
        del registry._entries["mine"]


def test_a_trace_method_says_what_it_misses_in_a_clip_of_frames():
    with pytest.raises(ValueError, match="needs a colour trace"):
        registry.build("pos").predict(Clip(fs=30, frames=np.zeros((60, 8, 8, 3), np.uint8)))


# files of one's own

OWN = """
from rppg_lib.registry import register
@register("{name}", cites="none2000")
def {name}(rgb, *, fs):
    '''Minus green.'''
    return -rgb[..., 1]
{more}
"""


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    """Write a file of one's own and name it; everything is forgotten afterwards."""
    registry.available()
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    written = []

    def write(name, more="", *, text=None):
        path = tmp_path / f"{name}.py"
        path.write_text(OWN.format(name=name, more=more) if text is None else text, encoding="utf-8")
        written.append(path)
        if name not in sys.modules:
            monkeypatch.setitem(sys.modules, name, None)             # forgets it in the end ...
            del sys.modules[name]                                    # ... and lets it be loaded now
        monkeypatch.setenv(registry.OWN_FILES, os.pathsep.join(map(str, written)))
        return path

    return write


def test_files_of_ones_own_are_known_by_name_and_listed(own_file):
    own_file("own_first")
    own_file("own_second")
    assert registry.build("own_second").predict(Clip(fs=30, rgb=trace())).wave.shape == (90,)
    assert {"own_first", "own_second"} <= set(registry.available("method"))


def test_a_file_is_loaded_once_however_often_it_is_asked_for(own_file):
    own_file("own_counted", "import builtins; builtins.own_loads = getattr(builtins, 'own_loads', 0) + 1")
    registry.available(), registry.available()
    with pytest.raises(ValueError, match="no estimator"):
        registry.build("nothing like it")
    assert vars(builtins).pop("own_loads") == 1


def test_what_the_library_has_works_beside_a_file_that_cannot_be_loaded(own_file):
    own_file("own_broken", "1 / 0")
    assert registry.build("pos").name == "pos"
    for ask in (registry.available, lambda: registry.build("own_broken")):
        with pytest.raises(ImportError, match=r"own_broken\.py of RPPG_MODELS cannot be loaded \(ZeroDivisionError"):
            ask()
    assert "own_broken" not in registry._entries


@pytest.mark.parametrize("text, words", [
    ("def (", "SyntaxError"), ("raise SystemError('no')", "SystemError: no"),
    (OWN.format(name="pos", more=""), "'pos' is already taken by"),
])
def test_a_file_that_is_wrong_is_named_with_the_reason(own_file, text, words):
    own_file("own_wrong", text=text)
    with pytest.raises(ImportError, match=f"own_wrong.py of RPPG_MODELS cannot be loaded .*{words}"):
        registry.available()


@pytest.mark.parametrize("given, words", [
    ("nowhere.py", "there is no .*nowhere.py"), (".", "must name files of Python"), ("README.md", "files of Python"),
])
def test_what_is_no_file_of_python_is_named(given, words, monkeypatch):
    monkeypatch.setenv(registry.OWN_FILES, given)
    with pytest.raises(FileNotFoundError, match=words):
        registry.available()


@pytest.mark.parametrize("name", ["json", "this"])               # one that is loaded, one that is not
def test_a_file_with_the_name_of_another_module_is_refused(name, own_file):
    own_file(name, text="")
    with pytest.raises(ImportError, match=f"has the name of another module, {name}. Rename it"):
        registry.available()


def test_a_name_of_the_library_is_not_taken_by_a_file_that_comes_first(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "own_net.py").write_text(OWN.format(name="physnet", more=""), encoding="utf-8")
    code = "from rppg_lib import registry\ntry:\n registry.available('method')\nexcept ImportError as e: print(e)\n" \
           "print(registry.find('physnet').kind)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
                          env={**os.environ, registry.OWN_FILES: str(tmp_path / "own_net.py")})
    refused, kind = done.stdout.splitlines()
    assert "'physnet' is already taken by rppg_lib.models.physnet" in refused and kind == "network"
