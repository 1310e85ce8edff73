"""Saving what was reviewed of a segment or an exclusion group, and deleting one.

Every edit comes by a dialog that says what would change, who uses it, and what becomes of the
click.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from flags.core.web.rows import said_of_saving
from flags.engine import Named
from flags.models import ExclusionGroup, Segment
from flags.references import effects
from flags.references.dependants import Use, uses_of
from flags.segments import (
    changes as segment_changes,
    selectors as segment_selectors,
    services as segment_services,
)
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

SegmentOrGroup = Segment | ExclusionGroup
_REVIEW = "flags/segments/_review_dialog.html"
PAGES = {"segment": "segment", "exclusion_group": "exclusion-group"}


@dataclass(frozen=True, slots=True)
class Review:
    document: Mapping[str, Any]
    version: int
    words: list[str]
    report: object = None


def page_of(one: SegmentOrGroup) -> str:
    return address(one, PAGES[one.recorded_as.kind])


def address(one: SegmentOrGroup, name: str) -> str:
    return reverse(name, kwargs={"project": one.project.key, "key": one.key})


def _reached(scope: Scope, one: SegmentOrGroup) -> list[Environment]:
    reach = effects.reach_of(scope.project, effects.kind_of(one), one.key)
    return reach.agreed_in(scope.environments)


def users_of(one: SegmentOrGroup) -> list[Use]:
    return uses_of(one.project, effects.kind_of(one), one.key)


def review_dialog(
    request: HttpRequest, scope: Scope, one: SegmentOrGroup, review: Review
) -> HttpResponse:
    return show_form(request, _REVIEW, _review_context(scope, one, review))


def _review_context(scope: Scope, one: SegmentOrGroup, review: Review) -> dict[str, object]:
    return {
        "scope": scope,
        "one": one,
        "review": review,
        "document": json.dumps(review.document),
        "save": address(one, f"{PAGES[one.recorded_as.kind]}-save"),
        "page": page_of(one),
        **_effect(scope, one),
    }


def _effect(scope: Scope, one: SegmentOrGroup) -> dict[str, object]:
    uses, view = users_of(one), preflight(scope, _reached(scope, one), turns_off=False)
    places = (place for use in uses for place in use.environments)
    is_live = any(use.kind is Named.SEGMENT for use in uses) or any(
        place.is_production for place in places
    )
    return {"uses": uses, "preflight": view, "needs_name": is_live and not view.needs_approval}


@require_POST
@project_page(Permission.SEGMENT_EDIT)
@fresh_for_break_glass
def save_segment(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    segment = find_segment(scope, key)

    def write(document: Mapping[str, Any]) -> object:
        return segment_services.edit_segment(
            segment=segment, document=document, **intent_and_version(request, scope)
        )

    def words(document: Mapping[str, Any]) -> list[str]:
        after = segment.document | dict(document)
        return segment_changes.segment_words(segment.project, segment.document, after)

    return save_reviewed(request, scope, segment, write, words)


def save_reviewed(
    request: HttpRequest,
    scope: Scope,
    one: SegmentOrGroup,
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
    return delete_reviewed(
        request, scope, segment, partial(segment_services.delete_segment, segment=segment)
    )


def delete_reviewed(
    request: HttpRequest, scope: Scope, one: SegmentOrGroup, write: Callable[..., None]
) -> HttpResponse:

    def save() -> HttpResponse:
        write(intent=read_intent(request, scope))
        name = f"{PAGES[one.recorded_as.kind]}-list"
        text = _("{name} is deleted; the history keeps what it was.").format(name=one.title)
        return redirect_to(request, reverse(name, args=[scope.project.key]), text)

    context = {"scope": scope, "one": one, **_effect(scope, one)}
    return governed(request, "flags/segments/_delete_dialog.html", context, save)


def intent_and_version(request: HttpRequest, scope: Scope) -> dict[str, Any]:
    return {
        "expected_version": sent_version(request),
        "intent": read_intent(request, scope),
    }


def find_segment(scope: Scope, key: str) -> Segment:
    try:
        return segment_selectors.get_segment(scope.project, key)
    except Segment.DoesNotExist:
        raise Http404(key) from None
