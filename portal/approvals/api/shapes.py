"""The shapes of requests and answers, for the schema alone."""

from rest_framework import serializers

from portal.approvals.models import Result, State, Verdict
from portal.approvals.policy_rules import DAYS, MINUTES, MOST_APPROVALS, SCOPES
from portal.lib.errors import MOST_TEXT


class NewEvidence(serializers.Serializer[object]):
    digest = serializers.RegexField(
        r"^sha256:[0-9a-f]{64}$", help_text="Of an artefact, or of a change request's content."
    )
    kind = serializers.RegexField(r"^[a-z][a-z0-9_]{0,49}$", help_text="Such as security_scan.")
    result = serializers.ChoiceField(choices=Result.values)
    expires_at = serializers.DateTimeField(help_text="With its zone, a year ahead at most.")
    detail = serializers.CharField(required=False, max_length=2000)


class Evidence(NewEvidence):
    id = serializers.IntegerField()
    posted_by = serializers.CharField()
    posted_at = serializers.DateTimeField()


class EvidencePage(serializers.Serializer[object]):
    evidence = Evidence(many=True, help_text="The latest first; of each kind the latest counts.")
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")


class ChangeRequest(serializers.Serializer[object]):
    id = serializers.IntegerField()
    address = serializers.CharField(help_text="The page where people approve it.")
    state = serializers.ChoiceField(choices=State.values)
    title = serializers.CharField()
    kind = serializers.CharField()
    subject_kind = serializers.CharField()
    subject = serializers.CharField()
    environments = serializers.ListField(child=serializers.CharField())
    author = serializers.CharField()
    reason = serializers.CharField()
    revision = serializers.IntegerField(help_text="Rises with every edit, which voids the votes.")
    digest = serializers.CharField()
    artefact = serializers.CharField(help_text="The digest of what it ships, or empty.")
    apply_when_approved = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    revised_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField()


class Vote(serializers.Serializer[object]):
    person = serializers.CharField()
    verdict = serializers.ChoiceField(choices=Verdict.values)
    digest = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField(), help_text="At that time.")
    comment = serializers.CharField()
    at = serializers.DateTimeField()
    not_counted = serializers.ListField(
        child=serializers.CharField(),
        help_text="By environment, why it does not count yet: somebody gave the account a vote.",
    )


class Outcome(serializers.Serializer[object]):
    """Who gets what in one place, one sentence each."""

    title = serializers.CharField()
    before = serializers.ListField(child=serializers.CharField())
    after = serializers.ListField(child=serializers.CharField())


class FullChangeRequest(ChangeRequest):
    base_version = serializers.CharField()
    before = serializers.DictField()
    after = serializers.DictField()
    words = serializers.ListField(child=serializers.CharField())
    outcomes = Outcome(many=True, help_text="Who gets what before and after.")
    votes = Vote(many=True)
    missing = serializers.ListField(
        child=serializers.CharField(), help_text="What it still lacks, one sentence each."
    )


class ChangeRequestPage(serializers.Serializer[object]):
    change_requests = ChangeRequest(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")


class NewComment(serializers.Serializer[object]):
    text = serializers.CharField(max_length=MOST_TEXT)


class Comment(NewComment):
    id = serializers.IntegerField()
    author = serializers.CharField()
    at = serializers.DateTimeField()


class CommentPage(serializers.Serializer[object]):
    comments = Comment(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")


class NewPolicy(serializers.Serializer[object]):
    """What an environment is to want; what is left out is as strict as where nothing is said."""

    required_approvals = serializers.IntegerField(
        min_value=1, max_value=MOST_APPROVALS, help_text="How many people have to agree."
    )
    required_roles = serializers.ListField(child=serializers.CharField(), required=False)
    evidence = serializers.DictField(child=serializers.ChoiceField(choices=SCOPES), required=False)
    turning_off_needs_approval = serializers.BooleanField(required=False)
    break_glass = serializers.ListField(child=serializers.CharField(), required=False)
    break_glass_minutes = serializers.IntegerField(
        required=False, min_value=MINUTES[0], max_value=MINUTES[-1]
    )
    independence_days = serializers.IntegerField(
        required=False,
        min_value=DAYS[0],
        max_value=DAYS[-1],
        help_text="For how long an account counts as one person with who gave it a vote.",
    )


class Policy(serializers.Serializer[object]):
    """What an environment wants before something changes in it."""

    required_approvals = serializers.IntegerField(help_text="How many people have to agree.")
    required_roles = serializers.ListField(
        child=serializers.CharField(), help_text="What they must cover between them."
    )
    evidence = serializers.DictField(
        child=serializers.CharField(), help_text="Its kinds, each for `all` or for `artefacts`."
    )
    turning_off_needs_approval = serializers.BooleanField()
    break_glass = serializers.ListField(
        child=serializers.CharField(), help_text="Who may act first and be reviewed later."
    )
    break_glass_minutes = serializers.IntegerField()
    independence_days = serializers.IntegerField(
        help_text="For how long an account counts as one person with who gave it a vote."
    )
    version = serializers.IntegerField(help_text="Also the ETag.")
    updated_at = serializers.DateTimeField()
    updated_by = serializers.CharField()
