"""``…/services/{service}/environments/{environment}/backtest``: a check, before it is armed."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import environment_of
from portal.lib import clock
from portal.lib.api.endpoints import answer
from portal.lib.api.shapes import MOMENT, NUMBER, OBJECT, SWITCH, TEXT, WHOLE, Shape
from portal.lib.api.views import ApiView, operation
from releases.api.services import TAG, service_of
from releases.core import backtests, check_words
from releases.core.models import State

CHECKED = Shape("BacktestedCheck", {"check": OBJECT("A check, as a service's setup has it.")})
ROW = Shape(
    "BacktestedRelease",
    {
        "number": WHOLE(of="release.pk"),
        "version": TEXT(of="release.version"),
        "state": TEXT(of="release.state", enum=State.values),
        "started_at": MOMENT(of="release.started_at"),
        "width_s": WHOLE(
            "Seconds of the coarsest buckets that are kept of it; 0 where none are.",
            of="replay.width_s",
        ),
        "has_data": SWITCH(of=lambda one: bool(one.replay.looks)),
        "fired": SWITCH(of=lambda one: one.replay.fired is not None),
        "falsely": SWITCH("Whether the release succeeded all the same.", of="is_false"),
        "step": WHOLE("At which it fails.", of=lambda one: _fired(one, "step"), nullable=True),
        "after_s": NUMBER(
            "So long after that step began.", of=lambda one: _fired(one, "after_s"), nullable=True
        ),
    },
)
BACKTEST = Shape(
    "Backtest",
    {
        "check": OBJECT("With every field that its kind has.", of="check.document"),
        "limit": TEXT(of=lambda one: check_words.limit_words(one.check)),
        "measured": WHOLE("Releases with outcomes that are kept.", of="summary.measured"),
        "fired": WHOLE("At how many of them it fails.", of="summary.fired"),
        "succeeded": WHOLE(of="summary.succeeded"),
        "fired_falsely": WHOLE("Among those that succeeded.", of="summary.fired_falsely"),
        "went_back": WHOLE(of="summary.went_back"),
        "fired_rightly": WHOLE("Among those that went back.", of="summary.fired_rightly"),
        "after_s": NUMBER(
            "Seconds from a step's start until it fails, the median.",
            of="summary.after_s",
            nullable=True,
        ),
        "releases": ROW.many(of="rows"),
    },
    "What a check would have said of the newest releases, the newest first.",
)


def _fired(one: Any, name: str) -> Any:
    fired = one.replay.fired
    return getattr(fired, name) if fired else None


class CheckBacktest(ApiView):
    @operation("backtest_check", TAG, BACKTEST, body=CHECKED)
    def post(self, request: Request, project: str, service: str, environment: str) -> Response:
        """Run a check over the releases recorded here. Nothing is stored, nothing moves."""
        place = environment_of(request, project, environment)
        about, body = service_of(request, project, service), CHECKED.read(request.data)
        return answer(BACKTEST.dump(backtests.run(about, place, body["check"], clock.now())))
