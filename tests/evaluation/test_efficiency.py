"""Costs against what is known by an estimator's making: sizes by hand, memory and time that it takes on purpose."""

import sys
import time

import numpy as np
import pytest

from rppg_lib.evaluation import energy
from rppg_lib.evaluation.efficiency import _entered, efficiency
from rppg_lib.evaluation.energy import gpu_energy, processor_energy

from .hungry import Dies, Fails, Hungry

FRAMES, SIZE_PX = 64, 8


@pytest.fixture(scope="module")
def mixed():
    from rppg_lib.models import NetworkEstimator

    from ..models.tiny import Tiny

    return efficiency(["pos", NetworkEstimator(Tiny(), device="cpu"), Hungry(ms=64), Hungry(ms=192), Fails()],
                      frames=FRAMES, size_px=SIZE_PX, repeats=1, memory=False)


@pytest.fixture(scope="module")
def eaten():
    return efficiency([Hungry(mb=mb) for mb in (0, 40, 200)], frames=FRAMES, size_px=SIZE_PX, repeats=1)


def test_a_networks_sizes_are_those_counted_by_hand(mixed):
    row = mixed.loc["tiny"]
    assert row.kind == "network" and (row.frames, row.size_px) == (64, 8)
    assert row.params == row.params_visible == (3 * 4 * 5 + 4) + (4 * 1 * 5 + 1)
    assert row.gmacs * 1e9 == pytest.approx(64 * 4 * 3 * 5 + 64 * 1 * 4 * 5)
    assert row.gmacs_visible == row.gmacs and row.gscans == 0


def test_a_method_has_no_parameters_and_its_trace_takes_less_than_its_pictures(mixed):
    row = mixed.loc["pos"]
    assert row.kind == "method" and row.params == 0 and np.isnan(row.gmacs)
    assert 0 < row.ms_per_frame_trace
    assert 0 < row.ms_per_frame and np.isnan(mixed.loc["tiny"].ms_per_frame_trace)


def test_time_is_that_which_an_estimator_takes_for_its_frames(mixed):
    one, three = mixed.loc["0 MB, 64 ms"], mixed.loc["0 MB, 192 ms"]
    assert one.clock == three.clock == "cpu"
    assert one.ms_per_frame == pytest.approx(1.0, rel=0.15) and three.ms_per_frame == pytest.approx(3.0, rel=0.15)


def test_what_fails_is_a_row_that_says_why_and_costs_the_others_nothing(mixed):
    row = mixed.loc["0 MB, 0 ms"]
    assert np.isnan(row.ms_per_frame) and "ValueError: it never works" in row.note
    assert mixed.drop(index="0 MB, 0 ms").ms_per_frame.notna().all()


def test_what_cannot_be_counted_is_said(mixed):
    assert mixed.loc["0 MB, 64 ms"].kind == "other" and "sizes not known" in mixed.loc["0 MB, 64 ms"].note


def test_energy_is_a_number_or_the_reason_stands_beside(mixed):
    for _, row in mixed.drop(index="0 MB, 0 ms").iterrows():
        assert (row.energy_mj_per_frame > 0) != ("energy not known: " in row.note)


def test_memory_is_what_an_estimator_takes(eaten):
    if eaten.memory_mb.isna().all():
        assert eaten.note.str.contains("memory not known: ").all()
        pytest.skip("this system does not say what a process held")
    nothing, some, more = eaten.memory_mb
    assert nothing < 8 and some == pytest.approx(40, abs=8) and more - some == pytest.approx(160, abs=8)


def test_published_multiplications_stand_only_beside_the_window_they_are_for():
    from rppg_lib.models.physformer import PhysFormer

    published, other = (_entered("physformer", frames, 128)[0] for frames in (160, 80))
    known = PhysFormer.published
    assert (published["reported_gmacs"], published["reported_params"]) == (known.gmacs, known.params)
    assert published["gmacs"] > published["gmacs_visible"]           # attention escapes hooks
    assert np.isnan(other["reported_gmacs"]) and other["reported_params"] == known.params


def test_a_design_that_does_not_allow_a_clip_says_so_in_its_row():
    row, = efficiency(["physformer"], frames=61, size_px=32).itertuples()
    assert "61" in row.note and np.isnan(row.ms_per_frame)


def test_the_same_network_stands_for_the_same_name_and_no_other_random_number_changes():
    import torch

    torch.manual_seed(5)
    want = torch.rand(2)
    torch.manual_seed(5)
    one, drawn = _entered("physnet", 64, 32)[1].network.state_dict(), torch.rand(1)
    other = _entered("physnet", 64, 32)[1].network.state_dict()
    assert torch.equal(torch.cat([drawn, torch.rand(1)]), want)
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("given, options, error, text", [
    (["chrm"], {}, ValueError, "no estimator is called 'chrm'. Did you mean 'chrom'"),
    ([], {}, ValueError, "efficiency: needs at least one name, got none"),
    ([3], {}, TypeError, "efficiency: needs names or estimators .* got 3"),
    (["pos", "pos"], {}, ValueError, "two estimators are called pos"),
    (["pos"], {"frames": 0}, ValueError, "frames must be a whole number from 1 on, got 0"),
    (["pos"], {"threads": 1.5}, ValueError, "threads must be a whole number from 1 on, got 1.5"),
    (["pos"], {"repeats": True}, ValueError, "repeats must be a whole number from 1 on, got True"),
])
def test_what_is_wrong_with_the_question_is_said(given, options, error, text):
    with pytest.raises(error, match=text):
        efficiency(given, **options)


def test_an_estimator_that_ends_its_process_is_one_clear_error():
    with pytest.raises(RuntimeError, match="efficiency: the process in which all are timed was ended"):
        efficiency([Dies()], frames=FRAMES, size_px=SIZE_PX, repeats=1)


# --- energy ---

def counter(folder, zone, name, value, largest=10**9):
    place = folder / zone
    place.mkdir(parents=True)
    for file, text in (("name", name), ("energy_uj", value), ("max_energy_range_uj", largest)):
        (place / file).write_text(f"{text}\n")
    return place / "energy_uj"


def test_energy_is_that_of_all_packages_and_parts_do_not_count_twice(tmp_path):
    first, second = counter(tmp_path, "intel-rapl:0", "package-0", 1000), counter(tmp_path, "intel-rapl:1",
                                                                                  "package-1", 5000)
    part = counter(tmp_path, "intel-rapl:0:0", "core", 0)

    def call():
        for file, more in ((first, 2_000_000), (second, 500_000), (part, 700_000)):
            file.write_text(str(int(file.read_text()) + more))

    assert processor_energy(call, least_s=0, powercap=tmp_path) == (2.5, "")
    assert processor_energy(call, least_s=0.05, powercap=tmp_path).joules == pytest.approx(2.5)     # of one call


def test_a_counter_that_begins_again_is_followed(tmp_path):
    file = counter(tmp_path, "intel-rapl:0", "package-0", 999_999, largest=1_000_000)
    assert processor_energy(lambda: file.write_text("41"), least_s=0, powercap=tmp_path).joules == 43 / 1e6


@pytest.mark.parametrize("there, why", [
    ((), "holds no counter of a processor package"),
    (("core", "7"), "holds no counter of a processor package"),
    (("package-0", "no number"), "invalid literal"),
    (("package-0", "7"), "the counters do not move"),
])
def test_energy_that_cannot_be_read_is_not_known_for_a_reason(there, why, tmp_path):
    if there:
        counter(tmp_path, "intel-rapl:0", *there)
    found = processor_energy(lambda: None, least_s=0, powercap=tmp_path)
    assert np.isnan(found.joules) and found.why_not.startswith("energy not known: ") and why in found.why_not


def test_a_counter_for_administrators_is_said_to_be_one(tmp_path, monkeypatch):
    file = counter(tmp_path, "intel-rapl:0", "package-0", 7)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(energy, "_number", refuse)
    assert processor_energy(lambda: None, powercap=tmp_path).why_not \
        == f"energy not known: {file} may be read by the administrator only"


def test_energy_of_a_gpu_is_its_mean_power_times_the_time():
    ask = (sys.executable, "-c", "import time\nfor k in range(10**6): print(40 + 20 * (k % 2), flush=True); "
                                 "time.sleep(0.01)")
    found = gpu_energy(lambda: time.sleep(0.1), least_s=0.5, ask=ask)
    assert found.why_not == "" and found.joules == pytest.approx(50 * 0.1, rel=0.2)


@pytest.mark.parametrize("ask, why", [
    (("no-such-tool",), "no-such-tool cannot be run"),
    ((sys.executable, "-c", "print('[N/A]')"), "for its power"),
    ((sys.executable, "-c", ""), "says nothing of its power"),
])
def test_power_that_a_gpu_does_not_tell_is_not_known(ask, why):
    found = gpu_energy(lambda: time.sleep(0.3), least_s=0, ask=ask)
    assert np.isnan(found.joules) and why in found.why_not
