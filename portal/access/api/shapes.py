"""The shapes of answers, for the schema alone."""

from rest_framework import serializers

from portal.access.models import EnvironmentKind, InvitationState, KeyKind

_EVERYWHERE = "null: in all environments."


class Page(serializers.Serializer[object]):
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")


class Project(serializers.Serializer[object]):
    key = serializers.CharField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()


class Renaming(serializers.Serializer[object]):
    """Another name. The key stays."""

    name = serializers.CharField(max_length=100)


class ProjectPage(Page):
    projects = Project(many=True)


class Environment(serializers.Serializer[object]):
    key = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=EnvironmentKind.values)
    position = serializers.IntegerField(help_text="Where it stands among the others.")
    version = serializers.IntegerField(help_text="Rises with every change that evaluators see.")


class NewEnvironment(serializers.Serializer[object]):
    key = serializers.CharField(max_length=50)
    kind = serializers.ChoiceField(choices=EnvironmentKind.values)


class EnvironmentPage(Page):
    environments = Environment(many=True)


class HeldRole(serializers.Serializer[object]):
    role = serializers.CharField()
    environment = serializers.CharField(allow_null=True, help_text=_EVERYWHERE)
    group = serializers.CharField(allow_null=True, help_text="What it comes through, if anything.")


class Member(serializers.Serializer[object]):
    username = serializers.CharField()
    active = serializers.BooleanField()
    roles = HeldRole(many=True)


class MemberPatch(serializers.Serializer[object]):
    """What becomes the only role given by name, in all environments."""

    role = serializers.CharField()


class WithPlace(serializers.Serializer[object]):
    role = serializers.CharField()
    environment = serializers.CharField(required=False, allow_null=True, help_text=_EVERYWHERE)


class NewMember(WithPlace):
    username = serializers.CharField(help_text="Of somebody who has an account.")


class MemberPage(Page):
    members = Member(many=True)


class Grant(serializers.Serializer[object]):
    """A role given to a person or a group."""

    id = serializers.IntegerField()
    member = serializers.CharField(allow_null=True)
    group = serializers.CharField(allow_null=True)
    role = serializers.CharField()
    environment = serializers.CharField(allow_null=True, help_text=_EVERYWHERE)
    given_at = serializers.DateTimeField()


class NewGrant(WithPlace):
    """A role for a member or for a group: name one of the two."""

    member = serializers.CharField(required=False)
    group = serializers.CharField(required=False)


class GrantPage(Page):
    grants = Grant(many=True)


class Group(serializers.Serializer[object]):
    key = serializers.CharField()
    name = serializers.CharField()
    members = serializers.ListField(child=serializers.CharField())


class NewGroup(serializers.Serializer[object]):
    key = serializers.CharField(max_length=50)
    name = serializers.CharField(required=False, max_length=100)


class GroupPage(Page):
    groups = Group(many=True)


class Role(serializers.Serializer[object]):
    key = serializers.CharField()
    name = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())
    custom = serializers.BooleanField(help_text="Whether the project made it.")
    given = serializers.IntegerField(help_text="How often it is given.")


class RolePatch(serializers.Serializer[object]):
    name = serializers.CharField(required=False, max_length=100)
    permissions = serializers.ListField(child=serializers.CharField(), required=False)


class NewRole(serializers.Serializer[object]):
    key = serializers.CharField(max_length=50)
    name = serializers.CharField(required=False, max_length=100)
    permissions = serializers.ListField(child=serializers.CharField())


class RolePage(Page):
    roles = Role(many=True)


class Invitation(serializers.Serializer[object]):
    id = serializers.CharField()
    role = serializers.CharField()
    environment = serializers.CharField(allow_null=True, help_text=_EVERYWHERE)
    note = serializers.CharField()
    state = serializers.ChoiceField(choices=InvitationState.values)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    accepted_by = serializers.CharField(allow_null=True)


class NewInvitation(WithPlace):
    note = serializers.CharField(required=False, max_length=200)


class SentInvitation(Invitation):
    link = serializers.CharField(allow_null=True, help_text="Null where the answer is replayed.")
    notice = serializers.CharField(help_text="Why there is no link, or empty.")


class InvitationPage(Page):
    invitations = Invitation(many=True)


class Key(serializers.Serializer[object]):
    """An API key without what lets anybody in."""

    selector = serializers.CharField(help_text="The part of its token that is no secret.")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=KeyKind.values)
    environment = serializers.CharField()
    allowed_origins = serializers.ListField(child=serializers.CharField())
    rate_limit = serializers.IntegerField(allow_null=True, help_text="Requests per second.")
    burst_limit = serializers.IntegerField(allow_null=True, help_text="Requests at once.")
    rights = serializers.ListField(
        child=serializers.CharField(),
        help_text="What an admin key may do on top, as far as its maker still may.",
    )
    evidence = serializers.ListField(
        child=serializers.CharField(),
        help_text="The kinds of evidence that people let it post for its environment.",
    )
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewKey(serializers.Serializer[object]):
    """A server or client key for the environment of the key that asks."""

    name = serializers.CharField(max_length=100)
    kind = serializers.ChoiceField(choices=["server", "client"])
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    allowed_origins = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Of client keys alone."
    )


class IssuedKey(Key):
    token = serializers.CharField(allow_null=True, help_text="Null where the answer is replayed.")
    notice = serializers.CharField(help_text="Why there is no token, or empty.")


class KeyPatch(serializers.Serializer[object]):
    allowed_origins = serializers.ListField(child=serializers.CharField(), required=False)
    rate_limit = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    burst_limit = serializers.IntegerField(required=False, allow_null=True, min_value=1)


class KeyPage(Page):
    keys = Key(many=True)
