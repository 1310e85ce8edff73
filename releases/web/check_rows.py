from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from releases.core import descriptions
from releases.core.models import Release
from releases.engine.checks import Check, Kind, Verdict
from releases.policies.demands import policy_in
from releases.policies.models import PlanTemplate, ReleasePolicy
from releases.web.labels import ROLES, VERDICTS, origin_words


def measured(check: Check, value: float | None) -> str:
    if value is None:
        return ""
    units = {Kind.ERROR_RATE: "{n} %", Kind.LATENCY: "{n} ms", Kind.HTTP: _("{n} failed")}
    digits = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return units.get(check.kind, "{n}").format(n=digits)


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
        return descriptions.limit_words(self.check)

    @property
    def value(self) -> str:
        return measured(self.check, self.said.get("value"))

    @property
    def verdict(self) -> tuple[str, str]:
        if self.said.get("dismissed"):
            return "status-orange", _("failed, set aside")
        found = VERDICTS.get(self.said.get("verdict", ""))
        return (found[0], str(found[1])) if found else ("", _("not measured yet"))

    @property
    def words(self) -> str:
        return descriptions.check_words(self.check, self.said) if self.said else ""

    @property
    def at(self) -> datetime | None:
        at = self.said.get("at")
        return datetime.fromisoformat(at) if at else None

    @property
    def fails(self) -> bool:
        return self.said.get("verdict") == Verdict.FAILED and not self.said.get("dismissed")
