"""Bodies that mean harm, or nothing: one clear sentence, never a 500, nothing half-written."""

import pytest
from hypothesis import given, strategies as st

from flags.transfer.importers.base import FileRefused
from flags.transfer.importers.text import read_text
from portal.lib import strict_json
from tests.flags.engine.documents import any_json, relaxed
from tests.support.rows import everything_kept
from tests.support.script import FLAGS, PRODUCTION, Script, problem

ENDPOINTS = [
    ("POST", FLAGS),
    ("PATCH", f"{FLAGS}/new-checkout"),
    ("PUT", f"{PRODUCTION}/flags/new-checkout"),
    ("PATCH", f"{PRODUCTION}/flags/new-checkout"),
    ("POST", f"{PRODUCTION}/import?format=flagd"),
    ("POST", f"{PRODUCTION}/import?format=native"),
]
BODIES = {
    "not JSON": b"{",
    "nothing but white space": b"  ",
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": -Infinity}',
    "1e400": b'{"name": 1e400}',
    "a number of 10,000 digits": b'{"name": ' + b"9" * 10_000 + b"}",
    "a name twice": b'{"name": "a", "name": "b"}',
    "a lone surrogate": b'{"name": "\\ud800"}',
    "a lone surrogate in a name": b'{"\\udfff": 1}',
    "NUL": b'{"name": "a\\u0000b"}',
    "NUL in a name": b'{"a\\u0000b": 1}',
    "a raw NUL": b'{"name": "a\x00b"}',
    "101 levels": b"[" * 101 + b"]" * 101,
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "100,000 levels of objects": b'{"a":' * 100_000,
    "latin-1": b'{"name": "\xe9"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
}


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_a_body_that_is_not_strict_json__is_400_and_changes_nothing(
    script: Script, flag: str, method: str, path: str
) -> None:
    before = everything_kept()
    for name, raw in BODIES.items():
        refused = problem(script.call(method, path, raw=raw, if_match='"1"'), 400)
        assert refused["detail"].endswith("."), name
        assert "errors" not in refused, name  # refused before anything looked at it
    assert everything_kept() == before


def test_a_body_that_is_not_strict_json__to_be_done_once__is_not_kept(
    script: Script, flag: str
) -> None:
    before = everything_kept()
    for raw in BODIES.values():
        problem(script.call("POST", FLAGS, raw=raw, idempotency_key="a"), 400)
    assert everything_kept() == before


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "x", "text/json"])
def test_a_body_of_another_type__is_415(script: Script, content_type: str) -> None:
    problem(script.call("POST", FLAGS, raw=b"{}", content_type=content_type), 415)


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "bz2_codec", "utf-7", "nothing"])
def test_a_body_in_another_charset__is_415(script: Script, charset: str) -> None:
    content_type = f"application/json; charset={charset}"
    problem(script.call("POST", FLAGS, raw=b"{}", content_type=content_type), 415)


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8"])
def test_a_body_that_says_it_is_utf_8__is_read(script: Script, charset: str) -> None:
    content_type = f"application/json; charset={charset}"
    problem(script.call("POST", FLAGS, raw=b"{}", content_type=content_type), 400)


def test_a_body_over_a_megabyte__is_413(script: Script) -> None:
    problem(script.call("POST", FLAGS, raw=b" " * (1024 * 1024 + 1)), 413)


@pytest.mark.parametrize("length", ["1048577", "9" * 30])
def test_a_length_over_a_megabyte__is_413_before_anything_is_read(
    script: Script, length: str
) -> None:
    response = script.client.post(
        FLAGS,
        b"{}",
        content_type="application/json",
        headers={"authorization": f"Bearer {script.token}", "content-length": length},
        CONTENT_LENGTH=length,
    )
    problem(response, 413)


@relaxed
@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_bytes__are_read_or_refused_in_a_sentence(raw: bytes) -> None:
    try:
        document = strict_json.loads(raw)
    except strict_json.NotStrict as refused:
        assert str(refused).endswith(".")  # noqa: PT017 - either is fine
    else:
        strict_json.check(document)


@relaxed
@given(any_json)
def test_any_object__is_fine_or_refused(document: object) -> None:
    try:
        strict_json.check(document)
    except strict_json.NotStrict as refused:
        assert str(refused).endswith(".")  # noqa: PT017 - either is fine


def test_an_import_of_far_too_many_values__is_400_and_says_so(script: Script, flag: str) -> None:
    raw = b'{"flags":[' + b"{}," * 4_000_000 + b"{}]}"
    refused = problem(script.call("POST", f"{PRODUCTION}/import?format=native", raw=raw), 400)
    assert "more than 1,000,000 values" in refused["detail"]


def test_a_file_in_yaml_of_far_too_many_values__is_refused_with_advice() -> None:
    with pytest.raises(
        FileRefused, match="more than 100,000 values and brackets: write it as JSON"
    ):
        read_text(b"flags: [" + b"{}," * 120_000 + b"{}]")
