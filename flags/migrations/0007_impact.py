import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0006_sign_in_counters"),
        ("flags", "0006_cohorts"),
    ]

    operations = [
        migrations.CreateModel(
            name="ContextSampling",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("started_at", models.DateTimeField()),
                (
                    "project",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="context_sampling",
                        to="access.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ContextSample",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.CharField(max_length=64)),
                ("reads", models.JSONField()),
                ("content", models.BinaryField()),
                ("seen_at", models.DateTimeField(db_index=True)),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="context_samples",
                        to="access.environment",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("environment", "digest"), name="context_sample_once"
                    )
                ],
            },
        ),
    ]
