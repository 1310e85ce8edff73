"""Errors that services raise for people to read, and how pages and programs are shown them."""

import sys
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _


class AviaryError(Exception):
    """Something a person can understand and act on; its text is for them."""

    status = 400

    @property
    def title(self) -> str:
        return _("That did not work")

    @property
    def extras(self) -> dict[str, object]:
        return {}

    def seen_from(self, environment: str) -> "AviaryError":
        """The error without what a key of one environment must not learn of others."""
        return self


class Forbidden(AviaryError):
    status = 403

    def __init__(self, permission: str) -> None:
        label = getattr(permission, "label", permission)
        super().__init__(
            _("This needs the permission “{permission}”. Ask an admin of the project.").format(
                permission=label
            )
        )
        self.permission = str(permission)


class Invalid(AviaryError):
    """What was given cannot be used. ``problems`` maps a field's path to one clear sentence."""

    status = 400

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(
            " ".join(f"{path}: {text}" if path else text for path, text in problems.items())
        )
        self.problems = dict(problems)

    @classmethod
    def of(cls, path: str, text: str, /, **values: object) -> "Invalid":
        """One problem; the values are filled into its sentence."""
        return Invalid({path: text.format(**values)})

    @property
    def extras(self) -> dict[str, object]:
        found = self.problems.items()
        return {"errors": [{"path": path, "message": message} for path, message in found]}

    def seen_from(self, environment: str) -> AviaryError:
        """Problems of what stands in another environment say only that there are some."""
        own = f"environments.{environment}."
        kept = {
            path: text
            for path, text in self.problems.items()
            if path.startswith(own) or not path.startswith("environments.")
        }
        if len(kept) < len(self.problems):
            text = _("An environment that this key does not reach needs what would go.")
            kept["environments"] = text
        return Invalid(kept)


def refuse(problems: Mapping[str, str]) -> None:
    if problems:
        raise Invalid(problems)


class WrongName(Invalid):
    def __init__(self, name: str) -> None:
        text = _("That is not {name}. Nothing was changed.").format(name=name)
        super().__init__({"typed": text})


class Deferred(AviaryError):
    """Nothing was changed: it goes on at ``path``, and ``notice`` says so on arrival."""

    path: str
    notice: str


class Conflict(AviaryError):
    """Someone else changed it meanwhile. Carries both sides, as documents."""

    status = 409

    def __init__(
        self, message: str, *, current: Mapping[str, object], yours: Mapping[str, object]
    ) -> None:
        super().__init__(message)
        self.current = dict(current)
        self.yours = dict(yours)

    @property
    def extras(self) -> dict[str, object]:
        return {"current": self.current, "yours": self.yours}


MOST_TEXT = 5000


def checked_text(text: str, path: str, *, most: int = MOST_TEXT) -> str:
    """What somebody wrote, without the blanks around it. Raises Invalid: too long, or with NUL."""
    text = text.strip()
    if len(text) > most or "\0" in text:
        raise Invalid.of(path, _("Write at most {most} characters, and no NUL."), most=most)
    return text


def error_page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    htmx = bool(getattr(request, "htmx", False)) and not getattr(request.htmx, "boosted", False)  # type: ignore[attr-defined]
    template = "_error.html" if htmx else "error.html"
    context: dict[str, object] = {"title": title, "text": text}
    if getattr(request, "database_away", False):
        context["messages"] = []
    response = render(request, template, context, status=status)
    return announce(response) if htmx else response


def announce(response: HttpResponse) -> HttpResponse:
    """Whatever was clicked stays as it is; the answer is shown beside it, as a notice."""
    response["HX-Retarget"] = "#notices"
    response["HX-Reswap"] = "beforeend"
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_page(
        request,
        403,
        _("This form is no longer valid"),
        _("Nothing was saved. Reload the page and send it again."),
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 400, _("That request made no sense"), _("Nothing was saved."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    text = str(exception) or _("Ask an admin of the project.")
    return error_page(request, 403, _("You may not do this"), text)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(
        request,
        404,
        _("Page not found"),
        _("It does not exist, or it belongs to a project you are not a member of."),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Our own fault, or the database's: then it says that trying again may help."""
    busy = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    if request.path.startswith("/api/"):
        return _server_problem(busy=busy)
    if busy:
        request.database_away = True  # type: ignore[attr-defined]  # the page asks it for nothing
        response = error_page(
            request,
            503,
            _("The database is busy or away"),
            _("Nothing was saved. Try again in a moment; applications still get their flags."),
        )
        response["Retry-After"] = "1"
        return response
    return error_page(
        request,
        500,
        _("Something broke on our side"),
        _("What you sent was not saved. The log has the details under this request's id."),
    )


def _server_problem(*, busy: bool) -> HttpResponse:
    text = _("Something broke on our side. The log has the details under this request's id.")
    if busy:
        text = _("The database is busy or away. Nothing was saved; try again in a moment.")
    status = 503 if busy else 500
    headers = {"Retry-After": "1"} if busy else {}
    return JsonResponse(problem(status, text), status=status, content_type=PROBLEM, headers=headers)


# Problem documents (RFC 9457): what the management API says where something went wrong.


PROBLEM: Final = "application/problem+json"


def problem(status: int, detail: str, **extras: object) -> dict[str, object]:
    """A problem document; ``type`` names the kind for programs, ``detail`` is for people."""
    title = HTTPStatus(status).phrase
    kind = title.lower().replace(" ", "-")
    return {
        "type": f"urn:aviary:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        **extras,
    }
