"""What the parts of the form may name: other flags with their variants, segments and groups."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from flags.models import ExclusionGroup, Flag, Segment
from flags.wording import percent
from portal.access.models import Project


@dataclass(frozen=True, slots=True)
class Named:
    """Something to pick: its key, its name for people, and a flag's variants or a flag's part."""

    key: str
    name: str = ""
    variants: tuple[str, ...] = ()
    part: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What there is to pick, by key. A segment's conditions cannot ask flags."""

    flags: Mapping[str, Named] = field(default_factory=dict)
    segments: Mapping[str, Named] = field(default_factory=dict)
    groups: Mapping[str, Named] = field(default_factory=dict)
    may_ask_flags: bool = True


NOTHING = Catalogue()


def catalogue_for(flag: Flag) -> Catalogue:
    """What a flag's configurations may name."""
    others = Flag.objects.alive().filter(project=flag.project).exclude(key=flag.key)
    rows = others.order_by("key").values_list("key", "name", "variants")
    return Catalogue(
        flags={
            key: Named(key, name, tuple(one["key"] for one in variants))
            for key, name, variants in rows
        },
        segments=segments_of(flag.project),
        groups={
            one.key: Named(one.key, one.name, part=_part(one, flag.key))
            for one in ExclusionGroup.objects.filter(project=flag.project)
        },
    )


def segments_of(project: Project) -> dict[str, Named]:
    """The segments of a project, to pick from."""
    rows = Segment.objects.filter(project=project).values_list("key", "name")
    return {key: Named(key, name) for key, name in rows}


def _part(group: ExclusionGroup, flag: str) -> str:
    """Which part of a group's line belongs to a flag: 0 % to 25 %; empty where none does."""
    found = next((slot for slot in group.slots if slot["flag"] == flag), None)
    if found is None:
        return ""
    ends = {"start": percent(found["from"]), "end": percent(found["to"])}
    return _("{start} to {end}").format(**ends)
