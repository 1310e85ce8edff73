"""Forms and commands that no page of ours sends: refused or ignored, never a fault of ours."""

import contextlib
import json

import pytest
from hypothesis import example, given, strategies as st

from flags.engine import DocumentError, parse_configuration
from flags.targeting import condition_nodes, documents, editing
from flags.targeting.nodes import Drawing
from portal.lib.errors import Invalid
from tests.flags.engine.documents import relaxed
from tests.flags.targeting.forms import DEFINITION, draw, form_from

# Paths like those of the form, put together the wrong way round as often as not.
STEPS = st.sampled_from(
    [
        *("rules", "targets", "fallthrough", "when", "conditions", "serve", "split", "audience"),
        *("variant", "keys", "weight", "percent", "bucket_by", "match", "attribute", "operator"),
        *("values", "as", "ignore_case", "name", "id", "off_variant", "salt", "algorithm", "seed"),
        *("segment", "flag", "variants", "key", "logic", "bucketing", "overrides", "else_by"),
        *("group", "given", "listed", "prerequisites"),
    ]
)
PLACES = st.sampled_from(["", "[0]", "[1]", "[999999]"])
PATHS = st.lists(st.tuples(STEPS, PLACES).map("".join), min_size=1, max_size=5).map(".".join)
VALUES = st.sampled_from(
    [
        *("", "0", "100", "-1", "1e400", "NaN", "Infinity", "100.0001", "1_0", "٣", "1e999999999"),
        *(
            "*split",
            "*logic",
            "*code",
            "on",
            "flagd",
            "unleash",
            "none",
            "any",
            "number",
            "json",
            "gt",
            "in",
            "is_true",
        ),
        *('"', "[", '"a', "]]", "{}", "1,2", "\0", "<b>", "9" * 5_000, "[" * 50_000),
    ]
) | st.text(max_size=10)
FORMS = st.lists(st.tuples(PATHS, VALUES), max_size=12)
VERBS = st.sampled_from(
    [
        *("add-rule", "add-target", "add-condition", "add-group", "remove", "up", "down", ""),
        *("add-segment", "add-flag", "add-logic", "add-prerequisite", "drop", "reshuffle"),
    ]
)
COMMANDS = st.builds(
    lambda verb, place, to: f"{verb}:{place}{to}", VERBS, PATHS, st.sampled_from(["", "@0", "@x"])
) | st.text(max_size=20)


@relaxed
@given(FORMS, COMMANDS)
@example([("rules", "x")], "add-rule")
@example([("rules.a", "x")], "add-rule")
@example([("targets", "x")], "add-target")
@example([("rules[0].when.conditions", "x")], "add-condition:rules[0].when")
@example([("rules[0]", "x"), ("rules[1]", "y")], "down:rules[0]")
def test_no_command_breaks_any_form(pairs: list[tuple[str, str]], command: str) -> None:
    form = form_from(pairs)
    focus = editing.apply(form, command, DEFINITION)
    assert isinstance(focus, str)
    Drawing(form, {}, focus)


@relaxed
@given(FORMS)
@example([("rules[0].audience", "x")])
@example([("rules[0].when", "x")])
@example([("rules[0].serve", "x")])
@example([("rules[0].name.first", "x")])
@example([("fallthrough", "x")])
@example([("fallthrough.variant", "*split"), ("fallthrough.split[0].weight.x", "1")])
@example([("fallthrough.variant[0]", "x"), ("targets[0].keys.x", "y")])
@example([("rules[0].when.conditions[0].operator[0]", "in")])
@example([("rules[0].when.conditions[0].as[0]", "json")])
@example([("rules[0].audience.percent[0]", "1")])
def test_every_form_is_a_document_or_refused(pairs: list[tuple[str, str]]) -> None:
    form = form_from(pairs)
    with contextlib.suppress(Invalid, DocumentError):
        document = documents.to_document(form, enabled=True)
        parse_configuration(document, DEFINITION)


@relaxed
@given(FORMS)
@example([("rules[0].when.match[0]", "all"), ("fallthrough", "x"), ("salt[0]", "s")])
@example([("fallthrough.seed.x", "y"), ("fallthrough.algorithm", "flagd")])
@example([("fallthrough.variant", "*split"), ("fallthrough.overrides", "[{}, 5]")])
def test_every_form_can_be_drawn_again(pairs: list[tuple[str, str]]) -> None:
    assert 'id="targeting"' in draw(form_from(pairs))


@pytest.mark.parametrize("depth", [19, 40, 90])
def test_groups_are_drawn_and_read_however_deep_they_are_sent(depth: int) -> None:
    path = "rules[0].when" + ".conditions[0]" * depth
    pairs = [(f"{path}.match", "all")]
    pairs += [(f"rules[0].when{'.conditions[0]' * at}.match", "any") for at in range(depth)]
    form = form_from(pairs)
    assert 'id="targeting"' in draw(form)
    with contextlib.suppress(Invalid, DocumentError):
        parse_configuration(documents.to_document(form, enabled=True), DEFINITION)


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", '"><img src=x>', "{{ 7 * 7 }}"])
def test_nothing_typed_becomes_markup(value: str) -> None:
    names = ["rules[0].name", "rules[0].when.conditions[0].attribute", "rules[0].id"]
    names += ["rules[0].when.conditions[0].values", "targets[0].keys", "salt"]
    names += ["fallthrough.bucket_by", "fallthrough.split[0].variant", "fallthrough.algorithm"]
    html = draw(form_from([*((name, value) for name in names), ("fallthrough.variant", "*split")]))
    assert value not in html.replace("{{ 7 * 7 }}", value if value[0] != "{" else "")
    assert "49" not in html


def test_what_engine_and_form_call_a_place_is_the_same() -> None:
    pairs = {
        "rules[2].when.all[1].values": "rules[2].when.conditions[1].values",
        "rules[0].when.any[0].all[3].attribute": (
            "rules[0].when.conditions[0].conditions[3].attribute"
        ),
        "rules[0].when.not.any[1].operator": "rules[0].when.conditions[1].operator",
        "rules[0].when.not.all[1].values[3]": "rules[0].when.conditions[0].conditions[1].values",
        "rules[0].when.not.values": "rules[0].when.conditions[0].values",
        "targets[0].keys[7]": "targets[0].keys",
        "fallthrough.split[1].weight": "fallthrough.split[1].weight",
        "rules[1].audience.percent": "rules[1].audience.percent",
        "rules[0].audience.else_by[1]": "rules[0].audience.else_by",
        "rules[0].when.not.segment": "rules[0].when.conditions[0].segment",
        "rules[0].when.all[0].variants[2]": "rules[0].when.conditions[0].variants",
        "rules[0].when.jsonlogic.if[0]": "rules[0].when.logic",
        "rules[0].serve.overrides[0].when.all[1].values": "rules[0].serve.overrides",
        "fallthrough.jsonlogic.==": "fallthrough.logic",
        "prerequisites[1].flag": "prerequisites[1].flag",
    }
    assert {path: documents.form_path(path) for path in pairs} == pairs


def test_every_problem_of_the_engine_finds_its_input() -> None:
    """A test inside "none of these": the engine's path goes through "not"."""
    form = form_from(
        [
            ("rules[0].id", "r"),
            ("rules[0].when.match", "none"),
            ("rules[0].when.conditions[0].attribute", ""),
            ("rules[0].when.conditions[0].operator", "in"),
            ("rules[0].when.conditions[0].values", "DE"),
            ("rules[0].serve.variant", "on"),
            ("off_variant", "off"),
            ("fallthrough.variant", "on"),
            ("salt", "s"),
        ]
    )
    with pytest.raises(DocumentError) as refused:
        parse_configuration(documents.to_document(form, enabled=True), DEFINITION)
    (problem,) = refused.value.problems
    drawing = Drawing(form, {documents.form_path(problem.path): problem.message})
    (test,) = drawing.rules[0].when.children
    assert isinstance(test, condition_nodes.TestNode)
    assert test.attribute.error == problem.message, json.dumps(problem.path)
