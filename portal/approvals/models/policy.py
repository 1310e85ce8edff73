from django.db import models

from portal.access.models import Environment


class Policy(models.Model):
    """The approval policy of one environment. Where there is none, nobody needs to agree.

    ``required_roles`` are names of roles or groups that the voters must cover between them.
    ``evidence`` maps kinds of evidence to whether every change needs it ("all") or only one that
    ships an artefact ("artefacts"). ``break_glass`` names who may act first and be reviewed later.
    ``independence_days`` is for how long somebody counts as one person with who gave them the
    account, a vote or a new password.
    """

    environment = models.OneToOneField(Environment, on_delete=models.CASCADE, related_name="policy")
    required_approvals = models.PositiveSmallIntegerField()
    required_roles = models.JSONField(default=list, blank=True)
    evidence = models.JSONField(default=dict, blank=True)
    turning_off_needs_approval = models.BooleanField(default=False)
    break_glass = models.JSONField(default=list, blank=True)
    break_glass_minutes = models.PositiveIntegerField(default=60)
    independence_days = models.PositiveSmallIntegerField(default=30)
    version = models.PositiveBigIntegerField(default=1)
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = "policies"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(required_approvals__gte=1), name="policy_wants_somebody"
            )
        ]

    def __str__(self) -> str:
        return f"policy of {self.environment}"

    @property
    def document(self) -> dict[str, object]:
        return {field: getattr(self, field) for field in POLICY_FIELDS}


POLICY_FIELDS = (
    "required_approvals",
    "required_roles",
    "evidence",
    "turning_off_needs_approval",
    "break_glass",
    "break_glass_minutes",
    "independence_days",
)
