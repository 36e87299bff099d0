import tracemalloc

import numpy as np
import pytest

from rppg_lib.data.readers.own_label import reference
from rppg_lib.data.readers.texts import LARGEST_TEXT, Table, encoding_of, text_of

HEADER = "time_s;label;température;µV"
ROWS = "".join(f"{n / 50:.2f};{n % 7};36,6;x\n" for n in range(50))


@pytest.mark.parametrize("encoding, read_as", [
    ("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("cp1252", "cp1252"),
    ("latin-1", "cp1252")])
def test_a_table_is_read_in_whatever_encoding_spreadsheets_write(tmp_path, encoding, read_as):
    path = tmp_path / "a.csv"
    path.write_bytes(f"{HEADER}\n{ROWS}".encode(encoding))
    table, found = Table(path), reference(path)
    assert table.names == HEADER.lower().split(";") and table.encoding == read_as
    assert text_of(path).startswith("time_s;label;température")
    assert found.wave.tolist() == [n % 7 for n in range(50)] and found.times_s == pytest.approx(np.arange(50) / 50)
    assert [note for note in found.notes if "UTF-8" in note] == \
        (["is not in UTF-8: letters are read as cp1252"] if read_as == "cp1252" else [])


def test_utf_16_with_its_larger_byte_first_and_bytes_that_western_europe_lacks_are_text():
    assert encoding_of("a", b"\xfe\xff" + "a;b".encode("utf-16-be")) == "utf-16"
    assert encoding_of("a", b"\x81;b") == "latin-1"


def test_a_letter_on_the_edge_of_a_piece_is_read_whole(monkeypatch):
    monkeypatch.setattr("rppg_lib.data.readers.texts.AT_ONCE", 3)
    assert encoding_of("a", "aaµ€".encode()) == "utf-8-sig"
    assert encoding_of("a", "aaµ€".encode("utf-16")) == "utf-16"


@pytest.mark.parametrize("data", [
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"PK\x03\x04\x14\0\x06\0", b"time_s,label\n0,1\n\0", b"\x7fELF\x02\x01",
    "time_s,label".encode("utf-16-le"), b"\xff\xfea", b"\xef\xbb\xbftime\xff", "time".encode("utf-32")])
def test_what_is_no_text_is_refused(tmp_path, data):
    (tmp_path / "a.csv").write_bytes(data)
    for read in (text_of, reference):
        with pytest.raises(ValueError, match=r"a\.csv: is not text: .* Save it as text in UTF-8, a table as CSV"):
            read(tmp_path / "a.csv")


def test_a_label_takes_a_few_times_its_size_in_memory_and_not_twenty(tmp_path):
    path, count = tmp_path / "a.csv", 100_000
    path.write_text("time_s,label\n" + "".join(f"{n / 500:.3f},{n % 997 / 10:.1f}\n" for n in range(count)))
    tracemalloc.start()
    try:
        assert len(reference(path).wave) == count
        assert tracemalloc.get_traced_memory()[1] < 7 * path.stat().st_size
    finally:
        tracemalloc.stop()


def test_what_is_too_large_for_a_label_is_refused_before_it_is_read(tmp_path):
    with open(tmp_path / "a.txt", "wb") as file:
        file.truncate(LARGEST_TEXT + 1)
    with pytest.raises(ValueError, match="has 10 MB; a file of labels has a few, and at most 10 are read"):
        text_of(tmp_path / "a.txt")
    (tmp_path / "b.csv").write_text("time_s,label\n" + "1," * 60_000)
    with pytest.raises(ValueError, match="line 2 has 120000 letters"):
        reference(tmp_path / "b.csv")


@pytest.mark.parametrize("text", [
    "sep=;\ntime_s;label\n0;1\n0,02;2\n0,04;3\n",
    "time_s;label;\n0;1;\n0,02;2;\n0,04;3;\n",
    "time_s;label\n0;1;\n0,02;2;\n0,04;3;\n",
    '"time_s";"label";"skin, a, b, c"\r\n0;1;x\r\n;;\r\n0,02;2;y\r\n0,04;3;z\r\n',
    "time_s\tlabel\r0\t1\r0,02\t2\r0,04\t3\r",
])
def test_what_spreadsheets_put_about_a_table_is_not_taken_for_it(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode())
    found = reference(tmp_path / "a.csv")
    assert found.wave.tolist() == [1, 2, 3] and found.times_s == pytest.approx([0, 0.02, 0.04])
    assert found.notes == ("decimal commas are read as points",)
