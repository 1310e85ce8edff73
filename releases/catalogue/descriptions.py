from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _, gettext_lazy

from releases.catalogue.haproxy import takes_out
from releases.catalogue.reading import rollback_of
from releases.engine.checks import Check, Kind, Role, read_check
from releases.engine.plans import ReturnStrategy

Document = Mapping[str, Any]
_ROUTERS = {
    "flag": gettext_lazy("Route traffic by the flag {flag}, between {first} and {second}."),
    "webhook": gettext_lazy("Route traffic by a webhook: {url}"),
    "manual": gettext_lazy("A person routes traffic and confirms it."),
    "haproxy_map": gettext_lazy(
        "Route users by haproxy {names}, by the entry {key} of the map {map}, "
        "between the backends {first} and {second}."
    ),
    "haproxy_weights": gettext_lazy(
        "Route requests, not users, by haproxy {names}, by the weights of servers of {backend}: "
        "{first} ({of_first}) and {second} ({of_second})."
    ),
}
_ROUTERS["haproxy_servers"] = gettext_lazy(
    "haproxy {names} takes servers of {backend} out of service and puts them back."
)
_OF_FLAGS = {
    "baseline": gettext_lazy("Serve the variant {} to users to compare with, as the baseline."),
    "bucket_by": gettext_lazy("Bucket users by {}."),
    "tester_url": gettext_lazy("Testers open {}"),
    "pin_s": gettext_lazy("A visit that began on the stable version keeps it for {} s."),
}
_OF_HAPROXY = {
    "baseline": gettext_lazy("Send a part of them to {} to compare with, as the baseline."),
    "pin_s": gettext_lazy("Users who are served the stable version keep it for {} s."),
}
_MEASURED = {
    Kind.ERROR_RATE: gettext_lazy("the error rate exceeds {threshold} % over {window}"),
    Kind.LATENCY: gettext_lazy("p{quantile} exceeds {threshold} ms over {window}"),
    Kind.HTTP: gettext_lazy("{threshold} probes of {url} fail within {window}"),
    Kind.WEBHOOK: gettext_lazy("the number from {url} exceeds {threshold}"),
    Kind.ERROR_COMPARISON: gettext_lazy("its error rate is above the baseline's"),
    Kind.LATENCY_COMPARISON: gettext_lazy(
        "more of its requests than of the baseline's are slower than {slower} ms"
    ),
    Kind.VALUE_COMPARISON: gettext_lazy("its values, by {window}, are worse than the baseline's"),
    Kind.NEW_ERROR_TYPES: gettext_lazy(
        "it has {threshold} errors of a type that no other version has"
    ),
    Kind.PROMETHEUS: gettext_lazy(
        "the {aggregate} that Prometheus at {url} gives for “{query}” exceeds {threshold}, with a "
        "window of {window}"
    ),
    Kind.ALERTS: gettext_lazy("{threshold} alerts with {matchers} fire"),
}
_ROLES = {
    Role.GUARDRAIL: gettext_lazy("Check {key}: roll back the release if {measured}."),
    Role.SIGNAL: gettext_lazy("Check {key}: hold the release if {measured}."),
    Role.DRY_RUN: gettext_lazy("Check {key}, as a dry run: only report if {measured}."),
}
_RETURNS = {
    ReturnStrategy.IMMEDIATE: gettext_lazy("Roll back at once."),
    ReturnStrategy.GRADUAL: gettext_lazy("Roll back gradually."),
}


def setup_changes(before: Document, after: Document) -> list[str]:
    return differences(*(list(_sentences(one)) if one else [] for one in (before, after)))


def differences(old: list[str], new: list[str]) -> list[str]:
    gone = [_("No longer: {sentence}").format(sentence=one) for one in old if one not in new]
    changed = [*(one for one in new if one not in old), *gone]
    return changed or [_("Details of its checks; see the documents.")]


def _sentences(setup: Document) -> Iterator[str]:
    yield router_sentence(setup["router"])
    of_kind = _OF_FLAGS if setup["router"]["kind"] == "flag" else _OF_HAPROXY
    for name, said in of_kind.items():
        if name in setup["router"]:
            yield str(said).format(setup["router"][name])
    yield from _of_deployer(setup["deployer"])
    for check in setup["checks"]:
        yield check_sentence(read_check(check))
    config = rollback_of(setup)
    if config is not None:
        for trigger in config.checks:
            yield check_sentence(trigger)
        yield str(_RETURNS[config.return_strategy])
        if config.channels:
            yield _("Notify by {channels}.").format(channels=", ".join(config.channels))


def _of_deployer(deployer: Document) -> Iterator[str]:
    if deployer:
        text = _("A webhook deploys it: {url}.") if "url" in deployer else _("A person deploys it.")
        yield text.format(url=deployer.get("url"))
    if deployer.get("instances"):
        yield _("Its instances are {names}.").format(names=", ".join(deployer["instances"]))
    for name, address in deployer.get("addresses", {}).items():
        yield _("{name} is at {address}.").format(name=name, address=address)


def router_sentence(router: Document) -> str:
    first, second = router.get("variants") or router.get("places") or ("", "")
    kind, more = router["kind"], {"flag": "", "url": ""}
    if kind == "haproxy":
        kind = "haproxy_map" if "map" in router else "haproxy_weights"
        kind = "haproxy_servers" if takes_out(router) else kind
        servers = router.get("servers", {})
        more["names"] = ", ".join(router["haproxy"])
        more["of_first"], more["of_second"] = (
            ", ".join(servers.get(one, ())) for one in (first, second)
        )
    return str(_ROUTERS[kind]).format(**{**more, **router}, first=first, second=second)


def check_sentence(check: Check) -> str:
    """What a check does, and when: “Check errors: take the release back where …”."""
    measured = str(_MEASURED[check.kind]).format(
        threshold=f"{check.threshold:g}",
        window=_span(check.window_s),
        quantile=f"{100 * check.quantile:g}",
        url=check.url,
        slower=f"{check.slower_than_ms:g}",
        query=check.query,
        aggregate=check.aggregate,
        matchers=", ".join(f"{name}={value}" for name, value in check.matchers.items()),
    )
    return str(_ROLES[check.role]).format(key=check.key, measured=measured.strip())


def _span(seconds: int) -> str:
    if seconds % 60:
        return _("{seconds} s").format(seconds=seconds)
    return _("{minutes} min").format(minutes=seconds // 60)
