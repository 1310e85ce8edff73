"""``…/projects/{project}/release-groups``: releases in lockstep.

A key reads and commands the groups whose members all stand in its own environment; groups across
environments are people's.
"""

from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import environment_of, holder_of, place_of, project_of
from portal.lib.api.endpoints import answer, answer_page, choice, find
from portal.lib.api.shapes import MOMENT, OBJECT, SWITCH, TEXT, TEXTS, WHOLE, PageShape, Shape
from portal.lib.api.views import CHANGE_REQUEST, ApiView, operation, query
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.api.releases import DRAFT, releases_of
from releases.api.services import TAG
from releases.api.shapes import HOLD, LISTED, holds_of, requests_of
from releases.api.waiting import SECONDS, TOO_MANY, UNTIL, deadline, wait_until
from releases.core import descriptions
from releases.core.models import Release, ReleaseGroup, State
from releases.groups import commands, planning, selectors

NEW_MEMBER = DRAFT.but(
    "NewReleaseGroupMember",
    "A release as one posts it, with its environment; or the number of one that is only planned.",
    release=WHOLE("Of a planned release; then nothing else.", optional=True),
    environment=TEXT("Its key: that of the key's environment.", optional=True),
    strategy=TEXT(optional=True, enum=[*DRAFT.fields["strategy"].words["enum"]]),
)
NEW_GROUP = Shape(
    "NewReleaseGroup",
    {
        "name": TEXT(maxLength=200),
        "members": NEW_MEMBER.many(
            "From 2 to 20. What goes back does so from the last to the first.",
            minItems=planning.FEWEST,
            maxItems=planning.MOST,
        ),
        "hold": SWITCH("Only plan it; it starts by the command.", optional=True),
        "reason": TEXT(optional=True),
    },
    "Releases in lockstep, which start at once.",
)
MEMBER = LISTED.but(
    "ReleaseGroupMember",
    position=WHOLE("In the group, from 0."),
    steps=WHOLE("How many there are.", of=lambda one: len(one.parsed_plan.all_steps)),
    holds=HOLD.many(of=holds_of),
    problem=TEXT("Why it could not begin or go on, or empty."),
    outcome_words=TEXT("How it ended, or why it goes back.", of=descriptions.outcome_words),
    waits_for=CHANGE_REQUEST.many("What people have not agreed to yet.", of=requests_of),
)


def _members(group: ReleaseGroup) -> list[Release]:
    return list(group.members.all())


def _links_of(group: ReleaseGroup) -> dict[str, str]:
    at = [group.project.key, group.pk]
    return {
        "page": f"{settings.PORTAL_URL}{reverse('release-group', args=at)}",
        "wait": reverse("api-release-group-wait", args=at),
    }


GROUP = Shape(
    "ReleaseGroup",
    {
        "number": WHOLE(of="pk"),
        "name": TEXT(),
        "reason": TEXT(),
        "state": TEXT(
            "Where it is, as its members are.",
            of=lambda one: selectors.state_of(one, _members(one)),
            enum=State.values,
        ),
        "members": MEMBER.many("In order of their positions.", of=_members),
        "failed": WHOLE(
            "The number of the release that takes the others back.", of="failed_id", nullable=True
        ),
        "stay": TEXTS(
            "Those whose watch was over when the group went back.",
            of=lambda one: selectors.left_of(one, _members(one)),
        ),
        "created_at": MOMENT(),
        "created_by": TEXT(),
        "links": OBJECT(of=_links_of, additionalProperties={"type": "string"}),
    },
    "Releases in lockstep: none takes a step before all have finished the one before.",
)
GROUPS = PageShape("ReleaseGroupPage", "release_groups", GROUP.many())
COMMAND = Shape(
    "ReleaseGroupCommand",
    {
        "reason": TEXT(optional=True),
        "supersede": SWITCH("To start: end what moves there now.", optional=True),
    },
)


class GroupList(ApiView):
    @operation("list_release_groups", TAG, GROUPS)
    def get(self, request: Request, project: str) -> Response:
        """A page of release groups, the newest first."""
        return answer_page(request, GROUPS, groups_of(request, project), by="-pk")

    @operation("create_release_group", TAG, GROUP, status=201, body=NEW_GROUP)
    def post(self, request: Request, project: str) -> Response:
        """Plan releases that go on together, all of them or none, and start them.

        Members that people have to agree to first say so in `waits_for`; the others wait for them.
        With `hold` they are planned and nothing else.
        """
        own, body = project_of(request, project), NEW_GROUP.read(request.data)
        hold, intent = body.pop("hold", False), _intent(request, body)
        _refuse_elsewhere(request, project, body["members"])
        with transaction.atomic():
            made = planning.plan_group(project=own, document=body, intent=intent)
            if not hold:
                commands.tell(group=made, name="start", intent=intent)
        where = reverse("api-release-group", args=[project, made.pk])
        return answer(GROUP.dump(group_of(request, project, made.pk)), at=where)


class GroupDetail(ApiView):
    @operation("read_release_group", TAG, GROUP)
    def get(self, request: Request, project: str, release_group: int) -> Response:
        """Where it is, and each of its members with what holds it."""
        return answer(GROUP.dump(group_of(request, project, release_group)))


class GroupCommanding(ApiView):
    @operation("command_release_group", TAG, GROUP, body=COMMAND)
    def post(self, request: Request, project: str, release_group: int, command: str) -> Response:
        """start, pause, resume, promote, abort or rollback.

        Each member that it is for is told by its own rules, all of them or none; promote is for
        those that wait at a gate. What others have to agree to first is in `waits_for`.
        """
        if command not in commands.GROUP_COMMANDS:
            raise Http404
        found, body = group_of(request, project, release_group), COMMAND.read(request.data or {})
        intent = _intent(request, body)
        if command != "start" and "supersede" in body:
            raise Invalid({"supersede": _("This command takes no such field.")})
        commands.tell(group=found, name=command, intent=intent, **body)
        return answer(GROUP.dump(group_of(request, project, release_group)))


_WAITS: Final = [
    query("until", "It is over, or also: a member is held, waits or is paused.", enum=[*UNTIL]),
    query("timeout_s", "How long to wait at most.", SECONDS | {"default": 30}),
]


class GroupWait(ApiView):
    @operation("wait_for_release_group", TAG, GROUP, TOO_MANY, parameters=_WAITS)
    def get(self, request: Request, project: str, release_group: int) -> Response:
        """The group once it is over, or as it is when the time is up: look at its `state`."""
        states = UNTIL[choice(request, "until", UNTIL) or "finished"]
        until = deadline(request, "timeout_s", "30")
        found = group_of(request, project, release_group)

        def has_come() -> bool:
            now = ReleaseGroup.objects.get(pk=found.pk)
            return selectors.state_of(now, _members(now)) in states

        if not has_come():
            wait_until(has_come, until)
        return answer(GROUP.dump(group_of(request, project, release_group)))


def groups_of(request: Request, project: str) -> QuerySet[ReleaseGroup]:
    own = project_of(request, project)
    return selectors.groups_seen(own, holder_of(request).environment)


def group_of(request: Request, project: str, number: int) -> ReleaseGroup:
    return find(groups_of(request, project), pk=number)


def _intent(request: Request, body: dict[str, Any]) -> Intent:
    return Intent(holder_of(request).actor, body.pop("reason", ""))


def _refuse_elsewhere(request: Request, project: str, members: list[dict[str, Any]]) -> None:
    """Raise for members that the key does not reach; planning sees the rest of what is wrong."""
    own = project_of(request, project)
    for position, member in enumerate(members):
        if "environment" in member:
            path = f"members[{position}].environment"
            environment_of(request, project, place_of(own, member["environment"], path).key)
        number = member.get("release")
        if number is not None and not releases_of(request, project).filter(pk=number).exists():
            path = f"members[{position}].release"
            raise Invalid({path: _("There is no such release.")})
