"""What a release makes of the flag by which applications route: who is sent to the new version.

The new version has one end of the line on which users lie, [0, p), and the baseline, an equal slice
of those who stay, the other, [100 - p, 100). So no user of the baseline gets the new version at the
next step, and raising p only ever adds users; above 50 % the baseline is what is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flags.engine.limits import COHORTS_RULE, TESTERS_RULE
from releases.engine.steps import WHOLE

TESTER: Final = "aviary_tester"
"""The attribute by which applications pass on that somebody tests a release: its token."""
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FlagRoute:
    """The variants that stand for the new version, the stable one, and the baseline's slice of it;
    no baseline where that is empty. ``bucket_by`` names what users are told apart by. Who shows
    the ``tester`` token gets the new version whatever the share."""

    new: str
    stable: str
    baseline: str = ""
    bucket_by: str = "targetingKey"
    tester: str = ""


def routed(
    document: Document, route: FlagRoute, *, share: int, cohorts: Sequence[str] = ()
) -> dict[str, Any]:
    """A configuration that sends ``share`` (thousandths of a percent) and the cohorts to the new
    version; rules of others stay, behind those of testers and cohorts."""
    rules, serve = without_ours(document), {"variant": route.new}
    if cohorts:
        anyone = {"any": [{"segment": key} for key in cohorts]}
        rules.insert(0, {"id": COHORTS_RULE, "name": "Cohorts", "when": anyone, "serve": serve})
    if route.tester and share < WHOLE:
        shown = {"attribute": TESTER, "operator": "in", "values": [route.tester]}
        rules.insert(0, {"id": TESTERS_RULE, "name": "Testers", "when": shown, "serve": serve})
    return {**document, "rules": rules, "fallthrough": _served(route, share)}


def without_ours(document: Document) -> list[Mapping[str, Any]]:
    """The rules of a configuration that no release has set."""
    return [rule for rule in document["rules"] if rule["id"] not in (COHORTS_RULE, TESTERS_RULE)]


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
