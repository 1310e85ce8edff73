"""Whether users come in the shares that are set, and whether any see both versions.

Only the router that is a flag knows users: evaluators count the first exposure of each. What is
expected of a configuration is the share that was read back of it.
"""

import math
from collections.abc import Iterator
from typing import Any, Final

from django.utils.translation import gettext as _

from flags.channel.exposures import BASELINE, CANARY, STABLE, Watch
from flags.delivery import exposures
from flags.delivery.exposures import Exposures
from releases.core.models import GOING_UP, Release
from releases.engine import judge
from releases.engine.checks import Trouble
from releases.engine.steps import WHOLE
from releases.routers import Told

ALPHA: Final = 0.01
"""How often a release whose users come as they should is held for their ratio, at most."""
LEAST_BOTH: Final = 10
MOST_BOTH: Final = 0.01
"""Of the users of both arms, who saw the other one too; and how many they are at least."""
_MOST_VERSIONS: Final = 100


def ask(release: Release) -> Exposures | None:
    """What evaluators have seen so far, who go on looking; None where that is unknown."""
    router = release.router
    if router["kind"] != "flag" or release.state not in GOING_UP:
        return None
    named = ((CANARY, "new"), (STABLE, "stable"), (BASELINE, "baseline"))
    arms = {str(router[name]): arm for arm, name in named if router.get(name)}
    bucket_by = str(router.get("bucket_by") or "targetingKey")
    watch = Watch(str(release.pk), release.environment_id, router["flag"], arms, bucket_by)
    return exposures.watch(watch)


def note(release: Release, told: Told, found: Exposures | None) -> None:
    """Keep what was seen, and the share by which each configuration sends users. The caller saves
    the release."""
    kept = release.exposed
    shares: dict[str, int] = kept.setdefault("shares", {})
    if told.version is not None and told.share is not None and not told.is_off:
        shares[str(told.version)] = told.share
        for old in list(shares)[:-_MOST_VERSIONS]:
            del shares[old]
    if found is None:
        return
    kept["first"] = {version: list(counts) for version, counts in found.first.items()}
    kept["both"] = dict(found.both)
    steps = list(_steps(release))
    kept["ln"] = judge.sample_ratio([(counts, arms) for counts, arms in steps])


def _steps(release: Release) -> Iterator[tuple[list[int], list[int]]]:
    """First exposures by arm, with the shares of the arms, of each configuration that counts."""
    kept, has_baseline = release.exposed, bool(release.router.get("baseline"))
    for version, counts in kept.get("first", {}).items():
        share = kept.get("shares", {}).get(version)
        if share in (None, 0, WHOLE) or version in kept.get("aside", ()):
            continue
        baseline = min(share, WHOLE - share) if has_baseline else 0
        yield counts, [share, WHOLE - share - baseline, baseline]


def _both(release: Release) -> int:
    """Users of the new version and of the baseline, as long as no step moves any from one to the
    other: above 50 % the baseline is what is left."""
    kept = release.exposed
    found = kept.get("both", {}).items()
    shares, aside = kept.get("shares", {}), kept.get("aside", ())
    return sum(n for one, n in found if shares.get(one, WHOLE) <= WHOLE // 2 and one not in aside)


def troubles(release: Release) -> tuple[Trouble, ...]:
    found = []
    if release.exposed.get("ln", 0) >= math.log(1 / ALPHA):
        found.append(Trouble.SAMPLE_RATIO)
    seen = sum(counts[0] + counts[2] for counts, _shares in _steps(release))
    if _both(release) >= max(LEAST_BOTH, MOST_BOTH * seen):
        found.append(Trouble.BOTH_ARMS)
    return tuple(found)


def set_aside(release: Release) -> None:
    """A person goes on in spite of it: what was seen so far counts no more."""
    if troubles(release):
        kept: dict[str, Any] = release.exposed
        kept["aside"] = [*kept.get("aside", ()), *kept.get("shares", {})]


def numbers(release: Release) -> dict[str, int] | None:
    """Users seen for the first time, how many of them in the new version, how many are expected
    there, and how many users saw both; None where nothing was seen."""
    steps = list(_steps(release))
    users = sum(sum(counts) for counts, _shares in steps)
    if not users:
        return None
    expected = sum(sum(counts) * shares[0] / WHOLE for counts, shares in steps)
    new = sum(counts[0] for counts, _shares in steps)
    return {"users": users, "new": new, "expected": round(expected), "both": _both(release)}


def words(release: Release) -> str:
    """“Of 1,200 users 61 got the new version, 60 expected by its share; 0 saw both.”"""
    found = numbers(release)
    if found is None:
        return ""
    text = _("Of {users} users {new} got the new version, {expected} expected by its share.")
    said = text.format(**{name: f"{number:,}" for name, number in found.items()})
    if not found["both"]:
        return said
    both = _("{n} saw the baseline too.").format(n=f"{found['both']:,}")
    return f"{said} {both}"
