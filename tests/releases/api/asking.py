"""What scripts do with releases."""

from typing import Any

from releases.core.models import Release
from tests.support.script import PROJECT, Response, Script, answer

RELEASES = f"{PROJECT}/releases"


def put(script: Script, path: str, body: object, **headers: Any) -> Response:
    return script.call("PUT", path, body, **headers)


def paths(refused: dict[str, Any]) -> list[str]:
    return [one["path"] for one in refused["errors"]]


def started(script: Script, body: dict[str, Any]) -> Release:
    made = answer(script.post(RELEASES, body), 201)
    return Release.objects.select_related("project").get(pk=made["number"])
