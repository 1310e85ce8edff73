import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from portal.access import authority, selectors as access
from portal.access.models import User
from portal.approvals import handlers, selectors
from portal.approvals.descriptions import unowned_sentence
from portal.approvals.errors import request_path
from portal.approvals.handlers import Outcome
from portal.approvals.models import ChangeRequest, Emergency, State, Vote
from portal.lib import clock
from portal.notifications import services as notifications
from portal.runs.runner import for_each

_MOST_LINES, _MOST_CHARS = 20, 1000


def voters_of(request: ChangeRequest) -> list[User]:
    done = selectors.barred_ids(request) | set(request.votes.values_list("user_id", flat=True))
    people = list(access.members_of(request.project).filter(is_active=True).exclude(pk__in=done))
    assignments = authority.role_assignments_of_all(people, request.project)
    places = selectors.deciding_environments(request)
    return [one for one in people if selectors.may_approve(assignments[one.pk], places)]


def tell_opened(request: ChangeRequest) -> None:
    with _language():
        edited = request.revision > 1
        text = _("{person} requests a change: {title}") if not edited else _("Edited: {title}")
        _write(
            voters_of(request),
            f"request:{request.pk}:{request.revision}:opened",
            text.format(person=request.author, title=request.title),
            [_("Please look at it, and approve or reject it."), unowned_sentence(request)],
            request,
            outcomes=handlers.outcomes_of(request),
        )


def tell_voted(request: ChangeRequest, vote: Vote) -> None:
    with _language():
        approved = vote.verdict == "approve"
        text = _("{person} approved: {title}") if approved else _("{person} rejected: {title}")
        subject = text.format(person=vote.user.username, title=request.title)
        _write(_author(request), f"vote:{vote.pk}", subject, [vote.comment], request)


def tell_applied(request: ChangeRequest) -> None:
    with _language():
        subject = _("Applied: {title}").format(title=request.title)
        _write(_author(request), f"request:{request.pk}:applied", subject, [], request)


def tell_problem(request: ChangeRequest, problem: str) -> None:
    with _language():
        votes = request.votes.count()
        key = f"request:{request.pk}:{request.revision}:problem:{votes}"
        subject = _("Approved, and not applied: {title}").format(title=request.title)
        _write(_author(request), key, subject, [problem], request)


def tell_break_glass(emergency: Emergency) -> None:
    """Those who can approve there, and the site administrators, at once."""
    request = emergency.request
    with _language():
        text = _("{person} broke the glass: {title}")
        subject = text.format(person=emergency.actor, title=request.title)
        until = f"{emergency.reverts_at:%Y-%m-%d %H:%M} UTC"
        lines = [
            _("The emergency: {reason}").format(reason=emergency.reason),
            _("It reverts at {time} unless somebody else confirms it.").format(time=until),
            _("Somebody other than {person} has to review it.").format(person=emergency.actor),
        ]
        people = [one for one in _watchers(emergency) if one.pk != emergency.actor_user_id]
        outcomes = handlers.outcomes_of(request)
        _write(people, f"glass:{emergency.pk}", subject, lines, request, outcomes=outcomes)


def tell_kept(emergency: Emergency) -> None:
    """Who broke the glass and those who can approve there: not all of it went back."""
    request = emergency.request
    with _language():
        subject = _("Emergency change ended, and some of it was changed since: {title}")
        lines = [
            _("The emergency: {reason}").format(reason=emergency.reason),
            _("Others changed this as well, so theirs stays:"),
            "\n".join(f"- {sentence}" for sentence in emergency.kept),
        ]
        key = f"glass:{emergency.pk}:kept"
        _write(
            _watchers(emergency), key, subject.format(title=request.title), lines, request, words=()
        )


def tell_stuck(emergency: Emergency) -> None:
    """The same people: its time is over, and it could not be taken back."""
    request = emergency.request
    with _language():
        subject = _("Emergency change could not be reverted: {title}")
        lines = [
            _("The emergency: {reason}").format(reason=emergency.reason),
            _("Its time is over, but it cannot be reverted now: {why}").format(
                why=emergency.problem
            ),
            _("It is tried again every few seconds. Remove the obstacle, or confirm the change."),
        ]
        key = f"glass:{emergency.pk}:stuck:{hashlib.sha256(emergency.problem.encode()).hexdigest()}"
        _write(_watchers(emergency), key, subject.format(title=request.title), lines, request)


def _watchers(emergency: Emergency) -> list[User]:
    administrators = User.objects.filter(is_superuser=True, is_active=True)
    mine = [emergency.actor_user] if emergency.actor_user else []
    return [*mine, *voters_of(emergency.request), *administrators]


def remind_voters(request: ChangeRequest, day: int) -> None:
    with _language():
        subject = _("Still waiting for approval: {title}").format(title=request.title)
        key = f"request:{request.pk}:{request.revision}:reminder:{day}"
        _write(
            voters_of(request),
            key,
            subject,
            [_("Requested by {person}.").format(person=request.author)],
            request,
            outcomes=handlers.outcomes_of(request),
        )


def remind_reviewers(emergency: Emergency, day: int) -> None:
    request = emergency.request
    with _language():
        subject = _("Not reviewed yet: {title}").format(title=request.title)
        lines = [_("{person} broke the glass for it.").format(person=emergency.actor)]
        _write(voters_of(request), f"review:{emergency.pk}:{day}", subject, lines, request)


def _author(request: ChangeRequest) -> list[User]:
    return [request.author_user] if request.author_user else []


def _language() -> translation.override:
    """The site's: what the person at the other end reads, nobody knows."""
    return translation.override(settings.LANGUAGE_CODE)


def _outcome_parts(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for one in outcomes[:_MOST_LINES]:
        if one.before == one.after:
            sides = [(_("{title}, as before:"), one.after)]
        else:
            sides = [(_("{title}, before:"), one.before), (_("{title}, after:"), one.after)]
        for label, sentences in sides:
            lines = "\n".join(f"- {line[:_MOST_CHARS]}" for line in sentences[:_MOST_LINES])
            yield f"{label.format(title=one.title)}\n{lines}"


def _write(
    to: Iterable[User],
    key: str,
    subject: str,
    lines: list[str],
    request: ChangeRequest,
    words: Sequence[str] | None = None,
    outcomes: Sequence[Outcome] = (),
) -> None:
    words = list(map(str, request.words if words is None else words))
    more = [_("and {n} more").format(n=len(words) - _MOST_LINES)] if words[_MOST_LINES:] else []
    reason = [_("Reason: {reason}").format(reason=request.reason)] if request.reason else []
    parts = [
        subject,
        *(line for line in lines if line),
        "\n".join(f"- {line[:_MOST_CHARS]}" for line in [*words[:_MOST_LINES], *more]),
        *_outcome_parts(outcomes),
        *(line[:_MOST_CHARS] for line in reason),
        f"{settings.PORTAL_URL}{request_path(request)}",
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    name = f"[{request.project.name}] {subject}"
    notifications.notify(to=to, key=key, subject=name, text=text)


DAY = timedelta(hours=24)
MOST_REMINDERS = 3


def remind() -> int:
    """Remind once a day: of open requests three times, of emergencies until they are reviewed.

    Any number of workers may do this at once. Returns how many things people were reminded of.
    """
    moment = clock.database_now()
    return _remind_of_requests(moment) + _remind_of_emergencies(moment)


def _remind_of_requests(moment: datetime) -> int:
    waiting = ChangeRequest.objects.filter(
        Q(reminded_at=None) | Q(reminded_at__lte=moment - DAY),
        state=State.OPEN,
        revised_at__lte=moment - DAY,
        revised_at__gt=moment - DAY * (MOST_REMINDERS + 1),
    )
    found = waiting.select_related("project")
    return for_each(found, lambda request: _remind_of(request, moment))


@transaction.atomic
def _remind_of(request: ChangeRequest, moment: datetime) -> bool:
    if handlers.stopped([request]):
        return False
    mine = ChangeRequest.objects.filter(
        pk=request.pk, state=State.OPEN, reminded_at=request.reminded_at
    )
    if mine.update(reminded_at=moment) != 1:
        return False  # decided, or another worker was here
    remind_voters(request, (moment - request.revised_at) // DAY)
    return True


def _remind_of_emergencies(moment: datetime) -> int:
    unreviewed = Emergency.objects.filter(reviewed_at=None, at__lte=moment - DAY)
    found = unreviewed.select_related("request__project")
    return for_each(found, lambda emergency: _remind_of_review(emergency, moment))


@transaction.atomic
def _remind_of_review(emergency: Emergency, moment: datetime) -> bool:
    # Done twice, it writes the same notifications, which are written once.
    remind_reviewers(emergency, (moment - emergency.at) // DAY)
    return True
