"""``manage.py loadpolicy``: the guide's block as it stands, and everything that is not like it."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from portal.access import authority, services
from portal.access.models import ActionRule, Environment, Project, User
from portal.access.permissions import Permission
from portal.approvals.models import ChangeRequest, Policy
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.support.agreeing import set_policy
from tests.support.people import SETTING_UP, create_person, give_role

GUIDE = Path(__file__).resolve().parents[2] / "cases" / "policies" / "guide.yaml"


def load(path: Path, **options: object) -> tuple[str, str]:
    """What the command says, and what it warns of."""
    out, err = io.StringIO(), io.StringIO()
    call_command("loadpolicy", str(path), stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def refused(path: Path, **options: object) -> str:
    """The one sentence with which the file is refused; nothing is kept of it."""
    before = everything()
    with pytest.raises(CommandError) as error:
        load(path, **options)
    assert everything() == before
    assert "\n" not in str(error.value)
    return str(error.value)


def everything() -> list[object]:
    rows = [*ActionRule.objects.values(), *Policy.objects.values()]
    return [*rows, AuditEvent.objects.count()]


def rules(project: Project) -> dict[tuple[str, str], list[str]]:
    found = ActionRule.objects.filter(environment__project=project)
    return {(one.environment.key, one.permission): one.roles for one in found}


@pytest.fixture
def written(tmp_path: Path, shop: Project) -> "Written":
    return Written(tmp_path / "policy.yaml")


class Written:
    """A file whose text a test gives."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, text: str) -> Path:
        self.path.write_text(text)
        return self.path

    def permissions(self, line: str) -> Path:
        return self(f"deployment_permissions:\n  environments:\n    production:\n      {line}\n")

    def approvals(self, *lines: str) -> Path:
        body = "\n      ".join(lines)
        head = "deployment_permissions:\n  approval_requirements:\n    production:\n      "
        return self(f"{head}{body}\n")


def test_the_guide__loads_as_it_stands(shop: Project, production: Environment) -> None:
    said, _warned = load(GUIDE)
    assert rules(shop) == {
        ("development", "release.deploy"): ["developer", "qa"],
        ("development", "release.rollback"): ["developer", "devops", "qa"],
        ("staging", "release.deploy"): ["devops", "qa"],
        ("staging", "release.rollback"): ["devops", "qa"],
        ("production", "release.deploy"): ["devops"],
        ("production", "release.rollback"): ["devops", "on_call_engineer"],
    }
    policy = Policy.objects.get()
    assert policy.environment == production
    assert policy.required_approvals == 2
    assert policy.required_roles == ["senior_developer", "devops_lead"]
    assert policy.evidence == {"security_scan": "artefacts", "performance_test": "artefacts"}
    assert "production: release.deploy reserved for devops" in said
    assert "production: Approvals: 2" in said


def test_the_guide__means_what_it_says(shop: Project, production: Environment) -> None:
    load(GUIDE)
    on_call, admin = create_person("olga"), User.objects.get(username="alice")
    give_role(shop, on_call, "on_call_engineer", production)
    may = authority.permissions_of_user(on_call, shop, production)
    assert Permission.RELEASE_ROLLBACK in may
    assert Permission.RELEASE_DEPLOY not in may
    assert Permission.RELEASE_DEPLOY not in authority.permissions_of_user(admin, shop, production)


def test_the_guide__names_roles_that_nobody_has_yet_and_warns(shop: Project) -> None:
    _said, warned = load(GUIDE)
    assert "warning: production: nobody is DevOps lead at present\n" in warned
    give_role(shop, create_person("frank"), "devops_lead")
    _said, warned = load(GUIDE)
    assert "DevOps lead" not in warned


def test_the_guide__a_second_time__changes_nothing(shop: Project) -> None:
    load(GUIDE)
    before = everything()
    assert "nothing changes" in load(GUIDE)[0]
    assert everything() == before


def test_a_dry_run__says_what_would_change_and_writes_nothing(shop: Project) -> None:
    before = everything()
    said, _warned = load(GUIDE, dry_run=True)
    assert "production: release.deploy reserved for devops" in said
    assert "nothing was written" in said
    assert everything() == before


def test_a_group_of_the_very_name__goes_before_the_guides_plural(shop: Project) -> None:
    services.create_group(project=shop, key="qa_team", name="QA team", intent=Intent(SETTING_UP))
    load(GUIDE)
    assert rules(shop)["staging", "release.deploy"] == ["devops", "qa_team"]


def test_every_field__of_a_policy_can_be_said(written: Written, production: Environment) -> None:
    load(
        written.approvals(
            "required_approvals: 1",
            "security_scan: required_for_every_change",
            "performance_test: optional",
            "turning_off_needs_approval: true",
            "break_glass: [on_call_engineer]",
            "break_glass_minutes: 30",
            "independence_days: 7",
        )
    )
    document = Policy.objects.get(environment=production).document
    assert document == {
        "required_approvals": 1,
        "required_roles": [],
        "evidence": {"security_scan": "all"},
        "turning_off_needs_approval": True,
        "break_glass": ["on_call_engineer"],
        "break_glass_minutes": 30,
        "independence_days": 7,
    }


def test_any_reservable_permission__can_be_reserved_by_its_name(
    written: Written, shop: Project
) -> None:
    load(written.permissions("flag.toggle: [on_call_engineer]"))
    assert rules(shop) == {("production", "flag.toggle"): ["on_call_engineer"]}


ROOT = "deployment_permissions"
HERE = f"{ROOT}.environments.production"
NEEDS = f"{ROOT}.approval_requirements.production"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("deploy: [wizards]", f"{HERE}.deploy: There is no role or group called wizards."),
        ("deploy: []", f"{HERE}.deploy: Name at least one role or group"),
        ("deploy: qa", f"{HERE}.deploy: List names of roles or groups"),
        ("deploy: [qa, qa_team]", f"{HERE}.deploy: qa_team stands there twice."),
        ("deploy: [1]", f"{HERE}.deploy: List names"),
        ("launch: [qa]", f"{HERE}.launch: There is no action launch to reserve."),
        ("member.manage: [qa]", f"{HERE}.member.manage: There is no action"),
        ("{deploy: [qa], release.deploy: [qa]}", f"{HERE}.release.deploy: release.deploy stands"),
    ],
)
def test_permissions__that_cannot_be__are_refused_by_path(
    written: Written, line: str, sentence: str
) -> None:
    assert refused(written.permissions(line)).startswith(sentence)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["required_approvals: 0"], f"{NEEDS}.required_approvals: A policy requires between 1 and"),
        (["required_approvals: 99"], f"{NEEDS}.required_approvals: A policy requires between"),
        (["required_approvals: yes"], f"{NEEDS}.required_approvals: A policy requires between"),
        (["required_roles: [qa]"], f"{NEEDS}: Say how many required_approvals it takes."),
        (
            ["required_approvals: 1", "required_roles: [developer]"],
            f"{NEEDS}.required_roles: This can never be satisfied: the role developer cannot",
        ),
        (
            ["required_approvals: 1", "required_roles: [qa, qa]"],
            f"{NEEDS}.required_roles: qa stands there twice.",
        ),
        (
            ["required_approvals: 1", "required_roles: [wizard]"],
            f"{NEEDS}.required_roles: There is no role or group called wizard.",
        ),
        (
            ["required_approvals: 1", "secruity_scan: maybe"],
            f"{NEEDS}.secruity_scan: For evidence write one of: required,",
        ),
        (
            ["required_approvals: 1", "break_glass: [qa]", "break_glass_minutes: 1"],
            f"{NEEDS}.break_glass_minutes: Choose between 5 and",
        ),
    ],
)
def test_requirements__that_cannot_be__are_refused_by_path(
    written: Written, lines: list[str], sentence: str
) -> None:
    assert refused(written.approvals(*lines)).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Write names with something below each of them here."),
        ("- a\n", "Write names with something below"),
        (
            "permissions: {}\n",
            "There is no permissions here; there can be: approval_requirements, ",
        ),
        (f"{ROOT}:\n  environment: {{}}\n", f"{ROOT}: There is no environment here; there can be"),
        (f"{ROOT}:\n  environments:\n    moon: {{deploy: [qa]}}\n", f"{ROOT}.environments.moon: "),
        (
            f"{ROOT}:\n  approval_requirements:\n    moon: {{required_approvals: 1}}\n",
            f"{ROOT}.approval_requirements.moon: shop has no environment moon.",
        ),
        (f"{ROOT}: {{}}\n{ROOT}: {{}}\n", "This is not valid YAML: a name stands twice in one"),
        ("a: [\n", "This is not valid YAML: "),
        ("a: !!python/object:os.system {}\n", "This is not valid YAML: "),
        ("[" * 5000, "The file is nested too deep."),
        ("a: \x00\n", "This is not valid YAML: "),
    ],
)
def test_files__that_are_none__are_refused(written: Written, text: str, sentence: str) -> None:
    assert refused(written(text)).startswith(sentence)


def test_one_fault_anywhere__and_nothing_of_the_file_is_kept(written: Written) -> None:
    text = GUIDE.read_text().replace("required_approvals: 2", "required_approvals: 0")
    assert "required_approvals" in refused(written(text))


def test_lowering__waits_for_the_old_policy_and_ends_with_its_address(
    written: Written, shop: Project, production: Environment
) -> None:
    set_policy(production, required_approvals=3)
    before = [*ActionRule.objects.values(), *Policy.objects.values()]
    with pytest.raises(CommandError) as error:
        load(GUIDE)
    request = ChangeRequest.objects.get()
    assert str(error.value).startswith("nothing was loaded: this lowers a policy")
    assert str(error.value).endswith(f"/p/shop/changes/{request.pk}")
    assert error.value.returncode == 1
    assert [*ActionRule.objects.values(), *Policy.objects.values()] == before


def test_letting_more_roles_in__waits_as_a_request_that_is_really_there(
    written: Written, shop: Project, production: Environment
) -> None:
    set_policy(production, required_approvals=1)
    with pytest.raises(CommandError) as error:
        load(written.permissions("flag.edit: [viewer]"))
    request = ChangeRequest.objects.get()
    assert (request.kind, request.subject) == ("rule", "flag.edit")
    assert str(error.value).endswith(f"/p/shop/changes/{request.pk}")


def test_lowering__in_a_dry_run__asks_for_nothing(shop: Project, production: Environment) -> None:
    set_policy(production, required_approvals=3)
    assert "would have to approve it first" in refused(GUIDE, dry_run=True)
    assert not ChangeRequest.objects.exists()


def test_the_project__may_be_left_out_only_where_there_is_one(
    shop: Project, garden: Project
) -> None:
    assert refused(GUIDE) == "say which project with --project"
    assert refused(GUIDE, project="moon") == "there is no project moon"
    load(GUIDE, project="garden")
    assert rules(garden)
    assert not rules(shop)


def test_a_file_that_is_not_there__is_said(shop: Project, tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe")
    assert "it is not UTF-8" in refused(binary)


def test_what_was_loaded__is_recorded_with_who_loaded_it(shop: Project) -> None:
    load(GUIDE)
    events = AuditEvent.objects.filter(actor__startswith="manage.py loadpolicy")
    assert {one.event for one in events} == {
        "rule.changed",
        "policy.set",
        "environment.governed",
    }
    assert events.exclude(event="environment.governed").count() == 7
