"""How each kind of change is made. Those above give a handler; approvals know none of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals.changes import Change, same_document
from portal.approvals.models import ChangeRequest
from portal.lib import merging, subjects
from portal.lib.errors import Conflict
from portal.lib.journal import Actor, Intent, Step

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Side:
    version: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Merged:
    document: dict[str, Any]
    clashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who gets what in one place, before and after, one sentence each; ``environment`` is its key,
    empty for what is the same everywhere."""

    title: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    environment: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class Dependant:
    title: str
    address: str
    where: str


@dataclass(frozen=True, slots=True)
class Flip:
    before: str
    after: str
    count: int


@dataclass(frozen=True, slots=True)
class Example:
    known: tuple[tuple[str, str], ...]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What becomes of one thing in one place, for ``sampled`` of those who lately asked."""

    title: str
    sampled: int
    flips: tuple[Flip, ...] = ()
    examples: tuple[Example, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def flipping(self) -> int:
        return sum(flip.count for flip in self.flips)


@dataclass(frozen=True, slots=True)
class Impact:
    """What a request would do to those who lately asked.

    ``address`` is where it is set that some of them are kept; ``is_on`` whether they are.
    """

    is_on: bool
    address: str
    effects: tuple[Effect, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class DueStep:
    """What is due of a plan: who answers for it, the plan as the change that others agreed to, and
    the request that they agreed to it by.

    ``permissions`` are what its author must still hold; without them, those of the step's change.
    One that ``goes_back`` to what was agreed to before the plan began asks nobody, and no freeze
    stops it; one that ``passes_freezes`` is stopped by none either.
    """

    author: Actor
    plan: Change
    agreement: int | None
    permissions: tuple[Permission, ...] | None = None
    goes_back: bool = False
    passes_freezes: bool = False


class Sides(NamedTuple):
    base: Document
    theirs: Document
    mine: Document
    prefer: merging.Side = merging.Side.MINE

    @property
    def documents(self) -> tuple[Document, Document, Document]:
        return self[:3]

    def merged(self, parts: merging.Parts) -> merging.Merged:
        return merging.merge(*self.documents, parts=parts, prefer=self.prefer)


@dataclass(frozen=True)
class Target:
    """What a change is about: a thing by its name, in some environments of a project; and the
    request for the change, where there is one."""

    project: Project
    subject: str
    environments: tuple[Environment, ...]
    request: ChangeRequest | None = None

    @cached_property
    def place(self) -> Environment:
        """The only environment."""
        (environment,) = self.environments
        environment.project = self.project
        return environment


@dataclass(frozen=True, slots=True)
class Wanted:
    document: Document
    base_version: str
    intent: Intent


def _no_page(_target: Target) -> str:
    return ""


Stopped = Callable[[Project, Collection[str]], Mapping[str, str]]


def deleted(existing: Callable[[Project], QuerySet[Any]]) -> Stopped:
    """Nothing can come of requests about those of some names that are no longer there."""

    def stopped(project: Project, names: Collection[str]) -> Mapping[str, str]:
        left = existing(project).filter(key__in=names).values_list("key", flat=True)
        text = _("What this is about no longer exists. Withdraw the request.")
        return dict.fromkeys(set(names) - set(left), text)

    return stopped


def merge_whole(_row: Any, _request: ChangeRequest, sides: Sides) -> Merged:
    whole = merging.Merging(sides.prefer)
    document = whole.whole(*sides.documents, ("", "", ""))
    return Merged(dict(document), (_("The whole of it"),) if whole.clashes else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """How one kind of change is made, and shown to who agrees to it.

    ``find`` gives the row that a change is about and raises ObjectDoesNotExist where it is gone;
    the others are given it. ``current`` is what it is now, for a document that is wanted instead.
    What ``is_dangerous`` takes a fresh proof of who somebody is. ``apply`` makes it what is wanted,
    through the service that everybody uses, and raises Conflict where it is no longer at that
    version. ``page`` is its address, and ``edit_page`` where the request's content can be edited;
    empty where there is none.

    ``words`` say what differs between two documents, one sentence each: without them, those of the
    request stand. ``merge`` brings two edits together; ``fit`` gives the first of some merged
    documents that the row can take on, changed where that takes little, the first of all where it
    can take on none. ``outcomes`` say who gets what before and after, ``dependants`` what refers
    to it now, and ``impact`` what an open request would do to those who lately asked, None where
    nobody can be concerned. ``stopped`` says of those names about which nothing can be agreed to
    now why not, as of what is archived.
    """

    find: Callable[[Target], Any]
    current: Callable[[Any, Document], Side]
    apply: Callable[[Any, Wanted], object]
    page: Callable[[Target], str]
    is_dangerous: bool = False
    edit_page: Callable[[Target], str] = _no_page
    words: Callable[[Any, Document, Document], list[str]] | None = None
    merge: Callable[[Any, ChangeRequest, Sides], Merged] = merge_whole
    fit: Callable[[Any, Sequence[Document]], Document] = lambda _row, states: states[0]
    outcomes: Callable[[Any, ChangeRequest], list[Outcome]] = lambda _row, _request: []
    dependants: Callable[[Any], list[Dependant]] = lambda _row: []
    impact: Callable[[Any, ChangeRequest, datetime], Impact | None] = lambda *_asked: None
    due_step: Callable[[Step, Change, datetime], DueStep | None] = lambda *_asked: None
    stopped: Stopped = lambda _project, _names: {}


def page_at(name: str) -> Callable[[Target], str]:
    return lambda target: reverse(name, args=[target.project.key, target.subject])


def edited_at(page: Callable[[Target], str]) -> Callable[[Target], str]:
    return lambda target: f"{page(target)}?request={target.request.pk}" if target.request else ""


def due_step(step: Step, change: Change, *, at: datetime) -> DueStep | None:
    handler: Handler | None = subjects.handler(step.kind)
    return handler.due_step(step, change, at) if handler else None


@dataclass(frozen=True, slots=True)
class ChangeSubject:
    target: Target
    handler: Handler
    row: Any

    def current(self, wanted: Document) -> Side:
        return self.handler.current(self.row, wanted)

    def apply(self, wanted: Wanted) -> None:
        """Make it what is wanted. Raises Conflict where it is no longer at the version."""
        self.handler.apply(self.row, wanted)

    def words_between(self, before: Document, after: Document) -> list[str]:
        if self.handler.words is not None:
            return self.handler.words(self.row, before, after)
        return list(self.target.request.words) if self.target.request else []

    @property
    def page(self) -> str:
        return self.handler.page(self.target)

    @property
    def edit_page(self) -> str:
        return self.handler.edit_page(self.target)


@dataclass(frozen=True, slots=True)
class RequestSubject(ChangeSubject):
    request: ChangeRequest

    def now(self) -> Side:
        return self.current(self.request.after)

    def has_moved(self, current: Side) -> bool:
        """Whether it is no longer what the request starts from.

        What has no versions of its own is compared by its document.
        """
        if self.request.base_version:
            return current.version != self.request.base_version
        return not same_document(current.document, self.request.before)

    def merge(self, sides: Sides) -> Merged:
        return self.handler.merge(self.row, self.request, sides)

    def fit(self, states: Sequence[Document]) -> Document:
        """The first of some states that it can take on."""
        return self.handler.fit(self.row, states)

    def up_to_date(self, current: Side, prefer: merging.Side = merging.Side.MINE) -> Merged:
        asked = self.request
        if not self.has_moved(current):
            return Merged(dict(asked.after))
        return self.merge(Sides(asked.before, current.document, asked.after, prefer))

    def outcomes(self) -> list[Outcome]:
        return self.handler.outcomes(self.row, self.request)

    def dependants(self) -> list[Dependant]:
        return self.handler.dependants(self.row)

    def impact(self, now: datetime) -> Impact | None:
        return self.handler.impact(self.row, self.request, now)


def handler_of(change: str) -> Handler:
    found: Handler = subjects.handler(change)
    return found


def find(change: str, target: Target) -> ChangeSubject:
    """What a change of a kind is about. Raises ObjectDoesNotExist where it is gone."""
    handler = handler_of(change)
    return ChangeSubject(target, handler, handler.find(target))


def subject_of(request: ChangeRequest) -> RequestSubject:
    """What a request is about. Raises ObjectDoesNotExist where it is gone."""
    handler, places = handler_of(request.kind), tuple(request.environments.all())
    target = Target(request.project, request.subject, places, request)
    return RequestSubject(target, handler, handler.find(target), request)


def stopped(requests: Sequence[ChangeRequest]) -> dict[int, str]:
    """Why nothing can come now of some open requests of one project, by their ids; those of which
    something can are left out. A query for each kind of change among them."""
    found: dict[int, str] = {}
    for change in {one.kind for one in requests}:
        alike = {one.pk: one.subject for one in requests if one.kind == change}
        said = handler_of(change).stopped(requests[0].project, set(alike.values()))
        found |= {pk: said[name] for pk, name in alike.items() if name in said}
    return found


def apply(request: ChangeRequest, wanted: Wanted) -> None:
    """Make what a request is about what is wanted. Raises Conflict where that is gone, or is no
    longer at the version."""
    try:
        found = subject_of(request)
    except ObjectDoesNotExist:
        text = _("It has been deleted since.")
        raise Conflict(text, current={}, yours=dict(wanted.document)) from None
    found.apply(wanted)


def outcomes_of(request: ChangeRequest) -> list[Outcome]:
    try:
        return subject_of(request).outcomes()
    except ObjectDoesNotExist:
        return []
