from django.db import migrations, models


class Migration(migrations.Migration):
    # Every configuration that exists is introduced: evaluators answer as they did.
    dependencies = [
        ("flags", "0007_impact"),
    ]

    operations = [
        migrations.AddField(
            model_name="flagconfiguration",
            name="introduced",
            field=models.BooleanField(default=True),
        ),
        migrations.AddConstraint(
            model_name="flagconfiguration",
            constraint=models.CheckConstraint(
                condition=models.Q(("enabled", False), ("introduced", True), _connector="OR"),
                name="configuration_on_is_introduced",
            ),
        ),
    ]
