import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def no_static_files(settings: Settings) -> None:
    """Every browser of Django's would look for all static files anew, which takes it a while."""
    settings.WHITENOISE_USE_FINDERS = False
