"""Two environments side by side: per flag, what the one does and the other does not."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from flags import selectors
from flags.models import Flag
from flags.searching import FlagFilter
from flags.services import changes
from flags.web.rows import Cell
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.changes import same_document
from portal.lib import clock
from portal.lib.paging import page_in
from portal.lib.web.lists import asked_places, paging
from portal.lib.web.pages import render_page


@dataclass(frozen=True, slots=True)
class Pair:
    """A flag in two environments."""

    flag: Flag
    left: Cell
    right: Cell

    @property
    def differs(self) -> bool:
        return not same_document(_unsalted(self.left), _unsalted(self.right))

    @property
    def words(self) -> list[str]:
        """What the right does otherwise than the left."""
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
    places = list(scope.project.environments.all())
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
    return render_page(request, "flags/compare.html", "flags/_compare.html", context)


def _place(places: list[Environment], key: str, otherwise: Environment) -> Environment:
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
