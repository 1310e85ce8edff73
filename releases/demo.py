"""The demo of releases: two services of the demo project, a canary that does well and a bad one.

They begin by themselves after the first start, and again every hour; in between they rest. The
traffic is real, if little: users ask the evaluator where to go, and what came of it is told as any
application would. Nothing of this touches a project that a person has made, or waits for anybody.
"""

import http.client
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.db import transaction

from flags import demo as flag_demo
from flags.core import configurations, definitions
from portal.access.models import Environment, Project
from portal.approvals import selectors as approvals
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.errors import AviaryError
from portal.lib.journal import Intent
from releases.catalogue import services as catalogue
from releases.catalogue.models import Service
from releases.core import commands, planning
from releases.core.models import MOVING, Release

logger = logging.getLogger(__name__)
ACTOR = flag_demo.ACTOR
EVERY = timedelta(hours=1)
USERS = 40
"""Of each service, who come every five seconds."""


@dataclass(frozen=True, slots=True)
class Shown:
    key: str
    name: str
    reason: str
    errors: float

    @property
    def flag(self) -> str:
        return f"{self.key}-route"


SHOWN = (
    Shown("storefront", "Storefront", "Faster product pages", 0.004),
    Shown("recommendations", "Recommendations", "A new ranking model", 0.18),
)
PLACES = ("blue", "green", "baseline")
SETUP: dict[str, Any] = {
    "checks": [
        {
            "key": "errors",
            "kind": "error_rate",
            "threshold": 5,
            "minimum_requests": 30,
            "minimum_errors": 3,
        },
        {"key": "slow", "kind": "latency", "threshold": 800, "minimum_requests": 30},
        {
            "key": "more-errors",
            "kind": "error_comparison",
            "role": "dry_run",
            "minimum_requests": 30,
        },
    ],
}
PLAN: dict[str, Any] = {
    "steps": [
        {"share": 20, "soak_s": 25},
        {"share": 50, "soak_s": 25},
        {"share": 100},
    ],
    "watch_s": 60,
}


def ensure() -> None:
    """Give the demo project its services, where it is one that the demo made. Nothing else."""
    project = Project.objects.filter(key=flag_demo.PROJECT).first()
    if project is None or not _is_ours(project):
        return
    for shown in SHOWN:
        if not project.services.filter(key=shown.key).exists():
            with transaction.atomic():
                _make(project, shown)


def _is_ours(project: Project) -> bool:
    made = AuditEvent.objects.filter(event="project.created", subject=project.key)
    return made.filter(actor_kind="system", actor=ACTOR.label).exists()


def _make(project: Project, shown: Shown) -> None:
    production, intent = project.environments.get(key="production"), Intent(ACTOR)
    flag = definitions.create_flag(
        project=project,
        document={
            "key": shown.flag,
            "name": f"Route to {shown.name}",
            "kind": "operational",
            "value_type": "string",
            "variants": [{"key": key, "value": key} for key in PLACES],
            "description": "Which place a user is sent to; releases move it.",
            "permanent": True,
        },
        intent=intent,
    )
    current = flag.configurations.get(environment=production)
    configurations.save_configuration(
        flag=flag,
        environment=production,
        document=current.document | {"enabled": True, "fallthrough": {"variant": "blue"}},
        expected_version=current.version,
        intent=intent,
    )
    service = catalogue.put_service(
        project=project, key=shown.key, name=shown.name, owners=[], intent=intent
    )
    blue, green, baseline = PLACES
    router = {
        "kind": "flag",
        "flag": shown.flag,
        "variants": [blue, green],
        "baseline": baseline,
    }
    document = {"router": router, **SETUP}
    catalogue.put_setup(service=service, environment=production, document=document, intent=intent)


def carry_on() -> None:
    """A few seconds of the demo: begin what is due, or send some users to what moves."""
    token = _token()
    project = Project.objects.filter(key=flag_demo.PROJECT).first() if token else None
    if project is None or not project.services.filter(key=SHOWN[0].key).exists():
        return
    production = project.environments.get(key="production")
    found = Release.objects.filter(environment=production, author=ACTOR.label)
    latest = found.select_related("service", "artefact", "stable", "environment", "project")
    now = clock.database_now()
    for shown in SHOWN:
        release = latest.filter(service__key=shown.key).order_by("-pk").first()
        if release is None or _is_over(release, now):
            if release is None or now - release.created_at >= EVERY:
                _begin(shown, production)
        else:
            _send_users(shown, release, token)


def _token() -> str:
    """The key of the demo's application, where this machine has it and a demo is wanted."""
    path = Path(settings.VAR_DIR) / "demo-token"
    return path.read_text().strip() if settings.DEMO and path.exists() else ""


def _is_over(release: Release, now: datetime) -> bool:
    return release.state not in MOVING and not release.is_watched(now)


def _begin(shown: Shown, production: Environment) -> None:
    """Begin a release, unless somebody has arranged things so that it would wait or be refused."""
    if approvals.policies_wanting([production], turns_off=False):
        return
    service = Service.objects.get(project=production.project, key=shown.key)
    minor = service.artefacts.count() + 1
    version = f"2.{minor}.0"
    document = {
        "service": shown.key,
        "artefact": {"version": version, "digest": f"sha256:{minor:064x}"},
        "strategy": "canary",
        "plan": PLAN,
    }
    intent = Intent(ACTOR, shown.reason)
    try:
        with transaction.atomic():
            release = planning.plan_release(
                project=production.project,
                environment=production,
                document=document,
                intent=intent,
            )
            commands.start(release=release, intent=intent)
    except AviaryError as error:
        logger.info("the demo of %s rests: %s", shown.key, error)


def _send_users(shown: Shown, release: Release, token: str) -> None:
    versions = _versions(release)
    dice = random.Random()  # noqa: S311 - traffic of a demo
    outcomes = []
    try:
        with _evaluator(token) as ask:
            for number in _users(dice):
                context = {"context": {"targetingKey": f"visitor-{number}"}}
                path = f"/ofrep/v1/evaluate/flags/{shown.flag}"
                place = ask(path, context).get("value", "blue")
                is_new = versions[place] == release.version
                rate = shown.errors if is_new else 0.004
                outcomes.append(
                    {
                        "service": shown.key,
                        "version": versions[place],
                        "error": dice.random() < rate,
                        "duration_ms": round(dice.lognormvariate(4.4 if is_new else 4.6, 0.4), 1),
                    }
                )
            ask("/api/v1/telemetry", {"outcomes": outcomes})
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        logger.info("the demo's users do not reach the evaluator: %s", type(error).__name__)


def _versions(release: Release) -> dict[str, str]:
    stable = release.stable.version if release.stable else "2.0.0"
    told = {release.router["new"]: release.version, PLACES[2]: PLACES[2]}
    return dict.fromkeys(PLACES, stable) | told


def _users(dice: random.Random) -> Iterator[int]:
    return (dice.randrange(5000) for _number in range(USERS))


@contextmanager
def _evaluator(token: str) -> Iterator[Callable[[str, Mapping[str, Any]], dict[str, Any]]]:
    parts = urlsplit(settings.EVALUATOR_URL)
    kinds = {"https": http.client.HTTPSConnection, "http": http.client.HTTPConnection}
    connection = kinds[parts.scheme](parts.hostname or "", parts.port, timeout=3)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        connection.request("POST", path, orjson.dumps(body), headers)
        found: dict[str, Any] = orjson.loads(connection.getresponse().read())
        return found

    with closing(connection):
        yield ask
