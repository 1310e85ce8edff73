"""Which names are taken for one another."""

import pytest

from portal.lib import lookalikes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sam", "Sam"),
        ("sam", "\uff53\uff41\uff4d"),
        ("sam", "s\u0430m"),  # Cyrillic a
        ("sam", "\u0455\u0430m"),
        ("straße", "STRASSE"),
        ("ren\u00e9", "rene\u0301"),
        ("mike", "rnike"),
        ("alice", "aIice"),
        ("Ian", "lan"),
        ("bob", "b0b"),
        ("BOB", "\u0412\u041e\u0412"),  # Cyrillic capitals
        ("\u03bfmega", "omega"),  # Greek omicron
    ],
)
def test_keys__names_that_look_the_same__share_one(one: str, other: str) -> None:
    mine, theirs = lookalikes.keys_of(one), lookalikes.keys_of(other)
    assert mine[0] == theirs[0] or mine[1] == theirs[1]


@pytest.mark.parametrize(
    ("one", "other"), [("ian", "lan"), ("alice", "alicia"), ("rene", "rené"), ("a-b", "a.b")]
)
def test_keys__names_that_can_be_told_apart__share_none(one: str, other: str) -> None:
    mine, theirs = lookalikes.keys_of(one), lookalikes.keys_of(other)
    assert mine[0] != theirs[0]
    assert mine[1] != theirs[1]


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("alice.b-2", True),
        ("\u0430\u043b\u0438\u0441\u0430", True),  # Cyrillic alone
        ("s\u0430m", False),
        ("sam\u03b1", False),
        ("tanaka\u7530\u4e2d\u3055\u3093\u30b5\u30f3", True),
        ("kim\uae40\u91d1", True),
        ("\uae40\u3055", False),
        ("", True),
    ],
)
def test_scripts__mixed_as_no_language_does__are_told(name: str, fine: bool) -> None:
    assert lookalikes.is_of_one_script(name) is fine
