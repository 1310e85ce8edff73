import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django import template
from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.simple_tag
@cache
def icon(name: str, css: str = "") -> SafeString:
    """A Tabler outline icon as inline SVG, hidden from screen readers: its text speaks."""
    svg = _icon(name)
    return mark_safe(svg.replace('class="', f'class="icon {css} ', 1))  # noqa: S308 - a package's file


@register.simple_tag
def may(scope: Any, permission: str, environment: Any) -> bool:
    return bool(scope.allows(permission, environment))


@cache
def _icon(name: str) -> str:
    path = settings.NODE_MODULES / "@tabler" / "icons" / "icons" / "outline" / f"{name}.svg"
    svg = re.sub(r"<!--.*?-->", "", path.read_text(), flags=re.DOTALL)
    return " ".join(svg.replace("<svg", '<svg aria-hidden="true"', 1).split())


@register.filter
def percent_number(value: float) -> str:
    """A percentage for scripts: always with a point, whatever the language."""
    return f"{value:.3f}"


@register.filter
def grouped(value: int) -> str:
    """A whole number that people can read: 100,000."""
    return f"{value:,}"


@register.simple_tag
def moment(at: datetime) -> SafeString:
    """An instant in UTC; aviary.js puts it into the reader's zone."""
    return format_html(
        '<time datetime="{}">{} UTC</time>',
        at.isoformat(),
        f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
    )


@register.simple_tag
def countdown(at: datetime, over: str) -> SafeString:
    """How long until an instant, counted down by aviary.js; ``over`` once it is there."""
    text = '<strong data-countdown="{}" data-over="{}">{}</strong>'
    return format_html(text, at.isoformat(), over, moment(at))


@register.simple_tag
def pill(colour: str, words: str) -> SafeString:
    text = '<span class="status {}"><span class="status-dot"></span>{}</span>'
    return format_html(text, colour, words)
