"""What a governed page answers: the form again, and every refusal said in it."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails

from portal.lib.env import BASE_DIR
from portal.lib.errors import AviaryError, Conflict, Invalid
from portal.lib.web.pages import governed

NAME_TAKEN = "There is one of that name."
CONFLICT = Conflict("Dana changed it meanwhile.", current={}, yours={})
DIALOG = "access/_group_dialog.html"


def sent(**fields: str) -> HttpRequest:
    request = RequestFactory().post("/", fields)
    request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
    return request


def answer(request: HttpRequest, error: AviaryError) -> HttpResponse:
    def save() -> HttpResponse:
        raise error

    class Project:
        key = "shop"

    class Scope:
        project = Project()

    return governed(request, DIALOG, {"scope": Scope(), "values": request.POST}, save)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Invalid({"": NAME_TAKEN}), 422, NAME_TAKEN),
        (Invalid({"name": NAME_TAKEN}), 422, NAME_TAKEN),
        (Invalid({"some.path[0]": NAME_TAKEN}), 422, NAME_TAKEN),
        (CONFLICT, 409, str(CONFLICT)),
    ],
)
def test_governed__whatever_is_refused__is_said_once_in_the_dialog(
    error: AviaryError, status: int, said: str
) -> None:
    response = answer(sent(name="typed by dana", key="x"), error)
    text = response.content.decode()
    assert (response.status_code, response["HX-Retarget"]) == (status, "#dialog")
    assert text.count(said) == 1
    assert "typed by dana" in text


def test_every_dialog__has_the_head_that_says_what_is_refused() -> None:
    dialogs = list((BASE_DIR / "templates").glob("*/_*_dialog.html"))
    assert dialogs
    assert [one.name for one in dialogs if "_dialog_head.html" not in one.read_text()] == []
