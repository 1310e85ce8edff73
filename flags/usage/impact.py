"""What a change would do to those who lately asked: every sample, evaluated before and after.

Both sides see the same state of today, so that nothing but the change makes the difference. A
sample that lacks an attribute because nobody kept it tells nothing, and is left out.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _, ngettext

from flags.engine import (
    EVERYTHING,
    CompiledFlag,
    Configuration,
    DocumentError,
    EvaluationState,
    Group,
    Named,
    Reason,
    Segment,
    attributes_of,
    compile_flag,
    environment_document,
    parse_configuration,
    references_of,
    units_of,
)
from flags.engine.document import TARGETING_KEY
from flags.models import FlagConfiguration, KeyList
from flags.models.segment import segment_of
from flags.references.dependants import mentioning_in, reaching
from flags.references.state import StoredDocuments, load_state
from flags.usage.sampling import Sample, is_sampled, samples_of
from portal.access.models import Environment, Project
from portal.approvals.handlers import Effect, Example, Flip, Impact

FEW: Final = 50
MOST_EFFECTS: Final = 20
MOST_EXAMPLES: Final = 5
_SHOWN_CHARS: Final = 40
Document = Configuration | Segment | Group


@dataclass(frozen=True, slots=True)
class Side:
    flag: CompiledFlag
    evaluation: EvaluationState

    def variant(self, context: Mapping[str, Any]) -> str:
        result = self.flag.evaluate(context, self.evaluation)
        if result.reason is Reason.ERROR:
            return _("an error")
        return _("the default in the code") if result.variant is None else result.variant

    def documents(self) -> Iterator[Document]:
        """All that can have a say, to the end of what refers to what."""
        seen: set[tuple[Named, str]] = set()
        waiting: list[Document] = [self.flag.source.configuration]
        while waiting:
            one = waiting.pop()
            yield one
            if not isinstance(one, Group):
                new = [(key, found) for key, found in self._named_by(one) if key not in seen]
                seen.update(key for key, _found in new)
                waiting += [found for _key, found in new]

    def _named_by(
        self, one: Configuration | Segment
    ) -> Iterator[tuple[tuple[Named, str], Document]]:
        named, evaluation = references_of(one), self.evaluation
        for key in named.flags & evaluation.flags.keys():
            yield (Named.FLAG, key), evaluation.flags[key].source.configuration
        for key in named.segments & evaluation.segments.keys():
            yield (Named.SEGMENT, key), evaluation.segments[key].source
        for key in named.groups & evaluation.groups.keys():
            yield (Named.GROUP, key), evaluation.groups[key].source


def of_configuration(
    row: FlagConfiguration, document: Mapping[str, Any], *, now: datetime
) -> Impact:
    project = row.environment.project
    if not is_sampled(project):
        return _impact(project, is_on=False)
    try:
        before = row.configuration
        after = parse_configuration(document, row.flag.definition)
    except DocumentError:
        return _impact(project, remark=_("The document does not fit the flag as it is now."))
    sides = [
        Side(_compiled(row, one), load_state(StoredDocuments(row.environment), now, [one]))
        for one in (before, after)
    ]
    held = samples_of(row.environment, now=now)
    return _impact(project, [_effect(row.environment.name, held, *sides)])


def of_segment(
    project: Project,
    key: str,
    document: Mapping[str, Any],
    environments: Iterable[Environment],
    *,
    now: datetime,
) -> Impact:
    if not is_sampled(project):
        return _impact(project, is_on=False)
    try:
        after = segment_of(project, document)
    except (DocumentError, KeyError, KeyList.DoesNotExist):
        return _impact(project, remark=_("What the segment would be is not to be found any more."))
    reach = reaching(project, key)
    effects: list[Effect] = []
    left_out = 0
    for environment in environments:
        environment.project = project
        rows = _using(environment, reach)
        room = MOST_EFFECTS - len(effects)
        left_out += max(len(rows) - room, 0)
        effects += _segment_effects(environment, rows[:room], after, now)
    return _impact(project, effects, remark=_left_out(left_out, is_used=bool(effects)))


def _left_out(count: int, *, is_used: bool) -> str:
    if not is_used:
        return _("No flag uses the segment, so nobody gets anything else.")
    text = ngettext("{n} more use of it is not shown.", "{n} more uses of it are not shown.", count)
    return text.format(n=count) if count else ""


def _using(environment: Environment, reach: Collection[str]) -> list[FlagConfiguration]:
    rows = []
    for row in mentioning_in(environment, Named.SEGMENT):
        try:
            named = references_of(row.configuration).segments
        except DocumentError:
            continue
        if not named.isdisjoint(reach):
            rows.append(row)
    return rows


def _segment_effects(
    environment: Environment, rows: Collection[FlagConfiguration], after: Segment, now: datetime
) -> Iterator[Effect]:
    if not rows:
        return
    configurations = [row.configuration for row in rows]
    old = load_state(StoredDocuments(environment), now, configurations)
    changed = StoredDocuments(environment, instead={after.key: after})
    new = load_state(changed, now, configurations)
    held = samples_of(environment, now=now)
    for row in rows:
        flag = _compiled(row, row.configuration)
        title = _("{flag} in {environment}").format(
            flag=row.flag.title, environment=environment.name
        )
        yield _effect(title, held, Side(flag, old), Side(flag, new))


def _compiled(row: FlagConfiguration, configuration: Configuration) -> CompiledFlag:
    return compile_flag(environment_document(row.flag.definition, configuration, row.version))


def _impact(
    project: Project, effects: Iterable[Effect] = (), *, is_on: bool = True, remark: str = ""
) -> Impact:
    return Impact(is_on, reverse("context-sampling", args=[project.key]), tuple(effects), remark)


def _effect(title: str, held: Collection[Sample], before: Side, after: Side) -> Effect:
    documents = [*before.documents(), *after.documents()]
    needed = frozenset().union(*map(attributes_of, documents))
    units = frozenset({TARGETING_KEY}).union(*map(units_of, documents))
    usable = [one for one in held if needed <= one.reads]
    pairs: Counter[tuple[str, str]] = Counter()
    examples: list[Example] = []
    for one in usable:
        old, new = before.variant(one.context), after.variant(one.context)
        if old == new:
            continue
        example = Example(_known(one.context, needed, units), old, new)
        if len(examples) < MOST_EXAMPLES and example not in examples:  # masked, many look alike
            examples.append(example)
        pairs[old, new] += 1
    flips = tuple(Flip(old, new, count) for (old, new), count in pairs.most_common())
    remarks = tuple(_remarks(held, usable, needed))
    return Effect(title, len(usable), flips, tuple(examples), remarks)


def _remarks(
    held: Collection[Sample], usable: Collection[Sample], needed: frozenset[str]
) -> Iterator[str]:
    if EVERYTHING in needed:
        yield _("It reads contexts as a whole, and those are not kept.")
        return
    lacking = sorted(needed - frozenset().union(*(one.reads for one in held))) if held else []
    if lacking:
        text = _("Samples hold no {names}: so far nothing reads it here, so it was not kept.")
        yield text.format(names=", ".join(lacking))
    elif len(usable) < FEW:
        text = ngettext(
            "{n} sampled context can tell: too few to rely on.",
            "{n} sampled contexts can tell: too few to rely on.",
            len(usable),
        )
        yield text.format(n=len(usable))


def _known(
    context: Mapping[str, Any], needed: frozenset[str], units: frozenset[str]
) -> tuple[tuple[str, str], ...]:
    found = ((path, _value_at(context, path)) for path in sorted(needed))
    return tuple(
        (path, _masked(str(value)) if path in units else _shown(value))
        for path, value in found
        if value is not None
    )


def _value_at(context: Mapping[str, Any], path: str) -> object:
    if path in context:
        return context[path]
    value: object = context
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _shown(value: object) -> str:
    """Short values, but no e-mail addresses: a rule may well read them."""
    text = str(value)
    return _masked(text) if "@" in text or len(text) > _SHOWN_CHARS else text


def _masked(text: str) -> str:
    return f"{text[:2]}…" if len(text) > 6 else "…"
