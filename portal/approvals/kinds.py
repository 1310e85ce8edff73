"""Who carries out which kind of change. Those above register; approvals know none of them."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext as _

from portal.approvals.changes import Change, same_document
from portal.approvals.models import ChangeRequest
from portal.lib import merging
from portal.lib.intent import Intent, Step
from portal.lib.journal import Actor


@dataclass(frozen=True, slots=True)
class Side:
    """A thing as it is now: its version, and its document."""

    version: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Merged:
    """Two edits of a subject brought together, and what both changed, one sentence each."""

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
    """Something that refers to the subject of a request: its name, its page, and where it does."""

    title: str
    address: str
    where: str


@dataclass(frozen=True, slots=True)
class Flip:
    """How many of those sampled get ``after`` instead of ``before``."""

    before: str
    after: str
    count: int


@dataclass(frozen=True, slots=True)
class Example:
    """One of them: what is known of it, as names and values, and what it gets."""

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


class Kind(Protocol):
    """What can be asked of one kind of change."""

    def apply(
        self,
        request: ChangeRequest,
        *,
        document: Mapping[str, Any],
        base_version: str,
        intent: Intent,
    ) -> None:
        """Make the subject what ``document`` says, through the service that everybody uses.

        Raises Conflict where the subject is no longer at ``base_version``.
        """
        ...

    def current(self, request: ChangeRequest) -> Side:
        """The subject as it is now."""
        ...

    def address(self, request: ChangeRequest) -> str:
        """The page of the subject."""
        ...

    def edit_address(self, request: ChangeRequest) -> str:
        """The page where the request's content can be edited; empty where there is none."""
        ...

    def words(self, request: ChangeRequest, before: Mapping[str, Any]) -> list[str]:
        """What the request would change from ``before``, one sentence each."""
        ...


@runtime_checkable
class HasParts(Protocol):
    """A kind of change whose documents have parts that can be merged one by one."""

    def merge(
        self,
        request: ChangeRequest,
        *,
        base: Mapping[str, Any],
        theirs: Mapping[str, Any],
        mine: Mapping[str, Any],
        prefer: merging.Side,
    ) -> Merged:
        """Bring two documents together that both started from ``base``."""
        ...


@runtime_checkable
class HasLimits(Protocol):
    """A kind of change whose documents, merged, can be what the subject cannot be."""

    def fit(self, request: ChangeRequest, states: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The first of some states that the subject can take on, changed where that takes little;
        the first of all where it can take on none."""
        ...


@runtime_checkable
class HasOutcome(Protocol):
    """A kind of change that can say who gets what by it."""

    def outcomes(self, request: ChangeRequest) -> list[Outcome]:
        """Who gets what before the request is applied, and after."""
        ...


@runtime_checkable
class HasDependants(Protocol):
    """A kind of change whose subject others refer to."""

    def dependants(self, request: ChangeRequest) -> list[Dependant]:
        """What refers to the subject now."""
        ...


@runtime_checkable
class HasImpact(Protocol):
    """A kind of change that can be tried out on those who lately asked."""

    def impact(self, request: ChangeRequest, *, now: datetime) -> Impact | None:
        """What an open request would do to them; None where nobody can be concerned."""
        ...


@dataclass(frozen=True, slots=True)
class DueStep:
    """What is due of a plan: who answers for it, the plan as the change that others agreed to, and
    the request that they agreed to it by."""

    author: Actor
    plan: Change
    agreement: int | None


class Planner(Protocol):
    """Who keeps the plans of one kind."""

    def due_step(self, step: Step, change: Change, *, at: datetime) -> DueStep | None:
        """What the gate has to know, where the plan is alive, exactly this step of it is due at
        that moment, and the change is what the plan says; None otherwise."""
        ...


_kinds: dict[str, Kind] = {}
_planners: dict[str, Planner] = {}


def register(name: str, kind: Kind) -> None:
    """Make ``kind`` the one that carries out changes of that name."""
    _kinds[name] = kind


def kind_of(request: ChangeRequest) -> Kind:
    """Who carries out what a request asks for."""
    return _kinds[request.kind]


def register_planner(name: str, planner: Planner) -> None:
    """Make ``planner`` the one that knows the plans which are changes of that kind."""
    _planners[name] = planner


def due_step(step: Step, change: Change, *, at: datetime) -> DueStep | None:
    """What is due of a plan; None where it does not say that this change happens now."""
    planner = _planners.get(step.kind)
    return planner.due_step(step, change, at=at) if planner else None


def has_moved(request: ChangeRequest, current: Side) -> bool:
    """Whether the subject is no longer what a request starts from.

    What has no versions of its own is compared by its document.
    """
    if request.base_version:
        return current.version != request.base_version
    return not same_document(current.document, request.before)


def merge_of(
    request: ChangeRequest,
    *,
    base: Mapping[str, Any],
    theirs: Mapping[str, Any],
    mine: Mapping[str, Any],
    prefer: merging.Side = merging.Side.MINE,
) -> Merged:
    """Two edits of a request's subject brought together."""
    kind = kind_of(request)
    if isinstance(kind, HasParts):
        return kind.merge(request, base=base, theirs=theirs, mine=mine, prefer=prefer)
    return merge_whole(base, theirs, mine, prefer)


def first_fit(request: ChangeRequest, states: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first of some states that a request's subject can take on."""
    kind = kind_of(request)
    return kind.fit(request, states) if isinstance(kind, HasLimits) else states[0]


def merge_whole(
    base: Mapping[str, Any],
    theirs: Mapping[str, Any],
    mine: Mapping[str, Any],
    prefer: merging.Side,
) -> Merged:
    """The same of what has no parts, or is there on one side alone."""
    whole = merging.Merging(prefer)
    document = whole.whole(base, theirs, mine, ("", "", ""))
    return Merged(dict(document), (_("The whole of it"),) if whole.clashes else ())


def up_to_date(
    request: ChangeRequest, current: Side, prefer: merging.Side = merging.Side.MINE
) -> Merged:
    """What a request asks for, on top of what its subject is now."""
    if not has_moved(request, current):
        return Merged(dict(request.after))
    return merge_of(
        request, base=request.before, theirs=current.document, mine=request.after, prefer=prefer
    )


def words_between(
    request: ChangeRequest, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[str]:
    """What differs between two states of a request's subject, one sentence each."""
    other = copy.copy(request)
    other.before, other.after = dict(before), dict(after)
    return kind_of(request).words(other, before)


def outcomes_of(request: ChangeRequest) -> list[Outcome]:
    """Who gets what before and after a request, where its kind can tell."""
    kind = kind_of(request)
    try:
        return kind.outcomes(request) if isinstance(kind, HasOutcome) else []
    except ObjectDoesNotExist:
        return []


def dependants_of(request: ChangeRequest) -> list[Dependant]:
    """What refers to the subject of a request, where its kind can tell."""
    kind = kind_of(request)
    return kind.dependants(request) if isinstance(kind, HasDependants) else []


def impact_of(request: ChangeRequest, *, now: datetime) -> Impact | None:
    """What an open request would do to those who lately asked, where its kind can tell."""
    kind = kind_of(request)
    return kind.impact(request, now=now) if isinstance(kind, HasImpact) else None
