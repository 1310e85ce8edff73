"""``manage.py loadpolicy``: what the deployment guide says of releases, as it stands."""

from pathlib import Path

import pytest
from django.core.management import CommandError

from portal.access.models import Environment, Project, User
from portal.approvals.models import ChangeRequest, Policy
from releases.catalogue.models import ServiceSetup
from tests.releases.management.test_loadpolicy import GUIDE, load
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.releasing import ERRORS, a_service, a_setup

pytestmark = pytest.mark.django_db
ROLLBACK = """\
# Rollback configuration
rollback_config:
  triggers:
    error_rate:
      threshold: 5%
      window: 5m
    response_time:
      p95_threshold: 2000ms
      window: 5m
    health_check_failures:
      threshold: 3
      window: 2m

  rollback_strategy: "immediate"  # or "gradual"
  notification_channels:
    - slack
    - email
    - pagerduty
"""
SELECTION = """\
deployment_strategy_selection:
  zero_downtime_required:
    high_traffic: blue_green_deployment
    medium_traffic: rolling_deployment
    low_traffic: canary_deployment

  downtime_acceptable:
    simple_applications: in_place_deployment
    complex_applications: blue_green_deployment

  testing_focus:
    user_validation: canary_deployment
    feature_testing: feature_flag_deployment
    performance_testing: blue_green_deployment
"""
STEPS = "steps:\n  1. Deploy new version to green environment\n  2. Run smoke tests\n"
FOR = {"service": "checkout", "environment": "production"}


@pytest.fixture
def setup(shop: Project, production: Environment) -> ServiceSetup:
    router = {"kind": "webhook", "url": "https://ci.example/route"}
    return a_setup(a_service(shop), production, router=router, checks=[ERRORS])


def test_the_guide__loads_as_a_whole(setup: ServiceSetup, tmp_path: Path) -> None:
    path = tmp_path / "guide.md"
    blocks = [STEPS, GUIDE.read_text(), ROLLBACK, SELECTION, "container_deployment:\n  image: a\n"]
    path.write_text("# Guide\n" + "".join(f"\nText.\n\n```yaml\n{one}```\n" for one in blocks))
    before = setup.document
    said, warned = load(path, dry_run=True, **FOR)
    assert "production, checkout: Notify by slack, email, pagerduty." in said
    setup.refresh_from_db()
    assert setup.document == before
    assert load(path, **FOR)[0] == said.replace("nothing was written: this was a dry run\n", "")
    last = "warning: container_deployment is left out: templates are not kept yet\n"
    assert warned.endswith(last)
    setup.refresh_from_db()
    assert setup.document == before | {"rollback_config": setup.rollback_config}
    assert setup.rollback_config["triggers"]["error_rate"] == {"threshold": "5%", "window": "5m"}
    assert Policy.objects.get().required_approvals == 2


def test_rollback_config__of_a_service_without_a_router__is_kept_for_the_one_it_gets(
    shop: Project, production: Environment, tmp_path: Path
) -> None:
    a_service(shop)
    path = tmp_path / "rollback.yaml"
    path.write_text(ROLLBACK)
    load(path, **FOR)
    assert ServiceSetup.objects.get().router == {"kind": "manual"}
    assert load(path, **FOR)[0] == "nothing changes: everything is as the file says\n"


def test_rollback_config__where_people_have_to_agree__waits(
    setup: ServiceSetup, production: Environment, erin: User, frank: User, tmp_path: Path
) -> None:
    set_policy(production, **TWO_ROLES)
    path = tmp_path / "rollback.yaml"
    path.write_text(ROLLBACK)
    with pytest.raises(CommandError, match=r"needs approval before it is loaded$"):
        load(path, dry_run=True, **FOR)
    assert not ChangeRequest.objects.exists()
    with pytest.raises(CommandError) as refused:
        load(path, person="erin", **FOR)
    request = ChangeRequest.objects.get()
    assert str(refused.value).endswith(f"/p/shop/changes/{request.pk}")
    assert request.author_user == erin


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        (ROLLBACK, {}, "rollback_config: Say for which service, and where, with --service"),
        (ROLLBACK, {"service": "checkout"}, "say both, or neither: --service and --environment"),
        (ROLLBACK, FOR | {"service": "x"}, "shop has no service x"),
        (ROLLBACK, FOR | {"environment": "x"}, "shop has no environment x"),
        (
            ROLLBACK.replace("5%", "105%"),
            FOR,
            "rollback_config.triggers.error_rate.threshold: Give a percentage such as 5%.",
        ),
        (
            SELECTION.replace("rolling_deployment", "canary_deployment"),
            {},
            "deployment_strategy_selection.zero_downtime_required.medium_traffic: The advisor says "
            "rolling here.",
        ),
        ("approval_requirements: 7\n", {}, "deployment_permissions.approval_requirements: Write"),
    ],
)
def test_a_block__that_cannot_be_loaded__is_refused_and_nothing_of_the_file_is_kept(
    setup: ServiceSetup, tmp_path: Path, text: str, options: dict[str, str], sentence: str
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text if text.startswith("approval") else GUIDE.read_text() + text)
    with pytest.raises(CommandError) as refused:
        load(path, **options)
    assert str(refused.value).startswith(sentence)
    assert not Policy.objects.exists()
    assert ServiceSetup.objects.get().document == setup.document


def test_approval_requirements__may_stand_by_themselves(shop: Project, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("approval_requirements:\n  production:\n    required_approvals: 1\n")
    load(path)
    assert Policy.objects.get().required_approvals == 1
