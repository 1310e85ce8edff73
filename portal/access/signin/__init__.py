"""Signing in: passwords, second factor, single sign-on, sessions, and proving it again.

What other pages need of it are ``recently_authenticated`` and ``needs_fresh_sign_in``.
"""

from portal.access.signin.freshness import needs_fresh_sign_in, recently_authenticated

__all__ = ["needs_fresh_sign_in", "recently_authenticated"]
