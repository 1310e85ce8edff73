"""What each permission means, in the groups and words in which people choose them."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.access.permissions import Permission

P = Permission
Meaning = tuple[P, str | Promise]

MEANINGS: tuple[tuple[str | Promise, tuple[Meaning, ...]], ...] = (
    (
        _("Flags and segments"),
        (
            (P.FLAG_VIEW, _("Look at flags, environments, members and keys.")),
            (P.FLAG_EDIT, _("Create flags and change their variants and targeting.")),
            (P.FLAG_TOGGLE, _("Turn flags on and off, and nothing else about them.")),
            (P.FLAG_ARCHIVE, _("Put flags away that nobody asks for any more.")),
            (P.SEGMENT_EDIT, _("Change groups of users that flags refer to.")),
        ),
    ),
    (
        _("Changes that need approval"),
        (
            (P.CHANGE_REQUEST_CREATE, _("Propose a change for others to approve.")),
            (P.CHANGE_REQUEST_APPROVE, _("Approve or reject what others propose.")),
            (P.CHANGE_REQUEST_APPLY, _("Carry out a change that was approved.")),
        ),
    ),
    (
        _("Releases"),
        (
            (P.RELEASE_CREATE, _("Plan a release.")),
            (P.RELEASE_DEPLOY, _("Start a release and take it further.")),
            (P.RELEASE_ROLLBACK, _("Stop a release and go back to what ran before.")),
            (P.RELEASE_APPROVE, _("Approve the gates of a release.")),
        ),
    ),
    (
        _("Environments and emergencies"),
        (
            (P.ENVIRONMENT_CONFIGURE, _("Add environments and decide what they reserve for whom.")),
            (P.FREEZE_OVERRIDE, _("Change things although a freeze forbids it.")),
            (P.INCIDENT_MANAGE, _("Open incidents and close them.")),
        ),
    ),
    (
        _("People, keys and history"),
        (
            (P.MEMBER_MANAGE, _("Invite people, and give roles and take them away.")),
            (P.KEY_MANAGE, _("Create and revoke API keys.")),
            (P.AUDIT_VIEW, _("Read the history of everything that happened.")),
            (P.AUDIT_EXPORT, _("Take the history and the reports along as files.")),
        ),
    ),
)
