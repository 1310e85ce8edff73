"""Releases in every state, as rows: what pages show of them needs no engine."""

from datetime import datetime, timedelta
from typing import Any

from flags.core import configurations, definitions
from flags.engine.sketch import Sketch
from portal.access.models import Environment, Project
from portal.access.services import create_project
from portal.lib import clock, journal
from portal.lib.journal import Intent
from releases.alerts.models import Alert
from releases.catalogue import services as catalogue
from releases.catalogue.models import Artefact, Service, ServiceSetup
from releases.core.models import (
    OVER,
    Measurement,
    Note,
    Release,
    ReleaseGroup,
    State,
    StepExecution,
)
from releases.engine.checks import read_check
from releases.engine.comparisons import Collected, Compared
from releases.engine.judge import Arm, Stratum
from releases.engine.plans import Plan, canary, read_plan
from releases.engine.steps import WHOLE
from releases.policies.services import put_policy
from releases.policies.templates import put_template
from releases.routers import Wanted
from releases.telemetry.models import OutcomeBucket

CHECKS = [
    {"key": "error_rate", "kind": "error_rate", "threshold": 5, "window_s": 300},
    {"key": "response_time", "kind": "latency", "threshold": 2000, "role": "signal"},
    {
        "key": "health",
        "kind": "http",
        "threshold": 3,
        "window_s": 120,
        "url": "http://shop.test/health",
    },
    {"key": "more_errors", "kind": "error_comparison"},
]
OF_OTHERS = [
    {
        "key": "queue",
        "kind": "prometheus",
        "threshold": 100,
        "url": "http://prometheus.test:9090",
        "query": 'max(queue_length{app="{{service}}", version="{{version}}"})',
    },
    {"key": "alerts", "kind": "alerts", "matchers": {"service": "{{service}}"}},
]
SHARES = (5_000, 25_000, 50_000, WHOLE)
ROUTER = {
    "kind": "flag",
    "flag": "shop-route",
    "new": "canary",
    "stable": "stable",
    "baseline": "baseline",
    "tester": "7.k1Vd3ZrPzq0uVYb1l6r0wq8mY2gFJb5oTtq3m9XcS4E",
    "tester_url": "https://shop.example.com/",
}


def a_service(project: Project, key: str, now: datetime) -> Service:
    """A service that is set up in production, with the version 1.4.1 out."""
    made, _created = Service.objects.get_or_create(
        project=project,
        key=key,
        defaults={"name": key.capitalize(), "owners": ["alice"], "created_at": now},
    )
    for place in project.environments.all():
        ServiceSetup.objects.get_or_create(
            service=made,
            environment=place,
            defaults={
                "router": {"kind": "manual"},
                "version": 1,
                "updated_at": now,
                "updated_by": "alice",
            },
        )
    return made


def an_artefact(service: Service, version: str, now: datetime) -> Artefact:
    made, _created = Artefact.objects.get_or_create(
        service=service,
        version=version,
        defaults={
            "digest": f"sha256:{version.replace('.', '') * 64}"[:71],
            "commit": "9fceb02",
            "built_at": now - timedelta(hours=3),
            "links": {"Build": "https://ci.example.com/shop/17"},
            "created_at": now,
        },
    )
    return made


def a_plan(**changes: Any) -> Plan:
    """Three steps of ten minutes, people let it beyond the third, and three checks."""
    document = canary(SHARES, soak_s=600, gate_after=50_000).document
    return read_plan(document | {"checks": CHECKS, "cohorts": ["staff"]} | changes)


def a_release(
    environment: Environment, state: str, now: datetime, *, service: str = "shop", **fields: Any
) -> Release:
    """A canary of the service, begun ten minutes ago and now at its step of 25 %."""
    about = a_service(environment.project, service, now)
    row = _row(environment, about, state, now)
    made = Release.objects.create(**row | fields)
    if made.started_at:
        _executed(made, made.started_at)
        counted(made, now)
        Note.objects.create(release=made, author="bob", text="I look at the graphs.", at=now)
    return made


def _row(environment: Environment, about: Service, state: str, now: datetime) -> dict[str, Any]:
    started = None if state == State.PLANNED else now - timedelta(minutes=12)
    share = _share(state)
    return {
        "project": environment.project,
        "environment": environment,
        "service": about,
        "artefact": an_artefact(about, "1.4.2", now),
        "stable": an_artefact(about, "1.4.1", now),
        "plan": a_plan().document,
        "router": ROUTER,
        "reason": "Faster search",
        "state": state,
        "step": 4 if state == State.SUCCEEDED else 2 if started else 0,
        "entered_at": now - timedelta(minutes=2) if started else None,
        "started_at": started,
        "ended_at": now if state in OVER else None,
        "watch_until": now + timedelta(hours=1) if state == State.SUCCEEDED else None,
        "wanted": Wanted(share, ("staff",) if started and share else ()).document,
        "told": _told(share, now) if started else {},
        **_authored(now),
        "checks": _said(state, now) if started else {},
        "holds": _holds(state, now),
        "because": _because(state),
    }


def _authored(now: datetime) -> dict[str, Any]:
    return {
        "author_kind": "user",
        "author": "alice",
        "created_at": now - timedelta(minutes=20),
        "changed_at": now,
        "changed_by": "alice",
    }


def _share(state: str) -> int:
    gone = (State.ROLLED_BACK, State.ABORTED, State.PLANNED)
    return 0 if state in gone else WHOLE if state == State.SUCCEEDED else 25_000


def _told(share: int, now: datetime) -> dict[str, Any]:
    return {
        "share": share,
        "cohorts": ["staff"] if share else [],
        "at": now.isoformat(),
        "away": "",
        "is_off": False,
    }


def _said(state: str, now: datetime) -> dict[str, Any]:
    """What the checks said: all is well, errors where it was taken back, no data where it holds."""
    bad = state in (State.ROLLED_BACK, State.ROLLING_BACK, State.FAILED)
    errors: dict[str, Any] = {
        "verdict": "failed" if bad else "passed",
        "value": 12.4 if bad else 0.31,
    }
    errors |= {"requests": 4210, "errors": 522 if bad else 13}
    late: dict[str, Any] = {"verdict": "passed", "value": 412.0, "requests": 4210, "errors": 0}
    if state == State.HELD:
        late = {
            "verdict": "inconclusive",
            "value": 380.0,
            "requests": 40,
            "errors": 0,
            "wanting": 60,
        }
    probes = {"verdict": "passed", "value": 0.0, "requests": 12, "errors": 0}
    said = {"error_rate": errors, "response_time": late, "health": probes}
    said["more_errors"] = _compared(4210, 522 if bad else 13)
    common = {"wanting": 0, "failures": 0, "dismissed": False, "at": now.isoformat()}
    return {key: common | one for key, one in said.items()}


def _compared(requests: int, errors: int) -> dict[str, Any]:
    """Beside a baseline of as many requests, 11 of which failed."""
    collected = Collected()
    collected.add("2.1", [Stratum(Arm(requests, errors), Arm(requests, 11))])
    judgement = Compared(collected, 0.05).judged(read_check(CHECKS[-1]))
    names = ("value", "requests", "errors", "numbers")
    return {
        "verdict": judgement.verdict.value,
        **{name: getattr(judgement, name) for name in names},
    }


def _holds(state: str, now: datetime) -> list[dict[str, Any]]:
    causes = {
        State.HELD: ("no_data", "response_time", 60),
        State.WAITING: ("gate", "", 0),
        State.PAUSED: ("paused", "", 0),
    }
    if state not in causes:
        return []
    cause, about, wanting = causes[State(state)]
    since = (now - timedelta(minutes=1)).isoformat()
    return [{"cause": cause, "about": about, "wanting": wanting, "since": since}]


def _because(state: str) -> dict[str, Any]:
    if state not in (State.ROLLED_BACK, State.ROLLING_BACK):
        return {}
    numbers = {"value": 12.4, "threshold": 5, "requests": 4210, "errors": 522}
    why = {"cause": "regression", "about": "error_rate", "check": "error_rate"}
    return {**why, "to": "rolled_back", **numbers}


def _executed(release: Release, started: datetime) -> None:
    for step in range(release.step + 1):
        at = started + timedelta(minutes=5 * step)
        there = step < release.step
        StepExecution.objects.create(
            release=release,
            step=step,
            attempt=1,
            share=release.parsed_plan.all_steps[step].share,
            started_at=at,
            reached_at=at + timedelta(seconds=4),
            ended_at=at + timedelta(minutes=5) if there else None,
            outcome="passed" if there else "",
        )


def counted(release: Release, now: datetime) -> None:
    """What both versions did in the minutes before: the new one fails where it was taken back."""
    assert release.service is not None
    assert release.stable is not None
    bad = release.state in (State.ROLLED_BACK, State.ROLLING_BACK)
    rows = []
    for ago in range(15 * 6):
        stable = (release.stable.version, "baseline")
        for version, errors in ((release.version, 12 if bad else 1), *((one, 1) for one in stable)):
            rows.append(
                OutcomeBucket(
                    environment=release.environment,
                    about="service",
                    name=release.service.key,
                    version=version,
                    start=now - timedelta(seconds=10 * ago),
                    requests=90 + ago % 7,
                    errors=errors + ago % 3,
                    durations=Sketch.of([80.0 + ago % 5, 300.0 + 9 * (ago % 11)]).dump(),
                )
            )
    OutcomeBucket.objects.bulk_create(rows)
    Measurement.objects.bulk_create(
        Measurement(
            release=release,
            step=release.step,
            check_key="more_errors",
            at=now - timedelta(seconds=10 * ago),
            **_compared(90 * (61 - ago), (12 if bad else 1) * (61 - ago)),
        )
        for ago in range(60, 0, -1)
    )


def a_group(environment: Environment, now: datetime) -> ReleaseGroup:
    """Two releases in step, of which the first waits for the second."""
    group = ReleaseGroup.objects.create(
        project=environment.project,
        name="New orders",
        reason="Invoices by mail",
        created_at=now,
        created_by="alice",
    )
    services = enumerate(("orders", "invoices"))
    first, second = (
        a_release(environment, State.RUNNING, now, service=key, group=group, position=position)
        for position, key in services
    )
    waits = f"Waits for release {second.pk}, {second.title}: it has not finished step 3 yet."
    hold = {"cause": "group", "about": waits, "wanting": 0, "since": now.isoformat()}
    first.holds, first.finished = [hold], first.step
    first.save()
    return group


PROJECT = "harbour"
SERVICES = {
    State.PLANNED: "billing",
    State.WAITING: "search",
    State.RUNNING: "checkout",
    State.PAUSED: "login",
    State.HELD: "basket",
    State.ROLLING_BACK: "mail",
    State.SUCCEEDED: "catalogue",
    State.ROLLED_BACK: "payment",
    State.FAILED: "stock",
}


def fill() -> None:
    """A project with a release in every state, each of a service of its own, a plan template, and
    release policies."""
    if Project.objects.filter(key=PROJECT).exists():
        return
    intent = Intent(journal.system("tests"))
    project = create_project(key=PROJECT, name="Harbour", intent=intent)
    production, now = project.environments.get(key="production"), clock.now()
    variants = [{"key": key, "value": key} for key in ("stable", "canary", "baseline")]
    route = {"key": ROUTER["flag"], "value_type": "string", "variants": variants}
    definitions.create_flag(project=project, document=route, intent=intent)
    a_group(project.environments.get(key="staging"), now)
    for state, service in SERVICES.items():
        a_release(production, state, now, service=service)
    plan = a_plan(cohorts=[]).document
    put_template(project=project, key="careful", name="Careful", plan=plan, intent=intent)
    policies: dict[str, dict[str, Any]] = {
        "errors-of-checkout": {"services": ["checkout"], "checks": [*CHECKS, *OF_OTHERS]},
        "payments": {"tags": ["payments"], "checks": CHECKS[:1], "templates": ["careful"]},
    }
    for key, document in policies.items():
        wanted = {"name": key.capitalize(), **document}
        put_policy(project=project, key=key, document=wanted, intent=intent)
    for name in ("HighErrorRate", "SlowCheckout"):
        Alert.objects.create(
            environment=production,
            fingerprint=name,
            labels={"alertname": name, "service": "checkout"},
            annotations={"summary": "more than 5 % of requests fail"},
            starts_at=now - timedelta(minutes=7),
            seen_at=now,
        )


def routed_service(project: str, key: str, place: str) -> None:
    """A service whose traffic a flag of its own routes, and whose errors are counted."""
    within = Project.objects.get(key=project)
    environment, intent = within.environments.get(key=place), Intent(journal.system("tests"))
    variants = [{"key": name, "value": name} for name in ("blue", "green", "baseline")]
    flag = definitions.create_flag(
        project=within,
        document={"key": f"{key}-route", "value_type": "string", "variants": variants},
        intent=intent,
    )
    configuration = flag.configurations.get(environment=environment)
    configurations.save_configuration(
        flag=flag,
        environment=environment,
        document=configuration.document | {"enabled": True, "fallthrough": {"variant": "blue"}},
        expected_version=configuration.version,
        intent=intent,
    )
    service = catalogue.put_service(project=within, key=key, name=key, owners=[], intent=intent)
    router = {"kind": "flag", "flag": flag.key, "variants": ["blue", "green"]}
    checks = [{"key": "errors", "kind": "error_rate", "threshold": 5}]
    catalogue.put_setup(
        service=service,
        environment=environment,
        document={"router": router | {"baseline": "baseline"}, "checks": checks},
        intent=intent,
    )
