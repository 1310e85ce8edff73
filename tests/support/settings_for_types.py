"""Django's settings for mypy, which needs them to read and not to run anything."""

from tests.support import settings_env

settings_env.apply(settings_env.temporary_folder())

from portal.settings import *  # noqa: E402, F403 - the environment has to be there first
