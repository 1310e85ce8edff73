from django.db import transaction
from django.utils.translation import gettext as _

from flags.models import Favourite, Flag, SavedView
from portal.access import authority
from portal.access.models import Project, User
from portal.access.permissions import Permission
from portal.lib.errors import Invalid, checked_text
from portal.lib.journal import Intent

MOST_VIEWS = 100
MOST_NAME, MOST_QUERY = 60, 2000


def set_favourite(*, flag: Flag, user: User, favourite: bool) -> None:
    if favourite:
        Favourite.objects.get_or_create(flag=flag, user=user)
    else:
        Favourite.objects.filter(flag=flag, user=user).delete()


@transaction.atomic
def save_view(
    *,
    project: Project,
    user: User,
    intent: Intent,
    view: SavedView | None,
    name: str,
    query: str,
    shared: bool,
    default: bool,
) -> SavedView:
    """Create a view, or change one. ``default`` is for the person themselves.

    Raises Forbidden for sharing without ``flag.edit``; Invalid for a name that is missing, too long
    or taken.
    """
    if shared:
        authority.require(intent.actor, Permission.FLAG_EDIT, project=project)
    name = checked_text(name, "name", most=MOST_NAME)
    query = checked_text(query, "query", most=MOST_QUERY)
    view = view or SavedView(project=project, owner=user)
    _check_name(view, name)
    view.name, view.query, view.shared = name, query, shared
    view.save()
    set_default(view=view, user=user, default=default)
    return view


def _check_name(view: SavedView, name: str) -> None:
    others = SavedView.objects.filter(project=view.project, owner=view.owner).exclude(pk=view.pk)
    if not name:
        raise Invalid({"name": _("Give it a name.")})
    if others.filter(name=name).exists():
        raise Invalid({"name": _("You have a view of this name already.")})
    if others.count() >= MOST_VIEWS:
        raise Invalid({"name": _("Delete a view first; there are too many.")})


def set_default(*, view: SavedView, user: User, default: bool) -> None:
    if default:
        for other in user.default_views.filter(project=view.project).exclude(pk=view.pk):
            other.default_for.remove(user)
        view.default_for.add(user)
    else:
        view.default_for.remove(user)


def delete_view(*, view: SavedView) -> None:
    view.delete()
