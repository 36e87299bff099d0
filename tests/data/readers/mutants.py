"""Files that were damaged on the way: a reader must answer each with a label or one clear error."""

import time

import numpy as np

from rppg_lib.types import Reference

SLOWEST_S = 5.0


def mutants(content, count, *, seed=0):
    """Yield damaged copies of a file's bytes: flipped, cut short, doubled, blanked, shuffled, with other figures."""
    rng = np.random.default_rng(seed)
    size = len(content)
    for _ in range(count):
        data = bytearray(content)
        for _ in range(rng.integers(1, 4)):
            at, length = int(rng.integers(0, max(len(data), 1))), int(rng.integers(1, max(size // 8, 2)))
            match rng.integers(0, 7):
                case 0:
                    if data:
                        data[at % len(data)] ^= 1 << int(rng.integers(0, 8))
                case 1:
                    del data[at:]
                case 2:
                    data[at:at] = data[at:at + length]
                case 3:
                    data[at:at + length] = bytes(len(data[at:at + length]))
                case 4:
                    del data[at:at + length]
                case 5:
                    data[at:at] = rng.choice([b"nan", b"-1e999", b"\n\n", b",,;", b'"}', b"\xff\xfe", b"9" * 400])
                case 6:
                    data[at:at + length] = rng.integers(0, 256, len(data[at:at + length]), dtype=np.uint8).tobytes()
        yield bytes(data)


def survives(read, path, *, count=1000, seed=0):
    """Damage a file in many ways and read each; return how many could be read and how many were refused."""
    content, read_ones, refused = path.read_bytes(), 0, 0
    for number, data in enumerate(mutants(content, count, seed=seed)):
        path.write_bytes(data)
        start = time.perf_counter()
        try:
            got = read()
        except (ValueError, OSError) as error:
            refused += 1
            assert 10 < len(str(error)) < 600 and "\n" not in str(error), (number, str(error))
        else:
            read_ones += 1
            assert isinstance(got, Reference)
            assert np.isfinite(got.times_s).all() and (np.diff(got.times_s) > 0).all() and not np.isinf(got.wave).any()
        assert time.perf_counter() - start < SLOWEST_S, number
    path.write_bytes(content)
    return read_ones, refused
