"""Documents that people write of services: what they are, how they are released, their artefacts.

How a service is released in an environment is its *setup*::

    {
      "router": {"kind": "flag", "flag": "shop-route", "variants": ["blue", "green"]},
      "deployer": {},
      "checks": [{"key": "errors", "kind": "error_rate", "threshold": 5}],
      "rollback_config": {"triggers": {"error_rate": {"threshold": "5%", "window": "5m"}}}
    }

A router is ``{"kind": "webhook", "url": …}``, ``{"kind": "manual"}`` or one by haproxy as well
(releases.catalogue.haproxy). The variants of a flag, and haproxy's places, take turns: one has the
stable version, the other brings the next. A deployer (releases.deployers) is a webhook or manual as
well; it may name ``instances`` for rolling releases, and ``addresses`` of instances or places.
``rollback_config`` is the block of the deployment guide, kept as it was written.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from portal.access.models.environment import key_validator
from portal.lib import outbound
from portal.lib.api.shapes import MOMENT
from portal.lib.documents import (
    DocumentError,
    Problem,
    Reader,
    all_different,
    checked,
    list_of,
    matching,
    name,
    one_of,
    read_object,
    record,
    refuse,
    text,
)
from portal.lib.errors import Invalid
from releases.catalogue.haproxy import read_haproxy, read_pin
from releases.engine.checks import ADDRESS, Check, read_checks
from releases.engine.rollback_config import RollbackConfig, read_rollback_config
from releases.engine.steps import MOST_INSTANCES

T = TypeVar("T")
MOST_OWNERS: Final = 20
MOST_LINKS: Final = 10
_KEY: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,19}")
_DIGEST: Final = re.compile(r"[a-z0-9][a-z0-9+._-]*:[!-~]+")
# Of these it is known how many hexadecimal digits they have; registries of images take two of them.
_DIGITS: Final = {"sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}
_OF_IMAGES: Final = ("sha256", "sha512")
# What the others are called beside the new version, on pages and in answers.
_TAKEN: Final = ("stable", "baseline")


def valid(read: Reader[T], document: object, *, under: str = "") -> T:
    """What a reader makes of a document. Raises Invalid with each problem, below ``under``."""
    try:
        return read(document)
    except DocumentError as error:
        problems = error.under(under) if under else error.problems
        raise Invalid({one.path: one.message for one in problems}) from None


read_key: Final = matching(_KEY, 50, str(key_validator.message))
read_service: Final[Reader[dict[str, Any]]] = record(
    dict,
    {
        "key": read_key,
        "name": name(200, 1),
        "owners": all_different(list_of(name(150, 1), most=MOST_OWNERS)),
    },
)


def _read_address(value: object) -> str:
    """An address that may be asked as far as its spelling goes; where it leads is found out when it
    is asked."""
    url = text(500, 1)(value)
    try:
        outbound.checked_address(url)
    except outbound.Refused as error:
        refuse(f"This address is not used: {error}.")
    return url


def _read_page(value: object) -> str:
    """An address that people open in a browser; what it is opened with has to stay secret."""
    url = _read_address(value)
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1"):
        refuse("Give an address that starts with https://.")
    return url


_NAME: Final = name(100, 1)
_ROUTERS: Final[Mapping[str, Reader[dict[str, Any]]]] = {
    "flag": record(
        dict,
        {"flag": name(200, 1), "variants": all_different(list_of(_NAME, least=2, most=2))},
        {"baseline": _NAME, "bucket_by": _NAME, "tester_url": _read_page, "pin_s": read_pin},
    ),
    "webhook": record(dict, {"url": _read_address}),
    "manual": record(dict, {}),
    "haproxy": read_haproxy,
}


def _by_kind(readers: Mapping[str, Reader[dict[str, Any]]], what: str) -> Reader[dict[str, Any]]:
    read_kind = one_of(readers, what)

    def read(value: object) -> dict[str, Any]:
        document = read_object(value)
        try:
            kind = read_kind(document.get("kind"))
        except DocumentError as error:
            raise DocumentError(error.under("kind")) from None
        rest = {field: one for field, one in document.items() if field != "kind"}
        return {"kind": kind, **readers[kind](rest)}

    return read


def _check_variants(router: Mapping[str, Any]) -> Iterator[Problem]:
    if router["kind"] == "flag" and router.get("baseline") in router["variants"]:
        yield Problem("baseline", "Give the baseline a variant of its own.")


_read_router = checked(_by_kind(_ROUTERS, "kind of router"), _check_variants)


def _read_addresses(value: object) -> dict[str, str]:
    document = read_object(value)
    if len(document) > MOST_INSTANCES:
        refuse(f"Give at most {MOST_INSTANCES} addresses.")
    for key in document:
        _NAME(key)
    return record(dict, {}, dict.fromkeys(document, _read_address))(document)


_PLACES: Final[dict[str, Reader[Any]]] = {
    "addresses": _read_addresses,
    "instances": all_different(list_of(_NAME, most=MOST_INSTANCES)),
}
_read_deployer = _by_kind(
    {
        "manual": record(dict, {}, _PLACES),
        "webhook": record(dict, {"url": _read_address}, _PLACES),
    },
    "kind of deployer",
)


def _read_block(value: object) -> dict[str, Any]:
    document = dict(read_object(value))
    if document:
        read_rollback_config(document)
    return document


def _check_keys(setup: Mapping[str, Any]) -> Iterator[Problem]:
    taken = {check.key for check in triggers_of(setup)}
    for place, check in enumerate(setup["checks"]):
        if check["key"] in taken:
            message = "Another check or trigger has this key already; choose another."
            yield Problem(f"checks[{place}].key", message)
        taken.add(check["key"])
        yield from check_address(check, f"checks[{place}]")


def check_address(check: Mapping[str, Any], path: str) -> Iterator[Problem]:
    if "url" not in check:
        return
    try:
        _read_address(check["url"].replace(ADDRESS, "http://localhost", 1))
    except DocumentError as error:
        yield from (problem.under(path) for problem in error.under("url"))


def _setup(
    router: dict[str, Any],
    deployer: dict[str, Any] | None = None,
    checks: Iterable[Check] = (),
    rollback_config: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "router": router,
        "deployer": deployer or {},
        "checks": [check.document for check in checks],
        "rollback_config": rollback_config or {},
    }


read_setup: Final[Reader[dict[str, Any]]] = checked(
    record(
        _setup,
        {"router": _read_router},
        {
            "deployer": lambda value: {} if value == {} else _read_deployer(value),
            "checks": read_checks,
            "rollback_config": _read_block,
        },
    ),
    _check_keys,
)
"""Reads a setup; what it leaves out is empty. Checks get every field that their kind has."""


def rollback_of(setup: Mapping[str, Any]) -> RollbackConfig | None:
    block = setup["rollback_config"]
    return read_rollback_config(block) if block else None


def triggers_of(setup: Mapping[str, Any]) -> tuple[Check, ...]:
    config = rollback_of(setup)
    return config.checks if config else ()


_read_link_name = name(50, 1)


def _read_links(value: object) -> dict[str, str]:
    document = read_object(value)
    if len(document) > MOST_LINKS:
        refuse(f"Give at most {MOST_LINKS} links.")
    for key in document:
        _read_link_name(key)
    return record(dict, {}, dict.fromkeys(document, _read_address))(document)


def _artefact(**given: Any) -> dict[str, Any]:
    return {"kind": "image", "commit": "", "built_at": None, "links": {}} | given


def _check_artefact(artefact: Mapping[str, Any]) -> Iterator[Problem]:
    algorithm, _colon, value = artefact["digest"].partition(":")
    digits = _DIGITS.get(algorithm)
    if artefact["kind"] == "image" and algorithm not in _OF_IMAGES:
        yield Problem("digest", "Give the sha256 or sha512 digest that the registry has of it.")
    elif digits and not re.fullmatch(f"[0-9a-f]{{{digits}}}", value):
        yield Problem("digest", f"Give {algorithm}: and {digits} digits of 0-9 and a-f.")
    if artefact["version"].lower() in _TAKEN:
        message = "The versions beside the new one are called stable and baseline; choose another."
        yield Problem("version", message)


_VERSION: Final = re.compile(r"[!-~]+")
_read_artefact: Final[Reader[dict[str, Any]]] = record(
    _artefact,
    {
        "version": matching(
            _VERSION, 100, "Give a version of 1 to 100 visible ASCII characters, without spaces."
        ),
        "digest": matching(
            _DIGEST, 200, "Give a digest such as sha256:9f86…: an algorithm, a colon and the value."
        ),
    },
    {
        "kind": matching(
            _KIND, 20, "Give a kind such as image, package or archive, in small letters."
        ),
        "commit": name(100),
        "built_at": MOMENT.read,
        "links": _read_links,
    },
)
read_artefact: Final = checked(_read_artefact, _check_artefact)
"""Reads an artefact: an image where it names no kind."""
