from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _, gettext_lazy

from releases.catalogue.haproxy import takes_out
from releases.core import check_words
from releases.core.models import Release, State
from releases.engine.checks import COMPARING, TESTED, Check, Kind, Role, Trouble
from releases.engine.plans import InFreeze, Reaction, ReturnStrategy, Strategy
from releases.engine.steps import Earlier
from releases.engine.verdicts import Verdict
from releases.policies.demands import policy_in
from releases.policies.models import PlanTemplate, ReleasePolicy

COLOURS = {
    State.WAITING: "status-orange",
    State.RUNNING: "status-blue",
    State.PAUSED: "status-orange",
    State.HELD: "status-orange",
    State.ROLLING_BACK: "status-red",
    State.SUCCEEDED: "status-green",
    State.ROLLED_BACK: "status-red",
    State.FAILED: "status-red",
}
VERDICTS = {
    Verdict.PASSED: ("status-green", gettext_lazy("passed")),
    Verdict.FAILED: ("status-red", gettext_lazy("failed")),
    Verdict.INCONCLUSIVE: ("status-orange", gettext_lazy("not enough data yet")),
    Verdict.NO_DATA: ("status-orange", gettext_lazy("no data")),
    Verdict.ERROR: ("status-orange", gettext_lazy("could not be measured")),
}
ROLES = {
    Role.GUARDRAIL: gettext_lazy("can roll back"),
    Role.SIGNAL: gettext_lazy("can hold"),
    Role.DRY_RUN: gettext_lazy("dry run, only shown"),
}
ORIGINS = {
    "plan_instead": gettext_lazy("instead of the service's own"),
    "service": gettext_lazy("from the service"),
    "rollback_config": gettext_lazy("from the service's rollback_config"),
}


def origin_words(origin: str) -> str:
    if key := policy_in(origin):
        return _("from the release policy {key}").format(key=key)
    return str(ORIGINS.get(origin) or _("of this release"))


def router_words(router: Mapping[str, Any]) -> str:
    texts = {
        "flag": _("the flag {flag}"),
        "webhook": _("a webhook: {url}"),
        "manual": _("a person, by hand"),
        "haproxy": _("haproxy {names}, by server weights: requests, not users"),
    }
    if takes_out(router):
        texts["haproxy"] = _("haproxy {names}, servers of {backend}")
    if "map" in router:
        texts["haproxy"] = _("haproxy {names}, by the entry {key} of {map}")
    names = ", ".join(router.get("haproxy", ()))
    known = {"flag": "", "url": "", "names": names, **router}
    return texts.get(router.get("kind", ""), "").format(**known)


STRATEGIES = {
    Strategy.CANARY: gettext_lazy("canary"),
    Strategy.BLUE_GREEN: gettext_lazy("blue-green"),
    Strategy.ROLLING: gettext_lazy("rolling"),
    Strategy.FEATURE_FLAG: gettext_lazy("feature flag"),
    Strategy.IN_PLACE: gettext_lazy("in place"),
}
TROUBLES = {
    Trouble.REGRESSION: gettext_lazy("If a check fails"),
    Trouble.NO_DATA: gettext_lazy("If there is no data"),
    Trouble.ERROR: gettext_lazy("If a check cannot be measured"),
    Trouble.DEADLINE: gettext_lazy("If it takes too long"),
    Trouble.SAMPLE_RATIO: gettext_lazy("If users do not come in the shares that are set"),
    Trouble.BOTH_ARMS: gettext_lazy("If users see both sides"),
    Trouble.DEPLOYMENT: gettext_lazy("If it cannot be deployed"),
}
REACTIONS = {
    Reaction.ROLL_BACK: gettext_lazy("roll back"),
    Reaction.HOLD: gettext_lazy("hold"),
    Reaction.WARN: gettext_lazy("only warn"),
}
IN_FREEZE = {
    InFreeze.HOLD: gettext_lazy("hold where it is"),
    InFreeze.RETURN: gettext_lazy("roll back"),
    InFreeze.FINISH: gettext_lazy("go on to the end"),
}
EARLIER = {
    Earlier.RETURN: gettext_lazy("get the old version back too"),
    Earlier.KEEP: gettext_lazy("keep the new version"),
}
WAYS_BACK = {
    ReturnStrategy.IMMEDIATE: gettext_lazy("at once"),
    ReturnStrategy.GRADUAL: gettext_lazy("by the steps in reverse"),
}


def measured(check: Check, value: float | None, least: float | None = None) -> str:
    """The value, or between which two it is: “250 to 500 ms”, “above 10,000 ms”."""
    if value is None:
        return ""
    units = {Kind.ERROR_RATE: "{n} %", Kind.LATENCY: "{n} ms", Kind.HTTP: _("{n} failed")}
    units |= dict.fromkeys(TESTED, _("{n} points"))
    n = _digits(value)
    if least is not None:
        text = _("{least} to {n}") if least < value else _("above {n}")
        n = text.format(least=_digits(least), n=n)
    return units.get(check.kind, "{n}").format(n=n)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if 100 <= abs(value) < 1e9 else check_words.number(value)


def linked_from(release: Release) -> dict[str, object]:
    """What its page links of where its plan is from: the keys of policies and the template, as far
    as they are there still."""
    keys = {*map(policy_in, release.origins.values())} - {""}
    policies = ReleasePolicy.objects.filter(project=release.project_id, key__in=keys)
    kept = PlanTemplate.objects.filter(project=release.project_id, key=release.template)
    return {
        "policies": set(policies.values_list("key", flat=True)),
        "kept": kept.first() if release.template else None,
    }


@dataclass(frozen=True, slots=True)
class CheckRow:
    check: Check
    said: Mapping[str, Any]
    came_from: str = ""
    is_equivalent: bool = True

    @property
    def note(self) -> str:
        """What is to be known of how far its word goes."""
        if self.check.kind in COMPARING and not self.is_equivalent:
            return _("compared with stable, which is not equivalent: so it can only hold")
        return ""

    @property
    def role(self) -> str:
        return str(ROLES[self.check.role])

    @property
    def origin(self) -> str:
        return "" if self.came_from in ("", "plan") else origin_words(self.came_from)

    @property
    def policy(self) -> str:
        return policy_in(self.came_from)

    @property
    def limit(self) -> str:
        return check_words.limit_words(self.check)

    @property
    def value(self) -> str:
        return measured(self.check, self.said.get("value"), check_words.least_of(self.said))

    @property
    def verdict(self) -> tuple[str, str]:
        if self.said.get("dismissed"):
            return "status-orange", _("failed, set aside")
        if self.said.get("idle"):
            return "", _("not compared here")
        found = VERDICTS.get(self.said.get("verdict", ""))
        return (found[0], str(found[1])) if found else ("", _("not measured yet"))

    @property
    def words(self) -> str:
        return check_words.verdict_words(self.check, self.said) if self.said else ""

    @property
    def exporter(self) -> str:
        return check_words.exporter_words(self.check, self.said) if self.said else ""

    @property
    def at(self) -> datetime | None:
        at = self.said.get("at")
        return datetime.fromisoformat(at) if at else None

    @property
    def fails(self) -> bool:
        return self.said.get("verdict") == Verdict.FAILED and not self.said.get("dismissed")
