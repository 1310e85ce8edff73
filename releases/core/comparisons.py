"""What a release collects of each comparison, over its steps; and whom it compares with."""

from datetime import datetime

from releases.checks import Comparing, Found
from releases.core.models import Comparison, Release
from releases.engine.checks import TESTED, compares
from releases.engine.comparisons import Collected, Compared, alphas_of
from releases.engine.steps import WHOLE


def baseline_of(release: Release) -> str:
    """The version, or variant, that the new one is compared with: the router's equal slice, else
    the stable one. Empty where there is none."""
    stable = release.router.get("stable", "")
    if release.service_id:
        stable = release.stable.version if release.stable else ""
    found = str(release.router.get("baseline") or stable)
    return "" if found == release.version else found


def is_equivalent(release: Release) -> bool:
    """Whether that is an equal slice of the same users at the same time."""
    return bool(release.router.get("baseline"))


def comparing_of(release: Release, at: datetime) -> Comparing | None:
    """What comparisons go by now; None at a step at which nobody is left to compare with: that of
    the cohorts, and the last."""
    plan = release.parsed_plan
    tested = {check.key for check in plan.checks if check.kind in TESTED}
    step = plan.all_steps[release.step]
    has_both = step.has_traffic and step.share not in (0, WHOLE)
    if not has_both or not any(map(compares, plan.checks)):
        return None
    place = f"{release.step}.{release.attempt}"
    soaked_at = release.soaked_at
    return Comparing(
        baseline_of(release),
        place,
        soaked_at is not None and at >= soaked_at,
        alphas_of(plan.checks, plan.alpha),
        _kept(release, tested),
    )


def _kept(release: Release, keys: set[str]) -> dict[str, tuple[datetime | None, Collected]]:
    rows = release.comparisons.filter(check_key__in=keys) if keys else ()
    found: dict[str, tuple[datetime | None, Collected]] = {
        one.check_key: (one.until, Collected.load(one.collected)) for one in rows
    }
    for key in keys - found.keys():
        found[key] = None, Collected(last_phi=_last_phi(release, key))
    return found


def _last_phi(release: Release, key: str) -> float | None:
    """How much outcomes of this check were dispersed at the last release of the same there."""
    others = Comparison.objects.filter(
        check_key=key,
        release__environment=release.environment_id,
        release__service=release.service_id,
        release__flag=release.flag_id,
    )
    known = others.exclude(release=release.pk).exclude(phi=None)
    return known.order_by("-pk").values_list("phi", flat=True).first()


def keep(release: Release, found: Found) -> None:
    """Store what was collected. What was read from where somebody else has read already is left:
    the next look reads on from there."""
    compared = {key: one for key, one in found.measured.items() if isinstance(one, Compared)}
    if not compared:
        return
    rows, changed = {row.check_key: row for row in release.comparisons.all()}, []
    for key, one in compared.items():
        row = rows.get(key) or Comparison(release=release, check_key=key)
        if row.until != one.read_from or row.until == one.until:
            continue
        row.until, row.phi = one.until, one.collected.known_phi
        row.collected = one.collected.document
        changed.append(row)
    Comparison.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["release", "check_key"],
        update_fields=["until", "phi", "collected"],
    )


def begin_anew(release: Release, at: datetime, *keys: str) -> None:
    """Forget the evidence of these checks, or of all, until now: a person has set it aside, or
    wants a step measured anew, or it is what takes the release back."""
    rows = release.comparisons.filter(check_key__in=keys) if keys else release.comparisons.all()
    for row in rows:
        row.collected = Collected(last_phi=row.phi).document
        row.until = at
        row.save()
