"""How often signing in has failed."""

from django.db import models


class SignInCounter(models.Model):
    """Failed attempts for an account from an address; empty means whatever account or address.

    In the database, so that neither a restart nor a full cache forgets them. ``account`` is a hash:
    people type their password into the field of the name.
    """

    account = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=45, blank=True)
    failures = models.PositiveIntegerField(default=0)
    window_started_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)
    trusted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "address"], name="one_sign_in_counter"),
        ]
        indexes = [models.Index(fields=["window_started_at"], name="sign_in_counter_age")]
