"""What every response carries, and what a request leaves in the audit trail."""

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from portal.lib import middleware


def test_response__of_any_page__allows_no_inline_script_and_no_other_host(db: None) -> None:
    response = Client().get("/health")
    policy = dict(part.split(" ", 1) for part in response["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in response["Content-Security-Policy"]
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"


def test_request__each__has_an_id_of_its_own(db: None) -> None:
    client = Client()
    ids = {client.get("/health")["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3


def test_trace__control_characters_in_the_browsers_name__cannot_get_in() -> None:
    """Or somebody could write lines into a log that were never said."""
    request = RequestFactory().get("/", headers={"User-Agent": "a\r\nERROR forged\x1b[2J" * 40})
    seen = []

    def view(asked: object) -> HttpResponse:
        seen.append(asked)
        return HttpResponse()

    response = middleware.request_trace(view)(request)
    trace = middleware.trace_of(request)
    assert seen == [request]
    assert trace.request_id == response["X-Request-ID"]
    assert trace.ip == "127.0.0.1"
    assert trace.user_agent.isprintable()
    assert len(trace.user_agent) == 300


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_status_page__nobody_signed_in__answers(db: None, path: str) -> None:
    assert Client().get(path).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_status_page__asked_to_change_something__refuses(db: None, path: str) -> None:
    assert Client().post(path).status_code == 405
