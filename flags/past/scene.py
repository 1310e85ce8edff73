"""A flag and all that it refers to, gathered from wherever documents come from. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from flags.engine import (
    CompiledFlag,
    CompiledGroup,
    CompiledSegment,
    DocumentError,
    References,
    Segment,
    World,
    compile_flag,
    compile_group,
    compile_segment,
    parse_segment,
    references_of,
)
from flags.engine.document import EnvironmentFlag
from flags.engine.parsing import parse_environment
from portal.audit.models import AuditEvent

Document: TypeAlias = Mapping[str, Any]


class Shelf(Protocol):
    """Where documents come from, by key; None where there is none."""

    def flag(self, key: str) -> Document | None: ...
    def segment(self, key: str) -> Document | None: ...
    def group(self, key: str) -> Document | None: ...


@dataclass
class Scene:
    """A flag's document and, compiled, all that it refers to, to the end.

    Whatever is not there or cannot be compiled is left out, as evaluators leave it out. ``problem``
    says why the flag itself cannot be evaluated.
    """

    flag: EnvironmentFlag | None = None
    problem: str = ""
    flags: dict[str, CompiledFlag] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    compiled: dict[str, CompiledSegment] = field(default_factory=dict)
    groups: dict[str, CompiledGroup] = field(default_factory=dict)

    def world(self, now: float) -> World:
        return World(self.flags, self.compiled, self.groups, now)


def gather(key: str, shelf: Shelf) -> Scene | None:
    """The scene of a flag; None where there is no such flag."""
    document = shelf.flag(key)
    if document is None:
        return None
    scene = Scene()
    try:
        scene.flag = parse_environment(document)
    except DocumentError as error:
        scene.problem = str(error.problems[0])
        return scene
    _follow(references_of(scene.flag.configuration), shelf, scene, seen={("flag", key)})
    # A flag that others lead back to is one of theirs as well.
    scene.flags[key] = compile_flag(document)
    return scene


def _follow(first: References, shelf: Shelf, scene: Scene, seen: set[tuple[str, str]]) -> None:
    waiting = [first]
    while waiting:
        found = waiting.pop()
        for kind, keys in [
            ("flag", found.flags),
            ("segment", found.segments),
            ("group", found.groups),
        ]:
            for key in sorted(keys):
                if (kind, key) not in seen:
                    seen.add((kind, key))
                    waiting += _ADD[kind](key, shelf, scene)


def _add_flag(key: str, shelf: Shelf, scene: Scene) -> list[References]:
    document = shelf.flag(key)
    if document is None:
        return []
    try:
        scene.flags[key] = compile_flag(document)
    except DocumentError:
        return []
    return [references_of(parse_environment(document).configuration)]


def _add_segment(key: str, shelf: Shelf, scene: Scene) -> list[References]:
    document = shelf.segment(key)
    if document is None:
        return []
    try:
        scene.segments[key] = parse_segment(document)
        scene.compiled[key] = compile_segment(document)
    except DocumentError:
        return []
    return [references_of(scene.segments[key])]


def _add_group(key: str, shelf: Shelf, scene: Scene) -> list[References]:
    document = shelf.group(key)
    if document is not None:
        try:
            scene.groups[key] = compile_group(document)
        except DocumentError:
            return []
    return []


_ADD = {"flag": _add_flag, "segment": _add_segment, "group": _add_group}


# Who made something what it was, and who agreed: read from the history's own order. The rows of
# one transaction stand one after the other, since whoever writes holds the chain's end until they
# commit. So a request was applied by the rows that follow right after its own; what a reason says
# of a request is only where to look, as anybody may write a reason.


_REQUEST: Final = re.compile(r"\((change request|emergency change) ([0-9]{1,18})\)\Z")
_PLAN: Final = re.compile(r"(schedule|ramp) ([0-9]{1,18}) of ")
_SAYS: Final = {"change request": "change_request.applied", "emergency change": "break_glass.used"}


@dataclass(frozen=True, slots=True)
class Approval:
    """The change request by which something changed.

    ``people`` approved it, with their roles of that time; nobody did where glass was broken.
    """

    request: int
    is_emergency: bool
    people: tuple[Mapping[str, Any], ...]
    row: AuditEvent


@dataclass(frozen=True, slots=True)
class Cause:
    """The row that made a flag, a segment or a group what it was, and the approval of it."""

    kind: str
    key: str
    row: AuditEvent
    approval: Approval | None


def approval_of(row: AuditEvent) -> Approval | None:
    """By which request a row came about; None where none was needed."""
    planned = _PLAN.match(row.actor) if row.actor_kind == "system" else None
    if planned:
        agreed = _row_of_plan(row, kind=planned[1], plan=int(planned[2]))
        return approval_of(agreed) if agreed is not None else None
    said = _REQUEST.search(row.reason)
    if said is None:
        return None
    rows = AuditEvent.objects.filter(subject=said[2], sequence__lt=row.sequence)
    about = rows.filter(project=row.project, subject_kind="change_request", event=_SAYS[said[1]])
    applied = about.order_by("-sequence").first()
    if applied is None or not _is_one_write(applied, row):
        return None
    people = (applied.after_document or {}).get("approved_by", [])
    return Approval(int(said[2]), said[1] != "change request", tuple(_listed(people)), applied)


def _listed(people: object) -> list[Mapping[str, Any]]:
    return [one for one in people if isinstance(one, Mapping)] if isinstance(people, list) else []


def _is_one_write(applied: AuditEvent, row: AuditEvent) -> bool:
    """Whether all rows from one to the other are of one write, and no earlier one of the same."""
    between = AuditEvent.objects.filter(
        sequence__gt=applied.sequence, sequence__lt=row.sequence
    ).order_by()
    of_the_write = {"request_id": row.request_id, "actor": row.actor, "actor_kind": row.actor_kind}
    if any(getattr(applied, name) != value for name, value in of_the_write.items()):
        return False
    if between.filter(**of_the_write).count() != row.sequence - applied.sequence - 1:
        return False
    same = {name: getattr(row, name) for name in ("subject", "subject_kind", "environment")}
    return not between.filter(**same).exists()


def _row_of_plan(row: AuditEvent, *, kind: str, plan: int) -> AuditEvent | None:
    """The row by which a plan was last allowed to do what it did."""
    events = (f"flag.{kind}_created", f"flag.{kind}_resumed")
    rows = AuditEvent.objects.filter(
        subject=row.subject, sequence__lt=row.sequence, project=row.project, event__in=events
    ).order_by("-sequence")
    for one in rows.iterator(chunk_size=50):
        if (one.after_document or {}).get("plan") == plan:
            return one
    return None
