"""One slider per idea: the same in a running notebook and in the published book.

The frames are drawn once, when the cell runs. What is shown is plain HTML with one short handler inside: no
kernel, no widget library and no network are needed to move it. Without scripts the starting frame remains.
"""

from __future__ import annotations

import base64
import html
import io
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

DPI = 144                                # 1.5 device pixels for each of CSS's 96 pixels an inch: sharp, still small
CSS_DPI = 96
QUIET_S = 2.0                            # a shorter wait needs no progress line

# Everything is found from the handle upwards, so that two copies of one output, or two sliders, never meet.
_ON_INPUT = """
const card = this.closest('figure'), at = +this.value, frames = card.querySelectorAll('img');
frames.forEach((frame, k) => { frame.style.display = k === at ? 'block' : 'none'; });
card.querySelector('output').textContent = frames[at].dataset.text;
this.setAttribute('aria-valuetext', frames[at].dataset.text);
"""

_CARD = ("margin:0.5em 0;padding:0.6em;box-sizing:border-box;max-width:100%;width:{width}px;text-align:left;"
         "background:#fff;color:#222;color-scheme:light;border:1px solid #ccc;border-radius:6px")
_ROW = "display:flex;flex-wrap:wrap;align-items:center;gap:0.3em 0.8em;margin:0;font-size:0.95em;font-weight:normal"
_TEXT = "min-width:{chars}ch;font-variant-numeric:tabular-nums;color:#222"
_RANGE = "flex:1 1 12em;min-width:8em;min-height:28px;margin:0;accent-color:#0072b2;cursor:pointer"
_IMAGE = "display:{display};width:100%;height:auto;margin:0.4em 0 0;background:#fff"


@dataclass(frozen=True, eq=False, kw_only=True)
class Slider:
    """Frames of one figure, one for each value, and the words that go with them. Show it as a cell's last line."""

    label: str
    texts: tuple[str, ...]               # what the slider says at each frame, e.g. "difficulty 1.5"
    alts: tuple[str, ...]                # what a reader who cannot see the frame is told
    frames: tuple[bytes, ...]            # PNG, all of one size
    start: int                           # the frame shown first
    width: int                           # CSS pixels

    def __repr__(self) -> str:
        return f"Slider({self.texts[0]!r} to {self.texts[-1]!r}, {len(self.frames)} frames)"

    def _repr_html_(self) -> str:
        label, text = html.escape(self.label), html.escape(self.texts[self.start])
        return "".join([
            f'<figure class="rppg-slider" role="group" aria-label="{label}: figure with a slider" ',
            f'style="{_CARD.format(width=self.width)}">',
            f'<label style="{_ROW}">',
            f'<output aria-live="off" style="{_TEXT.format(chars=max(map(len, self.texts)))}">{text}</output>',
            f'<input type="range" min="0" max="{len(self.frames) - 1}" step="1" value="{self.start}" ',
            # JupyterLab would take the arrow keys, and asks only the element itself whether it may.
            f'data-lm-suppress-shortcuts="true" autocomplete="off" aria-label="{label}" aria-valuetext="{text}" ',
            f'style="{_RANGE}" oninput="{html.escape(" ".join(_ON_INPUT.split()))}">',
            "</label>",
            *(self._image(k) for k in range(len(self.frames))),
            "</figure>",
        ])

    def _image(self, k: int) -> str:
        shown = _IMAGE.format(display="block" if k == self.start else "none")
        data = base64.b64encode(self.frames[k]).decode("ascii")
        return (f'<img alt="{html.escape(self.alts[k])}" data-text="{html.escape(self.texts[k])}" style="{shown}" '
                f'src="data:image/png;base64,{data}">')


def slider(draw: Callable[[Any], Any], values: Iterable[Any], *, label: str, unit: str = "", start: Any = None,
           alt: str = "") -> Slider:
    """Draw one figure per value and return them under a slider that works wherever the page is opened.

    Args:
        draw: takes one value, returns a matplotlib Figure (or Axes). Give every figure the same size, and fixed
            axis limits: what moves should be the idea, not the frame.
        values: what the slider steps through: numbers or words, in order. 7 to 15 are enough.
        label: name of the quantity, written beside the slider: ``"difficulty"``.
        unit: written after the value: ``"s"``.
        start: the value shown first; the first one if not given.
        alt: what the figure shows, for readers who cannot see it; ``{value}`` stands for the value.

    Returns:
        A Slider; as the last line of a cell it shows itself.

    >>> from matplotlib.figure import Figure
    >>> def draw(power):
    ...     figure = Figure(figsize=(3, 2))
    ...     figure.subplots().plot([0, 1, 2], [0, 1, 2**power])
    ...     return figure
    >>> slider(draw, [0.5, 1, 2], label="power", alt="A curve that bends up with power {value}.")
    Slider('power 0.5' to 'power 2', 3 frames)
    """
    values = list(values)
    if not values:
        raise ValueError("slider: needs at least one value to draw, got none. Pass a list such as [0, 0.5, 1].")
    words = [_words(value, unit) for value in values]
    frames, sizes = [], []
    for value in _with_progress(values, label):
        frame, size = _frame(draw, value)
        frames.append(frame)
        sizes.append(size)
        if size != sizes[0]:
            raise ValueError(f"slider: all figures must have one size, got {sizes[0]} inches for {values[0]!r} "
                             f"and {size} for {value!r}. Give draw a fixed figsize.")
    texts = tuple(f"{label} {word}" for word in words)
    return Slider(label=label, texts=texts, alts=tuple(_alt(alt, value, text) for value, text in zip(values, texts)),
                  frames=tuple(frames), start=0 if start is None else _index(values, start),
                  width=round(sizes[0][0] * CSS_DPI))


def _frame(draw: Callable[[Any], Any], value: Any) -> tuple[bytes, tuple[float, float]]:
    """Return the PNG that ``draw(value)`` makes and its size in inches; leave no figure open behind."""
    import matplotlib
    from matplotlib import pyplot as plt

    before = set(plt.get_fignums())
    try:
        drawn = draw(value)
        figure = getattr(drawn, "figure", drawn)             # of Axes, their figure
        if not hasattr(figure, "savefig"):
            raise TypeError(f"slider: draw must return the Figure or Axes it drew on, got {type(drawn).__name__} "
                            f"for value {value!r}. End draw with: return fig.")
        target = io.BytesIO()
        with matplotlib.rc_context({"savefig.bbox": "standard"}):   # "tight" would give every frame its own size
            figure.savefig(target, format="png", dpi=DPI, facecolor="white", metadata={"Software": None},
                           pil_kwargs={"optimize": True})
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)
    width, height = figure.get_size_inches()
    return target.getvalue(), (round(float(width), 3), round(float(height), 3))


def _words(value: Any, unit: str) -> str:
    number = isinstance(value, Real) and not isinstance(value, bool)
    text = f"{float(value):g}" if number else str(value)
    return f"{text} {unit}".strip()


def _alt(template: str, value: Any, text: str) -> str:
    try:
        return template.format(value=value) or text
    except (KeyError, IndexError, ValueError) as problem:
        raise ValueError(f"slider: alt may contain {{value}} and nothing else in braces, got {template!r} "
                         f"({type(problem).__name__}: {problem}). Double the braces that are meant as such.") from None


def _index(values: list[Any], start: Any) -> int:
    for k, value in enumerate(values):
        numbers = isinstance(value, Real) and isinstance(start, Real)    # 0.3 finds linspace's 0.30000000000000004
        if math.isclose(value, start) if numbers else value == start:
            return k
    raise ValueError(f"slider: start must be one of the values, got {start!r}. Values: {', '.join(map(str, values))}.")


def _with_progress(values: list[Any], label: str) -> Iterator[Any]:
    """Yield the values; in a notebook say how far it is once the drawing takes longer than a moment."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:                                      # plain Python: nobody is watching
        yield from values
        return
    began, line = time.monotonic(), None
    for k, value in enumerate(values):
        if get_ipython() is not None and time.monotonic() - began > QUIET_S:
            said = {"text/plain": f"drawing {label}: {k + 1} of {len(values)}"}
            if line is None:
                line = display(said, raw=True, display_id=True)
            else:
                line.update(said, raw=True)
        yield value
    if line is not None:
        line.update({"text/plain": ""}, raw=True)
