"""The chain by itself, without a database."""

import hashlib
import hmac
import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, strategies as st

from portal.audit import chain
from portal.audit.chain import FIELDS, GENESIS, Fault, Row

KEY = b"k" * 32
rows_of_texts = st.lists(
    st.tuples(*[st.text(max_size=5)] * (len(FIELDS) - 1)), min_size=1, max_size=6
)


def stored(values: Sequence[object], previous_hash: str, own_hash: str) -> Row:
    """A row as the database gives it."""
    return (str(values[0]), chain.canonical(values).decode(), previous_hash, own_hash)


def linked(contents: list[tuple[str, ...]], key: bytes = KEY) -> list[Row]:
    """A chain that holds."""
    rows, last = [], GENESIS
    for sequence, content in enumerate(contents, start=1):
        values = (sequence, *content)
        own = chain.link(key, last, chain.canonical(values))
        rows.append(stored(values, last, own))
        last = own
    return rows


def first_fault(rows: list[Row], head: Row) -> Fault | None:
    return chain.first_fault(rows, key=KEY, anchors={int(head[0]): head[3]})


def test_canonical__a_row__is_the_documented_bytes() -> None:
    """Whoever verifies an export writes these two lines in a language of their own."""
    at = datetime(2026, 3, 1, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    row = chain.canonical([1, at, "flag.enabled", None, "Käse"])
    assert row == '["1","2026-03-01T12:00:00.000000+00:00","flag.enabled","","Käse"]'.encode()
    expected = hmac.new(KEY, GENESIS.encode() + b"\n" + row, hashlib.sha256).hexdigest()
    assert chain.link(KEY, GENESIS, row) == expected


def test_canonical__midnight_with_and_without_microseconds__is_written_alike() -> None:
    whole = datetime(2026, 3, 1, tzinfo=UTC)
    assert b"T00:00:00.000000+00:00" in chain.canonical([whole])


@given(rows_of_texts)
def test_first_fault__rows_as_written__is_none(contents: list[tuple[str, ...]]) -> None:
    rows = linked(contents)
    assert first_fault(rows, rows[-1]) is None


@given(rows_of_texts, st.data())
def test_first_fault__one_field_changed__names_that_row(
    contents: list[tuple[str, ...]], data: st.DataObject
) -> None:
    rows = linked(contents)
    place = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.integers(1, len(FIELDS) - 1))
    values = json.loads(rows[place][1])
    values[field] = f"{values[field]}!"
    changed = [*rows]
    changed[place] = stored(values, *rows[place][2:])
    assert first_fault(changed, rows[-1]) == Fault(place + 1, "its content does not match its hash")


@given(rows_of_texts, st.data())
def test_first_fault__text_moved_to_the_next_field__is_found(
    contents: list[tuple[str, ...]], data: st.DataObject
) -> None:
    rows = linked(contents)
    field = data.draw(st.integers(1, len(FIELDS) - 2))
    values = json.loads(rows[0][1])
    values[field : field + 2] = ["", f"{values[field]}{values[field + 1]}x"]
    changed = [stored(values, *rows[0][2:]), *rows[1:]]
    fault = first_fault(changed, rows[-1])
    assert fault
    assert fault.sequence == 1


@given(rows_of_texts, st.data())
def test_first_fault__rows_missing__names_the_first_of_them(
    contents: list[tuple[str, ...]], data: st.DataObject
) -> None:
    rows = linked(contents)
    start = data.draw(st.integers(0, len(rows) - 1))
    end = data.draw(st.integers(start + 1, len(rows)))
    fault = first_fault(rows[:start] + rows[end:], rows[-1])
    assert fault
    assert fault.sequence == start + 1
    assert fault.problem.startswith("missing")


@given(st.permutations(range(4)))
def test_first_fault__rows_in_another_order__is_found(order: list[int]) -> None:
    rows = linked([(str(n),) * (len(FIELDS) - 1) for n in range(4)])
    # Each takes the number of the place it was moved to, as somebody would who reorders history.
    moved = [
        stored((place, *json.loads(rows[n][1])[1:]), *rows[n][2:])
        for place, n in enumerate(order, start=1)
    ]
    wrong = [place for place, n in enumerate(order, start=1) if place != n + 1]
    fault = first_fault(moved, rows[-1])
    assert (fault.sequence if fault else None) == (wrong[0] if wrong else None)


def test_first_fault__all_of_it_made_anew_with_another_key__names_the_first_row() -> None:
    rows = linked([("x",) * (len(FIELDS) - 1)] * 3, key=b"another key".ljust(32))
    fault = first_fault(rows, rows[-1])
    assert fault == Fault(1, "its content does not match its hash")


def test_first_fault__row_added_while_verifying__is_fine() -> None:
    rows = linked([("x",) * (len(FIELDS) - 1)] * 3)
    assert first_fault(rows, rows[1]) is None


def test_first_fault__anchor_says_otherwise__names_the_row() -> None:
    """Someone with the key wrote another history; a hash that was noted down gives it away."""
    rows = linked([("x",) * (len(FIELDS) - 1)] * 3)
    anchors = {2: "0" * 64, 3: rows[2][3]}
    fault = chain.first_fault(rows, key=KEY, anchors=anchors)
    assert fault == Fault(2, "another row stood here when the chain was anchored")


def test_link__other_key_hash_or_row__is_another_hash() -> None:
    keys, hashes, rows = (KEY, b"j" * 32), (GENESIS, "1" * 64), (b"row", b"another row")
    links = {chain.link(*each) for each in itertools.product(keys, hashes, rows)}
    assert len(links) == 8


def test_link__a_row_of_the_first_version__has_the_hash_it_had_then() -> None:
    """Chains that exist must go on verifying: nothing in here may ever change."""
    row = chain.canonical(
        [
            *(42, datetime(2026, 3, 1, 12, 0, 0, 5, UTC), "flag.enabled", "user", "7", "alice"),
            *("shop", "production", "flag", "new-checkout", 3, '{"enabled":false}'),
            *('{"enabled":true,"name":"Käse & 🧀"}', 'a "reason"\n\x00\x1f\x7f\\', "r-1", "", "b"),
        ]
    )
    assert chain.link(KEY, GENESIS, row) == (
        "c14c2a9b724a24130ea50d1a95d6b3daefffab15dba28782849be77edaf01c5c"
    )


@given(st.lists(st.text()))
def test_encode__any_texts__is_what_the_standard_library_writes(row: list[str]) -> None:
    assert chain.encode(row) == json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=2000))
def test_linker__any_key_and_message__is_hmac_sha256(key: bytes, message: bytes) -> None:
    assert chain.linker(key)(message) == hmac.new(key, message, hashlib.sha256).hexdigest()
