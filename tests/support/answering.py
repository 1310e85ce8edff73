"""What an evaluator would answer, asked without a process of its own.

The documents come from where the relay takes them, are read and compiled by the evaluator's own
code, and are answered by it.
"""

import json
import time
from typing import Any
from unittest import mock

from flags.channel import Head
from flags.delivery.build import read_snapshot
from flags.engine import CompiledGroup, CompiledSegment
from flags.evaluator import ofrep
from flags.evaluator.contents import FlagItem, read_content
from flags.evaluator.counters import Counters
from flags.evaluator.memory import Environment as State
from portal.access.models import Environment

Answer = tuple[int, dict[str, Any]]


def state_of(environment: Environment) -> State:
    """What evaluators hold of an environment by now."""
    documents = read_snapshot(environment.pk, since=None).documents
    contents = [read_content(field, one) for field, one in documents.items() if one]
    head = Head("shop", environment.key, "production", len(documents), time.time())
    return State(
        environment_id=environment.pk,
        epoch="",
        version=environment.version,
        head=head,
        sealed_head=b"",
        fields={},
        gone={},
        flags={one.key: one for one in contents if isinstance(one, FlagItem)},
        keys={},
        segments={one.key: one for one in contents if isinstance(one, CompiledSegment)},
        groups={one.key: one for one in contents if isinstance(one, CompiledGroup)},
    )


def ask(state: State, flag: str, context: dict[str, Any], *, at: float | None = None) -> Answer:
    """Status and body of the answer to a server key, at that Unix time."""
    with mock.patch("flags.evaluator.ofrep.time.time", return_value=at or time.time()):
        status, body = ofrep.evaluate_one(
            state, flag, context, is_client=False, counters=Counters()
        )
    return status, json.loads(body)


def without_version(answer: Answer) -> Answer:
    """The same without ``metadata.version``, which the history does not tell."""
    status, body = answer
    if "metadata" in body:
        kept = {name: one for name, one in body["metadata"].items() if name != "version"}
        body = {**body, "metadata": kept}
    return status, body
