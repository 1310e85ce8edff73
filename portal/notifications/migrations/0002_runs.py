from django.db import migrations, models


class Migration(migrations.Migration):
    # A letter keeps how often it was tried, and what went wrong.
    dependencies = [
        ("letters", "0001_initial"),
    ]

    operations = [
        migrations.RenameField("letter", "attempts", "failures"),
        migrations.AlterField("letter", "failures", models.PositiveIntegerField(default=0)),
        migrations.RenameField("letter", "trouble", "problem"),
        migrations.AlterField("letter", "problem", models.TextField(blank=True)),
        migrations.AddField("letter", "fence", models.PositiveIntegerField(default=0)),
        migrations.AddField("letter", "held_at", models.DateTimeField(null=True)),
        migrations.AddField("letter", "leased_until", models.DateTimeField(null=True)),
        migrations.AddField("letter", "retry_at", models.DateTimeField(null=True)),
    ]
