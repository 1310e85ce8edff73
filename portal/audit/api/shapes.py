"""The shapes of answers, for the schema alone."""

from rest_framework import serializers


class HistoryActor(serializers.Serializer[object]):
    kind = serializers.ChoiceField(choices=["user", "key", "system"])
    id = serializers.CharField(help_text="Of the user or key; empty for the product itself.")
    name = serializers.CharField()


class HistorySubject(serializers.Serializer[object]):
    kind = serializers.CharField(help_text="flag, key, user, environment, project …")
    name = serializers.CharField()


class HistoryEvent(serializers.Serializer[object]):
    """One record of the audit trail."""

    sequence = serializers.IntegerField(help_text="Its place in the chain.")
    at = serializers.DateTimeField(help_text="UTC.")
    event = serializers.CharField(help_text="subject.verb, as in flag.enabled.")
    words = serializers.CharField(help_text="The event in words, after the actor's name.")
    actor = HistoryActor()
    project = serializers.CharField()
    environment = serializers.CharField(help_text="Empty where the event is about none.")
    subject = HistorySubject()
    version = serializers.IntegerField(allow_null=True, help_text="The environment's, then.")
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    reason = serializers.CharField()
    request_id = serializers.CharField()
    ip = serializers.CharField()
    user_agent = serializers.CharField()
    previous_hash = serializers.CharField()
    hash = serializers.CharField()


class HistoryPage(serializers.Serializer[object]):
    events = HistoryEvent(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")
    count = serializers.IntegerField(
        help_text="How many records match, counted up to 10,000 (1,000 with `text`)."
    )
    count_is_exact = serializers.BooleanField(help_text="False: there are more than that.")
