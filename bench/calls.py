"""How much of our own Python runs for one click: its calls and its queries, which no machine sways.

What is counted is a toggle on the flag's page, and the page of a change request: the demo project,
an approval policy in production, everything loaded by an earlier visit.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from bench import lines_of, start_django
from portal.lib.env import BASE_DIR
from portal.lib.journal import Intent

_OURS = tuple(str(BASE_DIR / name) + os.sep for name in ("portal", "flags", "releases"))


def run(*, most: int = 0) -> list[str]:
    """Count in a process of its own; the lines of a Markdown table.

    ``most`` adds that many of the functions that are called most often.
    """
    return lines_of("bench.calls", str(most), LOG_LEVEL="ERROR")


class Count:
    """The calls of our own functions and the database's queries while it is entered."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.queries = 0

    def __enter__(self) -> "Count":
        from django.db import connection

        self._wrapped = connection.execute_wrapper(self._query)
        self._wrapped.__enter__()
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *error: Any) -> None:
        sys.setprofile(None)
        self._wrapped.__exit__(*error)

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        # What comprehensions and generators run is part of the function that they stand in.
        if (
            event == "call"
            and not code.co_name.startswith("<")
            and code.co_filename.startswith(_OURS)
        ):
            self.calls[f"{Path(code.co_filename).relative_to(BASE_DIR)}: {code.co_qualname}"] += 1

    def _query(self, execute: Callable[..., Any], *statement: Any) -> Any:
        self.queries += 1
        return execute(*statement)


def _measure(most: int) -> Iterator[str]:
    yield "| one click | our calls | queries |"
    yield "| --- | ---: | ---: |"
    counted = dict(_clicks())
    for title, count in counted.items():
        yield f"| {title} | {count.calls.total():,} | {count.queries} |"
    for title, count in counted.items() if most else ():
        yield f"\n{title}:"
        yield from (f"{number:6} {name}" for name, number in count.calls.most_common(most))


def _clicks() -> Iterator[tuple[str, Count]]:
    from django.test import Client
    from django.urls import reverse

    from flags.models import FlagConfiguration
    from portal.access.models import Project, User
    from portal.approvals.models import ChangeRequest
    from portal.approvals.policies import services as policy_services
    from portal.lib import journal

    user = User.objects.create(username="owner", is_superuser=True)
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    project = Project.objects.get(key="demo")

    def toggle(environment: str, key: str, *, enabled: bool) -> Count:
        rows = FlagConfiguration.objects.filter(environment__key=environment)
        version = rows.get(flag__key=key).version
        form = {"enabled": str(int(enabled)), "version": version, "page": "flag", "confirmed": "1"}
        address = f"/p/demo/flag/switch/{environment}/{key}"
        with Count() as count:
            answer = client.post(address, form, headers={"HX-Request": "true"})
        if answer.status_code != 200:
            raise RuntimeError(f"{address}: {answer.status_code}")
        return count

    counts = [toggle("development", "search-ranking", enabled=on) for on in (True, False, True)]
    yield "toggle, by the flag's page", counts[-1]
    policy_services.set_policy(
        environment=project.environments.get(key="production"),
        document={"required_approvals": 1},
        intent=Intent(journal.system("bench")),
    )
    count = toggle("production", "recommendation-weight", enabled=True)
    yield "toggle that opens a change request", count
    address = reverse("change-request", args=["demo", ChangeRequest.objects.get().pk])
    visits = [_visit(client, address) for _time in range(2)]
    yield "page of a change request", visits[-1]


def _visit(client: Any, address: str) -> Count:
    with Count() as count:
        answer = client.get(address)
    if answer.status_code != 200:
        raise RuntimeError(f"{address}: {answer.status_code}")
    return count


def _main(most: int) -> None:
    start_django()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from flags import demo

    demo.ensure("")
    print(json.dumps(list(_measure(most))))


if __name__ == "__main__":
    _main(int(sys.argv[1]))
