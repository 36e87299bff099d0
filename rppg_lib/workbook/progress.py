"""What ``rppg run`` shows: a line per running notebook, redrawn on a terminal, and the report at the end."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable
from typing import TextIO

from .runner import Event, Outcome

QUARTERS = 4
SOURCE_LINES = 6

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Display:
    """Listens to the runner and writes to ``stream``."""

    def __init__(self, stream: TextIO, *, live: bool | None = None) -> None:
        self.stream = stream
        self.live = is_terminal(stream) if live is None else live
        self.running: dict[str, tuple[Event, float]] = {}    # name -> its last event, and when that came
        self.rows: list[str] = []                            # the lines that are redrawn, as they stand

    def __call__(self, event: Event) -> None:
        line = self._line(event)
        if event.kind in ("started", "cell"):
            self.running[event.name] = event, time.monotonic()
        elif event.kind in ("done", "failed"):
            self.running.pop(event.name, None)
        self._draw(line)

    def _line(self, event: Event) -> str:
        """Return the line that stays, or nothing."""
        what = f"{event.name[:2]} {event.title}"
        if event.kind == "skipped":
            return f"{what}: done already ({event.seconds:.0f} s, unchanged)"
        if event.kind == "again":
            return f"{what}: runs again, because this has changed: {event.text}"
        if event.kind in ("done", "failed"):
            return f"{what}: {event.kind} after {event.seconds:.0f} s"
        if self.live or event.kind == "tick":
            return ""
        if event.kind == "started":
            return f"{what}: starts"
        return self._quarter(what, event)

    def _quarter(self, what: str, event: Event) -> str:
        before = self.running[event.name][0].at if event.name in self.running else 0
        done, former = event.at - 1, max(before - 1, 0)
        if QUARTERS * done // event.of <= QUARTERS * former // event.of:
            return ""
        return f"{what}: {100 * done // event.of} %, cell {event.at} of {event.of}, {event.seconds:.0f} s"

    def _draw(self, line: str) -> None:
        text = f"{line}\n" if line else ""
        if self.live:
            rows = [self._row(event, came) for event, came in self.running.values()]
            if rows == self.rows and not line:
                return
            wipe = f"\x1b[{len(self.rows)}A\r\x1b[J" if self.rows else ""
            text = wipe + text + "".join(f"{row}\n" for row in rows)
            self.rows = rows
        if text:
            self.stream.write(text)
            self.stream.flush()

    def _row(self, event: Event, came: float) -> str:
        cells = f"cell {event.at}/{event.of}" if event.of else "starting"
        row = f"{event.name[:2]} {event.title:<32} {cells:<12} {event.seconds + time.monotonic() - came:5.0f} s"
        return row[:shutil.get_terminal_size().columns - 1]


def is_terminal(stream: TextIO) -> bool:
    """Whether lines written to ``stream`` can be redrawn."""
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return False
    return os.name != "nt" or "WT_SESSION" in os.environ     # old consoles of Windows do not know the codes


def report(outcomes: Iterable[Outcome]) -> str:
    """Return what is to be said about the failures: cell, source, traceback, and where the copy is; or nothing."""
    return "\n".join(_failure(outcome) for outcome in outcomes if outcome.state == "failed")


def _failure(outcome: Outcome) -> str:
    where = f" in cell {outcome.cell}" if outcome.cell else ""
    where += f" (In [{outcome.count}])" if outcome.count else ""
    lines = [f"{outcome.name} failed{where}: {plain(outcome.error)}", ""]
    source = outcome.source.splitlines()
    lines += [f"    {line}" for line in source[:SOURCE_LINES]]
    if len(source) > SOURCE_LINES:
        lines.append(f"    ... ({len(source) - SOURCE_LINES} more lines)")
    if outcome.traceback:
        lines += ["", plain(outcome.traceback).strip()]
    if outcome.partial:
        lines += ["", f"  The notebook up to there: {outcome.partial}"]
    return "\n".join([*lines, ""])


def plain(text: str) -> str:
    """Return ``text`` without the codes that colour a terminal.

    >>> plain("\\x1b[31mred\\x1b[0m")
    'red'
    """
    return _ANSI.sub("", text)
