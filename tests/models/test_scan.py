"""The selective scan: equal to its definition, in values and gradients, whatever way it is computed."""

import sys
import time
from types import ModuleType

import pytest
import torch

from rppg_lib.models import scan
from rppg_lib.models.scan import Direction, MambaBlock, selective_scan, selective_scan_in_words

NAMES = ("u", "step", "decay", "write", "read")


def inputs(b=2, t=17, d=3, n=4, *, kind=torch.float64, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(b, t, d, generator=draw, dtype=kind), torch.rand(b, t, d, generator=draw, dtype=kind) + 0.1,
            -3 * torch.rand(d, n, generator=draw, dtype=kind), torch.randn(b, t, n, generator=draw, dtype=kind),
            torch.randn(b, t, n, generator=draw, dtype=kind)]


def gradients(function, given, seed=1):
    given = [tensor.clone().requires_grad_() for tensor in given]
    out = function(*given)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(seed), dtype=out.dtype)
    return torch.autograd.grad((out * weights).sum(), given)


@pytest.fixture(params=["step by step", "in pieces", "by doubling"])
def way(request, monkeypatch):
    """Each way of computing it, on this processor."""
    if request.param == "in pieces":
        monkeypatch.setitem(scan.NUMBERS_AT_A_TIME, "cpu", 60)       # 2 steps of 2 x 3 x 4 numbers, and one left over
    if request.param == "by doubling":
        monkeypatch.setattr(scan, "_accumulate", lambda factor, value, backwards=False: scan._by_doubling(
            factor, value, backwards=backwards))
    return request.param


@pytest.mark.parametrize("length", [1, 2, 3, 17])
@pytest.mark.parametrize("kind, close", [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_the_scan_equals_its_definition(way, length, kind, close):
    given = inputs(t=length, kind=kind)
    torch.testing.assert_close(selective_scan(*given), selective_scan_in_words(*given), atol=close, rtol=close)


@pytest.mark.parametrize("kind, close", [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_its_gradients_equal_those_of_its_definition(way, kind, close):
    given = inputs(kind=kind)
    for name, ours, theirs in zip(NAMES, gradients(selective_scan, given), gradients(selective_scan_in_words, given)):
        torch.testing.assert_close(ours, theirs, atol=close, rtol=10 * close, msg=name)


def test_gradients_agree_with_differences_in_a_batch(way):
    given = [tensor.requires_grad_() for tensor in inputs(b=2, t=5, d=2, n=2)]
    assert torch.autograd.gradcheck(selective_scan, given)


def test_a_state_that_never_fades_sums_up_its_input(way):
    one = torch.ones(1, 20, 1, dtype=torch.float64)
    steps = selective_scan(3 * one, one, torch.zeros(1, 1, dtype=torch.float64), one, one)
    torch.testing.assert_close(steps.flatten(), 3 * torch.arange(1, 21, dtype=torch.float64))


def test_long_steps_and_strong_fading_stay_finite(way):
    u, step, decay, write, read = inputs(t=60, kind=torch.float32)
    given = (u, 100 * step, 100 * decay, write, read)
    assert torch.isfinite(selective_scan(*given)).all()
    assert all(torch.isfinite(gradient).all() for gradient in gradients(selective_scan, given))


def test_nothing_of_the_future_reaches_the_output():
    given = inputs()
    changed = [tensor.clone() for tensor in given]
    for number in (0, 1, 3, 4):
        changed[number][:, 9:] += 1
    torch.testing.assert_close(selective_scan(*changed)[:, :9], selective_scan(*given)[:, :9])


def test_half_precision_comes_back_as_it_came_but_is_computed_in_single():
    given = inputs(kind=torch.float32)
    half = [tensor.bfloat16() for tensor in given]
    out = selective_scan(*half)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out, selective_scan(*[tensor.float() for tensor in half]).bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(selective_scan(*given), selective_scan_in_words(*given), atol=1e-5, rtol=1e-5)


def test_memory_for_gradients_does_not_hold_the_states():
    given = [tensor.requires_grad_() for tensor in inputs(t=50, d=8, n=16, kind=torch.float32)]
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()), lambda none: none):
        selective_scan(*given)
    assert sum(kept) < 2 * sum(tensor.numel() for tensor in given) < 2 * 50 * 8 * 16


def test_the_operator_keeps_pytorchs_rules():
    torch.library.opcheck(torch.ops.rppg_lib.selective_scan.default,
                          [tensor.requires_grad_() for tensor in inputs(t=4, d=2, n=2)])


# the fused kernel

@pytest.fixture
def fused(monkeypatch):
    """A mamba_ssm of our own, for tensors of this processor; returns what it was called with."""
    calls = []

    def selective_scan_fn(*given):
        calls.append([tuple(tensor.shape) for tensor in given])
        u, step, decay, write, read = (tensor if tensor.ndim == 2 else tensor.transpose(1, 2) for tensor in given)
        return selective_scan_in_words(u, step, decay, write, read).transpose(1, 2)

    names = ("mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.selective_scan_interface")
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[names[-1]].selective_scan_fn = selective_scan_fn
    monkeypatch.setattr(scan, "FUSED_ON", ("cpu",))
    scan.fused_kernel.cache_clear()
    yield calls
    scan.fused_kernel.cache_clear()


def test_an_installed_kernel_is_used_with_time_last_and_gives_the_same(fused):
    given = inputs(kind=torch.float32)
    torch.testing.assert_close(selective_scan(*given), selective_scan_in_words(*given), atol=1e-5, rtol=1e-5)
    assert fused == [[(2, 3, 17), (2, 3, 17), (3, 4), (2, 4, 17), (2, 4, 17)]]


def test_the_kernel_is_not_used_in_double_precision_nor_on_other_devices(fused, monkeypatch):
    selective_scan(*inputs())
    monkeypatch.setattr(scan, "FUSED_ON", ("cuda",))
    selective_scan(*inputs(kind=torch.float32))
    assert fused == []


def test_a_kernel_that_does_not_load_is_as_good_as_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "mamba_ssm", None)
    scan.fused_kernel.cache_clear()
    assert scan.fused_kernel() is None
    scan.fused_kernel.cache_clear()


# the block

def test_first_steps_last_between_a_thousandth_and_a_tenth():
    direction = Direction(64, states=16, kernel=4, rank=4)
    steps = torch.nn.functional.softplus(direction.step.bias)
    assert 1e-3 * 0.99 <= steps.min() and steps.max() <= 0.1 * 1.01
    torch.testing.assert_close(direction.log_decay.exp()[5], torch.arange(1.0, 17))


@pytest.mark.parametrize("bidirectional, inner", [(False, 86_592), (True, 117_888)])
def test_a_block_has_the_parameters_of_the_public_one(bidirectional, inner):
    block = MambaBlock(96, states=48, bidirectional=bidirectional)
    assert sum(p.numel() for p in block.parameters()) == inner       # 96*384 + 960 + 19584 + 1344 + 9216 + 192 + 192*96


def test_a_block_of_one_channel_can_be_built():
    block = MambaBlock(1, states=48, bidirectional=True)             # in LQ-rPPG's label encoder
    assert sum(p.numel() for p in block.parameters()) == 4 + 2 + 2 * (10 + 194 + 4 + 96 + 2)
    assert block(torch.zeros(2, 160, 1)).shape == (2, 160, 1)


def test_a_block_is_causal_and_a_bidirectional_one_is_not():
    x = torch.randn(1, 24, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    later = x.clone()
    later[:, 12:] += 1
    for bidirectional in (False, True):
        torch.manual_seed(0)
        block = MambaBlock(8, states=4, bidirectional=bidirectional).double()
        same = torch.allclose(block(x)[:, :12], block(later)[:, :12], atol=1e-12)
        assert same != bidirectional


def test_a_bidirectional_block_turns_with_its_series_when_both_directions_have_the_same_weights():
    torch.manual_seed(0)
    block = MambaBlock(8, states=4, bidirectional=True).double()
    forwards, backwards = block.directions
    backwards.load_state_dict(forwards.state_dict())
    x = torch.randn(2, 24, 8, dtype=torch.float64)
    torch.testing.assert_close(block(x.flip(1)), block(x).flip(1))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_scans_begun_at_several_times_are_averaged_where_they_have_begun(bidirectional):
    torch.manual_seed(0)
    block = MambaBlock(8, states=4, bidirectional=bidirectional).double()
    x = torch.randn(2, 20, 8, dtype=torch.float64)
    whole, half = block(x), block(x[:, 10:])                         # leaving the block is linear, entering is by frame
    mixed = block(x, starts=(0, 10))
    torch.testing.assert_close(mixed[:, :10], whole[:, :10])
    torch.testing.assert_close(mixed[:, 10:], (whole[:, 10:] + half) / 2)


def as_public_code_has_it(u, step, decay, write, read):
    """The definition, step by step, with all fadings and writings made first and cut out of one array in every step."""
    fading = torch.exp(torch.einsum("btd,dn->bdtn", step, decay))
    written = torch.einsum("btd,btn,btd->bdtn", step, write, u)
    state, out = torch.zeros_like(fading[:, :, 0]), []
    for t in range(u.shape[1]):
        state = fading[:, :, t] * state + written[:, :, t]
        out.append(torch.einsum("bdn,bn->bd", state, read[:, t]))
    return torch.stack(out, 1)


def seconds(function, given, repeats):
    """Return the CPU time of forward and backward, the shortest of several."""
    times = []
    for _ in range(repeats):
        leaves = [tensor.detach().requires_grad_() for tensor in given]
        begin = time.process_time()
        function(*leaves).square().mean().backward()
        times.append(time.process_time() - begin)
    return min(times)


@pytest.mark.slow
def test_a_scan_is_faster_than_its_definition_and_much_faster_than_public_code_has_it():
    given = inputs(4, 160, 128, 48, kind=torch.float32)              # of one scan of LQ-rPPG, four clips
    torch.testing.assert_close(selective_scan(*given), as_public_code_has_it(*given), atol=1e-5, rtol=1e-4)
    ours = seconds(selective_scan, given, 5)
    assert 1.3 * ours < seconds(selective_scan_in_words, given, 3)
    assert 5 * ours < seconds(as_public_code_has_it, given, 1)
