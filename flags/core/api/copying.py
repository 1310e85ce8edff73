"""``…/copy``, ``…/clone`` and ``…/bulk``: flags taken over from others, and many at once."""

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from flags.core import bulk, copying, selectors
from flags.core.api.scope import configuration_of, flag_of
from flags.core.api.shapes import CONFIGURATION, FLAG
from flags.core.bulk import ACTIONS, MOST_FLAGS, End
from flags.core.copying import Taking
from flags.models import Flag
from flags.usage.reading import refuse_if_evaluated
from portal.access.api.scope import (
    allowed,
    allowed_here,
    environment_of,
    holder_of,
    place_of,
    project_of,
)
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.lib import clock
from portal.lib.api.endpoints import answer, required_version
from portal.lib.api.shapes import SWITCH, TEXT, TEXTS, VERSIONS, WHOLE, Shape
from portal.lib.api.views import CONFLICT, IF_MATCH, NO_MATCH, WAITING, ApiView, operation
from portal.lib.errors import Invalid
from portal.lib.journal import Intent

NEW_COPY = Shape(
    "NewCopy",
    {
        "source": TEXT("The environment that it is taken over from."),
        "source_version": WHOLE(
            "Of what was read there; refused if it moved on.", optional=True, minimum=0
        ),
        "state": SWITCH("Also whether it is on.", optional=True),
        "salt": SWITCH("Also who is in which bucket.", optional=True),
        "reason": TEXT(optional=True),
    },
)
NEW_CLONE = Shape(
    "NewClone",
    {
        "key": TEXT(),
        "name": TEXT(optional=True),
        "environments": TEXTS("Where its targeting comes along.", optional=True),
    },
)
CLONED_WAITING = Shape(
    "ClonedWaiting",
    {
        "text": TEXT(of=str),
        "address": TEXT("The page where people approve it."),
        "change_request": WHOLE(of="request.pk"),
    },
)
CLONED_REFUSED = Shape("ClonedRefused", {"environment": TEXT(), "text": TEXT()})
CLONE = Shape(
    "Clone",
    {
        "flag": FLAG.one(),
        "waiting": CLONED_WAITING.many(),
        "refused": CLONED_REFUSED.many(),
    },
)
NEW_BULK = Shape(
    "NewBulk",
    {
        "action": TEXT(enum=list(ACTIONS)),
        "flags": TEXTS(maxItems=MOST_FLAGS),
        "environment": TEXT("To turn on and off: the environment of this key.", optional=True),
        "tags": TEXTS(optional=True),
        "owner": TEXT(optional=True),
        "reason": TEXT(optional=True),
        "seen": VERSIONS(
            "To turn on and off: versions that were read, by the keys of the flags.",
            optional=True,
        ),
        "force": SWITCH("To archive also what is still asked for.", optional=True),
    },
)


def _address(outcome: bulk.BulkResult) -> str:
    return f"{settings.PORTAL_URL}{outcome.path}" if outcome.path else ""


ONE_END = Shape(
    "OneEnd",
    {
        "flag": TEXT(of="flag.key"),
        "end": TEXT(enum=[str(one) for one in End]),
        "text": TEXT("Why, where it is not done."),
        "address": TEXT("Where it waits for approval, or empty.", of=_address),
    },
)
ENDS = Shape("Ends", {"ends": ONE_END.many()})


class Copying(ApiView):
    """Taking over what a flag does in another environment."""

    @operation(
        "copy_configuration",
        "one environment",
        CONFIGURATION,
        CONFLICT,
        NO_MATCH,
        body=NEW_COPY,
        parameters=[IF_MATCH],
    )
    def post(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Have a flag do in one environment what it does in another: a person does that.

        A key reads no other environment than its own, and so has nothing to copy from: 403. Its
        owner copies in the portal, or reads with one key and writes with the other.
        """
        environment_of(request, project, environment, Permission.FLAG_EDIT)
        target = configuration_of(request, project, environment, key)
        body = NEW_COPY.read(request.data)
        source = place_of(target.flag.project, body["source"], "source")
        environment_of(request, project, source.key)  # a key reads its own environment alone
        there = selectors.get_configuration(target.flag, source)
        saved = copying.copy_configuration(
            flag=target.flag,
            source=source,
            target=target.environment,
            source_version=body.get("source_version", there.version),
            expected_version=required_version(request),
            taking=Taking(state=body.get("state", False), salt=body.get("salt", False)),
            intent=Intent(holder_of(request).actor, reason=body.get("reason", "")),
        )
        return answer(saved.document, version=saved.version)


class Cloning(ApiView):
    """A new flag like another one."""

    @operation("clone_flag", "flags", CLONE, status=201, body=NEW_CLONE)
    def post(self, request: Request, project: str, key: str) -> Response:
        """Create a flag like this one, off everywhere, with fresh salts.

        Its targeting comes along where `environments` says so and the key reaches; `waiting` and
        `refused` say where it did not.
        """
        own = allowed(request, project, Permission.FLAG_EDIT)
        flag = flag_of(request, project, key)
        body = NEW_CLONE.read(request.data)
        cloned = copying.clone_flag(
            flag=flag,
            key=body["key"],
            name=body.get("name", ""),
            environments=[
                place_of(own, place, "environments") for place in body.get("environments", [])
            ],
            intent=Intent(holder_of(request).actor),
        )
        where = reverse("api-flag", kwargs={"project": project, "key": cloned.flag.key})
        refused = [{"environment": place.key, "text": text} for place, text in cloned.refused]
        return answer(CLONE.dump(cloned, refused=refused), version=cloned.flag.version, at=where)


class Bulk(ApiView):
    """The same done to many flags."""

    @operation(
        "change_flags",
        "flags",
        ENDS,
        (409, WAITING, "One that is to be archived is still asked for."),
        body=NEW_BULK,
    )
    def post(self, request: Request, project: str) -> Response:
        """Do something to up to 200 flags, each as a write of its own: `ends` says how each went.

        `seen` are the versions of configurations that were read; one that has moved on is refused.
        """
        own = project_of(request, project)
        body, now = NEW_BULK.read(request.data), clock.now()
        key = body.get("environment")
        place = environment_of(request, project, key) if key else None
        _require(request, project, body["action"], place)
        flags = _flags_of(own, body["flags"])
        if body["action"] == "archive" and not body.get("force", False):
            for flag in flags:
                refuse_if_evaluated(flag, now=now, within=holder_of(request).environment)
        job = bulk.Job(
            Intent(holder_of(request).actor, body.get("reason", ""), at=now),
            environment=place,
            tags=tuple(body.get("tags", ())),
            owner=body.get("owner", ""),
            seen=body.get("seen", {}),
        )
        outcomes = bulk.change_flags(flags=flags, action=body["action"], job=job)
        return answer({"ends": [ONE_END.dump(one) for one in outcomes]})


def _require(request: Request, project: str, action: str, place: Environment | None) -> None:
    what = ACTIONS.get(action)
    if what is None:
        raise Invalid.of("action", _("Choose one of: {actions}."), actions=", ".join(ACTIONS))
    reach = allowed_here if place and what.needs == "environment" else allowed
    reach(request, project, what.permission)


def _flags_of(project: Project, keys: list[str]) -> list[Flag]:
    wanted = list(dict.fromkeys(keys))[: MOST_FLAGS + 1]
    if not 0 < len(wanted) <= MOST_FLAGS:
        raise Invalid.of("flags", _("Name 1 to {most} flags."), most=MOST_FLAGS)
    found = selectors.flags_of(project, wanted)
    missing = sorted(set(wanted) - {flag.key for flag in found})
    if missing:
        raise Invalid.of("flags", _("There is no flag called {key}."), key=missing[0][:100])
    return found


# ``/api/v1/projects/{project}/export`` and the same of one environment: flags as a file.
