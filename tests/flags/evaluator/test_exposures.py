"""Whom an evaluator notes for a release: those whom its split sent somewhere, once."""

import pytest

from flags.channel.exposures import Watch
from flags.engine import Reason, Result
from flags.evaluator import exposures
from flags.evaluator.exposures import ExposureCounter

WATCH = Watch("7", 1, "route", {"green": "c", "blue": "s"}, "targetingKey")


def served(variant: str, reason: Reason = Reason.SPLIT, **metadata: str | int) -> Result:
    return Result(variant, variant, reason, metadata={"version": 3, **metadata})


def noted(counter: ExposureCounter) -> list[tuple[str, str, str]]:
    return counter.watched(1, is_client=False)["route"].new


@pytest.fixture
def counter() -> ExposureCounter:
    found = ExposureCounter()
    found.watch([WATCH.member])
    return found


def test_users_whom_the_split_sent__are_noted_once_each(counter: ExposureCounter) -> None:
    flag = counter.watched(1, is_client=False)["route"]
    for _again in range(2):
        flag.note({"targetingKey": "erin"}, served("green"))
        flag.note({"targetingKey": "frank"}, served("blue"))
    flag.note({"targetingKey": "a rule's"}, served("green", ruleId="staff"))
    flag.note({"targetingKey": "everybody"}, served("green", Reason.STATIC))
    flag.note({"targetingKey": "of no arm"}, served("red"))
    flag.note({}, served("green"))
    assert noted(counter) == [("unit erin", "3", "c"), ("unit frank", "3", "s")]


def test_client_keys__and_other_places__note_nobody(counter: ExposureCounter) -> None:
    assert not counter.watched(1, is_client=True)
    assert not counter.watched(2, is_client=False)


def test_a_watch__goes_on_while_it_is_wanted_and_what_is_no_watch_is_left_out(
    counter: ExposureCounter,
) -> None:
    before = counter.watched(1, is_client=False)["route"]
    counter.watch([b"{", b"[]", b'["7", "1", "route", {}, "x"]', WATCH.member])
    assert counter.watched(1, is_client=False)["route"] is before
    counter.watch([])
    assert not counter.watched(1, is_client=False)


def test_more_users_than_fit__are_noted_later(
    counter: ExposureCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposures, "MOST_NEW", 2)
    flag = counter.watched(1, is_client=False)["route"]
    for user in ("a", "b", "late"):
        flag.note({"targetingKey": user}, served("green"))
    assert [user for user, _version, _arm in flag.new] == ["unit a", "unit b"]
    flag.new.clear()
    flag.note({"targetingKey": "late"}, served("green"))
    assert [user for user, _version, _arm in flag.new] == ["unit late"]
