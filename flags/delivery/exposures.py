"""What evaluators have seen of a release: how many users were sent where, by configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flags.channel import EnvironmentKeys
from flags.channel.exposures import ARMS, BOTH, EXPOSED, WANT_SCRIPT, Watch
from flags.delivery.progress import ask

Counts = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Exposures:
    """By version of the configuration: first exposures in each of ARMS, and how many users were
    then seen in a second one that excludes the first."""

    first: Counts = field(default_factory=dict)
    both: Mapping[str, int] = field(default_factory=dict)


def watch(one: Watch) -> Exposures | None:
    """Have evaluators look at this for the next minutes; returns what they have seen so far. None
    where Redis does not answer."""
    _users, counts = EnvironmentKeys(one.environment_id).exposed(one.release)

    def questions(pipe: object) -> None:
        pipe.eval(WANT_SCRIPT, 1, EXPOSED, one.member)  # type: ignore[attr-defined]
        pipe.hgetall(counts)  # type: ignore[attr-defined]

    answers = ask(questions)
    if answers is None or not isinstance(answers[1], dict):
        return None
    return _read({name.decode(): int(count) for name, count in answers[1].items()})


def _read(counts: Mapping[str, int]) -> Exposures:
    first: dict[str, list[int]] = {}
    both: dict[str, int] = {}
    for name, count in counts.items():
        label, _colon, arm = name.rpartition(":")
        version = label.removeprefix("person ")
        if arm == BOTH:
            both[version] = both.get(version, 0) + count
        elif version == label and arm in ARMS:
            first.setdefault(version, [0] * len(ARMS))[ARMS.index(arm)] = count
    return Exposures({version: tuple(found) for version, found in first.items()}, both)
