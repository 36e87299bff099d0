"""LQ-rPPG's sizes, and what is left of its published comparison with RhythmMamba when everything is counted."""

import functools

import pytest

from rppg_lib.models.cost import count
from rppg_lib.models.lqrppg import LQrPPG
from rppg_lib.models.rhythmmamba import RhythmMamba
from rppg_lib.models.scan import MambaBlock


@functools.cache
def counted(kind):
    return count(kind(), frames=160, size_px=128)                    # only shapes travel


def test_it_has_the_parameters_of_the_public_code():
    assert sum(p.numel() for p in LQrPPG().parameters() if p.requires_grad) == 405_453
    assert counted(LQrPPG).params == counted(LQrPPG).trainable == 405_453


def test_the_visible_count_is_the_published_one():
    found = counted(LQrPPG)
    assert found.macs_visible / 1e9 == pytest.approx(9.06, rel=1e-3)
    assert found.macs_visible / 160 / 1e6 == pytest.approx(56.63, abs=0.005)     # per frame, as the public script says
    assert found.params_visible == 134_093


def test_the_published_reductions_are_those_of_visible_counts_against_rhythmmamba():
    ours, theirs = counted(LQrPPG), counted(RhythmMamba)
    assert theirs.params_visible == 1_065_229
    assert ours.macs_visible / theirs.macs_visible == pytest.approx(0.706, abs=0.005)
    assert ours.params_visible / theirs.params_visible == pytest.approx(0.126, abs=0.002)
    reported = LQrPPG.published.against["rhythmmamba"]
    assert ours.macs_visible / theirs.macs_visible - 1 == pytest.approx(reported["macs"], abs=0.005)
    rounded = round(ours.params_visible / 1e6, 2) / round(theirs.params_visible / 1e6, 2)        # 0.13 M of 1.07 M
    assert rounded - 1 == pytest.approx(reported["params"], abs=0.005)


def test_what_hooks_do_not_see_is_inside_the_mamba_blocks_and_the_places():
    ours = counted(LQrPPG)
    network = LQrPPG()
    inside = sum(p.numel() for part in network.modules() if isinstance(part, MambaBlock) for p in part.parameters())
    assert ours.params - ours.params_visible == inside + network.place.numel()
    per_frame = 64 * 256 + 2 * (128 * 4 + 128 * (4 + 48 + 48) + 4 * 128) + 128 * 64  # in, each direction, out
    assert ours.macs - ours.macs_visible == 4 * 160 * per_frame


def test_the_scans_are_told_apart_and_counted_by_hand():
    assert counted(LQrPPG).scanned == 4 * 2 * 160 * 128 * 48         # stages, directions, T x D x N
    starts = 80 + 60 + 40 + 20                                       # RhythmMamba: half the frames, four starts
    assert counted(RhythmMamba).scanned == 24 * starts * 192 * 48
