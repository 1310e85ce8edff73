"""The machine's own Chromium, for Playwright to drive."""

import os
import shutil

from tests.support import settings_env

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # Windows of one profile share a process, which has read the scripts and stylesheets by then.
    "--renderer-process-limit=1",
    # axe makes much that is soon rubbish: with more room it is swept up less often.
    "--js-flags=--min-semi-space-size=32",
)

# A font of the usual width, which the portal names first, and one that is wider than most.
FONTS = ("@expo-google-fonts/inter", "dejavu-fonts-ttf/ttf")
WIDE_FONT = "DejaVu Sans"


def find() -> str | None:
    """Where it is, or None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def arguments() -> list[str]:
    """How to start it; its sandbox refuses to work for root."""
    return [*ARGUMENTS, *(["--no-sandbox"] if os.getuid() == 0 else [])]


def environment() -> dict[str, str | float | bool]:
    """What it is started with: fonts of our own alone, so that pages are as wide everywhere."""
    folder = settings_env.temporary_folder()
    modules = settings_env.ROOT / "node_modules"
    folders = "".join(f"<dir>{modules / font}</dir>" for font in FONTS)
    configuration = folder / "fonts.conf"
    configuration.write_text(
        f"<fontconfig>{folders}<cachedir>{folder / 'cache'}</cachedir></fontconfig>\n"
    )
    return {**os.environ, "FONTCONFIG_FILE": str(configuration)}
