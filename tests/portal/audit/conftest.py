"""A trail of five rows."""

from pathlib import Path

import pytest
from django.db import transaction
from pytest_django import Settings

from portal.audit import anchors, services, states
from portal.lib.journal import Actor, ActorKind, Agreed, Entry, Trace

ALICE = Actor(ActorKind.USER, "7", "alice", Trace("a-request", "192.0.2.7", "a browser"))


def entry(subject: str = "new-checkout") -> Entry:
    """An entry in which every field says something."""
    return Entry(
        event="flag.enabled",
        actor=ALICE,
        subject_kind="flag",
        subject=subject,
        project="shop",
        environment="production",
        version=3,
        before={"enabled": False},
        after={"enabled": True, "name": "Käse & 🧀"},
        reason="the day has come",
        agreed=Agreed(12, "bob", ("erin", "frank")),
        part_of_kind="segment",
        part_of="beta testers",
    )


@transaction.atomic
def record(subject: str = "new-checkout") -> None:
    services.record(entry(subject))


@pytest.fixture
def trail(db: None) -> None:
    """Rows 1 to 5."""
    for subject in ("first", "second", "third", "fourth", "fifth"):
        record(subject)


@pytest.fixture(autouse=True)
def anchor_file(settings: Settings, tmp_path: Path) -> Path:
    """Where this test's anchors go; there are none yet."""
    path = tmp_path / "anchors.jsonl"
    settings.AUDIT_ANCHOR_FILE = str(path)
    return path


@pytest.fixture(autouse=True)
def _rows_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about the chain: their rows tell of flags that never were."""
    monkeypatch.setattr(states, "_sources", [])
    monkeypatch.setattr(anchors, "_sources", {})
