"""What will become of a click, said before it; and what was chosen with it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.scope import Scope
from portal.approvals import descriptions, handlers, selectors
from portal.approvals.errors import Waiting
from portal.approvals.freezes.models import InForce
from portal.approvals.freezes.selectors import freezes_in_force
from portal.approvals.models import ChangeRequest, Policy, State
from portal.lib import clock
from portal.lib.errors import announce
from portal.lib.journal import Intent, WriteOptions
from portal.lib.merging import Side
from portal.lib.numbers import read_whole

View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Preflight:
    policies: list[Policy]
    may_break_glass: bool
    frozen: list[InForce]
    may_override: bool

    @property
    def needs_approval(self) -> bool:
        return bool(self.policies)

    @property
    def is_careful(self) -> bool:
        """Whether a dialog comes first, however little is at stake."""
        return bool(self.policies or self.frozen)

    @property
    def is_stopped(self) -> bool:
        return bool(self.frozen) and not (self.policies or self.may_override)

    @property
    def sentences(self) -> list[tuple[str, str]]:
        return [(p.environment.name, descriptions.policy_sentence(p)) for p in self.policies]

    @property
    def minutes(self) -> int:
        return min((policy.break_glass_minutes for policy in self.policies), default=0)


def preflight(scope: Scope, environments: Iterable[Environment], *, turns_off: bool) -> Preflight:
    places = list(environments)
    policies = selectors.policies_wanting(places, turns_off=turns_off)
    may = bool(policies) and all(
        scope.assignments.names_in(policy.environment_id) & set(policy.break_glass)
        for policy in policies
    )
    frozen = [] if turns_off else freezes_in_force(places, clock.now())
    return Preflight(policies, may, frozen, may_override(scope, frozen))


def may_override(scope: Scope, frozen: Iterable[InForce]) -> bool:
    return all(
        scope.allows(Permission.FREEZE_OVERRIDE, place) and not one.freeze.stops_line
        for one in frozen
        for place in one.environments
    )


def read_intent(request: HttpRequest, scope: Scope) -> Intent:
    return Intent(scope.actor, request.POST.get("reason", ""), _read_options(request))


def _read_options(request: HttpRequest) -> WriteOptions:
    """The gate believes none of them."""
    revising = Revising.sent(request)
    return WriteOptions(
        break_glass=request.POST.get("break_glass") == "1",
        override_freeze=request.POST.get("override_freeze") == "1",
        apply_when_approved=request.POST.get("apply_later") != "1",
        revise=revising.number if revising else None,
        revision=revising.revision if revising else None,
    )


def fresh_for_break_glass(view: View) -> View:
    """A view that asks again who somebody is before they break glass, and at no other time."""
    guarded = needs_fresh_sign_in(view)

    @wraps(view)
    def choose(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        chosen = guarded if request.POST.get("break_glass") == "1" else view
        return chosen(request, *args, **kwargs)

    return choose


@dataclass(frozen=True, slots=True)
class Revising:
    number: int
    revision: int

    @classmethod
    def of(cls, asked: ChangeRequest | None) -> "Revising | None":
        return cls(asked.pk, asked.revision) if asked else None

    @classmethod
    def sent(cls, request: HttpRequest) -> "Revising | None":
        first, _dot, second = request.POST.get("revise", "").partition(".")
        pk, revision = read_whole(first), read_whole(second)
        return None if pk is None or revision is None else cls(pk, revision)

    @property
    def token(self) -> str:
        return f"{self.number}.{self.revision}"


def editable_request(scope: Scope, text: str, *, kind: str, subject: str) -> ChangeRequest | None:
    found = selectors.requests_of(scope.project).filter(
        pk=read_whole(text) or 0, kind=kind, subject=subject, state__in=(State.OPEN, State.REJECTED)
    )
    return found.first()


@dataclass(frozen=True, slots=True)
class EditedDrift:
    """What a form that edits a request holds: its wish on top of what its subject is now.

    ``moved`` says whether that was changed since it was asked for, ``clashes`` what both changed;
    ``prefer`` whose stands in the form.
    """

    document: dict[str, Any]
    moved: bool
    clashes: tuple[str, ...]
    prefer: Side


def drift_of(asked: ChangeRequest, prefer: Side) -> EditedDrift:
    found = handlers.subject_of(asked)
    current = found.now()
    merged, moved = found.up_to_date(current, prefer), found.has_moved(current)
    return EditedDrift(merged.document, moved, merged.clashes, prefer)


def sent(request: HttpRequest, waiting: Waiting) -> HttpResponse:
    """The dialog closes, whatever was clicked stays as it is, and a notice links to the request."""
    context = {"asked": waiting.request, "address": waiting.path}
    return announce(render(request, "approvals/_sent.html", context))
