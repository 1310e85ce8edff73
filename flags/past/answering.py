"""The question that auditors ask: what did this user get for that flag then, and who saw to it."""

from dataclasses import dataclass
from datetime import datetime

from flags import explained
from flags.engine import Context
from flags.explained import Explained
from flags.past.causes import Cause, approval_of
from flags.past.rebuilding import Past, Source
from flags.past.scene import gather
from flags.past.trail import Trail
from portal.access.models import Project


@dataclass(frozen=True, slots=True)
class Answer:
    """What an application got at ``moment``, why, and what made it so, the last change first.

    ``metadata.version`` is left out: not every row of the history says the environment's version.
    """

    moment: datetime
    environment: str
    explained: Explained
    causes: tuple[Cause, ...]


def answer_at(
    *, project: Project, environment: str, flag: str, context: Context, moment: datetime
) -> Answer:
    """What evaluators answered for a flag at an instant, from the history alone.

    They learn of a change within a moment: of what happened that very moment they may not have
    known yet. Raises NotTold where the history does not say what something was.
    """
    past = Past(Trail(project.key, moment), project, environment)
    found = _explain(past, flag, context, moment)
    return Answer(moment, environment, found, _causes(past.sources))


def _explain(past: Past, flag: str, context: Context, moment: datetime) -> Explained:
    scene = gather(flag, past)
    if scene is None:
        return explained.not_found(flag)
    if scene.flag is None:
        return explained.not_usable(flag, scene.problem)
    world = scene.world(moment.timestamp())
    return _without_version(explained.explained(scene.flag, context, world, scene.segments))


def _without_version(found: Explained) -> Explained:
    if "metadata" not in found.body:
        return found
    known = {name: one for name, one in found.body["metadata"].items() if name != "version"}
    return Explained(found.status, {**found.body, "metadata": known}, found.explanation)


def _causes(sources: list[Source]) -> tuple[Cause, ...]:
    by_sequence: dict[int, Source] = {}
    for source in sources:
        by_sequence.setdefault(source.row.sequence, source)
    return tuple(
        Cause(source.kind, source.key, source.row, approval_of(source.row))
        for _sequence, source in sorted(by_sequence.items(), reverse=True)
    )
