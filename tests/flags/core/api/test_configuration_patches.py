"""PATCH of a configuration, and the list of them."""

from typing import Any

import pytest

from portal.access.models import Environment
from portal.audit.models import AuditEvent
from tests.support.people import boolean_flag
from tests.support.script import FLAGS, PRODUCTION, Script, answer, problem, serve_only_in

CONFIGURATION = f"{PRODUCTION}/flags/new-checkout"
RULE = {"id": "r", "when": {"all": []}, "serve": {"variant": "on"}}


def patch(script: Script, body: object, tag: str = "") -> Any:
    headers: dict[str, Any] = {"if_match": tag} if tag else {}
    return script.call("PATCH", CONFIGURATION, body, **headers)


def test_patch__turning_on__keeps_the_rest_and_takes_the_version(script: Script, flag: str) -> None:
    read = script.get(CONFIGURATION)
    problem(patch(script, {"enabled": True}), 428)
    response = patch(script, {"enabled": True}, read["ETag"])
    assert answer(response) == answer(read) | {"enabled": True}
    assert response["ETag"] != read["ETag"]
    assert AuditEvent.objects.latest("sequence").event == "flag.enabled"
    stale = problem(patch(script, {"rules": [RULE]}, read["ETag"]), 409)
    assert (stale["current"]["rules"], stale["yours"]["rules"]) == ([], [RULE])


def test_patch__turning_off__is_always_safe(script: Script, flag: str) -> None:
    patch(script, {"enabled": True}, script.get(CONFIGURATION)["ETag"])
    assert answer(patch(script, {"enabled": False}))["enabled"] is False
    problem(patch(script, {"enabled": False, "rules": [RULE]}), 428)


def test_patch__null__takes_back_what_was_set(script: Script, flag: str) -> None:
    put = patch(script, {"rules": [RULE]}, script.get(CONFIGURATION)["ETag"])
    assert answer(put)["rules"] == [RULE]
    assert answer(patch(script, {"rules": None}, put["ETag"]))["rules"] == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"off_variant": None}, "off_variant"),
        ({"off_variant": "purple"}, "off_variant"),
        ({"version": 7}, "version"),
        ([], ""),
        (None, ""),
    ],
)
def test_patch__what_cannot_be__names_the_field(
    script: Script, flag: str, body: object, path: str
) -> None:
    tag = script.get(CONFIGURATION)["ETag"]
    raw = b"null" if body is None else None
    response = script.call("PATCH", CONFIGURATION, body, raw=raw, if_match=tag)
    assert path in [error["path"] for error in problem(response, 400)["errors"]]


def test_list__has_the_flags_in_use_by_key(script: Script, production: Environment) -> None:
    for name in ("b", "a", "c"):
        script.post(FLAGS, boolean_flag(name))
    serve_only_in(production)
    script.call("DELETE", f"{FLAGS}/b")
    first = answer(script.get(f"{PRODUCTION}/flags?limit=1"))
    second = answer(script.get(f"{PRODUCTION}/flags?limit=1&cursor={first['next']}"))
    found = [*first["configurations"], *second["configurations"]]
    assert [one["flag"] for one in found] == ["a", "c"]
    assert second["next"] is None
    one = script.get(f"{PRODUCTION}/flags/a")
    assert found[0] == answer(one) | {"flag": "a", "version": int(one["ETag"].strip('"'))}
