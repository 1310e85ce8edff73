"""The history of deployments: one set of filters for the list, its CSV and the API."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from portal.audit.filters import MAX_CHARS, PERIODS, parse
from portal.lib.numbers import read_whole
from releases.core.models import MOVING, OVER, Release, State

OUTCOMES: Final = (*OVER, "promoted_early")
STATES: Final = ("moving", *State.values)
NAMES: Final = (
    "environment",
    "service",
    "flag",
    "state",
    "outcome",
    "version",
    "person",
    "text",
    "period",
    "from",
    "to",
)
_CHOICES: Final = {"state": STATES, "outcome": OUTCOMES, "period": tuple(PERIODS)}
COLUMNS: Final = (
    "number",
    "service",
    "flag",
    "version",
    "digest",
    "from_version",
    "environment",
    "strategy",
    "state",
    "step",
    "steps",
    "share_percent",
    "author",
    "reason",
    "planned_at",
    "started_at",
    "ended_at",
    "outcome",
    "change_request",
)


@dataclass(frozen=True, slots=True)
class DeploymentFilter:
    """What releases are narrowed to; empty texts narrow nothing. Of dates counts when a release
    began, or was planned where it never did. ``problems`` says what cannot be used."""

    given: Mapping[str, str]
    since: datetime | None = None
    until: datetime | None = None
    problems: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, query: Mapping[str, str], now: datetime) -> Self:
        """What a query asks for; ``period`` stands instead of ``from`` and ``to``."""
        given = {name: str(query.get(name, "")).strip() for name in NAMES}
        dates = {name: given[name] for name in ("period", "from", "to")}
        asked = parse(dates, project="", now=now)
        problems = {**asked.problems, **dict(_problems(given))}
        return cls(given, asked.filters.since, asked.filters.until, problems)

    @property
    def narrows(self) -> bool:
        return any(self.given.values())

    def narrow(self, rows: QuerySet[Release]) -> QuerySet[Release]:
        """Nothing where anything about it cannot be used."""
        if self.problems:
            return rows.none()
        for name, key in _PLAIN.items():
            if value := self.given[name]:
                rows = rows.filter(**{key: value})
        if service := self.given["service"]:
            rows = rows.filter(Q(service__key=service) | Q(flag__key=service))
        if state := self.given["state"]:
            rows = rows.filter(state__in=MOVING if state == "moving" else [state])
        if version := self.given["version"]:
            rows = rows.filter(
                Q(artefact__version=version) | Q(flag__isnull=False, router__new=version)
            )
        if text := self.given["text"]:
            rows = rows.filter(_says(text))
        return self._within(rows)

    def _within(self, rows: QuerySet[Release]) -> QuerySet[Release]:
        for compared, moment in (("gte", self.since), ("lt", self.until)):
            if moment:
                began = Q(**{f"started_at__{compared}": moment})
                planned = Q(**{"started_at": None, f"created_at__{compared}": moment})
                rows = rows.filter(began | planned)
        return rows


_PLAIN: Final = {
    "environment": "environment__key",
    "flag": "flag__key",
    "outcome": "outcome",
    "person": "author__icontains",
}
_SAYING: Final = (
    "reason",
    "artefact__version",
    "service__key",
    "service__name",
    "flag__key",
    "flag__name",
)


def _problems(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        if "\0" in value or len(value) > MAX_CHARS:
            yield name, _("Use at most {most} characters, and no NUL.").format(most=MAX_CHARS)
        elif value and value not in _CHOICES.get(name, (value,)):
            yield name, _("Choose one of: {names}.").format(names=", ".join(_CHOICES[name]))


def _says(text: str) -> Q:
    says = Q(artefact__digest__startswith=text)
    for name in _SAYING:
        says |= Q(**{f"{name}__icontains": text})
    number = read_whole(text.removeprefix("#"))
    return says if number is None else says | Q(pk=number)


def row_of(one: Release) -> list[str | int | datetime | None]:
    """A release as a row of COLUMNS."""
    share = one.told.get("share")
    return [
        one.pk,
        one.service.key if one.service else "",
        one.flag.key if one.flag else "",
        one.version,
        one.artefact.digest if one.artefact else "",
        one.stable.version if one.stable else "",
        one.environment.key,
        one.plan["strategy"],
        one.state,
        one.step + 1 if one.started_at else 0,
        len(one.parsed_plan.all_steps),
        "" if share is None else f"{share / 1000:g}",
        one.author,
        one.reason,
        one.created_at,
        one.started_at,
        one.ended_at,
        one.outcome,
        one.agreement_id,
    ]
