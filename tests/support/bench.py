"""Writes of segments and exclusion groups, each in one short call."""

from dataclasses import dataclass

from flags.exclusion_groups import services as group_services
from flags.models import ExclusionGroup, Flag, Segment
from flags.segments import selectors as segment_selectors, services as segment_services
from flags.segments.key_lists import KeyChange, KeyReport, Mode
from portal.access.models import User
from portal.lib.journal import Intent, WriteOptions
from tests.support.desk import Desk
from tests.support.people import SETTING_UP, acting

GERMANS = {"attribute": "country", "operator": "in", "values": ["DE"]}


@dataclass(frozen=True)
class Bench:
    """The shop, as somebody changes its segments and groups."""

    desk: Desk

    def segment(self, key: str = "beta", **fields: object) -> Segment:
        return segment_services.create_segment(
            project=self.desk.flag.project,
            document={"key": key, **fields},
            intent=Intent(SETTING_UP),
        )

    def edit(
        self,
        segment: Segment,
        person: User,
        *,
        options: WriteOptions | None = None,
        **fields: object,
    ) -> Segment:
        current = segment_selectors.get_segment(segment.project, segment.key)
        return segment_services.edit_segment(
            segment=segment,
            document=current.document | fields,
            expected_version=current.version,
            intent=Intent(acting(person), options=options or self.desk.options),
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
        return segment_services.change_keys(
            segment=segment,
            change=KeyChange(which, mode, keys),
            intent=Intent(acting(person)),
            expected_version=seen,
        )

    def delete(self, segment: Segment, person: User) -> None:
        segment_services.delete_segment(segment=segment, intent=Intent(acting(person)))

    def group(self, key: str = "checkout", **fields: object) -> ExclusionGroup:
        return group_services.create_group(
            project=self.desk.flag.project,
            document={"key": key, **fields},
            intent=Intent(SETTING_UP),
        )

    def edit_group(self, group: ExclusionGroup, person: User, **fields: object) -> ExclusionGroup:
        current = group.project.exclusion_groups.get(key=group.key)
        return group_services.edit_group(
            group=group,
            document=current.document | fields,
            expected_version=current.version,
            intent=Intent(acting(person)),
        )

    def delete_group(self, group: ExclusionGroup, person: User) -> None:
        group_services.delete_group(group=group, intent=Intent(acting(person)))

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
