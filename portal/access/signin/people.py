import itertools
import re
from contextlib import suppress
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import selectors, services
from portal.access.models import SponsorshipKind, User
from portal.access.services.sponsoring import record_sponsorship
from portal.access.signin import sessions
from portal.access.tokens import new_password
from portal.lib import journal, lookalikes
from portal.lib.errors import Invalid
from portal.lib.journal import Actor, Entry, Intent

_NAME_LENGTH = 100
_MOST_NAMESAKES = 1000
_NO_NAME = re.compile(r"[^\w.@+-]+")


def name_for_record(typed: str) -> str:
    """What to keep of a name that nobody has: two characters, as people type passwords there."""
    return "".join(c if c.isprintable() else " " for c in typed[:2]) + "…"


def record(event: str, user: User, actor: Actor, **changes: Any) -> None:
    journal.write(
        Entry(event=event, actor=actor, subject_kind="user", subject=user.username, **changes)
    )


@transaction.atomic
def create_from_provider(*, claims: dict[str, Any], account: SocialAccount, actor: Actor) -> User:
    """An account for someone whom the provider knows: no role, no password."""
    user = _create_named(claims, actor)
    user.set_unusable_password()
    user.email = _email_of(claims)
    user.first_name = str(claims.get("given_name") or "")[:150]
    user.last_name = str(claims.get("family_name") or "")[:150]
    user.save(update_fields=["password", "email", "first_name", "last_name"])
    link(user=user, account=account, actor=actor)
    return user


@transaction.atomic
def link(*, user: User, account: SocialAccount, actor: Actor) -> None:
    """Let someone sign in through the provider. The caller has checked whose token it was."""
    account.user = user
    account.save()
    record("user.sign_in_linked", user, actor, after=_identity(account))


@transaction.atomic
def unlink(*, user: User, account: SocialAccount, actor: Actor) -> None:
    """End that. Raises Invalid where nothing would be left to sign in with."""
    others = SocialAccount.objects.filter(user=user).exclude(pk=account.pk)
    if not user.has_usable_password() and not others.exists():
        raise Invalid({"": _("This is your only way to sign in, so it cannot be removed.")})
    before = _identity(account)
    account.delete()
    record("user.sign_in_unlinked", user, actor, before=before)


@transaction.atomic
def set_email(*, user: User, email: str, actor: Actor) -> None:
    """Where someone wants to be written to; empty for nowhere. Raises Invalid for no address."""
    email = email.strip()
    try:
        if email:
            validate_email(email)
    except ValidationError:
        raise Invalid({"email": _("This is not an e-mail address.")}) from None
    if len(email) > 254:
        raise Invalid({"email": _("This address is too long.")})
    before, user.email = user.email, email
    user.save(update_fields=["email"])
    record("user.email_changed", user, actor, before={"email": before}, after={"email": email})


@transaction.atomic
def set_digests(*, user: User, wanted: bool, actor: Actor) -> None:
    if user.wants_digests == wanted:
        return
    user.wants_digests = wanted
    user.save(update_fields=["wants_digests"])
    before, after = {"wants_digests": not wanted}, {"wants_digests": wanted}
    record("user.letters_changed", user, actor, before=before, after=after)


@transaction.atomic
def set_active(*, user: User, active: bool, actor: Actor) -> None:
    """Let someone in again, or keep them out and end their sessions. Raises Invalid for oneself."""
    if not active and actor.id == str(user.pk):
        raise Invalid({"": _("You cannot deactivate yourself.")})
    before, user.is_active = user.is_active, active
    user.save(update_fields=["is_active"])
    record("user.activated" if active else "user.deactivated", user, actor)
    if active and not before:
        record_sponsorship(actor, user, SponsorshipKind.ACTIVATION)
    if not active:
        sessions.end_all(user=user, actor=actor)


@transaction.atomic
def remove_two_factor(*, user: User, actor: Actor) -> None:
    removed, _details = Authenticator.objects.filter(user=user).delete()
    if removed:
        record("user.two_factor_disabled", user, actor)
        record_sponsorship(actor, user, SponsorshipKind.SECOND_FACTOR)


def has_two_factor(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()


def _identity(account: SocialAccount) -> dict[str, object]:
    claims = account.extra_data.get("id_token", {})
    return {"issuer": claims.get("iss", account.provider), "subject": account.uid}


def _email_of(claims: dict[str, Any]) -> str:
    email = str(claims.get("email") or "")[:254]
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email


def _create_named(claims: dict[str, Any], actor: Actor) -> User:
    wanted = claims.get("preferred_username") or str(claims.get("email") or "").split("@")[0]
    name = User.normalize_username(str(wanted))
    name = _NO_NAME.sub("-", name)[:_NAME_LENGTH].strip("-")
    if not name or not lookalikes.is_of_one_script(name):
        name = "user"
    numbered = (f"{name}-{number}" for number in range(2, _MOST_NAMESAKES))
    for candidate in itertools.chain([name], numbered):
        if selectors.lookalike_of(candidate):
            continue
        with suppress(Invalid):  # somebody else took it between our look and this
            return services.create_user(
                username=candidate, password=new_password(), intent=Intent(actor)
            )
    raise Invalid({"username": _("Ask a site administrator for an account; this name is taken.")})
