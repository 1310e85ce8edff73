import re
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import ApiKey, Project
from portal.access.permissions import Permission
from portal.approvals.models import Evidence, Result
from portal.lib.errors import AviaryError, Invalid
from portal.lib.journal import About, Actor, ActorKind, Intent

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,49}\Z")
LONGEST = timedelta(days=366)


class NotByThis(AviaryError):
    """Somebody or something that may not post this evidence."""

    status = 403


@transaction.atomic
def post_evidence(
    *,
    project: Project,
    digest: str,
    kind: str,
    result: str,
    expires_at: datetime,
    intent: Intent,
    detail: str = "",
) -> Evidence:
    """Keep one result for one digest: of an artefact, or of a change request's content.

    A key posts it, of the kinds that a person let it post, and it counts in the key's environment.
    Raises Forbidden for a key that may not ask for changes, NotByThis for people and for a key
    that was not given the kind; Invalid with each field that is wrong.
    """
    authority.require(intent.actor, Permission.CHANGE_REQUEST_CREATE, project=project)
    key = _key_of(intent.actor)
    problems = _problems(digest, kind, result, expires_at, detail, intent.at)
    if problems:
        raise Invalid(problems)
    _require_kind(key, kind)
    evidence = Evidence.objects.create(
        project=project,
        digest=digest,
        kind=kind,
        result=result,
        detail=detail.strip(),
        posted_by=intent.actor.label,
        posted_with=key,
        posted_at=intent.at,
        expires_at=expires_at,
    )
    replace(intent, reason=evidence.detail).record(
        "evidence.posted",
        About("evidence", digest, project.key, key.environment.key),
        after={"kind": kind, "result": result, "expires_at": expires_at.isoformat()},
    )
    return evidence


def _key_of(actor: Actor) -> ApiKey:
    keys = ApiKey.objects.select_related("environment")
    key = keys.filter(pk=actor.id).first() if actor.kind is ActorKind.KEY else None
    if key is None:
        raise NotByThis(_("API keys post evidence; people and commands do not."))
    return key


def _require_kind(key: ApiKey, kind: str) -> None:
    if kind not in key.evidence:
        text = _("This key may not post the evidence {kind}. {remedy}")
        remedy = _("Somebody who manages keys can let it, on the page of API keys.")
        raise NotByThis(text.format(kind=kind, remedy=remedy))


def _problems(
    digest: str, kind: str, result: str, expires_at: datetime, detail: str, moment: datetime
) -> dict[str, str]:
    problems = {}
    if not _DIGEST.match(digest):
        problems["digest"] = _("Send sha256: and 64 lower-case hexadecimal digits.")
    if not _KIND.match(kind):
        problems["kind"] = _("Send a name like security_scan: small letters, digits, underscores.")
    if result not in Result.values:
        problems["result"] = _("Send passed or failed.")
    if expires_at <= moment:
        problems["expires_at"] = _("This has expired already; send a future time.")
    elif expires_at > moment + LONGEST:
        problems["expires_at"] = _("Evidence lives for a year at most.")
    if len(detail) > 2000 or "\0" in detail:
        problems["detail"] = _("Send at most 2,000 characters, and no NUL.")
    return problems
