"""Everything of an installation of before is there after its migration, and goes on."""

from typing import Any

import httpx
import pytest
from django.db import connection

from tests.browser.visitors import visiting
from tests.support.people import PASSWORD
from tests.support.waiting import wait_until
from tests.upgrade import tables
from tests.upgrade.conftest import Installation

pytestmark = [pytest.mark.postgresql, pytest.mark.xdist_group("upgrade")]
API = "/api/v1/projects/shop"
# The installation waited for a day to come; the machine of the test decides which day it is.
NEVER, LONG_AGO = "2098-01-01 00:00:00+00", "2020-01-01 00:00:00+00"


def hold_still(before: Installation) -> None:
    """Nothing is due but the mail, however long ago the installation was made."""
    before.run_sql("UPDATE approvals_emergency SET reverts_at = ?", NEVER)
    before.run_sql("UPDATE flags_plan SET due_at = ?", NEVER)
    before.run_sql("UPDATE letters_letter SET written_at = CURRENT_TIMESTAMP")


def answers_of(before: Installation) -> list[list[Any]]:
    """What the evaluator answers in production now, in the form of what is expected."""
    contexts = before.expected["contexts"]
    token = before.expected["tokens"]["server"]
    with httpx.Client(
        base_url=before.stack.evaluator_url, headers={"Authorization": f"Bearer {token}"}
    ) as application:
        found = []
        for key in sorted({row[1] for row in expected_answers(before)}):
            for context in contexts:
                answer = application.post(
                    f"/ofrep/v1/evaluate/flags/{key}", json={"context": context}
                )
                body = answer.json()
                found.append(
                    ["production", key, context["targetingKey"], answer.status_code]
                    + [body.get(field) for field in ("value", "variant", "reason")]
                )
        return found


def expected_answers(before: Installation) -> list[list[Any]]:
    return [row for row in before.expected["answers"] if row[0] == "production"]


def admin(before: Installation) -> httpx.Client:
    """What the installation's admin key opens."""
    token = before.expected["tokens"]["admin"]
    return httpx.Client(
        base_url=before.stack.portal_url + API, headers={"Authorization": f"Bearer {token}"}
    )


def value_for(before: Installation, key: str, **context: str) -> Any:
    token = before.expected["tokens"]["server"]
    answer = httpx.post(
        f"{before.stack.evaluator_url}/ofrep/v1/evaluate/flags/{key}",
        headers={"Authorization": f"Bearer {token}"},
        json={"context": {"targetingKey": "user-1", **context}},
    )
    return answer.json().get("value")


def tables_of_a_new_database() -> set[tuple[Any, ...]]:
    def run_sql(statement: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    return tables.described(run_sql, connection.vendor)


@pytest.mark.django_db
def test_migration__installation_of_before__loses_no_row_and_has_the_tables_of_a_new_one(
    before: Installation,
) -> None:
    for label, count in before.expected["rows"].items():
        assert before.rows[label] >= count, label
    assert tables.described(before.run_sql, connection.vendor) == tables_of_a_new_database()
    done = before.stack.manage("verifyaudit")
    assert done.returncode == 0, done.stdout


def approve(before: Installation, person: str, asked: dict[str, Any]) -> None:
    with visiting(before.stack, person, PASSWORD) as visitor:
        fields = {"verdict": "approve", "digest": str(asked["digest"])}
        answer = visitor.post(f"/p/shop/changes/{asked['id']}/vote", fields)
        assert answer.status_code < 400, answer.text


def test_everything_under_way__after_the_upgrade__goes_on(before: Installation) -> None:
    ((planned_for,),) = before.run_sql("SELECT due_at FROM flags_plan WHERE id = 3")
    hold_still(before)
    before.stack.start()

    assert answers_of(before) == expected_answers(before)
    wanted = before.expected["open_requests"]
    with admin(before) as client:
        listed = client.get("/change-requests", params={"state": "open"}).json()
        assert [(one["id"], one["digest"]) for one in listed["change_requests"]] == [
            (one["id"], one["digest"]) for one in reversed(wanted)
        ]
    # A request with one vote of before takes the second one, and is applied.
    voted = next(one for one in wanted if one["votes"])
    approve(before, "frank", voted)
    with admin(before) as client:
        assert client.get(f"/change-requests/{voted['id']}").json()["state"] == "applied"

    # The emergency ends, and so do plans, by the worker of today.
    assert value_for(before, "payments", country="DE") is True
    before.run_sql("UPDATE approvals_emergency SET reverts_at = ?", LONG_AGO)
    before.run_sql("UPDATE flags_plan SET due_at = ? WHERE id = 3", planned_for)
    wait_until(
        lambda: before.run_sql("SELECT 1 FROM approvals_emergency WHERE reverted_at IS NOT NULL"),
        within_s=60,
        what="the emergency's end",
    )
    wait_until(
        lambda: before.run_sql("SELECT 1 FROM flags_plan WHERE id = 3 AND state = 'finished'"),
        within_s=60,
        what="the schedule of staging",
    )
    wait_until(
        lambda: len(before.inbox.letters) >= len(before.expected["mail"]),
        within_s=60,
        what="the mail that was waiting",
    )
    done = before.stack.manage("verifyaudit")
    assert done.returncode == 0, done.stdout
    assert before.stack.stop() == 0
