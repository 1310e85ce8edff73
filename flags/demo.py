"""The demo project: a small web shop, so that the first sign-in shows a product at work."""

from datetime import datetime

from django.db import transaction

from flags.core import configurations, definitions
from flags.models import Flag
from portal.access import services as access
from portal.access.models import ApiKey, Environment, Project
from portal.access.tokens import parse_token
from portal.lib import clock, journal
from portal.lib.journal import Intent

PROJECT = "demo"
ACTOR = journal.system("demo data")

BOOLEAN = [{"key": "on", "value": True}, {"key": "off", "value": False}]
DACH = {"attribute": "country", "operator": "in", "values": ["DE", "AT", "CH"]}
STAFF = {"attribute": "email", "operator": "ends_with", "values": ["@shop.example"]}

DEFINITIONS: list[dict[str, object]] = [
    {
        "key": "new-checkout",
        "name": "New checkout",
        "kind": "release",
        "value_type": "boolean",
        "variants": BOOLEAN,
        "client_visible": True,
        "description": "The one-page checkout. Staff see it everywhere, customers step by step.",
        "tags": ["checkout", "q4"],
        "owner": "Team Cart",
    },
    {
        "key": "search-ranking",
        "name": "Search ranking",
        "kind": "experiment",
        "value_type": "string",
        "variants": [
            {"key": "classic", "value": "bm25", "description": "What we have today"},
            {"key": "semantic", "value": "embeddings-v2", "description": "Ranking by meaning"},
        ],
        "client_visible": True,
        "description": "Does ranking by meaning lead to more orders?",
        "tags": ["search"],
        "owner": "Team Discovery",
    },
    {
        "key": "free-shipping-from",
        "name": "Free shipping from",
        "kind": "operational",
        "value_type": "integer",
        "variants": [{"key": "usual", "value": 49}, {"key": "campaign", "value": 29}],
        "description": "Order value in euros from which shipping is free.",
        "tags": ["checkout"],
        "owner": "Team Cart",
    },
    {
        "key": "recommendation-weight",
        "name": "Recommendation weight",
        "kind": "operational",
        "value_type": "number",
        "variants": [{"key": "low", "value": 0.25}, {"key": "high", "value": 0.75}],
        "description": "How much recommendations count against bestsellers, 0 to 1.",
        "owner": "Team Discovery",
    },
    {
        "key": "home-banner",
        "name": "Home page banner",
        "kind": "release",
        "value_type": "object",
        "variants": [
            {"key": "none", "value": {"show": False}},
            {"key": "winter", "value": {"show": True, "text": "Winter sale", "colour": "#206bc4"}},
        ],
        "client_visible": True,
        "tags": ["marketing"],
        "owner": "Marketing",
    },
    {
        "key": "payments-kill-switch",
        "name": "Card payments",
        "kind": "kill_switch",
        "value_type": "boolean",
        "variants": BOOLEAN,
        "description": "Turn off to send everyone to invoice payment when the card provider fails.",
        "tags": ["payments"],
        "permanent": True,
        "owner": "On-call",
    },
]


def _everyone(variant: str) -> dict[str, object]:
    return {"variant": variant}


CONFIGURATIONS: dict[tuple[str, str], dict[str, object]] = {
    ("new-checkout", "development"): {"enabled": True},
    ("new-checkout", "staging"): {"enabled": True},
    ("new-checkout", "production"): {
        "enabled": True,
        "rules": [
            {"id": "staff", "name": "Our own people", "when": STAFF, "serve": _everyone("on")},
            {
                "id": "dach",
                "name": "First customers",
                "when": {"all": [DACH]},
                "audience": {"percent": 25.0},
                "serve": _everyone("on"),
            },
        ],
        "fallthrough": _everyone("off"),
    },
    ("search-ranking", "development"): {
        "enabled": True,
        "off_variant": "classic",
        "fallthrough": _everyone("semantic"),
    },
    ("search-ranking", "staging"): {"off_variant": "classic", "fallthrough": _everyone("semantic")},
    ("search-ranking", "production"): {
        "enabled": True,
        "off_variant": "classic",
        "fallthrough": {
            "split": [
                {"variant": "semantic", "weight": 50_000},
                {"variant": "classic", "weight": 50_000},
            ]
        },
    },
    **{
        (flag, environment): {"off_variant": variant}
        for environment in ("development", "staging", "production")
        for flag, variant in (("free-shipping-from", "usual"), ("recommendation-weight", "low"))
    },
    ("home-banner", "development"): {"off_variant": "none", "fallthrough": _everyone("winter")},
    ("home-banner", "production"): {"off_variant": "none", "fallthrough": _everyone("winter")},
    ("home-banner", "staging"): {
        "enabled": True,
        "off_variant": "none",
        "fallthrough": _everyone("winter"),
    },
    ("payments-kill-switch", "development"): {"enabled": True},
    ("payments-kill-switch", "staging"): {"enabled": True},
    ("payments-kill-switch", "production"): {"enabled": True},
}


def ensure(token: str) -> str:
    """Create the demo project where it is missing.

    Returns a token for its production environment that works: ``token`` itself while it does.
    """
    now = clock.now()
    with transaction.atomic():
        project = Project.objects.filter(key=PROJECT).first() or _create(now)
        production = project.environments.get(key="production")
        if _works(token, production, now):
            return token
        issued = access.issue_key(
            environment=production,
            kind="server",
            name="Demo application",
            intent=Intent(ACTOR, at=now),
        )
        return str(issued.token)


def _create(now: datetime) -> Project:
    project = access.create_project(key=PROJECT, name="Demo shop", intent=Intent(ACTOR, at=now))
    for document in DEFINITIONS:
        definitions.create_flag(project=project, document=document, intent=Intent(ACTOR, at=now))
    for (flag_key, environment_key), changes in CONFIGURATIONS.items():
        flag = Flag.objects.select_related("project").get(project=project, key=flag_key)
        environment = project.environments.get(key=environment_key)
        current = flag.configurations.get(environment=environment)
        configurations.save_configuration(
            flag=flag,
            environment=environment,
            document=current.document | changes,
            expected_version=current.version,
            intent=Intent(ACTOR, at=now),
        )
    return project


def _works(text: str, environment: Environment, now: datetime) -> bool:
    token = parse_token(text)
    if token is None:
        return False
    key = ApiKey.objects.usable(now=now).filter(environment=environment, selector=token.selector)
    found = key.first()
    return found is not None and token.proves(found.verifier)
