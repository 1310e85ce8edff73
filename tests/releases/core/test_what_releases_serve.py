"""The rules by which a release serves cohorts and testers end with it, and copies have none."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flags.core import configurations, copying
from flags.models import Flag, FlagConfiguration
from flags.schedules import create, runner
from flags.segments import services as segment_services
from flags.transfer.importing import service as service_module
from portal.access.models import Environment, User
from portal.approvals.services.restoring import restoration_of, restore
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.journal import Intent
from releases.core import commands
from releases.core.models import Release
from tests.support.freezing import clock_text
from tests.support.people import acting
from tests.support.planning import let_it_be_due
from tests.support.releasing import (
    PLAN,
    a_release,
    fresh,
    routed_by_flag,
    routing_document,
    set_by_hand,
    tick,
)

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
Way = Callable[[Flag, Environment, dict[str, Any], User], Flag]


def _save(flag: Flag, place: Environment, document: dict[str, Any], person: User) -> Flag:
    configurations.save_configuration(
        flag=flag,
        environment=place,
        document=document,
        expected_version=flag.configurations.get(environment=place).version,
        intent=Intent(acting(person)),
    )
    return flag


def _restore(flag: Flag, place: Environment, _document: dict[str, Any], person: User) -> Flag:
    rows = AuditEvent.objects.filter(subject_kind="flag", subject=flag.key, environment=place.key)
    (old, *_) = [one for one in rows.order_by("-sequence") if "release-testers" in one.after]
    found = restoration_of(flag.project, old)
    assert "esters" not in " ".join(found.words)
    restore(found, seen_version=found.version, intent=Intent(acting(person)))
    return flag


def _import(flag: Flag, place: Environment, document: dict[str, Any], person: User) -> Flag:
    service_module.import_document(
        format_name="native",
        document={"flags": [{**flag.document, "environments": {place.key: document}}]},
        environment=place,
        mode="merge",
        dry_run=False,
        intent=Intent(acting(person)),
    )
    return flag


def _schedule(flag: Flag, place: Environment, document: dict[str, Any], person: User) -> Flag:
    wanted = {name: document[name] for name in document if name not in ("enabled", "introduced")}
    plan = create.create_schedule(
        flag=flag,
        environment=place,
        document={
            "operation": "replace",
            "configuration": wanted,
            "starts": clock_text(clock.now() + timedelta(days=1)),
            "zone": "UTC",
        },
        intent=Intent(acting(person)),
    )
    let_it_be_due(plan)
    runner.carry_out_due()
    plan.refresh_from_db()
    assert plan.state == "finished", plan.problem
    return flag


def served(flag: Flag, place: Environment) -> tuple[list[str], Any]:
    document: dict[str, Any] = FlagConfiguration.objects.get(flag=flag, environment=place).document
    return [rule["id"] for rule in document["rules"]], document["fallthrough"]


@pytest.fixture
def release(development: Environment, alice: User) -> Release:
    shop, by = development.project, Intent(acting(alice))
    segment_services.create_segment(project=shop, document={"key": "staff"}, intent=by)
    service = routed_by_flag(development)
    release = tick(a_release(service, development, alice, plan={**PLAN, "cohorts": ["staff"]}))
    return commands.promote(release=release, intent=by)


@pytest.mark.parametrize("way", [_save, _restore, _import, _schedule])
def test_what_a_release_served__brought_back_after_it__has_no_rules_of_the_release(
    release: Release, development: Environment, alice: User, way: Way
) -> None:
    document = routing_document(release)
    flag = Flag.objects.get(key=release.router["flag"])
    assert [one["id"] for one in document["rules"]] == ["release-testers", "release-cohorts"]
    commands.rollback(release=release, intent=Intent(acting(alice)))
    way(flag, development, document, alice)
    rules, fallthrough = served(flag, development)
    assert rules == []
    assert fallthrough == document["fallthrough"]


def test_a_copy_and_a_clone__made_while_a_release_moves__have_no_rules_of_the_release(
    release: Release, development: Environment, staging: Environment, alice: User
) -> None:
    flag, by = Flag.objects.get(key=release.router["flag"]), Intent(acting(alice))
    source, target = (flag.configurations.get(environment=one) for one in (development, staging))
    copying.copy_configuration(
        flag=flag,
        source=development,
        target=staging,
        source_version=source.version,
        expected_version=target.version,
        intent=by,
    )
    assert served(flag, staging) == ([], source.document["fallthrough"])
    clone = copying.clone_flag(
        flag=flag, key="other", name="Other", environments=[development], intent=by
    ).flag
    assert served(clone, development) == ([], source.document["fallthrough"])


def test_a_rule_that_a_person_adds__while_a_release_moves__leaves_those_of_the_release(
    release: Release, alice: User
) -> None:
    rule = {"id": "mine", "when": {"all": []}, "serve": {"variant": "blue"}}
    rules = routing_document(release)["rules"]
    set_by_hand(release, alice, rules=[*rules, rule])
    assert [one["id"] for one in routing_document(release)["rules"]] == [
        "release-testers",
        "release-cohorts",
        "mine",
    ]
    assert fresh(tick(release)).state == "running"
