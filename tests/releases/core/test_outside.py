"""Routers and checks outside of our database: webhooks, people, probes; as they are, and away."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from flags.segments.services import create_segment
from portal.access.models import Environment, Grant, User
from portal.approvals.errors import Waiting
from portal.approvals.freezes.services import lift_line, stop_line
from portal.approvals.services import apply_request
from portal.audit.models import AuditEvent
from portal.lib import clock, outbound
from portal.lib.errors import AviaryError
from portal.lib.journal import Intent
from releases.catalogue.models import Service
from releases.core import commands, outside_routers, runner
from releases.core.descriptions import hold_words
from releases.core.models import Release, Termination
from releases.routers.webhook import secret_for
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.http_server import Request, Server, answering, serving
from tests.support.people import acting, create_person, give_role
from tests.support.releasing import (
    PLAN,
    a_release,
    a_service,
    a_setup,
    fresh,
    let_pass,
    routed_by_flag,
    tick,
)


class FarEnd:
    """A router behind a webhook: it does what it is told, and remembers each call."""

    def __init__(self) -> None:
        self.share = 0.0
        self.calls: list[dict[str, Any]] = []
        self.says: bytes | None = None
        self.lags = 0
        self.refuses = b"nothing"

    def behave(self, handler: BaseHTTPRequestHandler) -> None:
        came: Request = handler.came  # type: ignore[attr-defined]
        if self.refuses in came.body:
            handler.send_error(503)
        else:
            answering(self.answer)(handler)

    def answer(self, request: Request) -> bytes:
        if self.says is not None:
            return self.says
        call = json.loads(request.body or b'{"action": "poll"}')
        self.calls.append(call)
        if call["action"] in ("start", "abort"):
            if self.lags:
                self.lags -= 1
            else:
                self.share = call["share"]
        said = {"share": self.share, "state": {"seen": len(self.calls)}}
        return json.dumps(said).encode()

    @property
    def actions(self) -> list[str]:
        return [call["action"] for call in self.calls]

    @property
    def terminated(self) -> list[str]:
        return [call["execution"] for call in self.calls if call["action"] == "terminate"]


@pytest.fixture
def far_end(settings: Settings) -> Iterator[tuple[FarEnd, Server]]:
    settings.OUTBOUND_NETWORKS = outbound.EVERYWHERE
    end = FarEnd()
    with serving(end.behave) as server:
        yield end, server


@pytest.fixture
def routed(development: Environment, far_end: tuple[FarEnd, Server]) -> Service:
    service = a_service(development.project)
    a_setup(service, development, router={"kind": "webhook", "url": far_end[1].url + "/route"})
    return service


def causes(release: Release) -> list[str]:
    return [one["cause"] for one in release.holds]


def test_a_webhook__is_told_each_step_and_asked_until_it_is_there(
    routed: Service, development: Environment, alice: User, far_end: tuple[FarEnd, Server]
) -> None:
    end, server = far_end
    release = a_release(routed, development, alice)
    end.lags = 1
    assert tick(release).entered_at is None  # told, and not there yet
    there = tick(release)
    assert (there.told["share"], there.step) == (5000, 0)
    assert there.entered_at is not None
    tick(release)
    assert end.actions == ["start", "start", "poll"]
    assert end.calls[1]["state"] == {"seen": 1}  # its own state, given back
    assert end.calls[0]["execution"] == end.calls[1]["execution"]
    let_pass(release, 61)
    tick(release)
    assert (tick(release).told["share"], end.share) == (50_000, 50.0)
    fences = [call["fence"] for call in end.calls]
    assert fences == sorted(fences)
    stamp, mac = server.requests[-1].headers["X-Aviary-Signature"].split(",")
    body = stamp.removeprefix("t=").encode() + b"." + server.requests[-1].body
    key = secret_for("shop", routed.key, "development").encode()
    assert mac == "v1=" + hmac.new(key, body, hashlib.sha256).hexdigest()


def test_a_webhook__is_told_to_abort_until_it_says_that_it_is_back(
    routed: Service, development: Environment, alice: User, far_end: tuple[FarEnd, Server]
) -> None:
    end, _server = far_end
    release = a_release(routed, development, alice)
    tick(release)
    end.lags = 2
    commands.rollback(release=release, intent=Intent(acting(alice), "errors"))
    assert fresh(release).state == "rolling_back"
    assert tick(release).state == "rolling_back"
    assert tick(release).state == "rolling_back"
    assert tick(release).state == "rolled_back"
    assert end.actions[-3:] == ["abort"] * 3
    assert end.share == 0


def _promote(release: Release, person: User) -> None:
    commands.promote(release=release, intent=Intent(acting(person)))


def _retry(release: Release, person: User) -> None:
    commands.retry(release=release, intent=Intent(acting(person)))


def _roll_back(release: Release, person: User) -> None:
    commands.rollback(release=release, intent=Intent(acting(person)))


def _supersede(release: Release, person: User) -> None:
    assert release.service
    other = a_release(release.service, release.environment, person, version="3.0", start=False)
    commands.start(release=other, intent=Intent(acting(person)), supersede=True)


@pytest.mark.postgresql
@pytest.mark.parametrize("go_on", [_promote, _retry, _roll_back, _supersede])
def test_a_webhook__is_told_once_to_end_what_a_release_goes_on_without(
    routed: Service,
    development: Environment,
    alice: User,
    far_end: tuple[FarEnd, Server],
    go_on: Callable[[Release, User], None],
) -> None:
    end, _server = far_end
    release = a_release(routed, development, alice)
    end.lags = 1
    tick(release)
    outside_routers.terminate_due()
    assert end.terminated == []  # it waits for it
    go_on(release, alice)
    end.refuses = b"terminate"
    outside_routers.terminate_due()
    tick(release)
    assert end.share != 0 or go_on is _roll_back  # nothing waits for that
    end.refuses = b"nothing"
    for _time in range(2):
        Termination.objects.update(retry_at=None)
        outside_routers.terminate_due()
    assert end.terminated == [f"{release.pk}.0.1"]
    told = next(call for call in end.calls if call["action"] == "terminate")
    assert (told["state"], told["fence"]) == ({"seen": 1}, fresh(release).fence)


def test_a_webhook__is_not_told_to_end_what_is_done(
    routed: Service, development: Environment, alice: User, far_end: tuple[FarEnd, Server]
) -> None:
    end, _server = far_end
    release = a_release(routed, development, alice)
    tick(release)
    commands.promote(release=release, intent=Intent(acting(alice)))
    tick(release)
    commands.rollback(release=release, intent=Intent(acting(alice)))
    end.lags = 1
    tick(release)
    commands.rollback(release=release, intent=Intent(acting(alice)))
    assert tick(release).state == "rolled_back"
    assert outside_routers.terminate_due() == 0


def test_a_webhook__that_hears_of_no_end_for_ten_minutes__is_told_no_more_and_the_history_says_so(
    routed: Service, development: Environment, alice: User, far_end: tuple[FarEnd, Server]
) -> None:
    end, _server = far_end
    release = a_release(routed, development, alice)
    end.lags, end.refuses = 1, b"terminate"
    tick(release)
    commands.promote(release=release, intent=Intent(acting(alice)))
    for _time in range(9):
        Termination.objects.update(retry_at=None)
        outside_routers.terminate_due()
    assert not Termination.objects.exists()
    row = AuditEvent.objects.get(event="release.not_terminated")
    assert row.after_document is not None
    assert row.after_document["execution"] == f"{release.pk}.0.1"
    assert "status 503" in str(row.after_document)


@pytest.mark.parametrize(
    "said", [b"", b"[]", b'{"share": "5"}', b'{"share": NaN}', b'{"share": -1}']
)
def test_a_webhook_that_answers_nonsense__holds_it_and_a_rollback_goes_on(
    routed: Service,
    development: Environment,
    alice: User,
    far_end: tuple[FarEnd, Server],
    said: bytes,
) -> None:
    end, _server = far_end
    release = a_release(routed, development, alice)
    tick(release)
    end.says = said
    held = tick(release)
    assert (held.state, causes(held)) == ("held", ["router_away"])
    assert "its answer" in hold_words(held, held.holds[0])
    commands.rollback(release=release, intent=Intent(acting(alice)))
    assert tick(release).state == "rolling_back"
    end.says = None
    assert tick(release).state == "rolled_back"


def test_a_webhook__that_lost_its_share_is_told_again_and_a_foreign_one_holds(
    routed: Service, development: Environment, alice: User, far_end: tuple[FarEnd, Server]
) -> None:
    end, _server = far_end
    release = a_release(routed, development, alice)
    tick(release)
    end.share = 0.0  # as after a restart
    tick(release)
    assert tick(release).state == "running"
    assert end.share == 5.0
    end.share = 30.0
    held = tick(release)
    assert causes(held) == ["foreign"]
    assert end.share == 30.0
    commands.retry(release=release, intent=Intent(acting(alice)))
    tick(release)
    assert tick(release).state == "running"
    assert end.share == 5.0


def test_a_private_address__is_asked_only_where_the_site_says_so(
    routed: Service, development: Environment, alice: User, settings: Settings
) -> None:
    settings.OUTBOUND_NETWORKS = ()
    held = tick(a_release(routed, development, alice))
    assert causes(held) == ["router_away"]
    assert "AVIARY_OUTBOUND_NETWORKS" in hold_words(held, held.holds[0])


def test_a_manual_router__waits_for_the_person_who_moves_traffic(
    development: Environment, alice: User
) -> None:
    service = a_service(development.project)
    a_setup(service, development)
    release = a_release(service, development, alice)
    waits = tick(release)
    assert (waits.state, causes(waits)) == ("waiting", ["confirm"])
    intent = Intent(acting(alice))
    commands.confirm(release=release, intent=intent)
    assert tick(release).state == "running"
    assert causes(let_pass(release, 61)) == []
    assert causes(tick(release)) == ["confirm"]
    commands.rollback(release=release, intent=intent)
    assert tick(release).state == "rolling_back"
    commands.confirm(release=release, intent=intent)
    assert tick(release).state == "rolled_back"


def test_probes__are_asked_by_their_period_and_take_it_back_at_their_limit(
    development: Environment, alice: User, far_end: tuple[FarEnd, Server]
) -> None:
    _end, server = far_end
    check = {
        "key": "health",
        "kind": "http",
        "url": server.url + "/health",
        "threshold": 3,
        "window_s": 120,
        "period_s": 10,
        "expected_status": [204],
    }
    service = routed_by_flag(development, checks=(check,))
    release = a_release(service, development, alice, plan=PLAN)
    tick(release)
    tick(release)
    assert len(server.requests) == 1  # its period is not over
    for _time in range(2):
        pass_a_period(release)
    back = tick(release)
    assert back.state == "rolled_back"
    assert (back.because["check"], back.because["errors"]) == ("health", 3)


def pass_a_period(release: Release) -> None:
    now = fresh(release)
    now.checks["health"]["asked_at"] = "2026-01-01T00:00:00+00:00"
    now.save()
    tick(release)


def test_a_webhooks_number__above_its_threshold_takes_it_back(
    development: Environment, alice: User, far_end: tuple[FarEnd, Server]
) -> None:
    end, server = far_end
    check = {"key": "carts", "kind": "webhook", "url": server.url, "threshold": 2}
    service = routed_by_flag(development, checks=(check,))
    release = a_release(service, development, alice, plan=PLAN)
    end.says = b'{"value": 1.5}'
    assert tick(release).checks["carts"]["verdict"] == "passed"
    asked = json.loads(server.requests[-1].body)
    assert asked == asked | {"check": "carts", "service": service.key, "version": "2.0"}
    end.says = b'{"value": "NaN"}'
    now = fresh(release)
    now.checks["carts"]["asked_at"] = None
    now.save()
    assert causes(tick(release)) == ["check_error"]
    end.says = b'{"value": 3}'
    now = fresh(release)
    now.checks["carts"]["asked_at"] = None
    now.save()
    back = tick(release)
    assert (back.state, back.because["value"]) == ("rolled_back", 3.0)


def test_a_stopped_line__is_raised_by_no_retry(
    routed: Service, development: Environment, alice: User, far_end: tuple[FarEnd, Server]
) -> None:
    end, _server = far_end
    release = a_release(routed, development, alice)
    tick(release)
    tick(release)
    end.share = 2.0
    stop_line(environment=development, intent=Intent(acting(alice), "the shop is down"))
    commands.retry(release=release, intent=Intent(acting(alice)))
    assert causes(tick(release)) == ["stopped"]
    assert end.share == 2.0
    lift_line(environment=development, intent=Intent(acting(alice), "it is up"))
    for _look in range(3):
        tick(release)
    assert end.share == 5.0


def test_a_person__is_asked_to_take_back_a_cohort(development: Environment, alice: User) -> None:
    service = a_service(development.project)
    a_setup(service, development)
    create_segment(project=service.project, document={"key": "beta"}, intent=Intent(acting(alice)))
    release = a_release(service, development, alice, plan=PLAN | {"cohorts": ["beta"]})
    tick(release)
    intent = Intent(acting(alice))
    commands.confirm(release=release, intent=intent)
    commands.drop_cohort(release=release, intent=intent, cohort="beta")
    assert causes(tick(release)) == ["confirm"]
    commands.confirm(release=release, intent=intent)
    assert tick(release).told["cohorts"] == []


def test_one_that_supersedes__goes_back_only_when_somebody_says_that_traffic_is_back(
    development: Environment, alice: User
) -> None:
    service = a_service(development.project)
    a_setup(service, development)
    intent = Intent(acting(alice))
    first = a_release(service, development, alice)
    tick(first)
    commands.confirm(release=first, intent=intent)
    second = a_release(service, development, alice, version="3.0", start=False)
    commands.start(release=second, intent=intent, supersede=True)
    commands.rollback(release=second, intent=intent)
    assert tick(second).state == "rolling_back"  # users still have what the first one gave them
    commands.confirm(release=fresh(second), intent=intent)
    assert tick(second).state == "rolled_back"


def _agreed_and_running(
    router: str, production: Environment, alice: User, voters: tuple[User, User], server: Server
) -> Release:
    """A release that two people agreed to, at its first step."""
    if router == "flag":
        service = routed_by_flag(production, checks=())
    else:
        service = a_service(production.project)
        url = {"url": server.url} if router == "webhook" else {}
        a_setup(service, production, router={"kind": router, **url})
    release = a_release(service, production, alice, start=False)
    set_policy(production, **TWO_ROLES)
    with pytest.raises(Waiting) as error:
        commands.start(release=release, intent=Intent(acting(alice)))
    _agree(error, voters)
    return _reach(release, alice)


def _agree(error: pytest.ExceptionInfo[Waiting], voters: Iterable[User]) -> None:
    request = waiting(error)
    for person in voters:
        vote(request, person)
    request.refresh_from_db()
    if request.is_open:
        apply_request(request=request, intent=Intent(acting(create_person("alice"))))


def _reach(release: Release, person: User) -> Release:
    """Its step's traffic is there: a person says so, where they move it."""
    if "confirm" in causes(tick(release)):
        commands.confirm(release=release, intent=Intent(acting(person)))
    return tick(release)


ROUTERS = ("flag", "webhook", "manual")


@pytest.mark.parametrize("router", ROUTERS)
def test_each_step__asks_again_who_agreed_and_goes_on_once_others_do(
    router: str,
    production: Environment,
    alice: User,
    erin: User,
    frank: User,
    far_end: tuple[FarEnd, Server],
) -> None:
    release = _agreed_and_running(router, production, alice, (erin, frank), far_end[1])
    assert release.told["share"] == 5000
    Grant.objects.filter(user=frank).delete()
    held = let_pass(release, 61)
    assert (held.state, held.step, causes(held)) == ("held", 0, ["problem"])
    with pytest.raises(Waiting) as error:
        commands.promote(release=release, intent=Intent(acting(alice)))
    grace = create_person("grace")
    give_role(production.project, grace, "devops_lead")
    _agree(error, (erin, grace))
    assert (fresh(release).step, _reach(release, alice).told["share"]) == (1, 50_000)
    assert commands.rollback(release=release, intent=Intent(acting(alice))).state in (
        "rolling_back",
        "rolled_back",
    )


@pytest.mark.parametrize("router", ROUTERS)
def test_each_step__asks_again_whether_its_author_still_may(
    router: str,
    production: Environment,
    alice: User,
    dana: User,
    erin: User,
    frank: User,
    far_end: tuple[FarEnd, Server],
) -> None:
    release = _agreed_and_running(router, production, alice, (erin, frank), far_end[1])
    Grant.objects.filter(user=alice).delete()
    held = let_pass(release, 61)
    assert (held.state, held.step, causes(held)) == ("held", 0, ["problem"])
    assert held.told["share"] == 5000
    give_role(production.project, dana, "project_admin")
    if router == "webhook":
        far_end[0].share = 2.0  # somebody has lowered it: to retry is to raise it
        tick(release)
        with pytest.raises(AviaryError):
            commands.retry(release=release, intent=Intent(acting(dana)))
    commands.rollback(release=release, intent=Intent(acting(dana)))
    if router == "manual":
        commands.confirm(release=release, intent=Intent(acting(dana)))
    assert tick(release).state == "rolled_back"


def test_a_webhook_that_keeps_nothing__holds_it_after_three_times_and_a_rollback_waits_for_no_truth(
    routed: Service, development: Environment, alice: User, far_end: tuple[FarEnd, Server]
) -> None:
    end, _server = far_end
    release = tick(a_release(routed, development, alice))
    for _time in range(2):
        end.share = 0.0
        assert tick(release).state == "running"
        assert tick(release).told["share"] == 5000  # set again
    end.share = 30.0  # whatever it says instead
    held = tick(release)
    wanted = "The router does not keep its share: 5 % set, 30 % reported, 3 times. "
    assert [hold_words(held, one) for one in held.holds] == [
        wanted + "Set it back, retry the step, or roll back."
    ]
    for share in (5.0, 0.0, 5.0):  # nothing is set while it is held, and no word of it believed
        end.share = share
        held = let_pass(release, 61)
        assert (held.state, len(held.holds), held.step) == ("held", 1, 0)
    assert AuditEvent.objects.filter(event="release.held").count() == 1
    assert end.actions[-4:] == ["poll"] * 4
    end.share = 30.0
    commands.rollback(release=release, intent=Intent(acting(alice)))
    assert tick(release).state == "rolled_back"
    assert end.share == 0


def test_a_webhook_that_kept_nothing__goes_on_once_it_has_for_a_minute_or_is_told_anew(
    routed: Service, development: Environment, alice: User, far_end: tuple[FarEnd, Server]
) -> None:
    end, _server = far_end
    release = tick(a_release(routed, development, alice))

    def lose() -> Release:
        for _time in range(2):
            end.share = 0.0
            tick(release)
            tick(release)
        end.share = 0.0
        return tick(release)

    assert lose().state == "held"
    commands.retry(release=release, intent=Intent(acting(alice)))
    assert tick(release).state == "running"
    assert lose().state == "held"
    end.share = 5.0
    kept = fresh(release)
    kept.wanted["strayed"]["at"] = (clock.database_now() - timedelta(seconds=61)).isoformat()
    kept.save()
    assert tick(release).state == "running"


def test_those_whose_far_ends_hang__are_looked_at_in_a_lane_of_their_own(
    routed: Service,
    development: Environment,
    alice: User,
    far_end: tuple[FarEnd, Server],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end, _server = far_end
    monkeypatch.setattr(runner, "_HANGING", set())
    release = a_release(routed, development, alice)
    by_flag = a_release(routed_by_flag(development, "other"), development, alice)

    def looked_at() -> tuple[int, int, int]:
        Release.objects.update(due_at=clock.database_now())
        return runner.tick_due(), runner.tick_hanging(), len(end.calls)

    monkeypatch.setattr(runner, "HANGS_S", 0)  # as if its answer had taken so long
    assert looked_at() == (2, 0, 1)
    assert {release.pk, by_flag.pk} == runner._HANGING
    monkeypatch.setattr(runner, "HANGS_S", 60)
    assert looked_at() == (0, 2, 2)
    assert looked_at() == (2, 0, 3)  # it is quick again
