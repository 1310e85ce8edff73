from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import Project, User
from portal.access.permissions import Permission
from portal.approvals import gate, handlers, notifications
from portal.approvals.changes import Change, content_sha256, same_document
from portal.approvals.errors import ApprovalRequired, Barred, Closed, Edited, NoSuchRequest, Waiting
from portal.approvals.handlers import Wanted
from portal.approvals.models import ChangeRequest, Comment, Editor, State
from portal.lib.errors import Forbidden, Invalid, checked_text
from portal.lib.journal import Actor, Intent, WriteOptions
from portal.lib.merging import Side


@transaction.atomic
def file_request(needed: ApprovalRequired) -> ChangeRequest:
    """Keep a change that needs approval: as a new request, or in place of another's content.

    The same content asked for again by the same actor is the request that is open already.
    Raises Forbidden without ``change_request.create`` in each environment that wants a say.
    """
    change, intent = needed.change, needed.intent
    outbox.lock_people(change.project)  # who asks for the same twice at once finds the first
    require_may_ask(needed)
    if intent.options.revise is not None:
        return _revise(change, intent)
    return _same(change, intent.actor) or _open(change, intent)


def require_may_ask(needed: ApprovalRequired) -> None:
    """May ask in each environment that wants a say; for what all share, in the project."""
    actor, project = needed.intent.actor, needed.change.project
    create = Permission.CHANGE_REQUEST_CREATE
    shared = len(needed.change.environments) > 1
    if shared and create in authority.permissions_of(actor, project, None):
        return
    for environment in needed.environments:
        authority.require(actor, create, project=project, environment=environment)


def lock_request(project: Project, pk: int) -> ChangeRequest:
    """A request of a project, its row locked. Raises NoSuchRequest."""
    request = project.change_requests.select_for_update(no_key=True).filter(pk=pk).first()
    if request is None:
        raise NoSuchRequest(pk)
    return request


@transaction.atomic
def withdraw_request(*, request: ChangeRequest, intent: Intent) -> ChangeRequest:
    """Take a request back: its author may, and those who manage the environment.

    Raises Closed where it is decided, Forbidden for everybody else.
    """
    request = lock_open(request)
    if not _is_author(request, intent.actor):
        authority.require(intent.actor, Permission.ENVIRONMENT_CONFIGURE, project=request.project)
    close_request(request, State.WITHDRAWN, intent)
    intent.record("change_request.withdrawn", request)
    return request


@transaction.atomic
def comment_on_request(*, request: ChangeRequest, text: str, intent: Intent) -> Comment:
    """Say something about a request. Raises Invalid for nothing, or for too much."""
    authority.require(intent.actor, Permission.FLAG_VIEW, project=request.project)
    text = checked_text(text, "text")
    if not text:
        raise Invalid({"text": _("Write something first.")})
    comment = Comment.objects.create(
        request=request, author=intent.actor.label, text=text, at=intent.at
    )
    intent.record("change_request.commented", request, after={"text": text})
    return comment


def close_request(request: ChangeRequest, state: State, intent: Intent) -> None:
    """Decide a locked request, for services that have asked who may."""
    request.state, request.closed_at = state, intent.at
    request.closed_by = intent.actor.label
    request.save(update_fields=["state", "closed_at", "closed_by"])


def _same(change: Change, actor: Actor) -> ChangeRequest | None:
    return ChangeRequest.objects.filter(
        project=change.project,
        digest=change.digest,
        state=State.OPEN,
        author_kind=str(actor.kind),
        author_id_text=actor.id,
        author=actor.label,
    ).first()


def _open(change: Change, intent: Intent) -> ChangeRequest:
    request = gate.new_request(change, intent, author_user=authority.answerable(intent.actor))
    request.apply_when_approved = intent.options.apply_when_approved
    request.save()
    request.environments.set(change.environments)
    owner = request.author_user and request.author_user.username
    intent.record("change_request.opened", request, after=_content(request) | {"owner": owner})
    notifications.tell_opened(request)
    return request


def _revise(change: Change, intent: Intent) -> ChangeRequest:
    options = intent.options
    request = lock_request(change.project, int(options.revise or 0))
    if request.state not in (State.OPEN, State.REJECTED):
        raise Closed(request)
    if options.revision not in (None, request.revision):
        raise Edited
    if not _is_about(request, change):
        raise Invalid({"": _("A request cannot change its subject; open another request.")})
    before = _content(request)
    gate.fill_request(request, change, intent.at)
    request.revision += 1
    request.clear()
    request.state, request.closed_at, request.closed_by = State.OPEN, None, ""
    request.reason = intent.reason.strip() or request.reason
    request.apply_when_approved = options.apply_when_approved
    request.save()
    request.environments.set(change.environments)
    request.votes.all().delete()
    after = _content(request) | {"editor": _remember_editor(request, intent.actor).username}
    intent.record("change_request.edited", request, before=before, after=after)
    notifications.tell_opened(request)
    return request


def _is_about(request: ChangeRequest, change: Change) -> bool:
    """The same thing in the same place; where several are concerned, they may be more by now."""
    places = set(request.environments.values_list("pk", flat=True))
    same = (request.kind, request.subject) == (change.kind, change.subject)
    return same and not places.isdisjoint(environment.pk for environment in change.environments)


def _remember_editor(request: ChangeRequest, actor: Actor) -> User:
    """Raises Barred where nobody answers for the edit: who is behind it could vote on it."""
    editor = authority.answerable(actor)
    if editor is None:
        text = _("Nobody is responsible for {name}, so it cannot edit requests.")
        raise Barred(text.format(name=actor.label))
    Editor.objects.get_or_create(request=request, user=editor)
    return editor


def _content(request: ChangeRequest) -> dict[str, object]:
    return {
        "title": request.title,
        "change": request.words,
        "digest": request.digest,
        "revision": request.revision,
        "to": request.after,
        "content_sha256": content_sha256(request),
    }


def lock_open(request: ChangeRequest) -> ChangeRequest:
    """As lock_request; raises Closed where it is decided."""
    locked = lock_request(request.project, request.pk)
    if not locked.is_open:
        raise Closed(locked)
    return locked


def _is_author(request: ChangeRequest, actor: Actor) -> bool:
    asked = (request.author_kind, request.author_id_text, request.author)
    person = authority.user_of(actor)
    answers = person is not None and person.pk == request.author_user_id
    return answers or asked == (str(actor.kind), actor.id, actor.label)


def refuse_own(request: ChangeRequest, user: User) -> None:
    """Raise Barred for who asked for a request or edited it: somebody else has to agree."""
    if user.pk == request.author_user_id:
        raise Barred(_("You asked for this change, so somebody else has to approve it."))
    if request.editors.filter(user=user).exists():
        raise Barred(_("You edited this request, so somebody else has to approve it."))


def require_person(actor: Actor) -> User:
    """The signed-in person. Raises Forbidden for keys and the product itself: people vote."""
    user = authority.user_of(actor)
    if user is None or not user.is_active:
        raise Forbidden(Permission.CHANGE_REQUEST_APPROVE)
    return user


P = ParamSpec("P")
R = TypeVar("R")


def gated(write: Callable[P, R]) -> Callable[P, R]:
    """Run ``write`` in a transaction of its own.

    Where a policy wants others to agree first, nothing of it is kept; the change is filed as a
    request and Waiting raised, which says where. That is so for every caller: pages, the API,
    commands and imports.
    """

    @wraps(write)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with transaction.atomic():
                return write(*args, **kwargs)
        except ApprovalRequired as needed:
            if needed.intent.options.dry:
                raise
            raise Waiting(file_request(needed)) from None

    return attempt


@transaction.atomic
def renew_request(
    *, request: ChangeRequest, seen_digest: str, intent: Intent, prefer: Side | None = None
) -> ChangeRequest:
    """File what a request asks for on top of what the thing is now: an edit, as any other.

    What others changed meanwhile stays. ``prefer`` says whose stands where both changed the same:
    the request's (mine) or what is there now (theirs). Raises Forbidden for who may not want the
    change, Closed where it is decided, Edited where it asks for something else by now; Invalid
    where both changed the same and nobody chose, and where nothing is left to change, or to
    approve.
    """
    outbox.lock_people(request.project)
    locked = lock_open(request)
    if locked.digest != seen_digest:
        raise Edited
    found = handlers.subject_of(locked)
    current = found.now()
    if not found.has_moved(current):
        raise Invalid({"": _("This request is up to date already.")})
    merged = found.up_to_date(current, prefer or Side.MINE)
    if merged.clashes and prefer is None:
        text = _("Both changed the same; choose which of the two to keep: {what}.")
        raise Invalid({"prefer": text.format(what=", ".join(merged.clashes))})
    if same_document(merged.document, current.document):
        raise Invalid(
            {"": _("Already up to date: nothing is left to change. Withdraw the request.")}
        )
    options = WriteOptions(revise=locked.pk, apply_when_approved=locked.apply_when_approved)
    asking = replace(intent, reason=locked.reason, options=options)
    try:
        found.apply(Wanted(merged.document, current.version, asking))
    except Waiting as waiting:
        return waiting.request
    except ApprovalRequired as needed:
        return file_request(needed)
    # It went through: no policy asks for approval any more. Raising takes that back.
    raise Invalid(
        {"": _("This no longer needs approval. Withdraw the request and make the change.")}
    )
