"""What flagd cannot say is left out, with the reason; it is never approximated."""

from typing import Any

import pytest

from flags.transfer.exporters.flagd import write_file
from flags.transfer.exporters.flagd.file import MAX_DEPTH
from tests.flags.engine.documents import rule, split
from tests.flags.transfer.exporters.flagd_cases import Place, when

REGEX = when("matches", "email", "x$")
OTHER = {"jsonlogic": {"fractional": [["on", 1], ["off", 1]]}, "bucketing": "cbor"}


def ruled(condition: object, **more: Any) -> dict[str, Any]:
    return {"rules": [rule(when=condition, **more)]}


LEFT_OUT: dict[str, tuple[dict[str, Any], str]] = {
    "regex": (ruled(REGEX), "flagd has nothing like the operator 'matches'"),
    "network": (ruled(when("in_cidr", "ip", "10.0.0.0/8")), "operator 'in_cidr'"),
    "date": (ruled(when("before", "since", "2026-11-23")), "operator 'before'"),
    "now": (ruled(when("gt", "$now", 5)), "it depends on the instant"),
    "case": (ruled({**when("in", "plan", "a"), "ignore_case": True}), "ignore the case of 'plan'"),
    "path": (ruled(when("in", "user.email", "a")), "own name is 'user.email'"),
    "own name": (ruled(when("exists", "$flagd")), "keeps the name '$flagd' for itself"),
    "place": (ruled(when("exists", "0")), "'0' for a place in a list"),
    "random": ({"fallthrough": split(5, else_by=["$random"])}, "it deals out at random"),
    "unleash": (
        {"fallthrough": split(5, algorithm="unleash", seed="a")},
        "buckets by the algorithm 'unleash'",
    ),
    "white space": (
        {"fallthrough": split(5, algorithm="flagd", seed=" a")},
        "begins with white space",
    ),
    "no segment": (ruled({"segment": "nowhere"}), "there is no segment 'nowhere'"),
    "no group": (
        ruled({"all": []}, audience={"percent": 5, "group": "nowhere"}),
        "there is no exclusion group 'nowhere'",
    ),
    "generation": ({"fallthrough": OTHER}, "the generation 'cbor' of flagd"),
    "logic": (ruled({"jsonlogic": {"+": [1, {"var": "a"}]}}), "condition with '+'"),
    "asks": (
        ruled({"flag": "regex", "variants": ["on"]}),
        "it asks the flag 'regex': flagd has nothing like the operator 'matches'",
    ),
    "asks logic": (
        ruled({"flag": "by-logic", "variants": ["on"]}),
        "it asks the flag 'by-logic': its logic chooses the variant",
    ),
    "in a segment": (ruled({"segment": "regex"}), "it asks the segment 'regex': flagd has"),
    "segment's flag": (ruled({"segment": "self"}), "its logic speaks of the flag"),
    "names": (
        {
            "variants": [{"key": '"on', "value": True}, {"key": "off", "value": False}],
            **ruled(when("exists", "a"), serve={"variant": '"on'}),
        },
        "flagd's targeting cannot name the variant '\"on'",
    ),
    "labels": (
        {
            "variants": [
                {"key": "on", "value": True, "served_as": "x"},
                {"key": "off", "value": False, "served_as": "x"},
            ]
        },
        "two of its variants are served by the same name",
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_export__what_flagd_cannot_say__is_left_out_with_the_reason(name: str) -> None:
    configuration, reason = LEFT_OUT[name]
    flags = {
        "regex": LEFT_OUT["regex"][0],
        "by-logic": {"fallthrough": {"jsonlogic": {"var": "a"}}},
        name: configuration,
        "sound": {},
    }
    keyless = {"==": [{"var": "$flagd.flagKey"}, "a"]}
    segments = [{"key": "regex", "when": REGEX}, {"key": "self", "when": {"jsonlogic": keyless}}]
    file = write_file(Place(flags, segments).corpus)
    reasons = {one.flag: one.reason for one in file.left_out}
    assert reason in reasons[name]
    assert name not in file.flags
    assert "sound" in file.flags


def test_export__flags_in_a_circle__are_left_out() -> None:
    flags = {
        "a": ruled({"flag": "b", "variants": ["on"]}),
        "b": ruled({"flag": "a", "variants": ["on"]}),
    }
    file = write_file(Place(flags).corpus)
    assert [one.flag for one in file.left_out] == ["a", "b"]
    assert "it refers to itself" in file.left_out[0].reason


def test_export__chain_of_flags_too_deep_for_readers__is_left_out() -> None:
    flags: dict[str, Any] = {"f-000": ruled(when("exists", "a"))}
    for number in range(1, 60):
        asked = {"flag": f"f-{number - 1:03}", "variants": ["on"]}
        flags[f"f-{number:03}"] = ruled({"all": [asked, when("exists", "b")]})
    reasons = {one.flag: one.reason for one in write_file(Place(flags).corpus).left_out}
    assert "f-010" not in reasons
    assert reasons["f-059"] in ("its targeting is too deep", "it asks the flag 'f-058'")
    assert MAX_DEPTH < 250
