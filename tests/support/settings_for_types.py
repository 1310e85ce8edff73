"""Django's settings for mypy, which needs them to read and not to run anything."""

from pathlib import Path

from tests.support import settings_env

# mypy ends without tidying up, so it gets no folder.
settings_env.apply(Path("/nowhere"))

from portal.settings import *  # noqa: E402, F403 - the environment has to be there first
