"""What comes before a release: previews, advice and plans that are kept."""

from typing import Any

import pytest

from portal.access.models import Environment
from releases.catalogue.models import Artefact, Service
from releases.core.models import Release
from releases.policies.models import PlanTemplate
from tests.releases.api.asking import RELEASES, paths, put, started
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.freezing import freeze_now
from tests.support.releasing import (
    PLAN,
)
from tests.support.script import PROJECT, Script, answer, problem

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def test_a_preview__says_what_would_come_and_stores_nothing(
    script: Script, body: dict[str, Any], service: Service, production: Environment
) -> None:
    wanted = {name: body[name] for name in body if name != "reason"}
    found = answer(script.post(f"{RELEASES}/preview", wanted))
    assert [(one["share"], one["starts_s"], one["gate"]) for one in found["steps"]] == [
        (5, 0, False),
        (50, 60, False),
        (100, 120, False),
    ]
    assert [(one["key"], one["from"]) for one in found["checks"]] == [("errors", "service")]
    assert (found["active"], found["stable"]) == (None, None)
    assert (found["needs_approval"], found["freezes"]) == (False, [])
    freeze_now(production)
    set_policy(production, **TWO_ROLES)
    found = answer(script.post(f"{RELEASES}/preview", wanted))
    assert found["needs_approval"]
    assert found["freezes"][0].startswith("Production is frozen by ")
    assert not Release.objects.exists()
    assert not Artefact.objects.exists()
    assert paths(problem(script.post(f"{RELEASES}/preview", wanted | {"strategy": "x"}), 400))


def test_the_advice__is_the_guides_and_says_where_that_cannot_be_had(
    script: Script, body: dict[str, Any]
) -> None:
    path = f"{PROJECT}/release-advice"
    asked = answer(script.get(path))
    assert asked["answers"]["testing_focus"]["user_validation"] == "canary"
    found = answer(script.get(f"{path}?concern=testing_focus&answer=feature_testing"))
    assert (found["strategy"], found["instead_of"]) == ("feature_flag", "")
    found = answer(script.get(f"{path}?concern=zero_downtime_required&answer=high_traffic"))
    assert (found["strategy"], found["instead_of"]) == ("blue_green", "")
    medium = (
        f"{path}?concern=zero_downtime_required&answer=medium_traffic&service={body['service']}"
    )
    found = answer(script.get(medium))
    assert (found["strategy"], found["instead_of"]) == ("canary", "rolling")
    assert "canary comes closest" in found["reason"]
    for query in ("concern=speed", "concern=testing_focus", "answer=high_traffic"):
        problem(script.get(f"{path}?{query}"), 400)


def test_a_plan_template__is_kept_taken_and_forgotten(
    script: Script, elsewhere: Script, body: dict[str, Any]
) -> None:
    path = f"{PROJECT}/plan-templates/careful"
    kept = answer(put(script, path, {"plan": PLAN | {"strategy": "canary"}}))
    assert (kept["key"], kept["name"], kept["plan"]["watch_s"]) == ("careful", "careful", 3600)
    assert answer(put(script, path, {"plan": kept["plan"]})) == kept == answer(script.get(path))
    assert answer(elsewhere.get(f"{PROJECT}/plan-templates"))["plan_templates"] == [kept]
    wanted = {name: body[name] for name in body if name != "plan"} | {"template": "careful"}
    assert started(script, wanted).plan["steps"] == kept["plan"]["steps"]
    refused = problem(put(script, path, {"plan": {"strategy": "canary", "steps": []}}), 400)
    assert paths(refused) == ["plan.steps"]
    cohorts = PLAN | {"strategy": "canary", "cohorts": ["nobody"]}
    assert paths(problem(put(script, path, {"plan": cohorts}), 400)) == ["plan.cohorts[0]"]
    assert script.call("DELETE", path).status_code == 204
    assert not PlanTemplate.objects.exists()
    problem(script.get(path), 404)
