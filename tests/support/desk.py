"""Every write that flags know, to be put through the same questions."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flags.core import configurations, definitions
from flags.models import Flag, FlagConfiguration
from portal.access.models import Environment, User
from portal.lib.journal import PLAIN, Actor, Intent, WriteOptions
from tests.support.people import acting, boolean_flag

COUNTRY = {"attribute": "country", "operator": "in", "values": ["DE"]}
RULE = {"id": "r-1", "when": COUNTRY, "serve": {"variant": "on"}}


@dataclass(frozen=True)
class Desk:
    """What a write has in front of it, and the options and reason that go with it."""

    flag: Flag
    environment: Environment
    now: datetime
    options: WriteOptions = PLAIN
    reason: str = ""

    @property
    def configuration(self) -> FlagConfiguration:
        return FlagConfiguration.objects.get(flag=self.flag, environment=self.environment)

    def save(
        self,
        person: User | Actor,
        *,
        seen: int | None = None,
        revise: int | None = None,
        agreement: int | None = None,
        break_glass: bool = False,
        reason: str = "",
        **changes: Any,
    ) -> FlagConfiguration:
        """Save the configuration with some fields changed, from the version somebody saw."""
        current = self.configuration
        return configurations.save_configuration(
            flag=self.flag,
            environment=self.environment,
            document=current.document | changes,
            expected_version=current.version if seen is None else seen,
            intent=Intent(
                as_actor(person),
                reason=reason or self.reason,
                options=replace(
                    self.options, revise=revise, agreement=agreement, break_glass=break_glass
                ),
                at=self.now,
            ),
        )

    def switch(
        self,
        person: User | Actor,
        enabled: bool,
        *,
        seen: int | None = None,
        reason: str = "",
        apply_when_approved: bool = True,
        break_glass: bool = False,
    ) -> FlagConfiguration:
        return configurations.set_enabled(
            flag=self.flag,
            environment=self.environment,
            enabled=enabled,
            intent=Intent(
                as_actor(person),
                reason=reason or self.reason,
                options=replace(
                    self.options, apply_when_approved=apply_when_approved, break_glass=break_glass
                ),
                at=self.now,
            ),
            expected_version=seen,
        ).configuration

    def edit(self, person: User | Actor, *, seen: int | None = None, **changes: Any) -> Flag:
        """Save the definition with some fields changed."""
        current = Flag.objects.get(pk=self.flag.pk)
        return definitions.edit_flag(
            flag=self.flag,
            document=current.document | changes,
            expected_version=current.version if seen is None else seen,
            intent=Intent(as_actor(person), reason=self.reason, options=self.options, at=self.now),
        )

    def create(self, person: User | Actor, key: str = "search-ranking", **fields: object) -> Flag:
        return definitions.create_flag(
            project=self.flag.project,
            document=boolean_flag(key) | fields,
            intent=Intent(as_actor(person), at=self.now),
        )

    def archive(self, person: User | Actor) -> None:
        definitions.archive_flag(
            flag=self.flag,
            intent=Intent(as_actor(person), reason=self.reason, options=self.options, at=self.now),
        )

    def restore(self, person: User | Actor) -> None:
        definitions.restore_flag(
            flag=self.flag,
            intent=Intent(as_actor(person), reason=self.reason, options=self.options, at=self.now),
        )


@dataclass(frozen=True)
class Write:
    """One write, what the audit trail calls it, and whether every environment sees it."""

    event: str
    run: Callable[[Desk, User], object]
    everywhere: bool
    first: Callable[[Desk, User], object] = lambda _desk, _person: None


WRITES = {
    "create": Write("flag.created", lambda desk, who: desk.create(who), everywhere=True),
    "edit": Write("flag.edited", lambda desk, who: desk.edit(who, name="Other"), everywhere=True),
    "archive": Write("flag.archived", lambda desk, who: desk.archive(who), everywhere=True),
    "restore": Write(
        "flag.restored",
        lambda desk, who: desk.restore(who),
        everywhere=True,
        first=lambda desk, who: desk.archive(who),
    ),
    "turn on": Write("flag.enabled", lambda desk, who: desk.switch(who, True), everywhere=False),
    "turn off": Write(
        "flag.disabled",
        lambda desk, who: desk.switch(who, False),
        everywhere=False,
        first=lambda desk, who: desk.switch(who, True),
    ),
    "save targeting": Write(
        "flag.targeting_changed", lambda desk, who: desk.save(who, rules=[RULE]), everywhere=False
    ),
    "save and turn on": Write(
        "flag.enabled",
        lambda desk, who: desk.save(who, rules=[RULE], enabled=True),
        everywhere=False,
    ),
}


def as_actor(person: User | Actor) -> Actor:
    return acting(person) if isinstance(person, User) else person
