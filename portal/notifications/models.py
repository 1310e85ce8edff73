from datetime import datetime, timedelta

from django.db import models

from portal.access.models import User
from portal.runs.models import DueWork

# Setting up mail after a year is not to flood everybody with what happened meanwhile.
FRESH_FOR = timedelta(days=3)


class LetterQuerySet(models.QuerySet["Letter"]):
    def waiting(self) -> "LetterQuerySet":
        return self.filter(sent_at=None, given_up_at=None)

    def due(self, moment: datetime) -> "LetterQuerySet":
        return self.waiting().filter(due_at__lte=moment)


class Letter(DueWork):
    """One mail to one person, in plain text.

    Written in the transaction of what it tells about. ``key`` says what that is: the same is told
    once. ``failures`` counts how often it could not be sent.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="letters")
    key = models.CharField(max_length=200, unique=True)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    written_at = models.DateTimeField()
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    objects = LetterQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(sent_at=None, given_up_at=None),
                name="letters_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"letter {self.pk}: {self.subject}"
