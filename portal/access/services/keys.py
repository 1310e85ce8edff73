import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import ApiKey, Environment, KeyKind, User
from portal.access.permissions import ADDITIONAL_RIGHTS, TELEMETRY, Permission
from portal.access.services.grants import NotByKeys, refuse_admin_keys, validate
from portal.access.services.sponsoring import require_approver
from portal.access.tokens import Token, new_token
from portal.lib.errors import Invalid
from portal.lib.journal import Actor, ActorKind, Intent
from portal.lib.patience import only_a_trace

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
    """Create a key. Raises Forbidden without ``key.manage`` or for a right that the actor lacks,
    NotByKeys, and Invalid naming the field. ``owner`` answers for a command's key, and caps it;
    ``rights`` and ``evidence`` are what it may beyond the usual of its kind."""
    _require_manage(intent.actor, kind, environment)
    if expires_at is not None and expires_at <= intent.at:
        raise Invalid({"expires_at": _("Choose a time in the future, or none.")})
    (locked,) = outbox.lock_environments([environment])
    token, person = new_token(kind), owner or authority.answerable(intent.actor)
    key = ApiKey(
        environment=environment,
        kind=kind,
        name=name.strip(),
        selector=token.selector,
        verifier=token.verifier,
        allowed_origins=_origins_for(kind, allowed_origins),
        created_by=intent.actor.label,
        creator=person,
        by_operator=owner is None and _is_of_an_operator(intent.actor),
        rights=_rights_for(kind, rights, intent.actor, environment),
        evidence=checked_kinds(kind, evidence, intent.actor),
        evidence_by=person if evidence else None,
        created_at=intent.at,
        expires_at=expires_at,
    )
    validate(key)
    key.save()
    _record("key.created", key, locked, intent, after=key.document)
    return IssuedKey(key, token)


def _require_manage(actor: Actor, kind: str, environment: Environment) -> None:
    project = environment.project
    authority.require(actor, Permission.KEY_MANAGE, project=project, environment=environment)
    refuse_admin_keys(actor, kind)


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
    counted by each evaluator process for itself, and None is no limit. Without a difference,
    nothing happens. Raises Forbidden, and Invalid naming the field, or none for a revoked key.
    """
    environment = key.environment
    _require_manage(intent.actor, key.kind, environment)
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
    """The rights in order; nobody gives a key what they do not hold themselves.

    That the telemetry of a client key decides takes no more than making a server key does, whose
    telemetry decides by itself.
    """
    if kind == KeyKind.SERVER and rights:
        raise Invalid({"rights": _("A server key has no rights of its own; leave this empty.")})
    offered = ADDITIONAL_RIGHTS if kind == KeyKind.ADMIN else (TELEMETRY,)
    wanted = [str(right) for right in offered if right in rights]
    if set(rights) - set(wanted):
        raise Invalid.of("rights", _("Choose from: {rights}."), rights=", ".join(offered))
    if kind == KeyKind.CLIENT:
        return wanted
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
        raise Invalid.of(
            "allowed_origins", _("Only client keys are used by web pages; leave this empty.")
        )
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
    version = outbox.advance(environment, kind=outbox.KEY, keys=[key.selector], now=intent.at)
    intent.record(event, replace(key.recorded_as, version=version), **documents)


# Origins of web pages, written as browsers send them: scheme://host[:port], nothing after it.


ANY: Final = "*"
MOST: Final = 100
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# Applications made of web pages have schemes of their own, such as capacitor://localhost.
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,30}")
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


def read_origins(origins: Sequence[str]) -> list[str]:
    """The origins as browsers write them, each once.

    Raises Invalid, naming ``allowed_origins``, for what no browser would ever send.
    """
    if len(origins) > MOST:
        raise Invalid.of("allowed_origins", _("Name {most} origins at most."), most=MOST)
    return list(dict.fromkeys(_read_origin(origin) for origin in origins))


def _read_origin(origin: str) -> str:
    if origin == ANY:
        return origin
    found = _parse(origin)
    if found is None:
        raise Invalid.of(
            "allowed_origins",
            _("“{origin}” is no origin: write it like https://shop.example, without a path."),
            origin=origin[:100],
        )
    return found


def _parse(origin: str) -> str | None:
    """Lower case, the host as it is looked up, and no port where it goes without saying."""
    try:
        parts = urlsplit(origin)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError:
        return None
    host = f"[{host}]" if ":" in host else host
    scheme = parts.scheme.lower()
    if not (_SCHEME.fullmatch(scheme) and _HOST.fullmatch(host)):
        return None
    if parts.username is not None or "@" in origin or origin.count("/") != 2 or port == 0:
        return None
    if parts.query or parts.fragment or origin.endswith(("?", "#", ":")):
        return None
    return f"{scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS.get(scheme)) else f":{port}")


# Keeping when API keys were last used: for people who tidy up, so a minute more or less is fine.
# It changes nothing that anybody may do, so the audit trail does not record it.


ONCE_IN = timedelta(minutes=1)


def note_use(*, key: ApiKey, now: datetime) -> None:
    """Keep that a key was just used, at most once a minute; a busy database does not stop it."""
    if key.last_used_at is not None and now - key.last_used_at < ONCE_IN:
        return
    with only_a_trace("the use of a key"):
        _move_forward(key.pk, now)


def note_uses(used: Collection[tuple[str, float]], now: datetime) -> int:
    """Keep when keys were used, given by selector and Unix seconds; only ever forward, and never in
    the future. Returns how many uses were of keys that are gone.
    """
    used_at = dict(sorted(used, key=lambda one: one[1]))
    known = dict(ApiKey.objects.filter(selector__in=used_at).values_list("selector", "pk"))
    for selector, pk in sorted(known.items()):
        _move_forward(pk, min(datetime.fromtimestamp(used_at[selector], UTC), now))
    return sum(selector not in known for selector, _at in used)


def _move_forward(pk: int, used_at: datetime) -> None:
    older = Q(last_used_at__isnull=True) | Q(last_used_at__lt=used_at)
    ApiKey.objects.filter(older, pk=pk).update(last_used_at=used_at)


_KIND = re.compile(r"[a-z][a-z0-9_]{0,49}\Z")
MOST_KINDS = 20


@transaction.atomic
def set_evidence(*, key: ApiKey, kinds: Sequence[str], intent: Intent) -> None:
    """Let an admin key post these kinds of evidence and no others; who vouched has to do so anew.

    Raises Forbidden without ``key.manage``, NotByKeys where a key asks, Invalid for a revoked key
    and for kinds that none can be called.
    """
    environment = key.environment
    authority.require(
        intent.actor, Permission.KEY_MANAGE, project=environment.project, environment=environment
    )
    locked = ApiKey.objects.select_for_update(of=("self",), no_key=True).get(pk=key.pk)
    if locked.is_revoked:
        raise Invalid({"": _("The key is revoked: it cannot be used any more, nor edited.")})
    wanted, before = checked_kinds(key.kind, kinds, intent.actor), locked.evidence
    if wanted == before:
        return
    key.evidence, key.evidence_by = wanted, authority.answerable(intent.actor)
    key.evidence_confirmed_by = None
    key.save(update_fields=["evidence", "evidence_by", "evidence_confirmed_by"])
    intent.record("key.evidence_set", key, before={"evidence": before}, after={"evidence": wanted})


@transaction.atomic
def confirm_key(*, key: ApiKey, intent: Intent) -> None:
    """Vouch for the evidence that a key posts: it then counts for its maker's requests as well.

    Raises Forbidden without ``change_request.approve`` in the key's environment, and for keys;
    Invalid for who made the key or gave it the right, and where it may post none.
    """
    confirmer = require_approver(intent.actor, key.environment.project, key.environment)
    locked = ApiKey.objects.select_for_update(of=("self",), no_key=True).get(pk=key.pk)
    if not locked.evidence:
        raise Invalid({"": _("This key may not post evidence: there is nothing to confirm.")})
    if confirmer.pk in (locked.creator_id, locked.evidence_by_id):
        raise Invalid.of(
            "", _("You made this key or let it post evidence, so somebody else has to confirm it.")
        )
    key.evidence_confirmed_by = confirmer
    key.save(update_fields=["evidence_confirmed_by"])
    intent.record("key.evidence_confirmed", key, after={"evidence": locked.evidence})


def checked_kinds(kind: str, kinds: Sequence[str], actor: Actor) -> list[str]:
    """The kinds in order. Raises NotByKeys, and Invalid for what no key can post."""
    wanted = sorted(set(kinds))
    if wanted and actor.kind is ActorKind.KEY:
        raise NotByKeys(_("A person says which evidence a key may post; an API key cannot."))
    if wanted and kind != KeyKind.ADMIN:
        raise Invalid({"evidence": _("Only admin keys post evidence; leave this empty.")})
    wrong = [one for one in wanted if not _KIND.match(one)]
    if wrong or len(wanted) > MOST_KINDS:
        raise Invalid.of(
            "evidence",
            _("List up to {most} names like security_scan: a-z, digits and underscores."),
            most=MOST_KINDS,
        )
    return wanted
