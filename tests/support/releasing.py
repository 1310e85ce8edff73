"""Services for tests, and how they are released."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import F

from flags.core import configurations
from flags.engine.sketch import Sketch, bucket_of
from flags.models import Flag
from portal.access.models import Environment, Project, User
from portal.lib import clock
from portal.lib.journal import Intent
from releases.catalogue import services
from releases.catalogue.models import Service, ServiceSetup
from releases.core import commands, planning, runner, selectors, situation
from releases.core.models import Comparison, Release
from releases.policies import templates
from releases.policies.models import PlanTemplate, ReleasePolicy
from releases.policies.services import put_policy
from releases.telemetry.models import OutcomeBucket
from tests.support.people import SETTING_UP, acting, create_flag
from tests.support.remembering import remembered

DIGEST = "sha256:" + "a" * 64
ROUTE: dict[str, object] = {
    "key": "shop-route",
    "value_type": "string",
    "variants": [{"key": key, "value": key} for key in ("blue", "green", "baseline")],
}
BY_FLAG = {
    "kind": "flag",
    "flag": "shop-route",
    "variants": ["blue", "green"],
    "baseline": "baseline",
}
ERRORS = {"key": "errors", "kind": "error_rate", "threshold": 5}


def a_service(project: Project, key: str = "checkout", *owners: str) -> Service:
    """A service with its key as its name."""
    pk = remembered(
        f"service {key} of {project.pk}, {owners}",
        lambda: (
            services.put_service(
                project=project, key=key, name=key, owners=[*owners], intent=Intent(SETTING_UP)
            ).pk
        ),
    )
    return Service.objects.select_related("project").get(pk=pk)


def a_route(project: Project, key: str = "shop-route") -> Flag:
    """A flag by whose variants a service can be routed."""
    return create_flag(project, ROUTE | {"key": key})


def a_setup(service: Service, environment: Environment, **document: Any) -> ServiceSetup:
    """Routed by a person, unless the document says otherwise."""
    wanted = {"router": {"kind": "manual"}} | document
    pk = remembered(
        f"setup of {service.pk} in {environment.pk}: {wanted}",
        lambda: (
            services.put_setup(
                service=service,
                environment=environment,
                document=wanted,
                intent=Intent(SETTING_UP),
            ).pk
        ),
    )
    return ServiceSetup.objects.select_related("service__project", "environment").get(pk=pk)


Served = tuple[int, int]
PLAN: dict[str, Any] = {
    "steps": [
        {"share": 5, "soak_s": 60},
        {"share": 50, "soak_s": 60},
        {"share": 100},
    ],
    "proof_of_return": False,
}


def routed_by_flag(
    environment: Environment, key: str = "checkout", checks: tuple[Any, ...] = (ERRORS,)
) -> Service:
    """A service whose users all get what runs in its blue place, and whose errors are counted."""
    service = a_service(environment.project, key)
    flag = a_route(environment.project, f"{key}-route")
    _serve(flag, environment, "blue")
    a_setup(service, environment, router=BY_FLAG | {"flag": flag.key}, checks=list(checks))
    return service


def _serve(flag: Flag, environment: Environment, variant: str) -> None:
    def save() -> None:
        current = flag.configurations.get(environment=environment)
        document = {**current.document, "enabled": True, "fallthrough": {"variant": variant}}
        configurations.save_configuration(
            flag=flag,
            environment=environment,
            document=document,
            expected_version=current.version,
            intent=Intent(SETTING_UP),
        )

    remembered(f"{flag.pk} serves {variant} in {environment.pk}", save)


def a_release(
    service: Service,
    environment: Environment,
    person: User,
    *,
    version: str = "2.0",
    start: bool = True,
    **document: Any,
) -> Release:
    """A canary by PLAN, unless the document says otherwise, and started."""
    wanted = {
        "service": service.key,
        "artefact": {"version": version, "digest": DIGEST},
        "strategy": "canary",
        "plan": PLAN,
        **document,
    }
    intent = Intent(acting(person), "new checkout")

    def plan() -> int:
        return planning.plan_release(
            project=service.project, environment=environment, document=wanted, intent=intent
        ).pk

    of = f"{person.pk} in {environment.pk}: {wanted}"
    made = Release.objects.get(pk=remembered(f"release planned by {of}", plan))
    return commands.start(release=made, intent=intent) if start else made


def roll_out(flag: Flag, place: Environment, person: User, **document: object) -> Release:
    """The flag itself, from off to on, started."""
    wanted = {"flag": flag.key, "variant": "on", "strategy": "feature_flag", "plan": PLAN}
    intent = Intent(acting(person), "new checkout")
    release = planning.plan_release(
        project=place.project, environment=place, document=wanted | document, intent=intent
    )
    return commands.start(release=release, intent=intent)


def an_aborted_release(environment: Environment) -> Release:
    """One that nobody has started, and nobody will: who waits for it need not wait."""
    service = a_service(environment.project)
    a_setup(service, environment)

    def make() -> int:
        document = {
            "service": service.key,
            "artefact": {"version": "2.0", "digest": DIGEST},
            "strategy": "canary",
            "plan": PLAN,
        }
        planned = planning.plan_release(
            project=service.project,
            environment=environment,
            document=document,
            intent=Intent(SETTING_UP),
        )
        return commands.abort(release=planned, intent=Intent(SETTING_UP)).pk

    pk = remembered(f"aborted release in {environment.pk}", make)
    return selectors.releases_seen(environment.project).get(pk=pk)


def a_template(project: Project, key: str = "careful", plan: Any = None) -> PlanTemplate:
    """A plan that the team keeps."""
    wanted = plan or {**PLAN, "strategy": "canary"}
    pk = remembered(
        f"plan template {key} of {project.pk}: {plan}",
        lambda: (
            templates.put_template(
                project=project,
                key=key,
                name=key,
                plan=wanted,
                intent=Intent(SETTING_UP),
            ).pk
        ),
    )
    return PlanTemplate.objects.get(pk=pk)


def fresh(release: Release) -> Release:
    """The release as it is now."""
    return selectors.releases_seen(release.project).get(pk=release.pk)


def tick(release: Release) -> Release:
    """Let it be looked at now."""
    due = Release.objects.filter(pk=release.pk).exclude(due_at=None)
    due.update(due_at=clock.database_now(), retry_at=None, leased_until=None)
    runner.tick_due()
    runner.tick_hanging()  # a slow machine may have been slow to ask
    return fresh(release)


def until(release: Release, is_so: Callable[[Release], bool]) -> Release:
    """Looked at until it is so, as it would be every second."""
    now = release
    for _again in range(200):
        now = tick(release)
        if is_so(now):
            return now
        time.sleep(0.05)
    raise AssertionError((now.state, now.step, now.told, now.holds, now.problem))


def to_everybody(release: Release, person: User) -> Release:
    """Promoted, with good outcomes, until it has succeeded."""
    promoted = commands.promote_fully(release=tick(release), intent=Intent(acting(person), "now"))
    outcomes(promoted, 200)
    return tick(promoted)


def let_pass(release: Release, seconds: float) -> Release:
    """As if so much time had gone by, for a release and all that was counted of it."""
    by, now = timedelta(seconds=seconds), fresh(release)
    for name in ("entered_at", "started_at", "paused_at", "watch_until", "not_before", "due_at"):
        moment = getattr(now, name)
        setattr(now, name, moment and moment - by)
    now.save()
    OutcomeBucket.objects.update(start=F("start") - by)
    Comparison.objects.update(until=F("until") - by)
    return tick(now)


def outcomes(
    release: Release, requests: int, errors: int = 0, *, version: str = "", ms: float = 20
) -> None:
    """Requests that the new version has just answered, or another one."""
    about = situation.subject_of(release)
    OutcomeBucket.objects.create(
        environment=release.environment,
        about=about.about,
        name=about.name,
        version=version or about.version,
        start=clock.database_now(),
        requests=requests,
        errors=errors,
        durations=Sketch({bucket_of(ms): requests}).dump(),
    )


def serve(
    release: Release, *buckets: tuple[Served, Served], baseline: str = "baseline", **also: Any
) -> Release:
    """Ten seconds each, in which the new version and the baseline answered so many requests, and
    failed so many of them; it is looked at once all of them are settled."""
    now = clock.database_now()
    for at, pair in enumerate(buckets):
        for version, (requests, errors) in zip((release.version, baseline), pair, strict=True):
            if requests:
                OutcomeBucket.objects.create(
                    environment=release.environment,
                    about="service",
                    name=release.about.key,
                    version=version,
                    start=now + timedelta(seconds=10 * at),
                    requests=requests,
                    errors=errors,
                    **also,
                )
    return let_pass(release, 10 * len(buckets) + 21)


def routing(release: Release) -> Any:
    """What everyone else gets of the flag by which it routes."""
    return routing_document(release)["fallthrough"]


def routing_document(release: Release) -> dict[str, Any]:
    flag = release.project.flags.get(key=release.router["flag"])
    document: dict[str, Any] = flag.configurations.get(environment=release.environment).document
    return document


def set_by_hand(release: Release, person: User, fallthrough: Any = None, **changes: Any) -> None:
    """Somebody changes the flag by which a release routes."""
    flag = release.project.flags.get(key=release.router["flag"])
    current = flag.configurations.get(environment=release.environment)
    document = {**current.document, **changes}
    if fallthrough is not None:
        document["fallthrough"] = fallthrough
    configurations.save_configuration(
        flag=flag,
        environment=release.environment,
        document=document,
        expected_version=current.version,
        intent=Intent(acting(person)),
    )


def a_policy(project: Project, key: str = "guarded", **document: Any) -> ReleasePolicy:
    """A release policy with its key as its name; without checks or templates it watches errors."""
    usual = {} if "templates" in document else {"checks": [ERRORS]}
    wanted = {"name": key, **usual, **document}
    pk = remembered(
        f"release policy {key} of {project.pk}: {wanted}",
        lambda: put_policy(project=project, key=key, document=wanted, intent=Intent(SETTING_UP)).pk,
    )
    return ReleasePolicy.objects.select_related("project").get(pk=pk)
