"""Documents that people write of release policies.

::

    {
      "name": "Payments",
      "environments": ["production"],
      "services": ["checkout"],
      "tags": ["payments"],
      "checks": [{"key": "errors", "kind": "error_rate", "threshold": 1}],
      "templates": ["careful"]
    }

No environments are all of them; neither services nor tags is every release; no templates allow
every plan. ``tags`` are those of flags.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from portal.lib.documents import Problem, Reader, checked, list_of, name, record
from releases.catalogue.reading import all_different, check_address
from releases.engine.checks import Check, read_checks

MOST_NAMES: Final = 100
MOST_REQUIRED: Final = 20
_read_keys = all_different(list_of(name(100, 1), most=MOST_NAMES))


def _policy(
    name: str,
    environments: Iterable[str] = (),
    services: Iterable[str] = (),
    tags: Iterable[str] = (),
    checks: Iterable[Check] = (),
    templates: Iterable[str] = (),
) -> dict[str, Any]:
    return {
        "name": name,
        "environments": sorted(environments),
        "services": sorted(services),
        "tags": sorted(tags),
        "checks": [check.document for check in checks],
        "templates": sorted(templates),
    }


def _check_policy(policy: Mapping[str, Any]) -> Iterator[Problem]:
    if not (policy["checks"] or policy["templates"]):
        yield Problem("", "Attach a check, or require a template.")
    taken = set()
    for place, check in enumerate(policy["checks"]):
        if check["key"] in taken:
            yield Problem(f"checks[{place}].key", "Give each check a key of its own.")
        taken.add(check["key"])
        yield from check_address(check, f"checks[{place}]")


read_policy: Final[Reader[dict[str, Any]]] = checked(
    record(
        _policy,
        {"name": name(200, 1)},
        {
            "environments": _read_keys,
            "services": _read_keys,
            "tags": _read_keys,
            "checks": read_checks,
            "templates": all_different(list_of(name(50, 1), most=MOST_REQUIRED)),
        },
    ),
    _check_policy,
)
"""Reads a policy; what it leaves out is empty. Checks get every field that their kind has."""
