from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models

from portal.lib import lookalikes
from portal.lib.journal import About


class User(AbstractUser):
    """Someone who signs in. ``is_superuser`` is the site administrator.

    ``name_key`` and ``name_look`` are what the name shares with every name that can be taken for
    it (see lookalikes.keys_of). They are empty where an account from before they were kept clashes
    with an older one: it is listed to site administrators.
    """

    wants_digests = models.BooleanField(default=True)
    """Whether to be written to, once a week at most, about flags that one owns."""
    name_key = models.CharField(max_length=600, unique=True, null=True, blank=True, editable=False)
    name_look = models.CharField(max_length=600, unique=True, null=True, blank=True, editable=False)

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @property
    def recorded_as(self) -> About:
        return About("user", self.username)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new account takes its name's keys, whichever way it is made."""
        if self._state.adding:
            self.name_key, self.name_look = lookalikes.keys_of(self.username)
        super().save(*args, **kwargs)


# How often signing in has failed.


class SignInCounter(models.Model):
    """Failed attempts for an account from an address; empty means any account or address.

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
