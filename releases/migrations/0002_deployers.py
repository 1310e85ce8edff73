from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def name_addresses(apps: StateApps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Whom to tell was the router of the release until now."""
    for one in apps.get_model("releases", "Termination").objects.select_related("release"):
        one.url = one.release.router.get("url", "")
        one.save(update_fields=["url"])


class Migration(migrations.Migration):
    dependencies = [("releases", "0001_initial")]

    operations = [
        migrations.AddField("release", "deployer", models.JSONField(default=dict)),
        migrations.AddField(
            "termination",
            "url",
            models.CharField(default="", max_length=500),
            preserve_default=False,
        ),
        migrations.RunPython(name_addresses, migrations.RunPython.noop, elidable=True),
    ]
