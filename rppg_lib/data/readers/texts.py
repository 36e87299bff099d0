"""How label files are taken in: text in whatever encoding, and tables column by column."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

LARGEST_TEXT = 10_000_000
"""Label files of data sets have a few MB at most, and take twenty times as much memory while they are read."""
NO_TEXT = re.compile(r"[\0-\x08\x0e-\x19\x1b-\x1f]")
"""Control signs that no text has; tabs, ends of lines and pages, and the old sign for the end of a file may be."""
AT_ONCE = 1 << 20
LARGEST_TABLE = 50_000_000
"""Tables of one's own may have many columns and values, and are read without holding their words."""
LONGEST_LINE = 100_000
COMMAS = "decimal commas are read as points"
LOOKS = "It should look so: 'time_s,label' in the first line, and below it numbers, '0.016,518.5'."


def text_of(path: Path) -> str:
    """Return a label file as text, or say what it is instead."""
    data = bytes_of(path, largest=LARGEST_TEXT)
    return data.decode(encoding_of(path.name, data))


def bytes_of(path: Path, *, largest: int) -> bytes:
    """Return what is in a label file, unless it is empty or too large to be one."""
    size = path.stat().st_size
    if size > largest:
        raise ValueError(f"{path.name}: has {size / 1e6:.0f} MB; a file of labels has a few, and at most "
                         f"{largest / 1e6:.0f} are read. Copy it again, or cut it into recordings.")
    if size == 0:
        raise ValueError(f"{path.name}: is empty. Copy it again.")
    return path.read_bytes()


def encoding_of(who: str, data: bytes) -> str:
    """Return how a text is written: UTF-8, UTF-16 if its first bytes say so, or else Western European.

    >>> encoding_of("a.csv", "\ufefftime;µV".encode("utf-16-le")), encoding_of("a.csv", "time;µV".encode("cp1252"))
    ('utf-16', 'cp1252')
    """
    marks = {codecs.BOM_UTF8: ("utf-8-sig",), codecs.BOM_UTF16_LE: ("utf-16",), codecs.BOM_UTF16_BE: ("utf-16",)}
    fitting = next((names for mark, names in marks.items() if data.startswith(mark)),
                   ("utf-8-sig", "cp1252", "latin-1"))
    for name in fitting:
        decoder = codecs.getincrementaldecoder(name)()
        try:
            pieces = (decoder.decode(data[at:at + AT_ONCE], at + AT_ONCE >= len(data))
                      for at in range(0, len(data), AT_ONCE))
            if any(NO_TEXT.search(piece) for piece in pieces):
                break
            return name
        except UnicodeDecodeError:
            continue
    raise ValueError(f"{who}: is not text: it holds bytes that no text has. Save it as text in UTF-8, a table as CSV, "
                     f"or copy it again.")


def numbers(who: str, words: list[str]) -> np.ndarray:
    """Return words as numbers, or name the first that is none."""
    try:
        return np.array(words, dtype=float)
    except ValueError:
        for place, word in enumerate(words):
            try:
                float(word)
            except ValueError:
                raise ValueError(f"{who}: value {place + 1} of {len(words)} is {word[:30]!r} and not a number. "
                                 f"Copy the file again.") from None
        raise


class Table:
    """A CSV with a header, separated by commas, semicolons or tabs; names come in small letters.

    Columns are read one at a time and become numbers at once: words would take twenty times as much memory as the file.
    """

    def __init__(self, path: Path, *, largest: int = LARGEST_TABLE) -> None:
        self.who, self._data = path.name, bytes_of(path, largest=largest)
        self.encoding = encoding_of(self.who, self._data)
        first = next((line for line in self.lines() if line.strip()), "")
        if told := re.match(r"sep=([,;\t])", first):                # Excel says it so
            self.sign = told[1]
        else:
            self.sign = max("\t;,", key=re.sub(r'"[^"]*"', "", first).count)
        self._above = 1 if told else 0
        self.names = [name.lower() for name in next(self._filled(), (0, []))[1]]
        while self.names and not self.names[-1]:                     # each line may end in the sign
            self.names.pop()
        if not self.names:
            raise ValueError(f"{self.who}: is not a CSV, for no line has words in it. Save it again. {LOOKS}")
        named = [name for name in self.names if name]
        if len(set(named)) < len(named):
            raise ValueError(f"{self.who}: names a column twice: {', '.join(named)[:100]}. Rename one.")

    def lines(self) -> Iterator[str]:
        """Yield the file's lines, with their ends."""
        for number, line in enumerate(io.TextIOWrapper(io.BytesIO(self._data), self.encoding, newline=""), start=1):
            if len(line) > LONGEST_LINE:
                raise ValueError(f"{self.who}: line {number} has {len(line)} letters; a line of a table has a few. "
                                 f"Save it again. {LOOKS}")
            yield line

    def _filled(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each line in which something stands, with its number; the header is the first."""
        reader, above = csv.reader(self.lines(), delimiter=self.sign), self._above
        try:
            for row in reader:
                words = [word.strip() for word in row]
                if any(words):
                    if not above:
                        yield reader.line_num, words
                    above = max(above - 1, 0)
        except csv.Error as error:
            raise ValueError(f"{self.who}: is not a CSV ({str(error)[:80]}). Save it again. {LOOKS}") from None

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of each line below the header, and its words."""
        rows, count = self._filled(), len(self.names)
        next(rows)
        for number, words in rows:
            if len(words) != count:
                if any(words[count:]) or len(words) < count:
                    raise ValueError(f"{self.who}: line {number} has {len(words)} fields, its header {count}. "
                                     f"Save it again, with one name for each column.")
                words = words[:count]
            yield number, words

    def words(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield the number of each line, and its word in one column."""
        place = self.names.index(name)
        return ((number, words[place]) for number, words in self.rows())

    def numbers(self, name: str, notes: list[str]) -> np.ndarray:
        """Return a column as numbers, NaN where a field is empty; that commas stand for points is noted."""
        commas = False

        def number(at: int, word: str) -> float:
            nonlocal commas
            try:
                return float(word or "nan")
            except ValueError:
                pass
            try:
                value = float(word.replace(",", "."))
            except ValueError:
                raise ValueError(f"{self.who}: line {at}, column {name!r}: {word[:30]!r} is not a number. Below the "
                                 f"header there are numbers only; where a value is missing the field is empty.") \
                    from None
            commas = True
            return value

        values = np.fromiter((number(at, word) for at, word in self.words(name)), dtype=float)
        if commas and COMMAS not in notes:
            notes.append(COMMAS)
        return values
