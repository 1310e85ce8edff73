import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("access", "0014_telemetry_right"),
        ("approvals", "0008_stopped_line"),
        ("flags", "0010_intake"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Artefact",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(default="image", max_length=20)),
                ("version", models.CharField(max_length=100)),
                ("digest", models.CharField(max_length=200)),
                ("commit", models.CharField(blank=True, max_length=100)),
                ("built_at", models.DateTimeField(null=True)),
                ("links", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="Release",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("fence", models.PositiveIntegerField(default=0)),
                ("leased_until", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
                ("held_at", models.DateTimeField(null=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("retry_at", models.DateTimeField(null=True)),
                ("author_kind", models.CharField(max_length=10)),
                ("author_id_text", models.CharField(blank=True, max_length=40)),
                ("author", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("changed_by", models.CharField(max_length=200)),
                ("plan", models.JSONField()),
                ("router", models.JSONField()),
                ("origins", models.JSONField(default=dict)),
                ("template", models.CharField(blank=True, max_length=50)),
                ("channels", models.JSONField(default=list)),
                ("approved_by", models.JSONField(default=list)),
                ("reason", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("planned", "planned"),
                            ("waiting", "waiting"),
                            ("running", "running"),
                            ("paused", "paused"),
                            ("held", "held"),
                            ("rolling_back", "rolling back"),
                            ("succeeded", "succeeded"),
                            ("aborted", "aborted"),
                            ("rolled_back", "rolled back"),
                            ("superseded", "superseded"),
                            ("failed", "failed"),
                        ],
                        default="planned",
                        max_length=20,
                    ),
                ),
                ("not_before", models.DateTimeField(null=True)),
                ("overrides_freeze", models.BooleanField(default=False)),
                ("step", models.PositiveIntegerField(default=0)),
                ("attempt", models.PositiveIntegerField(default=1)),
                ("promoted", models.BooleanField(default=False)),
                ("dropped", models.JSONField(default=list)),
                ("proof", models.JSONField(default=dict)),
                ("entered_at", models.DateTimeField(null=True)),
                ("paused_at", models.DateTimeField(null=True)),
                ("rested_s", models.FloatField(default=0)),
                ("due_at", models.DateTimeField(null=True)),
                ("before", models.JSONField(null=True)),
                ("wanted", models.JSONField(default=dict)),
                ("told", models.JSONField(default=dict)),
                ("holds", models.JSONField(default=list)),
                ("warnings", models.JSONField(default=list)),
                ("checks", models.JSONField(default=dict)),
                ("outcome", models.CharField(blank=True, max_length=30)),
                ("because", models.JSONField(default=dict)),
                ("started_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("watch_until", models.DateTimeField(null=True)),
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
                    "artefact",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="releases",
                        to="releases.artefact",
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
                        related_name="releases",
                        to="access.environment",
                    ),
                ),
                (
                    "flag",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="releases",
                        to="flags.flag",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="releases",
                        to="access.project",
                    ),
                ),
                (
                    "stable",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="releases.artefact",
                    ),
                ),
                (
                    "supersedes",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="releases.release",
                    ),
                ),
                (
                    "undoes",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="undone",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("author", models.CharField(max_length=200)),
                ("text", models.TextField()),
                ("at", models.DateTimeField()),
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
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notes",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="Service",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=50)),
                ("name", models.CharField(max_length=200)),
                ("owners", models.JSONField(default=list)),
                ("created_at", models.DateTimeField()),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="services",
                        to="access.project",
                    ),
                ),
            ],
            options={
                "ordering": ["key"],
            },
        ),
        migrations.AddField(
            model_name="release",
            name="service",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="releases",
                to="releases.service",
            ),
        ),
        migrations.AddField(
            model_name="artefact",
            name="service",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="artefacts",
                to="releases.service",
            ),
        ),
        migrations.CreateModel(
            name="ServiceSetup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("router", models.JSONField(default=dict)),
                ("deployer", models.JSONField(default=dict)),
                ("checks", models.JSONField(default=list)),
                ("rollback_config", models.JSONField(default=dict)),
                ("version", models.PositiveIntegerField(default=0)),
                ("updated_at", models.DateTimeField(null=True)),
                ("updated_by", models.CharField(blank=True, max_length=200)),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="access.environment",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="setups",
                        to="releases.service",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="StepExecution",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("step", models.PositiveIntegerField()),
                ("attempt", models.PositiveIntegerField()),
                ("share", models.PositiveIntegerField()),
                ("started_at", models.DateTimeField()),
                ("reached_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("outcome", models.CharField(blank=True, max_length=30)),
                ("token", models.JSONField(default=dict)),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="executions",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="Termination",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("fence", models.PositiveIntegerField(default=0)),
                ("leased_until", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
                ("held_at", models.DateTimeField(null=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("retry_at", models.DateTimeField(null=True)),
                ("execution", models.CharField(max_length=60)),
                ("state", models.JSONField(default=dict)),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="terminations",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="UnknownService",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=200)),
                ("count", models.PositiveBigIntegerField(default=0)),
                ("last_at", models.DateTimeField()),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="access.environment",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OutcomeBucket",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("about", models.CharField(max_length=10)),
                ("name", models.CharField(max_length=200)),
                ("version", models.CharField(max_length=100)),
                ("by_client", models.BooleanField(default=False)),
                ("start", models.DateTimeField()),
                ("width", models.PositiveSmallIntegerField(default=10)),
                ("requests", models.PositiveBigIntegerField(default=0)),
                ("errors", models.PositiveBigIntegerField(default=0)),
                ("durations", models.JSONField(default=dict)),
                ("error_types", models.JSONField(default=dict)),
                ("values", models.PositiveBigIntegerField(default=0)),
                ("value_sum", models.FloatField(default=0)),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="access.environment",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["width", "start"], name="outcome_bucket_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "environment",
                            "about",
                            "name",
                            "version",
                            "start",
                            "width",
                            "by_client",
                        ),
                        name="outcome_bucket_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PlanTemplate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=50)),
                ("name", models.CharField(max_length=200)),
                ("plan", models.JSONField()),
                ("updated_at", models.DateTimeField()),
                ("updated_by", models.CharField(max_length=200)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="plan_templates",
                        to="access.project",
                    ),
                ),
            ],
            options={
                "ordering": ["key"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "key"), name="plan_template_key_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Measurement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("step", models.PositiveIntegerField()),
                ("check_key", models.CharField(max_length=40)),
                ("at", models.DateTimeField()),
                ("verdict", models.CharField(max_length=20)),
                ("value", models.FloatField(null=True)),
                ("requests", models.PositiveBigIntegerField(default=0)),
                ("errors", models.PositiveBigIntegerField(default=0)),
                ("detail", models.CharField(blank=True, max_length=300)),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="measurements",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(fields=["release", "check_key", "at"], name="measured_by_time")
                ],
            },
        ),
        migrations.CreateModel(
            name="ReleasePolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=50)),
                ("name", models.CharField(max_length=200)),
                ("environments", models.JSONField(default=list)),
                ("services", models.JSONField(default=list)),
                ("tags", models.JSONField(default=list)),
                ("checks", models.JSONField(default=list)),
                ("templates", models.JSONField(default=list)),
                ("version", models.PositiveIntegerField(default=0)),
                ("updated_at", models.DateTimeField()),
                ("updated_by", models.CharField(max_length=200)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="release_policies",
                        to="access.project",
                    ),
                ),
            ],
            options={
                "ordering": ["key"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "key"), name="release_policy_key_once"
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=models.UniqueConstraint(fields=("project", "key"), name="service_key_once"),
        ),
        migrations.AddIndex(
            model_name="release",
            index=models.Index(fields=["due_at"], name="release_by_due_time"),
        ),
        migrations.AddIndex(
            model_name="release",
            index=models.Index(fields=["project", "environment", "-id"], name="release_by_place"),
        ),
        migrations.AddConstraint(
            model_name="release",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "planned",
                            "waiting",
                            "running",
                            "paused",
                            "held",
                            "rolling_back",
                            "succeeded",
                            "aborted",
                            "rolled_back",
                            "superseded",
                            "failed",
                        ],
                    )
                ),
                name="release_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="release",
            constraint=models.CheckConstraint(
                condition=models.Q(("service", None), ("flag", None), _connector="XOR"),
                name="release_of_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="release",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("state__in", ("waiting", "running", "paused", "held", "rolling_back"))
                ),
                fields=("service", "environment"),
                name="release_moves_service_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="release",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("state__in", ("waiting", "running", "paused", "held", "rolling_back"))
                ),
                fields=("flag", "environment"),
                name="release_moves_flag_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="artefact",
            constraint=models.UniqueConstraint(
                fields=("service", "version"), name="artefact_version_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="servicesetup",
            constraint=models.UniqueConstraint(
                fields=("service", "environment"), name="service_setup_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="stepexecution",
            constraint=models.UniqueConstraint(
                fields=("release", "step", "attempt"), name="step_executed_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="termination",
            constraint=models.UniqueConstraint(
                fields=("release", "execution"), name="execution_ended_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="unknownservice",
            constraint=models.UniqueConstraint(
                fields=("environment", "name"), name="unknown_service_once"
            ),
        ),
    ]
