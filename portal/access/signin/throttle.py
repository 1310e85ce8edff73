"""How often signing in may fail, counted in the database.

An attempt is counted before it is judged, so that many at once gain nothing, and taken back when it
succeeds. Three counters: the account from this address (few failures), the account from anywhere,
the address for any account (many). The latter two do not concern an address from which the account
has signed in before: a stranger elsewhere can lock nobody out of their usual place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.crypto import salted_hmac
from django.utils.translation import ngettext

from portal.access.models import SignInCounter, User
from portal.lib import clock, journal
from portal.lib.errors import AviaryError
from portal.lib.journal import Actor, Entry


@dataclass(frozen=True, slots=True)
class Limit:
    """So many failures within ``window`` lock for ``lock``."""

    failures: int
    window: timedelta
    lock: timedelta


_QUARTER = timedelta(minutes=15)
PAIR = Limit(5, _QUARTER, _QUARTER)
ACCOUNT = Limit(50, timedelta(hours=1), _QUARTER)
ADDRESS = Limit(30, _QUARTER, _QUARTER)
_TRUST = timedelta(days=90)
_KEPT = timedelta(days=91)
Proven = TypeVar("Proven")


class LockedOut(AviaryError):
    """Too many attempts have failed; ``wait_s`` is how many seconds are left."""

    status = 429

    def __init__(self, until: datetime, now: datetime) -> None:
        minutes = max(1, -int((now - until).total_seconds() // 60))
        super().__init__(
            ngettext(
                "Too many attempts have failed. Try again in {minutes} minute, at {time} UTC.",
                "Too many attempts have failed. Try again in {minutes} minutes, at {time} UTC.",
                minutes,
            ).format(minutes=minutes, time=f"{until + timedelta(minutes=1):%H:%M}")
        )
        self.wait_s = max(1, int((until - now).total_seconds()) + 1)


@dataclass(frozen=True, slots=True)
class Attempt:
    counted: tuple[int, ...]
    locked: tuple[int, ...]
    """Those of the counters that this attempt locked."""

    @transaction.atomic
    def succeeded(self, *, now: datetime) -> None:
        """Take it back; from now on the account is known at this address.

        A lock that other attempts set meanwhile stays: one who may sign in as themselves could
        otherwise end the lock of an address from which they guess the passwords of others.
        """
        rows = SignInCounter.objects.select_for_update().filter(pk__in=self.counted).order_by("pk")
        for row in rows:
            if row.account and row.address:
                row.failures, row.locked_until, row.trusted_at = 0, None, now
            else:
                row.failures = max(0, row.failures - 1)
                row.locked_until = None if row.pk in self.locked else row.locked_until
            row.save(update_fields=["failures", "locked_until", "trusted_at"])

    def failed(self, *, event: str, subject: str, actor: Actor) -> None:
        """Record that it failed, and that it was one too many."""
        entries = [Entry(event=event, actor=actor, subject_kind="user", subject=subject)]
        if self.locked:
            entries.append(
                Entry(event="user.locked_out", actor=actor, subject_kind="user", subject=subject)
            )
        with transaction.atomic():
            journal.write_all(entries)


def begin(*, account: str, address: str, now: datetime) -> Attempt:
    """Count an attempt to prove to be ``account``. Raises LockedOut where too many have failed."""
    hashed = _hash(account)
    places = [(hashed, address, PAIR), (hashed, "", ACCOUNT), ("", address, ADDRESS)]
    with transaction.atomic():
        rows = _rows(places, now)
        pair = rows[hashed, address]
        trusted = pair.trusted_at is not None and now - pair.trusted_at < _TRUST
        watched = places[:1] if trusted else places
        ends = [rows[a, b].locked_until for a, b, _limit in watched]
        until = max((end for end in ends if end and end > now), default=None)
        counted = watched if until is None else []
        locked = [rows[a, b].pk for a, b, limit in counted if _count(rows[a, b], limit, now)]
    if until is not None:
        raise LockedOut(until, now)
    return Attempt(tuple(rows[a, b].pk for a, b, _limit in counted), tuple(locked))


def judge(
    check: Callable[[], Proven | None],
    *,
    account: str,
    address: str,
    event: str,
    subject: str,
    actor: Actor,
) -> Proven | None:
    """What ``check`` makes of a password or code; every page that takes one asks here.

    None and ValidationError, which passes through, count as a failure and are recorded as
    ``event``. Raises LockedOut without checking where too many have failed.
    """
    attempt = begin(account=account, address=address, now=clock.database_now())
    refusal, proven = None, None
    try:
        proven = check()
    except ValidationError as error:
        refusal = error
    if proven is None:
        attempt.failed(event=event, subject=subject, actor=actor)
    else:
        attempt.succeeded(now=clock.database_now())
    if refusal:
        raise refusal
    return proven


@transaction.atomic
def unlock(*, user: User, actor: Actor) -> None:
    mine = SignInCounter.objects.filter(
        account__in=[_hash(password_of(user)), _hash(code_of(user))]
    )
    addresses = list(mine.filter(failures__gt=0).exclude(address="").values_list("address"))
    of_address = Q(account="", address__in=[address for (address,) in addresses])
    for rows in (mine, SignInCounter.objects.filter(of_address)):
        rows.update(failures=0, locked_until=None)
    journal.write(
        Entry(event="user.unlocked", actor=actor, subject_kind="user", subject=user.username)
    )


def password_of(user: User) -> str:
    """The account that attempts at someone's password are counted for, however it was typed.

    One whose name clashes with another's has a counter of its own: the other's owner could
    otherwise set it back by signing in.
    """
    return f"account {user.pk}" if user.name_key is None else user.username


def code_of(user: User) -> str:
    """The account that attempts at someone's codes are counted for; no user name looks like it."""
    return f"code of {user.pk}"


def _rows(
    places: list[tuple[str, str, Limit]], now: datetime
) -> dict[tuple[str, str], SignInCounter]:
    """The counters, locked, in an order that is the same for everyone."""
    wanted = Q()
    for account, address, _limit in places:
        wanted |= Q(account=account, address=address)
    if SignInCounter.objects.filter(wanted).count() < len(places):
        SignInCounter.objects.filter(window_started_at__lt=now - _KEPT).exclude(
            trusted_at__gt=now - _TRUST
        ).delete()
        SignInCounter.objects.bulk_create(
            [SignInCounter(account=a, address=b, window_started_at=now) for a, b, _ in places],
            ignore_conflicts=True,
        )
    found = SignInCounter.objects.select_for_update().filter(wanted).order_by("pk")
    return {(row.account, row.address): row for row in found}


def _count(row: SignInCounter, limit: Limit, now: datetime) -> bool:
    """One more failure; whether it is the one that locks."""
    if now - row.window_started_at >= limit.window or row.locked_until:
        row.failures, row.window_started_at, row.locked_until = 0, now, None
    row.failures += 1
    reached = row.failures >= limit.failures
    if reached:
        row.locked_until = now + limit.lock
    row.save(update_fields=["failures", "window_started_at", "locked_until"])
    return reached


def _hash(account: str) -> str:
    name = account.strip().casefold()
    return salted_hmac("portal.access.signin.throttle", name, algorithm="sha256").hexdigest()
