"""Origins of web pages, written as browsers send them: scheme://host[:port], nothing after it."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from portal.lib.errors import Invalid

ANY: Final = "*"
MOST: Final = 100
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# Applications made of web pages have schemes of their own, such as capacitor://localhost.
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,30}")
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


def read_origins(origins: Sequence[str]) -> list[str]:
    """The origins as browsers write them, each once.

    Raises Invalid, naming ``allowed_origins``, for what no browser would ever send.
    """
    if len(origins) > MOST:
        text = _("Name {most} origins at most.").format(most=MOST)
        raise Invalid({"allowed_origins": text})
    return list(dict.fromkeys(_read_origin(origin) for origin in origins))


def _read_origin(origin: str) -> str:
    if origin == ANY:
        return origin
    found = _parse(origin)
    if found is None:
        text = _("“{origin}” is no origin: write it like https://shop.example, without a path.")
        raise Invalid({"allowed_origins": text.format(origin=origin[:100])})
    return found


def _parse(origin: str) -> str | None:
    """Lower case, the host as it is looked up, and no port where it goes without saying."""
    try:
        parts = urlsplit(origin)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError:
        return None
    host = f"[{host}]" if ":" in host else host
    scheme = parts.scheme.lower()
    if not (_SCHEME.fullmatch(scheme) and _HOST.fullmatch(host)):
        return None
    if parts.username is not None or "@" in origin or origin.count("/") != 2 or port == 0:
        return None
    if parts.query or parts.fragment or origin.endswith(("?", "#", ":")):
        return None
    return f"{scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS.get(scheme)) else f":{port}")
