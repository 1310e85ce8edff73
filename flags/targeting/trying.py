"""Who gets what of the form as it stands: for everyone, and for a sample user, while one types."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from math import prod

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from flags.core import descriptions
from flags.core.descriptions import shares
from flags.core.parsing import configuration_from
from flags.core.web.rows import Cell, find_flag
from flags.engine import AllOf, Audience, Configuration, Fixed, FlagDefinition, Rule, Serve, Split
from flags.engine.document import EnvironmentFlag
from flags.engine.explaining import explain
from flags.explain.descriptions import in_words
from flags.models import FlagConfiguration
from flags.references.state import StoredDocuments, load_state
from flags.targeting import documents
from flags.targeting.form import FIELDS as TARGETING_FIELDS
from flags.targeting.sample import FIELDS, SampleUser, attributes_in, context_of, read_sample
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.web.pages import read_form

NOBODY = SampleUser("", {}, "")


@require_POST
@project_page(Permission.FLAG_VIEW)
def try_sample(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    """What the form beside it would serve to the sample user; nothing is saved, nothing logged."""
    flag = find_flag(scope, key)
    configuration = flag.configuration_in(scope.environment(environment))
    sample = read_sample(read_form(request.POST.items(), FIELDS))
    context: dict[str, object] = {
        "scope": scope,
        "flag": flag,
        "cell": Cell(flag, configuration),
        "live": True,
    }
    try:
        wanted = _wanted(request, configuration)
    except Invalid as error:
        return render(
            request, "flags/targeting/_tried.html", context | {"form_problems": error.problems}
        )
    context |= sample_context(configuration, wanted, flag.definition, sample, clock.now())
    names = [one.name for one in context["sample_fields"]]  # type: ignore[attr-defined]
    context["other_fields"] = list(sample.values) != names
    return render(request, "flags/targeting/_tried.html", context)


def _wanted(request: HttpRequest, configuration: FlagConfiguration) -> Configuration:
    """What the form says. Who may only look sends none, and sees what is saved."""
    if "off_variant" not in request.POST:
        return configuration.configuration
    form = read_form(request.POST.items(), TARGETING_FIELDS)
    document = documents.to_document(form, enabled=configuration.enabled)
    return configuration_from(document, configuration.flag.definition)


def sample_context(
    configuration: FlagConfiguration,
    wanted: Configuration,
    definition: FlagDefinition,
    sample: SampleUser,
    now: datetime,
) -> dict[str, object]:
    """Who gets what of a configuration that need not be saved; a flag that is off is asked as
    though it were on."""
    state = load_state(StoredDocuments(configuration.environment), now, [wanted])
    segments = {key: one.source for key, one in state.segments.items()}
    names = attributes_in(wanted, segments)
    context = gets_context(wanted, definition) | {
        "is_off": not wanted.enabled,
        "sample": sample,
        "sample_fields": sample.fields(names),
    }
    try:
        attributes = context_of(sample, names)
    except Invalid as error:
        return context | {"sample_problem": error.problems["sample.json"]}
    flag = EnvironmentFlag(definition, replace(wanted, enabled=True), configuration.version)
    return context | {"explained": in_words(explain(flag, attributes, state, segments))}


def gets_context(wanted: Configuration, definition: FlagDefinition) -> dict[str, object]:
    return {
        "bars": bars(wanted, definition),
        "distribution": distribution(replace(wanted, enabled=True), definition),
        "off_variant": wanted.off_variant,
    }


# Who gets it: the shares of users per variant, as far as they are known without the users.


@dataclass(frozen=True, slots=True)
class Portion:
    variant: str
    percent: float
    colour: int | str


@dataclass(frozen=True, slots=True)
class Bar:
    title: str
    words: str
    portions: list[Portion]


# The colours there are; more variants than that share them.
COLOURS = 5
# What rounding leaves is no portion.
_LEAST = 0.0004
# Of those who are asked further.
ON = "on"


def distribution(configuration: Configuration, definition: FlagDefinition) -> list[Portion]:
    """The portions of everyone who is neither singled out nor caught by a rule's conditions.

    A variant keeps its colour whatever its share; a boolean's false is always the grey one.
    """
    colours = _colours(definition)
    if not configuration.enabled:
        return [Portion(configuration.off_variant, 100.0, colours[configuration.off_variant])]
    found: dict[str, float] = defaultdict(float)
    left = _Left()
    for rule in configuration.rules:
        if rule.when == AllOf() and not (rule.audience and rule.audience.group):
            _deal(found, rule.serve, left.let_in(rule.audience))
    _deal(found, configuration.fallthrough, left.rest)
    ordered = sorted(found, key=list(colours).index)
    return [Portion(variant, found[variant], colours[variant]) for variant in ordered]


class _Left:
    """Who is left of everyone, rule by rule.

    Rules that bucket alike let the same users in first, so the second of them lets in only those
    between its threshold and the first one's; different hashes are independent of each other.
    """

    def __init__(self) -> None:
        self._covered: dict[object, float] = {}

    @property
    def rest(self) -> float:
        return prod(1 - one for one in self._covered.values())

    def let_in(self, audience: Audience | None) -> float:
        """The part of everyone that a rule for all takes, 0 to 1."""
        before = self.rest
        if audience is None:
            self._covered[None] = 1.0
            return before
        hashed = (audience.bucket_by, audience.else_by, audience.algorithm, audience.seed)
        covered = self._covered.get(hashed, 0.0)
        self._covered[hashed] = max(covered, audience.threshold / 100_000)
        return before - self.rest


def bars(configuration: Configuration, definition: FlagDefinition) -> list[Bar]:
    colours = _colours(definition)
    return [_bar(rule, number, colours) for number, rule in enumerate(configuration.rules, 1)]


def _bar(rule: Rule, number: int, colours: dict[str, int]) -> Bar:
    let_in = rule.audience.percent if rule.audience else 100.0
    portions = [
        Portion(variant, percent * let_in / 100, colours[variant])
        for variant, percent in _shares(rule.serve)
        if percent
    ]
    if let_in < 100:
        portions.append(Portion(_("continue to the next rule"), 100 - let_in, ON))
    title = _("Rule {number}").format(number=number)
    return Bar(f"{title}: {rule.name}" if rule.name else title, descriptions.rule(rule), portions)


def _colours(definition: FlagDefinition) -> dict[str, int]:
    return {
        variant.key: 0 if variant.value is False else 1 + index % COLOURS
        for index, variant in enumerate(definition.variants)
    }


def _deal(found: dict[str, float], serve: Serve, part: float) -> None:
    for variant, percent in _shares(serve):
        if percent * part > _LEAST:
            found[variant] += percent * part


def _shares(serve: Serve) -> list[tuple[str, float]]:
    if isinstance(serve, Fixed):
        return [(serve.variant, 100.0)]
    if isinstance(serve, Split):
        return [(share.variant, percent) for share, percent in shares(serve)]
    return []
