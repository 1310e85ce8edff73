"""Shares, numbers of people and times, as people read them."""

from django.utils.translation import gettext as _


def percent(share: int) -> str:
    """A share in thousandths of a percent: “5 %”."""
    return f"{share / 1000:g} %"


def about(count: int | None) -> str:
    """A number of users that is known to a percent or so: “about 1,200”, or “unknown”."""
    if count is None:
        return _("unknown")
    digits = max(len(str(count)) - 2, 0)
    return _("about {n}").format(n=f"{round(count, -digits):,}")


def duration(seconds: float) -> str:
    """A time for people: “45 s”, “5 min”, “2 h”, “3 days”."""
    whole = round(seconds)
    if whole < 120:
        return _("{n} s").format(n=whole)
    if whole < 7200:
        return _("{n} min").format(n=f"{whole / 60:.3g}")
    if whole < 172_800:
        return _("{n} h").format(n=f"{whole / 3600:.3g}")
    return _("{n} days").format(n=f"{whole / 86_400:.3g}")
