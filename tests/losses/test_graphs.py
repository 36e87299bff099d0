"""Recording on a GPU: what can be checked without one, and what is measured where there is one."""

import contextlib
import time
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rppg_lib.losses import alignment, dilate, graphs, soft_dtw
from rppg_lib.losses.dilate import _alignment_terms

from .waves import noise


class Tape(TorchDispatchMode):
    """A recording as CUDA makes one: the same operations on the same memory, whatever Python would do now."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.steps.append((func, args, kwargs or {}, result))
        return result

    def replay(self):
        for func, args, kwargs, result in self.steps:
            if func.is_view:
                continue
            again = func(*args, **kwargs)
            if not func._schema.is_mutable:
                result.copy_(again)


class Cuda:
    """Stands in for the parts of ``torch.cuda`` that record; counts what was asked of it."""

    def __init__(self, monkeypatch):
        self.recorded, self.replayed, self.stream, self.capturing, self.refuses = 0, 0, 0, False, False
        monkeypatch.setattr(graphs, "_on_gpu", lambda tensors: True)
        cuda = SimpleNamespace(
            is_current_stream_capturing=lambda: self.capturing, device=lambda device: contextlib.nullcontext(),
            current_stream=lambda: self._stream(self.stream), Stream=lambda: self._stream(99), stream=self._use,
            CUDAGraph=lambda: SimpleNamespace(tape=Tape(), replay=None), graph=self._graph)
        self.waits, self.using = [], []
        monkeypatch.setattr(graphs.torch, "cuda", cuda)

    def _stream(self, number):
        return SimpleNamespace(cuda_stream=number,
                               wait_stream=lambda other: self.waits.append((number, other.cuda_stream)))

    @contextlib.contextmanager
    def _use(self, stream):
        self.using.append(stream.cuda_stream)
        yield

    @contextlib.contextmanager
    def _graph(self, graph, *, stream, capture_error_mode):
        assert stream.cuda_stream == 99 and capture_error_mode == "thread_local"
        assert self.using == [99] * len(self.using) and self.waits[-2:] == [(99, self.stream), (self.stream, 99)]
        if self.refuses:
            raise RuntimeError("operation not permitted when stream is capturing")
        with graph.tape:
            yield
        self.recorded += 1
        # What a recording computed is not there yet: memory is filled by a replay alone.
        for func, _, _, result in graph.tape.steps:
            if not func.is_view and not func._schema.is_mutable:
                result.fill_(torch.nan)

        def replay():
            self.replayed += 1
            graph.tape.replay()
        graph.replay = replay


@pytest.fixture
def cuda(monkeypatch):
    """A stand-in for CUDA, and no recordings left from elsewhere."""
    monkeypatch.setattr(_alignment_terms, "recordings", type(_alignment_terms.recordings)())
    return Cuda(monkeypatch)


def value_and_slopes(pred, target, loss=dilate, **options):
    pred, target = pred.clone().requires_grad_(), target.clone().requires_grad_()
    value = loss(pred, target, **options)
    return value.detach(), *torch.autograd.grad(value.mean(), (pred, target))


def eagerly(*args, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphs, "_on_gpu", lambda tensors: False)
        return value_and_slopes(*args, **options)


@pytest.mark.parametrize("time_weight", [0.0, 0.1])
def test_no_step_depends_on_a_number_or_leaves_the_device(time_weight):
    """On ``meta`` there are shapes and no numbers: reading one back, or copying to a processor, is an error."""
    wave = torch.empty(40, 3, device="meta")
    table = alignment.fill(wave, wave, gamma=0.01, time=time_weight > 0, keep=True)
    found = [table.value, *alignment.slopes(table, shape=0.5, time=time_weight)]
    assert [tuple(t.shape) for t in found] == [(3,), (40, 3), (40, 3)] and all(t.is_meta for t in found)
    with pytest.raises(RuntimeError, match="meta tensors"):
        found[0].sum().item()                                            # the error that would have come


def test_the_steps_grow_with_the_frames_and_not_with_the_clips():
    counts = {}
    for clips, frames in ((2, 40), (30, 40), (2, 80)):
        with Tape() as tape:
            x, y = noise(clips, frames), noise(clips, frames, seed=1)
            _alignment_terms(x, y, gamma=0.01, shape=0.5, time=0.1, slopes=1)
        counts[clips, frames] = sum(not func.is_view for func, *_ in tape.steps)
    assert counts[2, 40] == counts[30, 40] and counts[2, 80] < 2.2 * counts[2, 40] < 60 * 40


@pytest.mark.parametrize("loss", [dilate, soft_dtw])
def test_one_recording_serves_all_batches_of_a_shape(cuda, loss):
    results = []
    for seed in range(4):
        pred, target = noise(3, 40, seed=seed), noise(3, 40, seed=seed + 10)
        results.append((value_and_slopes(pred, target, loss), eagerly(pred, target, loss=loss)))
    assert (cuda.recorded, cuda.replayed) == (1, 4)
    for replayed, expected in results:                                   # the last call has not overwritten the first
        for ours, theirs in zip(replayed, expected):
            torch.testing.assert_close(ours, theirs)


def test_what_a_recording_cannot_serve_is_recorded_anew(cuda):
    x, y = noise(3, 40), noise(3, 40, seed=1)
    value_and_slopes(x, y)
    for other in (lambda: value_and_slopes(x[:2], y[:2]), lambda: value_and_slopes(x.float(), y.float()),
                  lambda: value_and_slopes(x, y, gamma=0.3), lambda: value_and_slopes(x, y, alpha=0.9),
                  lambda: dilate(x, y), lambda: dilate(x.clone().requires_grad_(), y)):
        before = cuda.recorded
        other(), other()
        assert cuda.recorded == before + 1
    cuda.stream = 5
    value_and_slopes(x, y)
    assert cuda.recorded == before + 2


def test_waves_that_are_no_contiguous_memory_are_replayed_too(cuda):
    x, y = noise(40, 3).T, noise(6, 40, seed=1)[::2]
    for ours, theirs in zip(value_and_slopes(x, y), eagerly(x, y)):
        torch.testing.assert_close(ours, theirs)
    assert cuda.recorded == 1


def test_the_latest_recordings_are_kept_and_no_more(cuda):
    batches = [noise(clips, 10) for clips in range(1, graphs.KEEP + 2)]
    for wave in batches:
        dilate(wave, wave), dilate(batches[0], batches[0])               # the first one stays in use
    assert len(_alignment_terms.recordings) == graphs.KEEP and cuda.recorded == len(batches)
    dilate(batches[0], batches[0])
    assert cuda.recorded == len(batches)
    dilate(batches[1], batches[1])                                       # longest unused, so it was dropped
    assert cuda.recorded == len(batches) + 1


def test_a_recording_made_in_inference_mode_serves_training(cuda):
    x, y = noise(3, 20), noise(3, 20, seed=1)
    with torch.inference_mode():
        inside = dilate(x, y)
    torch.testing.assert_close(dilate(x, y), inside)
    assert (cuda.recorded, cuda.replayed) == (1, 2)


def test_inside_another_recording_it_becomes_part_of_that(cuda):
    cuda.capturing = True
    x, y = noise(3, 20), noise(3, 20, seed=1)
    torch.testing.assert_close(value_and_slopes(x, y), eagerly(x, y))
    assert cuda.recorded == 0 and not _alignment_terms.recordings


@pytest.mark.filterwarnings("default::RuntimeWarning")
def test_where_cuda_refuses_it_warns_once_and_runs_step_by_step(cuda, recwarn):
    cuda.refuses = True
    x, y = noise(3, 20), noise(3, 20, seed=1)
    for _ in range(3):
        torch.testing.assert_close(value_and_slopes(x, y), eagerly(x, y))
    assert [str(warning.message) for warning in recwarn] == [
        "alignment_terms: CUDA refused to record it as a graph (operation not permitted when stream is capturing). "
        "It runs step by step instead, which is right but slow."]


def test_an_error_of_the_work_itself_is_not_taken_for_a_refusal(cuda):
    @graphs.Replayed
    def broken(wave):
        raise RuntimeError("no such shape")
    with pytest.raises(RuntimeError, match="no such shape"):
        broken(noise(2, 3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("loss", [dilate, soft_dtw])
def test_a_gpu_replays_what_a_processor_computes(loss):
    for seed in range(3):
        pred, target = noise(16, 160, seed=seed, dtype=torch.float32), noise(16, 160, seed=9, dtype=torch.float32)
        expected = eagerly(pred.double(), target.double(), loss=loss)
        found = value_and_slopes(pred.cuda(), target.cuda(), loss)
        for ours, theirs in zip(found, expected):
            torch.testing.assert_close(ours.cpu().double(), theirs, rtol=1e-4, atol=1e-4)
    x, y = noise(2, 19).cuda().requires_grad_(), noise(2, 19, seed=1).cuda()
    assert torch.autograd.gradcheck(lambda wave: loss(wave, y, gamma=0.1), x, atol=1e-6, rtol=1e-5)
    assert all(_alignment_terms.recordings.values())                               # none was refused


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("clips", [16, 128])
def test_a_gpu_copies_nothing_to_or_from_the_processor(clips):
    pred, target = noise(clips, 160, dtype=torch.float32).cuda().requires_grad_(), noise(clips, 160).float().cuda()

    def step():
        return torch.autograd.grad(dilate(pred, target).sum(), pred)[0]
    torch.testing.assert_close(step(), step())
    torch.cuda.synchronize()
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        step()
        torch.cuda.synchronize()
    names = [event.name for event in profile.events()]
    assert not [name for name in names if "HtoD" in name or "DtoH" in name]
    launches = sum(name.startswith(("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch")) for name in names)
    start = time.perf_counter()
    for _ in range(20):
        step()
    torch.cuda.synchronize()
    print(f"{clips} clips on {torch.cuda.get_device_name()}: {50 * (time.perf_counter() - start):.2f} ms a step, "
          f"{launches} launches")
    assert launches < 40                                                 # step by step it would be some 3500
