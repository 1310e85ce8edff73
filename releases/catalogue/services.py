from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from flags.models import Flag, FlagConfiguration
from portal.access import authority, outbox
from portal.access.models import Environment, Project, User
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.changes import Change, same_document
from portal.approvals.services import gated
from portal.lib import journal
from portal.lib.errors import Conflict, Forbidden, Invalid, refuse
from portal.lib.journal import Intent
from releases.catalogue import reading, selectors
from releases.catalogue.descriptions import setup_changes
from releases.catalogue.haproxy import is_shared
from releases.catalogue.models import Artefact, Service, ServiceSetup

SETUP = "service.setup"
MOST_SERVICES = 500
Document = Mapping[str, Any]


@transaction.atomic
def put_service(
    *, project: Project, key: str, name: str, owners: list[str], intent: Intent
) -> Service:
    """Make a service, or change what it is called and who owns it; its key stays.

    Raises Forbidden without ``release.create`` in any environment; Invalid with each field that is
    wrong, and where the project has its fill of services.
    """
    require_somewhere(project, intent)
    given = {"key": key, "name": name, "owners": owners}
    wanted = reading.valid(reading.read_service, given)
    outbox.lock_people(project)
    _refuse_unknown_owners(wanted["owners"])
    service = selectors.services_of(project).filter(key=wanted["key"]).first()
    before = service.document if service else None
    if service is None:
        _refuse_too_many(project)
        service = Service(project=project, key=wanted["key"], created_at=intent.at)
    elif before == wanted:
        return service
    service.name, service.owners = wanted["name"], wanted["owners"]
    service.save()
    event = "service.edited" if before else "service.created"
    intent.record(event, service, before=before, after=service.document)
    return service


def require_somewhere(project: Project, intent: Intent) -> None:
    """Raise Forbidden without ``release.create`` in any environment: what all of them share belongs
    to none, and a key reaches one, as somebody's role may."""
    for environment in project.environments.all():
        held = authority.permissions_of(intent.actor, project, environment)
        if Permission.RELEASE_CREATE in held:
            return
    raise Forbidden(Permission.RELEASE_CREATE)


def _refuse_unknown_owners(owners: list[str]) -> None:
    known = set(User.objects.filter(username__in=owners).values_list("username", flat=True))
    refuse(
        {
            f"owners[{place}]": _("There is no user {name}.").format(name=owner)
            for place, owner in enumerate(owners)
            if owner not in known
        }
    )


def _refuse_too_many(project: Project) -> None:
    if Service.objects.filter(project=project).count() >= MOST_SERVICES:
        raise Invalid.of("", _("A project has at most {most} services."), most=MOST_SERVICES)


@gated
def put_setup(
    *,
    service: Service,
    environment: Environment,
    document: object,
    intent: Intent,
    expected_version: int | None = None,
) -> ServiceSetup:
    """Say how a service is released in an environment; see releases.catalogue.reading.

    Releases that are planned already keep the router and checks that they were planned with.
    Raises Forbidden without ``release.deploy`` there; Invalid with each problem; Conflict where the
    setup is no longer at ``expected_version`` (0 for none); Waiting where others have to agree.
    """
    gate.require(
        intent, Permission.RELEASE_DEPLOY, project=service.project, environment=environment
    )
    (environment,) = outbox.lock_environments([environment])
    environment.project = service.project
    wanted = reading.valid(reading.read_setup, document)
    current = selectors.setup_of(service, environment) or ServiceSetup(
        service=service, environment=environment
    )
    if expected_version not in (None, current.version):
        raise _conflict(current, wanted)
    _refuse_unroutable(service, environment, wanted["router"])
    return _store(current, wanted, intent)


def _store(current: ServiceSetup, wanted: Document, intent: Intent) -> ServiceSetup:
    before = current.document if current.version else {}
    if same_document(before, wanted):
        return current
    change = _change(current, before, wanted)
    result = gate.check(change, intent)
    for field, value in wanted.items():
        setattr(current, field, value)
    current.version += 1
    current.updated_at, current.updated_by = intent.at, intent.actor.label
    current.save()
    journal.write(change.entry("service.setup_changed", result))
    return current


def _change(current: ServiceSetup, before: Document, after: Document) -> Change:
    service, environment = current.service, current.environment
    text = _("Change how {service} is released in {environment}")
    return Change(
        kind=SETUP,
        project=service.project,
        environments=(environment,),
        place=environment,
        subject_kind="service",
        subject=service.key,
        title=text.format(service=service.name, environment=environment.name),
        base_version=str(current.version),
        before=before,
        after=after,
        permissions=(Permission.RELEASE_DEPLOY,),
        words=tuple(setup_changes(before, after)),
    )


def _conflict(current: ServiceSetup, wanted: Document) -> Conflict:
    text = _("{person} changed how this is released in {environment} meanwhile.")
    by = current.updated_by or _("Someone")
    return Conflict(
        text.format(person=by, environment=current.environment.name),
        current={**current.document, "version": current.version} if current.version else {},
        yours=wanted,
    )


def _refuse_unroutable(service: Service, environment: Environment, router: Document) -> None:
    if router["kind"] == "haproxy":
        _refuse_unlisted(router)
        _refuse_shared_haproxy(service, environment, router)
    if router["kind"] != "flag":
        return
    flag = Flag.objects.alive().filter(project=service.project, key=router["flag"]).first()
    if flag is None:
        raise Invalid({"router.flag": _("There is no such flag in use in this project.")})
    if not FlagConfiguration.objects.filter(
        flag=flag, environment=environment, introduced=True
    ).exists():
        text = _("{flag} is not introduced in {environment} yet. Introduce it there first.")
        raise Invalid.of("router.flag", text, flag=flag.key, environment=environment.name)
    _refuse_unknown_variants(flag, router)
    _refuse_shared(service, environment, flag.key)


def _refuse_unlisted(router: Document) -> None:
    listed = sorted(settings.HAPROXY)
    known = ", ".join(listed) if listed else _("none")
    text = _("The setting AVIARY_HAPROXY names no haproxy {name}; it names {known}.")
    refuse(
        {
            f"router.haproxy[{n}]": text.format(name=one, known=known)
            for n, one in enumerate(router["haproxy"])
            if one not in listed
        }
    )


def _refuse_shared_haproxy(service: Service, environment: Environment, router: Document) -> None:
    """Whoever it belongs to: all projects of a site share its haproxys."""
    others = ServiceSetup.objects.filter(router__kind="haproxy").select_related("service__project")
    mine = Q(service=service, environment=environment)
    for other in others.exclude(mine):
        if is_shared(router, other.router):
            text = _("Another service is routed by this already. Give each its own.")
            if other.service.project_id == service.project_id:
                text = _("{service} is routed by this already. Give each service its own.")
            path = "router.key" if "key" in router else "router.servers"
            raise Invalid.of(path, text, service=other.service.key)


def _refuse_unknown_variants(flag: Flag, router: Document) -> None:
    named = {f"router.variants[{n}]": one for n, one in enumerate(router["variants"])}
    if "baseline" in router:
        named["router.baseline"] = router["baseline"]
    known = [variant["key"] for variant in flag.variants]
    text = _("{flag} has no variant {variant}; it has {known}.")
    refuse(
        {
            path: text.format(flag=flag.key, variant=one, known=", ".join(known))
            for path, one in named.items()
            if one not in known
        }
    )


def _refuse_shared(service: Service, environment: Environment, flag: str) -> None:
    """Two services that move one flag would move each other's users."""
    others = ServiceSetup.objects.filter(environment=environment, router__flag=flag)
    other = others.exclude(service=service).select_related("service").first()
    if other is not None:
        text = _("{service} is routed by this flag already. Give each service a flag of its own.")
        raise Invalid.of("router.flag", text, service=other.service.key)


def artefact_of(*, service: Service, document: object, intent: Intent) -> Artefact:
    """The artefact that a document names, recorded where it is new. Inside the caller's
    transaction, who asks for the permission.

    Raises Invalid with each problem; Conflict where that version has another digest.
    """
    wanted = reading.valid(reading.read_artefact, document)
    artefact, is_new = Artefact.objects.get_or_create(
        service=service,
        version=wanted["version"],
        defaults={**wanted, "created_at": intent.at},
    )
    if is_new:
        intent.record("service.artefact_recorded", service, after=artefact.document)
    elif artefact.digest != wanted["digest"]:
        text = _("{version} of {service} has the digest {digest}; build another version instead.")
        raise Conflict(
            text.format(version=artefact.version, service=service.key, digest=artefact.digest),
            current=artefact.document,
            yours={"version": wanted["version"], "digest": wanted["digest"]},
        )
    return artefact
