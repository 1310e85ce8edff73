"""No cell of a file of ours is run by a spreadsheet, and each can be read back exactly."""

import unicodedata

import pytest
from hypothesis import given, strategies as st

from portal.lib.web.spreadsheets import guard, unguard

RUN = "=+-@|%\u2212"
FORMULAS = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "|cmd", "%0A"),
    *("\t=1", "\r=1", "\n=1", "\x00=1", "\tx", " \tx", "\x0b=1"),
    *(" =1+1", "\u00a0=1", "\u2003=1", "\u3000=1", "\u200b=1", "\ufeff=1", "\u202e=1"),
    *("\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20A1", "\uff5ccmd", "\ufe66cmd", "\ufe62+1"),
]


@pytest.mark.parametrize("text", FORMULAS)
def test_guard__what_a_spreadsheet_would_run__has_an_apostrophe_before_it(text: str) -> None:
    assert guard(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", " ", "alice", "a=b", "5", "100% sure", " x", "é+"])
def test_guard__harmless_text__stays_as_it_is(text: str) -> None:
    assert guard(text) == text


HARD = st.text(
    st.one_of(st.sampled_from("'=+-@|%\t\r\n \u00a0\ufeff\uff1d\u2212"), st.characters())
)


@given(HARD)
def test_unguard__of_what_was_guarded__is_the_text_again(text: str) -> None:
    assert unguard(guard(text)) == text


@given(HARD)
def test_guard__any_text__starts_with_nothing_that_is_run(text: str) -> None:
    cell = guard(text)
    for form in (cell, unicodedata.normalize("NFKC", cell)):
        assert not form.lstrip(" \u00a0\ufeff").startswith(tuple(f"{RUN}\t\r\n"))


def test_guard__by_any_single_character__hides_no_formula() -> None:
    """Whatever stands for a sign in another form, and whatever white space may stand before it."""
    for number in range(0x110000):
        character = chr(number)
        if unicodedata.normalize("NFKC", character)[:1] in set(RUN):
            assert guard(character) == f"'{character}"
        if character.isspace() or unicodedata.category(character) in ("Cc", "Cf"):
            assert guard(f"{character}=1") == f"'{character}=1"
