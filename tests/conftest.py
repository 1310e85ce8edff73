"""What all tests share. They run in a folder of their own, with settings of their own."""

import functools
import gc
import os
import sys
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import django
import hypothesis
import pytest
from httpx._transports import default as httpx_transport

from tests.support import chromium, settings_env

if "portal.settings" in sys.modules:
    raise pytest.UsageError("unset DJANGO_SETTINGS_MODULE: the tests choose their settings")
folder = settings_env.temporary_folder()
(folder / "static").mkdir()  # WhiteNoise wants it there
settings_env.apply(folder)
settings_env.shared_folder()  # before there are workers, who inherit its name
os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
django.setup()
# What is collected next stays, too: looking for garbage in it, again and again, took a tenth of the
# time of all tests.
gc.disable()
# The workers of pytest-xdist inherit the environment, and have to come this way themselves.
del os.environ["DJANGO_SETTINGS_MODULE"]

from django.conf import settings  # noqa: E402

settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
# Every browser of Django's would look for all static files anew, which takes it a while.
settings.WHITENOISE_USE_FINDERS = False

# Each client would read the certificates of the whole world anew, which takes it 60 ms.
_read = functools.cache(httpx_transport.create_ssl_context)  # type: ignore[attr-defined]
httpx_transport.create_ssl_context = _read  # type: ignore[attr-defined]

# How long an example takes says nothing on a machine that others use too.
# Every run has other examples; the whole one has more of them.
hypothesis.settings.register_profile("aviary", deadline=None, max_examples=40)
hypothesis.settings.register_profile("whole", deadline=None, max_examples=100)

pytest_plugins = [
    "tests.support.spent",
    "tests.support.scheduling",
    "tests.support.remembering",
    "tests.support.parts",
    "tests.support.people",
    "tests.support.agreeing",
]

_DATABASE = {"db", "transactional_db", "stack"}
# What works even when no test asks it, a whole product a tenth of a processor: one after the other
# has its tests, and ends with the last of them.
_BUSY = ("stack", "nest")
# Not even looked at where only the database is of interest: half of all tests are there.
_WITHOUT_DATABASE = ("browser", "supervisor", "flags/engine", "flags/evaluator")
_FOLDERS = [Path(__file__).parent / name for name in _WITHOUT_DATABASE]
_NODES = tuple(f"tests/{name}/" for name in _WITHOUT_DATABASE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database-only", action="store_true", help="only what touches the portal's database"
    )
    parser.addoption("--whole", action="store_true", help="what repeats other tests, too")


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether what repeats other tests is wanted, too: ``make test-all``."""
    return bool(request.config.getoption("--whole"))


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("whole" if config.getoption("--whole") else "aviary")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.getoption("--database-only") and collection_path in _FOLDERS else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Leave out what cannot run here; let tests that ask for the same follow each other."""
    left_out = [item for item in items if not _is_wanted(item, config)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    for item in items:
        _check_folder(item)
        for name in _fixtures(item).intersection(_BUSY):
            group = _stack_of(item) if name == "stack" else name
            item.add_marker(pytest.mark.xdist_group(group))
        if _commits(item):
            item.add_marker("postgresql")
        if hasattr(config, "workerinput"):
            _keep_together(item)
    yield
    # With workers, what takes longest comes first: who has the last of it has nobody to help.
    tests = Counter(item.path for item in items if hasattr(config, "workerinput"))
    items.sort(key=lambda item: (*_place(item), -tests[item.path]))


def _place(item: pytest.Item) -> tuple[bool, ...]:
    """With its likes; Chromium is started once, too."""
    without = (name not in _fixtures(item) for name in _BUSY)
    alone = item.get_closest_marker("xdist_group") is None
    return alone, *without, item.get_closest_marker("browser") is None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """End what the next test does not ask for; who asks later has a new one."""
    yield
    for name in _fixtures(item).intersection(_BUSY) - _fixtures(nextitem):
        for found in item.session._fixturemanager.getfixturedefs(name, item) or ():
            found.finish(item._request)  # type: ignore[attr-defined]


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


def _keep_together(item: pytest.Item) -> None:
    """Tests of one group are one worker's, which xdist knows by what follows "@" in their ids.

    It appends that where pytest does not look any more (pytest-xdist issue 1386), and then each
    worker starts every stack.
    """
    groups = {str(mark.args[0]) for mark in item.iter_markers("xdist_group")}
    if groups:
        named = f"{item.nodeid}@{'_'.join(sorted(groups))}"
        item._id = type(item.id).parse(named)
        if item.nodeid != named:
            raise pytest.UsageError("tests of one group would be spread over all workers")


def _check_folder(item: pytest.Item) -> None:
    """A test that would never run on PostgreSQL, and nobody would notice, is an error."""
    if not item.nodeid.startswith(_NODES) or item.get_closest_marker("browser"):
        return
    if _touches_the_database(item):
        raise pytest.UsageError(f"{item.nodeid} uses the database: move it, or see tests/conftest")


def _stack_of(item: pytest.Item) -> str:
    """Two at most, one for each worker: looking at every page changes nothing that others see."""
    return "scenes" if "visit" in _fixtures(item) else "journeys"


def _commits(item: pytest.Item) -> bool:
    """What commits is about locks, races or other processes, where databases differ."""
    mark = item.get_closest_marker("django_db")
    return "transactional_db" in _fixtures(item) or bool(mark and mark.kwargs.get("transaction"))


def _is_wanted(item: pytest.Item, config: pytest.Config) -> bool:
    database_only = config.getoption("--database-only")
    if item.get_closest_marker("browser"):
        # What a page asks of the database is tested without a browser as well.
        return bool(chromium.find()) and not database_only
    return not database_only or _touches_the_database(item)


def _touches_the_database(item: pytest.Item) -> bool:
    marked = item.get_closest_marker("django_db") or item.get_closest_marker("postgresql")
    return bool(marked) or bool(_DATABASE & _fixtures(item))


def _fixtures(item: pytest.Item | None) -> set[str]:
    return set(getattr(item, "fixturenames", ()))
