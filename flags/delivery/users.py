from dataclasses import dataclass
from datetime import UTC, datetime

from flags.channel import EnvironmentKeys
from flags.channel.keys import ALL_FLAGS, DAY_S, day_of
from flags.delivery.progress import ask
from flags.models import Flag
from portal.access.models import Environment
from portal.lib import clock


@dataclass(frozen=True, slots=True)
class UserCount:
    """About so many distinct users were answered since then; ``by_client`` where that was for
    client keys alone, with which anybody can make up users."""

    count: int
    since: datetime
    by_client: bool


def users_of(flag: Flag, environment: Environment) -> UserCount | None:
    """The users of a flag; None where that is unknown: nobody has asked for it, or Redis does not
    answer. What server keys asked goes before what client keys did."""
    today = day_of(clock.now().timestamp())
    keys, kinds = EnvironmentKeys(environment.pk), [False, True][: 1 + flag.client_visible]
    asked = [
        [
            keys.users(day, name, by_client=kind)
            for day in (today - 1, today)
            for name in (flag.key, ALL_FLAGS)
        ]
        for kind in kinds
    ]
    answers = ask(lambda pipe: [pipe.pfcount(*names) for names in asked])
    since = datetime.fromtimestamp((today - 1) * DAY_S, UTC)
    for kind, count in zip(kinds, answers or (), strict=False):
        if isinstance(count, int) and count:
            return UserCount(count, since, kind)
    return None
