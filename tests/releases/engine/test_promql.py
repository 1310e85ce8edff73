"""Queries as templates, and what Prometheus answers: pure."""

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given, strategies as st

from portal.lib.documents import DocumentError
from releases.engine.checks import read_check
from releases.engine.promql import (
    Aggregate,
    combine,
    fill,
    looks_back_s,
    pieces,
    read_answer,
    read_query,
    wanted_labels,
)
from releases.engine.verdicts import judge
from tests.support.settings_env import ROOT

NAMES = {"service": "checkout", "version": "1.0", "baseline": "0.9", "environment": "prod"}
QUERY = 'sum(rate(errors_total{version="{{version}}"}[{{window}}]))'


@pytest.mark.parametrize(
    ("query", "filled"),
    [
        (QUERY, 'sum(rate(errors_total{version="1.0"}[60s]))'),
        ("x{v='{{ version }}', b=\"{{baseline}}\"}", "x{v='1.0', b=\"0.9\"}"),
        ('x{v=~"{{version}}|{{baseline}}"}', 'x{v=~"1\\\\.0|0\\\\.9"}'),
        ('x{v!~"{{version}}"} # the rest', 'x{v!~"1\\\\.0"} '),
        ("x{path=`/a{1}`} offset 1m", "x{path=`/a{1}`} offset 1m"),
    ],
)
def test_a_query__is_filled_in(query: str, filled: str) -> None:
    assert fill(read_query(query), NAMES, 60) == filled


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ('x{v="{{release}}"}', "There is no placeholder “{{release}}”"),
        ("errors_{{service}}", "into double quotes"),
        ("x{v=`{{version}}`}", "into double quotes"),
        ("x # {{version}}\n", ""),
        ('x{w="{{window}}"}', "outside of quotes"),
        ('x{v="1.0}', "does not end"),
        ('x{v="{{version"}', "that no “}}” ends"),
        ('x{v="\\{{version}}"}', "no single backslash"),
        ('x{v="\\\\\\{{version}}"}', "no single backslash"),
        ("  ", "Give a query"),
        (7, "Give a text"),
    ],
)
def test_a_query_that_cannot_be_filled_in_safely__is_refused(query: object, says: str) -> None:
    if not says:
        assert fill(read_query(query), NAMES, 60) == "x \n"  # a comment is left out
        return
    with pytest.raises(DocumentError, match=says.replace("{", r"\{")):
        read_query(query)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.sampled_from("\"'"))
def test_no_version__breaks_out_of_the_text_it_stands_in(version: str, quote: str) -> None:
    for operator in ("=", "=~"):
        query = f"x{{v{operator}{quote}{{{{version}}}}{quote}}} > 1"
        filled = list(pieces(fill(query, NAMES | {"version": version}, 60)))
        assert [one.content for one in filled if not one.quote] == [f"x{{v{operator}", "} > 1"]
        assert not any(one in filled[1].content for one in "\n\r\0")


def test_how_far_a_query_looks_back__is_read_from_its_code_alone() -> None:
    assert looks_back_s("rate(x[5m]) / rate(y[1h30m:15s])") == 5400
    assert looks_back_s('x{path="[9h]"}') == 0
    assert looks_back_s("rate(x[{{window}}])") == 0
    check = {"key": "a", "kind": "prometheus", "threshold": 1, "url": "http://prometheus:9090/"}
    with pytest.raises(DocumentError, match="looks back further than the window of 300 s"):
        read_check(check | {"query": "rate(x[10m])"})
    assert read_check(check | {"query": "rate(x[10m])", "window_s": 600}).url.endswith(":9090")


def test_what_labels_are_asked_for__is_known() -> None:
    assert wanted_labels('a{job="x",i!="y"} / b{job = "z", p=~"q"}') == {"job": {"x", "z"}}


def test_the_checks_in_the_docs__are_read_as_they_stand() -> None:
    text = (ROOT / "docs" / "prometheus.md").read_text()
    blocks = [json.loads(one) for one in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert [read_check(one).kind for one in blocks] == ["prometheus", "alerts"]


def _answer(*values: str) -> dict[str, Any]:
    series = [{"metric": {"pod": str(n)}, "value": [1, one]} for n, one in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


def _verdict(answer: Any, aggregate: str = "max", threshold: float = 1) -> tuple[str, str]:
    check = read_check(
        {
            "key": "a",
            "kind": "prometheus",
            "threshold": threshold,
            "url": "http://prometheus",
            "query": "x",
            "aggregate": aggregate,
        }
    )
    judgement = judge(check, read_answer(answer, check.aggregate))
    return judgement.verdict.value, judgement.detail


@pytest.mark.parametrize(
    ("values", "by_max", "by_min", "by_sum"),
    [
        (["0.5"], "passed", "passed", "passed"),
        (["0.5", "2"], "failed", "passed", "failed"),
        (["0.6", "0.7"], "passed", "passed", "failed"),
        (["+Inf"], "failed", "failed", "failed"),
        (["-Inf"], "error", "error", "error"),
        (["+Inf", "-Inf"], "failed", "error", "error"),
        (["NaN"], "no_data", "no_data", "no_data"),
        (["NaN", "2"], "no_data", "no_data", "no_data"),
        ([], "no_data", "no_data", "no_data"),
        (["1e308", "1e308"], "failed", "failed", "failed"),
    ],
)
def test_several_series__become_one_number(
    values: list[str], by_max: str, by_min: str, by_sum: str
) -> None:
    found = [_verdict(_answer(*values), one)[0] for one in ("max", "min", "sum")]
    assert found == [by_max, by_min, by_sum]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"status": "error", "errorType": "bad_data", "error": "parse error"}, "parse error"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "matrix"),
        ({"status": "success", "data": {"resultType": "string", "result": [1, "x"]}}, "string"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{"histogram": 1}]}},
         "something else"),
        ({"status": "success", "data": {"resultType": "scalar", "result": [1, 2]}}, "else"),
        ({"status": "success", "data": None}, "something else"),
        ({"ok": True}, "not one of Prometheus"),
        (None, "not one of Prometheus"),
        ([], "not one of Prometheus"),
    ],
)  # fmt: skip
def test_what_is_no_answer_in_numbers__is_an_error_that_says_so(answer: Any, says: str) -> None:
    verdict, detail = _verdict(answer)
    assert (verdict, says in detail) == ("error", True), detail


def test_a_scalar__counts() -> None:
    scalar = {"status": "success", "data": {"resultType": "scalar", "result": [1, "3.5"]}}
    assert _verdict(scalar)[0] == "failed"
    assert combine([1.0], Aggregate.MAX).value == 1.0
    assert combine([math.nan], Aggregate.MAX).value is None
