"""flagd's ``targeting`` as a list of rules: its branches in order, the first that fits wins.

What rules cannot say stays as it is, JsonLogic, in one rule for all: it answers as flagd does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from flags.engine import DocumentError
from flags.engine.document import DEFAULT_BUCKETING
from flags.engine.jsonlogic import read_logic
from flags.transfer.importers.base import ALWAYS, Document, NotExpressible, combine, quote, refuse
from flags.transfer.importers.flagd.conditions import CONDITIONS, guarded, read_condition
from flags.transfer.importers.flagd.fractional import (
    Expansion,
    is_operation,
    operation,
    read_fractional,
)

Given: TypeAlias = list[Document]


@dataclass(frozen=True, slots=True)
class Branch:
    """Where all of ``given`` holds and no branch before it fits, ``outcome`` says what to serve."""

    given: Given
    outcome: object
    path: str


@dataclass(frozen=True, slots=True)
class RuleDraft:
    given: Given
    serve: Document | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the file says for all flags, and the generation of flagd's bucketing."""

    evaluators: Mapping[str, object]
    bucketing: str


@dataclass(frozen=True, slots=True)
class Chosen:
    flag: str
    variants: list[str]
    default: Document


def read_targeting(targeting: object, around: Surroundings, chosen: Chosen) -> list[Document]:
    """The rules. Raises NotExpressible for what flagd could not evaluate either."""
    if targeting is None or targeting == {}:
        return []
    expanded = Expansion(around.evaluators).expand(targeting, "targeting")
    is_default = around.bucketing == DEFAULT_BUCKETING
    if is_default or not _splits(expanded):
        try:
            return read_rules(expanded, "targeting", chosen)
        except NotExpressible:
            pass
    if not isinstance(expanded, dict):
        refuse("targeting", f"expected an operation, found {quote(expanded)}")
    return [_by_logic(expanded, {} if is_default else {"bucketing": around.bucketing})]


def _splits(node: object) -> bool:
    if isinstance(node, list):
        return any(map(_splits, node))
    return isinstance(node, dict) and ("fractional" in node or any(map(_splits, node.values())))


def _by_logic(logic: Document, bucketing: Document) -> Document:
    try:
        read_logic(logic)
    except DocumentError as error:
        refuse("targeting", " ".join(map(str, error.problems[:_REASONS])))
    return {"id": "flagd-1", "when": ALWAYS, "serve": {"jsonlogic": logic, **bucketing}}


_REASONS: Final = 3


def read_rules(targeting: object, path: str, chosen: Chosen) -> list[Document]:
    """The rules; whom none of them fits gets the flag's default. Raises NotExpressible."""
    steps = [
        step
        for branch in _branches(targeting, path, [])
        for step in _steps(branch, chosen.flag, set(chosen.variants))
    ]
    while steps and steps[-1].serve is None:
        steps.pop()  # the default is what comes after the rules anyway
    return [
        {
            "id": f"flagd-{number}",
            "when": combine(step.given),
            "serve": step.serve or chosen.default,
        }
        for number, step in enumerate(steps, start=1)
    ]


def _branches(node: object, path: str, given: Given) -> Iterator[Branch]:
    if is_operation(node, "if", "?:"):
        name, arguments = operation(node, path)
        yield from _choices(arguments, f"{path}.{name}", given)
    elif is_operation(node, *CONDITIONS):
        yield Branch([*given, read_condition(node, path)], True, path)
        yield Branch(given, False, path)
    else:
        yield Branch(given, node, path)


def _choices(arguments: list[object], path: str, given: Given) -> Iterator[Branch]:
    """Pairs of a condition and an outcome, then perhaps what is left; nothing means null."""
    for index in range(0, len(arguments) - 1, 2):
        condition = read_condition(arguments[index], f"{path}[{index}]")
        yield from _branches(arguments[index + 1], f"{path}[{index + 1}]", [*given, condition])
    last = len(arguments) - 1
    otherwise = arguments[last] if len(arguments) % 2 else None
    yield from _branches(otherwise, f"{path}[{last}]", given)


def _steps(branch: Branch, flag: str, variants: set[str]) -> list[RuleDraft]:
    outcome, path = branch.outcome, branch.path
    if outcome is None:
        return [RuleDraft(branch.given, None)]
    if is_operation(outcome, "fractional"):
        _name, arguments = operation(outcome, path)
        served = read_fractional(
            arguments,
            f"{path}.fractional",
            flag=flag,
            variants=variants,
            texts=guarded(combine(branch.given)),
        )
        steps = [
            RuleDraft(branch.given + ([extra] if extra else []), serve) for extra, serve in served
        ]
        return [*steps, RuleDraft(branch.given, None)]  # whom flagd cannot hash
    return [RuleDraft(branch.given, {"variant": _variant(outcome, path, variants)})]


def _variant(outcome: object, path: str, variants: set[str]) -> str:
    if isinstance(outcome, dict):
        name = next(iter(outcome), "")
        refuse(path, f"the operation {quote(name)} cannot choose a variant here")
    # flagd looks a boolean up by its name.
    name = str(outcome).lower() if isinstance(outcome, bool) else outcome
    if not isinstance(name, str) or name not in variants:
        refuse(path, f"the flag has no variant {quote(name)}")
    return name
