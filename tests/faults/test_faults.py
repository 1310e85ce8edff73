"""The quick ones of the faults, judged by what does not depend on the machine's speed."""

import pytest

from tests.faults.harness import Fault, find_faults, run

QUICK = [one for one in find_faults().values() if one.in_ci]


@pytest.mark.parametrize("one", QUICK, ids=lambda one: one.name)
def test_fault__whatever_the_speed_of_the_machine__no_count_misses_its_bar(one: Fault) -> None:
    missed = [str(figure) for figure in run(one) if figure.misses(timed=False)]
    assert not missed
