"""Requests that are too large, too slow or too costly: what the others notice of them.

They are sent to an evaluator of their own, with two projects: what hurts one is asked in the other.
"""

from collections.abc import Callable

from tests.faults import limits
from tests.faults.harness import Figure, fault
from tests.faults.installation import Installation


def _measured(measure: Callable[[limits.Place], list[limits.Measured]]) -> list[Figure]:
    with limits.placed() as place:
        return [Figure(*one) for one in measure(place)]


@fault("a header of 48 MB")
def huge_header(_place: Installation) -> list[Figure]:
    return _measured(limits.huge_header)


@fault("a flag of 20 conditions with 900 texts each, asked with a text of 900 kB")
def costly_flag(_place: Installation) -> list[Figure]:
    return _measured(limits.costly_flag)


@fault("a context of 340,000 empty lists")
def many_values(_place: Installation) -> list[Figure]:
    return _measured(limits.many_values)


@fault("a text of 500,000 escaped quotation marks that nothing closes")
def unclosed_text(_place: Installation) -> list[Figure]:
    return _measured(limits.unclosed_text)


@fault("10,000 flags, a context of 1 MiB")
def large_context(_place: Installation) -> list[Figure]:
    return _measured(limits.large_context)


@fault("500 slow sockets")
def slow_sockets(_place: Installation) -> list[Figure]:
    return _measured(limits.slow_sockets)
