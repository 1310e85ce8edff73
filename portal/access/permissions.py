"""What can be permitted, and what each role permits. Whatever is not named here is denied."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Permission(models.TextChoices):
    """One thing that a person or a key may be allowed to do."""

    FLAG_VIEW = "flag.view", _("see flags")
    FLAG_EDIT = "flag.edit", _("edit flags")
    FLAG_TOGGLE = "flag.toggle", _("turn flags on and off")
    FLAG_ARCHIVE = "flag.archive", _("archive flags")
    ENVIRONMENT_CONFIGURE = "environment.configure", _("configure environments")
    KEY_MANAGE = "key.manage", _("manage API keys")
    MEMBER_MANAGE = "member.manage", _("manage members")
    AUDIT_VIEW = "audit.view", _("read the history")


class Role(models.TextChoices):
    """What someone is to a project."""

    VIEWER = "viewer", _("viewer")
    EDITOR = "editor", _("editor")
    ADMIN = "admin", _("admin")


_VIEW = frozenset({Permission.FLAG_VIEW, Permission.AUDIT_VIEW})
_EDIT = _VIEW | {Permission.FLAG_EDIT, Permission.FLAG_TOGGLE, Permission.FLAG_ARCHIVE}

ROLE_PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.VIEWER: _VIEW,
    Role.EDITOR: _EDIT,
    Role.ADMIN: frozenset(Permission),
}
# An admin key acts for a script in one environment; it hands out no access of its own.
ADMIN_KEY_PERMISSIONS: frozenset[Permission] = _EDIT
EVERYTHING: frozenset[Permission] = frozenset(Permission)
