"""A template that a release policy requires binds a release to its end, its cohorts included."""

import pytest

from flags.models import Segment
from flags.segments import services as segment_services
from portal.access.models import Environment, Project, User
from portal.approvals.errors import Waiting
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.catalogue.models import Service
from releases.core import commands
from releases.core.planning import preview
from releases.policies.services import delete_policy, put_policy
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.people import acting
from tests.support.releasing import (
    DIGEST,
    PLAN,
    a_policy,
    a_release,
    a_template,
    fresh,
    let_pass,
    outcomes,
    routed_by_flag,
    tick,
)

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


@pytest.fixture
def service(production: Environment) -> Service:
    return routed_by_flag(production)


def test_a_required_template__is_gone_through_step_by_step_whatever_the_approvals(
    service: Service, production: Environment, alice: User
) -> None:
    a_template(production.project)
    policy = a_policy(production.project, templates=["careful"])
    release = tick(a_release(service, production, alice, template="careful", plan={}))
    by = Intent(acting(alice), "now")
    wants = r"“guarded” requires each step of the template careful for its full time"
    for command in (commands.promote, commands.promote_fully):
        with pytest.raises(Invalid, match=wants):
            command(release=release, intent=by)
    let_pass(release, 61)  # and nothing was measured
    with pytest.raises(Invalid, match=wants):
        commands.promote_fully(release=release, intent=by)
    assert commands.promote(release=release, intent=by).step == 1
    with pytest.raises(Invalid, match=wants):
        commands.promote(release=release, intent=by)
    delete_policy(project=production.project, key=policy.key, intent=by)
    assert commands.promote_fully(release=release, intent=by).step == 2


def test_a_required_template__never_keeps_anybody_from_going_back(
    service: Service, production: Environment, alice: User
) -> None:
    a_template(production.project)
    a_policy(production.project, templates=["careful"])
    release = tick(a_release(service, production, alice, template="careful", plan={}))
    commands.rollback(release=release, intent=Intent(acting(alice)))
    assert fresh(release).state == "rolled_back"


def test_a_release_that_began_before_a_template_was_required__goes_on_as_it_was_agreed_to(
    service: Service, production: Environment, alice: User
) -> None:
    release = tick(a_release(service, production, alice))
    a_template(production.project)
    a_policy(production.project, templates=["careful"])
    outcomes(release, 200)
    assert commands.promote_fully(release=release, intent=Intent(acting(alice), "now")).step == 2


def test_the_cohort_of_a_required_template__is_shown_and_changes_by_the_gate_of_its_environments(
    service: Service, production: Environment, alice: User
) -> None:
    shop, by = production.project, Intent(acting(alice))
    for key in ("staff", "beta", "other"):
        segment_services.create_segment(project=shop, document={"key": key}, intent=by)
    first = a_template(shop, plan={**PLAN, "strategy": "canary", "cohorts": ["staff"]})
    a_template(shop, "milder", plan={**PLAN, "strategy": "canary", "cohorts": ["beta"]})
    a_policy(shop, templates=[first.key], environments=["production"])
    a_policy(shop, "of-staging", templates=["milder"], environments=["staging"])
    document = {
        "service": "checkout",
        "artefact": {"version": "2.0", "digest": DIGEST},
        "strategy": "canary",
        "template": "careful",
    }
    (said,) = preview(project=shop, environment=production, document=document).cohorts
    assert said.startswith("The cohort staff is that segment as it is then. It is at version 1:")
    set_policy(production, **TWO_ROLES)
    with pytest.raises(Waiting) as error:
        widen(shop, "staff", alice, "plan")
    assert [one.key for one in error.value.request.environments.all()] == ["production"]
    for free in ("beta", "other"):
        widen(shop, free, alice, "plan")
    with pytest.raises(Waiting):  # and a policy that others are asked about
        put_policy(
            project=shop, key="new", document={"name": "New", "templates": ["milder"]}, intent=by
        )
    with pytest.raises(Waiting):
        widen(shop, "beta", alice, "country")


def widen(project: Project, key: str, person: User, attribute: str) -> None:
    segment = Segment.objects.get(project=project, key=key)
    segment_services.edit_segment(
        segment=segment,
        document={"key": key, "when": {"attribute": attribute, "operator": "exists"}},
        expected_version=segment.version,
        intent=Intent(acting(person)),
    )
