"""An import: one transaction, one version per environment, an audit row per flag."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from flags.core import definitions
from flags.models import Flag, FlagConfiguration
from flags.transfer.importers import plan_import
from flags.transfer.importing import service, target
from portal.access.models import Environment, EnvironmentChange, Project, User
from portal.audit import selectors as audit
from portal.audit.models import AuditEvent
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from tests.flags.transfer.importers.plans import EXAMPLE, flagd_flag
from tests.support.people import acting, boolean_flag
from tests.support.rows import everything_kept

pytestmark = pytest.mark.postgresql

RULE = {"if": [{"==": [{"var": "plan"}, "pro"]}, "blue"]}


@dataclass(frozen=True)
class Importer:
    """Someone with files for one environment."""

    environment: Environment
    person: User
    now: datetime

    def run(self, document: object, **options: Any) -> target.ImportReport:
        return service.import_document(
            **{"format_name": "flagd", "mode": "merge", "dry_run": False, **options},
            environment=self.environment,
            document=document,
            intent=Intent(acting(self.person), at=self.now),
        )

    def flagd(self, *, mode: str = "merge", dry_run: bool = False, **flags: object) -> Any:
        return self.run({"flags": flags}, mode=mode, dry_run=dry_run)

    def configuration(self, key: str) -> FlagConfiguration:
        found = FlagConfiguration.objects.select_related("flag")
        return found.get(flag__key=key, environment=self.environment)

    def versions(self) -> dict[str, int]:
        return dict(self.environment.project.environments.values_list("key", "version"))


@pytest.fixture
def importer(production: Environment, alice: User, now: datetime) -> Importer:
    return Importer(production, alice, now)


def events() -> list[tuple[str, str, str]]:
    rows = AuditEvent.objects.filter(reason="import (flagd)").order_by("sequence")
    return [(row.event, row.subject, row.environment) for row in rows]


def test_import__the_example_file__is_there_with_one_version_each(importer: Importer) -> None:
    before = importer.versions()
    report = importer.run(EXAMPLE)
    assert report.created == list(EXAMPLE["flags"])
    assert (report.changed, report.unchanged, report.disabled) == ([], [], [])
    assert (report.skipped, report.notes, report.dry_run) == ([], [], False)
    assert importer.versions() == {key: version + 1 for key, version in before.items()}
    assert report.version == importer.versions()["production"]
    assert events() == [("flag.created", key, "production") for key in EXAMPLE["flags"]]
    assert audit.chain_fault() is None


def test_import__new_flags__are_off_elsewhere_and_announced_everywhere(importer: Importer) -> None:
    importer.flagd(colour=flagd_flag(RULE))
    configurations = FlagConfiguration.objects.select_related("environment")
    assert {c.environment.key: (c.enabled, c.version) for c in configurations} == {
        key: (key == "production", version) for key, version in importer.versions().items()
    }
    assert EnvironmentChange.objects.filter(key="colour").count() == 3
    assert importer.configuration("colour").environment_document()["enabled"] is True


def test_import__again__changes_nothing_at_all(importer: Importer) -> None:
    importer.run(EXAMPLE)
    before = everything_kept()
    report = importer.run(EXAMPLE)
    assert report.unchanged == list(EXAMPLE["flags"])
    assert (report.created, report.changed) == ([], [])
    assert everything_kept() == before


def test_import__dry_run__reports_the_same_and_changes_nothing(importer: Importer) -> None:
    before, version = everything_kept(), importer.versions()["production"]
    report = importer.run(EXAMPLE, dry_run=True)
    assert report.created == list(EXAMPLE["flags"])
    assert (report.dry_run, report.version) == (True, version)
    assert everything_kept() == before


def test_import__changed_targeting__touches_this_environment_only(importer: Importer) -> None:
    importer.flagd(colour=flagd_flag(), other=flagd_flag())
    before, salt = importer.versions(), importer.configuration("colour").targeting["salt"]
    report = importer.flagd(colour=flagd_flag(RULE), other=flagd_flag())
    assert (report.changed, report.unchanged) == (["colour"], ["other"])
    assert importer.versions() == before | {"production": before["production"] + 1}
    configuration = importer.configuration("colour")
    assert len(configuration.targeting["rules"]) == 1
    assert configuration.targeting["salt"] == salt
    assert configuration.updated_by == "alice"
    assert events()[-1] == ("flag.targeting_changed", "colour", "production")


def test_import__changed_variants__change_the_flag_everywhere(importer: Importer) -> None:
    importer.flagd(colour=flagd_flag())
    before = importer.versions()
    variants = {"red": "#f00", "true": "yes", "false": "no", "green": "#0f0"}
    report = importer.flagd(colour=flagd_flag(variants=variants))
    assert report.changed == ["colour"]
    assert importer.versions() == {key: version + 1 for key, version in before.items()}
    flag = Flag.objects.get(key="colour")
    assert ([v["key"] for v in flag.variants], flag.version) == (list(variants), 2)
    assert events()[-1] == ("flag.edited", "colour", "")
    versions = FlagConfiguration.objects.values_list("environment__key", "version")
    assert dict(versions) == importer.versions()


def test_import__what_people_wrote_about_a_flag__stays(importer: Importer) -> None:
    importer.flagd(colour=flagd_flag())
    flag = Flag.objects.select_related("project").get(key="colour")
    variants = [v | {"description": f"It is {v['key']}"} for v in flag.variants]
    document = flag.document | {"owner": "Team Cart", "tags": ["x"], "variants": variants}
    flag = definitions.edit_flag(
        flag=flag,
        document=document,
        expected_version=1,
        intent=Intent(acting(importer.person), at=importer.now),
    )
    assert importer.flagd(colour=flagd_flag()).unchanged == ["colour"]
    assert Flag.objects.get(key="colour").document == document


def test_import__variants_that_another_environment_serves__are_kept_and_reported(
    importer: Importer, staging: Environment
) -> None:
    importer.flagd(colour=flagd_flag())
    variants = {"red": "#f00", "green": "#0f0"}  # staging is off and serves "false"
    before = everything_kept()
    report = importer.flagd(colour=flagd_flag(variants=variants))
    assert [s.flag for s in report.skipped] == ["colour"]
    assert report.skipped[0].reason.startswith("environments.")
    assert "There is no variant 'false'" in report.skipped[0].reason
    assert everything_kept() == before


def test_import__another_value_type__is_skipped(importer: Importer) -> None:
    importer.flagd(colour=flagd_flag())
    report = importer.flagd(colour=flagd_flag(variants={"red": 1}))
    expected = "value_type: It is string here and integer in the file; a flag keeps its value type."
    assert report.skipped[0].reason == expected


def test_import__an_archived_flag__is_skipped(importer: Importer, new_checkout: Flag) -> None:
    definitions.archive_flag(
        flag=new_checkout, intent=Intent(acting(importer.person), at=importer.now)
    )
    report = importer.run({"flags": {new_checkout.key: flagd_flag()}})
    assert report.skipped[0].reason == "This flag is archived. Restore it first."


@pytest.mark.parametrize("key", ["", "a\nb", "../x", "x" * 201, " a"])
def test_import__a_key_that_is_none__is_skipped(importer: Importer, key: str) -> None:
    report = importer.run({"flags": {key: flagd_flag(), "fine": flagd_flag()}})
    assert [s.flag for s in report.skipped] == [key]
    assert report.created == ["fine"]


def test_merge__flags_the_file_does_not_have__stay_on(importer: Importer) -> None:
    importer.flagd(mine=flagd_flag())
    assert importer.flagd(other=flagd_flag()).disabled == []
    assert importer.configuration("mine").enabled


def test_replace__flags_the_file_does_not_have__are_off_here_and_keep_their_targeting(
    importer: Importer, staging: Environment
) -> None:
    elsewhere = Importer(staging, importer.person, importer.now)
    importer.flagd(mine=flagd_flag(RULE), other=flagd_flag())
    elsewhere.flagd(mine=flagd_flag(RULE))
    targeting = importer.configuration("mine").targeting
    report = importer.flagd(mode="replace", other=flagd_flag())
    assert (report.disabled, report.unchanged) == (["mine"], ["other"])
    configuration = importer.configuration("mine")
    assert (configuration.enabled, configuration.targeting) == (False, targeting)
    assert configuration.version == report.version
    assert elsewhere.configuration("mine").enabled
    assert events()[-1] == ("flag.disabled", "mine", "production")


def test_replace__flags_that_cannot_be_taken_over__are_left_alone(importer: Importer) -> None:
    importer.flagd(mine=flagd_flag())
    report = importer.flagd(mode="replace", mine=flagd_flag(defaultVariant="green"))
    assert (report.disabled, [s.flag for s in report.skipped]) == ([], ["mine"])
    assert importer.configuration("mine").enabled


def test_native__without_a_configuration__is_off_where_new_and_stays_where_known(
    importer: Importer,
) -> None:
    document = [boolean_flag("known"), boolean_flag("fresh")]
    known = [boolean_flag("known") | {"environments": {"production": on()}}]
    importer.run(known, format_name="native")
    report = importer.run(document, format_name="native")
    assert (report.created, report.unchanged) == (["fresh"], ["known"])
    assert importer.configuration("known").enabled
    assert not importer.configuration("fresh").enabled
    assert importer.run(document, format_name="native", mode="replace").changed == ["known"]
    assert not importer.configuration("known").enabled


def test_native__a_salt_in_the_file__is_taken(importer: Importer) -> None:
    flag = boolean_flag("known") | {"environments": {"production": on(salt="abc")}}
    importer.run([flag], format_name="native")
    assert importer.configuration("known").targeting["salt"] == "abc"
    assert importer.run([flag], format_name="native").unchanged == ["known"]


def test_native__an_unknown_field__is_named(importer: Importer) -> None:
    flag = boolean_flag("known") | {"colour": 1, "environments": {"production": on()}}
    report = importer.run([flag], format_name="native")
    assert report.skipped[0].reason.startswith("colour: Remove the unknown field colour;")


def on(**changes: object) -> dict[str, object]:
    return {"enabled": True, "off_variant": "off", "fallthrough": {"variant": "on"}, **changes}


def test_import__bob_who_may_only_look__is_refused(
    importer: Importer, bob: User, new_checkout: Flag
) -> None:
    before = everything_kept()
    with pytest.raises(Forbidden):
        Importer(importer.environment, bob, importer.now).run(EXAMPLE)
    assert everything_kept() == before


def test_import__charlie_the_stranger__is_refused(importer: Importer, charlie: User) -> None:
    with pytest.raises(Forbidden):
        Importer(importer.environment, charlie, importer.now).run(EXAMPLE)


@pytest.mark.parametrize(
    ("options", "path"),
    [({"mode": "remove"}, "mode"), ({"format_name": "toml"}, "format"), ({"document": 1}, "")],
)
def test_import__what_makes_no_sense__names_the_field(
    importer: Importer, shop: Project, options: dict[str, Any], path: str
) -> None:
    document = options.pop("document", EXAMPLE)
    with pytest.raises(Invalid) as refused:
        importer.run(document, **options)
    assert list(refused.value.problems) == [path]


def test_import__fails_half_way__leaves_nothing(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything_kept()

    def break_down(*_arguments: object, **_options: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("flags.transfer.importing.service.record", break_down)
    with pytest.raises(RuntimeError):
        importer.run(EXAMPLE)
    assert everything_kept() == before


def test_plan_import__does_not_share_what_it_was_given(importer: Importer) -> None:
    document = {"flags": {"colour": flagd_flag(RULE)}}
    plan = plan_import("flagd", document, environment="production")
    assert len(plan.flags) == 1
    assert document == {"flags": {"colour": flagd_flag(RULE)}}
