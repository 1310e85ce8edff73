"""A flag of the shop, with somebody about to change it in production."""

from tests.flags.services.conftest import desk

__all__ = ["desk"]
