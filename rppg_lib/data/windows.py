"""Training samples: windows of one length cut from clips, read as batches of uint8."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..types import Clip
from .arrays import array_digest
from .manifest import SAME_RATE, Record, digest_of
from .store import ClipStore


@dataclass(frozen=True, eq=False)
class Batch:
    """Pieces of clips: pictures, labels, and whose they are.

    With a ``margin``, each piece is so much longer than a sample shall be: room for :class:`~rppg_lib.data.Augment` to
    play it faster. :meth:`trimmed` leaves the margin out.
    """

    frames: Tensor                       # (B, T, H, W, 3) uint8
    label: Tensor                        # (B, T) float32
    fs: float
    subject: tuple[str, ...]
    index: Tensor                        # (B,) numbers of the windows
    margin: int = 0

    def __len__(self) -> int:
        return len(self.frames)

    def to(self, device: torch.device | str) -> Batch:
        """Return the same on a device."""
        there = {name: getattr(self, name).to(device, non_blocking=True) for name in ("frames", "label", "index")}
        return replace(self, **there)

    def trimmed(self) -> Batch:
        """Return the same without the margin."""
        end = self.frames.shape[1] - self.margin
        return replace(self, frames=self.frames[:, :end], label=self.label[:, :end], margin=0)


@dataclass(frozen=True, eq=False)
class _Kept:
    """A clip that windows are cut from: pictures in memory, in a store, or both."""

    id: str
    subject: str
    fs: float
    size_px: tuple[int, int]
    label: np.ndarray                    # (T,)
    frames: np.ndarray | None
    record: Record | None = None
    store: ClipStore | None = None

    @cached_property
    def digests(self) -> tuple[str, str]:
        if self.record is not None:
            return self.record.sha256["frames"], self.record.sha256["label"]
        return array_digest(self.frames, name="frames"), array_digest(self.label, name="label")

    def read(self, start: int, out: np.ndarray) -> None:
        if self.frames is None:
            self.store.read_frames(self.record, out, start=start)
        else:
            out[:] = self.frames[start:start + len(out)]

    def in_memory(self) -> _Kept:
        width, height = self.size_px
        out = np.empty((len(self.label), height, width, 3), np.uint8)
        self.read(0, out)
        return replace(self, frames=out)


class Windows:
    """Samples of one length, cut from clips one after the other; what is left at a clip's end is not used.

    Pictures of a store stay on disk and are read when a batch is asked for; :meth:`in_memory` reads them once.

    >>> clips = [Clip(id=name, subject=name, fs=30, frames=np.zeros((300, 8, 8, 3), np.uint8), label=np.arange(300.0))
    ...          for name in ("ann", "bob")]
    >>> windows = Windows(clips, frames=128)
    >>> windows
    Windows(4 of 128 frames at 30 fps, 2 people)
    >>> batch = windows.batch([0, 3])
    >>> batch.frames.shape, batch.label[:, 0].tolist(), batch.subject
    (torch.Size([2, 128, 8, 8, 3]), [0.0, 128.0], ('ann', 'bob'))

    Attributes:
        fs: frames per second of all clips.
        size_px: width and height of all pictures.
        left_out: ids of the clips that are shorter than a window.
        starts: clip number and first frame of each window.
    """

    def __init__(self, clips: ClipStore | Sequence[Clip], *, frames: int, step: int | None = None,
                 subjects: Collection[str] | None = None, margin: int = 0) -> None:
        """Args:
            clips: a store, or clips with frames and label.
            frames: length of a sample.
            step: from window to window; default: their length, so that they do not overlap.
            subjects: take only these people.
            margin: frames that each window has in addition, for augmentation.
        """
        step = frames if step is None else step
        for name, value, low in (("frames", frames, 2), ("step", step, 1), ("margin", margin, 0)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
                raise ValueError(f"Windows: {name} must be a whole number, at least {low}, got {value!r}.")
        self.frames, self.margin = int(frames), int(margin)
        kept = _taken(clips, subjects)
        length = self.frames + self.margin
        self.left_out = tuple(clip.id for clip in kept if len(clip.label) < length)
        if len(self.left_out) == len(kept):
            longest = max(len(clip.label) for clip in kept)
            raise ValueError(f"Windows: needs clips of at least {length} frames, the longest of {len(kept)} has "
                             f"{longest}. Use shorter windows, less margin, or longer clips.")
        _check_alike(kept)
        self.fs, self.size_px, self._kept = kept[0].fs, kept[0].size_px, kept
        self.starts = [(number, start) for number, clip in enumerate(kept)
                       for start in range(0, len(clip.label) - length + 1, step)]

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        lost = f"; {len(self.left_out)} clips too short" if self.left_out else ""
        return f"Windows({len(self)} of {self.frames} frames at {self.fs:g} fps, {len(self.subjects)} people{lost})"

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody of whom there is a window, in alphabetical order."""
        return tuple(sorted({self._kept[number].subject for number, _ in self.starts}))

    @property
    def content_hash(self) -> str:
        """One digest of all that the windows hold, wherever they are kept."""
        told = [[self._kept[number].subject, *self._kept[number].digests, start] for number, start in self.starts]
        return digest_of([self.fs, self.frames, self.margin, told], who="Windows")

    def batch(self, indices: Sequence[int] | Tensor) -> Batch:
        """Return the windows with these numbers."""
        numbers = torch.as_tensor(indices, dtype=torch.int64, device="cpu").reshape(-1)
        if not len(numbers) or not -len(self) <= int(numbers.min()) <= int(numbers.max()) < len(self):
            raise IndexError(f"Windows: batch needs numbers from 0 to {len(self) - 1}, got {indices!r}.")
        numbers = numbers % len(self)
        length, (width, height) = self.frames + self.margin, self.size_px
        frames = torch.empty((len(numbers), length, height, width, 3), dtype=torch.uint8)
        label = torch.empty((len(numbers), length))
        subjects = []
        for out, wave, index in zip(frames.numpy(), label.numpy(), numbers.tolist()):
            number, start = self.starts[index]
            clip = self._kept[number]
            clip.read(start, out)
            wave[:] = clip.label[start:start + length]
            subjects.append(clip.subject)
        return Batch(frames, label, self.fs, tuple(subjects), numbers, self.margin)

    @property
    def labels(self) -> Tensor:
        """The labels of all windows ``(N, T)``, without reading a picture."""
        length = self.frames + self.margin
        return torch.as_tensor(np.stack([self._kept[number].label[start:start + length]
                                         for number, start in self.starts])).float()

    def in_memory(self, *, most_bytes: int = 4_000_000_000) -> Windows:
        """Return the same windows with all pictures in memory; where these would be more, they stay where they are."""
        here = copy.copy(self)
        used = {number for number, _ in self.starts}
        width, height = self.size_px
        if 3 * width * height * sum(len(self._kept[number].label) for number in used) <= most_bytes:
            here._kept = [clip.in_memory() if number in used else clip for number, clip in enumerate(self._kept)]
        return here


def _taken(clips: ClipStore | Sequence[Clip], subjects: Collection[str] | None) -> list[_Kept]:
    """Return the clips of these people, or say what is missing."""
    if isinstance(clips, Clip):
        clips = [clips]
    found = clips.records if isinstance(clips, ClipStore) else list(clips)
    if not found:
        raise ValueError("Windows: needs clips, got none.")
    if strange := [type(each).__name__ for each in found if not isinstance(each, (Clip, Record))]:
        raise TypeError(f"Windows: needs a ClipStore or clips, got {strange[0]} among them.")
    if isinstance(subjects, str):
        raise TypeError(f"Windows: subjects must be a collection of names, got the text {subjects!r}. "
                        f"Use [{subjects!r}].")
    here = {each.subject for each in found}
    if subjects is not None and (strange := sorted(set(subjects) - here)):
        raise ValueError(f"Windows: nobody here is called {', '.join(map(repr, strange[:5]))}. "
                         f"There are {', '.join(sorted(here)[:5])}{' ...' if len(here) > 5 else ''}.")
    found = [each for each in found if subjects is None or each.subject in subjects]
    if not found:
        raise ValueError("Windows: subjects names nobody. Leave it out to take everybody.")
    return [_of_store(clips, each) if isinstance(clips, ClipStore) else _of_clip(each) for each in found]


def _of_store(store: ClipStore, record: Record) -> _Kept:
    label = store.label(record)
    if label is None:
        raise ValueError(_nothing(record.id, "label"))
    return _Kept(record.id, record.subject, record.fs, record.size_px, label, None, record, store)


def _of_clip(clip: Clip) -> _Kept:
    for name in ("frames", "label"):
        if getattr(clip, name) is None:
            raise ValueError(_nothing(clip.id, name))
    height, width = clip.frames.shape[1:3]
    return _Kept(clip.id, clip.subject, clip.fs, (width, height), clip.label, clip.frames)


def _nothing(who: str, what: str) -> str:
    return f"Windows: needs clips with frames and label, {who!r} has no {what}. Leave it out."


def _check_alike(kept: list[_Kept]) -> None:
    """Refuse clips that do not fit into one batch."""
    first = kept[0]
    for clip in kept:
        if clip.size_px != first.size_px:
            raise ValueError(f"Windows: needs pictures of one size, {first.id!r} has {first.size_px} px and "
                             f"{clip.id!r} {clip.size_px} px. Make them again with one size_px.")
        if abs(clip.fs / first.fs - 1) > SAME_RATE:
            raise ValueError(f"Windows: needs clips of one frame rate, {first.id!r} has {first.fs:g} fps and "
                             f"{clip.id!r} {clip.fs:g} fps. Make them again with one fps.")
