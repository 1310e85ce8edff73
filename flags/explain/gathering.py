"""A flag and all that it refers to, gathered from wherever documents come from. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from flags.engine import (
    CompiledFlag,
    CompiledGroup,
    CompiledSegment,
    DocumentError,
    EvaluationState,
    References,
    Segment,
    compile_flag,
    compile_group,
    compile_segment,
    parse_segment,
    references_of,
)
from flags.engine.document import EnvironmentFlag
from flags.engine.parsing import parse_environment

Document: TypeAlias = Mapping[str, Any]


class Shelf(Protocol):
    """Where documents come from, by key; None where there is none."""

    def flag(self, key: str) -> Document | None: ...
    def segment(self, key: str) -> Document | None: ...
    def group(self, key: str) -> Document | None: ...


@dataclass
class Scene:
    """A flag's document and, compiled, all that it refers to, to the end.

    Whatever is not there or cannot be compiled is left out, as evaluators leave it out. ``problem``
    says why the flag itself cannot be evaluated.
    """

    flag: EnvironmentFlag | None = None
    problem: str = ""
    flags: dict[str, CompiledFlag] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    compiled: dict[str, CompiledSegment] = field(default_factory=dict)
    groups: dict[str, CompiledGroup] = field(default_factory=dict)

    def state(self, now: float) -> EvaluationState:
        return EvaluationState(self.flags, self.compiled, self.groups, now)


def gather(key: str, shelf: Shelf) -> Scene | None:
    """The scene of a flag; None where there is no such flag."""
    document = shelf.flag(key)
    if document is None:
        return None
    scene = Scene()
    try:
        scene.flag = parse_environment(document)
    except DocumentError as error:
        scene.problem = str(error.problems[0])
        return scene
    _follow(references_of(scene.flag.configuration), shelf, scene, seen={("flag", key)})
    # A flag that others lead back to is one of theirs as well.
    scene.flags[key] = compile_flag(document)
    return scene


def _follow(first: References, shelf: Shelf, scene: Scene, seen: set[tuple[str, str]]) -> None:
    waiting = [first]
    while waiting:
        found = waiting.pop()
        for kind, keys in [
            ("flag", found.flags),
            ("segment", found.segments),
            ("group", found.groups),
        ]:
            for key in sorted(keys):
                if (kind, key) not in seen:
                    seen.add((kind, key))
                    waiting += _ADD[kind](key, shelf, scene)


def _add_flag(key: str, shelf: Shelf, scene: Scene) -> list[References]:
    document = shelf.flag(key)
    if document is None:
        return []
    try:
        scene.flags[key] = compile_flag(document)
    except DocumentError:
        return []
    return [references_of(parse_environment(document).configuration)]


def _add_segment(key: str, shelf: Shelf, scene: Scene) -> list[References]:
    document = shelf.segment(key)
    if document is None:
        return []
    try:
        scene.segments[key] = parse_segment(document)
        scene.compiled[key] = compile_segment(document)
    except DocumentError:
        return []
    return [references_of(scene.segments[key])]


def _add_group(key: str, shelf: Shelf, scene: Scene) -> list[References]:
    document = shelf.group(key)
    if document is not None:
        try:
            scene.groups[key] = compile_group(document)
        except DocumentError:
            return []
    return []


_ADD = {"flag": _add_flag, "segment": _add_segment, "group": _add_group}
