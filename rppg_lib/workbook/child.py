"""One notebook in one process: ``python -m rppg_lib.workbook.child``, started by the runner.

The first line of standard input is the order, as JSON. After that the input stays open for as long as the runner
wants the notebook: when it closes, because the runner says so or because it was killed, kernel and process end.
Events go to standard output, one JSON object per line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.iorw import load_notebook_node
from papermill.log import logger
from papermill.utils import chdir

from ..files import written_whole
from .fingerprint import KEY, cells_digest, file_digest, times_of
from .notebook import Cell

KERNEL = "python3"
START_TIMEOUT_S = 180                    # a kernel starts in 5 s; on a crowded machine it may take much longer
INJECTED = "injected-parameters"

Tell = Callable[[dict[str, Any]], None]


class _Engine(NBClientEngine):
    """Papermill's engine, which says when each cell begins and lets its kernel be killed from outside."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, *, work, **_: Any):
        begin = nb_man.cell_start

        def cell_start(cell, cell_index=None, **more: Any):
            work.at(cell)
            return begin(cell, cell_index, **more)

        nb_man.cell_start = cell_start
        work.client = PapermillNotebookClient(nb_man, kernel_name=kernel_name, timeout=None, log=logger,
                                              startup_timeout=START_TIMEOUT_S)
        return work.client.execute()


class _Work:
    """The notebook that is being run: where it is, and how to stop it."""

    def __init__(self, notebook, tell: Tell) -> None:
        self.notebook, self.tell = notebook, tell
        self.codes = [cell for cell in notebook.cells if _counts(cell)]
        self.cell: Any = None
        self.client: PapermillNotebookClient | None = None

    def at(self, cell: Any) -> None:
        self.cell = cell
        if _counts(cell):
            at = 1 + next(k for k, code in enumerate(self.codes) if code is cell)
            self.tell({"event": "cell", "at": at, "of": len(self.codes)})

    def failed(self, cell: Any, ename: str, evalue: str, trace: str = "") -> dict[str, Any]:
        """Return the event that says where and how the notebook ended."""
        written = [id(other) for other in self.notebook.cells if not _is_injected(other)]
        number = 1 + written.index(id(cell)) if cell is not None and id(cell) in written else 0
        return {"event": "failed", "cell": number, "count": cell and cell.get("execution_count"),
                "source": cell.source if cell else "", "ename": ename, "evalue": evalue, "traceback": trace}

    def kill(self) -> None:
        """Kill the kernel and what it has started, and this process."""
        provisioner = getattr(getattr(self.client, "km", None), "provisioner", None)
        process, group = getattr(provisioner, "process", None), getattr(provisioner, "pgid", None)
        try:
            if group and hasattr(os, "killpg"):
                os.killpg(group, signal.SIGKILL)
            elif process is not None:
                process.kill()
        except OSError:
            pass                                             # it has ended by itself
        os._exit(130)


def execute(order: dict[str, Any], tell: Tell, *, on_start: Callable[[_Work], None]) -> dict[str, Any]:
    """Run the notebook of an order; return the last event: ``done`` or ``failed``."""
    path, out, partial = (Path(order[key]) for key in ("notebook", "out", "partial"))
    notebook = load_notebook_node(str(path))
    cells = [Cell(cell.cell_type, cell.source, tuple(cell.metadata.get("tags", ()))) for cell in notebook.cells]
    _inject(notebook, order["changes"])
    partial.parent.mkdir(parents=True, exist_ok=True)
    before = times_of(path.stem, out)
    work = _Work(notebook, tell)
    on_start(work)
    try:
        with chdir(str(path.parent)):
            _Engine.execute_notebook(notebook, KERNEL, output_path=str(partial), progress_bar=False, work=work)
    except Exception as error:                               # the kernel died, or did not start
        return work.failed(work.cell, type(error).__name__, str(error))
    for cell in notebook.cells:
        if cell.metadata.papermill.get("exception"):
            return _failed_in(cell, work)
    written = times_of(path.stem, out).items() - before.items()
    results = {name: file_digest(out / name) for name, _ in sorted(written)}
    seconds = round(time.time() - order["began"], 1)         # with the start of this process and of its kernel
    notebook.metadata[KEY] = {**order["record"], "seconds": seconds, "results": results,
                              "fingerprint": {**order["record"]["fingerprint"], "notebook": cells_digest(cells)}}
    with written_whole(order["copy"]) as file:
        nbformat.write(notebook, file)
    partial.unlink(missing_ok=True)
    return {"event": "done", "seconds": seconds}


def _inject(notebook: Any, changes: dict[str, str]) -> None:
    """Put a cell with the changed parameters, given as Python source, below the cell of parameters."""
    if not changes:
        return
    source = "\n".join(["# Parameters", *(f"{name} = {value}" for name, value in changes.items())])
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": [INJECTED], "papermill": {}})
    place = next(k for k, other in enumerate(notebook.cells) if "parameters" in other.metadata.get("tags", ()))
    notebook.cells.insert(place + 1, cell)


def _failed_in(cell: Any, work: _Work) -> dict[str, Any]:
    error = next((output for output in cell.outputs if output.output_type == "error"), None)
    if error is None:
        return work.failed(cell, "CellExecutionError", "the cell left no traceback")
    return work.failed(cell, error.ename, error.evalue, "\n".join(error.traceback))


def _is_injected(cell: Any) -> bool:
    return INJECTED in cell.metadata.get("tags", ())


def _counts(cell: Any) -> bool:
    return cell.cell_type == "code" and bool(cell.source.strip()) and not _is_injected(cell)


def _order() -> dict[str, Any]:
    """Read the first line of standard input, unbuffered: a thread goes on reading behind it."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            raise SystemExit("the order ended early")
        line += piece
    return json.loads(line)


def _end_with_the_runner(work: _Work) -> None:
    """Kill the work when standard input closes."""
    def wait() -> None:
        while os.read(0, 4096):
            pass
        work.kill()

    threading.Thread(target=wait, daemon=True).start()


def main() -> int:
    """Run the notebook named on standard input; the exit status is 0 if it ran to its end."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)                                            # whatever else is printed, by the kernel too, is no event

    def tell(event: dict[str, Any]) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    last = execute(_order(), tell, on_start=_end_with_the_runner)
    tell(last)
    return 0 if last["event"] == "done" else 1


if __name__ == "__main__":
    sys.exit(main())
