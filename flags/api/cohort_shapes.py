"""The shapes of segments and exclusion groups, for the schema alone: the engine checks them."""

from typing import Any

from rest_framework import serializers

from flags.engine import limits
from flags.services.key_lists import Mode


class KeyListShape(serializers.Serializer[object]):
    """A list of keys; the keys themselves have an address of their own."""

    digest = serializers.CharField(help_text="SHA-256 of the sorted keys as canonical JSON.")
    count = serializers.IntegerField()

    class Meta:
        ref_name = "KeyList"


class SegmentPatch(serializers.Serializer[object]):
    """Fields to change; null gives one back its default. The key stays."""

    name = serializers.CharField(required=False, allow_null=True)
    description = serializers.CharField(required=False, allow_null=True)
    when = serializers.DictField(
        required=False, allow_null=True, help_text="Who belongs besides those who are listed."
    )
    keyed_by = serializers.CharField(
        required=False, allow_null=True, help_text="The attribute whose values the lists hold."
    )


class NewSegment(SegmentPatch):
    key = serializers.CharField(max_length=limits.MAX_KEY_CHARS)
    included = serializers.ListField(child=serializers.CharField(), required=False)
    excluded = serializers.ListField(child=serializers.CharField(), required=False)


class Segment(serializers.Serializer[object]):
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    when = serializers.DictField()
    keyed_by = serializers.CharField()
    included = KeyListShape()
    excluded = KeyListShape()
    version = serializers.IntegerField(help_text="Also the ETag.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class SegmentPage(serializers.Serializer[object]):
    segments = Segment(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")


class SegmentKeyPage(serializers.Serializer[object]):
    keys = serializers.ListField(child=serializers.CharField())
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")
    total = serializers.IntegerField()


class KeyChange(serializers.Serializer[object]):
    mode = serializers.ChoiceField(choices=[mode.value for mode in Mode], default="add")
    keys = serializers.ListField(child=serializers.CharField(max_length=limits.MAX_UNIT_CHARS))


class InvalidLine(serializers.Serializer[object]):
    line = serializers.IntegerField()
    message = serializers.CharField()


class KeyReport(serializers.Serializer[object]):
    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    already_there = serializers.IntegerField()
    not_there = serializers.IntegerField(help_text="To be removed, but not in the list.")
    conflicts = serializers.ListField(
        child=serializers.CharField(), help_text="In the other list; they stayed there."
    )
    total = serializers.IntegerField()
    doubles = serializers.IntegerField(help_text="More than once in what was sent.")
    invalid_lines = serializers.IntegerField()
    invalid = InvalidLine(many=True, help_text="The first 100 of them.")
    version = serializers.IntegerField(help_text="The segment's, afterwards.")


class _SlotEnds(serializers.Serializer[object]):
    flag = serializers.CharField()
    to = serializers.FloatField(min_value=0, max_value=100)


# "from" is no name in Python.
Slot: Any = type(
    "Slot",
    (_SlotEnds,),
    {
        "__doc__": "A flag's part of the line, in percent.",
        "from": serializers.FloatField(min_value=0, max_value=100),
    },
)


class ExclusionGroupPatch(serializers.Serializer[object]):
    """Fields to change. Slots and holdout grow into free room only; users keep their place."""

    name = serializers.CharField(required=False, allow_null=True)
    description = serializers.CharField(required=False, allow_null=True)
    slots = Slot(many=True, required=False, allow_null=True)
    holdout = serializers.FloatField(
        required=False, allow_null=True, min_value=0, max_value=100, help_text="In percent."
    )
    salt = serializers.CharField(
        required=False, help_text="Another one deals out everybody anew, on purpose."
    )
    bucket_by = serializers.CharField(required=False, allow_null=True)


class NewExclusionGroup(ExclusionGroupPatch):
    key = serializers.CharField(max_length=limits.MAX_KEY_CHARS)


class Group(serializers.Serializer[object]):
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    salt = serializers.CharField()
    slots = Slot(many=True)
    holdout = serializers.FloatField()
    bucket_by = serializers.CharField()
    version = serializers.IntegerField(help_text="Also the ETag.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    class Meta:
        ref_name = "ExclusionGroup"


class ExclusionGroupPage(serializers.Serializer[object]):
    groups = Group(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")
