"""axe-core in the page: what people with assistive technology would stumble over."""

from functools import cache
from typing import Any

from django.conf import settings
from playwright.sync_api import Page

# Contrast is all that a theme changes.
OF_THE_THEME = ("color-contrast", "link-in-text-block")
# What the width of the window and of the font changes.
OF_THE_SIZE = ("target-size",)
_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@cache
def _source() -> str:
    path = settings.NODE_MODULES / "axe-core" / "axe.min.js"
    return str(path.read_text())


def violations(page: Page, rules: tuple[str, ...] = ()) -> list[str]:
    """What is wrong with the page as it stands, by rule and element; all rules unless named.

    The script is evaluated over the debugging protocol: the content security policy stays on.
    """
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": _TAGS}
    options = {"runOnly": only, "resultTypes": ["violations"]}
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(_source())
    found: dict[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{violation['id']}: {node['html'][:160]}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
