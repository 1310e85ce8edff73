"""How a release routes: which variant of a flag is new, which one stable; and what that moves."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from flags.models import Flag, FlagConfiguration
from portal.access.models import Environment
from portal.lib.errors import Invalid
from releases.catalogue.haproxy import takes_out
from releases.catalogue.models import Service, ServiceSetup
from releases.core import selectors
from releases.core.models import Release, State
from releases.engine.policies import Moved, Ruling
from releases.policies import demands
from releases.routers import haproxy

Document = Mapping[str, Any]
# What of a service's router its releases keep as it is.
_KEPT = ("baseline", "bucket_by", "tester_url", "pin_s")


def router_of(service: Service, environment: Environment, router: Document) -> dict[str, Any]:
    if router["kind"] == "haproxy" and not takes_out(router):
        stable = _live_place(service, environment, router)
        (new,) = [one for one in router["places"] if one != stable]
        return {**router, "new": new, "stable": stable}
    if router["kind"] != "flag":
        return dict(router)
    project = service.project
    flag = project.flags.filter(key=router["flag"], archived_at=None).first()
    if flag is None:
        raise Invalid.of("service", _("Its router, the flag {flag}, is gone."), flag=router["flag"])
    serving = _served(flag, environment)
    if serving not in router["variants"]:
        text = _("The flag {flag} sends everyone else to neither {variants}. Set it to one first.")
        names = " nor ".join(router["variants"])
        raise Invalid.of("service", text, flag=flag.key, variants=names)
    (new,) = [one for one in router["variants"] if one != serving]
    rest = {name: router[name] for name in _KEPT if router.get(name)}
    return _routed_by(flag, new, serving) | rest


def _live_place(service: Service, environment: Environment, router: Document) -> str:
    """Where the release that succeeded last has brought everyone; at first it is the first place.
    What haproxy says of that is looked at before the first step."""
    done = Release.objects.filter(service=service, environment=environment, state=State.SUCCEEDED)
    done = done.filter(router__kind="haproxy").order_by("-ended_at", "-pk")
    last = done.first()
    is_there = last is not None and haproxy.is_same_route(last.router, router)
    place = str(last.router["new"]) if last and is_there else ""
    return place if place in router["places"] else str(router["places"][0])


def has_turned(release: Release) -> bool:
    """Whether another release has brought everyone elsewhere since this was planned."""
    assert release.service is not None
    if "stable" not in release.router:
        return False
    live = _live_place(release.service, release.environment, release.router)
    return live != str(release.router["stable"])


def _served(flag: Flag, environment: Environment) -> object:
    """What everyone else gets, once what moves there now has gone back."""
    moving_now = selectors.moving_in(environment).filter(router__flag=flag.key).first()
    if moving_now is not None:
        return moving_now.router["stable"]
    current = _configuration(flag, environment)
    if not current.enabled:
        text = _("Its router, the flag {flag}, is off in {environment}. Turn it on first.")
        raise Invalid.of("service", text, flag=flag.key, environment=environment.name)
    return current.targeting["fallthrough"].get("variant")


def router_of_flag(flag: Flag, environment: Environment, variant: object) -> dict[str, Any]:
    """How the release of a flag itself routes: from what everyone else gets now to a variant."""
    current = _configuration(flag, environment)
    moving_now = selectors.moving_in(environment).filter(flag=flag).first()
    fallthrough = current.targeting["fallthrough"].get("variant")
    if moving_now is not None and not moving_now.router.get("turns_on"):
        fallthrough = moving_now.router["stable"]
    stable = fallthrough if current.enabled else current.targeting["off_variant"]
    if stable is None:
        raise Invalid({"flag": _("Everyone else gets a split. Set one variant first.")})
    if variant not in {one["key"] for one in flag.variants}:
        raise Invalid({"variant": _("Choose one of the flag's variants.")})
    if variant == stable:
        raise Invalid({"variant": _("Everyone else gets this variant already.")})
    router = _routed_by(flag, variant, stable)
    return router if current.enabled else {**router, "turns_on": True}


def moved_by(environment: Environment, about: Service | Flag, router: Document) -> Moved:
    """What a release moves that routes like that. A flag moves the services whose setups name it,
    and those whose last release went by it: their users are there still."""
    key = about.key if isinstance(about, Flag) else router.get("flag", "")
    services = set(_routed(environment, key) if key else ())
    if isinstance(about, Service):
        services.add(about.key)
    tags = Flag.objects.filter(project=about.project_id, key=key).values_list("tags", flat=True)
    return Moved(environment.key, frozenset(services), frozenset(tags.first() or ()))


def ruling_of(release: Release) -> Ruling:
    moved = moved_by(release.environment, release.about, release.router)
    return demands.ruling_on(release.project, moved)


def _routed(environment: Environment, flag: str) -> Iterator[str]:
    setups = ServiceSetup.objects.filter(environment=environment, router__flag=flag)
    yield from setups.values_list("service__key", flat=True)
    begun = Release.objects.filter(environment=environment).exclude(started_at=None)
    by_it = begun.filter(router__flag=flag).exclude(service=None)
    for key in set(by_it.values_list("service__key", flat=True)):
        last = begun.filter(service__key=key).order_by("-started_at", "-pk").first()
        if last is not None and last.router.get("flag") == flag:
            yield key


def _routed_by(flag: Flag, new: object, stable: object) -> dict[str, Any]:
    return {"kind": "flag", "flag": flag.key, "new": new, "stable": stable}


def _configuration(flag: Flag, environment: Environment) -> FlagConfiguration:
    found = FlagConfiguration.objects.filter(flag=flag, environment=environment).first()
    if found is None or not found.introduced:
        text = _("The flag {flag} is not in {environment} yet. Introduce it first.")
        raise Invalid.of("flag", text, flag=flag.key, environment=environment.name)
    return found
