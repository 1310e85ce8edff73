from typing import Any

from django.db import migrations


def begin_logs(apps: Any, schema_editor: Any) -> None:
    """What emergency changes that run now made of their subjects stands in their requests."""
    emergencies = apps.get_model("approvals", "Emergency").objects.select_related("request")
    log = apps.get_model("approvals", "EmergencyLog").objects
    running = emergencies.filter(confirmed_at=None, reverted_at=None, superseded_at=None)
    found: dict[tuple[Any, ...], Any] = {}
    for one in running.order_by("pk"):
        places = frozenset(one.request.environments.values_list("pk", flat=True))
        about = (one.request.project_id, one.request.kind, one.request.subject, places)
        one.first = found.setdefault(about, one)
        one.save(update_fields=["first"])
        before, after = one.request.before, one.request.after
        log.create(first=one.first, emergency=one, before=before, after=after)


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_break_glass")]

    operations = [migrations.RunPython(begin_logs, migrations.RunPython.noop)]
