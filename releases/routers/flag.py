from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.core.signing import Signer

from flags.core.configurations import save_configuration
from flags.core.parsing import configuration_from
from flags.engine import dump_configuration
from flags.models import Flag, FlagConfiguration
from portal.access.models import Environment
from portal.lib.journal import Intent, Step, WriteOptions
from releases.engine.routing import (
    TESTER,
    FlagRoute,
    cohorts_in,
    pins_end,
    routed,
    share_of,
    without_ours,
)
from releases.routers import Told, Wanted

Document = Mapping[str, Any]


def route_of(router: Document) -> FlagRoute:
    names = ("new", "stable", "baseline", "bucket_by", "tester", "pin_s")
    return FlagRoute(**{name: router[name] for name in names if name in router})


def tester_token(release: int) -> str:
    """What makes somebody a tester of one release, for as long as that moves the flag: signed, so
    that nobody makes one up."""
    return Signer(salt="releases.tester", sep=".").sign(str(release))


def tester_link(router: Document) -> str:
    if not router.get("tester_url") or not router.get("tester"):
        return ""
    parts = urlsplit(router["tester_url"])
    query = "&".join(filter(None, [parts.query, urlencode({TESTER: router["tester"]})]))
    return parts._replace(query=query).geturl()


def told(document: Document, route: FlagRoute) -> Told:
    is_off, pins = not document["enabled"], pins_end(document)
    return Told(share_of(document, route), cohorts_in(document), is_off, pins=pins)


def outcome(
    flag: Flag,
    document: Document,
    route: FlagRoute,
    wanted: Wanted,
    before: Document,
    at: datetime,
) -> dict[str, Any]:
    """What a release makes of a configuration at an instant, as it is stored.

    All the way back is what everyone else got ``before`` it, and off where it was off; rules of
    others stay as they are now. Raises Invalid where that does not fit the flag any more.
    """
    if wanted.back and not wanted.share:
        is_on = document["enabled"] and before["enabled"]
        rest = {
            "rules": without_ours(document),
            "fallthrough": before["fallthrough"],
            "enabled": is_on,
        }
        made: Document = {**document, **rest}
    else:
        share, cohorts = wanted.share, wanted.cohorts
        made = routed(document, route, share=share, cohorts=cohorts, at=at.timestamp())
        made = {**made, "enabled": document["enabled"] or wanted.turns_on}
    return dump_configuration(configuration_from(made, flag.definition))


def move(
    flag: Flag,
    environment: Environment,
    *,
    route: FlagRoute,
    wanted: Wanted,
    before: Document,
    step: Step,
    intent: Intent,
) -> Told:
    """Make the flag route as is wanted, through the service that everybody uses.

    Inside a transaction that has locked the environment. Raises what save_configuration raises.
    """
    current = FlagConfiguration.objects.get(flag=flag, environment=environment)
    saved = save_configuration(
        flag=flag,
        environment=environment,
        document=outcome(flag, current.document, route, wanted, before, intent.at),
        expected_version=current.version,
        intent=replace(intent, options=WriteOptions(step=step)),
        by_release=True,
    )
    return told(saved.document, route)
