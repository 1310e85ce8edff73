"""What follows from roles, groups, environments and what they reserve."""

from portal.access.permissions import BUILTIN_ROLES, EVERYTHING, Permission, RoleAssignments

DEVELOPMENT, STAGING, PRODUCTION = 1, 2, 3
P = Permission
Given = set[tuple[str, int | None]]


def assignments(
    given: Given, rules: dict[tuple[int, str], set[str]] | None = None
) -> RoleAssignments:
    return RoleAssignments(
        given=frozenset(given),
        roles=BUILTIN_ROLES,
        rules={place: frozenset(names) for place, names in (rules or {}).items()},
        environments=frozenset({DEVELOPMENT, STAGING, PRODUCTION}),
    )


def test_nothing_given__permits_nothing() -> None:
    assert assignments(set()).in_environment(PRODUCTION) == frozenset()
    assert assignments(set()).in_project() == frozenset()


def test_a_role_for_one_environment__counts_there_and_reads_everywhere() -> None:
    dana = assignments({("developer", STAGING)})
    assert P.FLAG_EDIT in dana.in_environment(STAGING)
    assert dana.in_environment(PRODUCTION) == frozenset()
    assert dana.in_project() == {P.FLAG_VIEW, P.AUDIT_VIEW}


def test_roles_for_every_single_environment__count_for_the_project() -> None:
    each: Given = {("developer", place) for place in (DEVELOPMENT, STAGING, PRODUCTION)}
    assert P.FLAG_EDIT in assignments(each).in_project()


def test_a_reserved_permission__belongs_to_the_named_and_to_nobody_else() -> None:
    rules = {(PRODUCTION, str(P.RELEASE_DEPLOY)): {"devops"}}
    admin, devops = (assignments({(role, None)}, rules) for role in ("project_admin", "devops"))
    assert P.RELEASE_DEPLOY not in admin.in_environment(PRODUCTION)
    assert P.RELEASE_DEPLOY in admin.in_environment(STAGING)
    assert P.RELEASE_DEPLOY not in admin.in_project()
    assert P.RELEASE_DEPLOY in devops.in_environment(PRODUCTION)


def test_a_reservation__gives_the_permission_to_roles_that_lack_it() -> None:
    rules = {(PRODUCTION, str(P.RELEASE_ROLLBACK)): {"viewer"}}
    assert P.RELEASE_ROLLBACK in assignments({("viewer", None)}, rules).in_environment(PRODUCTION)


def test_on_call__may_roll_back_and_not_deploy() -> None:
    on_call = assignments({("on_call_engineer", None)}).in_environment(PRODUCTION)
    assert P.RELEASE_ROLLBACK in on_call
    assert P.RELEASE_DEPLOY not in on_call


def test_a_group__holds_what_is_reserved_for_it_and_nothing_of_its_own() -> None:
    rules = {(PRODUCTION, str(P.RELEASE_DEPLOY)): {"night-shift"}}
    erin = assignments({("night-shift", None)}, rules)
    assert erin.in_environment(PRODUCTION) == {P.RELEASE_DEPLOY}


def test_reserved_for_nobody__is_held_by_nobody() -> None:
    rules: dict[tuple[int, str], set[str]] = {(PRODUCTION, str(P.FLAG_EDIT)): set()}
    assert P.FLAG_EDIT not in assignments({("project_admin", None)}, rules).in_project()


def test_site_administrators__hold_everything_whatever_is_reserved() -> None:
    root = RoleAssignments(unlimited=True, rules={(PRODUCTION, str(P.FLAG_EDIT)): frozenset()})
    assert root.in_environment(PRODUCTION) == root.in_project() == EVERYTHING
