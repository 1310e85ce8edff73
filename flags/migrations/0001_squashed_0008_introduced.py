from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from portal.lib.new_tables import CreateTables

_cohorts = import_module("flags.migrations.0006_cohorts")


class Migration(migrations.Migration):
    replaces = [
        ("flags", "0001_initial"),
        ("flags", "0002_vendor_metadata"),
        ("flags", "0003_usage"),
        ("flags", "0004_timing"),
        ("flags", "0005_manners"),
        ("flags", "0006_cohorts"),
        ("flags", "0007_impact"),
        ("flags", "0008_introduced"),
    ]

    initial = True

    dependencies = [
        ("access", "0001_initial"),
        ("access", "0006_sign_in_counters"),
        ("access", "0008_usage"),
        ("access", "__first__"),
        ("approvals", "0002_freezes"),
    ]

    operations = [
        CreateTables(
            operations=[
                migrations.CreateModel(
                    name="Flag",
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
                        ("key", models.CharField(max_length=200)),
                        ("name", models.CharField(blank=True, max_length=200)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("release", "release"),
                                    ("experiment", "experiment"),
                                    ("operational", "operational"),
                                    ("kill_switch", "kill switch"),
                                    ("permission", "permission"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "value_type",
                            models.CharField(
                                choices=[
                                    ("boolean", "boolean"),
                                    ("string", "string"),
                                    ("integer", "integer"),
                                    ("number", "number"),
                                    ("object", "object"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("variants", models.JSONField()),
                        ("client_visible", models.BooleanField(default=False)),
                        ("description", models.TextField(blank=True)),
                        ("tags", models.JSONField(blank=True, default=list)),
                        ("owner", models.CharField(blank=True, max_length=150)),
                        ("permanent", models.BooleanField(default=False)),
                        ("version", models.PositiveBigIntegerField(default=1)),
                        ("created_at", models.DateTimeField()),
                        ("updated_at", models.DateTimeField()),
                        ("archived_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="flags",
                                to="access.project",
                            ),
                        ),
                        ("metadata", models.JSONField(blank=True, default=dict)),
                        ("json_schema", models.JSONField(blank=True, null=True)),
                    ],
                    options={
                        "ordering": ["key"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("project", "key"), name="flag_key_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    (
                                        "value_type__in",
                                        ["boolean", "string", "integer", "number", "object"],
                                    )
                                ),
                                name="flag_value_type_known",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FlagConfiguration",
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
                        ("enabled", models.BooleanField(default=False)),
                        ("targeting", models.JSONField()),
                        ("version", models.PositiveBigIntegerField(default=0)),
                        ("updated_at", models.DateTimeField()),
                        ("updated_by", models.CharField(blank=True, max_length=200)),
                        (
                            "environment",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="configurations",
                                to="access.environment",
                            ),
                        ),
                        (
                            "flag",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="configurations",
                                to="flags.flag",
                            ),
                        ),
                        ("introduced", models.BooleanField(default=True)),
                    ],
                    options={
                        "ordering": ["environment__position", "environment_id"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("flag", "environment"),
                                name="one_configuration_per_environment",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("enabled", False), ("introduced", True), _connector="OR"
                                ),
                                name="configuration_on_is_introduced",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TakenBatch",
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
                        ("batch_id", models.CharField(max_length=32, unique=True)),
                        ("taken_at", models.DateTimeField(db_index=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="FlagSeen",
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
                        ("variant", models.CharField(blank=True, max_length=100)),
                        ("last_at", models.DateTimeField()),
                        (
                            "environment",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="access.environment",
                            ),
                        ),
                        (
                            "flag",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="seen",
                                to="flags.flag",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("flag", "environment", "variant"), name="flag_seen_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FlagUsage",
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
                        ("variant", models.CharField(blank=True, max_length=100)),
                        ("reason", models.CharField(max_length=30)),
                        (
                            "period",
                            models.CharField(
                                choices=[("m", "minute"), ("h", "hour"), ("d", "day")], max_length=1
                            ),
                        ),
                        ("start", models.DateTimeField()),
                        ("count", models.PositiveBigIntegerField()),
                        (
                            "environment",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="access.environment",
                            ),
                        ),
                        (
                            "flag",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="usage",
                                to="flags.flag",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["period", "start"], name="flag_usage_age")
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=(
                                    "flag",
                                    "period",
                                    "start",
                                    "environment",
                                    "variant",
                                    "reason",
                                ),
                                name="flag_usage_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="LifecycleNotice",
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
                        ("state", models.CharField(max_length=20)),
                        ("told_at", models.DateTimeField()),
                        (
                            "flag",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="notices",
                                to="flags.flag",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("flag", "user", "state"), name="lifecycle_told_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="UnknownFlag",
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
                        ("name", models.CharField(blank=True, max_length=200)),
                        ("by_client", models.BooleanField()),
                        ("count", models.PositiveBigIntegerField()),
                        ("first_at", models.DateTimeField()),
                        ("last_at", models.DateTimeField()),
                        ("ignored_at", models.DateTimeField(null=True)),
                        (
                            "environment",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="unknown_flags",
                                to="access.environment",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-last_at", "name"],
                        "indexes": [models.Index(fields=["last_at"], name="unknown_flag_age")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("environment", "name", "by_client"),
                                name="unknown_flag_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Plan",
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
                        (
                            "kind",
                            models.CharField(
                                choices=[("schedule", "schedule"), ("ramp", "ramp")], max_length=10
                            ),
                        ),
                        ("document", models.JSONField()),
                        ("reason", models.TextField(blank=True)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("running", "running"),
                                    ("paused", "paused"),
                                    ("finished", "finished"),
                                    ("cancelled", "cancelled"),
                                ],
                                default="running",
                                max_length=10,
                            ),
                        ),
                        ("step", models.PositiveIntegerField(default=0)),
                        ("due_at", models.DateTimeField(null=True)),
                        ("anchor_at", models.DateTimeField(null=True)),
                        ("share", models.PositiveIntegerField(null=True)),
                        ("base", models.CharField(blank=True, max_length=64)),
                        ("done_at", models.DateTimeField(null=True)),
                        ("problem", models.TextField(blank=True)),
                        ("failures", models.PositiveIntegerField(default=0)),
                        ("retry_at", models.DateTimeField(null=True)),
                        ("round", models.PositiveIntegerField(default=0)),
                        ("author_kind", models.CharField(max_length=10)),
                        ("author_id_text", models.CharField(blank=True, max_length=40)),
                        ("author", models.CharField(max_length=200)),
                        ("created_at", models.DateTimeField()),
                        ("changed_at", models.DateTimeField()),
                        ("changed_by", models.CharField(max_length=200)),
                        (
                            "agreement",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="approvals.changerequest",
                            ),
                        ),
                        (
                            "author_user",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "environment",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="plans",
                                to="access.environment",
                            ),
                        ),
                        (
                            "flag",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="plans",
                                to="flags.flag",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["pk"],
                        "indexes": [
                            models.Index(fields=["state", "due_at"], name="plan_by_due_time")
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("state__in", ["running", "paused", "finished", "cancelled"])
                                ),
                                name="plan_state_known",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("due_at", None), ("state", "running"), _negated=True
                                ),
                                name="plan_running_is_due",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="NamingRule",
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
                        ("pattern", models.CharField(max_length=200)),
                        ("example", models.CharField(max_length=200)),
                        ("hint", models.CharField(blank=True, max_length=300)),
                        (
                            "project",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="naming_rule",
                                to="access.project",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Favourite",
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
                        (
                            "flag",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="favourites",
                                to="flags.flag",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="favourite_flags",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("user", "flag"), name="favourite_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SavedView",
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
                        ("name", models.CharField(max_length=60)),
                        ("query", models.CharField(blank=True, max_length=2000)),
                        ("shared", models.BooleanField(default=False)),
                        (
                            "default_for",
                            models.ManyToManyField(
                                blank=True,
                                related_name="default_views",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "owner",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="saved_views",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="saved_views",
                                to="access.project",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["name", "id"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("project", "owner", "name"), name="saved_view_name_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="KeyList",
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
                        ("digest", models.CharField(max_length=64)),
                        ("count", models.PositiveIntegerField()),
                        ("content", models.BinaryField()),
                        ("created_at", models.DateTimeField()),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="key_lists",
                                to="access.project",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("project", "digest"), name="key_list_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("count__lte", 1000000)),
                                name="key_list_not_too_long",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Segment",
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
                        ("key", models.CharField(max_length=200)),
                        ("name", models.CharField(blank=True, max_length=200)),
                        ("description", models.TextField(blank=True)),
                        ("when", models.JSONField()),
                        ("keyed_by", models.CharField(default="targetingKey", max_length=200)),
                        ("version", models.PositiveBigIntegerField(default=1)),
                        ("created_at", models.DateTimeField()),
                        ("updated_at", models.DateTimeField()),
                        ("updated_by", models.CharField(blank=True, max_length=200)),
                        (
                            "excluded",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="flags.keylist",
                            ),
                        ),
                        (
                            "included",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="flags.keylist",
                            ),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="segments",
                                to="access.project",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["key"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("project", "key"), name="segment_key_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("version__gte", 1)),
                                name="segment_version_counts",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ExclusionGroup",
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
                        ("key", models.CharField(max_length=200)),
                        ("name", models.CharField(blank=True, max_length=200)),
                        ("description", models.TextField(blank=True)),
                        ("salt", models.CharField(max_length=100)),
                        ("slots", models.JSONField(blank=True, default=list)),
                        ("holdout", models.PositiveIntegerField(default=0)),
                        ("bucket_by", models.CharField(default="targetingKey", max_length=200)),
                        ("version", models.PositiveBigIntegerField(default=1)),
                        ("created_at", models.DateTimeField()),
                        ("updated_at", models.DateTimeField()),
                        ("updated_by", models.CharField(blank=True, max_length=200)),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="exclusion_groups",
                                to="access.project",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["key"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("project", "key"), name="exclusion_group_key_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("holdout__lte", 100000)),
                                name="exclusion_group_holdout_on_line",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ContextSampling",
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
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
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
            ],
        ),
        migrations.RunPython(_cohorts.add_triggers),
    ]
