"""What can be permitted, and what each role permits. Whatever is not named here is denied."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import models
from django.utils.translation import gettext_lazy as _


class Permission(models.TextChoices):
    FLAG_VIEW = "flag.view", _("see flags")
    FLAG_EDIT = "flag.edit", _("edit flags")
    FLAG_TOGGLE = "flag.toggle", _("turn flags on and off")
    FLAG_ARCHIVE = "flag.archive", _("archive flags")
    SEGMENT_EDIT = "segment.edit", _("edit segments")
    CHANGE_REQUEST_CREATE = "change_request.create", _("create change requests")
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


class BuiltinRole(models.TextChoices):
    VIEWER = "viewer", _("viewer")
    AUDITOR = "auditor", _("auditor")
    PRODUCT_MANAGER = "product_manager", _("product manager")
    DEVELOPER = "developer", _("developer")
    QA = "qa", _("QA")
    DEVOPS = "devops", _("DevOps")
    ON_CALL_ENGINEER = "on_call_engineer", _("on-call engineer")
    SENIOR_DEVELOPER = "senior_developer", _("senior developer")
    DEVOPS_LEAD = "devops_lead", _("DevOps lead")
    PROJECT_ADMIN = "project_admin", _("project admin")


P = Permission
_VIEW = frozenset({P.FLAG_VIEW, P.AUDIT_VIEW})
_ASK = _VIEW | {P.CHANGE_REQUEST_CREATE, P.CHANGE_REQUEST_APPLY}
_EDIT = _ASK | {P.FLAG_EDIT, P.FLAG_TOGGLE, P.FLAG_ARCHIVE, P.SEGMENT_EDIT}
_DEVELOP = _EDIT | {P.RELEASE_CREATE}
_OPERATE = _ASK | {P.FLAG_TOGGLE, P.KEY_MANAGE}
_OPERATE |= {P.RELEASE_CREATE, P.RELEASE_DEPLOY, P.RELEASE_ROLLBACK}
_APPROVE = frozenset({P.CHANGE_REQUEST_APPROVE, P.RELEASE_APPROVE})

BUILTIN_ROLES: dict[str, frozenset[Permission]] = {
    BuiltinRole.VIEWER: _VIEW,
    BuiltinRole.AUDITOR: _VIEW | {P.AUDIT_EXPORT},
    BuiltinRole.PRODUCT_MANAGER: _EDIT,
    BuiltinRole.DEVELOPER: _DEVELOP,
    BuiltinRole.QA: _ASK | {P.FLAG_TOGGLE, P.CHANGE_REQUEST_APPROVE},
    BuiltinRole.DEVOPS: _OPERATE,
    # The person on call can stop and undo everything, and start nothing.
    BuiltinRole.ON_CALL_ENGINEER: _ASK | {P.FLAG_TOGGLE, P.RELEASE_ROLLBACK, P.INCIDENT_MANAGE},
    BuiltinRole.SENIOR_DEVELOPER: _DEVELOP | _APPROVE | {P.RELEASE_ROLLBACK},
    BuiltinRole.DEVOPS_LEAD: _OPERATE
    | _APPROVE
    | {P.ENVIRONMENT_CONFIGURE, P.FREEZE_OVERRIDE, P.INCIDENT_MANAGE},
    BuiltinRole.PROJECT_ADMIN: frozenset(Permission),
}
# An admin key acts for a script in one environment, such as one that releases what it has built; it
# hands out no access of its own.
ADMIN_KEY_PERMISSIONS: frozenset[Permission] = frozenset(
    {
        P.FLAG_VIEW,
        P.FLAG_EDIT,
        P.FLAG_TOGGLE,
        P.FLAG_ARCHIVE,
        P.SEGMENT_EDIT,
        P.CHANGE_REQUEST_CREATE,
        P.RELEASE_CREATE,
        P.RELEASE_DEPLOY,
        P.RELEASE_ROLLBACK,
        P.AUDIT_VIEW,
        P.AUDIT_EXPORT,
    }
)
# What an admin key may be given on top, when it is issued.
ADDITIONAL_RIGHTS: tuple[Permission, ...] = (
    P.ENVIRONMENT_CONFIGURE,
    P.MEMBER_MANAGE,
    P.KEY_MANAGE,
    P.INCIDENT_MANAGE,
)
# What a client key may be given when it is issued: what it tells of versions then decides about
# releases, as what a server key tells does.
TELEMETRY = "telemetry"
# What stands between a key and a change takes a person to hand out, and so does the right to hand
# that out: the thief of a key that manages members would else invite the people who agree with
# it, or one who makes them.
HANDED_OUT_BY_PEOPLE: frozenset[Permission] = frozenset(
    {P.CHANGE_REQUEST_APPROVE, P.RELEASE_APPROVE, P.FREEZE_OVERRIDE, P.MEMBER_MANAGE}
)
EVERYTHING: frozenset[Permission] = frozenset(Permission)

# What an environment can reserve for named roles: things that are done in it. The others are
# about the project as a whole.
RESERVABLE: frozenset[Permission] = frozenset(
    {
        P.FLAG_EDIT,
        P.FLAG_TOGGLE,
        P.FLAG_ARCHIVE,
        P.SEGMENT_EDIT,
        P.CHANGE_REQUEST_CREATE,
        P.CHANGE_REQUEST_APPROVE,
        P.CHANGE_REQUEST_APPLY,
        P.RELEASE_CREATE,
        P.RELEASE_DEPLOY,
        P.RELEASE_ROLLBACK,
        P.RELEASE_APPROVE,
        P.FREEZE_OVERRIDE,
    }
)
# Seeing one environment means seeing the project: its pages show them together.
READS: frozenset[Permission] = frozenset({P.FLAG_VIEW, P.AUDIT_VIEW})


# What follows from the roles that somebody holds. Pure: rows in, permissions out.


NOTHING: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class RoleAssignments:
    """Somebody's roles in one project, and the rules of its environments.

    ``given`` are pairs (name of a role or group, id of the environment it counts in; None for
    all). ``roles`` maps the names of roles to their permissions; a group has none of its own, but
    rules may name it. ``rules`` maps (environment id, permission) to the names that it is reserved
    for. ``environments`` are the ids of all of the project's environments.
    """

    given: frozenset[tuple[str, int | None]] = frozenset()
    roles: Mapping[str, frozenset[Permission]] = field(default_factory=dict)
    rules: Mapping[tuple[int, str], frozenset[str]] = field(default_factory=dict)
    environments: frozenset[int] = frozenset()
    unlimited: bool = False

    def names_in(self, environment: int) -> frozenset[str]:
        return frozenset(name for name, where in self.given if where in (None, environment))

    def in_environment(self, environment: int) -> frozenset[Permission]:
        """What somebody may do in an environment.

        A permission that the environment reserves belongs to exactly the roles it is reserved
        for; every other one to the roles that hold it anyway.
        """
        if self.unlimited:
            return EVERYTHING
        names = self.names_in(environment)
        held = self._held(names)
        for (where, permission), reserved in self.rules.items():
            if where == environment:
                one = {Permission(permission)}
                held = held | one if names & reserved else held - one
        return held

    def in_project(self) -> frozenset[Permission]:
        """What somebody may do to the project as a whole: what they may do in all of it.

        Reading is the exception: seeing one environment is seeing the project.
        """
        if self.unlimited:
            return EVERYTHING
        reads = self._held(frozenset(name for name, _where in self.given)) & READS
        everywhere = [self.in_environment(environment) for environment in self.environments]
        if not everywhere:
            return self._held(frozenset(name for name, where in self.given if where is None))
        return frozenset.intersection(*everywhere) | reads

    def _held(self, names: frozenset[str]) -> frozenset[Permission]:
        return frozenset[Permission]().union(*(self.roles.get(name, NOTHING) for name in names))
