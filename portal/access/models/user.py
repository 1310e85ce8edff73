"""People."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Someone who signs in. ``is_superuser`` is the site administrator."""

    def __str__(self) -> str:
        return self.get_full_name() or self.username
