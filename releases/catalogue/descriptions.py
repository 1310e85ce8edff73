from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _, gettext_lazy

from releases.catalogue.reading import rollback_of
from releases.engine.checks import Check, Kind, Role, read_check
from releases.engine.plans import ReturnStrategy

Document = Mapping[str, Any]
_ROUTERS = {
    "flag": gettext_lazy("Route traffic by the flag {flag}, between {first} and {second}."),
    "webhook": gettext_lazy("Route traffic by a webhook: {url}"),
    "manual": gettext_lazy("A person routes traffic and confirms it."),
}
_OF_FLAGS = {
    "baseline": gettext_lazy("Serve the variant {} to users to compare with, as the baseline."),
    "bucket_by": gettext_lazy("Bucket users by {}."),
    "tester_url": gettext_lazy("Testers open {}"),
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
    router = setup["router"]
    first, second = router.get("variants", ("", ""))
    text = str(_ROUTERS[router["kind"]])
    yield text.format(**{"flag": "", "url": ""} | router, first=first, second=second)
    for name, said in _OF_FLAGS.items():
        if name in router:
            yield str(said).format(router[name])
    if setup["deployer"]:
        yield _("A person deploys it.")
    for check in setup["checks"]:
        yield check_sentence(read_check(check))
    config = rollback_of(setup)
    if config is not None:
        for trigger in config.checks:
            yield check_sentence(trigger)
        yield str(_RETURNS[config.return_strategy])
        if config.channels:
            yield _("Notify by {channels}.").format(channels=", ".join(config.channels))


def check_sentence(check: Check) -> str:
    """What a check does, and when: “Check errors: take the release back where …”."""
    measured = str(_MEASURED[check.kind]).format(
        threshold=f"{check.threshold:g}",
        window=_span(check.window_s),
        quantile=f"{100 * check.quantile:g}",
        url=check.url,
        slower=f"{check.slower_than_ms:g}",
    )
    return str(_ROLES[check.role]).format(key=check.key, measured=measured.strip())


def _span(seconds: int) -> str:
    if seconds % 60:
        return _("{seconds} s").format(seconds=seconds)
    return _("{minutes} min").format(minutes=seconds // 60)
