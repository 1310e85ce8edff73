from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from portal.access.models import Project
from portal.approvals import selectors
from portal.approvals.models import ChangeRequest, Emergency
from portal.lib.numbers import read_whole

# How long the review of an emergency may take before the pages call it overdue.
REVIEW_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class RequestFilter:
    state: str = ""
    environment: str = ""
    author: str = ""
    subject: str = ""
    search: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "RequestFilter":
        return cls(**{field.name: query.get(field.name, "").strip() for field in fields(cls)})

    @property
    def narrows(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


def find_requests(project: Project, wanted: RequestFilter) -> QuerySet[ChangeRequest]:
    found = selectors.requests_of(project)
    if wanted.state:
        found = found.filter(state=wanted.state)
    if wanted.environment:
        found = found.filter(environments__key=wanted.environment)
    if wanted.author:
        found = found.filter(author__icontains=wanted.author)
    if wanted.subject:
        found = found.filter(subject__icontains=wanted.subject)
    if wanted.search:
        found = found.filter(_says(wanted.search))
    return found


def emergencies_of(project: Project) -> QuerySet[Emergency]:
    return (
        Emergency.objects.filter(request__project=project)
        .select_related("request")
        .prefetch_related("request__environments")
    )


def awaiting_review(project: Project) -> QuerySet[Emergency]:
    return emergencies_of(project).filter(reviewed_at=None).order_by("pk")


def review_is_overdue(emergency: Emergency, *, now: datetime) -> bool:
    """Whether an emergency has waited for its review for more than a day."""
    return not emergency.is_reviewed and emergency.at + REVIEW_WITHIN < now


def _says(text: str) -> Q:
    says = Q(title__icontains=text) | Q(reason__icontains=text) | Q(subject__icontains=text)
    number = read_whole(text.removeprefix("#"))
    return says if number is None else says | Q(pk=number)
