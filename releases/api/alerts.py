"""``…/projects/{project}/environments/{environment}/alerts``: what Alertmanager says is firing."""

from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import environment_of
from portal.access.permissions import Permission
from portal.lib import clock
from portal.lib.api.endpoints import answer, answer_page
from portal.lib.api.shapes import MOMENT, OBJECT, OBJECTS, TEXT, WHOLE, PageShape, Shape
from portal.lib.api.views import ApiView, operation
from portal.lib.documents import DocumentError
from portal.lib.errors import Invalid
from releases.alerts import selectors, services
from releases.alerts.reading import MOST_ALERTS, read_webhook, truncated_in
from releases.api.services import TAG

_TEXTS = {"type": "string"}
ALERT = Shape(
    "Alert",
    {
        "fingerprint": TEXT(),
        "labels": OBJECT(additionalProperties=_TEXTS),
        "annotations": OBJECT(additionalProperties=_TEXTS),
        "starts_at": MOMENT(),
        "seen_at": MOMENT("When Alertmanager told of it last."),
    },
)
ALERTS = PageShape("AlertPage", "alerts", ALERT.many())
WEBHOOK = Shape(
    "AlertmanagerWebhook",
    {
        "version": TEXT(enum=["4"]),
        "alerts": OBJECTS(
            "Each with status (firing or resolved), labels, annotations, startsAt, endsAt and "
            "fingerprint; other fields are left alone.",
            maxItems=MOST_ALERTS,
        ),
    },
    "What Alertmanager sends to a webhook. Other fields are left alone.",
)
STORED = Shape(
    "StoredAlerts",
    {
        "firing": WHOLE("How many began to fire."),
        "resolved": WHOLE("How many ended."),
        "unchanged": WHOLE("How many were known, or older than what is known."),
        "left_out": WHOLE("How many there was no room for, here or at Alertmanager."),
    },
)


class AlertList(ApiView):
    @operation("list_alerts", TAG, ALERTS)
    def get(self, request: Request, project: str, environment: str) -> Response:
        """A page of the alerts that fire here, the latest first."""
        place = environment_of(request, project, environment)
        return answer_page(request, ALERTS, selectors.alerts_firing([place], clock.now()), by="-pk")

    @operation("tell_alerts", TAG, STORED, body=WEBHOOK)
    def post(self, request: Request, project: str, environment: str) -> Response:
        """Alertmanager's webhook: releases with a check of the kind `alerts` are judged by them.

        Needs the right to roll releases back, which is what an alert can do. The same again
        changes nothing.
        """
        place = environment_of(request, project, environment, Permission.RELEASE_ROLLBACK)
        at = clock.database_now()
        try:
            alerts = read_webhook(request.data, at)
        except DocumentError as error:
            raise Invalid({one.path: one.message for one in error.problems}) from None
        left_out = truncated_in(request.data)
        stored = services.store(environment=place, alerts=alerts, at=at, left_out=left_out)
        return answer(STORED.dump(stored))
