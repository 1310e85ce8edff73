"""An import takes over what refers to something that is there, and nothing else."""

from typing import Any

from flags.models import Flag
from flags.services import importing
from tests.flags.cohorts.bench import Bench
from tests.support.people import SETTING_UP, boolean_flag


def asking(key: str, asked: str) -> dict[str, Any]:
    configuration = {
        "enabled": True,
        "off_variant": "off",
        "fallthrough": {"variant": "on"},
        "salt": "s",
        "prerequisites": [{"flag": asked, "variants": ["on"]}],
    }
    return boolean_flag(key) | {"environments": {"production": configuration}}


def test_flags_of_a_file__may_ask_each_other_but_not_in_a_circle_or_nowhere(bench: Bench) -> None:
    chains = {"a": "new-checkout", "b": "a", "x": "y", "y": "x", "z": "gone", "after-z": "z"}
    report = importing.import_document(
        format_name="native",
        document={"flags": [asking(key, asked) for key, asked in chains.items()]},
        environment=bench.desk.environment,
        mode="merge",
        dry_run=False,
        actor=SETTING_UP,
        now=bench.desk.now,
    )
    assert report.created == ["a", "b"]
    assert {one.flag for one in report.skipped} == {"x", "y", "z", "after-z"}
    assert set(Flag.objects.values_list("key", flat=True)) == {"a", "b", "new-checkout"}
