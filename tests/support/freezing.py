"""Freeze windows for tests."""

from datetime import UTC, datetime, timedelta

from portal.access.models import Environment, Project
from portal.approvals.freezes import services as freeze_services
from portal.approvals.freezes.models import FreezeWindow
from portal.lib.journal import Intent
from tests.support.people import SETTING_UP


def clock_text(moment: datetime) -> str:
    """What the fields of a window take."""
    return f"{moment:%Y-%m-%dT%H:%M}"


def freeze_document(**changes: object) -> dict[str, object]:
    """A window of the far future, in development."""
    return {
        "name": "Holidays",
        "environments": ["development"],
        "starts": "2098-12-24T16:00",
        "ends": "2098-12-27T08:00",
        "zone": "Europe/Berlin",
    } | changes


def a_freeze(project: Project, **changes: object) -> FreezeWindow:
    """A window, made by an operator."""
    return freeze_services.create_freeze(
        project=project, document=freeze_document(**changes), intent=Intent(SETTING_UP)
    )


def around_now(*, hours: float = 24, ago: float = 24) -> dict[str, str]:
    """Times that are around the present."""
    now = datetime.now(UTC)
    starts, ends = now - timedelta(hours=ago), now + timedelta(hours=hours)
    return {"starts": clock_text(starts), "ends": clock_text(ends), "zone": "UTC"}


def freeze_now(
    *environments: Environment, name: str = "Weekend", **changes: object
) -> FreezeWindow:
    """A window that is in force for another day."""
    keys = [environment.key for environment in environments]
    project = environments[0].project
    return a_freeze(project, **{"name": name, "environments": keys, **around_now(), **changes})


def end_freeze(freeze: FreezeWindow) -> None:
    """Let a window be over, as time would."""
    now = datetime.now(UTC)
    freeze.starts, freeze.ends = (clock_text(now - timedelta(days=d)) for d in (3, 2))
    freeze.save(update_fields=["starts", "ends"])
