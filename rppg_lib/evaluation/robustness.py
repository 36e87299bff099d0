"""Pictures made worse in five known ways, frame by frame, and what methods still read from them.

===========  ==================================================  ============  ===========  =============
kind         what happens to each picture                        parameter     range        changes as
===========  ==================================================  ============  ===========  =============
none         nothing
defocus      Gaussian of 5 x 5 pixels                            sigma, px     0.5 to 1.5   iid
noise        Gaussian noise on each pixel and colour             sigma, of     0 to 0.1     iid
                                                                 full scale
resolution   made smaller, and as large as before                share of the  1/4 to 1/2   iid
                                                                 side
occlusion    a black block somewhere in the face                 its side, of  1/10         iid (place)
                                                                 the picture's
brightness   ``out = in ** gamma``, full scale 1                 gamma         0.5 to 1.5   walk; and iid
===========  ==================================================  ============  ===========  =============

The kinds and their ranges are those of ``chu2025codephys`` (section IV-H, Table X), which says that they change
randomly over time and not how fast. Hence two modes:

- ``iid``: another parameter for every frame, drawn evenly from the range;
- ``walk``: a smooth path through the same range, over a long time as even. Its waves take 7 to 20 s, and all but a
  hundred-thousandth of its power lies below 0.7 Hz, where heart rates begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from .. import registry
from ..simulate.chance import check_number, check_seed, sines, stream
from ..types import Clip
from .run import evaluate

MODES = ("iid", "walk")
WALK_HZ = (0.05, 0.15)
"""Slowest and fastest that a walk goes to and fro: below every pulse."""

FACE_CENTRE, FACE_HALF = (0.53, 0.5), (0.29, 0.22)
"""The face area: an ellipse, down and across, in shares of the picture's height and width. In crops whose side is
1.5 times the face it holds forehead, cheeks, nose and mouth, and next to nothing of hair and background."""

LEAST_PX = 16
"""Smallest side of a picture: smaller ones, at a quarter of it, hold no face."""

TAPS = np.arange(-2, 3)                  # of the 5 x 5 Gaussian


@dataclass(frozen=True, kw_only=True, eq=False)
class _Kind:
    low: float                           # range of the parameter
    high: float
    unchanged: float                     # the parameter that leaves pictures as they are
    modes: tuple[str, ...]               # of the protocol; the first is the default
    apply: Callable[..., np.ndarray]     # (H, W, 3) uint8, parameter, place (2,), rng -> (H, W, 3) uint8


@dataclass(frozen=True)
class Degradation:
    """One row of the protocol.

    >>> str(Degradation("brightness", "walk")), str(Degradation("none"))
    ('brightness walk', 'none')
    """

    kind: str
    mode: str = ""                       # "" for none, which has no parameter

    def __str__(self) -> str:
        return f"{self.kind} {self.mode}".strip()


def degradations(kinds: str | Iterable[str] | None = None, *,
                 modes: str | Sequence[str] | None = None) -> list[Degradation]:
    """Return the rows of the protocol: no change, and five kinds, of which brightness in both modes.

    Args:
        kinds: only these, in this order; default: all.
        modes: each kind in each of these; default: those of the protocol.

    >>> [str(row) for row in degradations()]
    ['none', 'defocus iid', 'noise iid', 'resolution iid', 'occlusion iid', 'brightness walk', 'brightness iid']
    >>> [str(row) for row in degradations(["none", "noise"], modes=("iid", "walk"))]
    ['none', 'noise iid', 'noise walk']
    """
    who, modes = "degradations", (modes,) if isinstance(modes, str) else modes
    found = []
    for kind in KINDS if kinds is None else (kinds,) if isinstance(kinds, str) else kinds:
        own = _found(who, kind).modes
        found += [_row(who, kind, mode) for mode in (own if modes is None or not own[0] else modes)]
    return list(dict.fromkeys(found))


def degrade(clip: Clip, kind: str, *, mode: str | None = None, strength: float = 1.0, seed: int = 0) -> Clip:
    """Return a clip whose pictures have been made worse, and whose colours have been read from them anew.

    The trace ``rgb`` is always :func:`face_colours` of the pictures, for ``kind="none"`` and ``strength=0`` too. So
    POS feels what happens to the pictures, and rows of a table differ by that alone, not by who read the colours.
    Label and frame rate stay; id and condition name the kind.

    Args:
        clip: with frames, at least 16 pixels wide and high.
        kind: none, defocus, noise, resolution, occlusion or brightness; see the module.
        mode: ``iid`` or ``walk``; default: that of the protocol.
        strength: how far parameters go from the one that changes nothing, 0 to 1. At 0 pictures stay as they are,
            bit by bit; at 1 ranges are those of the protocol; between them lie in proportion.
        seed: with the name of the clip it decides all chance, so no clip depends on the others.

    Reference: Chu et al. 2025, section IV-H (``chu2025codephys``).

    >>> grey = Clip(id="ann", fs=30, frames=np.full((60, 32, 32, 3), 100, np.uint8), condition="still")
    >>> darker = degrade(grey, "occlusion")
    >>> darker.condition, int((darker.frames[0] == 0).all(-1).sum())             # a block of 3 x 3 pixels
    ('still, occlusion iid', 9)
    """
    row = _row("degrade", kind, mode)
    values, places, rng = _course("degrade", clip, row, strength, seed)
    out = np.empty(clip.frames.shape, np.uint8)
    for number, picture in enumerate(clip.frames):
        out[number] = KINDS[kind].apply(np.asarray(picture), values[number], places[number], rng)
    return replace(clip, frames=out, rgb=face_colours(out), id=f"{clip.id}, {row}",
                   condition=f"{clip.condition}, {row}" if clip.condition else str(row))


def parameters(clip: Clip, kind: str, *, mode: str | None = None, strength: float = 1.0, seed: int = 0) -> np.ndarray:
    """Return the parameter ``(T,)`` that :func:`degrade` uses for each frame, given the same arguments.

    >>> clip = Clip(id="ann", fs=30, frames=np.zeros((300, 16, 16, 3), np.uint8))
    >>> gammas = [parameters(clip, "brightness", mode=mode) for mode in ("iid", "walk")]
    >>> [round(float(abs(np.diff(gamma)).max()), 1) for gamma in gammas]         # from frame to frame
    [0.9, 0.0]
    """
    return _course("parameters", clip, _row("parameters", kind, mode), strength, seed)[0]


def robustness(methods: Sequence[str | registry.Estimator], clips: Iterable[Clip], *,
               kinds: str | Iterable[str] | None = None, modes: str | Sequence[str] | None = None,
               strength: float = 1.0, seed: int = 0, **reading: Any) -> pd.DataFrame:
    """Return the rows of :func:`~rppg_lib.evaluation.evaluate` for every kind: ``kind`` and ``mode``, then its columns.

    Clips are degraded one at a time, and keep their ids and conditions in the rows. What a method cannot read is a row
    that says why; :func:`~rppg_lib.evaluation.summarise` counts it as failed.

    Args:
        methods: names, or estimators.
        clips: with frames and label.
        kinds: see :func:`degradations`, as for ``modes``.
        strength: see :func:`degrade`, as for ``seed``.
        **reading: ``readout``, ``window_s``, ``step_s`` and ``progress`` of ``evaluate``.

    >>> from rppg_lib.evaluation import summarise
    >>> beat = np.sin(2 * np.pi * 1.2 * np.arange(300) / 30)                     # 72 bpm
    >>> skin = 120 - 2 * beat[:, None, None, None] + 20 * np.random.default_rng(0).random((32, 32, 3))
    >>> clip = Clip(id="ann", fs=30, frames=skin.astype(np.uint8), label=beat)
    >>> rows = robustness("green", clip, kinds=["none", "noise", "brightness"])
    >>> (summarise(rows, by=["kind", "mode"]).mae < 1).to_dict()
    {('none', ''): True, ('noise', 'iid'): True, ('brightness', 'walk'): True, ('brightness', 'iid'): False}
    """
    methods = [methods] if isinstance(methods, str) else methods
    estimators = [registry.build(method) if isinstance(method, str) else method for method in methods]
    clips = [clips] if isinstance(clips, Clip) else list(clips)
    tables = []
    for row in degradations(kinds, modes=modes):
        worse = _Degraded(clips, row, strength, seed)
        table = evaluate(estimators, worse, **reading)
        table.insert(0, "kind", row.kind)
        table.insert(1, "mode", row.mode)
        tables.append(table)
    if not tables:
        raise ValueError("robustness: needs at least one kind, got none.")
    return pd.concat(tables, ignore_index=True)


def face_colours(frames: np.ndarray) -> np.ndarray:
    """Return the mean colour ``(T, 3)`` of the face area of pictures ``(T, H, W, 3)`` uint8, levels 0 to 255.

    The area, an ellipse, stays where it is; it knows nothing of what is in the picture.

    >>> face_colours(np.full((2, 16, 16, 3), [90, 60, 50], np.uint8)).tolist()
    [[90.0, 60.0, 50.0], [90.0, 60.0, 50.0]]
    """
    import cv2

    inside = face_area(*frames.shape[1:3]).astype(np.uint8)
    return np.array([cv2.mean(np.asarray(picture), inside)[:3] for picture in frames]).reshape(-1, 3)


def face_area(height: int, width: int) -> np.ndarray:
    """Return which pixels ``(H, W)`` of a face crop are skin to :func:`face_colours`, and may be hidden.

    >>> area = face_area(128, 128)
    >>> round(float(area.mean()), 2), bool(area[64, 64]), bool(area[0].any())
    (0.2, True, False)
    """
    down, across = ((np.arange(side) + 0.5) / side for side in (height, width))
    distance = np.add.outer(((down - FACE_CENTRE[0]) / FACE_HALF[0]) ** 2,
                            ((across - FACE_CENTRE[1]) / FACE_HALF[1]) ** 2)
    return distance <= 1


@dataclass(frozen=True, eq=False)
class _Degraded:
    """Clips that are degraded when their turn comes; under their own names, so that rows can be compared."""

    clips: list[Clip]
    row: Degradation
    strength: float
    seed: int

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self):
        for clip in self.clips:
            worse = degrade(clip, self.row.kind, mode=self.row.mode or None, strength=self.strength, seed=self.seed)
            yield replace(worse, id=clip.id, condition=clip.condition)


def _found(who: str, kind: str) -> _Kind:
    if kind not in KINDS:
        raise ValueError(f"{who}: kind must be one of {', '.join(KINDS)}, got {kind!r}."
                         f"{registry.near_miss(kind, KINDS)}")
    return KINDS[kind]


def _row(who: str, kind: str, mode: str | None) -> Degradation:
    own = _found(who, kind).modes
    if mode is not None and mode not in MODES and mode not in own:
        raise ValueError(f"{who}: mode must be one of {', '.join(MODES)}, got {mode!r}."
                         f"{registry.near_miss(mode, MODES)}")
    return Degradation(kind, own[0] if mode is None or not own[0] else mode)


def _course(who: str, clip: Clip, row: Degradation, strength: float,
            seed: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Return each frame's parameter ``(T,)`` and place ``(T, 2)`` in a disc of radius 1, and chance for pixels."""
    _check_clip(who, clip)
    strength, seed = check_number(who, "strength", strength, low=0, high=1), check_seed(who, seed)
    rng = stream(seed, "robustness", row.kind, row.mode, clip.dataset, clip.id, f"{clip.start_s:g}")
    if row.mode == "walk":
        times_s = np.arange(len(clip)) / clip.fs
        # The distribution function of what is nearly Gaussian is nearly even from 0 to 1.
        even = np.stack([ndtr(sines(rng, *WALK_HZ, slope=0.0)(times_s)) for _ in range(3)])
    else:
        even = rng.uniform(size=(3, len(clip)))
    kind = KINDS[row.kind]
    drawn = kind.low + (kind.high - kind.low) * even[0]
    return kind.unchanged + strength * (drawn - kind.unchanged), _on_disc(*even[1:]), rng


def _check_clip(who: str, clip: Clip) -> None:
    if not isinstance(clip, Clip):
        raise TypeError(f"{who}: needs a Clip, got {type(clip).__name__}.")
    if clip.frames is None:
        raise ValueError(f"{who}: needs pictures of the face, but clip {clip.id!r} has a colour trace only. "
                         f"Make them with rppg_lib.video.face_crops.")
    if min(clip.frames.shape[1:3]) < LEAST_PX:
        height, width = clip.frames.shape[1:3]
        raise ValueError(f"{who}: needs pictures of at least {LEAST_PX} x {LEAST_PX} pixels, clip {clip.id!r} has "
                         f"{width} x {height}. Cut larger ones.")


def _on_disc(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return points ``(T, 2)``, even on the disc of radius 1, for even ones on the square 0 to 1.

    Squares about the middle become circles (Shirley and Chiu 1997), so that a path without jumps stays one.
    """
    a, b = 2 * u - 1, 2 * v - 1
    wide = abs(a) > abs(b)
    radius, other = np.where(wide, a, b), np.where(wide, b, a)
    turn = np.pi / 4 * other / np.where(radius == 0, 1, radius)
    along, beside = radius * np.cos(turn), radius * np.sin(turn)
    return np.stack([np.where(wide, along, beside), np.where(wide, beside, along)], axis=1)


def _unchanged(picture: np.ndarray, *_: Any) -> np.ndarray:
    return picture


def _defocused(picture: np.ndarray, sigma_px: float, *_: Any) -> np.ndarray:
    import cv2

    weights = np.exp(-0.5 * (TAPS / max(sigma_px, 1e-3)) ** 2)       # a single 1 where sigma is 0
    weights /= weights.sum()
    return _bytes(cv2.sepFilter2D(picture.astype(np.float32), -1, weights, weights, borderType=cv2.BORDER_REFLECT_101))


def _noisy(picture: np.ndarray, sigma: float, _: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    noise *= np.float32(255 * sigma)
    noise += picture
    return _bytes(noise)


def _coarse(picture: np.ndarray, share: float, *_: Any) -> np.ndarray:
    import cv2

    height, width = picture.shape[:2]
    size = round(share * width), round(share * height)
    if size == (width, height):
        return picture
    small = cv2.resize(picture.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return _bytes(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _hidden(picture: np.ndarray, share: float, place: np.ndarray, _: np.random.Generator) -> np.ndarray:
    sides = np.array(picture.shape[:2])
    block = np.rint(share * sides).astype(int)                       # height and width, pixels
    half = np.array(FACE_HALF) * sides
    # Its corners stay in the ellipse where its centre stays so far from the rim, half a pixel of rounding included.
    room = 1 - np.hypot(*((block / 2 + 0.5) / half))
    top, left = np.rint(np.array(FACE_CENTRE) * sides + room * half * place - block / 2).astype(int)
    out = picture.copy()
    out[top:top + block[0], left:left + block[1]] = 0
    return out


def _regraded(picture: np.ndarray, gamma: float, *_: Any) -> np.ndarray:
    return _bytes(255 * (np.arange(256) / 255) ** gamma)[picture]


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values, out=values), 0, 255, out=values).astype(np.uint8)


KINDS = {
    "none": _Kind(low=0, high=0, unchanged=0, modes=("",), apply=_unchanged),
    "defocus": _Kind(low=0.5, high=1.5, unchanged=0, modes=("iid",), apply=_defocused),
    "noise": _Kind(low=0, high=0.1, unchanged=0, modes=("iid",), apply=_noisy),
    "resolution": _Kind(low=1 / 4, high=1 / 2, unchanged=1, modes=("iid",), apply=_coarse),
    "occlusion": _Kind(low=1 / 10, high=1 / 10, unchanged=0, modes=("iid",), apply=_hidden),
    "brightness": _Kind(low=0.5, high=1.5, unchanged=1, modes=("walk", "iid"), apply=_regraded),
}
"""The kinds by name, in the order of the protocol."""
