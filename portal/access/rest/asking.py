"""What lists are narrowed to, and what addresses and bodies name."""

from collections.abc import Collection, Mapping

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.access.models import Environment, Project, User
from portal.lib.api_query import text
from portal.lib.errors import Invalid


def named(fields: Mapping[str, str]) -> dict[str, str]:
    """The look-ups that narrow: those with a value."""
    return {name: value for name, value in fields.items() if value}


def choice(request: Request, name: str, values: Collection[str]) -> str:
    """A parameter that is one of some values, or missing. Raises Invalid."""
    value = text(request, name)
    if value and value not in values:
        sentence = _("Choose one of: {values}.").format(values=", ".join(values))
        raise Invalid({name: sentence})
    return value


def fitting(number: int) -> int:
    """No database has a row of a number that it cannot hold."""
    return number if number < 2**63 else 0


def whole_name(name: str) -> str:
    """A name in an address. Raises Http404 for what no database can look for."""
    if "\0" in name:
        raise Http404
    return name


def place_of(project: Project, key: str | None) -> Environment | None:
    """The environment that a body names; None for all of them. Raises Invalid."""
    if key is None:
        return None
    found = project.environments.filter(key=key).first()
    if found is None:
        raise Invalid({"environment": _("There is no such environment in this project.")})
    return found


def person_of(username: str) -> User:
    """Somebody with an account. Raises Invalid where nobody is called that."""
    found = User.objects.filter(username=username).first()
    if found is None:
        text = _("Nobody is called {name}; API keys make no accounts. Send an invitation.")
        raise Invalid({"username": text.format(name=username[:150])})
    return found
