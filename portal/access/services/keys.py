"""Issuing and revoking API keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import ApiKey, Environment, KeyKind, User
from portal.access.permissions import ADDITIONAL_RIGHTS, Permission
from portal.access.services.evidence_rights import checked_kinds
from portal.access.services.handing import refuse_admin_keys
from portal.access.services.origins import read_origins
from portal.access.services.validation import validate
from portal.access.tokens import Token, new_token
from portal.lib.errors import Invalid
from portal.lib.intent import Intent
from portal.lib.journal import Actor, ActorKind

EDITED = ["revoked_at", "allowed_origins", "rate_limit", "burst_limit"]


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key and its token, which is shown once and kept nowhere."""

    key: ApiKey
    token: Token


@transaction.atomic
def issue_key(
    *,
    environment: Environment,
    kind: str,
    name: str,
    intent: Intent,
    expires_at: datetime | None = None,
    allowed_origins: Sequence[str] = (),
    rights: Sequence[str] = (),
    evidence: Sequence[str] = (),
    owner: User | None = None,
) -> IssuedKey:
    """Create an API key. ``rights`` are what an admin key may do on top of what every one may,
    ``evidence`` the kinds of it that an admin key may post for its environment. ``owner`` answers
    for a key that a command makes, and caps what it may as the maker of any other does.

    Raises Forbidden without ``key.manage``, and for a right that the actor does not hold;
    NotByKeys where a key asks for an admin key; Invalid for an unknown kind, an empty name, an
    expiry in the past, rights that keys do not have, or origins that are none or of a key that
    is not for web pages.
    """
    project = environment.project
    authority.require(intent.actor, Permission.KEY_MANAGE, project=project, environment=environment)
    refuse_admin_keys(intent.actor, kind)
    if expires_at is not None and expires_at <= intent.at:
        raise Invalid({"expires_at": _("Choose a time in the future, or none.")})
    (locked,) = outbox.lock_environments([environment])
    token = new_token(kind)
    key = ApiKey(
        environment=environment,
        kind=kind,
        name=name.strip(),
        selector=token.selector,
        verifier=token.verifier,
        allowed_origins=_origins_for(kind, allowed_origins),
        created_by=intent.actor.label,
        creator=owner or authority.answerable(intent.actor),
        by_operator=owner is None and _is_of_an_operator(intent.actor),
        rights=_rights_for(kind, rights, intent.actor, environment),
        evidence=checked_kinds(kind, evidence, intent.actor),
        evidence_by=(owner or authority.answerable(intent.actor)) if evidence else None,
        created_at=intent.at,
        expires_at=expires_at,
    )
    validate(key)
    key.save()
    _record("key.created", key, locked, intent, after=key.document)
    return IssuedKey(key, token)


@transaction.atomic
def edit_key(
    *,
    key: ApiKey,
    allowed_origins: Sequence[str],
    rate_limit: int | None,
    burst_limit: int | None,
    intent: Intent,
) -> None:
    """Change from which web pages a key may be used, and how often.

    ``rate_limit`` is in requests per second, ``burst_limit`` in requests at once; both are
    counted by each evaluator process for itself, and None is no limit. To what is so already,
    nothing happens. Raises Forbidden, and Invalid naming the field, or none for a revoked key.
    """
    environment = key.environment
    authority.require(
        intent.actor, Permission.KEY_MANAGE, project=environment.project, environment=environment
    )
    refuse_admin_keys(intent.actor, key.kind)
    if burst_limit is not None and rate_limit is None:
        raise Invalid({"rate_limit": _("A limit at once takes one per second as well.")})
    (locked,) = outbox.lock_environments([environment])
    key.refresh_from_db(fields=EDITED)
    before = key.document
    key.allowed_origins = _origins_for(key.kind, allowed_origins)
    key.rate_limit, key.burst_limit = rate_limit, burst_limit
    if key.document == before:
        return
    if key.is_revoked:
        raise Invalid({"": _("The key is revoked: it cannot be used any more, nor edited.")})
    validate(key)
    key.save(update_fields=EDITED[1:])
    _record("key.edited", key, locked, intent, before=before, after=key.document)


def _rights_for(
    kind: str, rights: Sequence[str], actor: Actor, environment: Environment
) -> list[str]:
    """The rights in order; nobody gives a key what they do not hold themselves."""
    wanted = [str(right) for right in ADDITIONAL_RIGHTS if right in rights]
    if set(rights) - set(wanted):
        text = _("Choose from: {rights}.").format(rights=", ".join(ADDITIONAL_RIGHTS))
        raise Invalid({"rights": text})
    if wanted and kind != KeyKind.ADMIN:
        raise Invalid({"rights": _("Only admin keys have rights of their own; leave this empty.")})
    for right in wanted:
        authority.require(
            actor, Permission(right), project=environment.project, environment=environment
        )
    return wanted


def _is_of_an_operator(actor: Actor) -> bool:
    """Made by a command, or with a key that was: nobody's account stands behind it."""
    if actor.kind is ActorKind.KEY:
        return ApiKey.objects.filter(pk=actor.id, by_operator=True).exists()
    return actor.kind is ActorKind.SYSTEM


def _origins_for(kind: str, origins: Sequence[str]) -> list[str]:
    if origins and kind != KeyKind.CLIENT:
        text = _("Only client keys are used by web pages; leave this empty.")
        raise Invalid({"allowed_origins": text})
    return read_origins(origins)


@transaction.atomic
def revoke_key(*, key: ApiKey, intent: Intent) -> None:
    """Revoke a key at once and for good; doing it again changes nothing."""
    environment = key.environment
    authority.require(
        intent.actor, Permission.KEY_MANAGE, project=environment.project, environment=environment
    )
    (locked,) = outbox.lock_environments([environment])
    if not ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=intent.at):
        return
    _record("key.revoked", key, locked, intent, before=key.document)


def _record(
    event: str,
    key: ApiKey,
    environment: Environment,
    intent: Intent,
    **documents: Mapping[str, object],
) -> None:
    """Tell the evaluators of its locked environment, and the history."""
    version = outbox.advance(environment, kind=outbox.KEY, keys=[key.selector], now=intent.at)
    intent.record(event, replace(key.recorded_as, version=version), **documents)
