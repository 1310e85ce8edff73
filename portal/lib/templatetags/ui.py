"""Template helpers for every page."""

import re
from functools import cache
from typing import Any

from django import template
from django.conf import settings
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
    """Whether the reader holds a permission in an environment: for what a control offers."""
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
