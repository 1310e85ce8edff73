"""Setting release policies: every change passes the gate wherever the policy holds before or after.

A new policy can lower protection as well, for a more specific one wins. So none is exempt.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.changes import Change, same_document
from portal.approvals.services import gated
from portal.lib import journal
from portal.lib.documents import Problem, Reader, all_different, checked, list_of, name, record
from portal.lib.errors import Conflict, Forbidden, Invalid, refuse
from portal.lib.journal import Intent
from releases.catalogue.models import Service
from releases.catalogue.reading import check_address, read_key, valid
from releases.engine.checks import Check, read_checks
from releases.policies.descriptions import policy_changes
from releases.policies.models import PlanTemplate, ReleasePolicy

POLICY = "release_policy"
MOST_POLICIES = 100
Document = Mapping[str, Any]


@gated
def put_policy(
    *,
    project: Project,
    key: str,
    document: object,
    intent: Intent,
    expected_version: int | None = None,
) -> ReleasePolicy:
    """Make a policy, or change it; see releases.policies.services.

    Releases that are planned already keep their plan, and start only if it still fits. Raises
    Forbidden without ``environment.configure`` in each environment that it concerns before or
    after; Invalid with each problem; Conflict where it is no longer at ``expected_version`` (0 for
    none); Waiting where others have to agree.
    """
    wanted = valid(read_policy, document)
    current = _lock(project, valid(read_key, key, under="key"))
    _refuse_unknown(project, wanted)
    before = current.document if current.version else {}
    places = _places(project, before, wanted)
    _require(project, places, intent)
    _refuse_outdated(current, wanted, expected_version)  # which shows it
    if same_document(before, wanted):
        return current
    if not before and ReleasePolicy.objects.filter(project=project).count() >= MOST_POLICIES:
        raise Invalid.of(
            "", _("A project has at most {most} release policies."), most=MOST_POLICIES
        )
    change = _change(current, places, before, wanted)
    result = gate.check(change, intent)
    for field, value in wanted.items():
        setattr(current, field, value)
    current.version += 1
    current.updated_at, current.updated_by = intent.at, intent.actor.label
    current.save()
    journal.write(change.entry("release_policy.saved", result))
    return current


@gated
def delete_policy(
    *, project: Project, key: str, intent: Intent, expected_version: int | None = None
) -> None:
    """Delete a policy. Raises what put_policy raises, and Conflict where it is gone already."""
    current = _lock(project, key)
    _refuse_outdated(current, {}, expected_version)
    if not current.version:
        raise Conflict(_("It has been deleted already."), current={}, yours={})
    places = _places(project, current.document)
    _require(project, places, intent)
    change = _change(current, places, current.document, {})
    result = gate.check(change, intent)
    current.delete()
    journal.write(change.entry("release_policy.deleted", result))


def _lock(project: Project, key: str) -> ReleasePolicy:
    """The policy, locked with its project against any other change; a new one where there is
    none."""
    outbox.lock_people(project)
    found = ReleasePolicy.objects.filter(project=project, key=key).first()
    found = found or ReleasePolicy(key=key)
    found.project = project
    return found


def _refuse_outdated(current: ReleasePolicy, wanted: Document, expected: int | None) -> None:
    if expected not in (None, current.version):
        text = _("{person} changed this policy meanwhile.")
        said = current.document | {"version": current.version} if current.version else {}
        by = current.updated_by or _("Someone")
        raise Conflict(text.format(person=by), current=said, yours=dict(wanted))


def _refuse_unknown(project: Project, wanted: Document) -> None:
    known = {
        "environments": project.environments.all(),
        "services": Service.objects.filter(project=project),
        "templates": PlanTemplate.objects.filter(project=project),
    }
    texts = {
        "environments": _("There is no environment {key}."),
        "services": _("There is no service {key}."),
        "templates": _("There is no plan template {key}."),
    }
    problems = {}
    for field, rows in known.items():
        keys = set(rows.values_list("key", flat=True))
        for place, key in enumerate(wanted[field]):
            if key not in keys:
                problems[f"{field}[{place}]"] = texts[field].format(key=key)
    refuse(problems)


def places_of(project: Project, environments: Iterable[str]) -> list[Environment]:
    """The environments that a policy is for: those it names, or all of the project."""
    found, named = project.environments.order_by("pk"), list(environments)
    return list(found.filter(key__in=named) if named else found)


def _places(project: Project, *documents: Document) -> list[Environment]:
    found = {
        place.pk: place
        for one in documents
        if one
        for place in places_of(project, one["environments"])
    }
    return outbox.lock_environments(found.values())


def _require(project: Project, places: list[Environment], intent: Intent) -> None:
    """Raise Forbidden, naming where. Who carries out what others agreed to needs no right."""
    if not intent.options.is_own:
        return
    permission = Permission.ENVIRONMENT_CONFIGURE
    lacking = [
        place.name
        for place in places
        if permission not in authority.permissions_of(intent.actor, project, place)
    ]
    if lacking:
        text = _("{permission} in {places}")
        raise Forbidden(text.format(permission=permission.label, places=", ".join(lacking)))


def _change(
    policy: ReleasePolicy, places: list[Environment], before: Document, after: Document
) -> Change:
    text = _("Change the release policy {name}") if after else _("Delete the release policy {name}")
    return Change(
        kind=POLICY,
        project=policy.project,
        environments=tuple(places),
        subject_kind="release_policy",
        subject=policy.key,
        title=text.format(name=(after or before)["name"]),
        base_version=str(policy.version),
        before=before,
        after=after,
        permissions=(Permission.ENVIRONMENT_CONFIGURE,),
        words=tuple(policy_changes(before, after)),
        serves=False,
        place=places[0] if len(places) == 1 else None,
    )


MOST_NAMES: Final = 100
MOST_REQUIRED: Final = 20
_read_keys = all_different(list_of(name(100, 1), most=MOST_NAMES))


def _policy(
    name: str,
    environments: Iterable[str] = (),
    services: Iterable[str] = (),
    tags: Iterable[str] = (),
    checks: Iterable[Check] = (),
    templates: Iterable[str] = (),
) -> dict[str, Any]:
    return {
        "name": name,
        "environments": sorted(environments),
        "services": sorted(services),
        "tags": sorted(tags),
        "checks": [check.document for check in checks],
        "templates": sorted(templates),
    }


def _check_policy(policy: Mapping[str, Any]) -> Iterator[Problem]:
    if not (policy["checks"] or policy["templates"]):
        yield Problem("", "Attach a check, or require a template.")
    taken = set()
    for place, check in enumerate(policy["checks"]):
        if check["key"] in taken:
            yield Problem(f"checks[{place}].key", "Give each check a key of its own.")
        taken.add(check["key"])
        yield from check_address(check, f"checks[{place}]")


read_policy: Final[Reader[dict[str, Any]]] = checked(
    record(
        _policy,
        {"name": name(200, 1)},
        {
            "environments": _read_keys,
            "services": _read_keys,
            "tags": _read_keys,
            "checks": read_checks,
            "templates": all_different(list_of(name(50, 1), most=MOST_REQUIRED)),
        },
    ),
    _check_policy,
)
"""Reads a policy; what it leaves out is empty. Checks get every field that their kind has."""
