"""CSV files as spreadsheets and people make them."""

import csv
import io

import pytest

from flags.segments import key_lists
from flags.segments.key_lists import KeyFile, read_csv, read_text
from portal.lib.errors import Invalid
from portal.lib.web.spreadsheets import csv_response


def read(data: bytes) -> KeyFile:
    return read_csv(io.BytesIO(data), size=len(data))


FILES = {
    "lines": b"alice\nbob\n",
    "crlf and a mark": b"\xef\xbb\xbfalice\r\nbob\r\n",
    "utf-16": "alice\nbob\n".encode("utf-16"),
    "a header": b"user_id,plan\nalice,pro\nbob,free\n",
    "semicolons": b"Key;plan\nalice;pro\nbob;free",
    "quotes and doubles": b'"alice"\n"bob","x, y"\nalice\n\n  \n',
    "spaces": b" alice \n\tbob\n",
}


@pytest.mark.parametrize("name", FILES)
def test_read_csv__takes_what_files_have(name: str) -> None:
    assert read(FILES[name]).keys == {"alice", "bob"}


def test_read_csv__counts_what_it_leaves_out() -> None:
    found = read(b"key\nalice\nalice\n" + b"x" * 1001 + b"\n" + b"a\0b\nbob")
    assert (found.header, found.doubles, found.invalid_lines) == ("key", 1, 2)
    assert [line for line, _problem in found.invalid] == [4, 5]
    assert found.keys == {"alice", "bob"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"alice\nb\xe9atrice\n", "UTF-8"),
        (b'alice\n"bob', "check the quotes"),
        (b"x" * (key_lists.MOST_BYTES + 1), "larger than 20 MiB"),
    ],
)
def test_read_csv__that_is_none__says_why(data: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read(data)


def test_read_csv__a_million_rows__stops_where_a_list_is_full() -> None:
    lines = io.BytesIO(b"".join(b"user-%07d\n" % n for n in range(1_000_000)))
    with pytest.raises(Invalid, match="more than 250,000"):
        read_csv(lines, size=1)
    assert lines.tell() < 5_000_000
    assert not lines.closed


def test_a_download__uploaded_again__is_the_same_keys() -> None:
    keys = ["=cmd()", "'=x", "'quoted'", "''", "-5", "|cmd", "@me", "plain", "a,b;c", 'say "hi"']
    file = csv_response("x", ["key"], [[key] for key in keys]).getvalue()
    assert all(row[0][0] not in "=+-@" for row in csv.reader(io.StringIO(file.decode())))
    assert read(file).keys == set(keys)


def test_pasted_lines__are_taken_as_they_are() -> None:
    assert read_text('alice\r\n"bob", x\n\n').keys == {"alice", '"bob", x'}
