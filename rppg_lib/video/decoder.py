"""The child process that decodes: opens one source, writes its pictures to standard output, and nothing else.

Started by ``rppg_lib.video.child``. Every message is a header, ``HEADER``, and as many bytes as it says: ``HELO`` after
the start, ``INFO`` (JSON) when the source is open, one ``PICT`` (raw R-G-B) per picture after a byte has come through
standard input, and ``DONE`` or ``FAIL`` (JSON). It ends when its standard input is closed, so it cannot outlive its
parent. It imports little, because it is started for every reading.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import threading

HEADER = struct.Struct("<4sIIIdQ")       # tag, damaged, repaired, duplicates so far, time in s, bytes that follow
MEMORY_BYTES = 1_800_000_000             # address space beyond what the process has once it runs
IDLE_S = 60.0                            # an opened source that nobody reads is let go


class Refusal(Exception):
    """What the caller should hear: one line, as a ValueError or an OSError."""

    def __init__(self, text: str, kind: str = "OSError") -> None:
        super().__init__(text)
        self.kind = kind


class Counts:
    """What was not as it should be, so far."""

    def __init__(self) -> None:
        self.damaged = self.repaired = self.duplicates = 0
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Keep a remark once, and not more than a reader would read."""
        if text not in self.notes and len(self.notes) < 12:
            self.notes.append(text)


def send(pipe, tag: bytes, payload=b"", *, counts: Counts | None = None, time_s: float = 0.0) -> None:
    """Write one message; whatever the pipe does not take at once is offered again."""
    view = memoryview(payload).cast("B") if len(payload) else memoryview(b"")
    counts = counts or Counts()
    _all(pipe, memoryview(HEADER.pack(tag, counts.damaged, counts.repaired, counts.duplicates, time_s, view.nbytes)))
    _all(pipe, view)


def _all(pipe, view: memoryview) -> None:
    while view.nbytes:
        view = view[os.write(pipe, view):]


def send_json(pipe, tag: bytes, content: dict, *, counts: Counts | None = None) -> None:
    """Write one message of JSON."""
    send(pipe, tag, json.dumps(content).encode(), counts=counts)


def limit_memory() -> None:
    """Keep a header that asks for all memory from getting it; where the system has no such limit, do nothing."""
    try:
        import resource
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = now + MEMORY_BYTES
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, OSError, ValueError):
        return


def _follow_parent(wanted: threading.Event) -> None:
    """Wait for the parent's byte, then for its end."""
    while True:
        try:
            if not os.read(0, 1):
                os._exit(0)
        except OSError:
            os._exit(0)
        wanted.set()


def _source(task: dict):
    if task["kind"] == "camera":
        from .camera import CameraSource
        return CameraSource
    if task["kind"] == "images":
        from .images import ImageSource
        return ImageSource
    from .container import FileSource
    return FileSource


def serve(task: dict, pipe: int, wanted: threading.Event) -> None:
    """Open the source of ``task``, say what it is, wait to be asked, and send its pictures."""
    kind = _source(task)
    if task["kind"] != "camera":                     # camera drivers map what they like
        limit_memory()
    send(pipe, b"HELO")
    counts = Counts()
    source = kind(task, counts)
    send_json(pipe, b"INFO", source.info())
    if not wanted.wait(IDLE_S):
        return
    previous, last_s = None, task["seconds"]
    for picture, time_s in source.pictures():
        if last_s is not None and time_s >= last_s:
            break
        if previous is not None and _same(previous, picture):
            counts.duplicates += 1
        previous = picture
        send(pipe, b"PICT", picture.reshape(-1), counts=counts, time_s=time_s)
    else:
        source.finish()
    send_json(pipe, b"DONE", {"notes": counts.notes}, counts=counts)


def _same(a, b) -> bool:
    """Tell whether two pictures are equal in every value; most differ in the few rows that are looked at first."""
    return bool((a[::61] == b[::61]).all()) and bool((a == b).all())


def main(task_json: str) -> None:
    """Serve one task; whatever goes wrong becomes a message."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)     # an interrupt is the parent's to handle, and it ends this process
    # What libraries print must not get among the pictures.
    pipe = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if sys.platform == "win32":
        import msvcrt
        for number in (0, pipe):
            msvcrt.setmode(number, os.O_BINARY)
    wanted = threading.Event()
    threading.Thread(target=_follow_parent, args=(wanted,), daemon=True).start()
    try:
        serve(json.loads(task_json), pipe, wanted)
    except BrokenPipeError:
        pass
    except Refusal as refusal:
        send_json(pipe, b"FAIL", {"text": str(refusal), "kind": refusal.kind})
    except MemoryError:
        send_json(pipe, b"FAIL", {"text": "it asks for more memory than a video should need (about 2 GB). Convert it, "
                                          "or cut it to a smaller picture.", "kind": "OSError"})
    except ImportError as error:
        send_json(pipe, b"FAIL", {"text": f"a package is missing: {error}. Install with: pip install 'rppg-lib[video]'",
                                  "kind": "OSError"})
    except Exception as error:                       # a fault of ours or of a library: say it, never end in silence
        send_json(pipe, b"FAIL", {"text": f"reading failed with {type(error).__name__}: "
                                          f"{' '.join(str(error).split())[:300]}", "kind": "OSError"})
    os._exit(0)                                      # no tidying: decoders of broken files may hang in theirs


if __name__ == "__main__":
    from rppg_lib.video import decoder  # the module that the sources import, not a second copy of it
    decoder.main(sys.argv[1])
