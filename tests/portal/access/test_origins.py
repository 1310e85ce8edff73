"""Origins of web pages, as browsers send them."""

import pytest

from portal.access.services.keys import read_origins
from portal.lib.errors import Invalid


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*", "*"),
    ],
)
def test_origin__is_kept_as_a_browser_sends_it(typed: str, kept: str) -> None:
    assert read_origins([typed, typed]) == [kept]


@pytest.mark.parametrize(
    "typed",
    [
        "shop.example",
        "https://",
        "https:///path",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example?",
        "https://shop.example#",
        "https://shop.example:",
        "https://shop.example:0",
        "https://shop.example:70000",
        "https://shop.example:x",
        "https://user@shop.example",
        "https://@shop.example",
        "https://*.shop.example",
        "https://shop..example",
        "https://shop.example,https://b.example",
        "https://shop.example\\evil",
        "https://[shop",
        "javascript:alert(1)",
        "null",
        "**",
        "",
    ],
)
def test_origin__that_no_browser_sends__is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_origins(["https://good.example", typed])
    assert "no origin" in refused.value.problems["allowed_origins"]


def test_origins__far_too_many__are_refused() -> None:
    with pytest.raises(Invalid):
        read_origins([f"https://a{number}.example" for number in range(101)])
