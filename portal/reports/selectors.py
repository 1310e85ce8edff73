from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils.functional import Promise
from django.utils.translation import gettext as _, gettext_lazy, ngettext

from portal.access import authority, overview, selectors
from portal.access.models import ApiKey, Environment, Grant, KeyKind, Project, User
from portal.access.permissions import Permission
from portal.approvals.models import Policy
from portal.approvals.selectors import policies_of
from portal.audit.models import AuditEvent
from portal.lib.journal import Trace
from portal.lib.web.spreadsheets import Value


@dataclass(frozen=True, slots=True)
class Wanted:
    now: datetime
    environment: Environment | None = None
    days: int = 90

    @property
    def since(self) -> datetime:
        """What is older counts as unused."""
        return self.now - timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Table:
    """Column titles and rows; an instant is a datetime in UTC, None means never."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]


# Each of these in production lets its holder change what users get.
CHANGES = (
    Permission.FLAG_EDIT,
    Permission.FLAG_TOGGLE,
    Permission.FLAG_ARCHIVE,
    Permission.SEGMENT_EDIT,
    Permission.RELEASE_DEPLOY,
    Permission.RELEASE_ROLLBACK,
)

# A key gives nobody a vote, nor another key the right to post evidence.
_BY_PEOPLE = frozenset({Permission.MEMBER_MANAGE, Permission.KEY_MANAGE})


def production_alone(project: Project, wanted: Wanted) -> Table:
    """Who can change production without anybody else: people, site administrators, scripts."""
    places = [one for one in _places(project, wanted) if one.is_production]
    policies = policies_of(places)
    rows = [
        row
        for place in places
        for row in _who_changes(project, place, policies.get(place.pk), wanted.now)
    ]
    return Table([_("Environment"), _("Who"), _("Kind"), _("May")], rows)


def unused_roles(project: Project, wanted: Wanted) -> Table:
    labels, used = overview.role_labels(project), _last_uses(project)
    columns = [_("Who"), _("Role"), _("Environment"), _("Given"), _("Last used")]
    grants = project.grants.select_related("user", "group", "environment")
    grants = grants.prefetch_related("group__members").filter(given_at__lte=wanted.since)
    if wanted.environment:
        grants = grants.filter(environment=wanted.environment)
    rows: list[tuple[Value, ...]] = []
    for grant in grants:
        last = max((used.get(key) for key in _users_of(grant)), key=_or_never, default=None)
        if last is None or last < wanted.since:
            place = grant.environment.name if grant.environment else _("all environments")
            role = labels.get(grant.role, grant.role)
            rows.append((_holder(grant), role, place, grant.given_at, last))
    return Table(columns, sorted(rows, key=lambda row: (_or_never(row[4]), str(row[0]))))


def keys_by_use(project: Project, wanted: Wanted) -> Table:
    columns = [_("Key"), _("Environment"), _("Kind"), _("Created by"), _("Created"), _("Last used")]
    keys = ApiKey.objects.usable(now=wanted.now).filter(environment__in=_places(project, wanted))
    rows = [
        (
            *(key.name, key.environment.name, key.get_kind_display(), key.created_by),
            *(key.created_at, key.last_used_at),
        )
        for key in keys.select_related("environment")
    ]
    return Table(columns, sorted(rows, key=lambda row: (_or_never(row[5]), row[4])))


@dataclass(frozen=True, slots=True)
class Report:
    title: str | Promise
    about: str | Promise
    rows: Callable[[Project, Wanted], Table]
    asks_for_days: bool = False


REPORTS = {
    "production-alone": Report(
        gettext_lazy("Who can change production alone"),
        gettext_lazy(
            "People, site administrators and scripts that nobody else has to agree with, in "
            "environments of the kind production: at once, by breaking glass, by adding people "
            "who approve, or by keys and the evidence that they post."
        ),
        production_alone,
    ),
    "unused-roles": Report(
        gettext_lazy("Roles that nobody uses"),
        gettext_lazy(
            "Given before the period, and nothing in the history since by its holder, "
            "in that environment."
        ),
        unused_roles,
        asks_for_days=True,
    ),
    "keys": Report(
        gettext_lazy("API keys by last use"),
        gettext_lazy("Every key that still opens something; what was never used comes first."),
        keys_by_use,
    ),
}


def _places(project: Project, wanted: Wanted) -> list[Environment]:
    if wanted.environment:
        return [wanted.environment]
    return list(project.environments.all())


def _who_changes(
    project: Project, place: Environment, policy: Policy | None, now: datetime
) -> Iterable[tuple[Value, ...]]:
    people = list(selectors.members_of(project).filter(is_active=True))
    roots = User.objects.filter(is_superuser=True, is_active=True)
    roots = roots.exclude(pk__in=[one.pk for one in people])
    people += roots.order_by("username")
    held = authority.role_assignments_of_all(people, project)
    for person in people:
        assignments = held[person.pk]
        names, permissions = assignments.names_in(place.pk), assignments.in_environment(place.pk)
        whole = assignments.in_project() & {Permission.MEMBER_MANAGE}
        may = _alone(permissions | whole, names, policy)
        if may:
            kind = _("site administrator") if person.is_superuser else _("member")
            yield place.name, person.username, kind, may
    keys = ApiKey.objects.usable(now=now).filter(environment=place, kind=KeyKind.ADMIN)
    for key in keys.order_by("name"):
        actor = authority.key_actor(key, Trace())
        permissions = authority.permissions_of(actor, project, place) - _BY_PEOPLE
        ways = [_alone(permissions, frozenset(), policy), _evidence_of(key, policy)]
        may = "; ".join(filter(None, ways))
        if may:
            yield place.name, key.name, _("admin key"), may


def _by_adding_people(policy: Policy) -> str:
    if not policy.independence_days:
        return _("by adding people who approve, at once")
    text = ngettext(
        "by adding people who approve, after {n} day",
        "by adding people who approve, after {n} days",
        policy.independence_days,
    )
    return text.format(n=policy.independence_days)


def _evidence_of(key: ApiKey, policy: Policy | None) -> str:
    kinds = sorted(set(key.evidence) & set(policy.evidence)) if policy else []
    if not kinds:
        return ""
    return _("by posting the evidence {kinds}").format(kinds=", ".join(kinds))


def _alone(permissions: frozenset[Permission], names: frozenset[str], policy: Policy | None) -> str:
    changes = ", ".join(str(one.label) for one in CHANGES if one in permissions)
    if policy is None:
        return changes
    ways = []
    if changes and names & set(policy.break_glass):
        ways.append(_("by breaking glass: {changes}").format(changes=changes))
    if Permission.MEMBER_MANAGE in permissions:
        ways.append(_by_adding_people(policy))
        if policy.break_glass:
            ways.append(_("by giving a role that may break glass"))
    if Permission.KEY_MANAGE in permissions and policy.evidence:
        text = _("by a key that posts the evidence {kinds}, for what others approve")
        ways.append(text.format(kinds=", ".join(sorted(policy.evidence))))
    if Permission.FLAG_TOGGLE in permissions and not policy.turning_off_needs_approval:
        ways.append(_("turn flags off"))
    return "; ".join(ways)


def _last_uses(project: Project) -> dict[tuple[str, str], datetime]:
    """(id of the user, key of the environment; empty for any) -> the last thing they did there."""
    found: dict[tuple[str, str], datetime] = {}
    events = AuditEvent.objects.filter(project=project.key, actor_kind="user").order_by()
    by_place = events.values_list("actor_id", "environment").annotate(last=Max("at"))
    for actor, environment, last in by_place:
        for place in {environment, ""}:
            found[actor, place] = max(last, found.get((actor, place), last))
    return found


def _users_of(grant: Grant) -> list[tuple[str, str]]:
    """Where a grant would have left traces: (id of a user, key of the environment)."""
    place = grant.environment.key if grant.environment else ""
    if grant.user_id:
        return [(str(grant.user_id), place)]
    members = grant.group.members.all() if grant.group else ()
    return [(str(one.pk), place) for one in members]


def _holder(grant: Grant) -> str:
    if grant.user:
        return grant.user.username
    return _("group {name}").format(name=grant.group.name if grant.group else "")


def _or_never(value: Value) -> float:
    """For sorting: what never was comes before everything."""
    return value.timestamp() if isinstance(value, datetime) else 0.0
