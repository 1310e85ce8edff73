"""Encrypting what must be read again, under keys made from SECRET_KEY, one for each purpose."""

import base64
import hashlib

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def derived_keys(purpose: str) -> list[bytes]:
    """The keys of a purpose: the one in use, then those that came before it."""
    keys = [str(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return [hashlib.sha256(f"{purpose}:{key}".encode()).digest() for key in keys]


def box_for(purpose: str) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived_keys(purpose)])
