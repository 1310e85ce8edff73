"""What an evaluator remembers of who sends metrics: bounded, and forgotten."""

import pytest

from flags.channel.points import MetricSource
from flags.evaluator import otlp_sources
from flags.evaluator.entries import Rejected
from flags.evaluator.otlp_sources import REMEMBERED_S, KnownSources, error_of
from flags.evaluator.otlp_wire import CUMULATIVE, DELTA, EXPLICIT, Metric, Owner, Value


def source(instance: object, environment_id: int = 1) -> MetricSource:
    return MetricSource(environment_id, "checkout", "2.0", str(instance))


def metric(temporality: int = DELTA, scope: str = "http") -> Metric:
    return Metric(Owner({}, (scope, "")), otlp_sources.NEW, "s", EXPLICIT, temporality)


def learn(known: KnownSources, at: float, identity: bytes = b"a", instance: str = "one") -> object:
    return known.learn(known.find(source(instance), at), metric(), identity, {})


def test_a_series__is_remembered_while_it_is_sent_and_forgotten_some_minutes_later() -> None:
    known = KnownSources()
    first = learn(known, 0)
    assert learn(known, REMEMBERED_S + 1) is first
    assert known.size == 1
    found = known.find(source("one"), 2 * REMEMBERED_S + 2)
    assert known.size == 1
    found = known.find(source("one"), 3 * REMEMBERED_S + 3)
    assert (known.size, found.size) == (0, 0)
    assert learn(known, 3 * REMEMBERED_S + 3) is not first


def test_series_of_other_scopes_and_values__have_other_names() -> None:
    known = KnownSources()
    place = known.find(source("one"), 0)
    cases: list[tuple[Metric, Value]] = [
        (metric(), 1),
        (metric(), "1"),
        (metric(), True),
        (metric(scope="other"), 1),
    ]
    names = {
        known.learn(place, one, b"%d" % number, {"a": value}).name
        for number, (one, value) in enumerate(cases)
    }
    assert len(names) == 4
    again: dict[str, Value] = {"b": 2, "a": 1}
    reordered = dict(reversed(again.items()))
    one, other = (
        known.learn(place, metric(CUMULATIVE), raw, told)
        for raw, told in ((b"x", again), (b"y", reordered))
    )
    assert one.name == other.name


def test_sources__are_bounded_for_each_environment_and_idle_ones_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(otlp_sources, "MOST_SOURCES", 2)
    known = KnownSources()
    for instance in (1, 2):
        known.find(source(instance), 0)
    with pytest.raises(Rejected, match="at most"):
        known.find(source(3), 10)
    known.find(source(1, environment_id=2), 10)
    known.find(source(2), REMEMBERED_S)
    known.find(source(3), REMEMBERED_S + 1)
    assert source(1) not in known.sources


def test_series_of_all_sources__are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_sources, "MOST_HERE", 2)
    known = KnownSources()
    learn(known, 0)
    learn(known, 0, b"b", "two")
    with pytest.raises(Rejected, match="knows at most"):
        learn(known, 10, b"c", "two")
    with pytest.raises(Rejected, match="knows at most"):
        learn(known, REMEMBERED_S + 5, b"c", "two")  # who is idle was forgotten just now
    assert learn(known, REMEMBERED_S + 7, b"c", "two")


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({}, (False, "")),
        ({"http.response.status_code": 499}, (False, "")),
        ({"http.response.status_code": 500}, (True, "500")),
        ({"http.response.status_code": "503", "error.type": "E"}, (True, "E")),
        ({"http.response.status_code": 404, "error.type": "404"}, (False, "")),
        ({"http.status_code": 502}, (True, "502")),
        ({"error.type": "timeout"}, (True, "timeout")),
        ({"error.type": "a\nb"}, (True, "")),
        ({"error.type": "x" * 200}, (True, "x" * 100)),
        ({"http.response.status_code": True}, (False, "")),
        ({"http.response.status_code": "9" * 50}, (False, "")),
        ({"http.response.status_code": "²"}, (False, "")),
    ],
)
def test_errors__are_told_by_status_and_where_there_is_none_by_type(
    attributes: dict[str, object], found: tuple[bool, str]
) -> None:
    assert error_of(attributes) == found  # type: ignore[arg-type]
