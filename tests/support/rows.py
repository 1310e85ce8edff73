"""Everything that the product keeps, to be compared before and after."""

from typing import Any

from django.apps import apps

_OURS = ("access", "approvals", "audit", "flags", "letters", "reports")
# When a key was last used is noted by asking alone.
_NOTES = {"last_used_at"}


def everything_kept() -> dict[str, list[dict[str, Any]]]:
    """All rows of the product's own tables, but for notes of when something was last used."""
    models = [model for app in _OURS for model in apps.get_app_config(app).get_models()]
    return {
        model._meta.label: [
            {name: value for name, value in row.items() if name not in _NOTES}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in models
    }
