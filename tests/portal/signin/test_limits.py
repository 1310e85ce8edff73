"""How often signing in may fail."""

import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client

from portal.access.models import SignInCounter, User
from portal.access.signin import throttle
from portal.audit.models import AuditEvent
from tests.support import concurrently
from tests.support.people import PASSWORD

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"


def attempt(name: str, password: str, address: str = HERE) -> int:
    """The status of a sign-in from a new browser at that address."""
    answer = Client(REMOTE_ADDR=address).post("/sign-in", {"username": name, "password": password})
    return answer.status_code


def fail(name: str, times: int, address: str = HERE) -> None:
    assert {attempt(name, "wrong", address) for _ in range(times)} == {200}


def pass_time(time: timedelta) -> None:
    """As if all that was counted had happened so much earlier."""
    changes = {name: F(name) - time for name in ("window_started_at", "locked_until", "trusted_at")}
    SignInCounter.objects.update(**changes)


def events(name: str) -> list[str]:
    found = AuditEvent.objects.filter(subject=name).order_by("sequence")
    return list(found.values_list("event", flat=True))


def test_sign_in__five_failures__lock_with_a_sentence_and_a_time(alice: User) -> None:
    fail("alice", throttle.PAIR.failures)
    answer = Client(REMOTE_ADDR=HERE).post("/sign-in", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 901
    page = answer.content.decode()
    assert re.search(
        r"Too many attempts have failed. Try again in 15 minutes, at \d\d:\d\d UTC.", page
    )
    assert 'value="alice"' in page
    assert PASSWORD not in page


def test_sign_in__once_the_time_is_over__works_again(alice: User) -> None:
    fail("alice", throttle.PAIR.failures)
    assert attempt("alice", PASSWORD) == 429
    pass_time(throttle.PAIR.lock)
    assert attempt("alice", PASSWORD) == 302


def test_sign_in__failures_long_ago__do_not_count(alice: User) -> None:
    fail("alice", throttle.PAIR.failures - 1)
    pass_time(throttle.PAIR.window)
    fail("alice", throttle.PAIR.failures - 1)
    assert attempt("alice", PASSWORD) == 302


def test_sign_in__success__forgets_the_failures(alice: User) -> None:
    for _ in range(3):
        fail("alice", throttle.PAIR.failures - 1)
        assert attempt("alice", PASSWORD) == 302


def test_sign_in__locked_at_one_address__works_at_another(alice: User) -> None:
    fail("alice", throttle.PAIR.failures)
    assert attempt("alice", PASSWORD, ELSEWHERE) == 302


def test_sign_in__known_and_unknown_names__are_locked_alike(alice: User) -> None:
    answers = []
    for name in ("alice", "nobody"):
        fail(name, throttle.PAIR.failures)
        page = Client(REMOTE_ADDR=HERE).post("/sign-in", {"username": name, "password": "x"})
        assert page.status_code == 429
        answers.append(
            re.sub(rf"{name}|[A-Za-z0-9]{{64}}|[0-9a-f]{{16}}", "", page.content.decode())
        )
    assert answers[0] == answers[1]


def test_sign_in__names_that_differ_in_case_or_space__are_counted_together(alice: User) -> None:
    for name in ("alice", "ALICE", " alice", "Alice ", "aLICE"):
        fail(name, 1)
    assert attempt("alice", PASSWORD) == 429


def test_sign_in__attack_from_everywhere__locks_strangers_and_not_alice(alice: User) -> None:
    """Alice has signed in from her office before, so nobody elsewhere can keep her out."""
    assert attempt("alice", PASSWORD, "203.0.113.1") == 302
    for number in range(throttle.ACCOUNT.failures):
        fail("alice", 1, f"10.0.0.{number}")
    assert attempt("alice", "guess", "10.0.1.1") == 429
    assert attempt("alice", PASSWORD, "203.0.113.1") == 302


def test_sign_in__one_address_trying_many_names__is_locked(alice: User) -> None:
    for number in range(throttle.ADDRESS.failures):
        fail(f"name{number}", 1)
    assert attempt("alice", PASSWORD) == 429
    assert attempt("alice", PASSWORD, ELSEWHERE) == 302


def test_sign_in__addresses_of_one_ipv6_network__count_as_one(alice: User) -> None:
    for number in range(throttle.PAIR.failures):
        fail("alice", 1, f"2001:db8::{number}")
    assert attempt("alice", PASSWORD, "2001:db8::ffff") == 429
    assert attempt("alice", PASSWORD, "2001:db8:0:1::1") == 302


def test_sign_in__forwarded_address_without_a_declared_proxy__is_not_believed(alice: User) -> None:
    for number in range(throttle.PAIR.failures):
        forged = Client(REMOTE_ADDR=HERE, HTTP_X_FORWARDED_FOR=f"10.0.0.{number}")
        forged.post("/sign-in", {"username": "alice", "password": "wrong"})
    assert attempt("alice", PASSWORD) == 429


def test_sign_in__behind_a_declared_proxy__the_last_forwarded_address_counts(
    alice: User, settings: object
) -> None:
    settings.PROXIES = 1  # type: ignore[attr-defined]
    for number in range(throttle.PAIR.failures):
        client = Client(REMOTE_ADDR=HERE, HTTP_X_FORWARDED_FOR=f"10.0.0.{number}, {ELSEWHERE}")
        client.post("/sign-in", {"username": "alice", "password": "wrong"})
    assert attempt("alice", PASSWORD, HERE) == 302
    behind = Client(REMOTE_ADDR=HERE, HTTP_X_FORWARDED_FOR=ELSEWHERE)
    answer = behind.post("/sign-in", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 429


@pytest.mark.django_db(transaction=True)
def test_sign_in__many_guesses_at_once__are_not_more_than_one_after_the_other(alice: User) -> None:
    found = concurrently.run(*[lambda: attempt("alice", "wrong")] * 12)
    assert sorted(map(str, found)) == ["200"] * 5 + ["429"] * 7


def test_lockout__is_recorded_once_and_refused_attempts_are_not(alice: User) -> None:
    fail("alice", throttle.PAIR.failures)
    for _ in range(3):
        attempt("alice", "wrong")
    assert events("alice")[1:] == ["user.sign_in_failed"] * 5 + ["user.locked_out"]


def test_sign_in_failed__name_that_nobody_has__is_not_kept(db: None) -> None:
    """It may well be a password, typed into the wrong field."""
    fail("hunter2-hunter2", 1)
    (event,) = AuditEvent.objects.filter(event="user.sign_in_failed")
    assert event.subject == "hu…"
    assert "hunter2" not in str(AuditEvent.objects.values_list())
    assert "hunter2" not in str(SignInCounter.objects.values_list())


def test_sign_in_failed__line_breaks_in_the_name__do_not_reach_the_record(db: None) -> None:
    fail("\x1b\r\n2026 user.signed_in admin", 1)
    (event,) = AuditEvent.objects.filter(event="user.sign_in_failed")
    assert event.subject.isprintable()


def test_unlock__locked_person__may_try_again_at_once(alice: User) -> None:
    fail("alice", throttle.PAIR.failures)
    assert attempt("alice", PASSWORD) == 429
    call_command("unlock", "alice", verbosity=0)
    assert attempt("alice", PASSWORD) == 302
    assert "user.unlocked" in events("alice")


def test_unlock__nobody_of_that_name__says_so(db: None) -> None:
    with pytest.raises(CommandError, match="there is no user nobody"):
        call_command("unlock", "nobody")


def test_counters__long_unused__are_cleared_away(alice: User) -> None:
    fail("somebody", 1)
    pass_time(timedelta(days=92))
    fail("alice", 1)
    assert SignInCounter.objects.count() == 3
