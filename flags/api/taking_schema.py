"""What copying, cloning and changing many flags take and answer, for the schema."""

from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from flags.api import shapes
from flags.services.bulk import ACTIONS, MOST_FLAGS, End
from portal.lib.api.operations import IF_MATCH, WAITS, WITH_BODY, answers


class NewCopy(serializers.Serializer[object]):
    source = serializers.CharField(  # type: ignore[assignment]  # a field here
        help_text="The environment that it is taken over from."
    )
    source_version = serializers.IntegerField(
        required=False, min_value=0, help_text="Of what was read there; refused if it moved on."
    )
    state = serializers.BooleanField(required=False, help_text="Also whether it is on.")
    salt = serializers.BooleanField(required=False, help_text="Also who is in which bucket.")
    reason = serializers.CharField(required=False)


class NewClone(serializers.Serializer[object]):
    key = serializers.CharField()
    name = serializers.CharField(required=False)
    environments = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Where its targeting comes along."
    )


class ClonedWaiting(serializers.Serializer[object]):
    text = serializers.CharField()
    address = serializers.CharField(help_text="The page where people approve it.")
    change_request = serializers.IntegerField()


class ClonedRefused(serializers.Serializer[object]):
    environment = serializers.CharField()
    text = serializers.CharField()


class Clone(serializers.Serializer[object]):
    flag = shapes.Flag()
    waiting = ClonedWaiting(many=True)
    refused = ClonedRefused(many=True)


class NewBulk(serializers.Serializer[object]):
    action = serializers.ChoiceField(choices=list(ACTIONS))
    flags = serializers.ListField(child=serializers.CharField(), max_length=MOST_FLAGS)
    environment = serializers.CharField(
        required=False, help_text="To turn on and off: the environment of this key."
    )
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    owner = serializers.CharField(required=False)
    reason = serializers.CharField(required=False)
    seen = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        required=False,
        help_text="To turn on and off: versions that were read, by the keys of the flags.",
    )
    force = serializers.BooleanField(
        required=False, help_text="To archive also what is still asked for."
    )


class OneEnd(serializers.Serializer[object]):
    flag = serializers.CharField()
    end = serializers.ChoiceField(choices=[str(one) for one in End])
    text = serializers.CharField(help_text="Why, where it is not done.")
    address = serializers.CharField(help_text="Where it waits for approval, or empty.")


class Ends(serializers.Serializer[object]):
    ends = OneEnd(many=True)


_ASKED_FOR: Final = {409: (WAITS[0], "One that is to be archived is still asked for.")}
copy_configuration = extend_schema(
    operation_id="copy_configuration",
    tags=["one environment"],
    parameters=[IF_MATCH],
    request=NewCopy,
    responses=answers(200, shapes.Configuration, 409, 428, *WITH_BODY),
)
clone_flag = extend_schema(
    operation_id="clone_flag",
    tags=["flags"],
    request=NewClone,
    responses=answers(201, Clone, *WITH_BODY),
)
change_flags = extend_schema(
    operation_id="change_flags",
    tags=["flags"],
    request=NewBulk,
    responses=answers(200, Ends, *WITH_BODY, special=_ASKED_FOR),
)
