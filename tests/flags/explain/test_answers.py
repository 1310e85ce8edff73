"""ExplainQuestion for the past, the history answers what the evaluators answered then."""

import json
import random

import pytest

from flags.explain import rebuilding
from portal.access.models import User
from portal.lib.errors import AviaryError
from tests.flags.explain.year import CHANGES, Year, begin
from tests.support.answering import without_version
from tests.support.desk import Desk

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]


@pytest.mark.parametrize("seed", range(2))
def test_past__any_changes__answers_what_evaluators_answered(
    desk: Desk, alice: User, seed: int, whole: bool
) -> None:
    year = Year(desk, alice, random.Random(seed))
    begin(year)
    for _number in range(25):
        (change,) = year.dice.choices(list(CHANGES), weights=list(CHANGES.values()))
        try:
            change(year)
        except AviaryError:
            continue  # an archived flag, or a reference that may not be
        year.note_answers()
    asked = year.dice.sample(year.answered, min(150 if whole else 60, len(year.answered)))
    for moment, environment, flag, context, answer in asked:
        found = rebuilding.answer_at(
            project=desk.flag.project,
            environment=environment,
            flag=flag,
            context=context,
            moment=moment,
        ).explained
        body = json.loads(json.dumps(found.body))
        assert (found.status, body) == without_version(answer), (flag, environment, moment)
