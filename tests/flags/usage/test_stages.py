"""Flags that nobody asks for, and that others refer to."""

from datetime import datetime, timedelta

import pytest

from flags.channel import EvaluationCount
from flags.core.definitions import create_flag
from flags.models import Flag, FlagConfiguration, FlagUsage
from flags.usage.lifecycle import Stage
from flags.usage.stages import stages_of
from portal.access.models import Environment, Project
from portal.lib.journal import Intent
from tests.flags.usage.conftest import batch, take
from tests.support.people import SETTING_UP, boolean_flag

pytestmark = pytest.mark.postgresql


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["prerequisites", "rules"])
def test_a_flag_that_another_refers_to__is_never_ready_to_archive(
    shop: Project,
    production: Environment,
    new_checkout: Flag,
    on: EvaluationCount,
    now: datetime,
    where: str,
) -> None:
    take(batch(production, now, on), now=now)
    FlagUsage.objects.update(start=now - timedelta(days=30))
    quiet = create_flag(
        project=shop, document=boolean_flag("quiet"), intent=Intent(SETTING_UP, at=now)
    )
    Flag.objects.filter(pk=quiet.pk).update(created_at=now - timedelta(days=20))
    quiet.refresh_from_db()
    assert stages_of(shop, [quiet], now=now)[quiet.pk].lifecycle.stage is Stage.READY
    test = {"flag": "quiet", "variants": ["on"]}
    stored = FlagConfiguration.objects.get(flag=new_checkout, environment=production)
    stored.targeting[where] = [test] if where == "prerequisites" else [{"when": {"all": [test]}}]
    stored.save()
    assert stages_of(shop, [quiet], now=now)[quiet.pk].lifecycle.stage is Stage.IN_USE
