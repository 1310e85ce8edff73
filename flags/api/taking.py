"""``…/copy``, ``…/clone`` and ``…/bulk``: flags taken over from others, and many at once."""

from urllib.parse import quote

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from flags import selectors, services
from flags.api import taking_schema as schema
from flags.api.documents import flag_document
from flags.api.scope import configuration_of, flag_of
from flags.models import Flag
from flags.services import bulk
from flags.services.copying import Cloned, Taking
from flags.usage.reading import refuse_asked_for
from portal.access import authority
from portal.access.api import holder_of
from portal.access.api_scope import allowed, environment_of, project_of
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.lib import clock
from portal.lib.api_body import SWITCH, TEXT, TEXTS, VERSIONS, WHOLE, Field, read_body
from portal.lib.api_match import etag, required_version
from portal.lib.api_view import ApiView
from portal.lib.errors import Invalid
from portal.lib.intent import Intent

_COPY = {
    "source": Field(TEXT, required=True),
    "source_version": Field(WHOLE),
    "state": Field(SWITCH),
    "salt": Field(SWITCH),
    "reason": Field(TEXT),
}
_CLONE = {
    "key": Field(TEXT, required=True),
    "name": Field(TEXT),
    "environments": Field(TEXTS),
}
_BULK = {
    "action": Field(TEXT, required=True),
    "flags": Field(TEXTS, required=True),
    "environment": Field(TEXT),
    "tags": Field(TEXTS),
    "owner": Field(TEXT),
    "reason": Field(TEXT),
    "seen": Field(VERSIONS),
    "force": Field(SWITCH),
}


class Copying(ApiView):
    """Taking over what a flag does in another environment."""

    @schema.copy_configuration
    def post(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Have a flag do in one environment what it does in another: a person does that.

        A key reads no other environment than its own, and so has nothing to copy from: 403. Its
        owner copies in the portal, or reads with one key and writes with the other.
        """
        environment_of(request, project, environment, Permission.FLAG_EDIT)
        target = configuration_of(request, project, environment, key)
        body = read_body(request.data, _COPY)
        source = _place_of(target.flag.project, body["source"], "source")
        environment_of(request, project, source.key)  # a key reads its own environment alone
        there = selectors.get_configuration(target.flag, source)
        saved = services.copy_configuration(
            flag=target.flag,
            source=source,
            target=target.environment,
            source_version=body.get("source_version", there.version),
            expected_version=required_version(request),
            taking=Taking(state=body.get("state", False), salt=body.get("salt", False)),
            intent=Intent(holder_of(request).actor, reason=body.get("reason", "")),
        )
        return Response(saved.document, headers={"ETag": etag(saved.version)})


class Cloning(ApiView):
    """A new flag like another one."""

    @schema.clone_flag
    def post(self, request: Request, project: str, key: str) -> Response:
        """Create a flag like this one, off everywhere, with fresh salts.

        Its targeting comes along where `environments` says so and the key reaches; `waiting` and
        `refused` say where it did not.
        """
        own = allowed(request, project, Permission.FLAG_EDIT)
        flag = flag_of(request, project, key)
        body = read_body(request.data, _CLONE)
        cloned = services.clone_flag(
            flag=flag,
            key=body["key"],
            name=body.get("name", ""),
            environments=[
                _place_of(own, place, "environments") for place in body.get("environments", [])
            ],
            intent=Intent(holder_of(request).actor),
        )
        where = reverse("api-flag", kwargs={"project": project, "key": cloned.flag.key})
        headers = {"Location": quote(where, safe="/%"), "ETag": etag(cloned.flag.version)}
        return Response(_cloned_document(cloned), status=201, headers=headers)


class Bulk(ApiView):
    """The same done to many flags."""

    @schema.change_flags
    def post(self, request: Request, project: str) -> Response:
        """Do something to up to 200 flags, each as a write of its own: `ends` says how each went.

        `seen` are the versions of configurations that were read; one that has moved on is refused.
        """
        own = project_of(request, project)
        body, now = read_body(request.data, _BULK), clock.now()
        place = environment_of(request, project, body["environment"]) if _names(body) else None
        _require(request, own, body["action"], place)
        flags = _flags_of(own, body["flags"])
        if body["action"] == "archive" and not body.get("force", False):
            for flag in flags:
                refuse_asked_for(flag, now=now, within=holder_of(request).environment)
        job = bulk.Job(
            Intent(holder_of(request).actor, body.get("reason", ""), at=now),
            environment=place,
            tags=tuple(body.get("tags", ())),
            owner=body.get("owner", ""),
            seen=body.get("seen", {}),
        )
        outcomes = services.change_flags(flags=flags, action=body["action"], job=job)
        return Response({"ends": [_outcome_document(one) for one in outcomes]})


def _names(body: dict[str, object]) -> bool:
    return bool(body.get("environment"))


def _require(request: Request, project: Project, action: str, place: Environment | None) -> None:
    what = bulk.ACTIONS.get(action)
    if what is None:
        text = _("Choose one of: {actions}.").format(actions=", ".join(bulk.ACTIONS))
        raise Invalid({"action": text})
    actor = holder_of(request).actor
    where = place if what.needs == "environment" else None
    authority.require(actor, what.permission, project=project, environment=where)


def _flags_of(project: Project, keys: list[str]) -> list[Flag]:
    wanted = list(dict.fromkeys(keys))[: bulk.MOST_FLAGS + 1]
    if not 0 < len(wanted) <= bulk.MOST_FLAGS:
        text = _("Name 1 to {most} flags.").format(most=bulk.MOST_FLAGS)
        raise Invalid({"flags": text})
    found = selectors.flags_of(project, wanted)
    missing = sorted(set(wanted) - {flag.key for flag in found})
    if missing:
        text = _("There is no flag called {key}.").format(key=missing[0][:100])
        raise Invalid({"flags": text})
    return found


def _place_of(project: Project, key: str, field: str) -> Environment:
    place = project.environments.filter(key=key).first()
    if place is None:
        raise Invalid({field: _("There is no such environment in this project.")})
    return place


def _cloned_document(cloned: Cloned) -> dict[str, object]:
    return {
        "flag": flag_document(cloned.flag),
        "waiting": [
            {"text": str(one), "address": one.address, "change_request": one.request.pk}
            for one in cloned.waiting
        ],
        "refused": [{"environment": place.key, "text": text} for place, text in cloned.refused],
    }


def _outcome_document(outcome: bulk.Outcome) -> dict[str, object]:
    return {
        "flag": outcome.flag.key,
        "end": str(outcome.end),
        "text": outcome.text,
        "address": f"{settings.PORTAL_URL}{outcome.path}" if outcome.path else "",
    }
