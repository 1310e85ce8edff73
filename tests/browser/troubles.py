"""What a browser complains about, and what pages must never do."""

from playwright.sync_api import ConsoleMessage, Page, Request


class Troubles:
    """Console errors (scripts, content security policy, failed loads) and requests to strangers."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._expected: list[str] = []

    def expect(self, text: str) -> None:
        """From now on this is no trouble: the test provokes it."""
        self._expected.append(text)

    @property
    def unexpected(self) -> list[str]:
        return [found for found in self._found if not any(e in found for e in self._expected)]

    def forget(self) -> None:
        """What was found so far has been told."""
        self._found.clear()

    def watch(self, page: Page, portal_url: str) -> None:
        """Listen to a window from now on."""

        def hear(said: ConsoleMessage) -> None:
            if said.type in ("error", "warning"):
                self._found.append(f"{said.type}: {said.text} ({page.url})")

        def look(asked: Request) -> None:
            if not asked.url.startswith((f"{portal_url}/", "data:", "blob:", "about:")):
                self._found.append(f"asked another host: {asked.url}")

        page.on("console", hear)
        page.on("pageerror", lambda error: self._found.append(f"{error} ({page.url})"))
        page.on("request", look)
