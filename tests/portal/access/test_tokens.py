"""The form of API tokens."""

import hashlib
import re

import pytest
from hypothesis import given, strategies as st

from portal.access import tokens
from portal.access.models import KeyKind
from portal.access.tokens import Token, parse_token

KINDS = st.sampled_from(KeyKind.values)
SELECTORS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=16, max_size=16)
SECRETS = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=43, max_size=43
)


@pytest.mark.parametrize("kind", KeyKind.values)
def test_new_token__of_each_kind__has_the_documented_form(kind: str) -> None:
    text = str(tokens.new_token(kind))
    assert re.fullmatch(rf"av_{kind}_[a-z0-9]{{16}}_[A-Za-z0-9_-]{{43}}", text)


def test_new_token__a_thousand_times__never_repeats_itself() -> None:
    made = [tokens.new_token("server") for _ in range(1000)]
    assert len({token.selector for token in made}) == 1000
    assert len({token.secret for token in made}) == 1000


@given(KINDS, SELECTORS, SECRETS)
def test_parse_token__a_written_token__gives_its_parts(
    kind: str, selector: str, secret: str
) -> None:
    """Secrets have underscores and hyphens in them; whoever splits at every one is wrong."""
    token = Token(kind, selector, secret)
    assert parse_token(str(token)) == token


@given(st.text())
def test_parse_token__anything_at_all__is_a_token_or_none(text: str) -> None:
    token = parse_token(text)
    assert token is None or str(token) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "av",
        "av_server",
        "av_server_abcdefghij012345",
        "av_server_short_secret",
        "xx_server_abcdefghij012345_secret",
        "AV_server_abcdefghij012345_secret",
        "av-server-abcdefghij012345-secret",
        " av_server_abcdefghij012345_secret",
        "av_server_abcdefghij01234\0_secret",
        "av_server_ABCDEFGHIJ012345_secret",
        "av_server_äbcdefghij012345_secret",
        "av_server_abcdefghij012345_",
        "av__abcdefghij012345_secret",
    ],
)
def test_parse_token__something_else__is_none(text: str) -> None:
    assert parse_token(text) is None


@given(SECRETS, SECRETS)
def test_proves__only_its_own_verifier(secret: str, other: str) -> None:
    token = Token("server", "abcdefghij012345", secret)
    assert token.verifier == hashlib.sha256(secret.encode()).hexdigest()
    assert token.proves(token.verifier)
    assert token.proves(Token("server", "abcdefghij012345", other).verifier) == (secret == other)
