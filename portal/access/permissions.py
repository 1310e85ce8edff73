"""What can be permitted, and what each role permits. Whatever is not named here is denied."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Permission(models.TextChoices):
    """One thing that a person or a key may be allowed to do."""

    FLAG_VIEW = "flag.view", _("see flags")
    FLAG_EDIT = "flag.edit", _("edit flags")
    FLAG_TOGGLE = "flag.toggle", _("turn flags on and off")
    FLAG_ARCHIVE = "flag.archive", _("archive flags")
    SEGMENT_EDIT = "segment.edit", _("edit segments")
    CHANGE_REQUEST_CREATE = "change_request.create", _("ask for changes")
    CHANGE_REQUEST_APPROVE = "change_request.approve", _("approve changes")
    CHANGE_REQUEST_APPLY = "change_request.apply", _("apply approved changes")
    RELEASE_CREATE = "release.create", _("plan releases")
    RELEASE_DEPLOY = "release.deploy", _("deploy releases")
    RELEASE_ROLLBACK = "release.rollback", _("roll releases back")
    RELEASE_APPROVE = "release.approve", _("approve releases")
    ENVIRONMENT_CONFIGURE = "environment.configure", _("configure environments")
    FREEZE_OVERRIDE = "freeze.override", _("change things during a freeze")
    KEY_MANAGE = "key.manage", _("manage API keys")
    MEMBER_MANAGE = "member.manage", _("manage members")
    AUDIT_VIEW = "audit.view", _("read the history")
    AUDIT_EXPORT = "audit.export", _("export the history")
    INCIDENT_MANAGE = "incident.manage", _("manage incidents")


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
