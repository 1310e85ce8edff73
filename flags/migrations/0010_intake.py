from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("flags", "0009_runs"),
    ]

    operations = [
        migrations.CreateModel(
            name="IntakeLoss",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=20)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("dropped", "dropped: Redis or the worker was away for too long"),
                            ("unreadable", "no batch that an evaluator sealed"),
                            ("gone", "of what was deleted meanwhile"),
                        ],
                        max_length=10,
                    ),
                ),
                ("minute", models.DateTimeField()),
                ("count", models.PositiveBigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("minute", "kind", "cause"), name="intake_loss_once"
                    )
                ],
            },
        ),
    ]
