"""Unleash's strategies as the head of a rule: whom it lets in.

The bucket is Unleash's own (murmur3 of ``groupId:unit``), so that people stay in or out.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from flags.engine.document import RANDOM, TARGETING_KEY
from flags.transfer.importers.base import Document, any_of, combine, quote, refuse, test
from flags.transfer.importers.unleash.constraints import (
    NeverHolds,
    Object,
    is_one_of,
    is_within,
    list_in,
    objects_in,
    on_attribute,
    read_constraint,
    text_in,
    written,
)

ALGORITHM: Final = "unleash"
Parameters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    when: list[Document]
    audience: Document | None = None


Segments = Mapping[int, Document | NeverHolds]
"""The conditions of the file's segments by their ids."""


def read_strategy(node: Object, path: str, *, flag: str, segments: Segments) -> Document:
    """Whom the strategy lets in: ``when`` and ``audience`` of a rule.

    Raises NeverHolds where that is nobody, and NotExpressible.
    """
    name = text_in(node, "name", f"{path}.")
    reader = _STRATEGIES.get(name)
    if reader is None:
        raise NeverHolds(f"{path}: the strategy {quote(name)} is unknown")
    try:
        entry = reader(read_parameters(node, path), flag)
    except NeverHolds as never:
        raise NeverHolds(f"{path}: {never}") from None
    constraints = objects_in(node, "constraints", f"{path}.")
    conditions = [
        *(read_constraint(one, place) for one, place in constraints),
        *_in_segments(node, path, segments),
    ]
    audience = {"audience": entry.audience} if entry.audience else {}
    return {"when": combine([*entry.when, *conditions]), **audience}


def read_parameters(node: Object, path: str) -> dict[str, str]:
    found = node.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        refuse(f"{path}.parameters", f"expected an object, found {quote(found)}")
    given = {name: value for name, value in found.items() if value is not None}
    return {name: written(value, f"{path}.parameters.{name}") for name, value in given.items()}


def units_of(stickiness: str) -> list[str]:
    return _UNITS.get(stickiness, [stickiness])


_UNITS: Final = {
    "default": ["userId", "sessionId", TARGETING_KEY, RANDOM],
    "random": [RANDOM],
    "userId": ["userId", TARGETING_KEY],
}


def bucketing(units: list[str], seed: str) -> Document:
    others = {"else_by": units[1:]} if units[1:] else {}
    return {"bucket_by": units[0], **others, "algorithm": ALGORITHM, "seed": seed}


def _in_segments(node: Object, path: str, segments: Segments) -> list[Document]:
    conditions = []
    for index, identity in enumerate(list_in(node, "segments", f"{path}.")):
        place = f"{path}.segments[{index}]"
        found = segments.get(identity) if isinstance(identity, int) else None
        if found is None:
            raise NeverHolds(f"{place}: the file has no segment {quote(identity)}")
        if isinstance(found, NeverHolds):
            raise NeverHolds(f"{place}: {found}")
        conditions.append(found)
    return conditions


def _everybody(_parameters: Parameters, _flag: str) -> Entry:
    return Entry([])


def _listed(parameters: Parameters, name: str) -> list[str]:
    if name not in parameters:
        raise NeverHolds(f"it has no {name}")
    return [part.strip() for part in parameters[name].split(",")]


def _user_with_id(parameters: Parameters, _flag: str) -> Entry:
    return Entry([on_attribute("userId", is_one_of(_listed(parameters, "userIds")))])


def _remote_address(parameters: Parameters, _flag: str) -> Entry:
    return Entry([on_attribute("remoteAddress", is_within(_listed(parameters, "IPs")))])


def _hostname(parameters: Parameters, _flag: str) -> Entry:
    hosts = is_one_of(_listed(parameters, "hostNames"), ignore_case=True)
    return Entry([on_attribute(HOSTNAME, hosts)])


HOSTNAME: Final = "hostname"
"""Unleash's SDKs know the host they run on; here the context has to say it."""


def _flexible_rollout(parameters: Parameters, flag: str) -> Entry:
    stickiness = parameters.get("stickiness", "default")
    if not stickiness:
        raise NeverHolds("the stickiness is empty")
    seed = parameters.get("groupId", flag)
    return _share(_percent(parameters, "rollout"), units_of(stickiness), seed)


def _gradual_rollout(stickiness: str) -> Callable[[Parameters, str], Entry]:
    def read(parameters: Parameters, _flag: str) -> Entry:
        if "groupId" not in parameters:
            raise NeverHolds("it has no groupId")
        percent = _percent(parameters, "percentage")
        return _share(percent, units_of(stickiness), parameters["groupId"])

    return read


def _random_rollout(parameters: Parameters, flag: str) -> Entry:
    return _share(_percent(parameters, "percentage"), [RANDOM], flag)


def _percent(parameters: Parameters, name: str) -> int:
    value = parameters.get(name, "")
    if not re.fullmatch(r"\+?[0-9]{1,9}", value) or int(value) > 100:
        raise NeverHolds(f"the {name} {quote(value)} is no whole number up to 100")
    return int(value)


def _share(percent: int, units: list[str], seed: str) -> Entry:
    """All of them still need a unit there, which an audience of all here does not ask for."""
    needs_unit = percent == 100 and units[-1] != RANDOM
    unit = [any_of([test(attribute, "exists") for attribute in units])] if needs_unit else []
    return Entry(unit, {"percent": percent, **bucketing(units, seed)})


_STRATEGIES: Final[dict[str, Callable[[Parameters, str], Entry]]] = {
    "default": _everybody,
    "userWithId": _user_with_id,
    "gradualRolloutUserId": _gradual_rollout("userId"),
    "gradualRolloutSessionId": _gradual_rollout("sessionId"),
    "gradualRolloutRandom": _random_rollout,
    "flexibleRollout": _flexible_rollout,
    "remoteAddress": _remote_address,
    "applicationHostname": _hostname,
}
