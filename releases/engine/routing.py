"""What a release makes of the flag by which applications route: who is sent to the new version.

The new version has one end of the line on which users lie, [0, p), and the baseline, an equal slice
of those who stay, the other, [100 - p, 100). So no user of the baseline gets the new version at the
next step, and raising p only ever adds users; above 50 % the baseline is what is left.

Where visits are pinned, each rise leaves a rule behind: visits that began within the ``pin_s``
before it are split as they were until then. So who had the new version keeps it, whoever had not
stays without, and what a visit gets goes by the earliest rise after its beginning, whose rule is
the first. The rule goes ``pin_s`` after the rise; then the next one, of a larger share, has the
visit, or the present share has. Whatever goes down ends them all.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flags.engine.limits import COHORTS_RULE, PINS_RULE, TESTERS_RULE
from releases.engine.steps import WHOLE

TESTER: Final = "aviary_tester"
"""The attribute by which applications pass on that somebody tests a release: its token."""
VISIT_AT: Final = "aviary_visit_at"
"""The attribute by which applications pass on when a visit began: Unix seconds, a number."""
GRACE_S: Final = 10
"""Visits that begin so soon after a rise count as before it: evaluators may not know of it yet."""
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FlagRoute:
    """The variants that stand for the new version, the stable one, and the baseline's slice of it;
    no baseline where that is empty. ``bucket_by`` names what users are told apart by. Who shows
    the ``tester`` token gets the new version whatever the share. Visits are pinned for ``pin_s``;
    0 is not at all."""

    new: str
    stable: str
    baseline: str = ""
    bucket_by: str = "targetingKey"
    tester: str = ""
    pin_s: int = 0

    @property
    def pins(self) -> str:
        """What ids of rules begin with that pin visits for this release."""
        return f"{PINS_RULE}{self.tester.partition('.')[0]}-"


def routed(
    document: Document, route: FlagRoute, *, share: int, cohorts: Sequence[str] = (), at: float = 0
) -> dict[str, Any]:
    """A configuration that sends ``share`` (thousandths of a percent) and the cohorts to the new
    version from ``at`` (Unix seconds) on; rules of others stay, behind those of testers and
    cohorts, and before those that pin visits."""
    rules, serve = without_ours(document), {"variant": route.new}
    rules += _pins(document, route, share, at)
    if cohorts:
        anyone = {"any": [{"segment": key} for key in cohorts]}
        rules.insert(0, {"id": COHORTS_RULE, "name": "Cohorts", "when": anyone, "serve": serve})
    if route.tester and share < WHOLE:
        shown = {"attribute": TESTER, "operator": "in", "values": [route.tester]}
        rules.insert(0, {"id": TESTERS_RULE, "name": "Testers", "when": shown, "serve": serve})
    return {**document, "rules": rules, "fallthrough": _served(route, share)}


def without_ours(document: Document) -> list[Mapping[str, Any]]:
    """The rules of a configuration that no release has set."""
    return [rule for rule in document["rules"] if not _is_ours(rule["id"])]


def _is_ours(key: str) -> bool:
    return key in (COHORTS_RULE, TESTERS_RULE) or key.startswith(PINS_RULE)


def _pins(document: Document, route: FlagRoute, share: int, at: float) -> list[Document]:
    """The rules that pin visits once the share is that, the earliest rise first."""
    before = share_of(document, route)
    if not route.pin_s or before is None or share < before:
        return []
    mine = [rule for rule in document["rules"] if rule["id"].startswith(route.pins)]
    kept = [rule for rule in mine if _end_of(rule) > math.ceil(at)]
    rise = math.ceil(at) + GRACE_S
    last = max((_end_of(rule) - route.pin_s for rule in mine), default=0)
    return kept if share == before or rise <= last else [*kept, _pin(document, route, rise)]


def _pin(document: Document, route: FlagRoute, rise: int) -> Document:
    began = {"attribute": VISIT_AT}
    within = [
        {**began, "operator": "gte", "values": [rise - route.pin_s]},
        {**began, "operator": "lt", "values": [rise]},
    ]
    return {
        "id": f"{route.pins}{rise + route.pin_s}",
        "name": "Pinned visits",
        "when": {"all": within},
        "serve": document["fallthrough"],
    }


def pins_end(document: Document) -> tuple[int, ...]:
    """When each rule goes that pins visits, whatever release has set it; Unix seconds."""
    return tuple(sorted(_end_of(one) for one in _all_pins(document)))


def moment_of(before: Document, after: Document, route: FlagRoute) -> int:
    """At which second a release made the one configuration of the other, as the rules say that pin
    visits; Unix seconds, 0 where they say nothing of it."""
    old, new = (set(pins_end(one)) for one in (before, after))
    risen = [end - route.pin_s - GRACE_S for end in new - old]
    return max(risen or old - new, default=0)


def _all_pins(document: Document) -> Iterator[Document]:
    return (rule for rule in document["rules"] if rule["id"].startswith(PINS_RULE))


def without_pins(document: Document) -> list[Document]:
    return [rule for rule in document["rules"] if not rule["id"].startswith(PINS_RULE)]


def _end_of(rule: Document) -> int:
    end = str(rule["id"]).rpartition("-")[2]
    return int(end) if end.isdecimal() else 0


def _served(route: FlagRoute, share: int) -> dict[str, Any]:
    if share in (0, WHOLE):
        return {"variant": route.new if share else route.stable}
    baseline = min(share, WHOLE - share) if route.baseline else 0
    weights = [
        (route.new, share),
        (route.stable, WHOLE - share - baseline),
        (route.baseline, baseline),
    ]
    split = [{"variant": variant, "weight": weight} for variant, weight in weights if weight]
    usual = route.bucket_by == "targetingKey"
    return {"split": split} | ({} if usual else {"bucket_by": route.bucket_by})


def share_of(document: Document, route: FlagRoute) -> int | None:
    """The share that goes to the new version; None where a configuration says what no release
    makes of it."""
    serve = document["fallthrough"]
    if "variant" in serve:
        return {route.stable: 0, route.new: WHOLE}.get(serve["variant"])
    first = (serve.get("split") or [{}])[0]
    share = first.get("weight") if first.get("variant") == route.new else None
    if not isinstance(share, int):
        return None
    return share if _served(route, share) == dict(serve) else None


def cohorts_in(document: Document) -> tuple[str, ...]:
    for rule in document["rules"]:
        if rule["id"] == COHORTS_RULE:
            return tuple(one["segment"] for one in rule["when"]["any"])
    return ()
