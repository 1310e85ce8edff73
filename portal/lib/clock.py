"""Time is read at the edges and passed inwards."""

from datetime import UTC, datetime

from django.db import connection


def now() -> datetime:
    """The time of this machine, in UTC: for display and hints."""
    return datetime.now(UTC)


def database_now() -> datetime:
    """The database's clock, in UTC: the only one that decides and that the audit trail records.

    SQLite lives on this machine, so its clock is this machine's.
    """
    if connection.vendor != "postgresql":
        return now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment.astimezone(UTC)
