"""The last part of ``make check``: what Django itself checks, then every test.

AVIARY_TESTED=1 says that the tests have just been run, as CI does with ``make test``.
"""

import os
import secrets
import subprocess
import sys

import tests.__main__ as suite
from tests.support import settings_env

# Django wants both; each finds what a migration or a deployment would trip over.
_COMMANDS = (
    ("makemigrations", "--check", "--dry-run"),
    ("check", "--deploy", "--fail-level", "WARNING"),
)


def main() -> int:
    """Run them all; returns the exit status of the first that failed, or 0."""
    environment = _production()
    for command in _COMMANDS:
        print(f"aviary: manage.py {' '.join(command)}", flush=True)
        done = subprocess.run(
            [sys.executable, "-W", "error", "manage.py", *command],
            check=False,
            cwd=settings_env.ROOT,
            env=environment,
        )
        if done.returncode:
            return done.returncode
    if os.environ.get("AVIARY_TESTED") == "1":
        return 0
    return suite.main([])


def _production() -> dict[str, str]:
    """The settings of a deployment behind HTTPS; the database is a new SQLite file."""
    strong = {name: secrets.token_urlsafe(48) for name in settings_env.SECRETS}
    folder = settings_env.temporary_folder()
    return (
        settings_env.for_tests(folder)
        | strong
        | {
            "AVIARY_HTTPS": "1",
            "AVIARY_HOSTS": "flags.example.com",
            "PORTAL_URL": "https://flags.example.com",
            "EVALUATOR_URL": "https://evaluate.example.com",
        }
    )


if __name__ == "__main__":
    sys.exit(main())
