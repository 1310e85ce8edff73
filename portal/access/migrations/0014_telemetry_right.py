"""Client keys may have one right: that what they tell decides."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0013_history_nonces")]

    operations = [
        migrations.RemoveConstraint(model_name="apikey", name="key_rights_of_admins"),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind", "admin"),
                    ("rights", []),
                    models.Q(("kind", "client"), ("rights", ["telemetry"])),
                    _connector="OR",
                ),
                name="key_rights_by_kind",
            ),
        ),
    ]
