"""Mutated video files: each must give pictures or an error, soon, and never harm the process that asked."""

import itertools
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rppg_lib.simulate.chance import stream
from rppg_lib.video.child import Child
from rppg_lib.video.read import open_video
from tests.video.films import film, moving

BASES = {"h264.mp4": ("libx264", "yuv420p"), "h264.mkv": ("libx264", "yuv420p"), "mjpeg.avi": ("mjpeg", "yuvj420p"),
         "ffv1.mkv": ("ffv1", "bgr0"), "raw.avi": ("rawvideo", "bgr24"), "huffyuv.avi": ("huffyuv", "rgb24"),
         "mpeg4.mov": ("mpeg4", "yuv420p"), "h264.ts": ("libx264", "yuv420p")}
ABSURD = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x00", b"\x80\x00\x00\x00")
LIMIT_S = 10.0
LIMIT_BYTES = 2_000_000_000


def mutated(content, way, chance):
    """Return one damaged copy."""
    data = bytearray(content)
    if way == "truncated":
        return bytes(data[: int(chance.integers(1, len(data)))])
    if way in ("header bits", "body bits", "absurd"):
        low, high = (0, min(1500, len(data))) if way != "body bits" else (len(data) // 4, len(data))
        for place in chance.integers(low, high, size=int(chance.integers(1, 30 if way == "body bits" else 6))):
            if way == "absurd":
                data[place: place + 4] = ABSURD[int(chance.integers(len(ABSURD)))]
            else:
                data[place] ^= 1 << int(chance.integers(8))
        return bytes(data)
    if way == "hole":
        start = int(chance.integers(0, len(data)))
        return bytes(data[:start] + bytes(int(chance.integers(1, 4000))) + data[start:])
    return bytes(data)                                               # "renamed": whole, under a wrong name


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    pictures = moving(30, size=(64, 48))
    made = {name: film(folder / name, pictures, codec=codec, look=look).read_bytes()
            for name, (codec, look) in BASES.items()}
    made["none.mp4"] = film(folder / "none.mp4", pictures[:1]).read_bytes().replace(b"avc1", b"none")
    return made


def outcome(path):
    """Return what came of reading up to 30 pictures, how long it took, and the child's largest memory."""
    seen, start = [], time.monotonic()
    try:
        with open_video(path) as video:
            child = video._waiting
            for frame in video:
                assert frame.image.shape == (video.info.height, video.info.width, 3)
                seen.append(frame.time_s)
                if len(seen) == 30:
                    memory = peak_bytes(child)
                    break
            else:
                memory = 0
        result = "pictures" if all(b > a for a, b in itertools.pairwise(seen)) else "times stand still"
    except (OSError, ValueError) as error:
        result, memory = type(error).__name__ + ": " + str(error), 0
    return result, time.monotonic() - start, memory


def peak_bytes(child: Child):
    """Return the most memory the child held; 0 where the system does not say."""
    try:
        with open(f"/proc/{child.process.pid}/status") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


def campaign(folder, bases, count):
    """Write count mutated files and read them, two at a time."""
    chance = stream(2024, "hostile files")
    ways = ("truncated", "header bits", "body bits", "absurd", "hole", "renamed")
    paths = []
    for number in range(count):
        name = list(bases)[number % len(bases)]
        way = ways[int(chance.integers(len(ways)))]
        suffix = name.split(".")[1] if way != "renamed" else ("avi", "mp4", "txt", "png", "wav")[number % 5]
        path = folder / f"{number}.{suffix}"
        path.write_bytes(mutated(bases[name], way, chance))
        paths.append(path)
    with ThreadPoolExecutor(2) as pool:
        return list(zip(paths, pool.map(outcome, paths)))


def check(results):
    """Hold every result to the rules and return how many gave pictures."""
    wrong = [(path.name, *what) for path, what in results
             if what[1] > LIMIT_S or what[2] > LIMIT_BYTES or what[0] == "times stand still" or "\n" in what[0]
             or "AssertionError" in what[0]]
    assert not wrong
    return sum(what[0] == "pictures" for _, what in results)


def test_forty_damaged_files_give_pictures_or_an_error(tmp_path, bases):
    assert 10 < check(campaign(tmp_path, bases, 40)) < 40


@pytest.mark.slow
def test_five_hundred_damaged_files_give_pictures_or_an_error(tmp_path, bases):
    start = time.monotonic()
    results = campaign(tmp_path, bases, 500)
    good = check(results)
    assert 150 < good < 480
    assert time.monotonic() - start < 240


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is set where /proc tells what is in use")
def test_a_header_that_claims_a_huge_picture_is_refused(tmp_path, bases):
    content = bytearray(bases["raw.avi"])
    place = content.index(b"strf") + 12                              # width and height of the bitmap header
    content[place: place + 8] = (60_000).to_bytes(4, "little") * 2
    (tmp_path / "a.avi").write_bytes(content)
    with pytest.raises((OSError, ValueError), match="open_video"):
        list(open_video(tmp_path / "a.avi"))
