"""Which worker gets which tests: those of one group, or else of one file, follow each other.

So one worker works out what the tests of a file set up alike, and no other starts it anew.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling


class _ByFile(LoadGroupScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        return str(super()._split_scope(nodeid)).partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile | None:
    return _ByFile(config, log) if config.getoption("dist") == "loadgroup" else None
