from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals.changes import Change
from portal.approvals.models import ChangeRequest
from portal.lib.errors import AviaryError, Deferred, Forbidden
from portal.lib.journal import Intent


class OutOfReach(Forbidden):
    """A key would change what applications get in environments where it holds no such right."""

    def __init__(self, permission: Permission, environments: Sequence[str]) -> None:
        super().__init__(permission)
        self.environments = list(environments)
        text = _(
            "This changes what applications get in {places}, and needs the permission "
            "“{permission}” there, which this key does not hold. A person does it in the portal."
        )
        self.args = (text.format(places=", ".join(environments), permission=permission.label),)

    @property
    def extras(self) -> dict[str, object]:
        return {**super().extras, "environments": self.environments}


class ApprovalRequired(Exception):
    """A policy wants others to agree first. Never leaves the services: a request is opened."""

    def __init__(self, change: Change, environments: Sequence[Environment], intent: Intent) -> None:
        super().__init__(change.title)
        self.change, self.environments, self.intent = change, environments, intent


def request_path(request: ChangeRequest) -> str:
    return reverse("change-request", args=[request.project.key, request.pk])


class Waiting(Deferred):
    """Nothing was changed: it waits as a change request for others to agree."""

    status = 409

    def __init__(self, request: ChangeRequest) -> None:
        self.request = request
        self.path = request_path(request)
        self.address = f"{settings.PORTAL_URL}{self.path}"
        self.notice = _("Sent for approval. Nothing has changed yet.")
        text = _("This needs approval. It waits as change request {number}: {address}")
        super().__init__(text.format(number=request.pk, address=self.address))

    @property
    def title(self) -> str:
        return _("Sent for approval, and nothing is changed yet")

    @property
    def extras(self) -> dict[str, Any]:
        return {
            "change_request": {
                "id": self.request.pk,
                "address": self.address,
                "digest": self.request.digest,
            }
        }


class Stopped(AviaryError):
    """Nothing can be agreed to now about what a request is about."""

    status = 409


class NoSuchRequest(AviaryError):
    status = 404

    def __init__(self, number: int) -> None:
        text = _("This project has no change request {number}.")
        super().__init__(text.format(number=number))


class NotApproved(AviaryError):
    """A change request lacks something; the text lists what."""

    status = 409

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(_("Not approved yet: {missing}").format(missing=" ".join(missing)))


class Closed(AviaryError):
    """A change request that is decided takes no more votes, edits or applications."""

    status = 409

    def __init__(self, request: ChangeRequest) -> None:
        self.request = request
        text = _("Change request {number} is {state} already.")
        super().__init__(text.format(number=request.pk, state=request.get_state_display()))


class Edited(AviaryError):
    """A change request is no longer what somebody looked at."""

    status = 409

    def __init__(self) -> None:
        super().__init__(
            _("This request was edited since you opened it. Reload the page and look again.")
        )


class Barred(AviaryError):
    """Someone who may approve changes, but not this one."""

    status = 403


class EmergencyRunning(AviaryError):
    """A plan's step would carry on what an emergency changed and nobody has agreed to."""

    status = 409

    def __init__(self, request: ChangeRequest) -> None:
        text = _(
            "Emergency change {number} changed the same thing; this waits until that is confirmed "
            "or has ended."
        )
        super().__init__(text.format(number=request.pk))
