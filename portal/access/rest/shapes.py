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


class ProjectPage(Page):
    projects = Project(many=True)


class Environment(serializers.Serializer[object]):
    key = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=EnvironmentKind.values)
    position = serializers.IntegerField(help_text="Where it stands among the others.")
    version = serializers.IntegerField(help_text="Rises with every change that evaluators see.")


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


class GrantPage(Page):
    grants = Grant(many=True)


class Group(serializers.Serializer[object]):
    key = serializers.CharField()
    name = serializers.CharField()
    members = serializers.ListField(child=serializers.CharField())


class GroupPage(Page):
    groups = Group(many=True)


class Role(serializers.Serializer[object]):
    key = serializers.CharField()
    name = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())
    custom = serializers.BooleanField(help_text="Whether the project made it.")
    given = serializers.IntegerField(help_text="How often it is given.")


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


class InvitationPage(Page):
    invitations = Invitation(many=True)


class Key(serializers.Serializer[object]):
    """An API key without what lets anybody in."""

    selector = serializers.CharField(help_text="The part of its token that is no secret.")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=KeyKind.values)
    environment = serializers.CharField()
    allowed_origins = serializers.ListField(child=serializers.CharField())
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class KeyPage(Page):
    keys = Key(many=True)
