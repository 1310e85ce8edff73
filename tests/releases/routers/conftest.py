from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from tests.support import haproxy
from tests.support.haproxy import HaproxyServer


@pytest.fixture
def edge(settings: Settings) -> Iterator[HaproxyServer]:
    """A real haproxy by our sample configuration, which the site lists as ``edge``."""
    if not haproxy.find():
        pytest.skip("haproxy is not installed")
    with haproxy.running() as server:
        settings.HAPROXY = {"edge": server.socket}
        yield server
