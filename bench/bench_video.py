"""Reading and writing video: rates, the time to start a decoder, and memory that must not grow with the length."""

import tempfile
import threading
import time
from pathlib import Path

import timing

SIZE_PX = (640, 480)
FS = 30
CASES = (("h264", "mp4"), ("mjpeg", "avi"), ("lossless", "mp4"), ("huffyuv", "avi"), ("raw", "avi"))


def pictures(count):
    """Yield moving spots of 16 px, cheap to make."""
    import numpy as np
    width, height = SIZE_PX
    spots = np.random.default_rng(0).integers(60, 200, (height // 16, width // 16, 3), dtype=np.uint8)
    picture = spots.repeat(16, 0).repeat(16, 1)
    turned = [np.ascontiguousarray(np.roll(picture, number, 1)) for number in range(32)]
    for number in range(count):
        yield turned[number % 32]


def child_megabytes(pid, seen, done):
    """Keep the child's peak while it lives; nothing where the system does not say."""
    while not done.wait(0.05):
        try:
            text = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        seen.append(max((int(line.split()[1]) / 1e3 for line in text.splitlines() if line.startswith("VmHWM")),
                        default=0))


def read(path):
    """Return pictures, seconds to open, pictures per second of wall time, and the child's peak in MB."""
    from rppg_lib.video.read import open_video
    start = time.perf_counter()
    with open_video(path) as video:
        opened = time.perf_counter() - start
        seen, done = [0.0], threading.Event()
        threading.Thread(target=child_megabytes, args=(video._waiting.process.pid, seen, done), daemon=True).start()
        start = time.perf_counter()
        count = sum(1 for _ in video)
        passed = time.perf_counter() - start
        done.set()
    return count, opened, count / passed, max(seen)


def main():
    """Print the figures."""
    from rppg_lib.video.write import write_video
    print(f"{SIZE_PX[0]} x {SIZE_PX[1]}, wall time; reading decodes in a child process on another core")
    with tempfile.TemporaryDirectory() as folder:
        for codec, suffix in CASES:
            path = Path(folder) / f"{codec}.{suffix}"
            start = time.perf_counter()
            written = write_video(path, pictures(300), fs=FS, codec=codec,
                                  **({"preset": "veryfast"} if codec == "h264" else {}))
            wrote = 300 / (time.perf_counter() - start)
            count, opened, rate, child = read(path)
            print(f"{codec:9s} write {wrote:6.0f} /s   read {rate:6.0f} /s   open {opened:4.2f} s   "
                  f"child {child:4.0f} MB   {written.kbps:8.0f} kbit/s")
            path.unlink()
        for seconds in (60, 600):
            path = Path(folder) / "long.mp4"
            write_video(path, pictures(seconds * FS), fs=FS, preset="ultrafast")
            count, opened, rate, child = read(path)
            print(f"{seconds:4d} s: {count} pictures at {rate:.0f} /s, peak {timing.peak_megabytes():.0f} MB here and "
                  f"{child:.0f} MB in the child")


if __name__ == "__main__":
    main()
