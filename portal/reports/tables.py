"""The form that every report has: what a page shows is what its file holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.access.models import Environment
from portal.lib.web.spreadsheets import Value


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks a report for; ``environment`` None for all of them."""

    now: datetime
    environment: Environment | None = None
    days: int = 90

    @property
    def since(self) -> datetime:
        """What is older counts as unused."""
        return self.now - timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Table:
    """Column titles and rows; an instant is a datetime in UTC, None means never."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
