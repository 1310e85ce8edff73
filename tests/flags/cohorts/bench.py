"""Writes of segments and exclusion groups, each in one short call."""

from dataclasses import dataclass
from typing import Any

from flags import cohorts, services
from flags.models import ExclusionGroup, Flag, Segment
from flags.services.key_lists import KeyChange, KeyReport, Mode
from portal.access.models import User
from portal.approvals.changes import Terms
from tests.flags.services.writes import Desk
from tests.support.people import SETTING_UP, acting

GERMANS = {"attribute": "country", "operator": "in", "values": ["DE"]}


@dataclass(frozen=True)
class Bench:
    """The shop, as somebody changes its segments and groups."""

    desk: Desk

    @property
    def common(self) -> dict[str, Any]:
        return {"now": self.desk.now}

    def segment(self, key: str = "beta", **fields: object) -> Segment:
        return services.create_segment(
            project=self.desk.flag.project,
            document={"key": key, **fields},
            actor=SETTING_UP,
            **self.common,
        )

    def edit(
        self, segment: Segment, person: User, *, terms: Terms | None = None, **fields: object
    ) -> Segment:
        current = cohorts.get_segment(segment.project, segment.key)
        return services.edit_segment(
            segment=segment,
            document=current.document | fields,
            expected_version=current.version,
            actor=acting(person),
            terms=terms or self.desk.terms,
            **self.common,
        )

    def keys(
        self,
        segment: Segment,
        person: User,
        *keys: str,
        which: str = "included",
        mode: Mode = Mode.ADD,
        seen: int | None = None,
    ) -> KeyReport:
        return services.change_keys(
            segment=segment,
            change=KeyChange(which, mode, keys),
            actor=acting(person),
            expected_version=seen,
            **self.common,
        )

    def delete(self, segment: Segment, person: User) -> None:
        services.delete_segment(segment=segment, actor=acting(person), **self.common)

    def group(self, key: str = "checkout", **fields: object) -> ExclusionGroup:
        return services.create_group(
            project=self.desk.flag.project,
            document={"key": key, **fields},
            actor=SETTING_UP,
            **self.common,
        )

    def edit_group(self, group: ExclusionGroup, person: User, **fields: object) -> ExclusionGroup:
        current = cohorts.get_group(group.project, group.key)
        return services.edit_group(
            group=group,
            document=current.document | fields,
            expected_version=current.version,
            actor=acting(person),
            **self.common,
        )

    def delete_group(self, group: ExclusionGroup, person: User) -> None:
        services.delete_group(group=group, actor=acting(person), **self.common)

    def flag(self, key: str) -> Flag:
        return self.desk.create(SETTING_UP, key)

    def use(self, segment: Segment, flag: Flag | None = None) -> None:
        """Let a rule of a flag name a segment, in production."""
        rule = {"id": "r-s", "when": {"segment": segment.key}, "serve": {"variant": "on"}}
        self.at(flag or self.desk.flag).save(SETTING_UP, rules=[rule])

    def at(self, flag: Flag) -> Desk:
        return Desk(flag, self.desk.environment, self.desk.now)

    def ask(self, asking: Flag, asked: Flag, *variants: str) -> None:
        """Let one flag be the other's prerequisite, in production."""
        wanted = [{"flag": asked.key, "variants": list(variants or ["on"])}]
        self.at(asking).save(SETTING_UP, prerequisites=wanted)
