"""Whatever toggles say, they answer as Unleash's engine has them answer."""

import json
import re
from typing import Any

from hypothesis import given, strategies as st
from yggdrasil_engine.engine import UnleashEngine  # type: ignore[import-untyped]

from tests.flags.engine.documents import relaxed
from tests.flags.transfer.importers.unleash import Answer, Imported, plan_unleash

_words = st.sampled_from(["a", "b", "ab", "A", "1", "12", "1.5", "true", 'a"b'])
_texts = st.lists(_words, min_size=1, max_size=3)
_attributes = st.sampled_from(
    ["userId", "sessionId", "environment", "appName", "plan", "size", "v", "remoteAddress", "at"]
)
_numbers = st.sampled_from(["12", "12.0", "-3", "0.3", "1e1", "abc"])
_times = st.sampled_from(["2022-01-29T13:00:00.000Z", "2022-01-29T13:00:00+02:00"])
_versions = st.sampled_from(["1.2.2", "2.0.0-alpha.1", "2.0.0-beta", "v1.2.2", "1.2"])
_networks = st.sampled_from(["10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "10.1.2.3/16", "bad"])
_values = {
    "IN": ("values", st.lists(_words, max_size=3)),
    "NOT_IN": ("values", st.lists(_words, max_size=3)),
    "STR_STARTS_WITH": ("values", _texts),
    "STR_ENDS_WITH": ("values", _texts),
    "STR_CONTAINS": ("values", _texts),
    **{f"NUM_{name}": ("value", _numbers) for name in ("EQ", "GT", "GTE", "LT", "LTE")},
    **{f"DATE_{name}": ("value", _times) for name in ("AFTER", "BEFORE")},
    **{f"SEMVER_{name}": ("value", _versions) for name in ("EQ", "GT", "LT")},
    "REGEX": ("value", st.sampled_from(["^a+$", "1", "(a", r"^\d+$", "b|A"])),
    "IN_CIDR": ("values", st.lists(_networks, min_size=1, max_size=2)),
}


@st.composite
def _constraints(draw: st.DrawFn) -> dict[str, Any]:
    operator = draw(st.sampled_from(sorted(_values)))
    field, values = _values[operator]
    constraint = {"contextName": draw(_attributes), "operator": operator, field: draw(values)}
    # Ignoring case with IN is newer than the engine we compare with.
    folds = operator.startswith("STR_") or operator == "REGEX"
    return constraint | {
        "caseInsensitive": folds and draw(st.booleans()),
        "inverted": draw(st.booleans()),
    }


_percents = st.sampled_from(["0", "1", "37", "100", "101", "x"])
_groups = st.fixed_dictionaries({}, optional={"groupId": st.sampled_from(["g", "Größe", ""])})
_sticky = st.sampled_from(["default", "userId", "sessionId", "plan", "environment"])
_heads = (
    st.just({"name": "default"})
    | st.just({"name": "somebody-elses", "parameters": {"x": "1"}})
    | st.builds(
        lambda ids: {"name": "userWithId", "parameters": {"userIds": ids}},
        st.sampled_from(["a", "a, 12 ,b", "", "x"]),
    )
    | st.builds(
        lambda name, percent, group: {"name": name, "parameters": {"percentage": percent} | group},
        st.sampled_from(["gradualRolloutUserId", "gradualRolloutSessionId"]),
        _percents,
        _groups,
    )
    | st.builds(
        lambda percent, group, sticky: {
            "name": "flexibleRollout",
            "parameters": {"rollout": percent, "stickiness": sticky} | group,
        },
        _percents,
        _groups,
        _sticky,
    )
    | st.builds(
        lambda ips: {"name": "remoteAddress", "parameters": {"IPs": ips}},
        st.sampled_from(["10.1.2.3", "10.0.0.0/8, bad", "2001:db8::/32", ""]),
    )
)
_payloads = st.sampled_from([{}, {"payload": {"type": "string", "value": "one"}}])
_variants = st.lists(
    st.builds(
        lambda name, weight, payload: {"name": name, "weight": weight} | payload,
        st.sampled_from(["x", "y", "on", "disabled"]),
        st.integers(1, 5),
        _payloads,
    ),
    max_size=3,
)
_overrides = st.lists(
    st.builds(
        lambda name, values: {"contextName": name, "values": values},
        st.sampled_from(["userId", "plan"]),
        _texts,
    ),
    max_size=2,
)
_strategies = st.builds(
    lambda head, constraints, variants, segments: head | constraints | variants | segments,
    _heads,
    st.fixed_dictionaries({}, optional={"constraints": st.lists(_constraints(), max_size=2)}),
    st.fixed_dictionaries({}, optional={"variants": _variants}),
    st.fixed_dictionaries({}, optional={"segments": st.lists(st.integers(1, 3), max_size=2)}),
)
_toggles = st.builds(
    lambda enabled, strategies, variants, overrides, sticky: {
        "enabled": enabled,
        "strategies": strategies,
        "variants": [
            variant | {"stickiness": sticky} | ({} if index else {"overrides": overrides})
            for index, variant in enumerate(variants)
        ],
    },
    st.sampled_from([True, True, True, False]),
    st.lists(_strategies, max_size=3),
    _variants,
    _overrides,
    _sticky,
)
_parents = st.fixed_dictionaries(
    {"feature": st.sampled_from(["parent", "nobody"])},
    optional={
        "enabled": st.booleans(),
        "variants": st.lists(st.sampled_from(["x", "y", "disabled"]), max_size=2),
    },
)
_segments = st.fixed_dictionaries(
    {"id": st.integers(1, 2), "constraints": st.lists(_constraints(), max_size=2)}
)
_contexts = st.fixed_dictionaries(
    # Without a unit both pick at random; that is for others to test.
    {
        "userId": _words,
        "sessionId": _words,
        "plan": _words,
        "environment": _words,
        "appName": _words,
    },
    optional={
        "size": st.sampled_from(["12", "-3", "0.30000000000000004", "", " 12", "abc", "1e1"]),
        "v": st.sampled_from(["1.2.2", "v1.2.2", "2.0.0-alpha.1", "3.0.0", "x"]),
        "remoteAddress": st.sampled_from(["10.1.2.3", "2001:db8::7", "::ffff:10.1.2.3", "x"]),
        "at": st.sampled_from(["2022-01-29T12:00:00Z", "2022-01-29T13:00:00.000Z", "soon"]),
    },
)
_FIELDS = {"userId", "sessionId", "environment", "appName", "remoteAddress"}


def theirs(toggles: list[Any], segments: list[Any], name: str, context: dict[str, str]) -> Answer:
    engine = UnleashEngine()
    engine.take_state(json.dumps({"version": 2, "features": toggles, "segments": segments}))
    own = {key: value for key, value in context.items() if key in _FIELDS}
    rest = {key: value for key, value in context.items() if key not in _FIELDS}
    variant = engine.get_variant(name, own | {"properties": rest}).variant
    payload = variant.payload or {}
    return Answer(variant.feature_enabled, variant.name, payload.get("value"), payload.get("type"))


# What the newer engine takes for a whole toggle gone wrong, and the older ones for a constraint or
# strategy that does not hold; we side with the older ones.
_GONE_WRONG = re.compile(r"is no number|is no whole number|is no version|unknown|has no segment")


def _goes_wrong(toggle: Any, segments: list[Any]) -> bool:
    """Each strategy for itself: of what comes after one that lets everybody in, nothing is said."""
    alone = [{"name": "one", **toggle, "dependencies": [], "strategies": []}]
    alone += [alone[0] | {"strategies": [strategy]} for strategy in toggle["strategies"]]
    notes = (note for one in alone for note in plan_unleash([one], segments).notes)
    return any(map(_GONE_WRONG.search, notes))


@relaxed
@given(
    _toggles,
    st.lists(_parents, max_size=2),
    _toggles,
    st.lists(_segments, max_size=2, unique_by=lambda segment: segment["id"]),
    st.lists(_contexts, min_size=3, max_size=3),
)
def test_any_toggle_we_take_over__answers_as_unleash(
    toggle: Any, dependencies: Any, parent: Any, segments: Any, contexts: list[dict[str, str]]
) -> None:
    for strategy in parent["strategies"]:
        # Without one, the engine takes the name of the toggle that asks, and other clients that of
        # the toggle that is asked; Unleash itself always writes one.
        strategy["parameters"] = {"groupId": "parent", **strategy.get("parameters", {})}
    toggles = [
        {"name": "toggle", "dependencies": dependencies, **toggle},
        {"name": "parent", **parent},
    ]
    plan = plan_unleash(toggles, segments)
    if plan.skipped or any(map(_GONE_WRONG.search, plan.notes)):
        return
    if any(_goes_wrong(one, segments) for one in toggles):
        return
    ours = Imported(plan)
    for context in contexts:
        assert ours.answer("toggle", context) == theirs(toggles, segments, "toggle", context)
