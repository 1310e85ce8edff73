"""The targeting form as a browser has it: drawn by the product's template, read from its HTML."""

from html.parser import HTMLParser
from typing import Any

from django.template.loader import render_to_string

from flags.core.web.rows import Cell
from flags.engine import FlagDefinition, dump_definition, parse_definition
from flags.models import Flag, FlagConfiguration
from flags.targeting.documents import to_form
from flags.targeting.form import FIELDS
from flags.targeting.nodes import Drawing
from portal.access.models import Environment, Project
from portal.lib.web.pages import read_form
from tests.flags.engine.documents import BOOLEAN

DEFINITION = parse_definition(BOOLEAN)
Form = dict[str, Any]


class _Everything:
    """Somebody who may do everything."""

    def __getitem__(self, _permission: str) -> bool:
        return True


def draw(form: Form, definition: FlagDefinition = DEFINITION) -> str:
    """The form's HTML."""
    project = Project(key="shop", name="Shop")
    environment = Environment(project=project, key="development", name="Development")
    flag = Flag(project=project, **dump_definition(definition))
    configuration = FlagConfiguration(flag=flag, environment=environment, version=7)
    context = {
        "scope": {"project": project, "may": _Everything()},
        "flag": flag,
        "cell": Cell(flag, configuration),
        "drawing": Drawing(form, {}),
    }
    return render_to_string("flags/targeting/_targeting_form.html", context)


def through_the_browser(form: Form, definition: FlagDefinition = DEFINITION) -> Form:
    """The form as it comes back when someone sends it untouched."""
    return form_from(sent(draw(form, definition)))


def form_from(pairs: list[tuple[str, str]]) -> Form:
    """The form of what was sent, as the pages read it."""
    return read_form(pairs, FIELDS)


def form_of(document: Form, definition: FlagDefinition = DEFINITION) -> Form:
    return through_the_browser(to_form(document, definition), definition)


def sent(html: str) -> list[tuple[str, str]]:
    """What a browser sends of a form that nobody touched."""
    reader = _Reader()
    reader.feed(html)
    return reader.pairs


class _Reader(HTMLParser):
    """Collects what HTML calls the successful controls."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[tuple[str, str]] = []
        self._select = self._textarea = ""
        self._text = ""
        self._options: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "input" and name:
            self._input(name, given)
        elif tag == "select":
            self._select, self._options = name, []
        elif tag == "option" and self._select:
            self._options.append((given["value"], "selected" in given))
        elif tag == "textarea":
            self._textarea, self._text = name, ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select:
            chosen = [value for value, is_chosen in self._options if is_chosen]
            self.pairs.append((self._select, (chosen or [self._options[0][0]])[-1]))
            self._select = ""
        elif tag == "textarea" and self._textarea:
            text = self._text.removeprefix("\n").replace("\r\n", "\n").replace("\r", "\n")
            self.pairs.append((self._textarea, text.replace("\n", "\r\n")))
            self._textarea = ""

    def _input(self, name: str, given: dict[str, str]) -> None:
        if given.get("type") == "checkbox":
            if "checked" in given:
                self.pairs.append((name, given.get("value", "on")))
        else:
            # A field of one line cannot hold line breaks.
            value = given.get("value", "")
            self.pairs.append((name, value.replace("\n", "").replace("\r", "")))
