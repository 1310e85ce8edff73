"""Which kinds of evidence a key may post for its environment: people say so, and vouch for it."""

import re
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import ApiKey, KeyKind
from portal.access.permissions import Permission
from portal.access.services.grants import NotByKeys
from portal.access.services.sponsoring import require_approver
from portal.lib.errors import Invalid
from portal.lib.journal import Actor, ActorKind, Intent

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
