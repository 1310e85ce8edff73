"""Checking rows by their own rules."""

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models

from portal.lib.errors import Invalid


def validate(instance: models.Model) -> None:
    """Check a row by its own rules. Raises Invalid, naming the fields."""
    try:
        instance.full_clean(exclude=["password"])
    except ValidationError as error:
        found = {field: " ".join(texts) for field, texts in error.message_dict.items()}
        # A key that is taken is found by a constraint, which Django counts to no field.
        whole = found.pop(NON_FIELD_ERRORS, None)
        raise Invalid(found | ({"key": whole} if whole else {})) from None
