"""People."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """Someone who signs in. ``is_superuser`` is the site administrator."""

    wants_digests = models.BooleanField(default=True)
    """Whether to be written to, once a week at most, about flags that one owns."""

    def __str__(self) -> str:
        return self.get_full_name() or self.username
