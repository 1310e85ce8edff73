"""How views answer: a page or its part, a dialog, and the form again with what is wrong with it."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, TypeAlias, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django_htmx.http import reswap, retarget
from django_htmx.middleware import HtmxDetails

from portal.lib import strict_json
from portal.lib.errors import Conflict, Invalid, WrongName
from portal.lib.numbers import read_whole
from portal.lib.paging import Page

Context = Mapping[str, object]
Template = str | tuple[str, str]
"""A dialog; or a page, and the part of it that htmx gets."""


class HtmxRequest(HttpRequest):
    htmx: HtmxDetails


@dataclass(frozen=True, slots=True)
class TextFilter:
    """What a list is narrowed to; the fields are texts, and empty ones narrow nothing."""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        return cls(**{one.name: query.get(one.name, "").strip() for one in fields(cls)})

    @property
    def narrows(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why what a form asked for was not done; nothing for a form that nobody has sent yet."""

    error: Invalid | Conflict | None = None

    @property
    def status(self) -> int:
        if self.error is None:
            return 200
        return 409 if self.conflict else 422

    @property
    def wrong_name(self) -> bool:
        return isinstance(self.error, WrongName)

    @property
    def conflict(self) -> Conflict | None:
        return self.error if isinstance(self.error, Conflict) else None

    @property
    def errors(self) -> dict[str, str]:
        if isinstance(self.error, Invalid) and not self.wrong_name:
            return self.error.problems
        return {}

    def context_for(self, request: HttpRequest) -> dict[str, object]:
        """What templates show of it; ``problems``, those of which no field was sent, are said by
        the head of every dialog."""
        return {
            "errors": self.errors,
            "problems": [text for path, text in self.errors.items() if path not in request.POST],
            "conflict": self.conflict,
            "wrong_name": self.wrong_name,
        }


def governed(
    request: HttpRequest,
    template: Template,
    context: Context | Callable[[Refusal], Context],
    save: Callable[[], HttpResponse],
) -> HttpResponse:
    """The form; sent, what ``save`` answers, or the form again with why it was refused.

    ``save`` makes one call inward. What is wrong with the form (Invalid, a name typed wrong) and
    what somebody else has changed meanwhile (Conflict) is said in the form, with all that was
    typed; what waits for approval, is forbidden or frozen is answered for every page alike, by
    ``htmx_responses``. A ``context`` that can be called is asked for when the form is drawn, so
    that it says what is true then.
    """
    refusal = Refusal()
    if request.method == "POST":
        try:
            return save()
        except (Invalid, Conflict) as error:
            refusal = Refusal(error)
    shown = context(refusal) if callable(context) else context
    return show_form(request, template, shown, refusal)


def show_form(
    request: HttpRequest, template: Template, context: Context, refusal: Refusal | None = None
) -> HttpResponse:
    """The form as it stands in a page, or in the dialog wherever the click meant to go."""
    refusal = refusal or Refusal()
    shown = {**refusal.context_for(request), **context}
    if isinstance(template, tuple):
        return render_page(request, *template, shown, status=refusal.status)
    return aimed(render(request, template, shown, status=refusal.status), "dialog", "innerHTML")


def confirm_name(request: HttpRequest, name: str) -> None:
    """Raise WrongName where the dialog's reader has not typed ``name`` to confirm."""
    if request.POST.get("typed", "").strip() != name:
        raise WrongName(name)


def replace_part(
    request: HttpRequest, part: str, context: Context, notice: object, *, status: int = 200
) -> HttpResponse:
    """A part of the page anew, wherever the click meant to go; the dialog closes, and a notice.

    ``part`` is ``folder/name``: its template is ``folder/_name.html``, its element's id ``name``.
    """
    folder, _slash, name = part.rpartition("/")
    shown = {"part": f"{folder}/_{name}.html", "notice": notice, **context}
    return aimed(render(request, "_part_changed.html", shown, status=status), name)


def aimed(response: HttpResponse, part: str, way: str = "outerHTML") -> HttpResponse:
    """The answer put in the place of the element with the id ``part``, or otherwise there."""
    return reswap(retarget(response, f"#{part}"), way)  # type: ignore[arg-type]


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page; boosted and history visits want all of it."""
    htmx = cast(HtmxRequest, request).htmx
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render_page(
    request: HttpRequest, page: str, fragment: str, context: Context, *, status: int = 200
) -> HttpResponse:
    template = fragment if wants_fragment(request) else page
    return render(request, template, dict(context), status=status)


def redirect_to(request: HttpRequest, address: str, message: str = "") -> HttpResponse:
    """Send the browser on, whether htmx asked or a plain form; ``message`` shows on arrival."""
    if message:
        messages.success(request, message)
    if not wants_fragment(request):
        return redirect(address)
    return HttpResponse(status=204, headers={"HX-Redirect": address})


# Lists in pages: filters and places stand in the address, and survive every link.


def query_with(query: QueryDict, **changes: object) -> str:
    """The query of a page with changes; what is None or empty goes, and so does ``seen``."""
    found = query.copy()
    for name, value in {"seen": None, **changes}.items():
        found.pop(name, None)
        if value:
            found[name] = str(value)
    return found.urlencode()


def asked_places(request: HttpRequest) -> tuple[str, str]:
    """The places after and before which an address asks for a page; empty where it does not."""
    return request.GET.get("after", ""), request.GET.get("before", "")


def paging(
    request: HttpRequest, page: Page[Any], *, forward: str = "after", back: str = "before"
) -> dict[str, str]:
    """Where ``_paging.html`` leads: to the first page and those around this one, if there are."""
    first = query_with(request.GET, **{forward: None, back: None})
    there = request.GET.get(forward) or request.GET.get(back)
    found = {"first_page": f"?{first}" if there else "", "next_page": "", "previous_page": ""}
    if page.next:
        found["next_page"] = "?" + query_with(request.GET, **{back: None, forward: page.next})
    if page.previous:
        query = query_with(request.GET, **{forward: None, back: page.previous})
        found["previous_page"] = f"?{query}"
    return found


# Documents in HTML forms: each input is named by its path, as in ``rules[0].when.values``. The
# same paths name the places of problems, so an input finds its error by its own name.


# The deepest document that people may send has a condition 20 groups down: 45 steps.
_MOST_STEPS = 100
_STEP = re.compile(r"\[(\d{1,6})\]|([^.\[\]]+)")


TEXT = "text"
Fields: TypeAlias = dict[str, "str | Fields | list[Fields]"]
"""The shape of a form: each field is a TEXT, an object of fields, or a list of such objects."""


def texts(*names: str) -> Fields:
    fields: Fields = dict.fromkeys(names, TEXT)
    return fields


def sent_version(request: HttpRequest, name: str = "version") -> int:
    """The version that a form was filled from. One without is of no version, and conflicts."""
    return version_in(request.POST.get(name, ""))


def version_in(text: str) -> int:
    """A version in a form; -1, which nothing ever has, for anything but a number."""
    number = read_whole(text)
    return -1 if number is None else number


def sent_document(request: HttpRequest) -> dict[str, Any]:
    """The document that a dialog carries along. Raises Invalid for anything else."""
    damaged = _("This form is damaged. Reload the page; nothing was saved.")
    document = read_json(request.POST.get("document", ""), "", damaged)
    if not isinstance(document, dict):
        raise Invalid({"": damaged})
    return document


def read_json(text: str, path: str, message: str = "") -> Any:
    """What an input's JSON says. Raises Invalid for anything else, with ``message`` or why."""
    try:
        return strict_json.loads_text(text)
    except strict_json.NotStrict as error:
        raise Invalid({path: message or str(error)}) from None


def read_form(pairs: Iterable[tuple[str, object]], fields: Fields) -> dict[str, Any]:
    """The document in a form's inputs; whatever does not fit its fields is left out.

    So that who goes on with it can rely on texts being texts and lists being lists.
    """
    return _shaped(nest(pairs), fields)


def nest(pairs: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """Build the document from (path, value) pairs.

    Numbered places need not be consecutive (a removed row leaves a gap): they are closed up in
    order. Names that are no paths, or endless ones, are ignored.
    """
    root: dict[str | int, Any] = {}
    for path, value in pairs:
        steps = [int(number) if number else name for number, name in _STEP.findall(path)]
        if 0 < len(steps) <= _MOST_STEPS:
            _put(root, steps, value)
    return {str(step): _close_up(inner) for step, inner in root.items()}


def _put(root: dict[str | int, Any], steps: list[str | int], value: object) -> None:
    place = root
    for step in steps[:-1]:
        inner = place.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        place = inner
    place[steps[-1]] = value


def _close_up(node: Any) -> Any:
    """Dictionaries that only have numbers for names become lists."""
    if not isinstance(node, dict):
        return node
    if node and all(isinstance(step, int) for step in node):
        return [_close_up(node[step]) for step in sorted(node)]
    return {str(step): _close_up(inner) for step, inner in node.items()}


def _shaped(node: dict[str, Any], fields: Fields) -> dict[str, Any]:
    fitting = ((name, _fitting(node[name], fields[name])) for name in fields if name in node)
    return {name: value for name, value in fitting if value is not None}


def _fitting(value: object, shape: "str | Fields | list[Fields]") -> Any:
    if isinstance(shape, list):
        parts = value if isinstance(value, list) else []
        return [_shaped(part, shape[0]) for part in parts if isinstance(part, dict)]
    if isinstance(shape, dict):
        return _shaped(value, shape) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
