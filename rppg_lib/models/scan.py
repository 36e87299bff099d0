"""The selective scan and the block around it (Mamba), in plain PyTorch: no compiler, any device.

A state of ``N`` numbers per channel fades and is written to at every step, and the input itself says how much:

    ``h[t] = exp(step[t] * decay) * h[t-1] + step[t] * u[t] * write[t]``,  ``y[t] = read[t] . h[t]``

Gu and Dao 2023 (``gu2023mamba``). Where ``mamba_ssm`` is installed and tensors are on a GPU, its kernel does the scan.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

FUSED_ON = ("cuda",)
"""Kinds of device for which ``mamba_ssm`` has a kernel."""

NUMBERS_AT_A_TIME = {"cpu": 2 ** 18}     # of the state: what a core's cache holds
ON_OTHER_DEVICES = 2 ** 27


def selective_scan(u: Tensor, step: Tensor, decay: Tensor, write: Tensor, read: Tensor) -> Tensor:
    """Return what is read from a state that fades and is written to, step by step.

    Computed in float32 (float64 stays) whatever comes, also under autocast. For the backward pass a state is kept here
    and there and those between are computed again, so memory grows with ``B T (D + N)`` and not with ``B T D N``.
    Second derivatives are not there.

    Args:
        u: ``(B, T, D)`` input.
        step: ``(B, T, D)`` how long each step lasts, > 0.
        decay: ``(D, N)`` rates of fading, < 0.
        write: ``(B, T, N)`` how the input enters the state.
        read: ``(B, T, N)`` how the output leaves it.

    Returns:
        ``(B, T, D)``, of the type of ``u``.

    >>> one = torch.ones(1, 4, 1)
    >>> selective_scan(one, one, torch.tensor([[-math.log(2)]]), one, one).flatten().tolist()    # half is forgotten
    [1.0, 1.5, 1.75, 1.875]
    """
    kind = torch.float64 if u.dtype == torch.float64 else torch.float32
    exact = [tensor.to(kind) for tensor in (u, step, decay, write, read)]
    kernel = fused_kernel() if u.device.type in FUSED_ON else None
    if kernel is None or kind == torch.float64:
        return torch.ops.rppg_lib.selective_scan(*exact)[0].to(u.dtype)
    u_, step_, decay_, write_, read_ = (t if t.ndim == 2 else t.transpose(1, 2).contiguous() for t in exact)
    return kernel(u_, step_, decay_, write_, read_).transpose(1, 2).to(u.dtype)    # it takes time last


def selective_scan_in_words(u: Tensor, step: Tensor, decay: Tensor, write: Tensor, read: Tensor) -> Tensor:
    """Return the same as :func:`selective_scan`, written as its definition: slow, and differentiable by itself."""
    state, out = u.new_zeros(u.shape[0], *decay.shape), []
    for t in range(u.shape[1]):
        fading = torch.exp(step[:, t, :, None] * decay)              # (B,D,N)
        state = fading * state + (step[:, t] * u[:, t])[:, :, None] * write[:, t, None, :]
        out.append((state * read[:, t, None, :]).sum(-1))
    return torch.stack(out, 1)


@functools.cache
def fused_kernel():
    """Return ``mamba_ssm``'s scan, or None where it is not installed or does not load."""
    try:
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
    except (ImportError, OSError, RuntimeError):
        return None
    return selective_scan_fn


@torch.library.custom_op("rppg_lib::selective_scan", mutates_args=())
def _scan(u: Tensor, step: Tensor, decay: Tensor, write: Tensor, read: Tensor) -> tuple[Tensor, Tensor]:
    """Return the output, and the states ``(parts, B, D, N)`` with which the parts of time begin."""
    out, parts = torch.empty_like(u), _parts(u, decay)
    begins = u.new_zeros(len(parts), u.shape[0], *decay.shape)
    state = begins[0]
    with _without_autocast(u):
        for number, part in enumerate(parts):
            begins[number] = state
            _, states = _states(u[:, part], step[:, part], decay, write[:, part], state)
            out[:, part] = (states * read[:, part, None, :]).sum(-1)         # (B,t,D,N) -> (B,t,D)
            state = states[:, -1]
    return out, begins


@_scan.register_fake
def _(u, step, decay, write, read):
    return torch.empty_like(u), u.new_empty(len(_parts(u, decay)), u.shape[0], *decay.shape)


@torch.library.custom_op("rppg_lib::selective_scan_backward", mutates_args=())
def _scan_backward(grad: Tensor, begins: Tensor, u: Tensor, step: Tensor, decay: Tensor, write: Tensor,
                   read: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    to_u, to_step, to_decay, to_write, to_read = (torch.zeros_like(t) for t in (u, step, decay, write, read))
    later = torch.zeros_like(begins[0])
    for part, begin in zip(reversed(_parts(u, decay)), begins.flip(0)):
        u_, step_, write_, grad_ = u[:, part], step[:, part], write[:, part], grad[:, part]
        fading, states = _states(u_, step_, decay, write_, begin)
        to_states = grad_[..., None] * read[:, part, None, :]        # (B,t,D,N)
        to_states[:, -1] += later
        to_states = _accumulate(fading, to_states, backwards=True)
        later = fading[:, 0] * to_states[:, 0]
        to_read[:, part] = (grad_[:, :, None, :] @ states).squeeze(-2)
        to_write[:, part] = ((step_ * u_)[:, :, None, :] @ to_states).squeeze(-2)
        to_input = (to_states * write_[:, :, None, :]).sum(-1)       # gradient to step * u
        fading[:, 1:] *= states[:, :-1]
        fading[:, 0] *= begin
        to_exponent = fading.mul_(to_states)                         # gradient to step * decay
        to_u[:, part] = step_ * to_input
        to_step[:, part] = u_ * to_input + (to_exponent * decay).sum(-1)
        to_decay += to_exponent.mul_(step_[..., None]).sum((0, 1))
    return to_u, to_step, to_decay, to_write, to_read


@_scan_backward.register_fake
def _(grad, begins, u, step, decay, write, read):
    return tuple(torch.empty_like(tensor) for tensor in (u, step, decay, write, read))


def _keep(ctx, inputs, output) -> None:
    ctx.save_for_backward(output[1], *inputs)


def _backward(ctx, grad, _):
    return torch.ops.rppg_lib.selective_scan_backward(grad.contiguous(), *ctx.saved_tensors)


_scan.register_autograd(_backward, setup_context=_keep)


def _without_autocast(tensor: Tensor):
    return torch.autocast(tensor.device.type, enabled=False)


def _parts(u: Tensor, decay: Tensor) -> list[slice]:
    """Return pieces of time whose states fit into the memory that is near."""
    numbers = NUMBERS_AT_A_TIME.get(u.device.type, ON_OTHER_DEVICES)
    length = max(numbers // max(u.shape[0] * decay.numel(), 1), 1)
    return [slice(begin, begin + length) for begin in range(0, u.shape[1], length)]


def _states(u: Tensor, step: Tensor, decay: Tensor, write: Tensor, begin: Tensor) -> tuple[Tensor, Tensor]:
    """Return how much of the state stays at each step, and the states, both ``(B, t, D, N)``."""
    fading = (step[..., None] * decay).exp_()
    written = (step * u)[..., None] * write[:, :, None, :]
    written[:, 0].addcmul_(fading[:, 0], begin)
    return fading, _accumulate(fading, written)


def _accumulate(factor: Tensor, value: Tensor, *, backwards: bool = False) -> Tensor:
    """Return ``v[t] += f[t] v[t-1]`` over time, or backwards ``v[t] += f[t+1] v[t+1]``; ``value`` may be overwritten.

    A CPU goes step by step, in place: the least work. Elsewhere every step would be a call of its own, and the sums
    double their reach instead: log2(t) calls, each over all of time.
    """
    length = value.shape[1]
    if value.device.type == "cpu":
        for t in range(length - 2, -1, -1) if backwards else range(1, length):
            if backwards:
                value[:, t].addcmul_(factor[:, t + 1], value[:, t + 1])
            else:
                value[:, t].addcmul_(factor[:, t], value[:, t - 1])
        return value
    return _by_doubling(factor, value, backwards=backwards)


def _by_doubling(factor: Tensor, value: Tensor, *, backwards: bool) -> Tensor:
    reach, length = 1, value.shape[1]
    link = factor[:, 1:]                                             # link[t] joins t and t + 1
    while reach < length:
        near, far = value[:, :-reach], value[:, reach:]
        if backwards:
            value = torch.cat([torch.addcmul(near, link, far), value[:, length - reach:]], 1)
        else:
            value = torch.cat([value[:, :reach], torch.addcmul(far, link, near)], 1)
        link = link[:, :-reach] * link[:, reach:]                    # joins t and t + 2 reach
        reach *= 2
    return value


class Direction(nn.Module):
    """A short causal convolution, then a selective scan whose steps, writing and reading come from its output.

    Layers are used by their weights and never called, as in the fused kernels of the public code. Counters that hook
    into calls do not see them: that is why published figures leave them out (:mod:`rppg_lib.models.cost`).
    """

    def __init__(self, channels: int, *, states: int, kernel: int, rank: int) -> None:
        super().__init__()
        self.split = [rank, states, states]
        self.convolution = nn.Conv1d(channels, channels, kernel, groups=channels)
        self.choose = nn.Linear(channels, sum(self.split), bias=False)
        self.step = nn.Linear(rank, channels)
        self.log_decay = nn.Parameter(torch.arange(1.0, states + 1).log().repeat(channels, 1))
        self.skip = nn.Parameter(torch.ones(channels))
        nn.init.uniform_(self.step.weight, -rank ** -0.5, rank ** -0.5)
        first_steps = torch.empty(channels).uniform_(math.log(1e-3), math.log(0.1)).exp()
        with torch.no_grad():
            self.step.bias.copy_(first_steps.expm1().log())          # softplus of it gives them back

    def forward(self, x: Tensor) -> Tensor:
        """``(B, T, D) -> (B, T, D)``; nothing of the future is used."""
        past = self.convolution.kernel_size[0] - 1
        x = functional.pad(x.transpose(1, 2), (past, 0))
        x = functional.conv1d(x, self.convolution.weight, self.convolution.bias, groups=x.shape[1])
        x = functional.silu(x).transpose(1, 2)
        step, write, read = functional.linear(x, self.choose.weight).split(self.split, -1)
        step = functional.softplus(functional.linear(step, self.step.weight, self.step.bias))
        return selective_scan(x, step, -self.log_decay.exp(), write, read) + self.skip * x


class MambaBlock(nn.Module):
    """Mixes a series over time with selective scans, gated (``gu2023mamba``).

    Args:
        channels: of input and output.
        states: numbers of memory per inner channel.
        kernel: length of the convolution before the scan.
        expand: inner channels for each channel.
        bidirectional: scan from the end as well, with weights of its own between the shared projections, and add
            (Vision Mamba, ``zhu2024visionmamba``).

    >>> MambaBlock(96, states=48)(torch.zeros(2, 80, 96)).shape
    torch.Size([2, 80, 96])
    """

    def __init__(self, channels: int, *, states: int = 16, kernel: int = 4, expand: int = 2,
                 bidirectional: bool = False) -> None:
        super().__init__()
        inner = expand * channels
        self.enter = nn.Linear(channels, 2 * inner, bias=False)
        self.directions = nn.ModuleList(Direction(inner, states=states, kernel=kernel, rank=math.ceil(channels / 16))
                                        for _ in range(1 + bidirectional))
        self.leave = nn.Linear(inner, channels, bias=False)

    def forward(self, x: Tensor, *, starts: tuple[int, ...] = (0,)) -> Tensor:
        """``(B, T, C) -> (B, T, C)``.

        Args:
            starts: frames at which a scan begins, the first 0. Each frame gets the mean of the scans begun by then.
        """
        x, gate = functional.linear(x, self.enter.weight).chunk(2, -1)
        scans = [functional.pad(self._scanned(x[:, start:]), (0, 0, start, 0)) for start in starts]
        if len(starts) > 1:
            begun = sum((torch.arange(x.shape[1], device=x.device) >= start).to(x.dtype) for start in starts)
            mixed = sum(scans) / begun[:, None]
        else:
            mixed = scans[0]
        return functional.linear(mixed * functional.silu(gate), self.leave.weight)

    def _scanned(self, x: Tensor) -> Tensor:
        forwards, *backwards = self.directions
        return sum((direction(x.flip(1)).flip(1) for direction in backwards), start=forwards(x))
