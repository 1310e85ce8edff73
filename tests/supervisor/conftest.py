"""Installations of their own, to be started, broken and stopped."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import settings_env
from tests.support.stack import Stack


@pytest.fixture
def var() -> Path:
    """Where an installation would keep its data; nothing is there yet."""
    return settings_env.temporary_folder() / "var"


@pytest.fixture
def install(var: Path) -> Iterator[Callable[..., Stack]]:
    """Makes an installation in ``var``, not yet started; whatever is left of it is killed."""
    made: list[Stack] = []

    def make(*, from_nothing: bool = False, **settings: str) -> Stack:
        made.append(Stack(var, demo=False, settings=settings, from_nothing=from_nothing))
        return made[-1]

    yield make
    for stack in made:
        stack.kill()
