import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_freezes")]

    operations = [
        migrations.AddField("emergency", "kept", models.JSONField(default=list)),
        migrations.AddField("emergency", "problem", models.TextField(blank=True)),
        migrations.AddField(
            "emergency",
            "first",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="approvals.emergency",
            ),
        ),
        migrations.CreateModel(
            name="EmergencyLog",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("is_ending", models.BooleanField(default=False)),
                ("before", models.JSONField()),
                ("after", models.JSONField()),
                (
                    "emergency",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="approvals.emergency",
                    ),
                ),
                (
                    "first",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="log",
                        to="approvals.emergency",
                    ),
                ),
            ],
            options={"ordering": ["pk"]},
        ),
    ]
