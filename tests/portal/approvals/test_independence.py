"""Who counts as one with whom: what has to hold whatever people gave each other."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from portal.approvals.approval_status import (
    Approval,
    Confirmation,
    Requirement,
    Tie,
    Ties,
    assess,
    choose,
)

START = datetime(2026, 11, 1, tzinfo=UTC)
WINDOW = timedelta(days=30)
people = st.integers(1, 6)
ties = st.lists(
    st.builds(Tie, people, people, st.integers(0, 20).map(lambda day: START + timedelta(days=day))),
    max_size=8,
).map(lambda found: Ties(tuple(found), WINDOW))


def of(*pairs: tuple[int, int]) -> Ties:
    return Ties(tuple(Tie(giver, receiver, START) for giver, receiver in pairs), WINDOW)


def test_one__over_chains_and_through_a_third_but_not_for_having_given_to_the_same() -> None:
    chain, siblings, shared = of((1, 2), (2, 3)), of((9, 1), (9, 2)), of((1, 3), (2, 3))
    assert chain.are_one(1, 3)
    assert siblings.are_one(1, 2)
    assert not shared.are_one(1, 2)
    assert [(tie.giver, tie.receiver) for tie in chain.why_one(1, 3)] == [(1, 2), (2, 3)]


@given(ties, people, people)
def test_one__is_symmetric_and_explained_and_ends(found: Ties, one: int, other: int) -> None:
    assert found.are_one(one, one)
    assert found.are_one(one, other) == found.are_one(other, one)
    ends = found.two_from(one, other) if one != other else None
    if one != other:
        assert (ends is not None) == found.are_one(one, other)
        assert bool(found.why_one(one, other)) == found.are_one(one, other)
    if ends is not None:
        later = Ties(tuple(tie for tie in found.ties if tie.at > ends - WINDOW), WINDOW)
        assert not later.are_one(one, other)


@given(ties, ties, people, people)
def test_one__stays_so_whatever_else_is_given(a: Ties, b: Ties, one: int, other: int) -> None:
    both = Ties(a.ties + b.ties, WINDOW)
    assert both.are_one(one, other) or not a.are_one(one, other)


@given(ties, st.lists(people, unique=True), st.sets(people, max_size=2))
def test_those_who_count__are_two_by_two_two_people(
    found: Ties, voters: list[int], askers: set[int]
) -> None:
    ballots = [Approval(voter, frozenset()) for voter in voters]
    chosen = [one.voter for one in choose(Requirement(1), ballots, found, askers)]
    for index, voter in enumerate(chosen):
        assert not any(found.are_one(voter, other) for other in [*chosen[:index], *askers])
    for voter in set(voters) - set(chosen):
        assert any(found.are_one(voter, other) for other in [*chosen, *askers])


@given(ties, people, people)
def test_a_word__counts_of_nobody_who_takes_part_or_is_one_with_them(
    found: Ties, person: int, by: int
) -> None:
    word = Confirmation(person, by, START + timedelta(days=30))
    assert found.confirmed([word], outside={by}).ties == found.ties
    if found.are_one(by, person):
        assert found.confirmed([word], outside=()).ties == found.ties
    else:
        assert found.confirmed([word], outside=()).behind(person) == {person}


def test_the_missing_role__decides_which_of_those_who_are_one_counts() -> None:
    ballots = [Approval(1, frozenset({"viewer"})), Approval(2, frozenset({"lead"}))]
    wanted = Requirement(1, frozenset({"lead"}))
    assert assess(wanted, ballots, {}, ties=of((1, 2))).is_satisfied
