"""The settings that tests run with. The ones of the developer's own Aviary are never looked at."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The database that `python -m tests` wants the tests on; SQLite where it says nothing.
DATABASE_SETTING = "AVIARY_TEST_DATABASE_URL"
# What the processes of one run share.
_SHARED_FOLDER = "AVIARY_TEST_SHARED"

SECRETS = {
    "SECRET_KEY": "a-secret-key-for-nothing-but-the-tests-of-aviary",
    "AUDIT_KEY": "an-audit-key-for-nothing-but-the-tests-of-aviary",
    "SNAPSHOT_KEY": "a-snapshot-key-for-nothing-but-the-tests-of-aviary",
}
# Everything that a setting may come from; what is left of the environment goes to the processes
# that tests start.
_OURS = {
    *SECRETS,
    "DATABASE_URL",
    "DEBUG",
    "DJANGO_SETTINGS_MODULE",
    "EMAIL_FROM",
    "EMAIL_URL",
    "EVALUATOR_COPY_DIR",
    "EVALUATOR_COPY_MAX_AGE_H",
    "EVALUATOR_HOST",
    "EVALUATOR_PORT",
    "EVALUATOR_URL",
    "LOG_LEVEL",
    "METRICS_TOKEN",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "OIDC_CREATE_USERS",
    "OIDC_ISSUER",
    "OIDC_NAME",
    "PORT",
    "PORTAL_URL",
    "REDIS_URL",
    "WEB_THREADS",
    "WEB_WORKERS",
}


def temporary_folder() -> Path:
    """A folder with a path short enough for unix sockets; gone when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="aviary-", dir="/tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def shared_folder() -> Path:
    """The first process of a run makes it; those that it starts find it by the environment."""
    if _SHARED_FOLDER not in os.environ:
        os.environ[_SHARED_FOLDER] = str(temporary_folder())
    return Path(os.environ[_SHARED_FOLDER])


def clean_environment() -> dict[str, str]:
    """The environment without any setting of Aviary, or of the make that runs the tests.

    Python keeps what it compiles: dozens of processes are started, and compiling takes them longer
    than all that they do.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name not in _OURS
        and not name.startswith(("AVIARY_", "MAKE", "MFLAGS", "PYTHONDONTWRITEBYTECODE"))
    }


def for_tests(folder: Path) -> dict[str, str]:
    """A whole environment for a process that works in ``folder``."""
    environment = clean_environment() | SECRETS
    environment |= {
        "AVIARY_VAR": str(folder),
        "REDIS_URL": f"unix://{folder}/redis.sock",
        "LOG_LEVEL": "WARNING",
    }
    for name in (DATABASE_SETTING, _SHARED_FOLDER, "AVIARY_TEST_EVERYTHING"):
        if name in os.environ:
            environment[name] = os.environ[name]
    if os.environ.get(DATABASE_SETTING):
        environment["DATABASE_URL"] = os.environ[DATABASE_SETTING]
    return environment


def apply(folder: Path) -> None:
    """Make them the environment of this process, before Django reads it."""
    environment = for_tests(folder)
    os.environ.clear()
    os.environ.update(environment)
