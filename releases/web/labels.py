from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from releases.core.models import State
from releases.engine.checks import Role, Trouble, Verdict
from releases.engine.plans import InFreeze, Reaction, ReturnStrategy, Strategy
from releases.policies.demands import policy_in

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
    }
    return texts.get(router.get("kind", ""), "").format(**{"flag": "", "url": "", **router})


STRATEGIES = {
    Strategy.CANARY: gettext_lazy("canary"),
    Strategy.FEATURE_FLAG: gettext_lazy("feature flag"),
    Strategy.IN_PLACE: gettext_lazy("in place"),
}
TROUBLES = {
    Trouble.REGRESSION: gettext_lazy("If a check fails"),
    Trouble.NO_DATA: gettext_lazy("If there is no data"),
    Trouble.ERROR: gettext_lazy("If a check cannot be measured"),
    Trouble.DEADLINE: gettext_lazy("If it takes too long"),
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
WAYS_BACK = {
    ReturnStrategy.IMMEDIATE: gettext_lazy("at once"),
    ReturnStrategy.GRADUAL: gettext_lazy("by the steps in reverse"),
}
