"""Reading an environment as of one version."""

from typing import Any

import pytest
from django.db import transaction

from flags.delivery import build
from portal.access.models import Environment, Project, User
from tests.support import concurrently
from tests.support.desk import RULE, Desk

pytestmark = pytest.mark.postgresql


def test_read_snapshot__everything__is_each_living_flag(desk: Desk, alice: User) -> None:
    desk.create(alice, "second")
    Desk(desk.create(alice, "third"), desk.environment, desk.now).archive(alice)
    snapshot = build.read_snapshot(desk.environment.pk, since=None)
    assert set(snapshot.documents) == {"flag/new-checkout", "flag/second"}
    assert (snapshot.since, snapshot.total) == (None, 2)


def test_read_snapshot__since_now__is_empty(desk: Desk) -> None:
    version = build.read_snapshot(desk.environment.pk, since=None).environment.version
    snapshot = build.read_snapshot(desk.environment.pk, since=version)
    assert (snapshot.since, snapshot.documents, snapshot.total) == (version, {}, 1)


def test_read_snapshot__document__is_what_the_evaluator_loads(desk: Desk, alice: User) -> None:
    saved = desk.save(alice, enabled=True, rules=[RULE])
    document = build.read_snapshot(desk.environment.pk, since=None).documents["flag/new-checkout"]
    assert document
    assert document["version"] == saved.version
    assert document["rules"] == [RULE]
    assert "description" not in document


def test_read_snapshot__other_environment_and_project__are_not_in_it(
    desk: Desk, staging: Environment, garden: Project, alice: User
) -> None:
    Desk(desk.flag, staging, desk.now).save(alice, enabled=True)
    document = build.read_snapshot(desk.environment.pk, since=None).documents["flag/new-checkout"]
    assert document
    assert document["enabled"] is False


@pytest.mark.parametrize("writes", [1, 3])
def test_read_snapshot__somebody_writes_while_it_reads__is_of_one_version(
    desk: Desk, alice: User, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """A write between reading the version and the flags, once or every time but the last."""
    left = iter(range(writes))
    read = build._documents

    def write_and_read(source: Any, *arguments: Any) -> build.Documents:
        if source.prefix == "flag/" and next(left, None) is not None:
            desk.switch(alice, not desk.configuration.enabled)
        return read(source, *arguments)

    monkeypatch.setattr(build, "_documents", write_and_read)
    snapshot = build.read_snapshot(desk.environment.pk, since=None)
    document = snapshot.documents["flag/new-checkout"]
    assert document
    assert document["version"] == snapshot.environment.version == desk.configuration.version


@pytest.mark.django_db(transaction=True)
def test_read_snapshot__under_steady_writes__is_of_one_version(desk: Desk, alice: User) -> None:
    """Both flags are always changed in one transaction, so they are always equal."""
    other = Desk(desk.create(alice, "second"), desk.environment, desk.now)

    def write() -> None:
        for _ in range(8):
            switch_both((desk, other), alice)

    def read() -> list[build.Snapshot]:
        return [build.read_snapshot(desk.environment.pk, since=None) for _ in range(25)]

    _written, snapshots = concurrently.run(write, read)
    assert _written is None
    assert isinstance(snapshots, list), snapshots
    for snapshot in snapshots:
        first, second = (snapshot.documents[f"flag/{key}"] for key in ("new-checkout", "second"))
        assert first
        assert second
        assert first["enabled"] == second["enabled"]
        assert snapshot.environment.version in (first["version"], second["version"])
    assert len({snapshot.environment.version for snapshot in snapshots}) > 1


def switch_both(desks: tuple[Desk, Desk], person: User) -> None:
    with transaction.atomic():
        for desk in desks:
            desk.switch(person, not desk.configuration.enabled)
