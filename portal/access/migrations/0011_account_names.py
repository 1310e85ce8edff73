"""The keys by which no two accounts have names that can be taken for one another."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.lib import lookalikes


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The oldest account of those that clash gets the key; the others are listed to admins."""
    taken: tuple[set[str], set[str]] = (set(), set())
    for user in apps.get_model("access", "User").objects.order_by("pk").only("username"):
        keys = lookalikes.keys_of(user.username)
        user.name_key, user.name_look = (
            None if key in others else key for key, others in zip(keys, taken, strict=True)
        )
        for key, others in zip(keys, taken, strict=True):
            others.add(key)
        user.save(update_fields=["name_key", "name_look"])


class Migration(migrations.Migration):
    dependencies = [("access", "0010_apiwrites")]

    operations = [
        *(
            migrations.AddField(
                model_name="user",
                name=name,
                field=models.CharField(
                    blank=True, editable=False, max_length=600, null=True, unique=True
                ),
            )
            for name in ("name_key", "name_look")
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
