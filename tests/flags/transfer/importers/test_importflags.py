"""``manage.py importflags``, as somebody types it."""

import io
import json
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from flags.models import Flag
from portal.access.models import Environment, Project
from portal.audit.models import AuditEvent
from tests.flags.transfer.importers.plans import EXAMPLE, TESTS, flagd_flag
from tests.support.rows import everything_kept

EXAMPLE_FILE = str(TESTS / "data/flagd/example_flags.flagd.json")


def importflags(file: object, *more: str, **options: str) -> tuple[str, str]:
    """What the command prints, and what it says beside."""
    place = {"format": "flagd", "project": "shop", "environment": "production", **options}
    arguments = [f"--{name}={value}" for name, value in place.items()]
    out, beside = io.StringIO(), io.StringIO()
    call_command("importflags", *arguments, *more, str(file), stdout=out, stderr=beside)
    return out.getvalue(), beside.getvalue()


def test_importflags__the_example_file__reports_what_it_did(production: Environment) -> None:
    out, beside = importflags(EXAMPLE_FILE)
    assert "created: 8 (myBoolFlag, myStringFlag, " in out
    assert "skipped: 0\n" in out
    assert beside == ""
    assert Flag.objects.count() == 8


@pytest.mark.django_db
def test_importflags__project_and_environment_that_are_missing__are_created() -> None:
    _out, beside = importflags(EXAMPLE_FILE, project="new", environment="eu")
    assert beside == "created project new\ncreated environment new/eu\n"
    assert Project.objects.get(key="new").environments.filter(key="eu").exists()
    assert (
        "manage.py importflags"
        in AuditEvent.objects.get(event="environment.created", subject="eu").actor
    )


@pytest.mark.django_db
def test_importflags__dry_run__creates_nothing_and_says_so() -> None:
    before = everything_kept()
    out, beside = importflags(EXAMPLE_FILE, "--dry-run", project="new")
    assert beside == "created project new; taken back, this is a dry run\n"
    assert out.startswith("Dry run: nothing was changed. It would be:\ncreated: 8 ")
    assert everything_kept() == before


def test_importflags__json__is_the_report(production: Environment) -> None:
    report = json.loads(importflags(EXAMPLE_FILE, "--json")[0])
    assert report["created"] == list(EXAMPLE["flags"])
    counts = {"created", "changed", "unchanged", "disabled", "skipped", "segments", "groups"}
    assert set(report) == counts | {"notes", "dry_run", "version"}


def test_importflags__a_dash__reads_standard_input(
    production: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps(EXAMPLE).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert "created: 8 " in importflags("-")[0]


def test_importflags__skipped_flags__are_listed_with_their_reasons(
    production: Environment, tmp_path: Path
) -> None:
    file = tmp_path / "flags.yaml"
    file.write_text("flags:\n  a:\n    state: MAYBE\n    variants: {on: true}\n")
    out, _beside = importflags(file)
    assert "skipped: 1\n  a: state: must be ENABLED or DISABLED, not 'MAYBE'" in out


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "options", "line"),
    [
        (b"{", {}, "This is not JSON: "),
        (b"[]", {}, "This is not a flagd file: "),
        (
            b"{}",
            {"format": "toml"},
            "'toml' is not a format we know; available: native, flagd, ",
        ),
        (
            b"{}",
            {"format": "goff"},
            "'goff' is not available yet; available: native, flagd, ",
        ),
        (b'{"flags": {}}', {"project": "No Such Key"}, "Use 1 to 50 lower-case letters"),
        (None, {}, "cannot read "),
    ],
)
def test_importflags__what_cannot_work__is_one_line_and_changes_nothing(
    tmp_path: Path, content: bytes | None, options: dict[str, str], line: str
) -> None:
    file = tmp_path / "flags.json"
    if content is not None:
        file.write_bytes(content)
    before = everything_kept()
    with pytest.raises(CommandError) as refused:
        importflags(file, **options)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)
    assert everything_kept() == before


def test_importflags__toggles_of_unleash__are_there(
    production: Environment, tmp_path: Path
) -> None:
    file = tmp_path / "features.json"
    toggle = {"name": "new", "enabled": True, "strategies": [{"name": "somebody-elses"}]}
    file.write_text(json.dumps({"version": 1, "features": [toggle]}))
    out, _beside = importflags(file, "--mode=replace", format="unleash")
    assert "created: 1 (new)" in out
    assert "note: new: strategies[0]: the strategy 'somebody-elses' is unknown; " in out


def test_importflags__bucketing__is_taken_by_name(production: Environment, tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({"flags": {"a": flagd_flag({"fractional": [["red"], ["blue"]]})}}))
    importflags(file, "--bucketing=float")
    report = json.loads(importflags(file, "--bucketing=float", "--json")[0])
    assert report["unchanged"] == ["a"]
    assert json.loads(importflags(file, "--json")[0])["changed"] == ["a"]


def test_importflags__replace__turns_off_what_the_file_does_not_have(
    production: Environment, tmp_path: Path
) -> None:
    importflags(EXAMPLE_FILE)
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({"flags": {"colour": flagd_flag()}}))
    assert "turned off: 8 (fibAlgo, headerColor, " in importflags(file, "--mode=replace")[0]


def test_importflags__segments_of_a_file__are_told_apart_from_its_flags(
    production: Environment, tmp_path: Path
) -> None:
    file = tmp_path / "flags.json"
    segments = [{"key": "beta", "included": ["ann"]}, {"key": "wrong", "colour": 1}]
    file.write_text(json.dumps({"flags": [], "segments": segments}))
    out, _beside = importflags(file, format="native")
    assert "\nsegments created: 1 (beta)\nsegments skipped: 1\n  wrong: colour: Remove" in out
    report = json.loads(importflags(file, "--json", format="native")[0])
    assert report["segments"]["unchanged"] == ["beta"]
    assert report["groups"] == {"created": [], "changed": [], "unchanged": [], "skipped": []}
