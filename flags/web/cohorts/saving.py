"""Saving what was reviewed of a segment or an exclusion group, and deleting one.

Every edit comes by a dialog that says what would change, who uses it, and what becomes of the
click.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from flags import services
from flags.dependants import Use, uses_of
from flags.engine import Named
from flags.models import ExclusionGroup, Segment
from flags.services import cohort_changes, effects
from flags.web.rows import find_group, find_segment, said_of_saving
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.web.preflight import fresh_for_break_glass, preflight, read_intent
from portal.lib.web.pages import (
    confirm_name,
    governed,
    redirect_to,
    sent_document,
    sent_version,
    show_form,
)

Cohort = Segment | ExclusionGroup
_REVIEW = "cohorts/_review_dialog.html"
PAGES = {"segment": "segment", "exclusion_group": "exclusion-group"}


@dataclass(frozen=True, slots=True)
class Review:
    """What a dialog shows before something is saved."""

    document: Mapping[str, Any]
    version: int
    words: list[str]
    report: object = None


def page_of(one: Cohort) -> str:
    """The address of a segment or group."""
    return address(one, PAGES[cohort_changes.subject_kind(one)])


def address(one: Cohort, name: str) -> str:
    return reverse(name, kwargs={"project": one.project.key, "key": one.key})


def _reached(scope: Scope, one: Cohort) -> list[Environment]:
    """The environments whose policies have a say in a change of it."""
    kind = Named.SEGMENT if isinstance(one, Segment) else Named.GROUP
    reach = effects.reach_of(scope.project, kind, one.key)
    return reach.agreed_in(scope.environments)


def users_of(one: Cohort) -> list[Use]:
    """What refers to it."""
    kind = Named.SEGMENT if isinstance(one, Segment) else Named.GROUP
    return uses_of(one.project, kind, one.key)


def review_dialog(request: HttpRequest, scope: Scope, one: Cohort, review: Review) -> HttpResponse:
    """The dialog: what would change, for whom, and the button."""
    return show_form(request, _REVIEW, _review_context(scope, one, review))


def _review_context(scope: Scope, one: Cohort, review: Review) -> dict[str, object]:
    return {
        "scope": scope,
        "one": one,
        "review": review,
        "document": json.dumps(review.document),
        "save": address(one, f"{PAGES[cohort_changes.subject_kind(one)]}-save"),
        "page": page_of(one),
        **_effect(scope, one),
    }


def _effect(scope: Scope, one: Cohort) -> dict[str, object]:
    """Who uses it and who has a say; ``needs_name`` where the click reaches production's users."""
    uses, view = users_of(one), preflight(scope, _reached(scope, one), turns_off=False)
    places = (place for use in uses for place in use.environments)
    is_live = any(use.kind is Named.SEGMENT for use in uses) or any(
        place.is_production for place in places
    )
    return {"uses": uses, "outlook": view, "needs_name": is_live and not view.needs_approval}


@require_POST
@project_page(Permission.SEGMENT_EDIT)
@fresh_for_break_glass
def save_segment(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    """Save a segment as it was reviewed."""
    segment = find_segment(scope, key)

    def write(document: Mapping[str, Any]) -> object:
        return services.edit_segment(segment=segment, document=document, **_common(request, scope))

    def words(document: Mapping[str, Any]) -> list[str]:
        after = segment.document | dict(document)
        return cohort_changes.segment_words(segment.project, segment.document, after)

    return _save(request, scope, segment, write, words)


@require_POST
@project_page(Permission.SEGMENT_EDIT)
@fresh_for_break_glass
def save_group(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    """Save an exclusion group as it was reviewed."""
    group = find_group(scope, key)

    def write(document: Mapping[str, Any]) -> object:
        return services.edit_group(group=group, document=document, **_common(request, scope))

    def words(document: Mapping[str, Any]) -> list[str]:
        return cohort_changes.group_words(group.document, document)

    return _save(request, scope, group, write, words)


def _save(
    request: HttpRequest,
    scope: Scope,
    one: Cohort,
    write: Callable[[Mapping[str, Any]], object],
    words: Callable[[Mapping[str, Any]], list[str]],
) -> HttpResponse:
    document = sent_document(request)
    context = _review_context(scope, one, Review(document, sent_version(request), words(document)))

    def save() -> HttpResponse:
        if context["needs_name"]:
            confirm_name(request, one.key)
        write(document)
        places = scope.environments
        message = said_of_saving(places, _("Saved, in every environment."))
        return redirect_to(request, page_of(one), message)

    return governed(request, _REVIEW, context, save)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.SEGMENT_EDIT)
def delete_segment(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    segment = find_segment(scope, key)
    return _delete(request, scope, segment, partial(services.delete_segment, segment=segment))


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.SEGMENT_EDIT)
def delete_group(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    group = find_group(scope, key)
    return _delete(request, scope, group, partial(services.delete_group, group=group))


def _delete(
    request: HttpRequest, scope: Scope, one: Cohort, write: Callable[..., None]
) -> HttpResponse:

    def save() -> HttpResponse:
        write(intent=read_intent(request, scope))
        name = f"{PAGES[cohort_changes.subject_kind(one)]}-list"
        text = _("{name} is deleted; the history keeps what it was.").format(name=one.title)
        return redirect_to(request, reverse(name, args=[scope.project.key]), text)

    context = {"scope": scope, "one": one, **_effect(scope, one)}
    return governed(request, "cohorts/_delete_dialog.html", context, save)


def _common(request: HttpRequest, scope: Scope) -> dict[str, Any]:
    return {
        "expected_version": sent_version(request),
        "intent": read_intent(request, scope),
    }
