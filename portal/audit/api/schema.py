"""What each endpoint takes and answers, for the schema."""

from drf_spectacular.utils import extend_schema

from portal.audit.api import shapes
from portal.audit.filters import PERIODS
from portal.lib.api.operations import PAGING, answers, query

list_history = extend_schema(
    operation_id="list_history",
    tags=["history"],
    parameters=[
        query("environment", "Its key."),
        query("subject", "The key or name of what the events are about, such as a flag's key."),
        query("kind", "The kind of that subject, such as flag."),
        query("actor", "The name of who did it."),
        query("event", "Such as flag.enabled."),
        query("period", "Until now; instead of from and to.", enum=list(PERIODS)),
        query("from", "A date, or a date and time, in ISO 8601."),
        query("to", "As from; a date alone counts in full."),
        query("zone", "The time zone of from and to where they name none; else UTC."),
        query("text", "Words in the reason, the subject, the actor or the event."),
        query("request", "The id of the request that the events came from."),
        *PAGING,
    ],
    responses=answers(200, shapes.HistoryPage),
)
