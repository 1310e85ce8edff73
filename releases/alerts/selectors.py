from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _, ngettext

from portal.access.models import Environment
from releases.alerts.models import Alert, AlertSource
from releases.engine.alerts import filled, matches
from releases.engine.checks import Check
from releases.engine.promql import Reading, failed_to_read

KEPT_FOR: Final = timedelta(days=30)
"""What ended so long ago is forgotten, and what fires but was not told of for so long: Alertmanager
repeats what fires, usually every 4 h."""
_NAMED: Final = 3
_USUAL_LABELS: Final = ("service", "app", "job", "flag")


def alerts_firing(environments: Collection[Environment], at: datetime) -> QuerySet[Alert]:
    return Alert.objects.filter(
        environment__in=environments, ends_at=None, seen_at__gt=at - KEPT_FOR
    )


def is_about(alert: Alert, key: str, others: Iterable[Mapping[str, str]] = ()) -> bool:
    """Whether an alert names a service or flag in one of the usual labels, or has ``others``."""
    named = any(alert.labels.get(label) == key for label in _USUAL_LABELS)
    return named or any(matches(alert.labels, wanted) for wanted in others)


def reading_of(
    check: Check,
    environment: Environment,
    names: Mapping[str, str],
    *,
    began: datetime | None,
    at: datetime,
) -> Reading:
    """How many alerts fire that a check is about.

    ``began`` is when the release did: what fired before that is not its doing, and counts only
    where the check says so. Alertmanager tells of what fires and of nothing else, so none that
    fires is good; unless it has never told anything.
    """
    source = AlertSource.objects.filter(environment=environment).first()
    if source is None:
        return Reading(
            detail=_("No Alertmanager has told this environment anything yet: give it the webhook.")
        )
    firing = alerts_firing([environment], at)
    if not check.also_before and began is not None:
        firing = firing.filter(starts_at__gte=began)
    wanted = filled(check.matchers, names)
    found = [one for one in firing.order_by("starts_at", "pk") if matches(one.labels, wanted)]
    if source.left_out_at and len(found) < check.threshold:
        return failed_to_read(_("More alerts fire here than are kept, so some are not known."))
    return Reading(float(len(found)), _named(found) if found else "")


def _named(found: list[Alert]) -> str:
    names = ", ".join(sorted({one.name for one in found})[:_NAMED])
    text = ngettext("{n} alert firing: {names}", "{n} alerts firing: {names}", len(found))
    return text.format(n=len(found), names=names)


def forgotten(at: datetime) -> QuerySet[Alert]:
    long_ago = at - KEPT_FOR
    return Alert.objects.filter(Q(ends_at__lt=long_ago) | Q(ends_at=None, seen_at__lt=long_ago))
