"""Checking rows by their own rules."""

from django.core.exceptions import ValidationError
from django.db import models

from portal.lib.errors import Invalid


def validate(instance: models.Model) -> None:
    """Check a row by its own rules. Raises Invalid, naming the fields."""
    try:
        instance.full_clean(exclude=["password"])
    except ValidationError as error:
        raise Invalid(
            {field: " ".join(texts) for field, texts in error.message_dict.items()}
        ) from None
