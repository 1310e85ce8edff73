"""axe-core in the page: what people with assistive technology would stumble over."""

from functools import cache

from django.conf import settings
from playwright.sync_api import Page

# Contrast is all that a theme changes.
OF_THE_THEME = ("color-contrast", "link-in-text-block")
# What the width of the window and of the font changes.
OF_THE_SIZE = ("target-size",)
_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# What stylesheets alone decide is asked once of each: reading them is a tenth of its time.
_STYLESHEETS = "[...document.styleSheets].map((one) => one.href).join()"
_asked: set[str] = set()
# All that it found is much to send; what is wrong is mostly nothing.
_RUN = """async ([within, options]) => {
  const found = await axe.run(within ? { include: [within] } : document, options);
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 160)}: ${node.failureSummary}`));
}"""


@cache
def _source() -> str:
    path = settings.NODE_MODULES / "axe-core" / "axe.min.js"
    return str(path.read_text())


def violations(page: Page, rules: tuple[str, ...] = (), within: str = "") -> list[str]:
    """What is wrong with the page as it stands, by rule and element; all rules unless named.

    ``within`` is the selector of a part; what is asked of a whole page is then left out.
    The script is evaluated over the debugging protocol: the content security policy stays on.
    """
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": _TAGS}
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(_source())
    stylesheets: str = page.evaluate(_STYLESHEETS)
    options = {
        "runOnly": only,
        "resultTypes": ["violations"],
        "preload": not rules and stylesheets not in _asked,
    }
    found: list[str] = page.evaluate(_RUN, [within, options])
    if not rules:
        _asked.add(stylesheets)
    return found
