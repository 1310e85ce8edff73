from importlib import import_module

from django.db import migrations, models

from portal.lib.new_tables import CreateTables

_append_only = import_module("portal.audit.migrations.0002_append_only")
_anchors_and_retention = import_module("portal.audit.migrations.0003_anchors_and_retention")
_history = import_module("portal.audit.migrations.0004_history")


class Migration(migrations.Migration):
    replaces = [
        ("audit", "0001_initial"),
        ("audit", "0002_append_only"),
        ("audit", "0003_anchors_and_retention"),
        ("audit", "0004_history"),
    ]

    initial = True

    dependencies = []

    operations = [
        CreateTables(
            operations=[
                migrations.CreateModel(
                    name="AuditEvent",
                    fields=[
                        (
                            "sequence",
                            models.PositiveBigIntegerField(primary_key=True, serialize=False),
                        ),
                        ("at", models.DateTimeField()),
                        ("event", models.CharField(max_length=60)),
                        ("actor_kind", models.CharField(max_length=10)),
                        ("actor_id", models.CharField(blank=True, max_length=40)),
                        ("actor", models.CharField(max_length=200)),
                        ("project", models.CharField(blank=True, max_length=50)),
                        ("environment", models.CharField(blank=True, max_length=50)),
                        ("subject_kind", models.CharField(max_length=20)),
                        ("subject", models.CharField(max_length=200)),
                        ("version", models.PositiveBigIntegerField(null=True)),
                        ("before", models.TextField(blank=True)),
                        ("after", models.TextField(blank=True)),
                        ("reason", models.TextField(blank=True)),
                        ("request_id", models.CharField(blank=True, max_length=64)),
                        ("ip", models.CharField(blank=True, max_length=45)),
                        ("user_agent", models.CharField(blank=True, max_length=300)),
                        ("previous_hash", models.CharField(max_length=64)),
                        ("hash", models.CharField(max_length=64)),
                    ],
                    options={
                        "ordering": ["-sequence"],
                        "indexes": [
                            models.Index(
                                fields=[
                                    "project",
                                    "sequence",
                                    "environment",
                                    "event",
                                    "actor",
                                    "subject",
                                ],
                                name="audit_by_project",
                            ),
                            models.Index(
                                fields=[
                                    "project",
                                    "environment",
                                    "sequence",
                                    "event",
                                    "actor",
                                    "subject",
                                ],
                                name="audit_by_place",
                            ),
                            models.Index(
                                fields=[
                                    "environment",
                                    "sequence",
                                    "project",
                                    "event",
                                    "actor",
                                    "subject",
                                ],
                                name="audit_by_environment",
                            ),
                            models.Index(
                                fields=[
                                    "subject",
                                    "sequence",
                                    "project",
                                    "environment",
                                    "event",
                                    "actor",
                                ],
                                name="audit_by_subject",
                            ),
                            models.Index(
                                fields=[
                                    "actor",
                                    "sequence",
                                    "project",
                                    "environment",
                                    "event",
                                    "subject",
                                ],
                                name="audit_by_actor",
                            ),
                            models.Index(
                                fields=[
                                    "event",
                                    "sequence",
                                    "project",
                                    "environment",
                                    "actor",
                                    "subject",
                                ],
                                name="audit_by_event",
                            ),
                            models.Index(fields=["at", "sequence"], name="audit_by_time"),
                            models.Index(
                                fields=["request_id", "sequence"], name="audit_by_request"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ChainHead",
                    fields=[
                        (
                            "id",
                            models.PositiveSmallIntegerField(
                                default=1, primary_key=True, serialize=False
                            ),
                        ),
                        ("sequence", models.PositiveBigIntegerField(default=0)),
                        ("hash", models.CharField(max_length=64)),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("id", 1)), name="audit_one_chain_head"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PurgeFloor",
                    fields=[
                        (
                            "id",
                            models.PositiveSmallIntegerField(
                                default=1, primary_key=True, serialize=False
                            ),
                        ),
                        ("sequence", models.PositiveBigIntegerField()),
                        ("event_sequence", models.PositiveBigIntegerField()),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("id", 1)), name="audit_one_purge_floor"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("sequence__lt", models.F("event_sequence"))),
                                name="audit_purge_below_its_event",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SeenName",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("project", models.CharField(blank=True, max_length=50)),
                        ("field", models.CharField(max_length=20)),
                        ("name", models.CharField(max_length=200)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("project", "field", "name"), name="audit_name_once"
                            )
                        ],
                    },
                ),
            ],
        ),
        migrations.RunPython(_append_only.add_triggers),
        migrations.RunPython(_anchors_and_retention.add_triggers),
        migrations.RunPython(_history.add_search),
    ]
