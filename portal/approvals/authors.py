from collections.abc import Iterable

from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals.descriptions import unowned_sentence
from portal.approvals.errors import Barred, NotApproved
from portal.approvals.models import ChangeRequest
from portal.lib.journal import Actor, ActorKind, Trace
from portal.runs.models import Authored


def author_of(request: ChangeRequest) -> Actor:
    return Actor(ActorKind(request.author_kind), request.author_id_text, request.author)


def require_author(request: ChangeRequest) -> None:
    """Who asked must still be someone who may want this, and who answers for it as well.

    Raises Barred; where a key or a command asked, and nobody answers for it yet, NotApproved.
    """
    if request.author_user is None:
        raise NotApproved([unowned_sentence(request)])
    permissions = [Permission(one) for one in request.permissions]
    places = list(request.environments.all())
    for author in {author_of(request), authority.user_actor(request.author_user, Trace())}:
        require_still(author, permissions, project=request.project, places=places)


def require_still(
    author: Actor,
    permissions: Iterable[Permission],
    *,
    project: Project,
    places: list[Environment],
) -> None:
    """Somebody must hold each permission now. Raises Barred, which says who lacks what."""
    where = places[0] if len(places) == 1 else None
    held = authority.permissions_of(author, project, where)
    for permission in permissions:
        if permission not in held:
            text = _("{person}, who asked for this, may no longer {permission}.")
            raise Barred(text.format(person=author.label, permission=permission.label))


def answer_for(work: Authored, actor: Actor, agreement: int | None) -> None:
    """Note who answers for work: who asked for it, where others agreed. The caller saves it."""
    work.agreement_id = agreement
    request = ChangeRequest.objects.filter(pk=agreement).first() if agreement else None
    author = author_of(request) if request else actor
    work.author_kind, work.author_id_text = str(author.kind), author.id
    work.author = author.label
    work.author_user = request.author_user if request else authority.answerable(author)
