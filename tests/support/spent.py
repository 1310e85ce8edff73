"""Where the time of a run went: for ``make test``, which ends with it."""

from collections import defaultdict
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

_FILES = 12
_PHASES = ("setup", "call", "teardown")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--spent", type=Path, help="the file to write where the time went to")


def pytest_configure(config: pytest.Config) -> None:
    # Workers hand their figures to the process that started them.
    if config.getoption("--spent") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Spent(config.getoption("--spent")), "spent")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Any:
    started = perf_counter()
    try:
        return (yield)
    finally:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["collection"] = perf_counter() - started


class _Spent:
    """Sums up what every process says of its tests."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.collections: list[float] = []
        self.by_file: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(_PHASES, 0.0))
        self.tests: dict[str, int] = defaultdict(int)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.partition("::")[0]
        self.by_file[name][report.when] += report.duration
        self.tests[name] += report.when == "setup"

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.collections.append(getattr(node, "workeroutput", {}).get("collection", 0.0))

    def pytest_unconfigure(self) -> None:
        self.file.write_text("\n".join([*self._lines(), ""]))

    def _lines(self) -> list[str]:
        whole = {phase: sum(one[phase] for one in self.by_file.values()) for phase in _PHASES}
        slowest = sorted(self.by_file.items(), key=lambda item: -sum(item[1].values()))
        return [
            f"{'':58} tests   setup    call  teardown   (seconds, summed)",
            _line("all files", sum(self.tests.values()), whole),
            *(_line(name, self.tests[name], one) for name, one in slowest[:_FILES]),
            f"collecting: {' and '.join(f'{one:.0f} s' for one in self.collections)}",
        ]


def _line(name: str, tests: int, spent: dict[str, float]) -> str:
    figures = [spent[phase] for phase in _PHASES]
    return "{:58} {:5} {:7.1f} {:7.1f}   {:7.1f}".format(name, tests, *figures)
