"""The quick ones of the faults, judged by what does not depend on the machine's speed."""

from collections.abc import Iterator

import pytest

from tests.faults.harness import Fault, Stage, find_faults
from tests.faults.load import EVERY_S_UNTIMED

QUICK = [one for one in find_faults().values() if one.in_ci]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    stage = Stage(EVERY_S_UNTIMED)
    yield stage
    stage.close()


@pytest.mark.xdist_group("faults")
@pytest.mark.parametrize("one", QUICK, ids=lambda one: one.name)
def test_fault__whatever_the_speed_of_the_machine__no_count_misses_its_bar(
    stage: Stage, one: Fault
) -> None:
    missed = [str(figure) for figure in stage.run(one) if figure.misses(timed=False)]
    assert not missed
