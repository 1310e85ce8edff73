import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from flags.core import changes, copying, naming, selectors
from flags.core.copying import Cloned, Taking, copied_document
from flags.core.searching import FlagFilter
from flags.core.web.rows import Cell, find_flag
from flags.models import Flag
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.changes import same_document
from portal.approvals.errors import Waiting
from portal.approvals.web.preflight import (
    fresh_for_break_glass,
    preflight,
    read_intent,
    sent,
)
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.paging import page_in
from portal.lib.web.pages import (
    Refusal,
    asked_places,
    confirm_name,
    governed,
    paging,
    redirect_to,
    render_page,
    sent_version,
)


@dataclass(frozen=True, slots=True)
class Pair:
    flag: Flag
    left: Cell
    right: Cell

    @property
    def differs(self) -> bool:
        return not same_document(_unsalted(self.left), _unsalted(self.right))

    @property
    def words(self) -> list[str]:
        sentences = changes.configuration_words(self.flag, self._as_right(), self.right_document)
        return [*self._switch_words(), *sentences]

    def _switch_words(self) -> list[str]:
        """Nobody has turned anything on or off: it simply is so in each of them."""
        missing = [cell for cell in (self.left, self.right) if not cell.configuration.introduced]
        if missing:
            text = _("It is not in {environment} yet.")
            return [text.format(environment=cell.environment.name) for cell in missing]
        cells = sorted((self.left, self.right), key=lambda cell: cell.configuration.enabled)
        if cells[0].configuration.enabled == cells[1].configuration.enabled:
            return []
        names = {"off": cells[0].environment.name, "on": cells[1].environment.name}
        return [_("It is on in {on} and off in {off}.").format(**names)]

    @property
    def left_text(self) -> str:
        return _text(self.left)

    @property
    def right_text(self) -> str:
        return _text(self.right)

    @property
    def right_document(self) -> dict[str, Any]:
        return self.right.configuration.document

    def _as_right(self) -> dict[str, Any]:
        """Salts differ everywhere, and on purpose: that is no difference worth a word."""
        right = {"introduced": True, **self.right_document}
        same = {name: right[name] for name in ("salt", "enabled", "introduced")}
        return {**self.left.configuration.document, **same}


@require_safe
@project_page(Permission.FLAG_VIEW)
def compare(request: HttpRequest, scope: Scope) -> HttpResponse:
    """By default the last two environments, and only what differs."""
    places = scope.environments
    left = _place(places, request.GET.get("left", ""), places[-2:][0])
    right = _place(places, request.GET.get("right", ""), places[-1])
    every = request.GET.get("every") == "1"
    wanted = FlagFilter(search=request.GET.get("search", "").strip()[:200])
    pairs = _pairs(scope, wanted, left, right)
    shown = [pair for pair in pairs if every or pair.differs]
    after, before = asked_places(request)
    page = page_in(shown, lambda pair: pair.flag.key, after=after, before=before)
    context = {
        "scope": scope,
        "places": places,
        "left": left,
        "right": right,
        "every": every,
        "search": wanted.search,
        "pairs": page.rows,
        "total": len(pairs),
        "shown": len(shown),
        **paging(request, page),
    }
    return render_page(request, "flags/core/compare.html", "flags/core/_compare.html", context)


def _place(places: Sequence[Environment], key: str, otherwise: Environment) -> Environment:
    return next((place for place in places if place.key == key), otherwise)


def _pairs(scope: Scope, wanted: FlagFilter, left: Environment, right: Environment) -> list[Pair]:
    pairs = []
    for flag in sorted(
        selectors.all_flags(scope.project, wanted, now=clock.now()), key=lambda flag: flag.key
    ):
        cells = {c.environment_id: Cell(flag, c) for c in flag.configurations.all()}
        pairs.append(Pair(flag, cells[left.pk], cells[right.pk]))
    return pairs


def _unsalted(cell: Cell) -> dict[str, Any]:
    return {**cell.configuration.document, "salt": ""}


def _text(cell: Cell) -> str:
    return json.dumps(cell.configuration.document, ensure_ascii=False, indent=2, sort_keys=True)


# Dialogs that take over what there is: in another environment, or under another key.


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_EDIT)
@fresh_for_break_glass
def copy_configuration(
    request: HttpRequest, scope: Scope, environment: str, key: str
) -> HttpResponse:
    """First what would change, in words; in production its name is typed."""
    flag, target = find_flag(scope, key), scope.environment(environment)
    values = request.POST if request.method == "POST" else request.GET
    source = _source(scope, target, values)
    taking = Taking(state=values.get("state") == "1", salt=values.get("salt") == "1")

    def save() -> HttpResponse:
        if _needs_name(scope, target):
            confirm_name(request, target.key)
        copying.copy_configuration(
            flag=flag,
            source=source,
            target=target,
            source_version=sent_version(request, "source_version"),
            expected_version=sent_version(request),
            taking=taking,
            intent=read_intent(request, scope),
        )
        address = reverse("flag-targeting", args=[scope.project.key, target.key, flag.key])
        text = _("{environment} now does what {source} does.")
        return redirect_to(
            request, address, text.format(environment=target.name, source=source.name)
        )

    def context(_refusal: Refusal) -> dict[str, object]:
        return _copy_context(scope, flag, source, target, taking)

    try:
        return governed(request, "flags/core/_copy_dialog.html", context, save)
    except Waiting as waiting:
        return sent(request, waiting)


def _source(scope: Scope, target: Environment, values: QueryDict) -> Environment:
    others = [place for place in scope.environments if place.pk != target.pk]
    found = next((place for place in others if place.key == values.get("source")), None)
    if found is None and not others:
        raise Invalid({"": _("There is no other environment to copy from.")})
    return found or others[-1]


def _copy_context(
    scope: Scope, flag: Flag, source: Environment, target: Environment, taking: Taking
) -> dict[str, object]:
    theirs, ours = (selectors.get_configuration(flag, place) for place in (source, target))
    wanted = copied_document(theirs, ours, taking)
    return {
        "scope": scope,
        "flag": flag,
        "source": source,
        "target": target,
        "sources": [p for p in scope.environments if p.pk != target.pk],
        "taking": taking,
        "words": changes.configuration_words(flag, ours.document, wanted),
        "source_version": theirs.version,
        "version": ours.version,
        "preflight": preflight(scope, [target], turns_off=False),
        "needs_name": _needs_name(scope, target),
    }


def _needs_name(scope: Scope, target: Environment) -> bool:
    """What others have to agree to is not typed: nothing happens by that click."""
    view = preflight(scope, [target], turns_off=False)
    return target.is_production and not view.needs_approval


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_EDIT)
def clone_flag(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    values = {name: request.POST.get(name, "").strip() for name in ("key", "name")}
    wanted = request.POST.getlist("environment")
    places = scope.environments

    def save() -> HttpResponse:
        cloned = copying.clone_flag(
            flag=flag,
            environments=[place for place in places if place.key in wanted],
            intent=Intent(scope.actor),
            **values,
        )
        address = reverse("flag", args=[scope.project.key, cloned.flag.key])
        return redirect_to(request, address, _said(cloned))

    def context(_refusal: Refusal) -> dict[str, object]:
        return {
            "scope": scope,
            "flag": flag,
            "values": values,
            "places": [(place, scope.allows(Permission.FLAG_EDIT, place)) for place in places],
            "chosen": wanted,
            "rule": naming.rule_of(scope.project),
        }

    return governed(request, "flags/core/_clone_dialog.html", context, save)


def _said(cloned: Cloned) -> str:
    sentences = [_("{flag} created, off in every environment.").format(flag=cloned.flag.title)]
    sentences += [str(waiting) for waiting in cloned.waiting]
    sentences += [f"{place.name}: {text}" for place, text in cloned.refused]
    return " ".join(sentences)
