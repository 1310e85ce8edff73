"""The web process without its database."""

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection
from django.test import Client

pytestmark = pytest.mark.postgresql


@pytest.fixture
def broken_database(db: None) -> Iterator[None]:
    def refuse(*_arguments: object) -> None:
        raise DatabaseError("the database is away")

    with connection.execute_wrapper(refuse):
        yield


def test_ready__database_away__is_503(broken_database: None) -> None:
    response = Client().get("/ready")
    assert (response.status_code, response.json()) == (503, {"database": "unavailable"})


def test_health__database_away__still_answers_and_says_so(broken_database: None) -> None:
    response = Client().get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "unavailable"}


def test_health__database_there__says_so(db: None) -> None:
    assert Client().get("/health").json() == {"status": "ok", "database": "ok"}
