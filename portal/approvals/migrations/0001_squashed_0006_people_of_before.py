import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from portal.lib.new_tables import CreateTables


class Migration(migrations.Migration):
    replaces = [
        ("approvals", "0001_initial"),
        ("approvals", "0002_freezes"),
        ("approvals", "0003_break_glass"),
        ("approvals", "0004_break_glass_logs"),
        ("approvals", "0005_people"),
        ("approvals", "0006_people_of_before"),
    ]

    initial = True

    dependencies = [
        ("access", "0004_no_memberships"),
        ("access", "0012_people"),
        ("access", "__first__"),
        ("audit", "0004_history"),
    ]

    operations = [
        CreateTables(
            operations=[
                migrations.CreateModel(
                    name="ChangeRequest",
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
                        ("kind", models.CharField(max_length=40)),
                        ("subject_kind", models.CharField(max_length=20)),
                        ("subject", models.CharField(max_length=200)),
                        ("title", models.CharField(max_length=300)),
                        ("base_version", models.CharField(max_length=200)),
                        ("before", models.JSONField()),
                        ("after", models.JSONField()),
                        ("words", models.JSONField(default=list)),
                        ("permissions", models.JSONField(default=list)),
                        ("turns_off", models.BooleanField(default=False)),
                        ("serves", models.BooleanField(default=True)),
                        ("artefact", models.CharField(blank=True, max_length=80)),
                        ("digest", models.CharField(db_index=True, max_length=80)),
                        ("revision", models.PositiveIntegerField(default=1)),
                        ("reason", models.TextField(blank=True)),
                        ("apply_when_approved", models.BooleanField(default=True)),
                        ("author_kind", models.CharField(max_length=10)),
                        ("author_id_text", models.CharField(blank=True, max_length=40)),
                        ("author", models.CharField(max_length=200)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("open", "open"),
                                    ("applied", "applied"),
                                    ("rejected", "rejected"),
                                    ("withdrawn", "withdrawn"),
                                ],
                                default="open",
                                max_length=10,
                            ),
                        ),
                        ("created_at", models.DateTimeField()),
                        ("revised_at", models.DateTimeField()),
                        ("closed_at", models.DateTimeField(null=True)),
                        ("closed_by", models.CharField(blank=True, max_length=200)),
                        ("reminded_at", models.DateTimeField(null=True)),
                        (
                            "author_user",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="asked_changes",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "environments",
                            models.ManyToManyField(
                                related_name="change_requests", to="access.environment"
                            ),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="change_requests",
                                to="access.project",
                            ),
                        ),
                        ("held_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "ordering": ["-pk"],
                        "indexes": [
                            models.Index(
                                fields=["project", "state", "-id"], name="request_by_state"
                            )
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("state__in", ["open", "applied", "rejected", "withdrawn"])
                                ),
                                name="request_state_known",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Comment",
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
                        ("author", models.CharField(max_length=200)),
                        ("text", models.TextField()),
                        ("at", models.DateTimeField()),
                        (
                            "request",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="comments",
                                to="approvals.changerequest",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["pk"],
                    },
                ),
                migrations.CreateModel(
                    name="Editor",
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
                            "request",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="editors",
                                to="approvals.changerequest",
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
                                fields=("request", "user"), name="one_editor_row_per_person"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Emergency",
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
                        ("actor", models.CharField(max_length=200)),
                        ("reason", models.TextField()),
                        ("at", models.DateTimeField()),
                        ("reverts_at", models.DateTimeField()),
                        ("confirmed_at", models.DateTimeField(null=True)),
                        ("confirmed_by", models.CharField(blank=True, max_length=200)),
                        ("reverted_at", models.DateTimeField(null=True)),
                        ("superseded_at", models.DateTimeField(null=True)),
                        ("reviewed_at", models.DateTimeField(null=True)),
                        ("reviewed_by", models.CharField(blank=True, max_length=200)),
                        ("review", models.TextField(blank=True)),
                        (
                            "actor_user",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="emergencies",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "request",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="emergency",
                                to="approvals.changerequest",
                            ),
                        ),
                        ("kept", models.JSONField(default=list)),
                        ("problem", models.TextField(blank=True)),
                        (
                            "first",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="approvals.emergency",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "emergencies",
                        "ordering": ["-pk"],
                    },
                ),
                migrations.CreateModel(
                    name="Evidence",
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
                        ("digest", models.CharField(max_length=80)),
                        ("kind", models.CharField(max_length=50)),
                        (
                            "result",
                            models.CharField(
                                choices=[("passed", "passed"), ("failed", "failed")], max_length=10
                            ),
                        ),
                        ("detail", models.TextField(blank=True)),
                        ("posted_by", models.CharField(max_length=200)),
                        ("posted_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField()),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="evidence",
                                to="access.project",
                            ),
                        ),
                        (
                            "posted_with",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="access.apikey",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "evidence",
                        "ordering": ["-pk"],
                        "indexes": [
                            models.Index(fields=["project", "digest"], name="evidence_by_digest")
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("result__in", ["passed", "failed"])),
                                name="evidence_result_known",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Policy",
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
                        ("required_approvals", models.PositiveSmallIntegerField()),
                        ("required_roles", models.JSONField(blank=True, default=list)),
                        ("evidence", models.JSONField(blank=True, default=dict)),
                        ("turning_off_needs_approval", models.BooleanField(default=False)),
                        ("break_glass", models.JSONField(blank=True, default=list)),
                        ("break_glass_minutes", models.PositiveIntegerField(default=60)),
                        ("version", models.PositiveBigIntegerField(default=1)),
                        ("updated_at", models.DateTimeField()),
                        ("updated_by", models.CharField(max_length=200)),
                        (
                            "environment",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="policy",
                                to="access.environment",
                            ),
                        ),
                        ("independence_days", models.PositiveSmallIntegerField(default=30)),
                    ],
                    options={
                        "verbose_name_plural": "policies",
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("required_approvals__gte", 1)),
                                name="policy_wants_somebody",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Vote",
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
                            "verdict",
                            models.CharField(
                                choices=[("approve", "approve"), ("reject", "reject")],
                                max_length=10,
                            ),
                        ),
                        ("digest", models.CharField(max_length=80)),
                        ("names", models.JSONField(default=list)),
                        ("comment", models.TextField(blank=True)),
                        ("at", models.DateTimeField()),
                        (
                            "request",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="votes",
                                to="approvals.changerequest",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="votes",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["pk"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("request", "user"), name="one_vote_per_person"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("verdict__in", ["approve", "reject"])),
                                name="verdict_known",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FreezeWindow",
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
                        ("name", models.CharField(max_length=100)),
                        ("reason", models.TextField(blank=True)),
                        ("starts", models.CharField(max_length=16)),
                        ("ends", models.CharField(max_length=16)),
                        ("zone", models.CharField(max_length=64)),
                        ("rrule", models.CharField(blank=True, max_length=500)),
                        ("version", models.PositiveBigIntegerField(default=1)),
                        ("created_at", models.DateTimeField()),
                        ("created_by", models.CharField(max_length=200)),
                        ("updated_at", models.DateTimeField()),
                        ("updated_by", models.CharField(max_length=200)),
                        ("cancelled_at", models.DateTimeField(null=True)),
                        ("cancelled_by", models.CharField(blank=True, max_length=200)),
                        (
                            "environments",
                            models.ManyToManyField(related_name="freezes", to="access.environment"),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="freezes",
                                to="access.project",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["starts", "pk"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("cancelled_at", None)),
                                fields=("project", "name"),
                                name="freeze_name_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("ends__gt", models.F("starts"))),
                                name="freeze_ends_after_start",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="EmergencyLog",
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
                    options={
                        "ordering": ["pk"],
                    },
                ),
            ],
        ),
    ]
