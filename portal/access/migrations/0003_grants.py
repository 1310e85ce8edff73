"""What people were becomes what they were given. Apart from the tables: PostgreSQL wants it so."""

from datetime import UTC, datetime

from typing import Any

from django.db import migrations

ROLES = {"viewer": "viewer", "editor": "developer", "admin": "project_admin"}


def memberships_to_grants(apps: Any, schema_editor: object) -> None:
    """What people were, by the names that roles have now."""
    Grant = apps.get_model("access", "Grant")
    for membership in apps.get_model("access", "Membership").objects.all():
        Grant.objects.create(
            project_id=membership.project_id,
            user_id=membership.user_id,
            role=ROLES[membership.role],
            given_at=datetime.now(UTC),
        )


class Migration(migrations.Migration):
    dependencies = [("access", "0002_roles")]
    operations = [migrations.RunPython(memberships_to_grants, migrations.RunPython.noop)]
